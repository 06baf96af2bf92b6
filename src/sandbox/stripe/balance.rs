//! Balance transactions: what each movement did to the account, with its fee.

use serde_json::{Value, json};

use super::currency;
use super::json;
use super::kind::Kind;
use super::room::Room;

/// Days until the money is at hand.
const SECONDS_UNTIL_AVAILABLE: i64 = 2 * 86_400;

/// One movement to be booked.
pub struct Movement<'a> {
    pub kind: &'static str,
    pub category: &'static str,
    /// Negative where it leaves the account.
    pub amount: i64,
    pub fee: i64,
    pub currency: &'a str,
    pub source: &'a str,
    pub description: Value,
}

/// Books a movement and gives the id of its row.
pub fn book(room: &mut Room<'_>, movement: &Movement<'_>) -> String {
    let fees = if movement.fee == 0 {
        json!([])
    } else {
        json!([{
            "amount": movement.fee,
            "application": null,
            "currency": movement.currency,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }])
    };
    let available_on = room.now + SECONDS_UNTIL_AVAILABLE;
    let mut row = room.create(
        Kind::Transaction,
        json!({
            "amount": movement.amount,
            "available_on": available_on,
            "balance_type": "payments",
            "currency": movement.currency,
            "description": movement.description,
            "exchange_rate": null,
            "fee": movement.fee,
            "fee_details": fees,
            "net": movement.amount - movement.fee,
            "reporting_category": movement.category,
            "source": movement.source,
            "status": "pending",
            "type": movement.kind,
        }),
    );
    // Balance transactions do not say which mode they belong to.
    if let Value::Object(fields) = &mut row {
        fields.remove("livemode");
    }
    json::hide(&mut row, "due", available_on);
    room.save(Kind::Transaction, &row);
    json::id(&row).to_owned()
}

pub fn for_charge(room: &mut Room<'_>, charge: &Value) -> String {
    let currency = json::owned(charge, "currency");
    let amount = json::int(charge, "amount_captured");
    let source = json::owned(charge, "id");
    book(
        room,
        &Movement {
            kind: "charge",
            category: "charge",
            amount,
            fee: currency::fee(amount, &currency),
            currency: &currency,
            source: &source,
            description: charge["description"].clone(),
        },
    )
}

/// The money has become available.
pub fn fall_due(room: &mut Room<'_>, mut row: Value) {
    json::set(&mut row, "status", "available");
    json::hide(&mut row, "due", Value::Null);
    room.save(Kind::Transaction, &row);
}

/// `GET /v1/balance`.
pub fn total(room: &Room<'_>) -> Value {
    let mut sums: std::collections::BTreeMap<(String, bool), i64> =
        std::collections::BTreeMap::new();
    for (_, entry) in room.book.newest(Kind::Transaction) {
        if let Some(row) = entry.object() {
            let is_available = json::text(&row, "status") == Some("available");
            *sums
                .entry((json::owned(&row, "currency"), is_available))
                .or_default() += json::int(&row, "net");
        }
    }
    let side = |wanted: bool| -> Vec<Value> {
        sums.iter()
            .filter(|((_, available), _)| *available == wanted)
            .map(|((currency, _), amount)| {
                json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
            })
            .collect()
    };
    json!({ "object": "balance", "available": side(true), "livemode": false, "pending": side(false) })
}
