//! Several people and processes at once: one of them wins, the others are told, nothing is done
//! twice, and every press leaves its row.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::Semaphore;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::evidence::{Evidence, Proves, Refusal};
use paydeck::domain::failure::FailureClass;
use paydeck::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, Noun, PaymentId, PlanId, PublicId, SubscriptionId,
};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::operator::{Access, Operator, Role, Verb};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::period::Interval;
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, Clock, ConfirmCall,
    DeleteOutcome, Desk, IssueOutcome, Provider, ProviderError, RefundCall, RefundRequest,
    RegisterCall, TransactionSeen,
};
use paydeck::engine::{Outcome, PlanChange, PlanInput, Refused, Request, VerbError};
use paydeck::secret::Secret;

use crate::roles::may;
use crate::world::{World, admin, on_each, won};

/// What one call meets on its way.
pub enum Trick {
    /// The answer is kept back until it is let go.
    HoldAnswer,
    /// The call is not made; this is what came of it.
    Say(Box<Evidence>),
}

/// The real client with somebody in between.
pub struct Gate {
    inner: Arc<dyn Provider>,
    charges: Mutex<VecDeque<Trick>>,
    look_ups: Mutex<VecDeque<Trick>>,
    arrived: Semaphore,
    let_go: Semaphore,
}

impl Gate {
    pub fn new(inner: &Arc<dyn Provider>, charges: Vec<Trick>, look_ups: Vec<Trick>) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            charges: Mutex::new(charges.into()),
            look_ups: Mutex::new(look_ups.into()),
            arrived: Semaphore::new(0),
            let_go: Semaphore::new(0),
        })
    }

    pub async fn an_answer_arrived(&self) {
        self.arrived.acquire().await.expect("open").forget();
    }

    pub fn let_go(&self) {
        self.let_go.add_permits(1);
    }

    async fn through<'a>(
        &'a self,
        trick: Option<Trick>,
        call: BoxFuture<'a, CallReport>,
    ) -> CallReport {
        match trick {
            None => call.await,
            Some(Trick::HoldAnswer) => {
                let report = call.await;
                self.arrived.add_permits(1);
                self.let_go.acquire().await.expect("open").forget();
                report
            }
            Some(Trick::Say(evidence)) => CallReport {
                evidence: *evidence,
                http_status: None,
                trace_id: None,
                body_sha256: None,
                elapsed_ms: 1,
                is_replay: false,
            },
        }
    }
}

impl Provider for Gate {
    fn name(&self) -> ProviderName {
        self.inner.name()
    }
    fn mode(&self) -> Mode {
        self.inner.mode()
    }
    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        self.inner.charge_body(request)
    }
    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        self.inner.refund_body(request)
    }
    fn charge<'a>(&'a self, desk: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        let trick = self.charges.lock().expect("a lock").pop_front();
        Box::pin(self.through(trick, self.inner.charge(desk, call)))
    }
    fn refund<'a>(&'a self, desk: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        self.inner.refund(desk, call)
    }
    fn confirm<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.inner.confirm(desk, call)
    }
    fn look_up_charge<'a>(
        &'a self,
        desk: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        let trick = self.look_ups.lock().expect("a lock").pop_front();
        Box::pin(self.through(trick, self.inner.look_up_charge(desk, look)))
    }
    fn look_up_payment<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        let trick = self.look_ups.lock().expect("a lock").pop_front();
        Box::pin(self.through(trick, self.inner.look_up_payment(desk, provider_ref)))
    }
    fn issue<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome> {
        self.inner.issue(desk, call)
    }
    fn delete_key<'a>(
        &'a self,
        desk: &'a mut Desk,
        billing_key: &'a Secret,
    ) -> BoxFuture<'a, DeleteOutcome> {
        self.inner.delete_key(desk, billing_key)
    }
    fn transactions<'a>(
        &'a self,
        desk: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>> {
        self.inner.transactions(desk, from, to, after, limit)
    }
    fn self_test<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.inner.self_test(desk)
    }
}

