//! Four eyes: what one person asks for another approves, exactly once and exactly that; and what is
//! declared not executed is still found when it was.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use paydeck::domain::attempt::{AlsoCancel, NotAbsent};
use paydeck::domain::evidence::Evidence;
use paydeck::domain::ids::{ApprovalId, AttemptId, Noun, PaymentId, PublicId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::ApprovalState;
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, DeleteOutcome, Desk,
    IssueOutcome, Provider, ProviderError, RefundCall, RefundRequest, RegisterCall,
    TransactionSeen,
};
use paydeck::engine::queries::{Reads as _, WaitingFor};
use paydeck::engine::{
    Effect, Engine, NotHappening, Outcome, RefundAlone, RefundLimits, Refused, Request, VerbError,
    WouldDo,
};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::sandbox::SECRET_KEY;
use paydeck::secret::Secret;
use paydeck::store::SqlStore;

use crate::world::{PATIENT, World, on_each, on_each_tuned, won};

pub fn person(name: &str, role: Role, uid: &str) -> Operator {
    Operator {
        person: name.into(),
        roles: vec![role],
        access: Access::ReadWrite,
        evidence: vec![("uid".into(), uid.into())],
    }
}

/// Asks for refunds up to a limit.
pub fn lee() -> Operator {
    person("lee", Role::Support, "1002")
}

/// Approves.
pub fn choi() -> Operator {
    person("choi", Role::Finance, "1003")
}

/// Looks up.
pub fn on_call() -> Operator {
    person("min", Role::Admin, "1006")
}

pub async fn act_as(
    engine: &Engine<SqlStore>,
    operator: &Operator,
    request: &Request,
) -> Result<Outcome, VerbError> {
    let plan = engine.plan(operator, request).await?;
    engine.apply(operator, request, &plan.fingerprint).await
}

pub async fn asked(w: &World, operator: &Operator, request: &Request) -> ApprovalId {
    let outcome = act_as(&w.engine, operator, request).await.expect("asked");
    let Outcome::Asked(receipt) = outcome else {
        panic!("{outcome:?}")
    };
    let id = receipt.public_id.expect("an id");
    ApprovalId(w.row(Noun::Approval, &id).await)
}

/// How many requests the simulator ever got.
async fn calls(w: &World) -> usize {
    let requests = w.control("GET", "requests", Value::Null).await;
    requests.as_array().expect("a list").len()
}

fn above_the_limit(payment: PaymentId) -> Request {
    Request::AskRefund {
        payment,
        amount: RefundAmount::Partial(won(6_000)),
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    }
}

async fn on_each_with_a_limit(story: impl AsyncFn(World)) {
    let limit = |settings: &mut paydeck::engine::EngineSettings| {
        settings.refund_alone = RefundAlone::Within(RefundLimits {
            once: vec![(Role::Support, won(5_000)), (Role::Admin, won(500_000))],
            daily_multiple: 5,
            per_day: 100,
        });
    };
    on_each_tuned(limit, story).await;
}

pub fn refused_as(outcome: &Result<Outcome, VerbError>) -> Option<&Refused> {
    match outcome {
        Err(VerbError::Refused(refused)) => Some(refused),
        _ => None,
    }
}

