//! The demo generator: what it makes is what real use would have left, on both sides, to the won.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod demo_support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use chrono::{DateTime, Utc};
use demo_support::{Made, NOW, demo, options};
use paydeck::demo::DemoError;
use paydeck::domain::audit::{AuditEntry, AuditRecord, is_intact};
use paydeck::domain::customer::SealedKey;
use paydeck::domain::ids::PublicId;
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::{Interval, Unit};
use paydeck::domain::revenue::Mrr;
use paydeck::domain::states::SubscriptionState;
use paydeck::engine::ports::{KeyVault as _, SealedFor};
use paydeck::vault::Vault;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// One demo for all tests that only read.
fn with_demo<T>(look: impl AsyncFnOnce(&Made) -> T) -> T {
    static MADE: std::sync::OnceLock<Made> = std::sync::OnceLock::new();
    let made = MADE.get_or_init(|| runtime().block_on(demo(options(1_200, None, 7))));
    runtime().block_on(look(made))
}

fn at(row: &SqliteRow, column: &str) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(row.get::<i64, _>(column)).unwrap()
}

#[test]
fn nothing_in_it_breaks_a_rule_of_the_database() {
    with_demo(async |made| {
        assert_eq!(
            made.number("select count(*) from pragma_foreign_key_check")
                .await,
            0
        );
        assert_eq!(
            made.text("select quick_check from pragma_quick_check")
                .await,
            "ok"
        );
        for (table, sql) in [
            ("payment", "select count(*) from payment"),
            ("attempt", "select count(*) from attempt"),
            ("refund", "select count(*) from refund"),
            ("subscription", "select count(*) from subscription"),
            ("customer", "select count(*) from customer"),
        ] {
            assert!(made.number(sql).await > 0, "{table}");
        }
        let counted = made.number("select count(*) from payment").await;
        assert_eq!(u64::try_from(counted), Ok(made.prepared.payments));
    });
}

#[test]
fn the_simulator_knows_exactly_the_payments_and_refunds_that_we_know() {
    with_demo(async |made| {
        let ours: Vec<String> = made
            .texts(
                "select provider_ref || ' ' || order_id || ' ' || captured_minor || ' ' || captured_at || ' '
                 || refunded_minor from payment order by 1",
            )
            .await;
        let unknown = "select order_id from attempt where state = 'unknown'";
        let unknown = made.texts(unknown).await;
        let theirs: Vec<String> = made
            .sandbox_texts(
                "select payment_key || ' ' || order_id || ' ' || amount || ' ' || approved_at || ' '
                 || (select coalesce(sum(c.amount), 0) from cancel c where c.payment_id = p.payment_id
                     and instr(c.reason, '[rf:') > 0)
                 from payment p where p.status in ('DONE', 'CANCELED', 'PARTIAL_CANCELED') order by 1",
            )
            .await
            .into_iter()
            .filter(|row| !unknown.iter().any(|order| row.contains(order)))
            .collect();
        let lost = lost_refunds(made).await;
        let theirs: Vec<String> = theirs
            .into_iter()
            .map(|row| match lost.get(row.split(' ').next().unwrap()) {
                Some(amount) => {
                    let (head, refunded) = row.rsplit_once(' ').unwrap();
                    let refunded: i64 = refunded.parse().unwrap();
                    format!("{head} {}", refunded - amount)
                }
                None => row,
            })
            .collect();
        assert_eq!(ours, theirs);
        let sent = "select transaction_key || ' ' || amount_minor || ' ' || refunded_at from refund order by 1";
        let kept =
            "select transaction_key || ' ' || amount || ' ' || canceled_at from cancel order by 1";
        let (sent, kept) = (made.texts(sent).await, made.sandbox_texts(kept).await);
        assert_eq!(kept.len(), sent.len() + lost.len());
        assert!(sent.iter().all(|refund| kept.contains(refund)));
    });
}

