//! What Stripe keeps for itself, read off the rows of its balance.
//!
//! Only rows about charges and refunds are given: payouts, disputes and Stripe's bills are no payment's. A row whose net is
//! not its amount less its fee, or that does not say what it is about, spoils the page: a guess would be money.

use chrono::{DateTime, Utc};

use crate::domain::fee::{Fee, FeeKind};
use crate::domain::mode::ProviderName;
use crate::engine::ports::{BalanceBook, BoxFuture, Desk, FeePage, ProviderError};

use super::amount;
use super::client::StripeClient;
use super::codes::CallKind;
use super::map;
use super::request::{self, PAGE, Unsendable};
use super::transactions::{intent_of, list_error, upper_second};
use super::wire::{self, Expandable};

const OPERATION: &str = "list fees";

impl BalanceBook for StripeClient {
    fn holder(&self) -> ProviderName {
        ProviderName::Stripe
    }

    fn fees<'a>(
        &'a self,
        _desk: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<FeePage, ProviderError>> {
        Box::pin(self.page_of_fees(from, to, after))
    }
}

impl StripeClient {
    async fn page_of_fees(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<FeePage, ProviderError> {
        let unusable = || ProviderError::Unusable {
            operation: OPERATION,
        };
        let asked = request::balance(from.timestamp(), upper_second(to), after, PAGE)
            .map_err(|_| unusable())?;
        let exchange = self.send(asked).await.map_err(|why| match why {
            Unsendable::OtherAccount => ProviderError::OtherAccount {
                operation: OPERATION,
            },
            _ => unusable(),
        })?;
        let body = map::ok_body(&exchange, CallKind::LookUp)
            .map_err(|not_ok| list_error(OPERATION, not_ok))?;
        let page: wire::List<wire::BalanceRow> =
            serde_json::from_slice(body).map_err(|_| unusable())?;
        let newest = page.data.last().map(|row| row.id.clone());
        let fees = page.data.iter().filter_map(|row| {
            let kind = kind_of(&row.kind)?;
            Some(read(row, kind).ok_or_else(unusable))
        });
        Ok(FeePage {
            fees: fees.collect::<Result<_, _>>()?,
            next: newest.filter(|_| page.has_more),
        })
    }
}

/// What moved, where it is about a payment.
fn kind_of(kind: &str) -> Option<FeeKind> {
    match kind {
        "charge" | "payment" => Some(FeeKind::Charge),
        "refund" | "payment_refund" => Some(FeeKind::Refund),
        "refund_failure" => Some(FeeKind::RefundFailure),
        _ => None,
    }
}

fn read(row: &wire::BalanceRow, kind: FeeKind) -> Option<Fee> {
    if row.amount.checked_sub(row.fee)? != row.net {
        return None;
    }
    let source = row.source.as_ref().and_then(Expandable::object)?;
    let money = |minor| amount::read(minor, &row.currency);
    Some(Fee {
        entry_key: row.id.clone(),
        kind,
        provider_ref: intent_of(source).to_owned(),
        amount: money(row.amount)?,
        fee: money(row.fee)?,
        net: money(row.net)?,
        at: wire::instant(row.created)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(changes: &[(&str, Value)]) -> Option<Fee> {
        let mut row = json!({
            "id": "txn_1", "type": "charge", "amount": 1_000, "fee": 59, "net": 941, "currency": "usd",
            "created": 1_763_716_800, "source": { "id": "ch_1", "metadata": {}, "payment_intent": "pi_1" },
        });
        for (name, value) in changes {
            row[*name] = value.clone();
        }
        let row: wire::BalanceRow = serde_json::from_value(row).ok()?;
        read(&row, kind_of(&row.kind)?)
    }

    #[test]
    fn a_row_of_the_balance_says_what_a_charge_cost_and_what_is_left_of_it() {
        let fee = row(&[]).expect("a row");
        let minor = [fee.amount, fee.fee, fee.net].map(crate::domain::money::Money::minor);
        assert_eq!(minor, [1_000, 59, 941]);
        assert_eq!(
            (fee.kind, fee.provider_ref.as_str()),
            (FeeKind::Charge, "pi_1")
        );
        let source = json!({ "id": "re_1", "metadata": {}, "charge": { "id": "ch_1", "metadata": {}, "payment_intent": "pi_2" } });
        for (kind, read, amount) in [
            ("refund", FeeKind::Refund, -400),
            ("payment_refund", FeeKind::Refund, -400),
            ("refund_failure", FeeKind::RefundFailure, 400),
        ] {
            let fee = row(&[
                ("type", json!(kind)),
                ("amount", json!(amount)),
                ("fee", json!(0)),
                ("net", json!(amount)),
                ("source", source.clone()),
            ]);
            let fee = fee.expect("a row");
            assert_eq!((fee.kind, fee.provider_ref.as_str()), (read, "pi_2"));
            assert_eq!(fee.amount.minor(), amount);
        }
    }

    #[test]
    fn a_row_that_does_not_add_up_or_is_about_nothing_is_no_fee() {
        assert_eq!(row(&[("net", json!(940))]), None);
        assert_eq!(row(&[("source", Value::Null)]), None);
        assert_eq!(row(&[("source", json!("ch_1"))]), None);
        assert_eq!(row(&[("currency", json!("xyz1"))]), None);
        for kind in ["payout", "stripe_fee", "adjustment", "a word of tomorrow"] {
            assert_eq!(kind_of(kind), None, "{kind}");
        }
    }
}
