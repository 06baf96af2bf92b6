//! The first screen after whatever happened: every figure that is kept while rows are written equals
//! what the rows themselves come to, and nobody who writes at the same time makes it drift.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{CustomerId, InvoiceId, PlanId, SubscriptionId};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::period::{day_start, local_date};
use paydeck::engine::queries::{LocalDay, Overview, Reads, RenewalDay, RenewalFlag, Window};
use paydeck::engine::{Outcome, Request};

use crate::world::{World, admin, on_each, on_each_tuned};

/// A small generator: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn days_from(first: NaiveDate, count: u64) -> Vec<LocalDay> {
    (0..count)
        .map(|after| {
            let date = first + Days::new(after);
            LocalDay {
                date,
                from: day_start(date, Seoul),
                to: day_start(date + Days::new(1), Seoul),
            }
        })
        .collect()
}

/// What is overdue, the rest of today, and six days: the first two part at any instant.
fn ahead(today: NaiveDate, now: DateTime<Utc>) -> Vec<LocalDay> {
    let mut days = days_from(today, 7);
    days[0].from = now;
    days.insert(0, LocalDay::overdue(today, now));
    days
}

pub fn window(now: DateTime<Utc>) -> Window {
    let today = local_date(now, Seoul);
    Window {
        now,
        days: days_from(today - Days::new(29), 30),
        year_ago: vec![],
        week_ahead: ahead(today, now),
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).expect("a count")
}

/// What a subscription must be to have begun or ended.
const WAS_ACTIVE: &str =
    "(s.state <> 'expired' or s.paid_until is not null or s.trial_until is not null)";

/// The rows of a world, asked for one figure at a time.
struct Told<'w> {
    world: &'w World,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    first: NaiveDate,
    last: NaiveDate,
}