/// Refunds that the simulator made and whose answer was lost: payment key and amount.
async fn lost_refunds(made: &Made) -> BTreeMap<String, i64> {
    let kept = made
        .sandbox_texts("select reason from cancel order by transaction_key")
        .await;
    let open = "select provider_ref, order_id, amount_minor from attempt where state = 'unknown' and kind = 'refund'";
    let mut lost = BTreeMap::new();
    for row in made.rows(open).await {
        let tag: String = row.get("order_id");
        if kept.iter().any(|reason| reason.contains(&tag)) {
            lost.insert(row.get("provider_ref"), row.get("amount_minor"));
        }
    }
    lost
}

#[test]
fn some_answers_were_lost_and_the_simulator_did_some_of_them() {
    with_demo(async |made| {
        let unknown = "select order_id, kind from attempt where state = 'unknown'";
        let unknown = made.rows(unknown).await;
        assert!((3..=6).contains(&unknown.len()), "{}", unknown.len());
        assert!(
            unknown
                .iter()
                .any(|row| row.get::<String, _>("kind") == "refund")
        );
        let orders = made.sandbox_texts("select order_id from payment").await;
        let charges = unknown
            .iter()
            .filter(|row| row.get::<String, _>("kind") == "charge");
        let known: Vec<bool> = charges
            .map(|row| orders.contains(&row.get("order_id")))
            .collect();
        assert!(known.contains(&true) && known.contains(&false), "{known:?}");
        let reserved = "select count(*) from payment where reserved_minor > 0";
        assert!(made.number(reserved).await > 0);
    });
}

#[test]
fn every_movement_has_two_entries_that_sum_to_zero() {
    with_demo(async |made| {
        let crooked = "select count(*) from (select attempt_id from ledger group by attempt_id
            having sum(amount_minor) <> 0 or count(*) <> 2)";
        assert_eq!(made.number(crooked).await, 0);
        let owed = "select coalesce(sum(amount_minor), 0) from ledger where account = 'provider'";
        let kept = "select sum(captured_minor - refunded_minor) from payment";
        assert_eq!(made.number(owed).await, made.number(kept).await);
        let refunds = "select coalesce(sum(amount_minor), 0) from refund";
        let gone = "select sum(refunded_minor) from payment";
        assert_eq!(made.number(refunds).await, made.number(gone).await);
    });
}

#[test]
fn the_audit_chain_holds_from_the_first_record_to_the_last() {
    with_demo(async |made| {
        let rows = made.rows("select * from audit order by seq").await;
        let mut before: Option<AuditRecord> = None;
        for row in &rows {
            let record = AuditRecord {
                chain: row.get("chain"),
                seq: row.get("seq"),
                prev: row.get("prev"),
                hash: row.get("hash"),
                entry: AuditEntry {
                    at: at(row, "at"),
                    person: row.get("person"),
                    claims: row.get("claims"),
                    mode: Mode::parse(&row.get::<String, _>("mode")).unwrap(),
                    verb: row.get("verb"),
                    target: row.get("target"),
                    before: row.get("state_before"),
                    after: row.get("state_after"),
                    reason: row.get("reason"),
                    result: row.get("result"),
                    provider_ref: row.get("provider_ref"),
                    approver: row.get("approver"),
                },
            };
            assert!(is_intact(&record, before.as_ref()), "record {}", record.seq);
            before = Some(record);
        }
        let settled = "select count(*) from attempt a where not exists
            (select 1 from audit u where u.target = a.public_id)";
        assert_eq!(made.number(settled).await, 0, "an attempt without a line");
    });
}

#[test]
fn every_history_leads_to_the_state_its_subscription_is_in() {
    with_demo(async |made| {
        let states = made.pairs("select id, state from subscription").await;
        let changes =
            "select subscription_id, from_state, to_state from subscription_change order by at, id";
        let mut now: BTreeMap<i64, SubscriptionState> = BTreeMap::new();
        for row in made.rows(changes).await {
            let parse = |text: String| SubscriptionState::parse(&text).unwrap();
            let id: i64 = row.get("subscription_id");
            let from = row.get::<Option<String>, _>("from_state").map(parse);
            let to = parse(row.get("to_state"));
            assert_eq!(from, now.get(&id).copied(), "subscription {id}");
            if let Some(from) = from
                && from != to
            {
                assert!(from.can_move_to(to), "{from} to {to}");
            }
            now.insert(id, to);
        }
        let told: BTreeMap<i64, String> = now
            .into_iter()
            .map(|(id, state)| (id, state.to_string()))
            .collect();
        assert_eq!(told, states);
    });
}

