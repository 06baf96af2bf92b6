//! Where a second person is needed for a return, what becomes of requests that are replaced or taken back, and that a
//! refused press leaves a row that says about what.

use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{ApprovalId, AttemptId, Noun, PaymentId};
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::ApprovalState;
use paydeck::engine::queries::{Reads as _, WaitingFor};
use paydeck::engine::{
    Effect, EngineSettings, Outcome, RefundAlone, RefundLimits, Refused, Request, VerbError,
};

use crate::world::{World, on_each_tuned, won};

fn person(name: &str, role: Role) -> Operator {
    Operator {
        person: name.into(),
        roles: vec![role],
        access: Access::ReadWrite,
        evidence: vec![("uid".into(), "1".into())],
    }
}

fn limits(settings: &mut EngineSettings) {
    settings.refund_alone = RefundAlone::Within(RefundLimits {
        once: vec![(Role::Support, won(5_000)), (Role::Finance, won(5_000))],
        daily_multiple: 5,
        per_day: 100,
    });
}

async fn press(w: &World, person: &Operator, request: &Request) -> Result<Outcome, VerbError> {
    let plan = w.engine.plan(person, request).await?;
    w.engine.apply(person, request, &plan.fingerprint).await
}

async fn asked(w: &World, person: &Operator, request: &Request) -> ApprovalId {
    match press(w, person, request).await.expect("asked") {
        Outcome::Asked(receipt) => {
            let id = receipt.public_id.expect("an id");
            ApprovalId(w.row(Noun::Approval, &id).await)
        }
        other => panic!("{other:?}"),
    }
}

fn ask(payment: PaymentId, amount: i64) -> Request {
    Request::AskRefund {
        payment,
        amount: RefundAmount::Partial(won(amount)),
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    }
}

/// The return of 9,900 won: a charge turned out to have succeeded after its subscription had ended.
async fn prepared_return(w: &World) -> AttemptId {
    let (_, subscription) = w.subscriber("key-one").await;
    w.advance_days(31).await;
    w.fault("charge", json!("lost_after_commit"), 1).await;
    w.run().await;
    let cancel = Request::CancelNow {
        subscription,
        reason: "asked".into(),
    };
    w.act(cancel).await.expect("canceled");
    w.reconcile().await;
    match w.engine.store().waiting().await.expect("a list")[0].what {
        WaitingFor::Return(attempt) => attempt,
        other => panic!("{other:?}"),
    }
}

const AUDITED: &str = "select target from audit where result in ('refused', 'denied', 'stale') order by id desc limit 1";

