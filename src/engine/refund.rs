//! Refund: one new attempt that gives money of one payment back.
//!
//! The amount is reserved on the payment in the same commit that writes the attempt, so that two
//! refunds which do not fit together cannot both begin. Zero never means "all of it".

use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use crate::domain::billing::{cancel_reason, refund_tag};
use crate::domain::customer::Customer;
use crate::domain::ids::{Noun, PaymentId};
use crate::domain::invoice::Invoice;
use crate::domain::mode::Mode;
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Verb};
use crate::domain::payment::{Payment, RefundAmount};
use crate::domain::revenue::Mrr;
use crate::domain::states::{AttemptState, SubscriptionState};
use crate::domain::subscription::{Subscription, Term};

use super::Engine;
use super::action::{ActionPlan, Confirmation, Effect, NotHappening, PlannedCall};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::{customer_brief, next_attempt_no};
use super::fingerprint::Fingerprint;
use super::ports::{Constraint, NewAttempt, RefundRequest, Store, StoreError, Tx};
use super::refusal::{Refused, VerbError};

/// Everything read for a refund.
pub(super) struct RefundWork {
    invoice: Invoice,
    subscription: Option<(Subscription, Term)>,
    pub customer: Customer,
    pub payment: Payment,
    pub amount: Money,
    pub reason: String,
    pub also_cancel: AlsoCancel,
    attempt_no: u32,
    /// The second person, where one was needed.
    approver: Option<String>,
}

/// How far a refund may go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit<'a> {
    /// As far as the person's roles allow.
    Of(&'a Operator),
    /// A second person decides.
    Lifted,
}

