//! What can go wrong with a call, by what the call does: every fault of each kind.

use paydeck::domain::mode::ProviderName;
use paydeck::sandbox::{Commit, ErrorBody, Fault};

use crate::memory::stage::Chance;

/// What goes wrong with one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// No connection.
    Refused,
    /// Carried out; nothing is ever heard.
    Silence,
    /// Delivered twice.
    Twice { ms: u64 },
    /// What the simulator knows.
    Wire(Fault),
}

impl Trouble {
    /// The same, but for how long it takes.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Wire(one), Self::Wire(other)) => match (one, other) {
                (Fault::Slow { .. }, Fault::Slow { .. })
                | (Fault::SlowBeforeCommit { .. }, Fault::SlowBeforeCommit { .. })
                | (Fault::Late { .. }, Fault::Late { .. }) => true,
                (one, other) => one == other,
            },
            (Self::Twice { .. }, Self::Twice { .. }) => true,
            (one, other) => one == other,
        }
    }
}

fn coded(status: u16, code: &str, commit: Commit) -> Trouble {
    Trouble::Wire(Fault::HttpError {
        status,
        commit,
        body: ErrorBody::Json,
        code: code.to_owned(),
    })
}

fn failing(status: u16, commit: Commit, body: ErrorBody) -> Trouble {
    Trouble::Wire(Fault::HttpError {
        status,
        commit,
        body,
        code: "FAILED_INTERNAL_SYSTEM_PROCESSING".to_owned(),
    })
}

/// What a request does to money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// A charge gets its name; nothing is taken.
    Prepared,
    Charged,
    Refunded,
    /// What was prepared is ended.
    Ended,
    /// A card is registered.
    Registered,
    /// Something is wished of what the provider schedules.
    Wished,
    /// It is to try an invoice again.
    Collected,
}

impl Posted {
    pub fn by(path: &str) -> Self {
        if path.starts_with("/v1/subscriptions/") || path.starts_with("/v1/invoices/") {
            match path.ends_with("/pay") {
                true => Self::Collected,
                false => Self::Wished,
            }
        } else if path == "/v1/payment_intents" {
            Self::Prepared
        } else if path.ends_with("/refunds") || path.starts_with("/v1/payments/") {
            match path.ends_with("/confirm") {
                true => Self::Charged,
                false => Self::Refunded,
            }
        } else if path.ends_with("/cancel") {
            Self::Ended
        } else if path == "/v1/customers" || path.ends_with("/attach") {
            Self::Registered
        } else {
            Self::Charged
        }
    }
}

/// Every fault of a call that moves money.
pub fn posted_troubles(
    provider: ProviderName,
    posted: Posted,
    chance: &mut Chance,
) -> Vec<Trouble> {
    use Commit::{After, Before};
    let among = |chance: &mut Chance, low: u64, high: u64| low + chance.next() % (high - low);
    let already = match (provider, posted == Posted::Refunded) {
        (ProviderName::Toss, true) => "ALREADY_CANCELED_PAYMENT",
        (ProviderName::Toss, false) => "ALREADY_PROCESSED_PAYMENT",
        (ProviderName::Stripe, true) => "charge_already_refunded",
        (ProviderName::Stripe, false) => "payment_intent_unexpected_state",
    };
    let (soft, hard, odd) = match provider {
        ProviderName::Toss => ("REJECT_CARD_PAYMENT", "INVALID_STOPPED_CARD", "FDS_ERROR"),
        ProviderName::Stripe => ("insufficient_funds", "lost_card", "fraudulent"),
    };
    let decline = |code: &str| Trouble::Wire(Fault::Decline { code: code.into() });
    let mut troubles = vec![
        Trouble::Refused,
        Trouble::Silence,
        Trouble::Twice {
            ms: among(chance, 0, 200_000),
        },
        Trouble::Wire(Fault::LostBeforeCommit),
        Trouble::Wire(Fault::LostAfterCommit),
        Trouble::Wire(Fault::Slow {
            ms: among(chance, 1_000, 150_000),
        }),
        Trouble::Wire(Fault::SlowBeforeCommit {
            ms: among(chance, 1_000, 150_000),
        }),
        Trouble::Wire(Fault::Late {
            ms: among(chance, 1_000, 600_000),
        }),
        failing(500, Before, ErrorBody::Json),
        failing(500, After, ErrorBody::Json),
        failing(502, Before, ErrorBody::Html),
        failing(502, After, ErrorBody::Html),
        failing(503, Before, ErrorBody::None),
        failing(504, After, ErrorBody::None),
        Trouble::Wire(Fault::RateLimited {
            retry_after_seconds: Some(3),
        }),
        coded(401, "UNAUTHORIZED_KEY", Before),
        Trouble::Wire(Fault::UnknownCode {
            status: 400,
            code: "SOMETHING_NEW".to_owned(),
        }),
        Trouble::Wire(Fault::ResetMidBody),
        Trouble::Wire(Fault::TruncatedJson),
        Trouble::Wire(Fault::HtmlBody { commit: Before }),
        Trouble::Wire(Fault::HtmlBody { commit: After }),
        Trouble::Wire(Fault::WrongOrder),
        Trouble::Wire(Fault::WrongAmount { amount: None }),
        Trouble::Wire(Fault::UnknownFields),
        Trouble::Wire(Fault::InProgress),
    ];
    if posted == Posted::Collected {
        troubles.extend([decline(soft), decline(hard), decline(odd)]);
    }
    if matches!(posted, Posted::Charged | Posted::Refunded) {
        troubles.extend([decline(soft), decline(hard), decline(odd)]);
        troubles.push(coded(400, already, After));
        match provider {
            ProviderName::Toss => troubles.extend([
                coded(400, "PROVIDER_ERROR", Before),
                coded(400, "PROVIDER_ERROR", After),
            ]),
            ProviderName::Stripe => troubles.push(coded(429, "lock_timeout", Before)),
        }
    }
    troubles
}

/// Every fault of a look-up.
pub fn asked_troubles() -> &'static [Trouble] {
    use std::sync::LazyLock;
    static ALL: LazyLock<Vec<Trouble>> = LazyLock::new(|| {
        vec![
            Trouble::Refused,
            Trouble::Silence,
            Trouble::Wire(Fault::NotFound),
            Trouble::Wire(Fault::NotFound),
            Trouble::Wire(Fault::NotFound),
            Trouble::Wire(Fault::LostAfterCommit),
            failing(500, Commit::Before, ErrorBody::Json),
            failing(502, Commit::Before, ErrorBody::Html),
            Trouble::Wire(Fault::RateLimited {
                retry_after_seconds: None,
            }),
            coded(404, "NOT_FOUND_MERCHANT", Commit::Before),
            coded(401, "UNAUTHORIZED_KEY", Commit::Before),
            Trouble::Wire(Fault::TruncatedJson),
            Trouble::Wire(Fault::WrongOrder),
            Trouble::Wire(Fault::WrongAmount { amount: None }),
            Trouble::Wire(Fault::InProgress),
            Trouble::Wire(Fault::UnknownFields),
            Trouble::Wire(Fault::Slow { ms: 30_000 }),
        ]
    });
    &ALL
}
