//! Two providers beside each other: what stops at one of them stops nothing at the other, and who is asked in whose place
//! is what the rules and the confirmed plan say.

use std::sync::Arc;

use paydeck::domain::ids::{CustomerId, MethodId, Noun, SubscriptionId};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::run::Decision;
use paydeck::engine::ports::Provider;
use paydeck::engine::{Effect, Outcome, Refused, Request, VerbError};
use paydeck::secret::Secret;

use crate::two_steps::{House, Scene, Step, Trouble, on_each};
use crate::world::admin;

const TOSS_FIRST: &str = "KRW toss stripe";
const TOSS: ProviderName = ProviderName::Toss;
const STRIPE: ProviderName = ProviderName::Stripe;

fn houses() -> (Arc<House>, Arc<House>) {
    (House::new(TOSS), House::new(STRIPE))
}

/// Both houses, a rule, and a story.
async fn with_both(rule: &'static str, story: impl AsyncFn(Scene, &Arc<House>, &Arc<House>)) {
    let (toss, stripe) = houses();
    on_each(rule, &[toss.clone(), stripe.clone()], async |s| {
        story(s, &toss, &stripe).await;
    })
    .await;
}

fn card(customer: CustomerId, at: ProviderName, key: &str) -> Request {
    Request::AddMethod {
        customer,
        auth_key: Secret::new(format!("pm_{key}")),
        provider: Some(at),
    }
}

async fn subscribed(s: &Scene, key: &str, at: &[ProviderName]) -> (CustomerId, SubscriptionId) {
    let customer = s.customer(key, at).await;
    let Outcome::Done(receipt) = s.subscribe(customer).await else {
        panic!("not subscribed");
    };
    let (id, _) = receipt.subscription.expect("a subscription");
    (
        customer,
        SubscriptionId(s.w.row(Noun::Subscription, &id).await),
    )
}

fn decided(run: &paydeck::engine::RunSummary, as_what: Decision) -> u64 {
    let of = run.totals.iter().find(|(decision, _)| *decision == as_what);
    of.map_or(0, |(_, count)| *count)
}

#[tokio::test]
async fn cards_at_a_provider_that_is_not_configured_stop_their_rows_and_no_other() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        let (_, pattern) = subscribed(&s, "at-stripe", &[STRIPE]).await;
        s.w.many_like(pattern, 2).await;
        subscribed(&s, "at-toss", &[TOSS]).await;
        let before = (toss.paid(), stripe.paid());
        s.w.advance_days(31).await;
        let alone: [Arc<dyn Provider>; 1] = [toss.clone()];
        let host = s.w.engine_of("without stripe", &alone).await;
        let until = s.w.clock_now();
        let run = host.billing_run(&admin(), until, &mut |_| {}).await;
        let run = run.expect("the run goes on");
        assert_eq!((toss.paid(), stripe.paid()), (before.0 + 1, before.1));
        assert_eq!(decided(&run, Decision::SkippedConfig), 3);
        let paged = "select count(*) from outbox where kind = 'page' and key like '%:no_provider'";
        assert_eq!(s.w.number(paged).await, 1, "one call for all of a run");
        // Whoever has the key charges it an hour later.
        s.w.set_time(s.w.clock_now() + chrono::TimeDelta::hours(2))
            .await;
        s.run().await;
        assert_eq!((toss.paid(), stripe.paid()), (before.0 + 1, before.1 + 3));
    })
    .await;
}

#[tokio::test]
async fn a_card_is_not_registered_where_there_is_no_provider() {
    with_both(TOSS_FIRST, async |s, toss, _| {
        let customer = s.w.customer("key-one").await;
        let alone: [Arc<dyn Provider>; 1] = [toss.clone()];
        let host = s.w.engine_of("without stripe", &alone).await;
        let request = card(customer, STRIPE, "card_visa");
        let plan = host.plan(&admin(), &request).await.expect("a plan");
        let refused = host.apply(&admin(), &request, &plan.fingerprint).await;
        assert_eq!(
            refused.expect_err("refused").to_string(),
            "refused: provider stripe is not configured"
        );
        assert_eq!(s.w.number("select count(*) from method_issue").await, 0);
    })
    .await;
}

