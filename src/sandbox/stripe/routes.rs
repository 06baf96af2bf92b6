//! Which operation a method and path mean, and by which name a fault script knows it.

use super::super::routes::percent_decoded;
use super::super::scripts::Endpoint;
use super::kind::Kind;

/// An operation with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Account,
    Balance,
    List(Kind),
    Search(Kind),
    Get(Kind, String),
    Create(Kind),
    Update(Kind, String),
    Delete(Kind, String),
    Act(Kind, String, Action),
    /// A list below an object, of what belongs to it.
    Below(Kind, String, Kind),
    GetBelow(Kind, String, Kind, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Attach,
    Detach,
    Confirm,
    Capture,
    Cancel,
    Pay,
    Finalize,
    Void,
    MarkUncollectible,
    Advance,
    Resume,
}

/// Whether a path belongs to this provider: the other one's are few.
pub fn owns(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/v1/") else {
        return false;
    };
    let first = rest.split('/').next().unwrap_or_default();
    !matches!(
        first,
        "billing" | "payments" | "transactions" | "settlements" | ""
    )
}

impl Route {
    pub fn parse(method: &str, path: &str) -> Option<Self> {
        let segments: Vec<String> = path
            .strip_prefix("/v1/")?
            .split('/')
            .map(percent_decoded)
            .collect::<Option<_>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        if segments == ["account"] {
            return (method == "GET").then_some(Self::Account);
        }
        if segments == ["balance"] {
            return (method == "GET").then_some(Self::Balance);
        }
        let (kind, rest) = match segments.as_slice() {
            ["test_helpers", "test_clocks", rest @ ..] => (Kind::TestClock, rest),
            [first, rest @ ..] => (Kind::of_path(first)?, rest),
            [] => return None,
        };
        match (method, rest) {
            ("GET", []) => Some(Self::List(kind)),
            ("POST", []) => makes(kind).then_some(Self::Create(kind)),
            ("GET", ["search"]) if searched(kind) => Some(Self::Search(kind)),
            ("GET", [id]) => Some(Self::Get(kind, (*id).to_owned())),
            ("POST", [id]) => changes(kind).then(|| Self::Update(kind, (*id).to_owned())),
            ("DELETE", [id]) => deletes(kind).then(|| Self::Delete(kind, (*id).to_owned())),
            ("POST", [id, action]) => {
                action_of(kind, action).map(|action| Self::Act(kind, (*id).to_owned(), action))
            }
            ("GET", [id, part]) => {
                below(kind, part).map(|part| Self::Below(kind, (*id).to_owned(), part))
            }
            ("GET", [id, part, which]) => below(kind, part)
                .map(|part| Self::GetBelow(kind, (*id).to_owned(), part, (*which).to_owned())),
            _ => None,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Create(Kind::Intent) => Endpoint::StripeIntentCreate,
            Self::Act(Kind::Intent, _, Action::Confirm) => Endpoint::StripeIntentConfirm,
            Self::Act(Kind::Intent, _, Action::Cancel) => Endpoint::StripeIntentCancel,
            Self::Act(Kind::PaymentMethod, _, Action::Attach) => Endpoint::StripeAttach,
            Self::Act(Kind::PaymentMethod, _, Action::Detach) => Endpoint::StripeDetach,
            Self::Create(Kind::Refund) => Endpoint::StripeRefund,
            Self::Create(Kind::Customer) => Endpoint::StripeCustomerCreate,
            Self::Create(Kind::Subscription) => Endpoint::StripeSubscriptionCreate,
            Self::Update(Kind::Subscription, _) | Self::Act(Kind::Subscription, ..) => {
                Endpoint::StripeSubscriptionUpdate
            }
            Self::Delete(Kind::Subscription, _) => Endpoint::StripeSubscriptionCancel,
            Self::Act(Kind::Invoice, _, Action::Pay) => Endpoint::StripeInvoicePay,
            Self::Account => Endpoint::StripeOther,
            Self::Balance => Endpoint::StripeTransactions,
            Self::List(kind)
            | Self::Search(kind)
            | Self::Get(kind, _)
            | Self::Create(kind)
            | Self::Update(kind, _)
            | Self::Delete(kind, _)
            | Self::Act(kind, _, _)
            | Self::Below(_, _, kind)
            | Self::GetBelow(_, _, kind, _) => endpoint_of(*kind),
        }
    }

