//! Who acts: people, the billing run, the reconciler. All through the shipped engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use paydeck::domain::attempt::{AlsoCancel, Attempt};
use paydeck::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, PaymentId, PlanId, SubscriptionId,
};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::operator::Operator;
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::{AttemptState, InvoiceState};
use paydeck::engine::{Outcome, Refused, Request, VerbError};
use paydeck::secret::Secret;

use crate::links;
use crate::memory::db::Tables;
use crate::memory::stage::{Chance, Reason, Stage};
use crate::memory::store::Shared;
use crate::mirrors;
use crate::net::Net;
use crate::spool::Host;
use crate::world::{Process, person};

/// What a person sets out to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    Charge,
    Retry,
    RefundAll,
    RefundPart,
    RefundAndCancel,
    CancelNow,
    CancelAtEnd,
    UndoCancel,
    Resolve,
    OneTime,
    Subscribe,
    AskRefund,
    AskNotExecuted,
    Grant,
    Reject,
    ApproveReturn,
    DeclineReturn,
    AddCard,
    Checkout,
    /// Somebody gives money back at the provider's own desk.
    RefundAtDesk,
    /// Somebody hands a customer their link on.
    HandLinkOn,
    Pause,
    Resume,
    VoidInvoice,
    GiveUpInvoice,
    /// Somebody acts on what the provider schedules, at the provider's own desk.
    AtTheirDesk,
}

/// What people do where a provider schedules subscriptions.
pub const ON_SCHEDULE: [Errand; 34] = [
    Errand::Pause,
    Errand::Pause,
    Errand::Pause,
    Errand::Resume,
    Errand::Resume,
    Errand::Resume,
    Errand::VoidInvoice,
    Errand::VoidInvoice,
    Errand::GiveUpInvoice,
    Errand::GiveUpInvoice,
    Errand::Charge,
    Errand::Charge,
    Errand::Charge,
    Errand::Retry,
    Errand::Retry,
    Errand::CancelNow,
    Errand::CancelAtEnd,
    Errand::CancelAtEnd,
    Errand::CancelAtEnd,
    Errand::UndoCancel,
    Errand::UndoCancel,
    Errand::UndoCancel,
    Errand::RefundAll,
    Errand::RefundPart,
    Errand::RefundPart,
    Errand::RefundAndCancel,
    Errand::RefundAtDesk,
    Errand::Resolve,
    Errand::OneTime,
    Errand::AddCard,
    Errand::AtTheirDesk,
    Errand::AtTheirDesk,
    Errand::AtTheirDesk,
    Errand::AtTheirDesk,
];

/// As often as people do them, roughly: money first.
pub const ERRANDS: [Errand; 35] = [
    Errand::Charge,
    Errand::Charge,
    Errand::Charge,
    Errand::Retry,
    Errand::Retry,
    Errand::Retry,
    Errand::RefundAll,
    Errand::RefundAll,
    Errand::RefundPart,
    Errand::RefundPart,
    Errand::RefundPart,
    Errand::RefundAndCancel,
    Errand::CancelNow,
    Errand::CancelAtEnd,
    Errand::UndoCancel,
    Errand::Resolve,
    Errand::Resolve,
    Errand::OneTime,
    Errand::OneTime,
    Errand::Subscribe,
    Errand::AskRefund,
    Errand::AskRefund,
    Errand::Grant,
    Errand::Grant,
    Errand::Grant,
    Errand::Grant,
    Errand::Reject,
    Errand::ApproveReturn,
    Errand::DeclineReturn,
    Errand::AddCard,
    Errand::AddCard,
    Errand::Checkout,
    Errand::Checkout,
    Errand::RefundAtDesk,
    Errand::HandLinkOn,
];

/// What an actor needs of the world.
#[derive(Clone)]
pub struct Surroundings {
    pub stage: Arc<Stage>,
    pub shared: Arc<Shared>,
    pub net: Arc<Net>,
    pub host: Arc<Host>,
    /// The play is over once nothing is open.
    pub is_ending: Arc<AtomicBool>,
}

fn any<T>(chance: &mut Chance, among: Vec<T>) -> Option<T> {
    let at = chance.below(among.len());
    among.into_iter().nth(at)
}

fn attempts_where(tables: &Tables, wanted: fn(&Attempt) -> bool) -> Vec<AttemptId> {
    let rows = tables.attempts.rows();
    rows.filter(|(_, row)| wanted(&row.attempt))
        .map(|(id, _)| AttemptId(id))
        .collect()
}

