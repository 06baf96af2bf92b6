//! Rules of the books, without HTTP and without a file.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::super::switches::{OrderReuse, TaxFreeAmount};
use super::*;

/// A book and everything a rule may ask for.
struct Desk {
    book: Book,
    ids: Ids,
    codes: Codes,
    switches: Switches,
    now: DateTime<Utc>,
}

impl Desk {
    fn new() -> Self {
        Self {
            book: Book::default(),
            ids: Ids::new(Some(1), 1),
            codes: Codes::load().expect("codes"),
            switches: Switches::default(),
            now: "2026-03-10T03:00:00Z".parse().expect("a time"),
        }
    }

    fn with<T>(
        &mut self,
        forced: Option<Refusal>,
        rule: impl FnOnce(&mut Book, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            now: self.now,
            switches: &self.switches,
            ids: &mut self.ids,
            merchant_id: "tpaydeck",
            codes: &self.codes,
            forced,
        };
        rule(&mut self.book, &mut context)
    }

    fn billing_key(&mut self, draft: CardDraft) -> String {
        let id = self
            .with(None, |book, context| {
                issue_directly(book, Some("kim"), draft, context)
            })
            .expect("issues");
        self.book
            .card(id)
            .and_then(|card| card.billing_key.clone())
            .expect("a key")
    }

    fn charge(&mut self, key: &str, order: &str, amount: i64) -> Result<Payment, String> {
        self.charge_with(key, &request(order, amount), None)
    }

    fn charge_with(
        &mut self,
        key: &str,
        request: &ChargeRequest,
        forced: Option<Refusal>,
    ) -> Result<Payment, String> {
        let charged = self.with(forced, |book, context| charge(book, key, request, context));
        self.seen(charged)
    }

    fn cancel(&mut self, payment: &Payment, request: &CancelRequest) -> Result<Payment, String> {
        let canceled = self.with(None, |book, context| {
            cancel(book, &payment.key, request, context)
        });
        self.seen(canceled)
    }

    fn seen(&self, outcome: Result<i64, Refusal>) -> Result<Payment, String> {
        let id = outcome.map_err(|refusal| refusal.code.into_owned())?;
        Ok(self.book.payment(id).expect("a payment").clone())
    }
}

fn request(order: &str, amount: i64) -> ChargeRequest {
    ChargeRequest {
        amount: Some(amount),
        customer_key: Some("kim".to_owned()),
        order_id: Some(order.to_owned()),
        order_name: Some("구독".to_owned()),
        ..ChargeRequest::default()
    }
}

fn part(amount: i64) -> CancelRequest {
    CancelRequest {
        reason: Some("r".to_owned()),
        amount: Some(amount),
        ..CancelRequest::default()
    }
}

#[test]
fn an_order_that_was_charged_is_never_charged_again_even_when_it_was_cancelled() {
    let mut desk = Desk::new();
    let key = desk.billing_key(CardDraft::default());
    let payment = desk.charge(&key, "order-1", 4900).expect("charges");
    assert_eq!(
        desk.charge(&key, "order-1", 4900),
        Err("DUPLICATED_ORDER_ID".into())
    );
    desk.cancel(&payment, &part(4900)).expect("cancels");
    assert_eq!(
        desk.charge(&key, "order-1", 4900),
        Err("DUPLICATED_ORDER_ID".into())
    );
}

#[test]
fn a_decline_is_kept_in_the_books_and_a_server_error_is_not() {
    let mut desk = Desk::new();
    let key = desk.billing_key(CardDraft::default());
    let declined = Refusal::code("REJECT_CARD_PAYMENT");
    assert!(
        desk.charge_with(&key, &request("order-1", 4900), Some(declined))
            .is_err()
    );
    assert!(desk.book.has_declined_payment_of_order("order-1"));
    let broken = Refusal::code("FAILED_INTERNAL_SYSTEM_PROCESSING");
    assert!(
        desk.charge_with(&key, &request("order-2", 4900), Some(broken))
            .is_err()
    );
    assert!(!desk.book.has_declined_payment_of_order("order-2"));
    desk.switches.order_reuse_after_decline = OrderReuse::Refused;
    assert_eq!(
        desk.charge(&key, "order-1", 4900),
        Err("DUPLICATED_ORDER_ID".into())
    );
    assert!(desk.charge(&key, "order-2", 4900).is_ok());
}

#[test]
fn the_test_code_comes_after_every_check_of_the_request() {
    let mut desk = Desk::new();
    let key = desk.billing_key(CardDraft::default());
    let forced = || Some(Refusal::code("REJECT_CARD_PAYMENT"));
    let wrong = ChargeRequest {
        amount: Some(1),
        ..request("order-1", 4900)
    };
    assert_eq!(
        desk.charge_with(&key, &wrong, forced()),
        Err("BELOW_MINIMUM_AMOUNT".into())
    );
    assert_eq!(
        desk.charge_with(&key, &request("order-1", 4900), forced()),
        Err("REJECT_CARD_PAYMENT".into())
    );
}

