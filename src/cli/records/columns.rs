//! The columns people see of each list; scripts get every field.

pub const CUSTOMERS: &[&str] = &[
    "id",
    "name",
    "email",
    "phone",
    "subscriptions",
    "created_at",
];
pub const SUBSCRIPTIONS: &[&str] = &[
    "id",
    "customer_name",
    "plan",
    "state",
    "amount",
    "next_due_at",
    "card_provider",
    "card",
    "flags",
];
pub const RENEWALS: &[&str] = &[
    "next_due_at",
    "id",
    "customer_name",
    "plan",
    "amount",
    "card_provider",
    "card",
    "flags",
];
pub const FAILED: &[&str] = &[
    "invoice_id",
    "customer_name",
    "amount",
    "provider",
    "class",
    "code",
    "attempts",
    "dunning",
    "next_attempt_at",
];
pub const PAYMENTS: &[&str] = &[
    "id",
    "customer_name",
    "what",
    "captured",
    "refunded",
    "captured_at",
    "provider",
    "card",
];
pub const PLANS: &[&str] = &[
    "id",
    "code",
    "name",
    "price",
    "interval_unit",
    "interval_count",
    "active",
    "subscriptions",
    "mrr",
];
pub const UNKNOWN: &[&str] = &[
    "id",
    "kind",
    "state",
    "customer_name",
    "provider",
    "amount",
    "first_sent_at",
    "checks",
    "next_check_at",
    "needs_human",
];
pub const WISHES: &[&str] = &[
    "asked",
    "customer_name",
    "subscription_id",
    "invoice_id",
    "operator",
    "first_sent_at",
    "state",
    "code",
    "next_check_at",
    "can",
];
pub const WAITING: &[&str] = &[
    "id",
    "what",
    "customer_name",
    "amount",
    "requester",
    "reason",
    "seconds_left",
];
pub const RUNS: &[&str] = &[
    "id",
    "state",
    "operator",
    "started_at",
    "finished_at",
    "due",
    "done",
    "declined",
    "unknown",
    "not_sent",
    "not_executed",
    "zero_amount",
    "canceled",
    "skipped",
    "under_way",
    "stop_reason",
];
pub const RUN_ITEMS: &[&str] = &[
    "subscription_id",
    "customer_name",
    "amount",
    "decision",
    "reason",
    "at",
];
pub const EVENTS: &[&str] = &[
    "received_at",
    "provider",
    "kind",
    "about",
    "state",
    "advice",
];
pub const ACTIVITY: &[&str] = &["at", "person", "verb", "target", "result", "reason"];
pub const HITS: &[&str] = &[
    "kind",
    "id",
    "customer_name",
    "matched",
    "label",
    "amount",
    "at",
];