/// What is asked of a second person where the first may not.
fn above_limit(request: Request) -> Request {
    match request {
        Request::Refund {
            payment,
            amount,
            reason,
            also_cancel,
        } => Request::AskRefund {
            payment,
            amount,
            reason,
            also_cancel,
        },
        Request::ApproveReturn { attempt } => Request::AskReturn { attempt },
        other => other,
    }
}

/// What the errand asks for, of what stands in the database now.
pub fn request(errand: Errand, around: &Surroundings, chance: &mut Chance) -> Option<Request> {
    let db = around.shared.db();
    let t = &db.tables;
    let invoices = |wanted: fn(InvoiceState) -> bool| -> Vec<InvoiceId> {
        t.invoices
            .rows()
            .filter(|(_, row)| wanted(row.state))
            .map(|(id, _)| InvoiceId(id))
            .collect()
    };
    let won = |minor| Money::new(minor, Currency::KRW);
    match errand {
        Errand::Charge => any(chance, invoices(|s| s != InvoiceState::Paid))
            .map(|invoice| Request::Charge { invoice }),
        Errand::Retry => any(chance, invoices(|s| s == InvoiceState::Open))
            .map(|invoice| Request::Retry { invoice }),
        Errand::RefundAll | Errand::RefundPart | Errand::RefundAndCancel => {
            let payments: Vec<_> = t.payments.rows().map(|(id, _)| PaymentId(id)).collect();
            let amount = match errand {
                Errand::RefundPart => {
                    RefundAmount::Partial(won([1_000, 4_950, 6_000][chance.below(3)]))
                }
                _ => RefundAmount::Full,
            };
            let also_cancel = match errand {
                Errand::RefundAndCancel => AlsoCancel::Now,
                _ => AlsoCancel::No,
            };
            any(chance, payments).map(|payment| Request::Refund {
                payment,
                amount,
                reason: "asked".to_owned(),
                also_cancel,
            })
        }
        Errand::CancelNow
        | Errand::CancelAtEnd
        | Errand::UndoCancel
        | Errand::Pause
        | Errand::Resume => {
            let running: Vec<SubscriptionId> = t
                .subscriptions
                .rows()
                .filter(|(_, row)| !row.subscription.state.is_ended())
                .map(|(id, _)| SubscriptionId(id))
                .collect();
            let reason = "asked".to_owned();
            any(chance, running).map(|subscription| match errand {
                Errand::CancelNow => Request::CancelNow {
                    subscription,
                    reason,
                },
                Errand::CancelAtEnd => Request::CancelAtEnd {
                    subscription,
                    reason,
                },
                Errand::Pause => Request::Pause { subscription },
                Errand::Resume => Request::Resume { subscription },
                _ => Request::UndoCancel { subscription },
            })
        }
        Errand::Resolve => {
            let open = attempts_where(t, |a| {
                matches!(a.state, AttemptState::Sent | AttemptState::Unknown)
            });
            any(chance, open).map(|attempt| Request::ResolveUnknown { attempt })
        }
        Errand::AskRefund => {
            let payments: Vec<_> = t.payments.rows().map(|(id, _)| PaymentId(id)).collect();
            let amount = match chance.below(2) {
                0 => RefundAmount::Full,
                _ => RefundAmount::Partial(won(4_950)),
            };
            any(chance, payments).map(|payment| Request::AskRefund {
                payment,
                amount,
                reason: "asked".to_owned(),
                also_cancel: AlsoCancel::No,
            })
        }
        Errand::AskNotExecuted => {
            let unknown = attempts_where(t, |a| a.state == AttemptState::Unknown);
            any(chance, unknown).map(|attempt| Request::AskNotExecuted {
                attempt,
                reason: "never arrived".to_owned(),
                evidence: "the customer's bank".to_owned(),
            })
        }
        Errand::Grant | Errand::Reject => {
            // Somebody may still have a request on the screen that was decided a moment ago.
            let asked: Vec<ApprovalId> = t.approvals.rows().map(|(id, _)| ApprovalId(id)).collect();
            any(chance, asked).map(|approval| match errand {
                Errand::Grant => Request::Grant { approval },
                _ => Request::Reject {
                    approval,
                    reason: "no".to_owned(),
                },
            })
        }
        Errand::ApproveReturn | Errand::DeclineReturn => {
            let waiting = attempts_where(t, |a| a.state == AttemptState::WaitingApproval);
            any(chance, waiting).map(|attempt| match errand {
                Errand::ApproveReturn => Request::ApproveReturn { attempt },
                _ => Request::DeclineReturn {
                    attempt,
                    reason: "it stays".to_owned(),
                },
            })
        }
        Errand::VoidInvoice | Errand::GiveUpInvoice => {
            let reason = "asked".to_owned();
            let owed = invoices(|s| matches!(s, InvoiceState::Open | InvoiceState::Uncollectible));
            any(chance, owed).map(|invoice| match errand {
                Errand::VoidInvoice => Request::VoidInvoice { invoice, reason },
                _ => Request::GiveUpInvoice { invoice, reason },
            })
        }
        Errand::AddCard
        | Errand::Checkout
        | Errand::RefundAtDesk
        | Errand::HandLinkOn
        | Errand::AtTheirDesk => None,
        Errand::OneTime => Some(Request::OneTime {
            customer: CustomerId(1),
            amount: won(5_000),
            description: "추가".to_owned(),
        }),
        Errand::Subscribe => Some(Request::Subscribe {
            customer: CustomerId(1),
            plan: PlanId(1),
            quantity: 1,
        }),
    }
}