#[tokio::test]
async fn a_return_above_the_approvers_limit_needs_a_second_person() {
    on_each_tuned(limits, async |w| {
        let (choi, han) = (person("choi", Role::Finance), person("han", Role::Finance));
        let attempt = prepared_return(&w).await;
        let alone = press(&w, &choi, &Request::ApproveReturn { attempt }).await;
        let needs = matches!(&alone, Err(VerbError::Refused(Refused::NeedsApproval { limit, .. })) if *limit == won(5_000));
        assert!(needs, "{alone:?}");

        let request = Request::AskReturn { attempt };
        let approval = asked(&w, &choi, &request).await;
        assert_eq!(w.executed().await, (2, 0), "asking sends nothing");
        let waiting = w.engine.store().waiting().await.expect("a list");
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        assert_eq!(waiting[0].what, WaitingFor::Refund(approval));
        assert_eq!(w.engine.store().count_waiting().await.expect("a count"), 1);
        let grant = Request::Grant { approval };
        let own = press(&w, &choi, &grant).await;
        assert!(matches!(own, Err(VerbError::Refused(Refused::OwnRequest))), "{own:?}");
        let sent = press(&w, &han, &grant).await.expect("sent");
        assert!(matches!(sent, Outcome::Done(_)), "{sent:?}");
        assert_eq!(w.executed().await, (2, 1));
        assert_eq!(
            w.text("select person || ' ' || approver from audit where verb = 'refund' and result = 'intent'").await,
            "choi han"
        );
        assert_eq!(w.text("select state from approval").await, "granted");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn whose_books_these_are_is_pinned_by_the_first_answer_and_another_account_calls_a_person() {
    on_each_tuned(limits, async |w| {
        const CALLED: &str =
            "select count(*) from outbox where kind = 'page' and key like '%other_account'";
        w.subscriber("key-one").await;
        assert_eq!(
            w.text("select value from meta where key = 'toss_account'")
                .await,
            "tpaydeck"
        );
        w.another_engine("again").await;
        w.subscriber("key-two").await;
        assert_eq!(w.number(CALLED).await, 0);
        w.execute("update meta set value = 'tother' where key = 'toss_account'")
            .await;
        w.advance_days(31).await;
        let later = w.another_engine("later").await;
        later
            .billing_run(&crate::world::admin(), w.clock_now(), &mut |_| {})
            .await
            .expect("a run");
        assert!(w.number(CALLED).await >= 1);
        assert_eq!(
            w.text("select value from meta where key = 'toss_account'")
                .await,
            "tother"
        );
    })
    .await;
}

#[tokio::test]
async fn a_return_within_the_approvers_limit_needs_one_and_is_not_asked_for() {
    let wide = |settings: &mut EngineSettings| {
        settings.refund_alone = RefundAlone::Within(RefundLimits {
            once: vec![(Role::Finance, won(9_900))],
            daily_multiple: 1,
            per_day: 100,
        });
    };
    on_each_tuned(wide, async |w| {
        let choi = person("choi", Role::Finance);
        let attempt = prepared_return(&w).await;
        let asked = press(&w, &choi, &Request::AskReturn { attempt }).await;
        assert!(
            matches!(asked, Err(VerbError::Refused(Refused::ApprovalNotNeeded))),
            "{asked:?}"
        );
        press(&w, &choi, &Request::ApproveReturn { attempt })
            .await
            .expect("sent");
        assert_eq!(w.executed().await, (2, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_takes_the_place_of_another_says_so_and_leaves_its_row() {
    const OF_THE_OLD: &str = "select person || ' ' || state_before || ' ' || state_after from audit where target in (select public_id from approval where state <> 'waiting') order by id desc limit 1";
    on_each_tuned(limits, async |w| {
        let lee = person("lee", Role::Support);
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        asked(&w, &lee, &ask(payment, 6_000)).await;
        let plan = w.engine.plan(&lee, &ask(payment, 7_000)).await.expect("a plan");
        let replaced = |effect: &Effect| matches!(effect, Effect::RequestReplaced(_));
        assert!(plan.effects.iter().any(replaced), "{:?}", plan.effects);
        asked(&w, &lee, &ask(payment, 7_000)).await;
        assert_eq!(w.text(OF_THE_OLD).await, "lee waiting void");

        // Half an hour later it is over; whoever asks next did not decide it.
        w.without_approval_rules().await;
        w.execute("update approval set requested_at = requested_at - 1800000000, expires_at = expires_at - 1800000000 where state = 'waiting'").await;
        asked(&w, &person("park", Role::Support), &ask(payment, 8_000)).await;
        assert_eq!(w.text(OF_THE_OLD).await, "system waiting expired");
        assert_eq!(w.text("select decided_by from approval where state = 'expired'").await, "system");
    })
    .await;
}

#[tokio::test]
async fn its_author_takes_a_request_back_and_nobody_else_of_his_role_does() {
    on_each_tuned(limits, async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let lee = person("lee", Role::Support);
        let approval = asked(&w, &lee, &ask(payment, 6_000)).await;
        let reject = Request::Reject {
            approval,
            reason: "a mistake".into(),
        };
        let other = press(&w, &person("park", Role::Support), &reject).await;
        assert!(matches!(other, Err(VerbError::Denied(_))), "{other:?}");
        let viewer = press(&w, &person("na", Role::Viewer), &reject).await;
        assert!(matches!(viewer, Err(VerbError::Denied(_))), "{viewer:?}");
        press(&w, &lee, &reject).await.expect("taken back");
        assert_eq!(
            w.text("select state || ' ' || decided_by from approval")
                .await,
            "rejected lee"
        );
        asked(&w, &person("park", Role::Support), &ask(payment, 6_000)).await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_approval_says_which_request_or_attempt_it_was_about() {
    on_each_tuned(limits, async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let lee = person("lee", Role::Support);
        let choi = person("choi", Role::Finance);
        let approval = asked(&w, &lee, &ask(payment, 6_000)).await;
        let request = w.text("select public_id from approval").await;
        let grant = Request::Grant { approval };
        let own = person("lee", Role::Finance);
        for who in [&own, &person("park", Role::Support)] {
            w.engine.apply(who, &grant, "").await.expect_err("refused");
            assert_eq!(w.text(AUDITED).await, request, "{}", who.person);
        }
        w.without_approval_rules().await;
        w.execute("update approval set requested_at = requested_at - 1800000000, expires_at = expires_at - 1800000000").await;
        let late = w.engine.apply(&choi, &grant, "").await;
        assert!(matches!(late, Err(VerbError::Refused(Refused::ApprovalExpired))), "{late:?}");
        assert_eq!(w.text(AUDITED).await, request);

        let attempt = AttemptId(w.number("select id from attempt").await);
        let charge = w.text("select public_id from attempt").await;
        let settled = Request::AskNotExecuted {
            attempt,
            reason: "asked".into(),
            evidence: "a letter".into(),
        };
        w.engine.apply(&choi, &settled, "").await.expect_err("it is settled");
        assert_eq!(w.text(AUDITED).await, charge);
        w.engine.apply(&choi, &Request::ApproveReturn { attempt }, "").await.expect_err("it is no return");
        assert_eq!(w.text(AUDITED).await, charge);
        assert_eq!(w.text("select state from approval").await, ApprovalState::Waiting.as_str());
    })
    .await;
}