fn mrr(rows: &[SqliteRow]) -> Money {
    let mut sum = Mrr::zero(Currency::KRW);
    for row in rows {
        let price = Money::new(row.get("price_minor"), Currency::KRW);
        let quantity = u32::try_from(row.get::<i64, _>("quantity")).unwrap();
        let unit = Unit::parse(&row.get::<String, _>("interval_unit")).unwrap();
        let interval = Interval::try_new(unit, 1).unwrap();
        let one = Mrr::of(price, quantity, 0, interval).unwrap();
        sum = sum.checked_add(one).unwrap();
    }
    sum.rounded().unwrap()
}

#[test]
fn recurring_revenue_by_rows_is_recurring_revenue_by_history() {
    with_demo(async |made| {
        let by_rows = "select t.price_minor, t.quantity, t.interval_unit from subscription s
            join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no
            where s.state in ('active', 'past_due')";
        let by_history =
            "select c.price_minor, c.quantity, p.interval_unit from subscription_change c
            join plan p on p.id = c.plan_id
            where c.to_state in ('active', 'past_due') and c.id =
              (select l.id from subscription_change l where l.subscription_id = c.subscription_id
               order by l.at desc, l.id desc limit 1)";
        let (rows, history) = (made.rows(by_rows).await, made.rows(by_history).await);
        assert_eq!(mrr(&rows), mrr(&history));
        assert!(mrr(&rows).is_positive());
    });
}

#[test]
fn every_stored_key_opens_to_the_key_that_the_simulator_issued() {
    with_demo(async |made| {
        let vault = Vault::load(&made.prepared.key_file).unwrap();
        let issued = made
            .sandbox_texts("select billing_key from card order by card_id")
            .await;
        let methods = "select public_id, sealed, key_id, key_hash from payment_method order by id";
        let methods = made.rows(methods).await;
        assert_eq!(methods.len(), issued.len());
        for (row, issued) in methods.iter().zip(issued) {
            let id = PublicId::from_stored(row.get("public_id"));
            let sealed = SealedKey {
                sealed: row.get("sealed"),
                key_id: row.get("key_id"),
                hash: row.get("key_hash"),
            };
            let place = SealedFor {
                method: &id,
                provider: ProviderName::Toss,
                mode: Mode::Sim,
            };
            let key = vault.open(place, &sealed).unwrap();
            assert_eq!(key.expose(), issued);
            assert_eq!(vault.hash(&key), sealed.hash);
        }
    });
}

#[test]
fn the_figures_of_every_day_are_those_of_its_rows() {
    with_demo(async |made| {
        let kept = "select day || ' ' || plan_id || ' ' || captured_minor || ' ' || captured_count from daily_figure
            where captured_count > 0 order by 1";
        let raw = "select captured_on || ' ' || coalesce(plan_id, 0) || ' ' || sum(captured_minor) || ' ' || count(*)
            from payment group by captured_on, coalesce(plan_id, 0) order by 1";
        assert_eq!(made.texts(kept).await, made.texts(raw).await);
        let kept = "select day || ' ' || sum(refunded_minor) || ' ' || sum(refunded_count) from daily_figure
            group by day having sum(refunded_count) > 0 order by 1";
        let raw = "select refunded_on || ' ' || sum(amount_minor) || ' ' || count(*) from refund
            group by refunded_on order by 1";
        assert_eq!(made.texts(kept).await, made.texts(raw).await);
    });
}

