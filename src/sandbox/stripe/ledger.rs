//! The account's movements of money, as tests and the simulation count them: charges that took money, refunds that gave it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::book::Book;
use super::json;
use super::kind::Kind;

/// Which entries; what is absent matches all.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub order: Option<String>,
    pub customer: Option<String>,
}

fn objects(book: &Book, kind: Kind) -> impl Iterator<Item = Arc<Value>> + '_ {
    book.newest(kind)
        .rev()
        .filter_map(|(_, entry)| entry.object())
}

/// Charges that took money, oldest first.
pub fn charges(book: &Book) -> impl Iterator<Item = Arc<Value>> + '_ {
    objects(book, Kind::Charge)
        .filter(|charge| json::flag(charge, "paid") && json::flag(charge, "captured"))
}

/// Refunds that have not failed, oldest first.
pub fn refunds(book: &Book) -> impl Iterator<Item = Arc<Value>> + '_ {
    objects(book, Kind::Refund)
        .filter(|refund| !matches!(json::text(refund, "status"), Some("failed" | "canceled")))
}

/// The order that a charge, intent or refund is about.
pub fn order_of(book: &Book, object: &Value) -> Option<String> {
    let own = object
        .pointer("/metadata/order_id")
        .and_then(Value::as_str)
        .map(str::to_owned);
    own.or_else(|| {
        let intent = book.view(Kind::Intent, json::text(object, "payment_intent")?)?;
        let order = intent.pointer("/metadata/order_id")?.as_str()?;
        Some(order.to_owned())
    })
}

/// One JSON text for each movement: all charges, then all refunds.
pub fn entries(book: &Book, wanted: &Wanted) -> Vec<String> {
    let agrees = |wish: &Option<String>, value: &Option<String>| wish.is_none() || wish == value;
    let mut texts = Vec::new();
    for (kind, object) in charges(book)
        .map(|charge| ("charge", charge))
        .chain(refunds(book).map(|refund| ("cancel", refund)))
    {
        let order = order_of(book, &object);
        let charge = json::text(&object, "charge").and_then(|id| book.get(Kind::Charge, id));
        let customer = charge
            .as_ref()
            .and_then(|charge| json::text(charge, "customer"))
            .or(json::text(&object, "customer"))
            .map(str::to_owned);
        if !agrees(&wanted.order, &order) || !agrees(&wanted.customer, &customer) {
            continue;
        }
        let amount = if kind == "charge" {
            "amount_captured"
        } else {
            "amount"
        };
        texts.push(
            json!({
                "provider": "stripe",
                "kind": kind,
                "id": json::id(&object),
                "paymentKey": object["payment_intent"],
                "orderId": order,
                "customerKey": customer,
                "amount": object[amount],
                "currency": object["currency"],
                "transactionKey": object["balance_transaction"],
                "at": json::int(&object, "created"),
                "status": object["status"],
                "reason": object.get("reason"),
            })
            .to_string(),
        );
    }
    texts
}

/// Number and sum of charges and refunds, by currency.
pub fn summary(book: &Book) -> Value {
    let mut sums: std::collections::BTreeMap<String, [i64; 4]> = std::collections::BTreeMap::new();
    for charge in charges(book) {
        let sum = sums.entry(json::owned(&charge, "currency")).or_default();
        sum[0] += 1;
        sum[1] += json::int(&charge, "amount_captured");
    }
    for refund in refunds(book) {
        let sum = sums.entry(json::owned(&refund, "currency")).or_default();
        sum[2] += 1;
        sum[3] += json::int(&refund, "amount");
    }
    let by_currency: serde_json::Map<String, Value> = sums
        .into_iter()
        .map(|(currency, [charges, charged, refunds, refunded])| {
            let sums = json!({ "charges": charges, "chargedAmount": charged, "cancels": refunds, "canceledAmount": refunded });
            (currency, sums)
        })
        .collect();
    Value::Object(by_currency)
}

/// Customer and order of the object that a path or parameter names.
pub fn subject(book: &Book, id: &str) -> (Option<String>, Option<String>) {
    let Some(object) = book.find(id) else {
        return (None, None);
    };
    let customer = json::text(&object, "customer").map(str::to_owned);
    let order = order_of(book, &object);
    match json::text(&object, "payment_intent").and_then(|intent| book.get(Kind::Intent, intent)) {
        Some(intent) if customer.is_none() => {
            (json::text(&intent, "customer").map(str::to_owned), order)
        }
        _ => (customer, order),
    }
}