impl Told<'_> {
    async fn number(&self, sql: &str) -> i64 {
        self.world.ask(sql).await
    }

    async fn subscriptions(&self, states: &str) -> u64 {
        let sql = format!("select count(*) from subscription where state in ({states})");
        count(self.number(&sql).await)
    }

    /// In twelfths of a minor unit, so that nothing is rounded.
    async fn mrr(&self, states: &str) -> i64 {
        let sql = format!(
            "select coalesce(cast(sum(t.price_minor * t.quantity * case t.interval_unit \
             when 'month' then 12 when 'quarter' then 4 else 1 end / t.interval_count) as bigint), 0) \
             from subscription s join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
             where s.state in ({states})"
        );
        self.number(&sql).await
    }

    async fn began(&self) -> u64 {
        let (from, to) = (self.from.timestamp_micros(), self.to.timestamp_micros());
        let sql = format!(
            "select count(*) from subscription_term t join subscription s on s.id = t.subscription_id \
             where t.from_at >= {from} and t.from_at < {to} and s.state <> 'incomplete' and {WAS_ACTIVE} \
             and not exists (select 1 from subscription_term e where e.subscription_id = t.subscription_id and e.term_no < t.term_no)"
        );
        count(self.number(&sql).await)
    }

    async fn ended(&self) -> u64 {
        let (from, to) = (self.from.timestamp_micros(), self.to.timestamp_micros());
        let sql = format!(
            "select count(*) from subscription s where s.ended_at >= {from} and s.ended_at < {to} and {WAS_ACTIVE}"
        );
        count(self.number(&sql).await)
    }

    fn declined(&self) -> String {
        let (first, last) = (self.first, self.last);
        format!(
            "from attempt where state = 'declined' and kind = 'charge' and settled_on >= '{first}' and settled_on <= '{last}'"
        )
    }

    async fn attempts(&self) -> [u64; 4] {
        let declined = self.declined();
        let (first, last) = (self.first, self.last);
        let mut figures = [0; 4];
        for (figure, sql) in figures.iter_mut().zip([
            format!("select count(*) {declined}"),
            format!("select count(distinct invoice_id) {declined}"),
            format!("select count(*) from invoice where state = 'paid' and id in (select invoice_id {declined})"),
            format!(
                "select count(*) from attempt where state = 'succeeded' and kind = 'charge' and settled_on >= '{first}' and settled_on <= '{last}'"
            ),
        ]) {
            *figure = count(self.number(&sql).await);
        }
        figures
    }

    async fn codes(&self) -> Vec<String> {
        let declined = self.declined();
        let sql = format!(
            "select refusal_code || ' ' || count(*) {declined} and refusal_code is not null \
             group by refusal_code, refusal_class order by count(*) desc, refusal_code limit 8"
        );
        self.world.column(&sql).await
    }

    async fn renewals(&self, day: &LocalDay) -> (u64, i64, Vec<(RenewalFlag, u64)>) {
        let (from, to) = (day.from.timestamp_micros(), day.to.timestamp_micros());
        let of_day = format!(
            "from subscription s join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
             left join payment_method m on m.id = s.method_id \
             where s.state in ('active', 'trialing', 'past_due') and s.next_due_at >= {from} and s.next_due_at < {to}"
        );
        let total = self.number(&format!("select count(*) {of_day}")).await;
        let amount = self
            .number(&format!(
                "select coalesce(cast(sum(t.price_minor * t.quantity) as bigint), 0) {of_day} \
                 and (s.cancel_at is null or s.cancel_at > s.next_due_at)"
            ))
            .await;
        // A card is good to the end of its month, in the month in which the charge was due.
        let cards = format!(
            "select s.next_due_at || ' ' || (m.exp_year * 12 + m.exp_month) {of_day} and m.exp_year is not null"
        );
        let cards = self.world.column(&cards).await;
        let expired = cards.iter().filter(|card| {
            let (due, good_to) = card.split_once(' ').expect("two numbers");
            let due: i64 = due.parse().expect("a time");
            let due = DateTime::from_timestamp_micros(due).expect("in range");
            let due = local_date(due, Seoul);
            let month = i64::from(due.year()) * 12 + i64::from(due.month());
            good_to.parse::<i64>().expect("a month") < month
        });
        let expired = u64::try_from(expired.count()).expect("few");
        let mut flags = Vec::new();
        if expired > 0 {
            flags.push((RenewalFlag::CardExpires, expired));
        }
        for (flag, holds) in [
            (RenewalFlag::KeyDeleted, "m.state = 'deleted'".to_owned()),
            (RenewalFlag::NoMethod, "s.method_id is null".to_owned()),
            (RenewalFlag::PastDue, "s.state = 'past_due'".to_owned()),
            (RenewalFlag::Ends, "s.cancel_at <= s.next_due_at".to_owned()),
            (RenewalFlag::TrialEnds, "s.state = 'trialing'".to_owned()),
        ] {
            let n = self
                .number(&format!("select count(*) {of_day} and {holds}"))
                .await;
            if n > 0 {
                flags.push((flag, count(n)));
            }
        }
        (count(total), amount, flags)
    }
}

fn of_day(day: &RenewalDay) -> (u64, i64, Vec<(RenewalFlag, u64)>) {
    let amount = day.amounts.iter().map(|money| money.minor()).sum();
    (day.count, amount, day.flags.clone())
}

async fn the_first_screen_is_what_the_rows_say(w: &World, after: &str) {
    let window = window(w.clock_now());
    let (first, last) = (window.days[0], window.days[29]);
    let told = Told {
        world: w,
        from: first.from,
        to: last.to,
        first: first.date,
        last: last.date,
    };
    let shown: Overview = w.engine.store().overview(&window).await.expect("figures");
    assert_eq!(
        [shown.active, shown.past_due, shown.trialing],
        [
            told.subscriptions("'active', 'past_due'").await,
            told.subscriptions("'past_due'").await,
            told.subscriptions("'trialing'").await
        ],
        "subscriptions {after}"
    );
    for (sums, states) in [
        (&shown.mrr, "'active', 'past_due'"),
        (&shown.at_risk, "'past_due'"),
    ] {
        let twelfths = told.mrr(states).await;
        assert_eq!(twelfths % 12, 0, "prices of this test divide");
        let sum: i64 = sums.iter().map(|money| money.minor()).sum();
        assert_eq!(sum, twelfths / 12, "MRR in {states} {after}");
    }
    assert_eq!(
        [shown.new, shown.ended],
        [told.began().await, told.ended().await],
        "begun and ended {after}"
    );
    assert_eq!(
        [
            shown.failed_attempts,
            shown.failed_invoices,
            shown.recovered_invoices,
            shown.succeeded_attempts
        ],
        told.attempts().await,
        "attempts {after}"
    );
    let codes: Vec<String> = shown
        .codes
        .iter()
        .map(|code| format!("{} {}", code.code, code.count))
        .collect();
    assert_eq!(codes, told.codes().await, "codes {after}");
    for day in &shown.renewals {
        assert_eq!(
            of_day(day),
            told.renewals(&day.day).await,
            "renewals of {} {after}",
            day.day.date
        );
    }
    tallies_agree(w, after).await;
}

