//! The provider's list of charges and refunds, read off the balance, and the proof that look-up works.
//!
//! Amounts are those of the charge or refund itself: a row of the balance is in the currency an account is
//! settled in. Rows about anything else (payouts, fees, refunds that came back) are left out here.

use chrono::{DateTime, Utc};

use crate::domain::evidence::Evidence;
use crate::engine::ports::{ProviderError, TransactionSeen};

use super::amount;
use super::client::StripeClient;
use super::codes::CallKind;
use super::map::{self, NotOk};
use super::request::{self, PAGE, Unsendable};
use super::wire::{self, Expandable};

/// An intent that cannot exist.
const NO_SUCH_INTENT: &str = "pi_nosuchintentpaydeckselftest";
/// Most pages one call asks for.
const MAX_PAGES: u32 = 60;

impl StripeClient {
    /// A page counts as the last when it is shorter than asked for, so a page of rows that are left out is
    /// filled up from the next.
    pub(super) async fn page(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<TransactionSeen>, ProviderError> {
        const OPERATION: &str = "list transactions";
        let unusable = || ProviderError::Unusable {
            operation: OPERATION,
        };
        let wanted = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let per_page = i64::from(limit).clamp(1, PAGE);
        let mut after = after.map(ToOwned::to_owned);
        let mut page = Vec::new();
        for _ in 0..MAX_PAGES {
            let asked = request::balance(
                from.timestamp(),
                upper_second(to),
                after.as_deref(),
                per_page,
            )
            .map_err(|_| unusable())?;
            let exchange = self.send(asked).await.map_err(|why| match why {
                Unsendable::OtherAccount => ProviderError::OtherAccount {
                    operation: OPERATION,
                },
                _ => unusable(),
            })?;
            let body = map::ok_body(&exchange, CallKind::LookUp)
                .map_err(|not_ok| list_error(OPERATION, not_ok))?;
            let list: wire::List<wire::BalanceRow> =
                serde_json::from_slice(body).map_err(|_| unusable())?;
            for row in &list.data {
                let seen = transaction(row).map_err(|Unreadable| unusable())?;
                page.extend(seen.filter(|seen| seen.at >= from && seen.at < to));
            }
            let next = list.data.last().map(|row| row.id.clone());
            if !list.has_more || next.is_none() || page.len() >= wanted {
                page.truncate(wanted);
                return Ok(page);
            }
            after = next;
        }
        // Cutting it off here would call a page the last that is not.
        Err(unusable())
    }

    pub(super) async fn prove_look_up(&self) -> Result<(), ProviderError> {
        const OPERATION: &str = "look-up self-test";
        let report = self.find_intent(NO_SUCH_INTENT).await;
        Err(match report {
            Evidence::NotSeen => return Ok(()),
            Evidence::Refused(refusal) if refusal == Unsendable::OtherAccount.refusal() => {
                ProviderError::OtherAccount {
                    operation: OPERATION,
                }
            }
            Evidence::Refused(refusal) => list_error(OPERATION, NotOk::Refused(refusal)),
            Evidence::NotSent => list_error(OPERATION, NotOk::NotSent),
            Evidence::Throttled { retry_after_s } => {
                list_error(OPERATION, NotOk::Throttled { retry_after_s })
            }
            Evidence::Seen(_)
            | Evidence::Unconfirmed
            | Evidence::Withdrawn
            | Evidence::Withheld(_)
            | Evidence::Elsewhere(_)
            | Evidence::Busy
            | Evidence::Unusable(_) => ProviderError::Unusable {
                operation: OPERATION,
            },
        })
    }
}

/// `created` counts whole seconds.
pub(super) fn upper_second(to: DateTime<Utc>) -> i64 {
    let seconds = to.timestamp();
    if to.timestamp_subsec_nanos() == 0 {
        seconds
    } else {
        seconds.saturating_add(1)
    }
}

/// The payment that a row is about: its own, or that of the charge it gives back; without one, its own name.
pub(super) fn intent_of(source: &wire::Source) -> &str {
    let charge = source.charge.as_ref().and_then(Expandable::object);
    wire::id_of(source.payment_intent.as_ref())
        .or_else(|| charge.and_then(|charge| wire::id_of(charge.payment_intent.as_ref())))
        .unwrap_or(&source.id)
}

/// One row that cannot be read spoils the page: a row left out would look like money that is missing.
struct Unreadable;

fn transaction(row: &wire::BalanceRow) -> Result<Option<TransactionSeen>, Unreadable> {
    let is_cancel = match row.kind.as_str() {
        "charge" | "payment" => false,
        "refund" | "payment_refund" => true,
        _ => return Ok(None),
    };
    let source = row
        .source
        .as_ref()
        .and_then(Expandable::object)
        .ok_or(Unreadable)?;
    let wire_amount = source.amount.ok_or(Unreadable)?;
    let currency = source.currency.as_deref().ok_or(Unreadable)?;
    let charge = source.charge.as_ref().and_then(Expandable::object);
    let of_charge = charge.and_then(|charge| wire::note(&charge.metadata, "order_id"));
    let order_id = wire::note(&source.metadata, "order_id").or(of_charge);
    Ok(Some(TransactionSeen {
        transaction_key: row.id.clone(),
        provider_ref: intent_of(source).to_owned(),
        order_id: order_id.unwrap_or_default().to_owned(),
        status: row.kind.clone(),
        is_cancel,
        at: wire::instant(row.created).ok_or(Unreadable)?,
        amount: amount::read(wire_amount.checked_abs().ok_or(Unreadable)?, currency)
            .ok_or(Unreadable)?,
    }))
}

pub(super) fn list_error(operation: &'static str, not_ok: NotOk) -> ProviderError {
    let refused = |code: &str, status| ProviderError::Refused {
        operation,
        code: code.to_owned(),
        status,
    };
    match not_ok {
        NotOk::NotSent => ProviderError::NotReached { operation },
        NotOk::Refused(refusal) => refused(&refusal.code, refusal.http_status),
        NotOk::NotFound => refused("resource_missing", 404),
        NotOk::Throttled { .. } => refused("rate_limit", 429),
        NotOk::Busy | NotOk::Unusable(_) => ProviderError::Unusable { operation },
    }
}
