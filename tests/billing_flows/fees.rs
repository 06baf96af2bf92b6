//! What a provider keeps for itself: pulled off its balance once, caught up with after an outage, never worked out here.

use chrono::{Duration, NaiveDate};
use serde_json::json;

use paydeck::domain::mode::ProviderName;
use paydeck::domain::money::Money;
use paydeck::engine::ports::{FeeBooks as _, FeesRead};
use paydeck::engine::queries::{FeeFigure, FeesKnown, FeesOfPayment, Reads as _};
use paydeck::engine::{Outcome, Request};
use paydeck::secret::Secret;

use crate::foreign_refunds::{at_stripe, back};
use crate::world::{World, admin, on_each, won};

/// What the simulator keeps of 9,900 won: 2.9 % and 400 won.
const FEE: i64 = 687;

async fn subscriber(w: &World, card: &str) {
    let plan = w.basic_plan().await;
    let customer = w.customer("key-one").await;
    let add = Request::AddMethod {
        customer,
        auth_key: Secret::new(card),
        provider: None,
    };
    w.act(add).await.expect("a card");
    let subscribe = Request::Subscribe {
        customer,
        plan,
        quantity: 1,
    };
    let outcome = w.act(subscribe).await.expect("subscribed");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

async fn pulled(w: &World) -> u32 {
    let all = w.engine.pull_fees(&admin()).await.expect("pulled");
    all.iter().map(|one| one.taken_in).sum()
}

/// Of all days.
fn always() -> (NaiveDate, NaiveDate) {
    let day = |year| NaiveDate::from_ymd_opt(year, 1, 1).expect("a day");
    (day(2020), day(2030))
}

async fn figures(w: &World) -> Vec<FeeFigure> {
    let (from, to) = always();
    let store = w.engine.store();
    store.fee_figures(from, to).await.expect("figures")
}

async fn only_known(w: &World) -> FeesKnown {
    let all = figures(w).await;
    let [of] = all.as_slice() else {
        panic!("one provider, one currency: {all:?}")
    };
    assert_eq!((of.provider, of.unknown), (ProviderName::Stripe, 0));
    of.known.expect("known")
}

/// The rows behind the figures add up to them.
async fn rows_add_up(w: &World) {
    let rows = w.engine.store().fee_rows(always(), 0, 1_000).await;
    let rows = rows.expect("rows");
    let sum = |of: fn(&paydeck::domain::fee::Fee) -> Money| -> i64 {
        rows.iter().map(|row| of(&row.fee).minor()).sum()
    };
    let known = only_known(w).await;
    assert_eq!(sum(|fee| fee.fee), known.fees.minor());
    assert_eq!(sum(|fee| fee.net), known.net.minor());
    let left = known.charged.minor() - known.refunded.minor() + known.returned.minor();
    assert_eq!(left - known.fees.minor(), known.net.minor());
}

#[tokio::test]
async fn fees_of_charges_and_refunds_are_pulled_once_and_add_up() {
    at_stripe(async |w| {
        assert_eq!(pulled(&w).await, 0, "nothing was paid");
        subscriber(&w, "pm_card_visa").await;
        let payment = w.last_payment().await;
        w.act(back(payment, 4_000).await).await.expect("refunded");
        w.advance_days(1).await;
        assert_eq!(figures(&w).await[0].unknown, 1, "not known is not zero");
        assert_eq!(figures(&w).await[0].known, None);
        assert_eq!(pulled(&w).await, 2);
        for _ in 0..2 {
            let known = only_known(&w).await;
            let expected = FeesKnown {
                charges: 1,
                charged: won(9_900),
                refunded: won(4_000),
                returned: won(0),
                fees: won(FEE),
                net: won(9_900 - 4_000 - FEE),
            };
            assert_eq!(known, expected);
            assert_eq!(pulled(&w).await, 0, "the same twice is once");
        }
        rows_add_up(&w).await;
        let invoice = w.only_invoice().await;
        let card = w.engine.store().timeline(invoice).await.expect("a card");
        let fees = FeesOfPayment {
            fee: won(FEE),
            net: won(9_900 - 4_000 - FEE),
        };
        assert_eq!(card.fees, [Some(fees)]);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_fails_comes_back_and_its_fee_does_not() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_refundFail").await;
        let payment = w.last_payment().await;
        w.act(back(payment, 4_000).await).await.expect("refunded");
        w.set_time(w.clock_now() + Duration::minutes(1)).await;
        assert_eq!(pulled(&w).await, 2);
        w.advance_days(3).await;
        assert_eq!(pulled(&w).await, 1);
        let known = only_known(&w).await;
        assert_eq!(
            (known.refunded, known.returned, known.fees, known.net),
            (won(4_000), won(4_000), won(FEE), won(9_900 - FEE))
        );
        rows_add_up(&w).await;
    })
    .await;
}

#[tokio::test]
async fn after_an_outage_nothing_is_missing_and_nothing_twice() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_visa").await;
        w.advance_days(1).await;
        assert_eq!(pulled(&w).await, 1);
        for _ in 0..3 {
            w.advance_days(31).await;
            w.run().await;
        }
        w.advance_days(1).await;
        w.fault("stripe_transactions", json!("lost_before_commit"), 1)
            .await;
        let down = w.engine.pull_fees(&admin()).await;
        assert!(down.is_err(), "{down:?}");
        assert_eq!(only_with_known(&w).await, (1, 3));
        assert_eq!(pulled(&w).await, 3);
        assert_eq!(only_with_known(&w).await, (4, 0));
        assert_eq!(pulled(&w).await, 0);
        rows_add_up(&w).await;
    })
    .await;
}

/// Charges whose fee is known, and payments whose is not.
async fn only_with_known(w: &World) -> (u64, u64) {
    let all = figures(w).await;
    let known = all.iter().filter_map(|of| of.known);
    (
        known.map(|known| known.charges).sum(),
        all.iter().map(|of| of.unknown).sum(),
    )
}

#[tokio::test]
async fn payments_that_are_older_than_all_that_was_read_are_read_as_well() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_visa").await;
        w.advance_days(20).await;
        // As if the books had begun today, and this payment were taken into them now.
        let now = w.clock_now();
        let read = FeesRead { from: now, to: now };
        let noted = w.engine.store().note_fees_read(ProviderName::Stripe, read);
        noted.await.expect("noted");
        assert_eq!(pulled(&w).await, 1);
        let read =
            "select count(*) from fee_cursor c, payment p where c.read_from <= p.captured_at";
        assert_eq!(w.number(read).await, 1);
        assert_eq!(pulled(&w).await, 0);
        rows_add_up(&w).await;
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_names_no_fees_has_none_that_are_known() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        assert_eq!(w.engine.pull_fees(&admin()).await.expect("pulled"), []);
        let all = figures(&w).await;
        assert_eq!(
            (all.len(), all[0].provider, all[0].known, all[0].unknown),
            (1, ProviderName::Toss, None, 1)
        );
        let invoice = w.only_invoice().await;
        let card = w.engine.store().timeline(invoice).await.expect("a card");
        assert_eq!(card.fees, [None]);
    })
    .await;
}