#[tokio::test]
async fn the_new_card_is_the_one_that_pays_what_is_owed() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        let (customer, _) = subscribed(&s, "key-one", &[TOSS]).await;
        s.w.advance_days(31).await;
        toss.trouble(Step::Charge, Trouble::Declined);
        s.run().await;
        assert_eq!(s.state().await, "declined");
        let (before, asked) = ((toss.paid(), stripe.paid()), toss.count(Step::Charge));
        let request = card(customer, STRIPE, "new");
        let plan = s.engine.plan(&admin(), &request).await.expect("a plan");
        let owed = |effect: &Effect| matches!(effect, Effect::ChargesOwed { .. });
        assert!(plan.effects.iter().any(owed), "{:?}", plan.effects);
        assert!(matches!(s.act(request).await, Outcome::Done(_)));
        assert_eq!((toss.paid(), stripe.paid()), (before.0, before.1 + 1));
        assert_eq!(
            toss.count(Step::Charge),
            asked,
            "the old card is left alone"
        );
    })
    .await;
}

#[tokio::test]
async fn n03_falling_back_leaves_its_row_in_the_audit_trail() {
    with_both(TOSS_FIRST, async |s, toss, _| {
        subscribed(&s, "key-one", &[TOSS, STRIPE]).await;
        s.w.advance_days(31).await;
        toss.trouble(Step::Charge, Trouble::NotSent);
        s.run().await;
        toss.trouble(Step::Charge, Trouble::NotSent);
        s.w.expire_leases().await;
        s.reconcile().await;
        assert_eq!(s.state().await, "succeeded");
        let row = "select count(*) from audit where state_after = 'abandoned' and result = 'abandoned' \
             and reason = 'next ' || (select public_id from attempt order by id desc limit 1)";
        assert_eq!(s.w.number(row).await, 1);
        let verb = "select verb from audit where result = 'intent' order by id desc limit 1";
        assert_eq!(s.w.text(verb).await, "bill-run");
    })
    .await;
}

#[tokio::test]
async fn n03_a_press_falls_back_only_to_what_its_plan_names() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        let customer = s.customer("key-one", &[TOSS]).await;
        let plan = s.w.basic_plan().await;
        let request = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        let shown = s.engine.plan(&admin(), &request).await.expect("a plan");
        assert!(matches!(
            s.act(card(customer, STRIPE, "later")).await,
            Outcome::Done(_)
        ));
        let before = (toss.count(Step::Charge), stripe.count(Step::Prepare));
        toss.trouble(Step::Charge, Trouble::NotSent);
        let applied = s.engine.apply(&admin(), &request, &shown.fingerprint).await;
        assert!(matches!(applied, Err(VerbError::Stale)), "{applied:?}");
        let after = (toss.count(Step::Charge), stripe.count(Step::Prepare));
        assert_eq!(after, before);
    })
    .await;
}

#[tokio::test]
async fn n03_a_paused_subscription_is_not_charged_in_anothers_place() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        subscribed(&s, "key-one", &[TOSS, STRIPE]).await;
        s.w.advance_days(31).await;
        toss.trouble(Step::Charge, Trouble::NotSent);
        s.run().await;
        assert_eq!(s.state().await, "ready");
        s.w.execute("update subscription set state = 'paused', next_due_at = null")
            .await;
        toss.trouble(Step::Charge, Trouble::NotSent);
        let before = stripe.count(Step::Prepare);
        s.w.expire_leases().await;
        s.reconcile().await;
        assert_eq!(stripe.count(Step::Prepare), before);
    })
    .await;
}

#[tokio::test]
async fn a_refused_key_at_one_provider_leaves_the_rows_of_the_other() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        for n in 0..3 {
            subscribed(&s, &format!("toss-{n}"), &[TOSS]).await;
        }
        for n in 0..3 {
            subscribed(&s, &format!("stripe-{n}"), &[STRIPE]).await;
        }
        let before = (toss.paid(), stripe.paid());
        s.w.advance_days(31).await;
        toss.trouble(Step::Charge, Trouble::KeyRefused);
        toss.trouble(Step::Charge, Trouble::KeyRefused);
        toss.trouble(Step::Charge, Trouble::KeyRefused);
        let run = s.run().await;
        assert_eq!((toss.paid(), stripe.paid()), (before.0, before.1 + 3));
        let reason = run.run.stop_reason.expect("a reason");
        assert!(reason.contains("toss"), "{reason}");
        assert!(!reason.contains("stripe"), "{reason}");
    })
    .await;
}

