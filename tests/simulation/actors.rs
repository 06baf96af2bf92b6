//! Who acts: people, the billing run, the reconciler. All through the shipped engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{AttemptId, CustomerId, InvoiceId, PaymentId, PlanId, SubscriptionId};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::{AttemptState, InvoiceState};
use paydeck::engine::{Outcome, Request, VerbError};

use crate::memory::stage::{Chance, Reason, Stage};
use crate::memory::store::Shared;
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
}

/// As often as people do them, roughly: money first.
pub const ERRANDS: [Errand; 20] = [
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
];

/// What an actor needs of the world.
#[derive(Clone)]
pub struct Surroundings {
    pub stage: Arc<Stage>,
    pub shared: Arc<Shared>,
    /// The play is over once nothing is open.
    pub is_ending: Arc<AtomicBool>,
}

fn any<T>(chance: &mut Chance, among: Vec<T>) -> Option<T> {
    let at = chance.below(among.len());
    among.into_iter().nth(at)
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
        Errand::CancelNow | Errand::CancelAtEnd | Errand::UndoCancel => {
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
                _ => Request::UndoCancel { subscription },
            })
        }
        Errand::Resolve => {
            let open: Vec<AttemptId> = t
                .attempts
                .rows()
                .filter(|(_, row)| {
                    matches!(
                        row.attempt.state,
                        AttemptState::Sent | AttemptState::Unknown
                    )
                })
                .map(|(id, _)| AttemptId(id))
                .collect();
            any(chance, open).map(|attempt| Request::ResolveUnknown { attempt })
        }
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
        let mut tries = 0;
        while let Some(request) = request(errand, &around, &mut chance) {
            tries += 1;
            let Ok(plan) = process.engine.plan(&operator, &request).await else {
                break;
            };
            around.stage.wait(Reason::Turn("confirms")).await;
            let engine = &process.engine;
            let outcome = engine.apply(&operator, &request, &plan.fingerprint).await;
            if tries > 2 || !is_worth_another_try(&outcome) || chance.per_mille(500) {
                break;
            }
        }
    }
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
        if around.is_ending.load(Ordering::Relaxed) && !around.is_anything_open() {
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
            is_open && !row.attempt.needs_human
        })
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
