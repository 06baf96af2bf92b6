//! The bytes of charges and refunds. They are made once, stored, and sent unchanged however often.
//!
//! What Stripe needs besides, who pays with what and which payment, is added when they are sent: it is
//! sealed, or known only later. Names and e-mail addresses of customers are left out.

use crate::engine::ports::{ChargeRequest, RefundRequest};

use super::amount;
use super::form::Form;
use super::wire::{self, Metadata};

/// Longest description that is of use to a reader.
const NAME_CHARS: usize = 200;
/// Longest value of a note.
const NOTE_CHARS: usize = 500;
/// What our tags begin with.
const TAG: &str = "rf:";

/// What is to be charged. Empty where Stripe cannot be asked for it: such a body is never sent.
pub(super) fn charge(request: &ChargeRequest<'_>) -> Vec<u8> {
    let Ok(wire) = amount::to_wire(request.amount) else {
        return Vec::new();
    };
    let name: String = one_line(request.order_name)
        .chars()
        .take(NAME_CHARS)
        .collect();
    Form::new()
        .number(&["amount"], wire)
        .text(&["currency"], &amount::code(request.amount.currency()))
        // Captured at once: nobody comes back for the money, and the fee is known with the answer.
        .text(&["capture_method"], "automatic")
        // Without it, newer versions want an address to return to, even for a stored card.
        .text(&["payment_method_types", "0"], "card")
        .text(&["description"], &name)
        .text(&["metadata", "order_id"], request.order_id)
        .into_bytes()
}

/// What is to be given back; the amount always stands there. Our tag and the person's words are notes.
pub(super) fn refund(request: &RefundRequest<'_>) -> Vec<u8> {
    let Ok(wire) = amount::to_wire(request.amount) else {
        return Vec::new();
    };
    let (words, tag) = split(request.reason);
    let words: String = one_line(words).chars().take(NOTE_CHARS).collect();
    Form::new()
        .number(&["amount"], wire)
        .text(&["reason"], "requested_by_customer")
        .maybe(&["metadata", "tag"], tag)
        .text(&["metadata", "reason"], &words)
        .text(&["expand", "0"], "payment_intent.latest_charge")
        .into_bytes()
}

/// A reason and the tag at its end.
fn split(reason: &str) -> (&str, Option<&str>) {
    let tagged = reason
        .trim_end()
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['));
    match tagged {
        Some((words, tag)) if tag.starts_with(TAG) && !tag.contains(char::is_whitespace) => {
            (words.trim_end(), Some(tag))
        }
        _ => (reason, None),
    }
}

/// The reason of a refund as it was written, words first. What stands in the words is never a tag.
pub(super) fn reason_of(metadata: &Metadata) -> String {
    let words = wire::note(metadata, "reason")
        .unwrap_or_default()
        .replace(TAG, "rf ");
    match wire::note(metadata, "tag") {
        Some(tag) => format!("{words} [{tag}]").trim_start().to_owned(),
        None => words,
    }
}

fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    spaced.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use crate::domain::money::{Currency, Money};

    use super::*;

    fn charge_of(minor: i64, currency: &str) -> String {
        let body = charge(&ChargeRequest {
            order_id: "pd7QK2-1-1",
            order_name: "Gold\n구독",
            customer_key: "ck_1",
            amount: Money::new(minor, Currency::parse(currency).expect("a currency")),
        });
        String::from_utf8(body).expect("utf-8")
    }

    fn refund_for(reason: &str) -> String {
        let body = refund(&RefundRequest {
            reason,
            amount: Money::new(1_000, Currency::KRW),
            expected_balance_minor: 4_900,
        });
        String::from_utf8(body).expect("utf-8")
    }

    #[test]
    fn a_charge_says_amount_currency_and_order_and_neither_card_nor_confirm() {
        assert_eq!(
            charge_of(9_900, "KRW"),
            "amount=9900&currency=krw&capture_method=automatic&payment_method_types[0]=card\
             &description=Gold%20%EA%B5%AC%EB%8F%85&metadata[order_id]=pd7QK2-1-1"
        );
    }

    #[test]
    fn an_amount_that_stripe_cannot_be_asked_for_has_no_body() {
        assert!(charge_of(500, "ISK").starts_with("amount=50000&currency=isk"));
        assert!(charge_of(100_000_000, "KRW").is_empty());
        assert!(charge_of(1_234, "KWD").is_empty());
    }

    #[test]
    fn a_refund_always_says_how_much_and_its_tag_is_a_note_of_its_own() {
        assert_eq!(
            refund_for("고객 요청 [rf:7QK2]"),
            "amount=1000&reason=requested_by_customer&metadata[tag]=rf%3A7QK2\
             &metadata[reason]=%EA%B3%A0%EA%B0%9D%20%EC%9A%94%EC%B2%AD\
             &expand[0]=payment_intent.latest_charge"
        );
        assert!(refund_for(" [rf:7QK2]").contains("metadata[tag]=rf%3A7QK2&expand"));
    }

    #[test]
    fn words_never_pass_for_a_tag() {
        let sent = refund_for("see [rf:OTHER] please [rf:7QK2]");
        assert!(sent.contains("metadata[tag]=rf%3A7QK2&"), "{sent}");
        let notes = Some(
            [("reason", "see [rf:OTHER] please"), ("tag", "rf:7QK2")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
        );
        assert_eq!(reason_of(&notes), "see [rf OTHER] please [rf:7QK2]");
        assert_eq!(reason_of(&None), "");
    }
}
