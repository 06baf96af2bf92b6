//! Two verbs about an attempt that nobody knows the end of: asking the provider now, and asking and
//! then sending the same request again if it was not seen. The second is a plan with two calls, because
//! it may take money; the first never sends anything.

use chrono::{DateTime, Utc};

use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::customer::Customer;
use crate::domain::evidence::EvidenceSource;
use crate::domain::ids::AttemptId;
use crate::domain::invoice::Invoice;
use crate::domain::mode::Mode;
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::AttemptState;
use crate::domain::subscription::{Subscription, Term};

use super::Engine;
use super::action::{ActionPlan, Confirmation, Effect, NotHappening, Outcome, PlannedCall};
use super::after_payment::effects_of_payment;
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::customer_brief;
use super::fingerprint::Fingerprint;
use super::ports::{Store, Tx};
use super::reconcile::{is_wanted, may_be_looked_at};
use super::refusal::{Refused, VerbError};
use super::set_aside::Held;

/// What is sent after a look-up, under which key, and what follows.
type SecondCall<'w> = (Option<(&'static str, &'w str)>, Vec<Effect>);

/// How far a person lets it go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Ask.
    Look,
    /// Ask, and send the same request again if it was not seen.
    SendAgain,
}

/// What becomes of it where the provider has not executed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IfAbsent {
    Nothing,
    SentAgain,
    /// Nobody wants it any more, or its key is forgotten, and the provider can end it.
    Ended,
}

/// Everything read for a look-up.
pub(super) struct ResolveWork {
    reach: Reach,
    if_absent: IfAbsent,
    attempt: Attempt,
    customer: Customer,
    subscription: Option<(Subscription, Term)>,
    invoice: Invoice,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_resolve<T: Tx>(
        &self,
        tx: &mut T,
        id: AttemptId,
        reach: Reach,
    ) -> Result<Prepared, VerbError> {
        let invoice = tx.attempt_target(id).await?;
        let (subscription, invoice) = self.lock_invoice_in_order(tx, invoice).await?;
        let attempt = tx.lock_attempt(id).await?;
        match reach {
            Reach::Look if may_be_looked_at(&attempt) => {}
            Reach::Look => return Err(VerbError::Refused(Refused::Settled)),
            Reach::SendAgain => must_be_unknown(&attempt)?,
        }
        let now = tx.db_now().await?;
        let is_in_window = attempt.may_be_sent_again(now);
        if reach == Reach::SendAgain && !is_in_window && !attempt.can_be_ended() {
            let first = attempt.first_sent_at.unwrap_or(attempt.created_at);
            let until = first + attempt.provider.resend_window(attempt.kind);
            return Err(VerbError::Refused(Refused::KeyForgotten { until }));
        }
        let subscription_of = subscription.as_ref().map(|(s, _)| s);
        let is_wanted = is_wanted(&attempt, &invoice, subscription_of);
        let if_absent = match reach {
            Reach::Look => IfAbsent::Nothing,
            Reach::SendAgain if attempt.can_be_ended() && !(is_wanted && is_in_window) => {
                IfAbsent::Ended
            }
            Reach::SendAgain => IfAbsent::SentAgain,
        };
        let customer = tx.customer(attempt.customer_id).await?;
        let work = ResolveWork {
            reach,
            if_absent,
            attempt,
            customer,
            subscription,
            invoice,
        };
        let plan = self.resolve_plan(&work)?;
        Ok(Prepared {
            plan,
            work: Work::Resolve(Box::new(work)),
        })
    }

    fn resolve_plan(&self, work: &ResolveWork) -> Result<ActionPlan, VerbError> {
        let attempt = &work.attempt;
        let sends_again = work.reach == Reach::SendAgain;
        let (if_not_seen, effects) = self.if_absent(work)?;
        let call = |operation, idem_key: &str| PlannedCall {
            provider: attempt.provider,
            operation,
            order_id: attempt.order_id.clone(),
            idem_key: idem_key.to_owned(),
            expected_balance_minor: attempt.expected_balance_minor,
        };
        let fingerprint = Fingerprint::of(if sends_again {
            "send-again"
        } else {
            "resolve-unknown"
        })
        .and(attempt.public_id.as_str())
        .and(attempt.state.as_str())
        .number(attempt.lease_epoch)
        .finish();
        Ok(ActionPlan {
            verb: Verb::ResolveUnknown,
            mode: self.parts.settings.mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(attempt.public_id.clone()),
            subscription: work.subscription.as_ref().map(|(s, _)| s.public_id.clone()),
            what: work.invoice.description.clone(),
            card: None,
            amount: Some(attempt.amount),
            // A question has no key: asking twice changes nothing.
            call: Some(call("look up", "")),
            if_not_seen: if_not_seen.map(|(operation, key)| call(operation, key)),
            asked: None,
            effects,
            not_happening: match work.if_absent {
                IfAbsent::SentAgain => {
                    vec![NotHappening::SecondExecution, NotHappening::ScheduleMove]
                }
                IfAbsent::Ended => vec![NotHappening::SecondExecution, NotHappening::SendAgain],
                IfAbsent::Nothing => vec![NotHappening::SendAgain, NotHappening::ScheduleMove],
            },
            warnings: Vec::new(),
            confirm: self.confirmation_of(work),
        })
    }

