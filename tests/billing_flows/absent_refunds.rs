//! A refund whose answer was lost and that its provider does not show: who may end it, when, and what if it was there
//! after all.

use std::sync::Arc;

use serde_json::json;

use paydeck::domain::attempt::{AlsoCancel, NotAbsent};
use paydeck::domain::ids::{ApprovalId, AttemptId, Noun};
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::ports::Provider;
use paydeck::engine::{Effect, Engine, Outcome, Refused, Request, WouldDo};
use paydeck::store::SqlStore;

use crate::four_eyes::{
    A_DAY_LATER, Blind, PAGES, SENT_WEEKS_AGO, absence, act_as, choi, not_executed, refused_as,
};
use crate::world::{World, admin, on_each, won};

const STATE: &str = "select state from attempt where kind = 'refund' order by id desc limit 1";
const READ_BACK: &str = "select count(*) from evidence where outcome = 'not_refunded'";

pub const FOUR_LOOKS: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
    select a.id, 'look_up', 'not_refunded', 1, a.last_sent_at + n.h * 3600000000
    from attempt a cross join (select 1 as h union all select 2 union all select 3 union all select 4) n where a.state = 'unknown'";
const A_FIFTH_LOOK: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
    select id, 'look_up', 'not_refunded', 1, last_sent_at + 5 * 3600000000 from attempt where state = 'unknown'";

fn han() -> Operator {
    Operator {
        person: "han".into(),
        roles: vec![Role::Finance],
        access: Access::ReadWrite,
        evidence: vec![("uid".into(), "1005".into())],
    }
}

/// A refund of the whole payment whose answer was lost.
async fn lost(w: &World, fault: &str) -> AttemptId {
    w.subscriber("key-one").await;
    w.fault("cancel", json!(fault), 1).await;
    let outcome = w.act(refund(w).await).await.expect("sent");
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    AttemptId(w.number("select max(id) from attempt").await)
}

async fn refund(w: &World) -> Request {
    Request::Refund {
        payment: w.last_payment().await,
        amount: RefundAmount::Full,
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    }
}

pub async fn declared(w: &World, engine: &Engine<SqlStore>, attempt: AttemptId) {
    let asked = act_as(engine, &choi(), &not_executed(attempt)).await;
    let Ok(Outcome::Asked(receipt)) = asked else {
        panic!("{asked:?}")
    };
    let id = receipt.public_id.expect("an id");
    let approval = ApprovalId(w.row(Noun::Approval, &id).await);
    let done = act_as(engine, &han(), &Request::Grant { approval }).await;
    assert!(matches!(done, Ok(Outcome::Done(_))), "{done:?}");
}

#[tokio::test]
async fn a_refund_that_stays_absent_after_its_key_is_forgotten_is_ended_by_two_persons() {
    on_each(async |w| {
        let attempt = lost(&w, "lost_before_commit").await;
        let ask = not_executed(attempt);
        let again = Request::SendAgain { attempt };
        w.plan(&again).await.expect("its key is remembered");
        let wanted = act_as(&w.engine, &choi(), &ask).await;
        assert_eq!(absence(&wanted), Some(NotAbsent::StillWanted));

        w.execute(SENT_WEEKS_AGO).await;
        let forgotten = w.act(again).await;
        assert!(
            matches!(refused_as(&forgotten), Some(Refused::KeyForgotten { .. })),
            "{forgotten:?}"
        );
        w.expire_leases().await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.executed().await, (1, 0), "it is only read back");
        assert_eq!(w.number(READ_BACK).await, 1);
        assert_eq!(w.number("select count(*) from attempt where needs_human = 1").await, 1);
        w.expire_leases().await;
        let would = w.engine.preview_reconcile(&admin()).await.expect("a preview");
        assert_eq!(would[0].would, WouldDo::LookUp);
        let few = act_as(&w.engine, &choi(), &ask).await;
        assert_eq!(absence(&few), Some(NotAbsent::TooFewLookUps { have: 1 }));

        w.execute(FOUR_LOOKS).await;
        let plan = w.engine.plan(&choi(), &ask).await.expect("a plan");
        assert!(plan.effects.contains(&Effect::RefundableAfter(won(9_900))));
        declared(&w, &w.engine, attempt).await;
        assert_eq!(w.text(STATE).await, "not_executed");
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        assert_eq!(
            w.number("select count(*) from attempt where state = 'not_executed' and next_check_at is not null").await,
            1,
            "it is looked for tomorrow"
        );
        assert_eq!(w.text("select state from invoice").await, "paid");

        let after_all = refund(&w).await;
        w.act(after_all).await.expect("refunded");
        assert_eq!(w.executed().await, (1, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_turns_up_after_it_was_declared_is_booked_and_pages() {
    on_each(async |w| {
        let attempt = lost(&w, "lost_after_commit").await;
        for sql in [SENT_WEEKS_AGO, FOUR_LOOKS, A_FIFTH_LOOK] {
            w.execute(sql).await;
        }
        let blind: Arc<dyn Provider> = Arc::new(Blind(w.provider.clone()));
        let misled = w.engine_with("misled", &blind).await;
        declared(&w, &misled, attempt).await;
        assert_eq!(
            w.number("select reserved_minor + refunded_minor from payment")
                .await,
            0
        );
        let pages = w.number(PAGES).await;
        w.execute(A_DAY_LATER).await;
        w.reconcile().await;
        assert_eq!(w.text(STATE).await, "succeeded");
        assert_eq!(w.number("select refunded_minor from payment").await, 9_900);
        assert_eq!(w.number(PAGES).await, pages + 1);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_the_provider_lists_is_settled_instead_of_declared() {
    on_each(async |w| {
        let attempt = lost(&w, "lost_after_commit").await;
        for sql in [SENT_WEEKS_AGO, FOUR_LOOKS, A_FIFTH_LOOK] {
            w.execute(sql).await;
        }
        let listed = act_as(&w.engine, &choi(), &not_executed(attempt)).await;
        assert_eq!(refused_as(&listed), Some(&Refused::Listed));
        assert_eq!(w.text(STATE).await, "succeeded");
        w.books_are_straight().await;
    })
    .await;
}