async fn tallies_agree(w: &World, after: &str) {
    let differing = w.engine.store().differing_tallies().await;
    assert_eq!(differing.expect("tallies"), [] as [&str; 0], "{after}");
}

/// A person or a machine does something; what is refused is part of the story too.
async fn something_happens(w: &World, dice: &mut Dice, plans: &[PlanId], step: u64) -> String {
    let some = |dice: &mut Dice, most: i64| {
        i64::try_from(dice.below(count(most).max(1))).expect("small") + 1
    };
    let last = w.ask("select coalesce(max(id), 0) from subscription").await;
    let subscription = SubscriptionId(some(dice, last));
    let chance = dice.below(14);
    match chance {
        0..=2 => {
            let key = format!("customer-{step:03}");
            let customer = w.customer(&key).await;
            w.card(customer, &key, json!({})).await;
            // The provider does not say when a card expires; a person may have written it down.
            let year = [2024, 2026, 2030][usize::try_from(dice.below(3)).expect("small")];
            w.change(&format!(
                "update payment_method set exp_year = {year}, exp_month = 4 where customer_id = {}",
                customer.0
            ))
            .await;
            if dice.below(4) == 0 {
                let code = ["REJECT_CARD_PAYMENT", "EXCEED_MAX_AMOUNT"]
                    [usize::try_from(dice.below(2)).expect("small")];
                w.fault("charge", json!({ "kind": "decline", "code": code }), 1)
                    .await;
            }
            let plan = plans[usize::try_from(dice.below(4)).expect("small")];
            let quantity = u32::try_from(dice.below(3)).expect("small") + 1;
            let request = Request::Subscribe {
                customer,
                plan,
                quantity,
            };
            format!(
                "a subscription was asked for: {:?}",
                w.act(request).await.map(told)
            )
        }
        3..=5 => {
            w.set_time(
                w.clock_now()
                    + TimeDelta::minutes(i64::try_from(dice.below(60 * 24 * 9)).expect("small")),
            )
            .await;
            let declines = dice.below(2);
            if declines > 0 {
                let code = [
                    "REJECT_CARD_PAYMENT",
                    "INVALID_STOPPED_CARD",
                    "PROVIDER_ERROR",
                ][usize::try_from(dice.below(3)).expect("small")];
                w.fault(
                    "charge",
                    json!({ "kind": "decline", "code": code }),
                    declines,
                )
                .await;
            }
            format!("a run: {:?}", w.run().await)
        }
        6 => {
            let request = Request::CancelNow {
                subscription,
                reason: "asked".into(),
            };
            format!(
                "cancel {subscription:?} now: {:?}",
                w.act(request).await.map(told)
            )
        }
        7 => {
            let request = Request::CancelAtEnd {
                subscription,
                reason: "asked".into(),
            };
            format!(
                "cancel {subscription:?} at its end: {:?}",
                w.act(request).await.map(told)
            )
        }
        8 => {
            let request = Request::UndoCancel { subscription };
            format!(
                "undo the cancel of {subscription:?}: {:?}",
                w.act(request).await.map(told)
            )
        }
        9 => {
            let customer = CustomerId(some(
                dice,
                w.ask("select coalesce(max(id), 0) from customer").await,
            ));
            let key = w
                .column(&format!(
                    "select customer_key from customer where id = {}",
                    customer.0
                ))
                .await;
            let Some(key) = key.first() else {
                return "nobody".into();
            };
            w.card(customer, key, json!({})).await;
            format!("a new card of {customer:?}")
        }
        10 => {
            let payment = w
                .ask("select coalesce(max(id), 0) from payment where refunded_minor = 0")
                .await;
            let request = Request::Refund {
                payment: paydeck::domain::ids::PaymentId(payment),
                amount: RefundAmount::Full,
                reason: "asked".into(),
                also_cancel: if dice.below(2) == 0 {
                    AlsoCancel::Now
                } else {
                    AlsoCancel::No
                },
            };
            format!("refund {payment}: {:?}", w.act(request).await.map(told))
        }
        _ => {
            let owed = w
                .ask("select coalesce(max(id), 0) from invoice where state in ('open', 'uncollectible') and first_failed_at is not null")
                .await;
            let request = Request::Retry {
                invoice: InvoiceId(owed),
            };
            format!("retry {owed}: {:?}", w.act(request).await.map(told))
        }
    }
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        _ => "not done",
    }
}

