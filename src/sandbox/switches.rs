//! What nobody has verified about the real provider: each fact is a switch with every plausible setting.
//!
//! A client that is right passes under all of them. Defaults are the settings thought likeliest.

use serde::{Deserialize, Serialize};

/// Settable at start and by `POST /_sandbox/switches` (only the named ones change).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Charge or deletion with a billing key that was never issued.
    pub unknown_billing_key: UnknownBillingKey,
    /// Look-up of an order whose charge was declined.
    pub lookup_after_decline: LookupAfterDecline,
    /// A second charge under the order id of a declined one.
    pub order_reuse_after_decline: OrderReuse,
    /// Whether 5xx answers are bound to their idempotency key like 4xx ones.
    pub server_error_replay: Replay,
    /// Whether 429 answers are bound to their idempotency key.
    pub rate_limit_replay: Replay,
    /// A request without any `Authorization` header.
    pub missing_authorization: MissingAuthorization,
    /// A widget key (`test_gsk_…`) used for billing.
    pub widget_key_on_billing: WidgetKey,
    /// A second use of an authKey.
    pub auth_key_reuse: AuthKeyReuse,
    /// How long an authKey lives, in seconds; `null`: for ever.
    pub auth_key_lifetime_seconds: Option<u32>,
    /// Deleting a key that is deleted already.
    pub second_delete: SecondDelete,
    /// Whether `taxFreeAmount` counts for this merchant.
    pub tax_free_amount: TaxFreeAmount,
    /// Sign of `amount` on the cancel rows of /v1/transactions.
    pub cancel_row_amount: CancelRowAmount,
    /// Order of /v1/transactions.
    pub transactions_order: TransactionsOrder,
    /// Whether cancelling a billing payment sends `PAYMENT_STATUS_CHANGED`.
    pub cancel_webhook: CancelWebhook,
    /// Which answers to a webhook count as success.
    pub webhook_success: WebhookSuccess,
    /// Least time between two cancels of one payment (`FORBIDDEN_CONSECUTIVE_REQUEST` otherwise); 0: none.
    pub cancel_gap_ms: u32,
    /// Requests per minute and endpoint before 429; 0: no limit.
    pub rate_limit_per_minute: u32,
    /// Stripe: whether 5xx answers are bound to their idempotency key. Its documentation says they are.
    pub stripe_server_error_replay: Replay,
    /// Stripe: how long a key is remembered, in hours. It says "at least 24".
    pub stripe_key_lifetime_hours: u32,
    /// Stripe: how far search lags behind, in seconds.
    pub stripe_search_lag_seconds: u32,
    /// Stripe: how often each webhook is delivered.
    pub stripe_webhook_copies: u32,
    /// Stripe: what becomes of a subscription after the last try of its own retries.
    pub stripe_after_retries: AfterRetries,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            unknown_billing_key: UnknownBillingKey::NotFoundBilling,
            lookup_after_decline: LookupAfterDecline::Aborted,
            order_reuse_after_decline: OrderReuse::Allowed,
            server_error_replay: Replay::Forgotten,
            rate_limit_replay: Replay::Forgotten,
            missing_authorization: MissingAuthorization::UnauthorizedKey,
            widget_key_on_billing: WidgetKey::Refused,
            auth_key_reuse: AuthKeyReuse::InvalidBillingAuth,
            auth_key_lifetime_seconds: None,
            second_delete: SecondDelete::AlreadyRemoved,
            tax_free_amount: TaxFreeAmount::Ignored,
            cancel_row_amount: CancelRowAmount::Positive,
            transactions_order: TransactionsOrder::Ascending,
            cancel_webhook: CancelWebhook::Sent,
            webhook_success: WebhookSuccess::Exactly200,
            cancel_gap_ms: 0,
            rate_limit_per_minute: 0,
            stripe_server_error_replay: Replay::Replayed,
            stripe_key_lifetime_hours: 24,
            stripe_search_lag_seconds: 0,
            stripe_webhook_copies: 1,
            stripe_after_retries: AfterRetries::Cancel,
        }
    }
}

macro_rules! setting {
    ($name:ident { $($(#[$meta:meta])* $variant:ident),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$meta])* $variant),+ }
    };
}

setting!(UnknownBillingKey {
    NotFoundBilling,
    InvalidBillKeyRequest
});
setting!(LookupAfterDecline { Aborted, NotFound });
setting!(OrderReuse { Allowed, Refused });
setting!(Replay {
    Forgotten,
    Replayed
});
setting!(AfterRetries {
    Cancel,
    Unpaid,
    PastDue
});
setting!(MissingAuthorization {
    UnauthorizedKey,
    IncorrectFormat
});
setting!(WidgetKey { Refused, Accepted });
setting!(AuthKeyReuse {
    InvalidBillingAuth,
    NotFoundBilling
});
setting!(SecondDelete { AlreadyRemoved, Ok });
setting!(TaxFreeAmount { Ignored, Honoured });
setting!(CancelRowAmount { Positive, Negative });
setting!(TransactionsOrder {
    Ascending,
    Descending
});
setting!(CancelWebhook { Sent, NotSent });
setting!(WebhookSuccess {
    #[serde(rename = "exactly_200")]
    Exactly200,
    #[serde(rename = "any_2xx")]
    Any2xx,
});
