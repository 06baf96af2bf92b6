//! What a provider told us, in our own words. An answer, a look-up, an event and a reconciliation
//! all become [`Evidence`]; only evidence settles an attempt.

use chrono::{DateTime, Utc};

use super::failure::FailureClass;
use super::mode::ProviderName;
use super::money::Money;
use super::payment::CardUse;

/// Where a piece of evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvidenceSource {
    /// The answer to the call itself.
    Answer,
    /// A look-up by order id or payment key.
    LookUp,
    /// A look-up that an event asked for.
    Event,
    /// What comparing books says, theirs or our own.
    Reconciliation,
    /// Two persons with a document.
    Person,
}

impl EvidenceSource {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::LookUp => "look_up",
            Self::Event => "event",
            Self::Reconciliation => "reconciliation",
            Self::Person => "person",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Answer,
            Self::LookUp,
            Self::Event,
            Self::Reconciliation,
            Self::Person,
        ]
        .into_iter()
        .find(|source| source.as_str() == text)
    }
}

/// What is known now about one order at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The provider shows the payment.
    Seen(PaymentSeen),
    /// The provider does not know the order or payment (yet). Never proof that nothing happened.
    NotSeen,
    /// The provider refused, with a code.
    Refused(Refusal),
    /// Certainly nothing left: the connection was never made.
    NotSent,
    /// The same: another provider, which may have been paid for the same invoice already, did not say whether it was.
    Withheld(ProviderName),
    /// Ours to know, nobody was asked: a charge in two steps that has no name, so that its second step never began.
    Unconfirmed,
    /// The same, and it never will: whoever held it can no longer begin the second step.
    Withdrawn,
    /// Money for the same invoice stands, or may stand, under another name of ours or at another provider: our books are
    /// older than theirs, and a person has to see to it.
    Elsewhere(Elsewhere),
    /// Asked too often (HTTP 429). Whether it was executed is not certain.
    Throttled {
        /// What the provider asks us to wait, in seconds.
        retry_after_s: Option<u64>,
    },
    /// The same request is still being worked on (HTTP 409).
    Busy,
    /// No usable answer: nothing can be concluded.
    Unusable(Unusable),
}

/// What stands for the same invoice, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// At which provider.
    pub provider: ProviderName,
    /// The provider's name for it.
    pub provider_ref: String,
    /// Our name for it.
    pub order_id: String,
}

/// Why an answer proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unusable {
    /// No answer in time.
    TimedOut,
    /// The connection ended before a whole answer.
    Broken,
    /// A server error without a code we know.
    ServerError,
    /// The body is not what the interface describes.
    Unreadable,
    /// The answer is about another order, amount, currency or mode.
    Mismatch,
    /// Nobody was asked: the key of the card cannot be opened or read. A person has to see to it.
    NoKey,
}

impl Unusable {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::ServerError => "server_error",
            Self::Unreadable => "unreadable",
            Self::Mismatch => "mismatch",
            Self::NoKey => "no_key",
        }
    }
}

/// A payment as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSeen {
    /// Our order id.
    pub order_id: String,
    /// The provider's name for the payment.
    pub provider_ref: String,
    /// Where it stands there.
    pub status: SeenStatus,
    /// The whole amount.
    pub total: Money,
    /// What has not gone back, in minor units.
    pub balance_minor: i64,
    /// When it was approved.
    pub approved_at: Option<DateTime<Utc>>,
    /// What went back so far.
    pub cancels: Vec<CancelSeen>,
    /// Refunds that the provider has taken back: they failed or were canceled, perhaps days after they were done. They
    /// are not in `cancels`, and the balance counts them as not given. `at` is when they came back, where that is known.
    pub undone: Vec<CancelSeen>,
    /// Why it failed, where it did.
    pub failure: Option<Refusal>,
    /// Card brand or method, as the provider writes it.
    pub method: String,
    /// How the card was charged.
    pub card_use: CardUse,
}

/// Status of a payment at the provider, in our words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeenStatus {
    /// Money was taken; a part or all of it may have gone back since.
    Captured,
    /// It failed for good.
    Failed,
    /// It is not decided.
    Pending,
    /// It is prepared and was not confirmed: no money has moved, and a send that is under way may still move it.
    NotStarted,
    /// The customer has to authenticate first. Not failed.
    NeedsCustomer,
    /// It was ended before any money moved, for good: nothing that is still under way can execute it.
    Canceled,
    /// A word we do not know: no answer yet.
    Other,
}

/// One refund as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelSeen {
    /// The provider's name for it.
    pub transaction_key: String,
    /// The reason, with our tag if it is ours.
    pub reason: String,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it is done; some are decided later.
    pub is_done: bool,
}

/// A refusal with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The provider's code.
    pub code: String,
    /// What it means for dunning.
    pub class: FailureClass,
    /// What it proves.
    pub proves: Proves,
    /// HTTP status it came with.
    pub http_status: u16,
}

/// What a refusal's code proves about the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proves {
    /// Not executed: the code is in the reviewed list for this call.
    NotExecuted,
    /// Something with this order exists already: look it up.
    LookUp,
    /// Temporary trouble: it may or may not have been executed.
    Nothing,
    /// Our key or contract was refused: stop the run, page, look up later.
    ConfigTrouble,
    /// A code we do not know.
    Unlisted,
}

impl Proves {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotExecuted => "not_executed",
            Self::LookUp => "look_up",
            Self::Nothing => "nothing",
            Self::ConfigTrouble => "config_trouble",
            Self::Unlisted => "unlisted",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::NotExecuted,
            Self::LookUp,
            Self::Nothing,
            Self::ConfigTrouble,
            Self::Unlisted,
        ]
        .into_iter()
        .find(|proves| proves.as_str() == text)
    }
}

impl SeenStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Captured,
        Self::Failed,
        Self::Pending,
        Self::NotStarted,
        Self::NeedsCustomer,
        Self::Canceled,
        Self::Other,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::NotStarted => "not_started",
            Self::NeedsCustomer => "needs_customer",
            Self::Canceled => "canceled",
            Self::Other => "other",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl Evidence {
    /// A short name for logs, audit rows and the evidence table.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seen(seen) => seen.status.as_str(),
            Self::NotSeen => "not_seen",
            Self::Refused(_) => "refused",
            Self::NotSent | Self::Withheld(_) => "not_sent",
            Self::Unconfirmed | Self::Withdrawn => "unconfirmed",
            Self::Elsewhere(_) => "elsewhere",
            Self::Throttled { .. } => "throttled",
            Self::Busy => "busy",
            Self::Unusable(why) => why.as_str(),
        }
    }

    /// The provider refused our key, contract or integration: every further call would be refused as well.
    pub const fn is_config_trouble(&self) -> bool {
        matches!(self, Self::Refused(refusal) if matches!(refusal.proves, Proves::ConfigTrouble))
    }

    /// Counts towards the circuit breaker: the transport failed or nothing can be concluded.
    pub const fn is_trouble(&self) -> bool {
        match self {
            Self::Unusable(_) | Self::NotSent | Self::Throttled { .. } => true,
            Self::Refused(refusal) => matches!(refusal.proves, Proves::Nothing),
            Self::Seen(_)
            | Self::NotSeen
            | Self::Withheld(_)
            | Self::Unconfirmed
            | Self::Withdrawn
            | Self::Elsewhere(_)
            | Self::Busy => false,
        }
    }
}