/// The longest reason that is kept.
const REASON_LIMIT: usize = 180;

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_refund<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        payment: PaymentId,
        amount: RefundAmount,
        reason: &str,
        also_cancel: AlsoCancel,
    ) -> Result<Prepared, VerbError> {
        let limit = Limit::Of(operator);
        let (plan, work) = self
            .refund_and_plan(tx, limit, payment, amount, reason, also_cancel)
            .await?;
        Ok(Prepared {
            plan,
            work: Work::Refund(Box::new(work)),
        })
    }

    pub(super) async fn refund_and_plan<T: Tx>(
        &self,
        tx: &mut T,
        limit: Limit<'_>,
        payment: PaymentId,
        amount: RefundAmount,
        reason: &str,
        also_cancel: AlsoCancel,
    ) -> Result<(ActionPlan, RefundWork), VerbError> {
        let reason = checked_reason(reason)?;
        let target = tx.payment_target(payment).await?;
        let (subscription, invoice) = self.lock_invoice_in_order(tx, target).await?;
        let payment = tx.lock_payment(payment).await?;
        let attempts = tx.refunds_of(payment.id).await?;
        refuse_open(&attempts)?;
        let amount = payment.check_refund(amount)?;
        if let Limit::Of(operator) = limit {
            self.check_limit(tx, operator, Verb::Refund, amount).await?;
        }
        check_also_cancel(also_cancel, subscription.as_ref().map(|(s, _)| s))?;
        let customer = tx.customer(payment.customer_id).await?;
        let attempt_no = next_attempt_no(&attempts)?;
        let work = RefundWork {
            invoice,
            subscription,
            customer,
            payment,
            amount,
            reason,
            also_cancel,
            attempt_no,
            approver: None,
        };
        Ok((self.refund_plan(&work)?, work))
    }

    fn refund_plan(&self, work: &RefundWork) -> Result<ActionPlan, VerbError> {
        let payment = &work.payment;
        let mode = self.parts.settings.mode;
        let range = |e: crate::domain::money::MoneyError| VerbError::Range(e.to_string());
        let left = payment
            .refundable()
            .map_err(range)?
            .checked_sub(work.amount)
            .map_err(range)?;
        let mut effects = vec![Effect::RefundableAfter(left)];
        let mut not_happening = Vec::new();
        if let Some((subscription, term)) = &work.subscription {
            effects.extend(cancel_effects(work.also_cancel, subscription, term).map_err(range)?);
        }
        if work.also_cancel == AlsoCancel::No {
            not_happening.push(NotHappening::Cancel);
        }
        if left.is_positive() {
            not_happening.push(NotHappening::RefundOfRest);
        }
        let key = self.refund_key(payment, work.attempt_no);
        let fingerprint = Fingerprint::of("refund")
            .and(payment.public_id.as_str())
            .number(payment.version)
            .number(work.amount.minor())
            .and(&work.reason)
            .and(work.also_cancel.as_str())
            .number(i64::from(work.attempt_no))
            .number(work.subscription.as_ref().map_or(0, |(s, _)| s.version))
            .finish();
        Ok(ActionPlan {
            verb: Verb::Refund,
            mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(payment.public_id.clone()),
            subscription: work.subscription.as_ref().map(|(s, _)| s.public_id.clone()),
            what: work.invoice.description.clone(),
            card: None,
            amount: Some(work.amount),
            call: Some(PlannedCall {
                provider: payment.provider,
                operation: "cancel",
                order_id: payment.order_id.clone(),
                idem_key: key,
                expected_balance_minor: Some(balance(payment)),
            }),
            if_not_seen: None,
            asked: None,
            effects,
            not_happening,
            warnings: Vec::new(),
            confirm: match mode {
                Mode::Live => Confirmation::AmountAndEnding(
                    work.amount,
                    work.customer.public_id.ending(4).to_owned(),
                ),
                Mode::Test | Mode::Sim => Confirmation::Amount(work.amount),
            },
        })
    }

    fn refund_key(&self, payment: &Payment, attempt_no: u32) -> String {
        let install = &self.parts.install;
        install.idempotency_key(
            payment.provider,
            payment.mode,
            AttemptKind::Refund,
            &payment.public_id,
            attempt_no,
        )
    }

    pub(super) async fn write_refund<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: RefundWork,
    ) -> Result<Next, VerbError> {
        let now = tx.db_now().await?;
        let mut payment = work.payment;
        let provider = self.provider(payment.provider)?;
        let public_id = self.parts.ids.public_id(Noun::Attempt);
        let tag = refund_tag(&public_id);
        let expected = balance(&payment);
        let body = provider.refund_body(&RefundRequest {
            reason: &cancel_reason(&work.reason, &tag),
            amount: work.amount,
            expected_balance_minor: expected,
        });
        let idem_key = self.refund_key(&payment, work.attempt_no);
        payment.reserved_minor = payment.reserved_minor.saturating_add(work.amount.minor());
        tx.save_payment(&payment).await.map_err(as_stale)?;
        let id = tx
            .insert_attempt(&NewAttempt {
                public_id: &public_id,
                kind: AttemptKind::Refund,
                invoice_id: work.invoice.id,
                payment_id: Some(payment.id),
                customer_id: payment.customer_id,
                subscription_id: payment.subscription_id,
                attempt_no: work.attempt_no,
                source: Source::Manual,
                provider: payment.provider,
                mode: payment.mode,
                method_id: None,
                order_id: &tag,
                idem_key: &idem_key,
                provider_ref: Some(&payment.provider_ref),
                body: &body,
                amount: work.amount,
                expected_balance_minor: Some(expected),
                also_cancel: work.also_cancel,
                state: AttemptState::Ready,
                // What two persons decided is carried out, whoever finds it unsent.
                send_after: work.approver.is_some().then_some(now),
                lease: Some(self.lease(now)),
                operator: actor.person,
                reason: &work.reason,
                at: now,
            })
            .await
            .map_err(as_stale)?;
        let after = format!("{public_id} {}", work.amount);
        let press = Press {
            verb: Verb::Refund.as_str(),
            target: payment.public_id.as_str(),
            after: &after,
            reason: &work.reason,
            result: "intent",
            provider_ref: &payment.provider_ref,
            approver: work.approver.as_deref().unwrap_or_default(),
            ..Press::default()
        };
        self.audit_in(tx, actor, press, now).await?;
        Ok(Next::Send(id))
    }
}