    /// The second call of a plan, with its key, and what follows from it.
    fn if_absent<'w>(&self, work: &'w ResolveWork) -> Result<SecondCall<'w>, VerbError> {
        let attempt = &work.attempt;
        Ok(match work.if_absent {
            IfAbsent::Nothing => (None, Vec::new()),
            IfAbsent::SentAgain => (
                Some((operation(attempt.kind), attempt.idem_key.as_str())),
                effects_of_success(work, self.now())?,
            ),
            IfAbsent::Ended => {
                let subscription = work.subscription.as_ref().map(|(s, _)| s);
                let (follows, _) = self.follows(attempt, subscription, &work.invoice);
                let mut effects = vec![Effect::Attempt {
                    from: attempt.state,
                    to: AttemptState::NotExecuted,
                }];
                effects.extend(follows);
                (Some(("end", "")), effects)
            }
        })
    }

    /// What may take or give money is confirmed like the verb it repeats.
    fn confirmation_of(&self, work: &ResolveWork) -> Confirmation {
        let attempt = &work.attempt;
        match (work.reach, attempt.kind, self.parts.settings.mode) {
            (Reach::Look, _, _)
            | (Reach::SendAgain, AttemptKind::Charge, Mode::Test | Mode::Sim) => Confirmation::Key,
            (Reach::SendAgain, AttemptKind::Charge, Mode::Live)
            | (Reach::SendAgain, AttemptKind::Refund, Mode::Test | Mode::Sim) => {
                Confirmation::Amount(attempt.amount)
            }
            (Reach::SendAgain, AttemptKind::Refund, Mode::Live) => Confirmation::AmountAndEnding(
                attempt.amount,
                work.customer.public_id.ending(4).to_owned(),
            ),
        }
    }

    pub(super) async fn write_resolve<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: ResolveWork,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        let press = Press {
            verb: Verb::ResolveUnknown.as_str(),
            target: work.attempt.public_id.as_str(),
            before: work.attempt.state.as_str(),
            after: match work.reach {
                Reach::Look => "",
                Reach::SendAgain => "send again if not seen",
            },
            result: "intent",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(Next::LookUp(work.attempt.id, work.reach))
    }

    /// Takes the lease, looks up and settles; sends the same bytes again only where that was asked for.
    pub(super) async fn look_now(
        &self,
        id: AttemptId,
        reach: Reach,
        operator: &Operator,
    ) -> Result<Outcome, VerbError> {
        let Some(attempt) = self.take_over(id).await? else {
            return Err(VerbError::Refused(Refused::Settled));
        };
        let actor = Actor::from(operator);
        let settled = match reach {
            Reach::SendAgain => {
                let mut held = Held::of(&attempt);
                self.work_off(attempt, &mut held, actor).await?
            }
            Reach::Look => {
                let returned = self.look_up(attempt).await;
                self.settle_until_written(&returned, EvidenceSource::LookUp, actor)
                    .await?
            }
        };
        Ok(settled.into_outcome())
    }
}

/// Only what nobody knows the end of can be sent again, ended or declared: what is on its way is not settled either.
pub(super) fn must_be_unknown(attempt: &Attempt) -> Result<(), VerbError> {
    let refused = match attempt.state {
        AttemptState::Unknown => return Ok(()),
        AttemptState::WaitingApproval | AttemptState::Ready | AttemptState::Sent => {
            Refused::InProgress {
                attempt: attempt.public_id.clone(),
                operator: attempt.operator.clone(),
                since: attempt.created_at,
            }
        }
        AttemptState::Succeeded
        | AttemptState::Declined
        | AttemptState::NotExecuted
        | AttemptState::Abandoned
        | AttemptState::Duplicate => Refused::Settled,
    };
    Err(VerbError::Refused(refused))
}

const fn operation(kind: AttemptKind) -> &'static str {
    match kind {
        AttemptKind::Charge => "charge",
        AttemptKind::Refund => "cancel",
    }
}

/// What follows when the provider executes it, or says that it has.
fn effects_of_success(work: &ResolveWork, now: DateTime<Utc>) -> Result<Vec<Effect>, VerbError> {
    match work.attempt.kind {
        AttemptKind::Refund => Ok(Vec::new()),
        AttemptKind::Charge => {
            let mut effects = vec![Effect::InvoicePaid(work.invoice.public_id.clone())];
            effects.extend(effects_of_payment(
                work.subscription.as_ref(),
                &work.invoice,
                now,
            )?);
            Ok(effects)
        }
    }
}