#[tokio::test]
async fn n03_rows_behind_an_open_breaker_go_to_the_next_provider_at_once() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        for n in 0..8 {
            subscribed(&s, &format!("key-{n}"), &[TOSS, STRIPE]).await;
        }
        let before = (toss.paid(), stripe.paid());
        s.w.advance_days(31).await;
        for _ in 0..8 {
            toss.trouble(Step::Charge, Trouble::NotSent);
        }
        s.run().await;
        let asked = toss.count(Step::Charge);
        s.w.expire_leases().await;
        s.reconcile().await;
        assert_eq!((toss.paid(), stripe.paid()), (before.0, before.1 + 8));
        assert_eq!(
            toss.count(Step::Charge),
            asked,
            "nobody asks behind an open breaker"
        );
    })
    .await;
}

#[tokio::test]
async fn what_the_cards_own_provider_does_not_take_is_not_sent_there() {
    with_both(TOSS_FIRST, async |s, _, stripe| {
        let plan = s.w.plan_of("tiny", 500, "month", 14).await;
        let customer = s.customer("key-one", &[STRIPE]).await;
        let request = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        assert!(matches!(s.act(request).await, Outcome::Done(_)));
        let before = stripe.count(Step::Prepare);
        s.w.advance_days(14).await;
        let run = s.run().await;
        assert_eq!(decided(&run, Decision::SkippedBelowMinimum), 1, "{run:?}");
        assert_eq!(stripe.count(Step::Prepare), before);
    })
    .await;
}

#[tokio::test]
async fn a_trial_ends_where_no_card_can_be_charged_for_it() {
    with_both("KRW toss", async |s, _, _| {
        let plan = s.w.plan_of("trial", 12_000, "month", 14).await;
        let customer = s.w.customer("key-one").await;
        let request = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        assert!(matches!(s.act(request).await, Outcome::Done(_)));
        assert!(matches!(
            s.act(card(customer, STRIPE, "visa")).await,
            Outcome::Done(_)
        ));
        s.w.advance_days(14).await;
        let run = s.run().await;
        assert_eq!(decided(&run, Decision::SkippedNoMethod), 1);
        assert_eq!(s.w.text("select state from subscription").await, "expired");
    })
    .await;
}

#[tokio::test]
async fn n03_plan_outcome_and_books_name_whom_a_press_went_to() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        let customer = s.customer("key-one", &[TOSS, STRIPE]).await;
        let request = Request::OneTime {
            customer,
            amount: crate::world::won(5_000),
            description: "once".into(),
        };
        let before = (toss.paid(), stripe.paid());
        let plan = s.engine.plan(&admin(), &request).await.expect("a plan");
        let next = plan.effects.iter().find_map(|effect| match effect {
            Effect::AskedNext { call, card } => Some((call.clone(), card.clone())),
            _ => None,
        });
        let (call, named) = next.expect("the second provider and card are on the plan");
        assert_eq!((call.provider, named.provider), (STRIPE, STRIPE));
        toss.trouble(Step::Charge, Trouble::NotSent);
        let applied = s.engine.apply(&admin(), &request, &plan.fingerprint).await;
        let Outcome::Done(receipt) = applied.expect("applied") else {
            panic!("not done");
        };
        assert_eq!((toss.paid(), stripe.paid()), (before.0, before.1 + 1));
        assert_eq!(receipt.provider, Some(STRIPE));
        assert_eq!(receipt.instead_of, Some(TOSS));
        assert_eq!(receipt.card, Some(named));
        let sent =
            s.w.text("select order_id from attempt order by id desc limit 1")
                .await;
        assert_eq!(sent, call.order_id, "under the name that the plan said");
        let verb = "select verb from audit where result = 'intent' order by id desc limit 1";
        assert_eq!(s.w.text(verb).await, "one-time");
    })
    .await;
}