#[test]
fn instalments_need_fifty_thousand_won() {
    let mut desk = Desk::new();
    let key = desk.billing_key(CardDraft::default());
    let with = |months, amount| ChargeRequest {
        installment_months: Some(months),
        ..request("order-1", amount)
    };
    assert_eq!(
        desk.charge_with(&key, &with(3, 49_999), None),
        Err("NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN_BELOW_AMOUNT".into())
    );
    assert_eq!(
        desk.charge_with(&key, &with(1, 50_000), None),
        Err("INVALID_CARD_INSTALLMENT_PLAN".into())
    );
    assert_eq!(
        desk.charge_with(&key, &with(3, 50_000), None)
            .expect("charges")
            .installment_months,
        3
    );
}

#[test]
fn a_card_is_good_until_the_end_of_its_month_in_korea() {
    let mut desk = Desk::new();
    let key = desk.billing_key(CardDraft {
        expiry: Some("2603".into()),
        ..CardDraft::default()
    });
    desk.now = "2026-03-31T14:59:59Z".parse().expect("a time");
    assert!(desk.charge(&key, "order-1", 4900).is_ok());
    desk.now += TimeDelta::seconds(1);
    assert_eq!(
        desk.charge(&key, "order-2", 4900),
        Err("INVALID_CARD_EXPIRATION".into())
    );
}

#[test]
fn a_gap_between_cancels_is_kept_when_the_switch_asks_for_one() {
    let mut desk = Desk::new();
    desk.switches.cancel_gap_ms = 1_000;
    let key = desk.billing_key(CardDraft::default());
    let payment = desk.charge(&key, "order-1", 4900).expect("charges");
    desk.cancel(&payment, &part(100)).expect("cancels");
    assert_eq!(
        desk.cancel(&payment, &part(100)),
        Err("FORBIDDEN_CONSECUTIVE_REQUEST".into())
    );
    desk.now += TimeDelta::seconds(1);
    assert!(desk.cancel(&payment, &part(100)).is_ok());
}

#[test]
fn a_cancel_of_nothing_is_never_a_cancel_of_everything() {
    let mut desk = Desk::new();
    let key = desk.billing_key(CardDraft::default());
    let payment = desk.charge(&key, "order-1", 4900).expect("charges");
    for amount in [0, -1, i64::MIN] {
        assert_eq!(
            desk.cancel(&payment, &part(amount)),
            Err("NOT_CANCELABLE_AMOUNT".into())
        );
    }
}

#[test]
fn a_tax_free_amount_counts_only_for_a_merchant_that_has_such_goods() {
    let mut desk = Desk::new();
    let key = desk.billing_key(CardDraft::default());
    let with = |order: &str| ChargeRequest {
        tax_free: Some(3_000),
        ..request(order, 10_000)
    };
    assert_eq!(
        desk.charge_with(&key, &with("order-1"), None)
            .expect("charges")
            .tax_split(),
        (909, 9_091)
    );
    desk.switches.tax_free_amount = TaxFreeAmount::Honoured;
    assert_eq!(
        desk.charge_with(&key, &with("order-2"), None)
            .expect("charges")
            .tax_split(),
        (636, 6_364)
    );
}

#[test]
fn every_code_that_a_rule_answers_with_is_in_the_table() {
    let codes = Codes::load().expect("codes");
    let sources = [
        include_str!("charge.rs"),
        include_str!("cancel.rs"),
        include_str!("checkout.rs"),
        include_str!("keys.rs"),
        include_str!("card.rs"),
        include_str!("../bodies.rs"),
        include_str!("../auth.rs"),
        include_str!("../lookups.rs"),
        include_str!("../server.rs"),
    ];
    let mut seen = 0;
    for source in sources {
        let product = source.split("#[cfg(test)]").next().unwrap_or_default();
        for quoted in product.split('"').skip(1).step_by(2) {
            let is_code =
                quoted.len() > 8 && quoted.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if is_code {
                seen += 1;
                assert!(codes.knows(quoted), "{quoted} is not in codes.toml");
            }
        }
    }
    assert!(seen > 40, "only {seen} codes were found");
}

proptest! {
    #[test]
    fn cancels_never_exceed_the_payment(amount in 100_i64..1_000_000, cancels in prop::collection::vec(-10_i64..400_000, 0..12)) {
        let mut desk = Desk::new();
        let key = desk.billing_key(CardDraft::default());
        let payment = desk.charge(&key, "order-1", amount).expect("charges");
        for cancel in cancels {
            // Refusals are part of what is tried.
            drop(desk.cancel(&payment, &part(cancel)));
        }
        let seen = desk.book.payment_of_key(&payment.key).expect("a payment");
        let canceled: i64 = seen.cancels.iter().map(|cancel| cancel.amount).sum();
        let (vat, supplied) = seen.tax_split();
        prop_assert_eq!(seen.balance, amount - canceled);
        prop_assert!(seen.balance >= 0 && vat >= 0 && supplied >= 0);
        prop_assert_eq!(vat + supplied, seen.balance);
        prop_assert_eq!(seen.status == Status::Done, seen.cancels.is_empty());
        prop_assert_eq!(seen.status == Status::Canceled, seen.cancels.len() == 1 && seen.balance == 0);
    }
}
