//! The answer to a COMMIT is lost (F28): whether it was committed is read again before anything else, and money moves
//! once. On PostgreSQL alone: SQLite commits in the same process.

use paydeck::engine::{Outcome, Request, VerbError};
use serde_json::json;

use crate::support::pg_proxy::{Cut, Proxy};
use crate::world::{Base, World, admin};

/// Intent, sent, settled.
const COMMITS: usize = 3;

async fn declined(w: &World) -> Request {
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    let decline = json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" });
    w.fault("charge", decline, 1).await;
    w.run().await;
    assert_eq!(w.executed().await, (1, 0));
    Request::Retry {
        invoice: w.only_invoice().await,
    }
}

/// A retry whose so-manieth commit is cut, by a process of its own.
async fn cut_at(w: &World, retry: &Request, cut: Cut, nth: usize) -> Result<Outcome, VerbError> {
    let proxy = Proxy::before(&w.address()).await;
    let process = w.engine_at(&proxy.url, "behind the wire").await;
    let plan = process.plan(&admin(), retry).await.expect("a plan");
    proxy.cut(cut, nth);
    let outcome = process.apply(&admin(), retry, &plan.fingerprint).await;
    assert_eq!(proxy.cuts(), 1, "the wire was not cut");
    outcome
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_never_charges_twice() {
    for cut in [Cut::Before, Cut::After] {
        for nth in 0..COMMITS {
            let Some(w) = World::open(Base::Postgres, |_| {}).await else {
                return;
            };
            let retry = declined(&w).await;
            let _said = cut_at(&w, &retry, cut, nth).await;
            // The person presses again, whatever was said; then everything is looked up.
            let _pressed = w.act(retry.clone()).await;
            w.settle_everything().await;
            if w.executed().await == (1, 0) {
                w.act(retry).await.expect("a charge");
            }
            assert_eq!(w.executed().await, (2, 0), "{cut:?} at {nth}");
            w.books_are_straight().await;
            w.audit_is_intact().await;
        }
    }
}

#[tokio::test]
async fn a_settlement_whose_commit_is_unknown_is_read_again_and_told_as_it_is() {
    for cut in [Cut::Before, Cut::After] {
        let Some(w) = World::open(Base::Postgres, |_| {}).await else {
            return;
        };
        let retry = declined(&w).await;
        let outcome = cut_at(&w, &retry, cut, COMMITS - 1).await;
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.open_attempts().await, 0);
        let answers =
            "select count(*) from evidence where source = 'answer' and outcome = 'captured'";
        assert!(w.number(answers).await >= 2);
        w.books_are_straight().await;
        w.audit_is_intact().await;
    }
}
