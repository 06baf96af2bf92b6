//! Refunds that fail after they were done: Stripe gives the money back to us, days later, and the books follow.

use chrono::{DateTime, NaiveDate, Utc};

use paydeck::domain::ids::SubscriptionId;
use paydeck::domain::mode::ProviderName;
use paydeck::engine::queries::Reads as _;
use paydeck::engine::{Outcome, Request};
use paydeck::secret::Secret;

use crate::foreign_refunds::{at_stripe, back, by_hand};
use crate::four_eyes::PAGES;
use crate::world::{World, admin, won};

const REFUND: &str = "select state from attempt where kind = 'refund' order by id desc limit 1";
const LOOKED_AT_NOW: &str = "update attempt set next_check_at = 0, lease_until = 0 where kind = 'refund' and next_check_at is not null";
const LOOKED_FOR: &str =
    "select count(*) from attempt where kind = 'refund' and next_check_at is not null";
const CALLED: &str = "select count(*) from attempt where needs_human = 1";
const GONE: &str = "select refunded_minor from payment";

/// Somebody whose card does this with refunds, on the basic plan, first charge paid.
async fn subscriber(w: &World, card: &str) -> SubscriptionId {
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
    SubscriptionId(w.number("select max(id) from subscription").await)
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

async fn look(w: &World) {
    w.execute(LOOKED_AT_NOW).await;
    w.engine.reconcile_once(&admin()).await.expect("looked");
}

#[tokio::test]
async fn a_refund_that_fails_after_it_was_done_is_found_and_the_books_follow_from_that_day() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_refundFail").await;
        // Half an hour before the day ends in Seoul.
        w.set_time(instant("2026-03-10T14:30:00Z")).await;
        let payment = w.last_payment().await;
        let outcome = w.act(back(payment, 4_000).await).await.expect("refunded");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert_eq!(w.number(GONE).await, 4_000);
        assert_eq!(w.number(LOOKED_FOR).await, 1, "it may come back");
        look(&w).await;
        assert_eq!(w.number(GONE).await, 4_000, "it is still there");
        assert_eq!(w.number(LOOKED_FOR).await, 1, "and is looked at again");
        w.books_are_straight().await;

        w.set_time(instant("2026-03-12T03:00:00Z")).await;
        let pages = w.number(PAGES).await;
        look(&w).await;
        assert_eq!(w.number(GONE).await, 0);
        assert_eq!(w.text(REFUND).await, "succeeded", "it was executed");
        assert_eq!(
            w.number("select count(*) from refund").await,
            1,
            "nothing is edited"
        );
        assert_eq!(w.number("select count(*) from refund_reversal").await, 1);
        assert_eq!(
            w.number(LOOKED_FOR).await,
            0,
            "nobody waits for it any more"
        );
        assert_eq!(w.number(PAGES).await, pages + 1);
        let told = "select count(*) from outbox where kind = 'refund_failed'";
        assert_eq!(w.number(told).await, 1);
        assert_eq!(w.number(CALLED).await, 1, "it is kept where people look");
        let holds =
            "select cast(sum(amount_minor) as bigint) from ledger where account = 'provider'";
        assert_eq!(w.number(holds).await, 9_900);
        let back_again =
            "select cast(sum(amount_minor) as bigint) from ledger where account = 'refunds'";
        assert_eq!(w.number(back_again).await, 0);
        let sum = "select cast(sum(amount_minor) as bigint) from ledger";
        assert_eq!(w.number(sum).await, 0);
        assert_eq!(
            w.executed().await,
            (1, 0),
            "there it is as if it had not been"
        );

        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).expect("a day");
        for computed in [false, true] {
            if computed {
                while w.engine.store().refresh_figures(64).await.expect("figures") > 0 {}
            }
            let report = w
                .engine
                .store()
                .revenue(day(9), day(12))
                .await
                .expect("a report");
            let refunded: Vec<_> = report
                .days
                .iter()
                .filter(|figure| figure.refunded.minor() != 0)
                .map(|figure| (figure.date, figure.refunded))
                .collect();
            assert_eq!(refunded, [(day(10), won(4_000)), (day(11), won(-4_000))]);
            assert_eq!(report.months[0].net, won(9_900));
            let store = w.engine.store();
            let only = store
                .revenue_of(ProviderName::Stripe, day(9), day(12))
                .await
                .expect("a report");
            assert_eq!(only.months, report.months, "all of it is Stripe's");
            let other = store.revenue_of(ProviderName::Toss, day(9), day(12)).await;
            assert_eq!(other.expect("a report").months, []);
            let by = w.engine.store().revenue_by_provider(day(9), day(12)).await;
            let [of] = &by.expect("a report")[..] else {
                panic!("one provider, one currency")
            };
            let sums = (of.gross, of.refunds, of.net);
            assert_eq!(sums, (won(9_900), won(0), won(9_900)));
            assert_eq!((of.payments, of.refund_count), (1, 1));
        }

        let invoice = w.only_invoice().await;
        let timeline = w
            .engine
            .store()
            .timeline(invoice)
            .await
            .expect("a timeline");
        let failed = &timeline.reversals[0];
        assert_eq!((failed.amount, failed.is_made_up_for), (won(4_000), false));
        assert_eq!(failed.at, instant("2026-03-10T15:30:00Z"));

        // Looking again changes nothing, and the money can be given back once more.
        w.execute("update attempt set next_check_at = 0, lease_until = 0 where kind = 'refund'")
            .await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.number("select count(*) from refund_reversal").await, 1);
        let again = w.act(back(payment, 9_900).await).await.expect("refunded");
        assert!(matches!(again, Outcome::Done(_)), "{again:?}");
        assert_eq!(w.number(GONE).await, 9_900);
        let timeline = w
            .engine
            .store()
            .timeline(invoice)
            .await
            .expect("a timeline");
        assert!(timeline.reversals[0].is_made_up_for);
        assert_eq!(w.number(CALLED).await, 0, "somebody has seen to it");
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_is_only_pending_is_done_when_it_arrives() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_pendingRefund").await;
        let payment = w.last_payment().await;
        let outcome = w.act(back(payment, 4_000).await).await.expect("sent");
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        w.expire_leases().await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.text(REFUND).await, "unknown", "it is on its way");
        assert_eq!(w.executed().await, (1, 1));
        w.advance_days(1).await;
        w.expire_leases().await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.text(REFUND).await, "succeeded");
        assert_eq!(w.number(GONE).await, 4_000);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_person_who_looks_at_a_refund_that_came_back_is_told_that_it_failed() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_refundFail").await;
        let payment = w.last_payment().await;
        w.act(back(payment, 4_000).await).await.expect("refunded");
        w.advance_days(1).await;
        let attempt =
            paydeck::domain::ids::AttemptId(w.number("select max(id) from attempt").await);
        let looked = w
            .act(Request::ResolveUnknown { attempt })
            .await
            .expect("looked");
        let Outcome::Declined { refusal, .. } = looked else {
            panic!("{looked:?}")
        };
        assert_eq!(refusal.code, "PAYDECK_REFUND_FAILED");
        assert_eq!(w.number(GONE).await, 0);
        assert_eq!(w.number(CALLED).await, 1, "it is kept where people look");
        // Whoever looks once more has read it there, and nobody is called any more.
        let again = w.act(Request::ResolveUnknown { attempt }).await;
        assert!(matches!(again, Ok(Outcome::Declined { .. })), "{again:?}");
        assert_eq!(w.number(CALLED).await, 0);
        assert_eq!(w.number("select count(*) from refund_reversal").await, 1);
        let third = w.act(Request::ResolveUnknown { attempt }).await;
        assert!(third.is_err(), "{third:?}");
    })
    .await;
}

