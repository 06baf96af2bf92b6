//! What the engine asks of a payment provider. Wire formats stay behind it.

use chrono::{DateTime, Utc};

use crate::domain::attempt::Standing;
use crate::domain::customer::Card;
use crate::domain::evidence::{Evidence, Proves, Refusal, Unusable};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::secret::Secret;

use super::{BoxFuture, Desk};

/// What a charge is to say. Turned into bytes once; the same bytes are sent every time.
#[derive(Debug, Clone, Copy)]
pub struct ChargeRequest<'a> {
    /// Our name for it.
    pub order_id: &'a str,
    /// What the customer reads on the bill, 1 to 100 characters.
    pub order_name: &'a str,
    /// What the provider knows the customer by.
    pub customer_key: &'a str,
    /// How much.
    pub amount: Money,
}

/// What a refund is to say.
#[derive(Debug, Clone, Copy)]
pub struct RefundRequest<'a> {
    /// Reason with our tag, at most 200 characters.
    pub reason: &'a str,
    /// How much; always explicit.
    pub amount: Money,
    /// What the provider must still hold, or it refuses.
    pub expected_balance_minor: i64,
}

/// Preparing a charge at a provider that charges in two steps. It moves no money.
#[derive(Debug, Clone, Copy)]
pub struct PrepareCall<'a> {
    /// What is charged.
    pub billing_key: &'a Secret,
    /// The stored bytes.
    pub body: &'a [u8],
    /// The attempt's idempotency key; the call's own is made of it.
    pub idem_key: &'a str,
    /// Our name for it, to compare the answer with.
    pub order_id: &'a str,
    /// What the answer must say.
    pub amount: Money,
}

/// Looking for everything that stands at a provider for one invoice, though our books do not say so.
#[derive(Debug, Clone, Copy)]
pub struct FindStanding<'a> {
    /// What would be charged, where there is something: its card is compared, and its customer may be asked for.
    pub billing_key: Option<&'a Secret>,
    /// Whose payments are looked through.
    pub whose: Whose,
    /// Our name for one try of the invoice.
    pub order_id: &'a str,
    /// From when on.
    pub since: DateTime<Utc>,
}

/// Whose payments are looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of the customer that the billing key names.
    OfCustomer,
    /// Everybody's: it may have been charged of a customer whom our books do not know.
    Everybodys,
    /// Everybody's, for every invoice and not for one, where [`Provider::lists_standing`].
    ForEveryInvoice,
}

/// One page of what stands there.
#[derive(Debug, Clone)]
pub enum StandingPage {
    /// What of it is about this invoice.
    Page {
        /// Each of them.
        rows: Vec<Standing>,
        /// Where the next page begins; none after the last.
        next: Option<String>,
    },
    /// It is not certain. The report says why; no money moved by asking.
    Unanswered(Box<CallReport>),
}

/// What came of preparing.
#[expect(
    clippy::large_enum_variant,
    reason = "it is made once per call and taken apart at once"
)]
#[derive(Debug, Clone)]
pub enum PrepareOutcome {
    /// It is there and waits to be confirmed.
    Prepared {
        /// The provider's name for it.
        provider_ref: String,
    },
    /// It is not certain that it is there. No money moved; the report says why.
    Not(CallReport),
}

/// One send of a charge.
#[derive(Debug, Clone, Copy)]
pub struct ChargeCall<'a> {
    /// What is charged.
    pub billing_key: &'a Secret,
    /// The stored bytes.
    pub body: &'a [u8],
    /// The attempt's idempotency key.
    pub idem_key: &'a str,
    /// Our name for it, to compare the answer with.
    pub order_id: &'a str,
    /// What the answer must say.
    pub amount: Money,
    /// The provider's name for what was prepared; none where a charge is one step.
    pub provider_ref: Option<&'a str>,
    /// Which send of this attempt it is, from 1.
    pub send_no: u32,
}

/// Where a customer answers their bank.
#[derive(Debug, Clone)]
pub enum CustomerLink {
    /// Here. Whoever has it can answer: it is shown to the person who hands it on, and kept nowhere.
    Open(Secret),
    /// Nobody is asked now.
    Closed,
    /// It is not known. The report says why.
    Unanswered(Box<CallReport>),
}

