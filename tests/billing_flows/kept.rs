//! What must not be lost while the database is away waits on this host and is taken in by whoever comes next (F27, F38).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use paydeck::engine::{Outcome, Request};
use paydeck::store::DatabaseUrl;
use serde_json::{Value, json};

use crate::fleet::DiesAfter;
use crate::support::pg_proxy::{Cut, Proxy};
use crate::world::{Base, World, admin, on_each, on_each_tuned};

fn entries(w: &World) -> Vec<PathBuf> {
    let found = fs::read_dir(w.spool_dir());
    found
        .map(|files| files.map(|file| file.expect("a file").path()).collect())
        .unwrap_or_default()
}

/// From now on the database refuses every new row of a table.
async fn refuse(w: &World, table: &str) {
    match &w.url {
        DatabaseUrl::Sqlite(_) => {
            w.change(&format!(
                "create trigger refused before insert on {table} begin select raise(abort, 'disk full'); end"
            ))
            .await;
        }
        DatabaseUrl::Postgres(_) => {
            w.change(
                "create function refused() returns trigger language plpgsql as $$ begin raise exception 'disk full' using errcode = '53100'; end $$",
            )
            .await;
            w.change(&format!(
                "create trigger refused before insert on {table} for each row execute function refused()"
            ))
            .await;
        }
    }
}

async fn accept(w: &World, table: &str) {
    match &w.url {
        DatabaseUrl::Sqlite(_) => w.change("drop trigger refused").await,
        DatabaseUrl::Postgres(_) => w.change(&format!("drop trigger refused on {table}")).await,
    }
}

/// How often the simulator was asked for this.
async fn asked(w: &World, path: &str) -> usize {
    let log = w.control("GET", "requests", Value::Null).await;
    let requests = log["requests"].as_array().or(log.as_array());
    let is_it = |request: &&Value| request["path"].as_str().is_some_and(|p| p.contains(path));
    requests.expect("a list").iter().filter(is_it).count()
}

/// The first period was paid. What a rule refuses is set aside, and trouble of the database ends the run.
const SETTLED: &str = "select count(*) from payment";
const CARDS: &str = "select count(*) from payment_method";
const ISSUED: &str = "select count(*) from method_issue where outcome = 'issued'";