/// Nobody asks about a refund of ours any more: the charge itself is looked at while what was given back at the desk may fail.
#[tokio::test]
async fn a_refund_at_the_desk_that_fails_days_later_is_found_by_looking_at_its_charge() {
    const CHARGE: &str =
        "select count(*) from attempt where kind = 'charge' and next_check_at is not null";
    const CHARGE_NOW: &str = "update attempt set next_check_at = 0, lease_until = 0 where kind = 'charge' and next_check_at is not null";
    at_stripe(async |w| {
        subscriber(&w, "pm_card_refundFail").await;
        let payment = w.last_payment().await;
        by_hand(&w, 4_000).await;
        let outcome = w.act(back(payment, 1_000).await).await.expect("refunded");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        look(&w).await;
        assert_eq!(
            w.number(GONE).await,
            5_000,
            "what was given back there is booked"
        );
        assert_eq!(w.number(CHARGE).await, 1, "and may come back");
        w.execute(CHARGE_NOW).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.number(GONE).await, 5_000, "it is still there");
        assert_eq!(w.number(CHARGE).await, 1, "and is looked at again");
        w.books_are_straight().await;

        // Another one is found by looking at the charge.
        by_hand(&w, 2_000).await;
        w.execute(CHARGE_NOW).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.number(GONE).await, 7_000);

        w.advance_days(2).await;
        let pages = w.number(PAGES).await;
        w.execute(CHARGE_NOW).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.number(GONE).await, 0);
        assert_eq!(w.number("select count(*) from refund_reversal").await, 3);
        assert_eq!(w.number(PAGES).await, pages + 3);
        assert_eq!(w.number(CHARGE).await, 0, "nobody waits for them any more");
        assert_eq!(
            w.number(CALLED).await,
            2,
            "about ours, and about the charge"
        );
        let sum = "select cast(sum(amount_minor) as bigint) from ledger";
        assert_eq!(w.number(sum).await, 0);
        let states = "select count(*) from attempt where state = 'succeeded'";
        assert_eq!(w.number(states).await, 2, "they were executed");

        let again = w.act(back(payment, 9_900).await).await.expect("refunded");
        assert!(matches!(again, Outcome::Done(_)), "{again:?}");
        assert_eq!(w.number(CALLED).await, 0, "somebody has seen to it");
    })
    .await;
}