async fn four_plans(w: &World) -> [PlanId; 4] {
    [
        w.plan_of("basic", 9_900, "month", 0).await,
        w.plan_of("pro", 27_000, "quarter", 0).await,
        w.plan_of("ent", 198_000, "year", 0).await,
        w.plan_of("trial", 9_900, "month", 14).await,
    ]
}

#[tokio::test]
async fn the_first_screen_equals_the_rows_whatever_the_engine_writes() {
    on_each(async |w| {
        let plans = four_plans(&w).await;
        let mut dice = Dice(20_260_310);
        for step in 0..80 {
            let happened = something_happens(&w, &mut dice, &plans, step).await;
            if dice.below(4) == 0 {
                let limit = u32::try_from(dice.below(5)).expect("small");
                w.engine.store().refresh_figures(limit).await.expect("refresh");
            }
            let after = format!("after step {step}, {happened}");
            tallies_agree(&w, &after).await;
            if step % 5 == 4 {
                the_first_screen_is_what_the_rows_say(&w, &after).await;
            }
        }
        // The story is worth telling only if all of it happened.
        for (what, sql) in [
            ("past due", "select count(*) from subscription_change where to_state = 'past_due'"),
            ("ended", "select count(*) from subscription where ended_at is not null"),
            ("declined", "select count(*) from attempt where state = 'declined'"),
            ("recovered", "select count(*) from invoice i where state = 'paid' and exists (select 1 from attempt a where a.invoice_id = i.id and a.state = 'declined')"),
        ] {
            assert!(w.ask(sql).await > 0, "nothing was {what}");
        }
        w.books_are_straight().await;
    })
    .await;
}