fn is_worth_another_try(outcome: &Result<Outcome, VerbError>) -> bool {
    !matches!(
        outcome,
        Ok(Outcome::Done(_) | Outcome::AlreadyDone(_)) | Err(VerbError::Refused(_))
    )
}

/// A person with some errands, who asks again when the answer is not to their liking.
pub async fn operator(
    process: Process,
    around: Surroundings,
    name: &'static str,
    errands: Vec<Errand>,
    mut chance: Chance,
) {
    let operator = person(name);
    for errand in errands {
        let pause = i64::try_from(chance.below(40_000_000)).unwrap_or(0);
        let at = around.stage.lock().now + pause;
        around.stage.wait(Reason::Until(at)).await;
        match errand {
            Errand::AddCard => registers_a_card(&process, &around, &operator, &mut chance).await,
            Errand::Checkout => {
                pays_in_the_browser(&process, &around, &operator, &mut chance).await
            }
            Errand::RefundAtDesk => around.net.refunds_at_the_desk(&mut chance),
            Errand::AtTheirDesk => mirrors::at_their_desk(&around, &mut chance).await,
            Errand::HandLinkOn => links::hands_on(&process, &around, &operator, &mut chance).await,
            _ => {}
        }
        let mut tries = 0;
        while let Some(request) = request(errand, &around, &mut chance) {
            tries += 1;
            let planned = process.engine.plan(&operator, &request).await;
            let (request, planned) = match planned {
                Err(VerbError::Refused(Refused::NeedsApproval { .. })) => {
                    let request = above_limit(request);
                    let planned = process.engine.plan(&operator, &request).await;
                    (request, planned)
                }
                planned => (request, planned),
            };
            let Ok(plan) = planned else { break };
            around.stage.wait(Reason::Turn("confirms")).await;
            let engine = &process.engine;
            let outcome = engine.apply(&operator, &request, &plan.fingerprint).await;
            if tries > 2 || !is_worth_another_try(&outcome) || chance.per_mille(500) {
                break;
            }
        }
    }
}

/// A customer registers a card in the window; what comes back is pressed once or twice.
async fn registers_a_card(
    process: &Process,
    around: &Surroundings,
    operator: &Operator,
    chance: &mut Chance,
) {
    let Some(auth_key) = around.net.opens_window("customer-0") else {
        return;
    };
    for _ in 0..=chance.below(2) {
        let request = Request::AddMethod {
            customer: CustomerId(1),
            auth_key: Secret::new(auth_key.clone()),
            provider: None,
        };
        press(process, around, operator, &request).await;
    }
}

/// A checkout is opened, the customer authenticates, and the browser comes back once or twice.
async fn pays_in_the_browser(
    process: &Process,
    around: &Surroundings,
    operator: &Operator,
    chance: &mut Chance,
) {
    let amount = Money::new(7_000, Currency::KRW);
    let opening = Request::Checkout {
        customer: CustomerId(1),
        amount,
        description: "추가".to_owned(),
    };
    let opened = press(process, around, operator, &opening).await;
    let Some(Outcome::Done(receipt)) = opened else {
        return;
    };
    let Some(order_id) = receipt.order_id else {
        return;
    };
    let Some(payment_key) = around.net.authenticates(&order_id, amount.minor()) else {
        return;
    };
    for _ in 0..=chance.below(2) {
        // The customer takes some time, and sometimes longer than the session lasts.
        let pause = [0, 3_000_000, 700_000_000][chance.below(3)];
        let at = around.stage.lock().now + pause;
        around.stage.wait(Reason::Until(at)).await;
        let confirming = Request::ConfirmCheckout {
            payment_key: payment_key.clone(),
            order_id: order_id.clone(),
            amount,
        };
        press(process, around, operator, &confirming).await;
    }
}