#[tokio::test]
async fn a_refund_above_the_limit_happens_once_when_another_person_approves() {
    on_each_with_a_limit(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let alone = Request::Refund {
            payment,
            amount: RefundAmount::Partial(won(6_000)),
            reason: "moved away".into(),
            also_cancel: AlsoCancel::No,
        };
        let alone = act_as(&w.engine, &lee(), &alone).await;
        assert!(matches!(refused_as(&alone), Some(Refused::NeedsApproval { .. })));

        let ask = above_the_limit(payment);
        let approval = asked(&w, &lee(), &ask).await;
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        assert_eq!(w.executed().await, (1, 0), "asking sends nothing");
        let again = act_as(&w.engine, &lee(), &ask).await;
        assert!(matches!(refused_as(&again), Some(Refused::AlreadyAsked { .. })));
        let waiting = w.engine.store().waiting().await.expect("a list");
        assert_eq!(waiting[0].what, WaitingFor::Refund(approval));
        assert!(waiting[0].left_s.is_some_and(|left| (1_700..=1_800).contains(&left)));

        let grant = Request::Grant { approval };
        let plan = w.engine.plan(&choi(), &grant).await.expect("a plan");
        let by = plan.asked.expect("who asked");
        assert_eq!((by.person.as_str(), by.reason.as_str()), ("lee", "moved away"));
        assert_eq!(plan.amount, Some(won(6_000)));
        let done = act_as(&w.engine, &choi(), &grant).await.expect("approved");
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
        assert_eq!(w.executed().await, (1, 1));
        assert_eq!(w.number("select refunded_minor from payment").await, 6_000);

        let twice = act_as(&w.engine, &choi(), &grant).await;
        let granted = Refused::ApprovalDecided(ApprovalState::Granted);
        assert_eq!(refused_as(&twice), Some(&granted));
        assert_eq!(w.executed().await, (1, 1));
        assert_eq!(
            w.text("select person || ' ' || approver || ' ' || claims from audit where verb = 'refund' and result = 'intent'").await,
            r#"lee choi {"uid":"1002"}"#
        );
        assert_eq!(
            w.text("select person from audit where verb = 'approve' and result = 'done'").await,
            "choi"
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn s6_self_approval_second_account_expired_and_altered_are_refused_before_any_call() {
    on_each_with_a_limit(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let approval = asked(&w, &lee(), &above_the_limit(payment)).await;
        let grant = Request::Grant { approval };
        let plan = w.engine.plan(&choi(), &grant).await.expect("a plan");
        let before = calls(&w).await;
        let try_it = async |operator: &Operator| {
            w.engine.apply(operator, &grant, &plan.fingerprint).await
        };

        for same in ["lee", "LEE", " Lee "] {
            for (role, uid) in [(Role::Admin, "1002"), (Role::Finance, "2002")] {
                let outcome = try_it(&person(same, role, uid)).await;
                assert_eq!(refused_as(&outcome), Some(&Refused::OwnRequest), "{same}");
            }
        }
        let denied = try_it(&person("park", Role::Support, "1004")).await;
        assert!(matches!(denied, Err(VerbError::Denied(_))), "{denied:?}");
        let looking = Operator {
            access: Access::ReadOnly,
            ..choi()
        };
        assert!(matches!(try_it(&looking).await, Err(VerbError::Denied(_))));

        // Whoever gets past the triggers still finds no plan that fits what was asked for.
        w.without_approval_rules().await;
        w.execute("update approval set amount_minor = 9900").await;
        assert!(matches!(try_it(&choi()).await, Err(VerbError::Stale)));
        w.execute("update approval set amount_minor = 6000, also_cancel = 'now'").await;
        let other = try_it(&choi()).await;
        assert!(matches!(other, Err(VerbError::Stale)), "{other:?}");
        w.execute("update approval set also_cancel = 'no', requester = 'nobody'").await;
        assert!(matches!(try_it(&choi()).await, Err(VerbError::Stale)));
        w.execute("update approval set requester = 'lee', requested_at = requested_at - 1800000000, expires_at = expires_at - 1800000000").await;
        let late = try_it(&choi()).await;
        assert_eq!(refused_as(&late), Some(&Refused::ApprovalExpired));

        assert_eq!(calls(&w).await, before, "nobody was called");
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        assert_eq!(w.text("select state from approval").await, "waiting");
        assert!(w.number("select count(*) from audit where verb = 'approve' and result <> 'done'").await >= 9);
    })
    .await;
}

#[tokio::test]
async fn what_changed_since_is_stale_and_is_asked_for_again() {
    on_each_with_a_limit(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let ask = above_the_limit(payment);
        let approval = asked(&w, &lee(), &ask).await;
        let small = Request::Refund {
            payment,
            amount: RefundAmount::Partial(won(1_000)),
            reason: "part".into(),
            also_cancel: AlsoCancel::No,
        };
        w.act(small).await.expect("refunded");
        let grant = Request::Grant { approval };
        let stale = act_as(&w.engine, &choi(), &grant).await;
        assert!(matches!(stale, Err(VerbError::Stale)), "{stale:?}");
        assert_eq!(w.executed().await, (1, 1));

        let approval = asked(&w, &lee(), &ask).await;
        assert_eq!(
            w.text("select state from approval order by id limit 1")
                .await,
            "void"
        );
        let reject = Request::Reject {
            approval,
            reason: "no".into(),
        };
        act_as(&w.engine, &choi(), &reject).await.expect("rejected");
        let grant = Request::Grant { approval };
        let late = act_as(&w.engine, &choi(), &grant).await;
        let decided = Refused::ApprovalDecided(ApprovalState::Rejected);
        assert_eq!(refused_as(&late), Some(&decided));

        let approval = asked(&w, &lee(), &ask).await;
        let grant = Request::Grant { approval };
        act_as(&w.engine, &choi(), &grant).await.expect("approved");
        assert_eq!(w.number("select refunded_minor from payment").await, 7_000);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn two_approvers_at_once_refund_once() {
    on_each_with_a_limit(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let approval = asked(&w, &lee(), &above_the_limit(payment)).await;
        let grant = Request::Grant { approval };
        let other = w.another_engine("other").await;
        let han = person("han", Role::Finance, "1005");
        let choi = choi();
        let (one, two) = tokio::join!(
            act_as(&w.engine, &choi, &grant),
            act_as(&other, &han, &grant)
        );
        let done = [&one, &two].into_iter().filter(|o| o.is_ok()).count();
        assert_eq!(done, 1, "{one:?} {two:?}");
        assert_eq!(w.executed().await, (1, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn an_approved_refund_that_could_not_leave_is_sent_by_whoever_finds_it() {
    on_each_with_a_limit(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let approval = asked(&w, &lee(), &above_the_limit(payment)).await;
        let cut_off = w.engine_with("cut-off", &nowhere()).await;
        let grant = Request::Grant { approval };
        let outcome = act_as(&cut_off, &choi(), &grant).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::GoesOut(_)), "{outcome:?}");
        assert_eq!(w.number("select reserved_minor from payment").await, 6_000);
        assert_eq!(w.executed().await, (1, 0));
        w.expire_leases().await;
        let looked = w.reconcile().await;
        assert_eq!((looked.settled, looked.abandoned), (1, 0));
        assert_eq!(w.executed().await, (1, 1));
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        w.books_are_straight().await;
    })
    .await;
}

/// A client whose provider is never reached.
fn nowhere() -> Arc<dyn Provider> {
    let options = TossOptions {
        base_url: "http://127.0.0.1:9".into(),
        connect_timeout: PATIENT,
        total_timeout: PATIENT,
        ..TossOptions::new(Secret::new(SECRET_KEY), Mode::Sim)
    };
    Arc::new(TossClient::new(options).expect("a client"))
}

/// A renewal whose answer was lost, of a subscription that has ended since.
async fn unwanted(w: &World, fault: &str) -> AttemptId {
    let (_, subscription) = w.subscriber("key-one").await;
    w.advance_days(31).await;
    w.fault("charge", json!(fault), 1).await;
    w.run().await;
    w.act(Request::CancelNow {
        subscription,
        reason: "asked".into(),
    })
    .await
    .expect("canceled");
    AttemptId(w.number("select max(id) from attempt").await)
}

/// A prepared return: the charge turned out to have succeeded after the subscription had ended.
async fn prepared_return(w: &World) -> AttemptId {
    unwanted(w, "lost_after_commit").await;
    w.reconcile().await;
    let waiting = w.engine.store().waiting().await.expect("a list");
    let WaitingFor::Return(attempt) = waiting[0].what else {
        panic!("{waiting:?}")
    };
    assert_eq!(w.engine.store().count_waiting().await.expect("a count"), 1);
    attempt
}

#[tokio::test]
async fn a_prepared_return_is_sent_once_when_a_person_approves_it() {
    for fault in [None, Some("lost_after_commit"), Some("lost_before_commit")] {
        on_each(async |w| {
            let attempt = prepared_return(&w).await;
            let approve = Request::ApproveReturn { attempt };
            let denied = act_as(&w.engine, &lee(), &approve).await;
            assert!(matches!(denied, Err(VerbError::Denied(_))));
            if let Some(fault) = fault {
                w.fault("cancel", json!(fault), 1).await;
            }
            let outcome = act_as(&w.engine, &choi(), &approve).await.expect("sent");
            assert_eq!(matches!(outcome, Outcome::Done(_)), fault.is_none());
            w.reconcile().await;
            assert_eq!(w.executed().await, (2, 1), "{fault:?}");
            let again = act_as(&w.engine, &choi(), &approve).await;
            assert_eq!(refused_as(&again), Some(&Refused::NotWaiting));
            assert_eq!(w.executed().await, (2, 1), "{fault:?}");
            assert_eq!(w.number("select count(*) from attempt where needs_human = 1").await, 0);
            assert_eq!(
                w.text("select person || ' ' || approver from audit where verb = 'refund' and result = 'intent'").await,
                "system choi"
            );
            w.books_are_straight().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_prepared_return_that_could_not_leave_goes_out_later() {
    on_each(async |w| {
        let attempt = prepared_return(&w).await;
        let cut_off = w.engine_with("cut-off", &nowhere()).await;
        let approve = Request::ApproveReturn { attempt };
        let outcome = act_as(&cut_off, &choi(), &approve)
            .await
            .expect("an outcome");
        assert!(matches!(outcome, Outcome::GoesOut(_)), "{outcome:?}");
        w.expire_leases().await;
        w.reconcile().await;
        assert_eq!(w.executed().await, (2, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_prepared_return_that_is_given_up_lets_go_of_its_reservation() {
    on_each(async |w| {
        let attempt = prepared_return(&w).await;
        let decline = Request::DeclineReturn {
            attempt,
            reason: "the customer keeps it".into(),
        };
        act_as(&w.engine, &choi(), &decline)
            .await
            .expect("given up");
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(
            w.number("select cast(sum(reserved_minor) as bigint) from payment")
                .await,
            0
        );
        assert_eq!(
            w.text("select state from attempt order by id desc limit 1")
                .await,
            "abandoned"
        );
        assert_eq!(w.engine.store().count_waiting().await.expect("a count"), 0);
        // What is left may still go back, as any other refund.
        let refund = Request::Refund {
            payment: w.last_payment().await,
            amount: RefundAmount::Full,
            reason: "after all".into(),
            also_cancel: AlsoCancel::No,
        };
        w.act(refund).await.expect("refunded");
        assert_eq!(w.executed().await, (2, 1));
        w.books_are_straight().await;
    })
    .await;
}

/// The real client of a provider whose questions are answered as if it knew nothing.
pub struct Blind(pub Arc<dyn Provider>);

impl Provider for Blind {
    fn name(&self) -> ProviderName {
        self.0.name()
    }
    fn mode(&self) -> Mode {
        self.0.mode()
    }
    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        self.0.charge_body(request)
    }
    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        self.0.refund_body(request)
    }
    fn charge<'a>(&'a self, desk: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        self.0.charge(desk, call)
    }
    fn refund<'a>(&'a self, desk: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        self.0.refund(desk, call)
    }
    fn confirm<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.0.confirm(desk, call)
    }
    fn look_up_charge<'a>(
        &'a self,
        _desk: &'a mut Desk,
        _look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(std::future::ready(CallReport {
            evidence: Evidence::NotSeen,
            http_status: Some(404),
            trace_id: None,
            body_sha256: None,
            elapsed_ms: 1,
            is_replay: false,
        }))
    }
    fn look_up_payment<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let mut report = self.0.look_up_payment(desk, provider_ref).await;
            if let Evidence::Seen(seen) = &mut report.evidence {
                seen.cancels.clear();
                seen.balance_minor = seen.total.minor();
            }
            report
        })
    }
    fn issue<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome> {
        self.0.issue(desk, call)
    }
    fn delete_key<'a>(
        &'a self,
        desk: &'a mut Desk,
        billing_key: &'a Secret,
    ) -> BoxFuture<'a, DeleteOutcome> {
        self.0.delete_key(desk, billing_key)
    }
    fn transactions<'a>(
        &'a self,
        _desk: &'a mut Desk,
        from: DateTime<Utc>,
        _to: DateTime<Utc>,
        _after: Option<&'a str>,
        _limit: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>> {
        // Something of ours is on the list, or it would prove nothing.
        let other = TransactionSeen {
            transaction_key: "tx".into(),
            provider_ref: "ref".into(),
            order_id: "pdtesttest-ANOTHER-1".into(),
            status: "DONE".into(),
            is_cancel: false,
            at: from,
            amount: won(9_900),
        };
        Box::pin(std::future::ready(Ok(vec![other])))
    }
    fn self_test<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.0.self_test(desk)
    }
}

pub fn not_executed(attempt: AttemptId) -> Request {
    Request::AskNotExecuted {
        attempt,
        reason: "nobody can find it".into(),
        evidence: "letter of the provider's support".into(),
    }
}

pub const SENT_LONG_AGO: &str = "update attempt set first_sent_at = first_sent_at - 108000000000, last_sent_at = last_sent_at - 108000000000 where state = 'unknown'";
pub const SENT_WEEKS_AGO: &str = "update attempt set first_sent_at = first_sent_at - 1900800000000, last_sent_at = last_sent_at - 1900800000000 where state = 'unknown'";
pub const FOUR_LOOKS: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
    select a.id, 'look_up', 'not_seen', 1, a.last_sent_at + n.h * 3600000000
    from attempt a cross join (select 1 as h union all select 2 union all select 3 union all select 4) n where a.state = 'unknown'";
const A_CLOSE_LOOK: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
    select id, 'look_up', 'not_seen', 1, last_sent_at + 4 * 3600000000 + 60000000 from attempt where state = 'unknown'";
pub const A_FIFTH_LOOK: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
    select id, 'look_up', 'not_seen', 1, last_sent_at + 5 * 3600000000 from attempt where state = 'unknown'";

pub fn absence(outcome: &Result<Outcome, VerbError>) -> Option<NotAbsent> {
    match refused_as(outcome) {
        Some(Refused::MayBeExecuted(why)) => Some(*why),
        _ => None,
    }
}

#[tokio::test]
async fn a_charge_is_called_not_executed_only_when_every_rule_is_met_and_two_persons_agree() {
    on_each(async |w| {
        let (_, subscription) = w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        w.run().await;
        let attempt = AttemptId(w.number("select max(id) from attempt").await);
        let ask = not_executed(attempt);
        let before = calls(&w).await;
        let nobody = act_as(&w.engine, &lee(), &ask).await;
        assert!(matches!(nobody, Err(VerbError::Denied(_))), "{nobody:?}");
        let wanted = act_as(&w.engine, &choi(), &ask).await;
        assert_eq!(absence(&wanted), Some(NotAbsent::StillWanted));
        w.act(Request::CancelNow {
            subscription,
            reason: "asked".into(),
        })
        .await
        .expect("canceled");
        let soon = act_as(&w.engine, &choi(), &ask).await;
        assert!(matches!(absence(&soon), Some(NotAbsent::TooSoon { .. })), "{soon:?}");
        w.execute(SENT_LONG_AGO).await;
        w.execute(FOUR_LOOKS).await;
        w.execute(A_CLOSE_LOOK).await;
        let few = act_as(&w.engine, &choi(), &ask).await;
        assert_eq!(absence(&few), Some(NotAbsent::TooFewLookUps { have: 4 }));
        assert_eq!(calls(&w).await, before, "a refusal asks nobody");
        w.execute(A_FIFTH_LOOK).await;

        // Nothing of ours is on the list of these days: it could be anybody's.
        let anybodys = act_as(&w.engine, &choi(), &ask).await;
        assert_eq!(refused_as(&anybodys), Some(&Refused::ListProvesNothing { rows: 0 }));
        w.subscriber("key-two").await;
        let elsewhere = TossOptions {
            base_url: w.simulator.base_url(),
            ..TossOptions::new(Secret::new(SECRET_KEY), Mode::Sim)
        };
        let elsewhere = TossClient::new(elsewhere).expect("a client").with_merchant_id("tother");
        let elsewhere: Arc<dyn Provider> = Arc::new(elsewhere);
        let elsewhere = w.engine_with("elsewhere", &elsewhere).await;
        let others = act_as(&elsewhere, &choi(), &ask).await;
        assert_eq!(refused_as(&others), Some(&Refused::OtherAccount));
        assert_eq!(w.number("select count(*) from approval").await, 0);

        let before = calls(&w).await;
        let approval = asked(&w, &choi(), &ask).await;
        assert!(calls(&w).await > before, "the provider's list was read");
        let grant = Request::Grant { approval };
        let own = act_as(&w.engine, &person("choi", Role::Admin, "9"), &grant).await;
        assert_eq!(refused_as(&own), Some(&Refused::OwnRequest));
        let asked_before = calls(&w).await;
        let done = act_as(&w.engine, &person("han", Role::Finance, "1005"), &grant).await;
        assert!(matches!(done, Ok(Outcome::Done(_))), "{done:?}");
        assert!(calls(&w).await > asked_before, "and read again");
        assert_eq!(w.text("select state from attempt where order_id in (select order_id from attempt where source = 'run')").await, "not_executed");
        assert_eq!(w.number("select count(*) from attempt where needs_human = 1").await, 0);
        assert_eq!(
            w.text("select person || ' ' || approver || ' ' || result from audit where verb = 'force-state' and approver <> ''").await,
            "choi han done"
        );
        assert_eq!(w.number("select count(*) from evidence where source = 'person' and outcome = 'not_executed'").await, 1);
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_charge_that_the_provider_lists_is_settled_instead() {
    on_each(async |w| {
        let attempt = unwanted(&w, "lost_after_commit").await;
        w.execute(SENT_LONG_AGO).await;
        w.execute(FOUR_LOOKS).await;
        w.execute(A_FIFTH_LOOK).await;
        let listed = act_as(&w.engine, &choi(), &not_executed(attempt)).await;
        assert_eq!(refused_as(&listed), Some(&Refused::Listed));
        assert_eq!(w.number("select count(*) from approval").await, 0);
        assert_eq!(
            w.text("select state from attempt where kind = 'charge' order by id desc limit 1")
                .await,
            "succeeded"
        );
        assert_eq!(
            w.number("select count(*) from attempt where state = 'waiting_approval'")
                .await,
            1
        );
        w.books_are_straight().await;
    })
    .await;
}

/// Two persons are misled: what they declare not executed was.
async fn declared_wrongly(w: &World, attempt: AttemptId) {
    let blind: Arc<dyn Provider> = Arc::new(Blind(w.provider.clone()));
    let misled = w.engine_with("misled", &blind).await;
    let outcome = act_as(&misled, &choi(), &not_executed(attempt))
        .await
        .expect("asked");
    let Outcome::Asked(receipt) = outcome else {
        panic!("{outcome:?}")
    };
    let id: PublicId = receipt.public_id.expect("an id");
    let approval = ApprovalId(w.row(Noun::Approval, &id).await);
    let han = person("han", Role::Finance, "1005");
    let done = act_as(&misled, &han, &Request::Grant { approval }).await;
    assert!(matches!(done, Ok(Outcome::Done(_))), "{done:?}");
}

#[tokio::test]
async fn a_success_found_after_all_pages_and_prepares_the_return() {
    on_each(async |w| {
        let attempt = unwanted(&w, "lost_after_commit").await;
        w.execute(SENT_LONG_AGO).await;
        w.execute(FOUR_LOOKS).await;
        w.execute(A_FIFTH_LOOK).await;
        declared_wrongly(&w, attempt).await;
        let pages = "select count(*) from outbox where kind = 'page'";
        let before = w.number(pages).await;
        let found = w
            .act(Request::ResolveUnknown { attempt })
            .await
            .expect("found");
        assert!(matches!(found, Outcome::Done(_)), "{found:?}");
        assert_eq!(
            w.text("select state from attempt where kind = 'charge' order by id desc limit 1")
                .await,
            "succeeded"
        );
        assert_eq!(w.number(pages).await, before + 1);
        let waiting = w.engine.store().waiting().await.expect("a list");
        let WaitingFor::Return(back) = waiting[0].what else {
            panic!("{waiting:?}")
        };
        act_as(
            &w.engine,
            &choi(),
            &Request::ApproveReturn { attempt: back },
        )
        .await
        .expect("sent");
        assert_eq!(w.executed().await, (2, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_success_found_after_it_was_charged_again_is_a_duplicate_with_a_prepared_return() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.fault("charge", json!("lost_after_commit"), 1).await;
        w.run().await;
        let attempt = AttemptId(w.number("select max(id) from attempt").await);
        // Still owed, and the provider does not remember the key any more.
        w.execute(SENT_WEEKS_AGO).await;
        w.execute(FOUR_LOOKS).await;
        w.execute(A_FIFTH_LOOK).await;
        declared_wrongly(&w, attempt).await;
        let invoice = w.only_invoice().await;
        w.act(Request::Charge { invoice }).await.expect("charged");
        assert_eq!(w.executed().await, (3, 0), "taken twice at the provider");
        w.act(Request::ResolveUnknown { attempt }).await.expect("found");
        assert_eq!(w.number("select count(*) from attempt where state = 'duplicate'").await, 1);
        assert_eq!(w.number("select count(*) from payment where is_duplicate = 1 and reserved_minor = captured_minor").await, 1);
        assert!(w.number("select count(*) from outbox where kind = 'page' and key like '%duplicate'").await >= 1);
        w.books_are_straight().await;
    })
    .await;
}

const NEWEST_CHARGE: &str =
    "select state from attempt where kind = 'charge' order by id desc limit 1";
pub const A_DAY_LATER: &str = "update attempt set next_check_at = 0 where state = 'not_executed' and next_check_at is not null";
const STILL_LOOKED_FOR: &str =
    "select count(*) from attempt where state = 'not_executed' and next_check_at is not null";
pub const PAGES: &str = "select count(*) from outbox where kind = 'page'";

/// Everything that the rules ask for has passed.
async fn nobody_saw_it(w: &World, sent: &'static str) {
    for sql in [sent, FOUR_LOOKS, A_FIFTH_LOOK] {
        w.execute(sql).await;
    }
}

pub async fn newest_attempt(w: &World) -> AttemptId {
    AttemptId(w.number("select max(id) from attempt").await)
}

async fn planned(w: &World, attempt: AttemptId) -> (Vec<Effect>, Vec<NotHappening>) {
    let ask = not_executed(attempt);
    let plan = w.engine.plan(&choi(), &ask).await.expect("a plan");
    (plan.effects, plan.not_happening)
}

#[tokio::test]
async fn a_renewal_declared_not_executed_is_charged_by_the_next_run() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        w.run().await;
        let attempt = newest_attempt(&w).await;
        nobody_saw_it(&w, SENT_WEEKS_AGO).await;
        let (effects, not) = planned(&w, attempt).await;
        assert!(
            effects.iter().any(|e| matches!(e, Effect::NextCharge { to: Some(_), .. })),
            "{effects:?}"
        );
        assert!(!not.contains(&NotHappening::DunningMove) && !not.contains(&NotHappening::ScheduleMove));
        declared_wrongly(&w, attempt).await;
        assert_eq!(
            w.text("select i.state || ' ' || i.dunning || ' ' || i.dunning_used || ' ' || i.last_class || ' ' || s.state from invoice i join subscription s on s.id = i.subscription_id order by i.id desc limit 1").await,
            "open scheduled 0 provider_down active"
        );
        assert_eq!(w.number("select count(*) from run_item where decision = 'not_executed'").await, 1);
        w.advance_days(1).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.text("select state from invoice order by id desc limit 1").await, "paid");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_try_of_the_schedule_declared_not_executed_is_made_again_and_uses_nothing_up() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.fault("charge", json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }), 1).await;
        w.run().await;
        w.advance_days(2).await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        w.run().await;
        let attempt = newest_attempt(&w).await;
        assert_eq!(w.text("select source || ' ' || state from attempt order by id desc limit 1").await, "dunning unknown");
        nobody_saw_it(&w, SENT_WEEKS_AGO).await;
        declared_wrongly(&w, attempt).await;
        assert_eq!(
            w.text("select dunning || ' ' || dunning_used from invoice where next_attempt_at is not null order by id desc limit 1").await,
            "scheduled 0"
        );
        w.advance_days(1).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.text("select state from subscription").await, "active");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_owes_what_was_not_executed_of_an_ended_subscription() {
    on_each(async |w| {
        let attempt = unwanted(&w, "lost_before_commit").await;
        nobody_saw_it(&w, SENT_LONG_AGO).await;
        let (effects, _) = planned(&w, attempt).await;
        assert!(
            effects
                .iter()
                .any(|e| matches!(e, Effect::InvoicesVoided(1))),
            "{effects:?}"
        );
        declared_wrongly(&w, attempt).await;
        assert_eq!(
            w.text("select state from invoice order by id desc limit 1")
                .await,
            "void"
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_persons_charge_declared_not_executed_is_listed_as_failed_and_can_be_retried() {
    on_each(async |w| {
        let (customer, _) = w.subscriber("key-one").await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        let once = Request::OneTime {
            customer,
            amount: won(5_000),
            description: "extra".into(),
        };
        w.act(once).await.expect("sent");
        let attempt = newest_attempt(&w).await;
        nobody_saw_it(&w, SENT_WEEKS_AGO).await;
        let (_, not) = planned(&w, attempt).await;
        assert!(not.contains(&NotHappening::DunningMove));
        declared_wrongly(&w, attempt).await;
        assert_eq!(
            w.number(
                "select count(*) from invoice where state = 'open' and first_failed_at is not null"
            )
            .await,
            1
        );
        let invoice = w.only_invoice().await;
        w.act(Request::Retry { invoice }).await.expect("charged");
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_declared_not_executed_is_looked_for_every_day_and_found_by_itself() {
    on_each(async |w| {
        let attempt = unwanted(&w, "lost_after_commit").await;
        nobody_saw_it(&w, SENT_LONG_AGO).await;
        declared_wrongly(&w, attempt).await;
        assert_eq!(
            w.engine
                .reconcile_once(&on_call())
                .await
                .expect("looked")
                .claimed,
            0
        );
        assert_eq!(w.number(STILL_LOOKED_FOR).await, 1, "tomorrow");
        let next = w.engine.store().next_look_up_in().await.expect("a time");
        let hours = next.expect("a time").as_secs() / 3_600;
        assert!((22..=24).contains(&hours), "{next:?}");

        let blind: Arc<dyn Provider> = Arc::new(Blind(w.provider.clone()));
        let misled = w.engine_with("misled-again", &blind).await;
        w.execute(A_DAY_LATER).await;
        let would = misled
            .preview_reconcile(&on_call())
            .await
            .expect("a preview");
        assert_eq!(
            would.iter().map(|row| row.would).collect::<Vec<_>>(),
            [WouldDo::LookUp]
        );
        let before = calls(&w).await;
        let looked = misled.reconcile_once(&on_call()).await.expect("looked");
        assert_eq!((looked.claimed, looked.settled, looked.left), (1, 0, 1));
        assert_eq!(
            misled
                .reconcile_once(&on_call())
                .await
                .expect("looked")
                .claimed,
            0
        );
        assert_eq!(calls(&w).await, before, "nothing is sent again");
        assert_eq!(w.number(STILL_LOOKED_FOR).await, 1);

        let pages = w.number(PAGES).await;
        w.execute(A_DAY_LATER).await;
        w.reconcile().await;
        assert_eq!(w.text(NEWEST_CHARGE).await, "succeeded");
        assert_eq!(w.number(PAGES).await, pages + 1);
        let waiting = w.engine.store().waiting().await.expect("a list");
        assert!(
            matches!(waiting[0].what, WaitingFor::Return(_)),
            "{waiting:?}"
        );
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn after_sixty_days_nobody_looks_for_it_any_more() {
    on_each(async |w| {
        let attempt = unwanted(&w, "lost_before_commit").await;
        nobody_saw_it(&w, SENT_LONG_AGO).await;
        declared_wrongly(&w, attempt).await;
        w.advance_days(59).await;
        w.execute(A_DAY_LATER).await;
        w.reconcile().await;
        assert_eq!(w.number(STILL_LOOKED_FOR).await, 1);
        w.advance_days(1).await;
        w.execute(A_DAY_LATER).await;
        w.reconcile().await;
        assert_eq!(w.number(STILL_LOOKED_FOR).await, 0);
        let asked = w
            .act(Request::ResolveUnknown { attempt })
            .await
            .expect("asked");
        assert!(
            matches!(asked, Outcome::NotSeen(_)),
            "a person may still ask: {asked:?}"
        );
        assert_eq!(w.text(NEWEST_CHARGE).await, "not_executed");
        assert_eq!(w.executed().await, (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_second_charge_makes_the_one_that_is_found_later_a_duplicate_by_itself() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.fault("charge", json!("lost_after_commit"), 1).await;
        w.run().await;
        let attempt = newest_attempt(&w).await;
        nobody_saw_it(&w, SENT_WEEKS_AGO).await;
        declared_wrongly(&w, attempt).await;
        w.advance_days(1).await;
        w.run().await;
        assert_eq!(w.executed().await, (3, 0), "taken twice at the provider");
        let pages = w.number(PAGES).await;
        w.execute(A_DAY_LATER).await;
        w.reconcile().await;
        assert_eq!(w.number("select count(*) from attempt where state = 'duplicate' and needs_human = 1").await, 1);
        assert_eq!(w.number("select count(*) from payment where is_duplicate = 1 and reserved_minor = captured_minor").await, 1);
        assert_eq!(w.number(PAGES).await, pages + 1);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_sighting_before_the_last_send_or_in_the_answer_speaks_against_absence() {
    const A_MISMATCH: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
        select id, 'answer', 'mismatch', 1, first_sent_at + 1000000 from attempt where state = 'unknown'";
    const SENT_AGAIN: &str = "update attempt set last_sent_at = first_sent_at + 3600000000, send_count = 2 where state = 'unknown'";
    const PENDING_BEFORE: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
        select id, 'look_up', 'pending', 1, first_sent_at + 60000000 from attempt where state = 'unknown'";
    for seen in [[SENT_LONG_AGO, A_MISMATCH], [SENT_AGAIN, PENDING_BEFORE]] {
        on_each(async |w| {
            let attempt = unwanted(&w, "lost_before_commit").await;
            w.execute(SENT_LONG_AGO).await;
            for sql in seen {
                w.execute(sql).await;
            }
            w.execute(FOUR_LOOKS).await;
            w.execute(A_FIFTH_LOOK).await;
            let outcome = act_as(&w.engine, &choi(), &not_executed(attempt)).await;
            assert_eq!(absence(&outcome), Some(NotAbsent::Seen), "{outcome:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_return_that_the_provider_refuses_still_calls_a_person() {
    const CALLED: &str = "select count(*) from attempt where kind = 'charge' and needs_human = 1";
    on_each(async |w| {
        let attempt = prepared_return(&w).await;
        let refused = json!({ "kind": "decline", "code": "NOT_CANCELABLE_PAYMENT" });
        w.fault("cancel", refused, 1).await;
        let approve = Request::ApproveReturn { attempt };
        act_as(&w.engine, &choi(), &approve)
            .await
            .expect("an answer");
        w.expire_leases().await;
        w.reconcile().await;
        assert_eq!(
            w.text("select state from attempt order by id desc limit 1")
                .await,
            "declined"
        );
        assert_eq!(
            w.number(CALLED).await,
            1,
            "the customer's money is still here"
        );
        let refund = Request::Refund {
            payment: w.last_payment().await,
            amount: RefundAmount::Full,
            reason: "by hand".into(),
            also_cancel: AlsoCancel::No,
        };
        w.act(refund).await.expect("refunded");
        assert_eq!(w.number(CALLED).await, 0);
        w.books_are_straight().await;
    })
    .await;
}