#[tokio::test]
async fn a_key_whose_row_cannot_be_saved_is_sealed_on_this_host_and_taken_in_by_the_next_process() {
    on_each(async |w| {
        let customer = w.customer("key-one").await;
        let plan = w.basic_plan().await;
        let auth_key = w.auth_key("key-one", json!({})).await;
        refuse(&w, "payment_method").await;
        let refused = w
            .act(Request::AddMethod {
                customer,
                auth_key,
                provider: None,
            })
            .await;
        refused.expect_err("nothing was saved");
        assert_eq!(w.number(CARDS).await, 0);
        let [file] = &entries(&w)[..] else {
            panic!("{:?}", entries(&w))
        };
        let mode = fs::metadata(file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(file).expect("text");

        // A look while the database still refuses leaves it where it is.
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(entries(&w).len(), 1);
        accept(&w, "payment_method").await;
        let next = w.another_engine("second").await;
        assert_eq!(next.take_in_kept(&admin()).await.expect("taken in"), 1);
        assert_eq!(next.take_in_kept(&admin()).await.expect("nothing"), 0);
        assert!(entries(&w).is_empty());
        assert_eq!(w.number(CARDS).await, 1);
        assert_eq!(w.number(ISSUED).await, 1);
        for key in w.billing_keys().await {
            assert!(!text.contains(&key), "the plain key is on the disk");
        }
        let pages = "select count(*) from outbox where kind = 'page' and payload like '%kept_key%'";
        assert_eq!(w.number(pages).await, 1);
        assert_eq!(asked(&w, "authorizations/issue").await, 1);

        // The card is a card like any other.
        let subscribed = w
            .act(Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            })
            .await;
        assert!(matches!(subscribed, Ok(Outcome::Done(_))), "{subscribed:?}");
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn a_process_that_dies_after_the_key_was_issued_leaves_it_for_the_next() {
    on_each(async |w| {
        let customer = w.customer("key-one").await;
        let mut found = 0;
        // How often a call waits differs: the walk is repeated until a death fell there.
        for round in 0..400 {
            let waits = round % 40;
            let auth_key = w.auth_key("key-one", json!({})).await;
            let add = Request::AddMethod {
                customer,
                auth_key,
                provider: None,
            };
            let plan = w.plan(&add).await.expect("a plan");
            let before = w.number(CARDS).await;
            let operator = admin();
            let apply = w.engine.apply(&operator, &add, &plan.fingerprint);
            let is_over = DiesAfter::new(apply, waits).await.is_some();
            if !entries(&w).is_empty() {
                found += 1;
                let next = w.another_engine(&format!("after {round}")).await;
                next.reconcile_once(&operator).await.expect("looked");
                assert!(entries(&w).is_empty());
                assert_eq!(w.number(CARDS).await, before + 1);
            }
            if is_over && found > 0 {
                break;
            }
        }
        assert!(found > 0, "no death fell between the answer and its row");
        let actives = "select count(*) from payment_method where state = 'active'";
        assert_eq!(w.number(actives).await, 1);
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_settled_is_evidence_later_and_asks_for_no_look_up() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        refuse(&w, "evidence").await;
        let until = w.clock_now();
        let ended = w.engine.billing_run(&admin(), until, &mut |_| {}).await;
        assert_eq!(w.number(SETTLED).await, 1, "{ended:?}");
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.open_attempts().await, 1);
        let [file] = &entries(&w)[..] else {
            panic!("{:?}", entries(&w))
        };
        let text = fs::read_to_string(file).expect("text");
        for key in w.billing_keys().await {
            assert!(!text.contains(&key), "a secret is on the disk");
        }
        accept(&w, "evidence").await;
        let next = w.another_engine("second").await;
        assert_eq!(next.take_in_kept(&admin()).await.expect("taken in"), 1);
        assert!(entries(&w).is_empty());
        assert_eq!(w.open_attempts().await, 0);
        assert_eq!(asked(&w, "payments/orders").await, 0);
        w.settle_everything().await;
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn every_answer_of_a_run_that_cannot_settle_waits_on_this_host() {
    let few = |settings: &mut paydeck::engine::EngineSettings| settings.concurrency = 3;
    on_each_tuned(few, async |w| {
        let (_, pattern) = w.subscriber("key-one").await;
        w.many_like(pattern, 7).await;
        w.advance_days(31).await;
        // Some answer at once, others while the run is ending already.
        w.fault("charge", json!({ "kind": "slow", "ms": 400 }), 2)
            .await;
        let before = w.executed().await.0;
        refuse(&w, "evidence").await;
        let until = w.clock_now();
        let ended = w.engine.billing_run(&admin(), until, &mut |_| {}).await;
        assert_eq!(w.number(SETTLED).await, 1, "{ended:?}");
        let answered = w.executed().await.0 - before;
        assert!(answered >= 3, "{answered}");
        let kept = i64::try_from(entries(&w).len()).expect("few");
        assert_eq!(kept, answered, "an answer was dropped");
        accept(&w, "evidence").await;
        let next = w.another_engine("second").await;
        let taken = next.take_in_kept(&admin()).await.expect("taken in");
        assert_eq!(i64::from(taken), answered);
        assert_eq!(asked(&w, "payments/orders").await, 0);
        w.settle_everything().await;
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn a_late_answer_never_overrules_what_was_learnt_meanwhile() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        refuse(&w, "evidence").await;
        let until = w.clock_now();
        let ended = w.engine.billing_run(&admin(), until, &mut |_| {}).await;
        assert_eq!(w.number(SETTLED).await, 1, "{ended:?}");
        let [file] = &entries(&w)[..] else {
            panic!("{:?}", entries(&w))
        };
        let kept = fs::read(file).expect("an entry");
        fs::remove_file(file).expect("removed");
        accept(&w, "evidence").await;
        w.settle_everything().await;
        let paid = "select count(*) from payment";
        assert_eq!(w.number(paid).await, 2);
        fs::write(file, kept).expect("back again");
        let next = w.another_engine("second").await;
        assert_eq!(next.take_in_kept(&admin()).await.expect("taken in"), 1);
        assert_eq!(w.number(paid).await, 2);
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_on_the_disk_before_the_database_is_back() {
    let Some(w) = World::open(Base::Postgres, |_| {}).await else {
        return;
    };
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    let decline = json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" });
    w.fault("charge", decline, 1).await;
    w.run().await;
    let retry = Request::Retry {
        invoice: w.only_invoice().await,
    };
    let proxy = Proxy::before(&w.address()).await;
    let process = w.engine_at(&proxy.url, "behind the wire").await;
    let operator = admin();
    let plan = process.plan(&operator, &retry).await.expect("a plan");
    // The intent and the last look pass; the settlement does not.
    proxy.cut_for_good(Cut::Before, 2);
    let apply = process.apply(&operator, &retry, &plan.fingerprint);
    let kept = async {
        while entries(&w)
            .iter()
            .all(|path| path.extension() != Some("json".as_ref()))
        {
            tokio::task::yield_now().await;
        }
    };
    // The process dies while the database is still away.
    tokio::select! {
        ended = apply => panic!("{ended:?}"),
        () = kept => {}
    }
    assert_eq!(w.executed().await, (2, 0));
    assert_eq!(w.engine.take_in_kept(&operator).await.expect("taken in"), 1);
    assert_eq!(w.open_attempts().await, 0);
    assert_eq!(asked(&w, "payments/orders").await, 0);
    w.books_are_straight().await;
    w.audit_is_intact().await;
}
