//! The kinds of object this account has: their names on the wire, their paths and their prefixes.

/// One kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Customer,
    PaymentMethod,
    Product,
    Price,
    Intent,
    Charge,
    Refund,
    Transaction,
    Subscription,
    Invoice,
    InvoiceItem,
    InvoicePayment,
    Event,
    Endpoint,
    TestClock,
}

/// What is written on the wire for a kind.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    pub object: &'static str,
    pub prefix: &'static str,
    /// Below `/v1/`.
    pub path: &'static str,
    /// As in "No such …".
    pub noun: &'static str,
    /// The `param` that a 404 names.
    pub param: &'static str,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::Customer,
        Self::PaymentMethod,
        Self::Product,
        Self::Price,
        Self::Intent,
        Self::Charge,
        Self::Refund,
        Self::Transaction,
        Self::Subscription,
        Self::Invoice,
        Self::InvoiceItem,
        Self::InvoicePayment,
        Self::Event,
        Self::Endpoint,
        Self::TestClock,
    ];

    pub fn words(self) -> Words {
        let (object, prefix, path, noun, param) = match self {
            Self::Customer => ("customer", "cus", "customers", "customer", "id"),
            Self::PaymentMethod => (
                "payment_method",
                "pm",
                "payment_methods",
                "PaymentMethod",
                "payment_method",
            ),
            Self::Product => ("product", "prod", "products", "product", "id"),
            Self::Price => ("price", "price", "prices", "price", "price"),
            Self::Intent => (
                "payment_intent",
                "pi",
                "payment_intents",
                "payment_intent",
                "intent",
            ),
            Self::Charge => ("charge", "ch", "charges", "charge", "charge"),
            Self::Refund => ("refund", "re", "refunds", "refund", "refund"),
            Self::Transaction => (
                "balance_transaction",
                "txn",
                "balance_transactions",
                "balance transaction",
                "id",
            ),
            Self::Subscription => ("subscription", "sub", "subscriptions", "subscription", "id"),
            Self::Invoice => ("invoice", "in", "invoices", "invoice", "invoice"),
            Self::InvoiceItem => (
                "invoiceitem",
                "ii",
                "invoiceitems",
                "invoiceitem",
                "invoiceitem",
            ),
            Self::InvoicePayment => (
                "invoice_payment",
                "inpay",
                "invoice_payments",
                "invoice_payment",
                "invoice_payment",
            ),
            Self::Event => ("event", "evt", "events", "event", "id"),
            Self::Endpoint => (
                "webhook_endpoint",
                "we",
                "webhook_endpoints",
                "webhook endpoint",
                "webhook_endpoint",
            ),
            Self::TestClock => (
                "test_helpers.test_clock",
                "clock",
                "test_helpers/test_clocks",
                "test clock",
                "test_clock",
            ),
        };
        Words {
            object,
            prefix,
            path,
            noun,
            param,
        }
    }

    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.words().path == path)
    }

    pub fn of_object(object: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.words().object == object)
    }
}