async fn press(
    process: &Process,
    around: &Surroundings,
    operator: &Operator,
    request: &Request,
) -> Option<Outcome> {
    let plan = process.engine.plan(operator, request).await.ok()?;
    around.stage.wait(Reason::Turn("confirms")).await;
    let outcome = process
        .engine
        .apply(operator, request, &plan.fingerprint)
        .await;
    outcome.ok()
}

/// One look at everything that is due.
pub async fn looks_once(process: Process) {
    let operator = person("reconciler");
    while process
        .engine
        .reconcile_once(&operator)
        .await
        .is_ok_and(|done| done.claimed > 0)
    {}
}

/// One request, planned and applied at once.
pub async fn presses(process: Process, request: Request) {
    let kim = person("kim");
    if let Ok(plan) = process.engine.plan(&kim, &request).await {
        // What came of it stands in the database.
        let _seen = process
            .engine
            .apply(&kim, &request, &plan.fingerprint)
            .await;
    }
}

/// Bills what is due, and again where the database was away.
pub async fn billing_run(process: Process, around: Surroundings, pause_us: i64) {
    let at = around.stage.lock().now + pause_us;
    around.stage.wait(Reason::Until(at)).await;
    let operator = person("run");
    for _ in 0..2 {
        let until = process.engine.now();
        let outcome = process
            .engine
            .billing_run(&operator, until, &mut |_| {})
            .await;
        if outcome.is_ok() {
            return;
        }
    }
}

/// Looks every few seconds, or when the next look is due, until the play is over.
pub async fn reconciler(process: Process, around: Surroundings) {
    let operator = person("reconciler");
    loop {
        let claimed = match process.engine.reconcile_once(&operator).await {
            Ok(done) => done.claimed,
            Err(_) => 0,
        };
        if around.is_ending.load(Ordering::Relaxed) && around.is_at_rest() {
            return;
        }
        if claimed == 0 {
            let at = around.next_look();
            around.stage.wait(Reason::Until(at)).await;
        }
    }
}

impl Surroundings {
    /// Whether an attempt may still move by itself.
    pub fn is_anything_open(&self) -> bool {
        let db = self.shared.db();
        db.tables.attempts.rows().any(|(_, row)| {
            let is_open = matches!(
                row.attempt.state,
                AttemptState::Ready | AttemptState::Sent | AttemptState::Unknown
            );
            // Whoever waits at an open link for somebody who never comes waits for a day.
            is_open && !row.attempt.needs_human && !self.waits_at_link(&row.attempt)
        })
    }

    /// Whether its customer may still answer at the link that is open for it.
    pub fn waits_at_link(&self, attempt: &Attempt) -> bool {
        attempt.asks_customer() && self.net.state().offline.has_link(&attempt.order_id)
    }

    pub fn is_ending_now(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Nobody does anything any more, and nothing is open.
    pub fn is_over(&self) -> bool {
        self.is_ending_now() && self.is_at_rest()
    }

    /// Nothing is open, and the database has taken what the host kept.
    pub fn is_at_rest(&self) -> bool {
        !self.is_mirror_busy() && !self.is_anything_open() && self.host.names().is_empty()
    }

    /// When the next open attempt is due, at least five seconds from now while people act.
    fn next_look(&self) -> i64 {
        let now = self.stage.lock().now;
        if !self.is_ending.load(Ordering::Relaxed) {
            return now + 5_000_000;
        }
        self.next_due().clamp(now + 1_000_000, now + 30_000_000)
    }

    /// When the next open attempt may be taken up; now when there is none.
    pub fn next_due(&self) -> i64 {
        let now = self.stage.lock().now;
        let db = self.shared.db();
        let due = db.tables.attempts.rows().filter_map(|(_, row)| {
            let attempt = &row.attempt;
            let is_open = matches!(
                attempt.state,
                AttemptState::Ready | AttemptState::Sent | AttemptState::Unknown
            );
            let is_free = attempt.lease_until.into_iter().chain(attempt.next_check_at);
            is_open
                .then(|| is_free.max())
                .flatten()
                .map(|at| at.timestamp_micros())
        });
        due.min().unwrap_or(now)
    }
}