/// Asking what became of a charge.
#[derive(Debug, Clone, Copy)]
pub struct ChargeLook<'a> {
    /// Our name for it.
    pub order_id: &'a str,
    /// The provider's name for it, where it is known.
    pub provider_ref: Option<&'a str>,
    /// What was to be charged.
    pub amount: Money,
}

/// Registering a card.
#[derive(Debug, Clone, Copy)]
pub struct RegisterCall<'a> {
    /// What the customer's browser brought: a Toss auth key, a Stripe payment method.
    pub auth_key: &'a Secret,
    /// What the provider knows, or will know, the customer by.
    pub customer_key: &'a str,
    /// The provider's own name for the customer, where one is known.
    pub provider_customer: Option<&'a str>,
}

/// One send of a refund.
#[derive(Debug, Clone, Copy)]
pub struct RefundCall<'a> {
    /// The provider's name for the payment.
    pub provider_ref: &'a str,
    /// The stored bytes.
    pub body: &'a [u8],
    /// The attempt's idempotency key.
    pub idem_key: &'a str,
}

/// Confirming a checkout payment that the customer authenticated in the browser.
#[derive(Debug, Clone, Copy)]
pub struct ConfirmCall<'a> {
    /// The provider's name for the payment.
    pub payment_key: &'a str,
    /// Our name for it.
    pub order_id: &'a str,
    /// What we ask; compared with what the browser brought before anything is sent.
    pub amount: Money,
    /// The attempt's idempotency key.
    pub idem_key: &'a str,
}

/// What came of one call.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// What it proves.
    pub evidence: Evidence,
    /// HTTP status, where there was an answer.
    pub http_status: Option<u16>,
    /// The provider's trace id, for its support.
    pub trace_id: Option<String>,
    /// SHA-256 of the body, where there was one; bodies are not kept.
    pub body_sha256: Option<String>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// The provider says that it repeats a stored answer.
    pub is_replay: bool,
}

impl CallReport {
    /// What is known without an exchange.
    pub const fn bare(evidence: Evidence) -> Self {
        Self {
            evidence,
            http_status: None,
            trace_id: None,
            body_sha256: None,
            elapsed_ms: 0,
            is_replay: false,
        }
    }
}

/// What came of registering a card.
#[derive(Debug, Clone)]
pub enum IssueOutcome {
    /// A billing key was issued. It exists nowhere but here: seal it at once.
    Issued {
        /// Whatever a charge needs: opaque to everybody but the provider's client.
        billing_key: Secret,
        /// What the provider says of the card.
        card: Card,
        /// The provider's own name for the customer, where it has one.
        provider_customer: Option<String>,
    },
    /// Refused with a code.
    Refused(Refusal),
    /// Nothing left.
    NotSent,
    /// No usable answer. A key may exist that we do not know; the card must be registered again.
    Unusable(Unusable),
}

/// What came of deleting a billing key.
#[derive(Debug, Clone)]
pub enum DeleteOutcome {
    /// It is gone (now or already).
    Deleted,
    /// Refused with a code.
    Refused(Refusal),
    /// No usable answer; deleting again is safe.
    Unanswered,
}

/// One row of the provider's transaction list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionSeen {
    /// The provider's name for the approval or cancel.
    pub transaction_key: String,
    /// The provider's name for the payment.
    pub provider_ref: String,
    /// Our name for it.
    pub order_id: String,
    /// The provider's word for its status.
    pub status: String,
    /// Whether this row is money going back.
    pub is_cancel: bool,
    /// When.
    pub at: DateTime<Utc>,
    /// How much, as an absolute value.
    pub amount: Money,
}

/// Why a list or a check could not be had. Nothing about money follows from it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The provider was not reached.
    #[error("{operation}: provider not reached")]
    NotReached {
        /// What was asked.
        operation: &'static str,
    },
    /// A question about one thing, which changes nothing: not now, or no usable answer.
    #[error("{operation}: no answer now")]
    Unanswered {
        /// What was asked.
        operation: &'static str,
    },
    /// The same, because nobody answered in time, or nobody was there.
    #[error("{operation}: no answer in time")]
    Silent {
        /// What was asked.
        operation: &'static str,
    },
    /// Refused with a code.
    #[error("{operation}: refused with {code} (http {status})")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The provider's code.
        code: String,
        /// HTTP status.
        status: u16,
    },
    /// The answer is about somebody else's books: another account's key is configured.
    #[error("{operation}: the answer is another account's")]
    OtherAccount {
        /// What was asked.
        operation: &'static str,
    },
    /// The answer could not be used.
    #[error("{operation}: unusable answer")]
    Unusable {
        /// What was asked.
        operation: &'static str,
    },
}