    /// The object that the path names.
    pub fn named(&self) -> Option<(Kind, &str)> {
        match self {
            Self::Account | Self::Balance | Self::List(_) | Self::Search(_) | Self::Create(_) => {
                None
            }
            Self::Get(kind, id)
            | Self::Update(kind, id)
            | Self::Delete(kind, id)
            | Self::Act(kind, id, _)
            | Self::Below(kind, id, _)
            | Self::GetBelow(kind, id, _, _) => Some((*kind, id)),
        }
    }

    /// Whether a card may be asked for money.
    pub fn asks_card(&self) -> bool {
        matches!(
            self,
            Self::Create(Kind::Intent | Kind::Subscription)
                | Self::Act(Kind::Intent, _, Action::Confirm)
                | Self::Act(Kind::Invoice, _, Action::Pay)
        )
    }
}

fn endpoint_of(kind: Kind) -> Endpoint {
    match kind {
        Kind::Customer => Endpoint::StripeCustomer,
        Kind::PaymentMethod => Endpoint::StripePaymentMethod,
        Kind::Product | Kind::Price => Endpoint::StripeCatalog,
        Kind::Intent => Endpoint::StripeIntent,
        Kind::Charge => Endpoint::StripeCharge,
        Kind::Refund => Endpoint::StripeRefunds,
        Kind::Transaction => Endpoint::StripeTransactions,
        Kind::Subscription => Endpoint::StripeSubscription,
        Kind::Invoice | Kind::InvoiceItem | Kind::InvoicePayment => Endpoint::StripeInvoice,
        Kind::Event => Endpoint::StripeEvents,
        Kind::Endpoint | Kind::TestClock => Endpoint::StripeOther,
    }
}

fn makes(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Charge | Kind::Transaction | Kind::InvoicePayment | Kind::Event
    )
}

fn changes(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Transaction | Kind::InvoicePayment | Kind::Event | Kind::TestClock
    )
}

fn deletes(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Customer
            | Kind::Product
            | Kind::Subscription
            | Kind::Invoice
            | Kind::InvoiceItem
            | Kind::Endpoint
            | Kind::TestClock
    )
}

fn searched(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Intent
            | Kind::Charge
            | Kind::Customer
            | Kind::Invoice
            | Kind::Price
            | Kind::Product
            | Kind::Subscription
    )
}

fn action_of(kind: Kind, action: &str) -> Option<Action> {
    match (kind, action) {
        (Kind::PaymentMethod, "attach") => Some(Action::Attach),
        (Kind::PaymentMethod, "detach") => Some(Action::Detach),
        (Kind::Intent, "confirm") => Some(Action::Confirm),
        (Kind::Intent, "capture") => Some(Action::Capture),
        (Kind::Intent, "cancel") => Some(Action::Cancel),
        (Kind::Invoice, "pay") => Some(Action::Pay),
        (Kind::Invoice, "finalize") => Some(Action::Finalize),
        (Kind::Invoice, "void") => Some(Action::Void),
        (Kind::Invoice, "mark_uncollectible") => Some(Action::MarkUncollectible),
        (Kind::TestClock, "advance") => Some(Action::Advance),
        (Kind::Subscription, "resume") => Some(Action::Resume),
        _ => None,
    }
}

fn below(kind: Kind, part: &str) -> Option<Kind> {
    match (kind, part) {
        (Kind::Customer, "payment_methods") => Some(Kind::PaymentMethod),
        (Kind::Customer, "subscriptions") => Some(Kind::Subscription),
        (Kind::Charge, "refunds") => Some(Kind::Refund),
        (Kind::Invoice, "payments") => Some(Kind::InvoicePayment),
        (Kind::Invoice, "lines") => Some(Kind::InvoiceItem),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_both_providers_are_told_apart() {
        for path in [
            "/v1/billing/x",
            "/v1/payments/confirm",
            "/v1/transactions",
            "/v2/x",
            "/v1/",
        ] {
            assert!(!owns(path), "{path}");
        }
        for path in ["/v1/payment_intents", "/v1/customers/cus_1", "/v1/nothing"] {
            assert!(owns(path), "{path}");
        }
    }

    #[test]
    fn invented_operations_lead_nowhere() {
        assert_eq!(Route::parse("PUT", "/v1/customers"), None);
        assert_eq!(Route::parse("POST", "/v1/charges"), None);
        assert_eq!(
            Route::parse("GET", "/v1/refunds/search"),
            Some(Route::Get(Kind::Refund, "search".into()))
        );
        assert_eq!(Route::parse("POST", "/v1/customers/cus_1/confirm"), None);
        assert_eq!(
            Route::parse("POST", "/v1/payment_intents/pi_1/confirm").map(|route| route.endpoint()),
            Some(Endpoint::StripeIntentConfirm)
        );
    }
}
