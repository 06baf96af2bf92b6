//! The bytes of requests. They are made once, stored, and sent unchanged however often.
//!
//! Field order is fixed and nothing floats: amounts are whole won. Names and e-mail addresses of
//! customers are left out. No key stands in a body.

use serde::Serialize;

use crate::engine::ports::{ChargeRequest, ConfirmCall, RefundRequest};
use crate::secret::Secret;

/// Longest order name.
const ORDER_NAME_UNITS: usize = 100;
/// Longest cancel reason.
const REASON_UNITS: usize = 200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Charge<'a> {
    amount: i64,
    customer_key: &'a str,
    order_id: &'a str,
    order_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refund<'a> {
    cancel_reason: &'a str,
    cancel_amount: i64,
    refundable_amount: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Confirm<'a> {
    payment_key: &'a str,
    order_id: &'a str,
    amount: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue<'a> {
    auth_key: &'a str,
    customer_key: &'a str,
}

pub(super) fn charge(request: &ChargeRequest<'_>) -> Vec<u8> {
    let name = one_line(request.order_name);
    let name = cut_end(&name, ORDER_NAME_UNITS);
    json(&Charge {
        amount: request.amount.minor(),
        customer_key: request.customer_key,
        order_id: request.order_id,
        order_name: if name.is_empty() {
            request.order_id
        } else {
            &name
        },
    })
}

pub(super) fn refund(request: &RefundRequest<'_>) -> Vec<u8> {
    let reason = one_line(request.reason);
    json(&Refund {
        cancel_reason: &cut_middle(&reason, REASON_UNITS),
        cancel_amount: request.amount.minor(),
        refundable_amount: request.expected_balance_minor,
    })
}

pub(super) fn confirm(call: &ConfirmCall<'_>) -> Vec<u8> {
    json(&Confirm {
        payment_key: call.payment_key,
        order_id: call.order_id,
        amount: call.amount.minor(),
    })
}

pub(super) fn issue(auth_key: &Secret, customer_key: &str) -> Vec<u8> {
    json(&Issue {
        auth_key: auth_key.expose(),
        customer_key,
    })
}

/// Texts and integers always become JSON; an empty body, which the provider refuses, stands for
/// the error that cannot happen.
fn json<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    spaced.trim().to_owned()
}

/// How the provider counts characters is not said; UTF-16 units are the strictest reading.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn cut_end(text: &str, most: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += c.len_utf16();
            used <= most
        })
        .collect()
}

/// Our tag stands at one end of a reason, so both ends are kept.
fn cut_middle(text: &str, most: usize) -> String {
    if units(text) <= most {
        return text.to_owned();
    }
    let half = (most - 1) / 2;
    let head = cut_end(text, half);
    let backwards: String = text.chars().rev().collect();
    let tail: String = cut_end(&backwards, half).chars().rev().collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use crate::domain::money::{Currency, Money};

    use super::*;

    fn text(body: Vec<u8>) -> String {
        String::from_utf8(body).expect("utf-8")
    }

    fn charge_named(order_name: &str) -> String {
        text(charge(&ChargeRequest {
            order_id: "pd7QK2-1-1",
            order_name,
            customer_key: "ck_1",
            amount: Money::new(4_900, Currency::KRW),
        }))
    }

    #[test]
    fn a_charge_says_amount_customer_order_and_nothing_else() {
        assert_eq!(
            charge_named("토스 프라임"),
            r#"{"amount":4900,"customerKey":"ck_1","orderId":"pd7QK2-1-1","orderName":"토스 프라임"}"#
        );
    }

    #[test]
    fn an_order_name_has_1_to_100_characters_on_one_line() {
        let long = charge_named(&"구".repeat(150));
        assert!(long.contains(&format!(r#""{}""#, "구".repeat(100))));
        let astral = charge_named(&"😀".repeat(80));
        assert!(astral.contains(&format!(r#""{}""#, "😀".repeat(50))));
        assert!(charge_named("a\nb").contains(r#""a b""#));
        assert!(charge_named(" \t").contains(r#""orderName":"pd7QK2-1-1""#));
    }

    #[test]
    fn a_refund_always_says_how_much_and_what_must_be_left() {
        let refund_for = |reason: &str| {
            text(refund(&RefundRequest {
                reason,
                amount: Money::new(1_000, Currency::KRW),
                expected_balance_minor: 4_900,
            }))
        };
        assert_eq!(
            refund_for("고객 요청 [rf:7QK2]"),
            r#"{"cancelReason":"고객 요청 [rf:7QK2]","cancelAmount":1000,"refundableAmount":4900}"#
        );
        for long in [
            format!("{} [rf:7QK2]", "가".repeat(300)),
            format!("[rf:7QK2] {}", "가".repeat(300)),
        ] {
            let reason: serde_json::Value = serde_json::from_str(&refund_for(&long)).expect("json");
            let reason = reason["cancelReason"].as_str().expect("a reason");
            assert!(reason.contains("[rf:7QK2]"), "{reason}");
            assert!(units(reason) <= REASON_UNITS);
        }
    }
}