/// What a newcomer should find, and how it is counted.
const EVERYTHING: &[(&str, &str)] = &[
    (
        "past due",
        "select count(*) from subscription where state = 'past_due'",
    ),
    (
        "unpaid",
        "select count(*) from subscription where state = 'unpaid'",
    ),
    (
        "trialing",
        "select count(*) from subscription where state = 'trialing'",
    ),
    (
        "canceled",
        "select count(*) from subscription where state = 'canceled'",
    ),
    (
        "expired",
        "select count(*) from subscription where state = 'expired'",
    ),
    (
        "ending",
        "select count(*) from subscription where cancel_at is not null and state = 'active'",
    ),
    (
        "second term",
        "select count(*) from subscription_term where term_no > 1",
    ),
    (
        "soft",
        "select count(*) from attempt where refusal_class = 'soft'",
    ),
    (
        "hard",
        "select count(*) from attempt where refusal_class = 'hard'",
    ),
    (
        "in full",
        "select count(*) from payment where refunded_minor = captured_minor",
    ),
    (
        "in part",
        "select count(*) from payment where refunded_minor between 1 and captured_minor - 1",
    ),
    (
        "replaced",
        "select count(*) from payment_method where state = 'replaced'",
    ),
    ("closed plan", "select count(*) from plan where active = 0"),
    ("runs", "select count(*) from run where state = 'finished'"),
    (
        "incomplete",
        "select count(*) from subscription where state = 'incomplete'",
    ),
    (
        "scheduled",
        "select count(*) from invoice where dunning = 'scheduled'",
    ),
    (
        "expiring",
        "select count(*) from payment_method where state = 'active' and exp_year = 2026 and exp_month < 13",
    ),
    (
        "billed by runs",
        "select count(*) from run_item where decision = 'done'",
    ),
    (
        "declined in runs",
        "select count(*) from run_item where decision = 'declined'",
    ),
    (
        "due today",
        "select count(*) from subscription where state in ('active', 'trialing')
        and next_due_at <= unixepoch('2026-11-21 05:03:00') * 1000000",
    ),
];

#[test]
fn it_has_a_bit_of_everything() {
    with_demo(async |made| {
        for (what, sql) in EVERYTHING {
            assert!(made.number(sql).await > 0, "{what}");
        }
        let of_run = "select count(*) from run_item where decision is null";
        assert_eq!(made.number(of_run).await, 0);
        let twice = "select count(*) from payment where is_duplicate = 1";
        assert_eq!(made.number(twice).await, 0);
    });
}

#[test]
fn a_card_in_trouble_declines_again_and_others_are_charged() {
    with_demo(async |made| {
        let behaviours = made
            .sandbox_texts("select distinct behaviour from card")
            .await;
        assert!(behaviours.iter().any(|text| text == "approve"));
        assert!(behaviours.iter().any(|text| text.starts_with("decline ")));
        let deleted = "select count(*) from payment_method where state = 'deleted'";
        let gone = made
            .sandbox_texts("select card_id from card where deleted_at is not null")
            .await;
        assert_eq!(
            made.number(deleted).await,
            i64::try_from(gone.len()).unwrap()
        );
    });
}

#[test]
fn the_same_options_make_the_same_rows_and_another_seed_others() {
    runtime().block_on(async {
        let first = demo(options(40, None, 3)).await.dump().await;
        let second = demo(options(40, None, 3)).await.dump().await;
        assert_eq!(first.len(), second.len());
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one, other);
        }
        assert_ne!(first, demo(options(40, None, 4)).await.dump().await);
    });
}

#[test]
fn as_many_payments_as_are_asked_for() {
    runtime().block_on(async {
        for (customers, payments) in [(None, 1_500), (Some(60), 2_000), (Some(200), 700)] {
            let mut options = options(1, Some(payments), 5);
            options.customers = customers;
            let made = demo(options).await;
            assert_eq!(made.prepared.payments, u64::from(payments));
        }
    });
}

#[test]
fn everything_lies_in_a_private_place_and_a_second_demo_is_refused() {
    runtime().block_on(async {
        let made = demo(options(5, None, 1)).await;
        let bits = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(bits(made.dir.path()) & 0o077, 0);
        assert_eq!(bits(&made.prepared.config), 0o600);
        assert_eq!(bits(&made.prepared.database), 0o600);
        assert_eq!(bits(&made.prepared.sandbox_file), 0o600);
        let environment = BTreeMap::new();
        let settings = paydeck::config::load(Some(&made.prepared.config), &environment).unwrap();
        assert_eq!(settings.mode, Mode::Sim);
        let again = paydeck::demo::prepare(made.options.clone()).await;
        assert!(matches!(again, Err(DemoError::Exists { .. })));
        assert_eq!(made.options.now, NOW.parse::<DateTime<Utc>>().unwrap());
    });
}