impl RefundWork {
    /// The same, once a second person has approved it.
    pub(super) fn approved_by(self, approver: &str) -> Self {
        Self {
            approver: Some(approver.to_owned()),
            ..self
        }
    }
}

/// A reason that can be kept and sent.
pub(super) fn checked_reason(reason: &str) -> Result<String, VerbError> {
    let input = |reason: String| VerbError::Input {
        field: "reason",
        reason,
    };
    if reason.trim().is_empty() {
        return Err(input("a reason is needed".to_owned()));
    }
    if reason.chars().count() > REASON_LIMIT {
        return Err(input(format!("at most {REASON_LIMIT} characters")));
    }
    Ok(reason.trim().to_owned())
}

/// What the provider still holds of a payment, in minor units.
pub(super) const fn balance(payment: &Payment) -> i64 {
    payment.captured.minor() - payment.refunded_minor
}

fn refuse_open(attempts: &[Attempt]) -> Result<(), VerbError> {
    match attempts.iter().find(|a| a.state.is_open()) {
        Some(open) => Err(VerbError::Refused(Refused::InProgress {
            attempt: open.public_id.clone(),
            operator: open.operator.clone(),
            since: open.created_at,
        })),
        None => Ok(()),
    }
}

fn check_also_cancel(
    choice: AlsoCancel,
    subscription: Option<&Subscription>,
) -> Result<(), VerbError> {
    match (choice, subscription) {
        (AlsoCancel::No, _) => Ok(()),
        // A refund of ours ends nothing that its provider schedules: that is asked for by itself.
        (_, Some(s)) if !s.scheduler.is_ours() => {
            Err(VerbError::Refused(Refused::ScheduledElsewhere))
        }
        (AlsoCancel::Now | AlsoCancel::AtPeriodEnd, Some(s)) if !s.state.is_ended() => Ok(()),
        (_, Some(s)) => Err(VerbError::Refused(Refused::SubscriptionState(s.state))),
        (_, None) => Err(VerbError::Input {
            field: "also-cancel",
            reason: "the payment has no subscription".to_owned(),
        }),
    }
}

fn cancel_effects(
    choice: AlsoCancel,
    subscription: &Subscription,
    term: &Term,
) -> Result<Vec<Effect>, crate::domain::money::MoneyError> {
    let mrr = Mrr::of(term.price, term.quantity, 0, term.anchor.interval)?.rounded()?;
    let lost = Money::new(-mrr.minor(), mrr.currency());
    Ok(match choice {
        AlsoCancel::No => vec![Effect::NextCharge {
            from: subscription.next_due_at,
            to: subscription.next_due_at,
        }],
        AlsoCancel::Now => {
            let mut effects = vec![
                Effect::State {
                    from: subscription.state,
                    to: SubscriptionState::Canceled,
                },
                Effect::NextCharge {
                    from: subscription.next_due_at,
                    to: None,
                },
            ];
            if subscription.state.is_billed() {
                effects.push(Effect::Mrr(lost));
            }
            effects
        }
        AlsoCancel::AtPeriodEnd => {
            let ends = subscription.paid_until.into_iter().map(Effect::EndsAt);
            ends.chain([Effect::NextCharge {
                from: subscription.next_due_at,
                to: None,
            }])
            .collect()
        }
    })
}

/// The database saw another refund that we did not: somebody was faster.
fn as_stale(error: StoreError) -> VerbError {
    match error {
        StoreError::Stale { .. }
        | StoreError::Refused(
            Constraint::OpenRefund
            | Constraint::RefundBalance
            | Constraint::AttemptNumber
            | Constraint::IdempotencyKey,
        ) => VerbError::Stale,
        other => VerbError::Store(other),
    }
}