fn declined_for_sure() -> Evidence {
    Evidence::Refused(Refusal {
        code: "REJECT_CARD_PAYMENT".into(),
        class: FailureClass::Soft,
        proves: Proves::NotExecuted,
        http_status: 403,
    })
}

/// A subscriber whose first renewal was declined.
async fn declined(w: &World) -> InvoiceId {
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    w.fault(
        "charge",
        json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
        1,
    )
    .await;
    w.run().await;
    w.only_invoice().await
}

fn lost(result: &Result<Outcome, VerbError>) -> bool {
    matches!(
        result,
        Err(VerbError::Stale
            | VerbError::Amount(_)
            | VerbError::Refused(Refused::InProgress { .. } | Refused::AlreadyPaid))
    )
}

fn won_it(result: &Result<Outcome, VerbError>) -> bool {
    matches!(result, Ok(Outcome::Done(_)))
}

#[tokio::test]
async fn two_people_who_press_at_once_move_the_money_once() {
    on_each(async |w| {
        let invoice = declined(&w).await;
        let other = w.another_engine("second").await;
        let operator = admin();
        let retry = Request::Retry { invoice };
        let plan = w.plan(&retry).await.expect("a plan");
        let charge = Request::Charge { invoice };
        let charge_plan = other.plan(&operator, &charge).await.expect("a plan");
        let (one, two, three) = tokio::join!(
            w.engine.apply(&operator, &retry, &plan.fingerprint),
            other.apply(&operator, &retry, &plan.fingerprint),
            other.apply(&operator, &charge, &charge_plan.fingerprint),
        );
        let all = [one, two, three];
        assert_eq!(all.iter().filter(|r| won_it(r)).count(), 1, "{all:?}");
        assert_eq!(all.iter().filter(|r| lost(r)).count(), 2, "{all:?}");
        assert_eq!(w.executed().await, (2, 0));

        // Two returns that fit alone and not together.
        let payment = w.last_payment().await;
        let refund = |minor| Request::Refund {
            payment,
            amount: RefundAmount::Partial(won(minor)),
            reason: "asked".into(),
            also_cancel: AlsoCancel::No,
        };
        let (six, seven) = (refund(6_000), refund(7_000));
        let six_plan = w.plan(&six).await.expect("a plan");
        let seven_plan = other.plan(&operator, &seven).await.expect("a plan");
        let (one, two) = tokio::join!(
            w.engine.apply(&operator, &six, &six_plan.fingerprint),
            other.apply(&operator, &seven, &seven_plan.fingerprint),
        );
        let all = [one, two];
        assert_eq!(all.iter().filter(|r| won_it(r)).count(), 1, "{all:?}");
        assert_eq!(all.iter().filter(|r| lost(r)).count(), 1, "{all:?}");
        assert_eq!(w.executed().await, (2, 1));
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn a_person_a_run_and_dunning_at_once_charge_once() {
    on_each(async |w| {
        let invoice = declined(&w).await;
        w.advance_days(1).await;
        let (second, third) = (
            w.another_engine("second").await,
            w.another_engine("third").await,
        );
        let operator = admin();
        let charge = Request::Charge { invoice };
        let plan = w.plan(&charge).await.expect("a plan");
        let now = w.clock.now();
        let (mut quiet, mut silent) = (|_| {}, |_| {});
        let (pressed, run, again) = tokio::join!(
            w.engine.apply(&operator, &charge, &plan.fingerprint),
            second.billing_run(&operator, now, &mut quiet),
            third.billing_run(&operator, now, &mut silent),
        );
        run.expect("a run");
        again.expect("a run");
        assert!(won_it(&pressed) || lost(&pressed), "{pressed:?}");
        w.settle_everything().await;
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.text("select state from subscription").await, "active");
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_comes_after_another_process_settled_changes_nothing() {
    on_each(async |w| {
        let invoice = declined(&w).await;
        let gate = Gate::new(&w.provider, vec![Trick::HoldAnswer], vec![]);
        let provider: Arc<dyn Provider> = gate.clone();
        let slow = w.engine_with("slow", &provider).await;
        let operator = admin();
        let retry = Request::Retry { invoice };
        let plan = w.plan(&retry).await.expect("a plan");
        let (late, ()) = tokio::join!(slow.apply(&operator, &retry, &plan.fingerprint), async {
            gate.an_answer_arrived().await;
            w.expire_leases().await;
            assert_eq!(w.reconcile().await.settled, 1);
            assert_eq!(w.text("select state from subscription").await, "active");
            gate.let_go();
        });
        assert!(won_it(&late), "{late:?}");
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_late_refusal_does_not_overrule_who_took_over() {
    on_each(async |w| {
        let invoice = declined(&w).await;
        let gate = Gate::new(&w.provider, vec![Trick::HoldAnswer], vec![]);
        let provider: Arc<dyn Provider> = gate.clone();
        let slow = w.engine_with("slow", &provider).await;
        w.fault(
            "charge",
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            1,
        )
        .await;
        let operator = admin();
        let retry = Request::Retry { invoice };
        let plan = w.plan(&retry).await.expect("a plan");
        let (late, ()) = tokio::join!(slow.apply(&operator, &retry, &plan.fingerprint), async {
            gate.an_answer_arrived().await;
            w.expire_leases().await;
            w.always("order", json!({ "kind": "http_error" })).await;
            let looked = w.engine.reconcile_once(&operator).await.expect("looked");
            assert_eq!((looked.claimed, looked.left), (1, 1));
            gate.let_go();
        });
        assert!(matches!(late, Ok(Outcome::Unknown(_))), "{late:?}");
        assert_eq!(
            w.text("select state from attempt order by id desc limit 1")
                .await,
            "unknown"
        );
        w.no_faults().await;
        w.settle_everything().await;
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(w.text("select state from subscription").await, "past_due");
        w.books_are_straight().await;
    })
    .await;
}

/// A charge that the provider executed, called declined by a second process, answered late.
async fn called_declined_then_found(w: &World, pay_between: bool) -> Outcome {
    let invoice = declined(w).await;
    let gate = Gate::new(&w.provider, vec![Trick::HoldAnswer], vec![]);
    let provider: Arc<dyn Provider> = gate.clone();
    let slow = w.engine_with("slow", &provider).await;
    let liar: Arc<dyn Provider> = Gate::new(
        &w.provider,
        vec![Trick::Say(Box::new(declined_for_sure()))],
        vec![Trick::Say(Box::new(Evidence::NotSeen))],
    );
    let misled = w.engine_with("misled", &liar).await;
    let operator = admin();
    let retry = Request::Retry { invoice };
    let plan = w.plan(&retry).await.expect("a plan");
    let (late, ()) = tokio::join!(slow.apply(&operator, &retry, &plan.fingerprint), async {
        gate.an_answer_arrived().await;
        w.expire_leases().await;
        let looked = misled.reconcile_once(&operator).await.expect("looked");
        assert_eq!(looked.settled, 1);
        assert_eq!(w.text("select state from subscription").await, "past_due");
        if pay_between {
            let paid = w.act(retry.clone()).await;
            assert!(won_it(&paid), "{paid:?}");
        }
        gate.let_go();
    });
    late.expect("an outcome")
}

#[tokio::test]
async fn success_overrules_a_refusal_and_calls_a_person() {
    on_each(async |w| {
        let outcome = called_declined_then_found(&w, false).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.text("select state from subscription").await, "active");
        assert_eq!(
            w.number("select count(*) from outbox where kind = 'page'")
                .await,
            1
        );
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn money_taken_twice_has_its_own_payment_and_a_prepared_return() {
    on_each(async |w| {
        called_declined_then_found(&w, true).await;
        assert_eq!(w.executed().await, (3, 0), "taken twice at the provider");
        assert_eq!(
            w.number("select count(*) from attempt where state = 'duplicate'").await,
            1
        );
        assert_eq!(
            w.number("select count(*) from payment where is_duplicate = 1 and reserved_minor = captured_minor").await,
            1
        );
        assert_eq!(
            w.number("select count(*) from attempt where kind = 'refund' and state = 'waiting_approval'").await,
            1
        );
        assert!(w.number("select count(*) from outbox where kind = 'page'").await >= 1);
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "a list, one entry per verb")]
pub fn one_of_each() -> Vec<Request> {
    let (customer, subscription) = (CustomerId(1), SubscriptionId(1));
    let plan = PlanId(1);
    vec![
        Request::Charge {
            invoice: InvoiceId(1),
        },
        Request::Retry {
            invoice: InvoiceId(1),
        },
        Request::Refund {
            payment: PaymentId(1),
            amount: RefundAmount::Full,
            reason: "asked".into(),
            also_cancel: AlsoCancel::No,
        },
        Request::CancelNow {
            subscription,
            reason: "asked".into(),
        },
        Request::CancelAtEnd {
            subscription,
            reason: "asked".into(),
        },
        Request::UndoCancel { subscription },
        Request::Pause { subscription },
        Request::Resume { subscription },
        Request::VoidInvoice {
            invoice: InvoiceId(1),
            reason: "asked".into(),
        },
        Request::GiveUpInvoice {
            invoice: InvoiceId(1),
            reason: "asked".into(),
        },
        Request::OneTime {
            customer,
            amount: won(5_000),
            description: "추가 사용".into(),
        },
        Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        },
        Request::AddMethod {
            customer,
            auth_key: Secret::new("auth-key"),
            provider: None,
        },
        Request::CreateCustomer {
            customer_key: Some("another-key".into()),
            name: "이름".into(),
            email: "a@example.com".into(),
            phone: "010-1111-2222".into(),
        },
        Request::CreatePlan(PlanInput {
            product: "p".into(),
            product_name: "p".into(),
            code: "another".into(),
            name: "another".into(),
            price: won(1_000),
            interval: Interval::parse("month").expect("an interval"),
            tier: "PRO".into(),
            trial_days: 0,
            features: vec![],
        }),
        Request::EditPlan {
            plan,
            change: PlanChange {
                name: Some("new".into()),
                ..PlanChange::default()
            },
        },
        Request::DeactivatePlan { plan },
        Request::Note {
            target: PublicId::new(Noun::Customer, "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            text: "a note".into(),
        },
        Request::ResolveUnknown {
            attempt: AttemptId(1),
        },
        Request::SendAgain {
            attempt: AttemptId(1),
        },
        Request::AskNotExecuted {
            attempt: AttemptId(1),
            reason: "asked".into(),
            evidence: "a letter".into(),
        },
        Request::Grant {
            approval: ApprovalId(1),
        },
        // Turning a request down is also its author's: `second_person`.
        Request::AskReturn {
            attempt: AttemptId(1),
        },
        Request::ApproveReturn {
            attempt: AttemptId(1),
        },
        Request::DeclineReturn {
            attempt: AttemptId(1),
            reason: "no".into(),
        },
    ]
}

fn person(role: Role, access: Access) -> Operator {
    Operator {
        person: format!("one {}", role.as_str()),
        roles: vec![role],
        access,
        evidence: vec![("uid".into(), "1000".into())],
    }
}

const AUDITED: &str = "select count(*) from audit";
const DENIED: &str = "select count(*) from audit where result = 'denied'";

#[tokio::test]
async fn every_verb_asks_for_the_role_itself_and_every_refusal_leaves_a_row() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        for access in [Access::ReadWrite, Access::ReadOnly] {
            for role in Role::ALL {
                let operator = person(role, access);
                for request in one_of_each() {
                    let verb = request.verb();
                    let allowed = access == Access::ReadWrite && may(role, verb);
                    let planned = w.engine.plan(&operator, &request).await;
                    let is_denied = matches!(planned, Err(VerbError::Denied(_)));
                    assert_eq!(is_denied, !allowed, "{role:?} {access:?} plans {verb}");
                    let before = (w.number(AUDITED).await, w.number(DENIED).await);
                    let applied = w
                        .engine
                        .apply(&operator, &request, "0123456789abcdef")
                        .await;
                    assert!(applied.is_err(), "{role:?} {verb}: {applied:?}");
                    let is_denied = matches!(applied, Err(VerbError::Denied(_)));
                    assert_eq!(is_denied, !allowed, "{role:?} {access:?} applies {verb}");
                    let after = (w.number(AUDITED).await, w.number(DENIED).await);
                    let denied = i64::from(!allowed);
                    assert_eq!(after, (before.0 + 1, before.1 + denied), "{role:?} {verb}");
                }
                let denied = w.number(DENIED).await;
                let run = w
                    .engine
                    .billing_run(&operator, w.clock.now(), &mut |_| {})
                    .await;
                let allowed = access == Access::ReadWrite && may(role, Verb::BillRun);
                assert_eq!(run.is_ok(), allowed, "{role:?} {access:?} runs the billing");
                let looked = w.engine.reconcile_once(&operator).await;
                let may_look = access == Access::ReadWrite && may(role, Verb::ResolveUnknown);
                assert_eq!(looked.is_ok(), may_look, "{role:?} {access:?} reconciles");
                let more = i64::from(!allowed) + i64::from(!may_look);
                assert_eq!(w.number(DENIED).await, denied + more, "{role:?} {access:?}");
            }
        }
        assert_eq!(w.executed().await, (1, 0));
        w.audit_is_intact().await;
    })
    .await;
}

#[expect(
    clippy::too_many_lines,
    reason = "a list of eight requests and one check"
)]
#[tokio::test]
async fn every_plan_goes_stale_when_its_rows_change() {
    on_each(async |w| {
        let open = declined(&w).await;
        let customer = CustomerId(w.number("select min(id) from customer").await);
        let subscription = SubscriptionId(w.number("select min(id) from subscription").await);
        let plan = PlanId(w.number("select min(id) from plan").await);
        let payment = w.last_payment().await;
        let refund = Request::Refund {
            payment,
            amount: RefundAmount::Partial(won(1_000)),
            reason: "asked".into(),
            also_cancel: AlsoCancel::No,
        };
        let cancel = |reason: &str| Request::CancelAtEnd {
            subscription,
            reason: reason.into(),
        };
        let now = Request::CancelNow {
            subscription,
            reason: "asked".into(),
        };
        let once = Request::OneTime {
            customer,
            amount: won(5_000),
            description: "추가 사용".into(),
        };
        let edit = Request::EditPlan {
            plan,
            change: PlanChange {
                tier: Some("MAX".into()),
                ..PlanChange::default()
            },
        };
        let close = Request::DeactivatePlan { plan };
        let retry = Request::Retry { invoice: open };
        let charge = Request::Charge { invoice: open };
        let all = [
            &refund,
            &now,
            &once,
            &edit,
            &close,
            &retry,
            &charge,
            &cancel("x"),
        ];
        let mut plans = Vec::new();
        for request in all {
            plans.push((request, w.plan(request).await.expect("a plan").fingerprint));
        }
        for table in [
            "payment",
            "subscription",
            "customer",
            "plan",
            "invoice",
            "payment_method",
        ] {
            w.change(&format!("update {table} set version = version + 1"))
                .await;
        }
        let before = w.executed().await;
        for (request, fingerprint) in plans {
            let applied = w.engine.apply(&admin(), request, &fingerprint).await;
            assert!(
                matches!(applied, Err(VerbError::Stale)),
                "{}: {applied:?}",
                request.verb()
            );
        }
        assert_eq!(w.executed().await, before);
        let stale = "select count(*) from audit where result = 'stale'";
        assert_eq!(w.number(stale).await, 8);
        w.audit_is_intact().await;
    })
    .await;
}