/// Statements past the engine, in every order the triggers must bear.
#[tokio::test]
async fn tallies_follow_rows_that_are_changed_by_hand() {
    on_each(async |w| {
        let (_, first) = w.subscriber("key-one").await;
        w.many_like(first, 12).await;
        w.execute("update payment_method set exp_year = 2026, exp_month = 3").await;
        for (at, statement) in [
            "update subscription set state = 'past_due' where id % 3 = 0",
            "update subscription_term set price_minor = price_minor + 100, quantity = 2 where id % 2 = 0",
            "update payment_method set state = 'deleted', deleted_at = created_at",
            "update subscription set cancel_at = next_due_at where id % 4 = 0",
            "update subscription set next_due_at = next_due_at + 86400000000 * id",
            "update subscription set method_id = null where id % 5 = 0",
            "update payment_method set state = 'active', deleted_at = null, exp_year = null, exp_month = null",
            "update subscription set state = 'canceled', ended_at = created_at + 3600000000 where id % 7 = 0",
            "update subscription set state = 'expired', paid_until = null, ended_at = created_at where id % 6 = 0",
            "update subscription set trial_until = created_at where id % 6 = 0",
            "update subscription set term_no = 2 where id = 1",
            "insert into subscription_term (subscription_id, term_no, plan_id, anchor_date, zone, interval_unit, interval_count, quantity, price_minor, currency, from_at) \
             select subscription_id, 2, plan_id, anchor_date, zone, 'year', 1, 3, 500, currency, from_at + 1 from subscription_term where subscription_id = 1",
            "insert into subscription_term (subscription_id, term_no, plan_id, anchor_date, zone, interval_unit, interval_count, quantity, price_minor, currency, from_at) \
             select subscription_id, 2, plan_id, anchor_date, zone, 'week', 2, 1, 700, currency, from_at + 1 from subscription_term where subscription_id = 2",
            "update subscription set term_no = 2, method_id = (select min(id) from payment_method) where id in (2, 5, 10)",
        ]
        .into_iter()
        .enumerate()
        {
            w.change(statement).await;
            if at % 3 == 1 {
                w.engine.store().refresh_figures(1).await.expect("refresh");
            }
            tallies_agree(&w, &format!("after {statement}")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_tally_that_was_changed_by_hand_is_noticed() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.engine.store().refresh_figures(9).await.expect("refresh");
        w.execute("update tally_renewal set amount_minor = amount_minor + 1")
            .await;
        w.execute("update tally_standing set subscriptions = subscriptions + 1")
            .await;
        let differing = w.engine.store().differing_tallies().await.expect("tallies");
        assert_eq!(differing, ["standing", "renewal"]);
    })
    .await;
}

/// Runs, people and whoever adds up, all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tallies_are_exact_after_many_wrote_at_once() {
    on_each(async |w| {
        let (_, first) = w.subscriber("key-one").await;
        w.many_like(first, 60).await;
        w.advance_days(31).await;
        w.fault(
            "charge",
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            9,
        )
        .await;
        let other = w.another_engine("second").await;
        let refresh = async {
            for _ in 0..25 {
                other.store().refresh_figures(3).await.expect("refresh");
                tokio::task::yield_now().await;
            }
        };
        let cancel = async {
            for id in [5, 17, 33] {
                let request = Request::CancelNow {
                    subscription: SubscriptionId(id),
                    reason: "asked".into(),
                };
                // Somebody may be charging it: that is refused.
                if let Ok(plan) = other.plan(&admin(), &request).await {
                    let _refused = other.apply(&admin(), &request, &plan.fingerprint).await;
                }
            }
        };
        let billed = async { w.run().await };
        tokio::join!(billed, refresh, cancel);
        w.reconcile().await;
        the_first_screen_is_what_the_rows_say(&w, "after everybody wrote at once").await;
    })
    .await;
}

#[tokio::test]
async fn a_renewal_that_is_long_overdue_is_flagged_by_the_month_in_which_it_was_due() {
    on_each(async |w| {
        let (customer, _) = w.subscriber("key-one").await;
        // Good in the month of the charge, and not any more when it is looked at.
        w.change(&format!(
            "update payment_method set exp_year = 2026, exp_month = 4 where customer_id = {}",
            customer.0
        ))
        .await;
        for days in [31, 40, 120, 400] {
            w.set_time(w.clock_now() + TimeDelta::days(days)).await;
            the_first_screen_is_what_the_rows_say(&w, &format!("{days} days later")).await;
        }
        let now = w.clock_now();
        let overdue = LocalDay::overdue(local_date(now, Seoul), now);
        let shown = w.engine.store().renewal_days(&[overdue]).await;
        assert_eq!(shown.expect("days")[0].flags, []);
    })
    .await;
}

#[tokio::test]
async fn a_call_whose_answer_is_waited_for_is_not_unknown_on_the_first_screen() {
    let long = |settings: &mut paydeck::engine::EngineSettings| settings.lease_s = 120;
    on_each_tuned(long, async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.fault("charge", json!({ "kind": "slow", "ms": 60_000 }), 1)
            .await;
        let shown = async || {
            let overview = w.engine.store().overview(&window(w.clock_now())).await;
            let overview = overview.expect("figures");
            (overview.unknown, overview.oldest_unknown_at.is_some())
        };
        let operator = admin();
        let mut progress = |_| {};
        let run = w
            .engine
            .billing_run(&operator, w.clock_now(), &mut progress);
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = w.until_sent() => {}
        }
        assert_eq!(shown().await, (0, false));
        assert_eq!(w.engine.store().count_unknown().await.expect("a count"), 0);
        // Nobody waits any more.
        w.change("update attempt set lease_until = 0 where state = 'sent'")
            .await;
        assert_eq!(shown().await, (1, true));
    })
    .await;
}
