//! The tables of a bulk load with their columns, in the order in which values are given.

macro_rules! tables {
    ($($name:ident $table:literal [$($column:literal),+ $(,)?]),+ $(,)?) => {
        /// A table that can be filled in bulk.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Table {$(
            #[doc = concat!("`", $table, "`")]
            $name,
        )+}

        impl Table {
            /// Every table.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The table's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $table),+ }
            }

            /// Its columns, in the order in which a row's values are given.
            pub const fn columns(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($column),+]),+ }
            }

            /// PostgreSQL's own counter goes on behind the ids that were given.
            pub(super) const fn continue_ids(self) -> &'static str {
                match self {$(
                    Self::$name => concat!(
                        "select setval(pg_get_serial_sequence('", $table, "', 'id'), coalesce(max(id), 0) + 1, false) from ", $table
                    ),
                )+}
            }
        }
    };
}

tables! {
    Customer "customer" ["id", "public_id", "tail", "customer_key", "name", "email", "phone", "name_jamo", "name_initials", "email_lower", "phone_digits", "created_at", "erased_at", "version"],
    Note "note" ["id", "target", "author", "body", "at"],
    Product "product" ["id", "public_id", "tail", "code", "name", "created_at"],
    Plan "plan" ["id", "public_id", "tail", "product_id", "code", "name", "price_minor", "currency", "interval_unit", "interval_count", "tier", "trial_days", "features", "active", "created_at", "version"],
    PaymentMethod "payment_method" ["id", "public_id", "tail", "customer_id", "provider", "mode", "issuer", "number", "last4", "kind", "exp_year", "exp_month", "sealed", "key_id", "key_hash", "state", "created_at", "deleted_at", "version"],
    MethodIssue "method_issue" ["id", "customer_id", "auth_key_hash", "operator", "created_at", "outcome", "method_id", "code", "finished_at"],
    Subscription "subscription" ["id", "public_id", "tail", "customer_id", "product_id", "plan_id", "state", "quantity", "method_id", "mode", "term_no", "next_period", "next_due_at", "paid_until", "trial_until", "cancel_at", "cancel_requested_at", "ended_at", "first_failed_at", "exclusive_key", "scheduler", "created_at", "version"],
    SubscriptionTerm "subscription_term" ["id", "subscription_id", "term_no", "plan_id", "anchor_date", "zone", "interval_unit", "interval_count", "quantity", "price_minor", "currency", "from_at", "to_at"],
    SubscriptionChange "subscription_change" ["id", "subscription_id", "at", "from_state", "to_state", "plan_id", "price_minor", "currency", "quantity", "discount_minor", "cause", "requested_by", "requested_at"],
    Invoice "invoice" ["id", "public_id", "tail", "customer_id", "subscription_id", "term_no", "period_index", "kind", "state", "amount_minor", "currency", "description", "due_at", "period_from", "period_to", "attempts", "dunning_used", "dunning", "next_attempt_at", "first_failed_at", "last_code", "last_class", "paid_at", "created_at", "version"],
    InvoiceLine "invoice_line" ["id", "invoice_id", "line_no", "description", "quantity", "amount_minor", "currency"],
    Attempt "attempt" ["id", "public_id", "tail", "kind", "invoice_id", "payment_id", "customer_id", "subscription_id", "attempt_no", "source", "provider", "mode", "method_id", "order_id", "idem_key", "provider_ref", "body", "amount_minor", "currency", "expected_balance_minor", "also_cancel", "state", "needs_human", "lease_owner", "lease_epoch", "lease_until", "send_after", "first_sent_at", "last_sent_at", "send_count", "next_check_at", "checks", "not_seen", "refusal_code", "refusal_class", "refusal_proves", "refusal_http_status", "replayed_at", "trace_id", "operator", "reason", "created_at", "settled_at", "settled_on", "evidence_id"],
    Evidence "evidence" ["id", "attempt_id", "source", "outcome", "http_status", "code", "reference", "amount_minor", "currency", "trace_id", "body_sha256", "elapsed_ms", "at"],
    Payment "payment" ["id", "public_id", "tail", "invoice_id", "attempt_id", "customer_id", "subscription_id", "plan_id", "method_id", "provider", "mode", "provider_ref", "order_id", "captured_minor", "currency", "refunded_minor", "reserved_minor", "captured_at", "captured_on", "is_duplicate", "version", "installment_months", "three_d_secure"],
    Refund "refund" ["id", "public_id", "tail", "payment_id", "attempt_id", "customer_id", "plan_id", "amount_minor", "currency", "reason", "transaction_key", "refunded_at", "refunded_on", "operator"],
    Ledger "ledger" ["id", "payment_id", "attempt_id", "account", "amount_minor", "currency", "at"],
    Audit "audit" ["id", "chain", "seq", "prev", "hash", "at", "person", "claims", "mode", "verb", "target", "state_before", "state_after", "reason", "result", "provider_ref", "approver"],
    Outbox "outbox" ["id", "kind", "key", "payload", "state", "tries", "next_at", "last_error", "created_at", "sent_at"],
    Inbox "inbox" ["id", "provider", "mode", "event_key", "kind", "state", "order_id", "provider_ref", "key_hash", "shape", "body_sha256", "sealed", "key_id", "tries", "last_error", "received_at", "processed_at"],
    Run "run" ["id", "public_id", "tail", "state", "operator", "host", "until_at", "started_at", "finished_at", "stop_reason"],
    RunItem "run_item" ["id", "run_id", "subscription_id", "invoice_id", "attempt_id", "decision", "reason", "at"],
    DailyFigure "daily_figure" ["day", "plan_id", "currency", "captured_minor", "captured_count", "refunded_minor", "refunded_count", "declined_count", "declined_invoices", "new_count", "ended_count"],
}