/// A payment provider. Object-safe, because it is chosen per payment method at run time. No
/// method retries by itself, and none returns a guess.
pub trait Provider: Send + Sync {
    /// Which one.
    fn name(&self) -> ProviderName;
    /// Live, test or sim, by its keys.
    fn mode(&self) -> Mode;
    /// Whose books its answers are about, where that is known: the account it was told, or that of the first answer.
    fn account(&self) -> Option<String> {
        None
    }
    /// Its other side, where it schedules subscriptions itself.
    fn mirrored(&self) -> Option<&dyn super::MirroredProvider> {
        None
    }
    /// Whether a refusal is everybody's: our key, our rights or our account. Another one, such as a key that was used for
    /// another request or a card of somebody else's, is the trouble of its row.
    fn refuses_everybody(&self, refusal: &Refusal) -> bool {
        refusal.proves == Proves::ConfigTrouble
    }
    /// Its balance, where it shows what each charge and refund cost.
    fn balance_book(&self) -> Option<&dyn super::BalanceBook> {
        None
    }
    /// The exact bytes of a charge.
    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8>;
    /// The exact bytes of a refund.
    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8>;
    /// Whether it shows what stands there for every invoice at once.
    fn lists_standing(&self) -> bool {
        false
    }
    /// A page of what stands there for an invoice, under whatever number of ours, after the page that gave `after`.
    fn standing<'a>(
        &'a self,
        _desk: &'a mut Desk,
        _call: FindStanding<'a>,
        _after: Option<&'a str>,
    ) -> BoxFuture<'a, StandingPage> {
        Box::pin(std::future::ready(StandingPage::Page {
            rows: Vec::new(),
            next: None,
        }))
    }
    /// Prepares a charge once, where [`ProviderName::charges_in_two_steps`].
    fn prepare<'a>(
        &'a self,
        _desk: &'a mut Desk,
        _call: PrepareCall<'a>,
    ) -> BoxFuture<'a, PrepareOutcome> {
        let report = CallReport::bare(Evidence::NotSent);
        Box::pin(std::future::ready(PrepareOutcome::Not(report)))
    }
    /// Sends a charge once; what was prepared is confirmed.
    fn charge<'a>(&'a self, desk: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport>;
    /// The same while somebody is there who can hand the customer a link: the bank may ask them, and then the charge waits.
    fn charge_with_customer<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ChargeCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.charge(desk, call)
    }
    /// Where the customer of a charge that waits for them answers their bank.
    fn customer_link<'a>(
        &'a self,
        _desk: &'a mut Desk,
        _provider_ref: &'a str,
    ) -> BoxFuture<'a, CustomerLink> {
        Box::pin(std::future::ready(CustomerLink::Closed))
    }
    /// Sends a refund once.
    fn refund<'a>(&'a self, desk: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport>;
    /// Confirms a checkout payment once.
    fn confirm<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport>;
    /// Asks what became of a charge of ours.
    fn look_up_charge<'a>(
        &'a self,
        desk: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport>;
    /// Asks about a payment.
    fn look_up_payment<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport>;
    /// Ends what was prepared, so that nothing under way can charge it any more. None where a provider has no such thing.
    /// Whether it ended is in the evidence: [`crate::domain::evidence::SeenStatus::Canceled`], or what it is instead.
    fn abandon<'a>(
        &'a self,
        _desk: &'a mut Desk,
        _provider_ref: &'a str,
        _idem_key: &'a str,
    ) -> BoxFuture<'a, Option<CallReport>> {
        Box::pin(std::future::ready(None))
    }
    /// Turns a single-use auth key into a billing key. Never sent twice.
    fn issue<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome>;
    /// Deletes a billing key at the provider.
    fn delete_key<'a>(
        &'a self,
        desk: &'a mut Desk,
        billing_key: &'a Secret,
    ) -> BoxFuture<'a, DeleteOutcome>;
    /// A page of the provider's transactions in `[from, to)`, in the provider's order, after the row
    /// `after`. A page shorter than `limit` is the last.
    fn transactions<'a>(
        &'a self,
        desk: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>>;
    /// Proves that order look-up works with this key.
    fn self_test<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>>;
}