/// No refund of ours was ever made of it: what Stripe tells is a reason to look at the charge.
#[tokio::test]
async fn what_is_given_back_at_the_desk_is_booked_after_its_event() {
    at_stripe(async |w| {
        let operator = admin();
        w.subscriber("key-one").await;
        w.engine.mirror_pull(&operator).await.expect("pulled");
        by_hand(&w, 4_000).await;
        let early = w.engine.reconcile_once(&operator).await.expect("looked");
        assert_eq!((early.claimed, w.number(GONE).await), (0, 0));
        w.engine.mirror_pull(&operator).await.expect("pulled");
        assert_eq!(w.number(GONE).await, 0, "an event books nothing");
        let looked = w.engine.reconcile_once(&operator).await.expect("looked");
        assert_eq!((looked.claimed, w.number(GONE).await), (1, 4_000));
        w.books_are_straight().await;
        let again = w.engine.reconcile_once(&operator).await.expect("looked");
        assert_eq!(again.claimed, 0, "until it may have come back");
    })
    .await;
}

/// Our own refund, whose answer was lost, is on the payment when its charge is looked at: it is not taken for somebody else's.
#[tokio::test]
async fn a_refund_of_ours_that_is_under_way_is_left_to_its_own_attempt() {
    at_stripe(async |w| {
        let operator = admin();
        w.subscriber("key-one").await;
        w.engine.mirror_pull(&operator).await.expect("pulled");
        let payment = w.last_payment().await;
        w.fault("cancel", serde_json::json!("lost_after_commit"), 1).await;
        let outcome = w.act(back(payment, 4_000).await).await.expect("sent");
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        by_hand(&w, 1_000).await;
        w.execute("update attempt set lease_until = 0, next_check_at = 9000000000000000 where state = 'unknown'")
            .await;
        w.execute("update attempt set next_check_at = 0 where kind = 'charge'").await;
        w.engine.reconcile_once(&operator).await.expect("looked");
        assert_eq!(w.number(GONE).await, 1_000, "theirs is booked");
        assert_eq!(w.text(REFUND).await, "unknown");
        assert_eq!(w.number("select reserved_minor from payment").await, 4_000);
        w.expire_leases().await;
        w.engine.reconcile_once(&operator).await.expect("looked");
        assert_eq!(w.number(GONE).await, 5_000);
        let ours = "select count(*) from refund where attempt_id is not null";
        assert_eq!(w.number(ours).await, 1, "it is its own attempt's");
        w.books_are_straight().await;
    })
    .await;
}

const CHARGE_NOW: &str =
    "update attempt set next_check_at = 0, lease_until = 0 where kind = 'charge'";

/// What was given back at the desk fails, and the desk gives it back once more: nobody presses anything here.
#[tokio::test]
async fn a_call_about_a_refund_at_the_desk_ends_when_the_desk_makes_up_for_it() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_refundFail").await;
        by_hand(&w, 4_000).await;
        w.execute(CHARGE_NOW).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!((w.number(GONE).await, w.number(CALLED).await), (4_000, 0));
        w.advance_days(2).await;
        w.execute(CHARGE_NOW).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!((w.number(GONE).await, w.number(CALLED).await), (0, 1));
        by_hand(&w, 4_000).await;
        w.execute(CHARGE_NOW).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.number(GONE).await, 4_000);
        assert_eq!(w.number(CALLED).await, 0, "somebody has seen to it");
    })
    .await;
}

/// The customer still waits for most of it.
#[tokio::test]
async fn a_smaller_refund_does_not_end_the_call_about_one_that_failed() {
    at_stripe(async |w| {
        subscriber(&w, "pm_card_refundFail").await;
        let payment = w.last_payment().await;
        w.act(back(payment, 4_000).await).await.expect("refunded");
        w.advance_days(1).await;
        look(&w).await;
        assert_eq!((w.number(GONE).await, w.number(CALLED).await), (0, 1));
        let small = w.act(back(payment, 500).await).await.expect("refunded");
        assert!(matches!(small, Outcome::Done(_)), "{small:?}");
        assert_eq!(w.number(CALLED).await, 1, "by whomever it was given back");
        by_hand(&w, 1_000).await;
        w.execute(CHARGE_NOW).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!((w.number(GONE).await, w.number(CALLED).await), (1_500, 1));
        let again = w.act(back(payment, 4_000).await).await.expect("refunded");
        assert!(matches!(again, Outcome::Done(_)), "{again:?}");
        assert_eq!(w.number(CALLED).await, 0, "somebody has seen to it");
    })
    .await;
}
