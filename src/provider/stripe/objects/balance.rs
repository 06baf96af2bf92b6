//! Stripe's books: what came in, what went out, and what it cost. Amounts are in the currency the account is
//! settled in, which need not be the charge's.

use chrono::{DateTime, Utc};

use crate::domain::money::Money;
use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::wire;

use super::call::{Page, Read, maybe_instant, money, name_of};
use super::error::StripeError;

/// One row of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceEntry {
    /// `txn_…`.
    pub id: String,
    /// Such as `charge`, `refund`, `refund_failure`, `payout`.
    pub kind: String,
    /// Stripe's own grouping.
    pub category: String,
    /// What it is about, such as a charge.
    pub source: Option<String>,
    /// Below zero for what went out.
    pub amount: Money,
    /// What Stripe keeps.
    pub fee: Money,
    /// What is left of it.
    pub net: Money,
    /// Whether it can be paid out.
    pub is_available: bool,
    /// From when on.
    pub available_on: Option<DateTime<Utc>>,
    /// When.
    pub created: DateTime<Utc>,
}

impl Read for BalanceEntry {
    type Wire = wire::BalanceRow;

    fn livemode(_: &wire::BalanceRow) -> Option<bool> {
        None
    }

    fn read(wire: wire::BalanceRow) -> Option<Self> {
        if wire.amount.checked_sub(wire.fee)? != wire.net {
            return None;
        }
        Some(Self {
            source: name_of(wire.source.as_ref()),
            amount: money(wire.amount, &wire.currency)?,
            fee: money(wire.fee, &wire.currency)?,
            net: money(wire.net, &wire.currency)?,
            is_available: wire.status.as_deref() == Some("available"),
            available_on: maybe_instant(wire.available_on),
            created: wire::instant(wire.created)?,
            category: wire.reporting_category.unwrap_or_default(),
            id: wire.id,
            kind: wire.kind,
        })
    }
}

/// Which rows are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct BalanceFilter<'a> {
    /// Of one kind.
    pub kind: Option<&'a str>,
    /// About one charge or refund.
    pub source: Option<&'a str>,
    /// From this instant on.
    pub from: Option<DateTime<Utc>>,
    /// Before this one.
    pub to: Option<DateTime<Utc>>,
}

impl StripeClient {
    /// A page of the books, newest first.
    pub async fn balance_entries(
        &self,
        filter: BalanceFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<BalanceEntry>, StripeError> {
        let seconds = |form: Form, bound: &str, at: Option<DateTime<Utc>>| match at {
            Some(at) => form.number(&["created", bound], at.timestamp()),
            None => form,
        };
        let query = Form::new()
            .maybe(&["type"], filter.kind)
            .maybe(&["source"], filter.source);
        let query = seconds(seconds(query, "gte", filter.from), "lt", filter.to);
        self.list(
            "list balance",
            &["balance_transactions"],
            query,
            after,
            limit,
        )
        .await
    }
}