#[tokio::test]
async fn a_run_is_previewed_as_it_will_go() {
    with_both(TOSS_FIRST, async |s, toss, _| {
        subscribed(&s, "at-stripe", &[STRIPE]).await;
        subscribed(&s, "at-toss", &[TOSS]).await;
        s.w.advance_days(31).await;
        let until = s.w.clock_now();
        let preview = s.engine.preview_run(until).await.expect("a preview");
        let at: Vec<_> = preview
            .rows
            .iter()
            .map(|row| (row.provider, row.kind))
            .collect();
        assert_eq!(at, [(Some(STRIPE), "renewal"), (Some(TOSS), "renewal")]);
        let alone: [Arc<dyn Provider>; 1] = [toss.clone()];
        let host = s.w.engine_of("without stripe", &alone).await;
        let preview = host.preview_run(until).await.expect("a preview");
        assert_eq!(preview.rows[0].kind, "no provider");
        assert_eq!(preview.totals, [preview.rows[1].amount]);
    })
    .await;
}

/// The customer's cards at these two, in this order.
async fn cards_of(s: &Scene) -> (MethodId, MethodId) {
    let at = |sql| async move { MethodId(s.w.number(sql).await) };
    (
        at("select max(id) from payment_method where provider = 'toss'").await,
        at("select max(id) from payment_method where provider = 'stripe'").await,
    )
}

#[tokio::test]
async fn n04_the_card_that_is_chosen_is_charged_next() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        subscribed(&s, "key-one", &[TOSS, STRIPE]).await;
        let before = (toss.paid(), stripe.paid());
        let (_, at_stripe) = cards_of(&s).await;
        let choose = Request::UseMethod { method: at_stripe };
        let plan = s.engine.plan(&admin(), &choose).await.expect("a plan");
        assert_eq!(plan.effects, [Effect::ChargedByCard(1)]);
        assert!(matches!(s.act(choose.clone()).await, Outcome::Done(_)));
        assert!(matches!(s.act(choose).await, Outcome::AlreadyDone(_)));
        s.w.advance_days(31).await;
        s.run().await;
        assert_eq!((toss.paid(), stripe.paid()), (before.0, before.1 + 1));
        let signed = "select count(*) from audit where verb = 'swap-card' and reason = 'used'";
        assert_eq!(s.w.number(signed).await, 2);
    })
    .await;
}

#[tokio::test]
async fn n04_a_card_is_not_charged_from_the_moment_it_is_to_be_forgotten() {
    with_both(TOSS_FIRST, async |s, toss, stripe| {
        subscribed(&s, "key-one", &[TOSS, STRIPE]).await;
        let before = (toss.paid(), stripe.paid());
        let (at_toss, _) = cards_of(&s).await;
        let forget = Request::DeleteMethod { method: at_toss };
        toss.trouble(Step::Forget, Trouble::LostAfter);
        let plan = s.engine.plan(&admin(), &forget).await.expect("a plan");
        assert_eq!(plan.effects, [Effect::LeftWithoutCard(1)]);
        let lost = s.engine.apply(&admin(), &forget, &plan.fingerprint).await;
        assert_eq!(
            lost.expect_err("nobody knows").to_string(),
            "refused: toss did not confirm that it forgot the card"
        );
        // The rules name another card, and this one is left alone whatever the provider did.
        s.w.advance_days(31).await;
        s.run().await;
        assert_eq!((toss.paid(), stripe.paid()), (before.0, before.1 + 1));
        assert!(matches!(s.act(forget).await, Outcome::Done(_)));
        assert_eq!(toss.count(Step::Forget) % 2, 0);
        let choose = Request::UseMethod { method: at_toss };
        let refused = s.engine.plan(&admin(), &choose).await.expect_err("gone");
        assert!(refused.to_string().contains("deleted"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn n04_a_card_is_not_forgotten_while_a_charge_by_it_may_take_money() {
    with_both(TOSS_FIRST, async |s, toss, _| {
        subscribed(&s, "key-one", &[TOSS]).await;
        let at_toss = MethodId(s.w.number("select max(id) from payment_method").await);
        let forget = Request::DeleteMethod { method: at_toss };
        s.w.advance_days(31).await;
        let before = toss.count(Step::Forget);
        toss.trouble(Step::Charge, Trouble::LostAfter);
        s.run().await;
        let plan = s.engine.plan(&admin(), &forget).await;
        assert!(
            matches!(plan, Err(VerbError::Refused(Refused::InProgress { .. }))),
            "{plan:?}"
        );
        assert_eq!(toss.count(Step::Forget), before);
        s.w.expire_leases().await;
        s.reconcile().await;
        assert!(matches!(s.act(forget).await, Outcome::Done(_)));
    })
    .await;
}