/// An hour before the machine's time: leases and look-ups go by the database's own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the database's clock is the machine's"
)]
fn an_hour_ago() -> DateTime<Utc> {
    Utc::now() - chrono::TimeDelta::hours(1)
}

#[test]
fn what_nobody_knew_is_found_out_and_what_is_due_is_billed_with_the_real_client() {
    runtime().block_on(async {
        let mut options = options(300, None, 11);
        options.now = an_hour_ago();
        let made = demo(options).await;
        let live = demo_support::live::start(&made).await;
        let unknown = "select count(*) from attempt where state in ('sent', 'unknown')";
        assert!(made.number(unknown).await > 0);
        for _ in 0..4 {
            live.engine.reconcile_once(&live.operator).await.unwrap();
        }
        let human = "select count(*) from attempt where needs_human = 1";
        assert_eq!(made.number(human).await, 0);
        let late = "select count(*) from subscription where state in ('active', 'trialing') and next_due_at <= ";
        let due = format!("{late}{}", made.options.now.timestamp_micros());
        let run = live
            .engine
            .billing_run(&live.operator, made.options.now, &mut |_| {})
            .await
            .unwrap();
        assert_eq!(run.undecided, 0, "{run:?}");
        assert_eq!(made.number(&due).await, 0);
        assert_eq!(made.number(unknown).await, 0);
        live.engine.store().close().await;
        live.simulator.shutdown().await;
        let ours = "select provider_ref || ' ' || (captured_minor - refunded_minor) from payment order by 1";
        let theirs = "select payment_key || ' ' || balance from payment where status in ('DONE', 'CANCELED', 'PARTIAL_CANCELED') order by 1";
        assert_eq!(made.texts(ours).await, made.sandbox_texts(theirs).await);
    });
}

#[test]
fn a_card_in_trouble_says_the_same_again_when_a_person_retries() {
    use paydeck::engine::{Outcome, Request};
    runtime().block_on(async {
        let made = demo(options(900, None, 13)).await;
        let live = demo_support::live::start(&made).await;
        let failing = "select i.id, i.last_code from invoice i join subscription s on s.id = i.subscription_id
            join payment_method m on m.id = s.method_id
            where i.state = 'open' and i.dunning = 'awaiting_card' and i.last_code is not null and m.state = 'active'
            and not exists (select 1 from attempt a where a.invoice_id = i.id and a.state = 'unknown')";
        let rows = made.rows(failing).await;
        assert!(!rows.is_empty());
        for row in rows {
            let invoice = paydeck::domain::ids::InvoiceId(row.get("id"));
            let request = Request::Retry { invoice };
            let plan = live.engine.plan(&live.operator, &request).await.unwrap();
            let outcome = live.engine.apply(&live.operator, &request, &plan.fingerprint).await;
            match outcome.unwrap() {
                Outcome::Declined { refusal, .. } => {
                    assert_eq!(refusal.code, row.get::<String, _>("last_code"));
                }
                other => assert!(matches!(other, Outcome::Declined { .. }), "{other:?}"),
            }
        }
        live.engine.store().close().await;
        live.simulator.shutdown().await;
    });
}

#[test]
fn figures_computed_again_from_all_rows_are_the_same() {
    use paydeck::engine::queries::Reads as _;
    use sqlx::Connection as _;
    runtime().block_on(async {
        let made = demo(options(80, None, 17)).await;
        let figures =
            "select day || ' ' || plan_id || ' ' || captured_minor || ' ' || captured_count || ' '
            || refunded_minor || ' ' || refunded_count from daily_figure order by 1";
        let before = made.texts(figures).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&made.prepared.database);
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        sqlx::query("insert into dirty_day (day) select distinct day from daily_figure")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let store = demo_support::live::open(&made, "figures").await;
        assert_eq!(store.refresh_figures(10_000).await.unwrap(), 0);
        store.close().await;
        assert_eq!(before, made.texts(figures).await);
    });
}
