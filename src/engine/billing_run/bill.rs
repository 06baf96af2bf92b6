//! One due row: what is decided about it, and what is written for that.

use chrono::{Duration, NaiveDate};

use crate::domain::attempt::Source;
use crate::domain::dunning::DunningState;
use crate::domain::ids::{AttemptId, InvoiceId, Noun};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::period::{Period, PeriodError};
use crate::domain::plan::minimum_charge;
use crate::domain::run::{Decision, Run, RunItem};
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Subscription, Term};

use super::super::Engine;
use super::super::action::{Refused, VerbError};
use super::super::audit::Actor;
use super::super::charge::{ChargeWork, Start, next_attempt_no};
use super::super::ports::{NewInvoice, Store, Tx};
use super::super::send::Outgoing;

/// What came of one due row before any call.
pub(super) enum Step {
    /// It is written as sent and goes out as soon as a place is free.
    Send(Box<Outgoing>),
    /// No call is needed.
    Decided,
}

/// At most so many missed periods are written down for a person at once.
const MISSED_LIMIT: usize = 24;

fn range(error: PeriodError) -> VerbError {
    VerbError::Range(error.to_string())
}

impl<S: Store> Engine<S> {
    pub(super) async fn bill_subscription<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        actor: Actor<'_>,
        mut subscription: Subscription,
    ) -> Result<Step, VerbError> {
        let term = tx.term(subscription.id, subscription.term_no).await?;
        let ends_first = |s: &Subscription| match (s.cancel_at, s.next_due_at) {
            (Some(end), Some(due)) => end <= run.until && end <= due,
            (Some(end), None) => end <= run.until,
            (None, _) => false,
        };
        let is_cancel_only = subscription.state == SubscriptionState::PastDue;
        if is_cancel_only || ends_first(&subscription) {
            self.end_as(
                tx,
                actor,
                &mut subscription,
                &term,
                SubscriptionState::Canceled,
                ChangeCause::CanceledAtEnd,
                "",
            )
            .await?;
            return self
                .decided(tx, run, &subscription, None, Decision::Canceled, "")
                .await;
        }
        let is_trial_over = subscription.state == SubscriptionState::Trialing;
        if is_trial_over && self.has_no_card(tx, &subscription).await? {
            self.end_as(
                tx,
                actor,
                &mut subscription,
                &term,
                SubscriptionState::Expired,
                ChangeCause::Expired,
                "no card",
            )
            .await?;
            return self
                .decided(
                    tx,
                    run,
                    &subscription,
                    None,
                    Decision::SkippedNoMethod,
                    "trial ended without a card",
                )
                .await;
        }
        let (missed, period) = due_periods(&subscription, &term, run)?;
        let plan = tx.plan(term.plan_id).await?;
        let amount = term
            .price
            .checked_mul(i64::from(term.quantity))
            .map_err(|e| VerbError::Range(e.to_string()))?;
        for old in missed {
            let id = self
                .insert_renewal(
                    tx,
                    &subscription,
                    &old,
                    amount,
                    &plan.name,
                    InvoiceState::Draft,
                )
                .await?;
            self.decided(
                tx,
                run,
                &subscription,
                Some(id),
                Decision::SkippedCatchUp,
                "an older period: a person decides",
            )
            .await?;
        }
        let id = self
            .insert_renewal(
                tx,
                &subscription,
                &period,
                amount,
                &plan.name,
                InvoiceState::Open,
            )
            .await?;
        let next = term.anchor.period(period.index + 1).map_err(range)?;
        subscription.next_period = next.index;
        subscription.next_due_at = Some(next.due_at);
        self.bill_renewal(tx, run, actor, subscription, term, id)
            .await
    }

    async fn has_no_card<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &Subscription,
    ) -> Result<bool, VerbError> {
        Ok(subscription.method_id.is_none()
            && tx
                .active_method_of(subscription.customer_id)
                .await?
                .is_none())
    }

    async fn insert_renewal<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &Subscription,
        period: &Period,
        amount: Money,
        description: &str,
        state: InvoiceState,
    ) -> Result<InvoiceId, VerbError> {
        let public_id = self.parts.ids.public_id(Noun::Invoice);
        let (from, to): (NaiveDate, NaiveDate) = (period.from, period.to);
        Ok(tx
            .insert_invoice(&NewInvoice {
                public_id: &public_id,
                customer_id: subscription.customer_id,
                subscription_id: Some(subscription.id),
                term_no: subscription.term_no,
                period_index: period.index,
                kind: InvoiceKind::Renewal,
                state,
                amount,
                description,
                due_at: period.due_at,
                period_from: from,
                period_to: to,
                at: self.now(),
            })
            .await?)
    }

    async fn bill_renewal<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        actor: Actor<'_>,
        mut subscription: Subscription,
        term: Term,
        id: InvoiceId,
    ) -> Result<Step, VerbError> {
        let mut invoice = tx.lock_invoice(id).await?;
        if invoice.amount.minor() == 0 {
            self.pay_zero(tx, &mut invoice, &mut subscription, &term)
                .await?;
            return self
                .decided(tx, run, &subscription, Some(id), Decision::ZeroAmount, "")
                .await;
        }
        if invoice.amount.minor() < minimum_charge(invoice.amount.currency()).minor() {
            tx.save_subscription(&subscription).await?;
            return self
                .decided(
                    tx,
                    run,
                    &subscription,
                    Some(id),
                    Decision::SkippedBelowMinimum,
                    "carried over",
                )
                .await;
        }
        let method = match self
            .method_to_charge(tx, &invoice, Some(&subscription))
            .await
        {
            Ok(method) => method,
            Err(VerbError::Refused(reason @ (Refused::NoMethod | Refused::KeyDeleted))) => {
                self.await_card(tx, &mut invoice).await?;
                self.make_past_due(tx, &mut subscription, &term).await?;
                let decision = without_card(&reason);
                return self
                    .decided(
                        tx,
                        run,
                        &subscription,
                        Some(id),
                        decision,
                        &reason.to_string(),
                    )
                    .await;
            }
            Err(other) => return Err(other),
        };
        tx.save_subscription(&subscription).await?;
        subscription.version += 1;
        let customer = tx.customer(invoice.customer_id).await?;
        let mut work = ChargeWork {
            verb: Verb::BillRun,
            invoice,
            subscription: Some((subscription, term)),
            customer,
            method,
            source: Source::Run,
            attempt_no: 1,
        };
        self.send_off(tx, run, actor, &mut work).await
    }

    pub(super) async fn bill_dunning<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        actor: Actor<'_>,
        id: InvoiceId,
    ) -> Result<Step, VerbError> {
        let (subscription, mut invoice) = self.lock_invoice_in_order(tx, id).await?;
        let Some((subscription, term)) = subscription else {
            invoice.dunning = DunningState::Idle;
            tx.save_invoice(&invoice).await?;
            return Ok(Step::Decided);
        };
        if subscription.state.is_ended() || subscription.state == SubscriptionState::Paused {
            invoice.dunning = DunningState::Idle;
            invoice.next_attempt_at = None;
            tx.save_invoice(&invoice).await?;
            let state = subscription.state.as_str();
            return self
                .decided(
                    tx,
                    run,
                    &subscription,
                    Some(id),
                    Decision::SkippedPaused,
                    state,
                )
                .await;
        }
        let attempts = tx.charges_of(id).await?;
        if let Some(open) = attempts.iter().find(|a| a.state.holds_charge_slot()) {
            invoice.next_attempt_at = invoice
                .next_attempt_at
                .map(|at| at.max(run.until) + Duration::hours(1));
            tx.save_invoice(&invoice).await?;
            let reason = open.public_id.to_string();
            return self
                .decided(
                    tx,
                    run,
                    &subscription,
                    Some(id),
                    Decision::SkippedUnknownOpen,
                    &reason,
                )
                .await;
        }
        let method = match self
            .method_to_charge(tx, &invoice, Some(&subscription))
            .await
        {
            Ok(method) => method,
            Err(VerbError::Refused(reason @ (Refused::NoMethod | Refused::KeyDeleted))) => {
                self.await_card(tx, &mut invoice).await?;
                let decision = without_card(&reason);
                return self
                    .decided(
                        tx,
                        run,
                        &subscription,
                        Some(id),
                        decision,
                        &reason.to_string(),
                    )
                    .await;
            }
            Err(other) => return Err(other),
        };
        let attempt_no = next_attempt_no(&attempts)?;
        let customer = tx.customer(invoice.customer_id).await?;
        let mut work = ChargeWork {
            verb: Verb::BillRun,
            invoice,
            subscription: Some((subscription, term)),
            customer,
            method,
            source: Source::Dunning,
            attempt_no,
        };
        self.send_off(tx, run, actor, &mut work).await
    }

    /// Nothing more is tried until a new card comes.
    async fn await_card<T: Tx>(&self, tx: &mut T, invoice: &mut Invoice) -> Result<(), VerbError> {
        invoice.dunning = DunningState::AwaitingCard;
        invoice.next_attempt_at = None;
        invoice.first_failed_at = invoice.first_failed_at.or(Some(self.now()));
        tx.save_invoice(invoice).await?;
        Ok(())
    }

    /// Writes the attempt as sent, with its row of the run, and opens its key.
    async fn send_off<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        actor: Actor<'_>,
        work: &mut ChargeWork,
    ) -> Result<Step, VerbError> {
        let key = match self.open_key_of(tx, &work.method).await {
            Ok(key) => key,
            Err(VerbError::Vault(error)) => {
                return self.without_key(tx, run, work, &error.to_string()).await;
            }
            Err(other) => return Err(other),
        };
        let id = self.insert_charge(tx, actor, work, Start::Sent, "").await?;
        let attempt = tx.lock_attempt(id).await?;
        if let Some((subscription, _)) = &work.subscription {
            self.save_item(
                tx,
                run,
                subscription,
                Some(work.invoice.id),
                Some(id),
                None,
                "",
            )
            .await?;
        }
        Ok(Step::Send(Box::new(Outgoing {
            attempt,
            key: Some(key),
        })))
    }

    /// A key that cannot be opened stops this row and no other; a person has to look at it.
    async fn without_key<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        work: &mut ChargeWork,
        reason: &str,
    ) -> Result<Step, VerbError> {
        self.await_card(tx, &mut work.invoice).await?;
        let key = format!("{}:key", work.invoice.public_id);
        let payload = format!(
            "{{\"invoice\":\"{}\",\"what\":\"key_unreadable\"}}",
            work.invoice.public_id
        );
        tx.queue_notice("page", &key, &payload, self.now()).await?;
        match &work.subscription {
            Some((subscription, _)) => {
                self.decided(
                    tx,
                    run,
                    subscription,
                    Some(work.invoice.id),
                    Decision::SkippedConfig,
                    reason,
                )
                .await
            }
            None => Ok(Step::Decided),
        }
    }

    async fn decided<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        subscription: &Subscription,
        invoice: Option<InvoiceId>,
        decision: Decision,
        reason: &str,
    ) -> Result<Step, VerbError> {
        self.save_item(tx, run, subscription, invoice, None, Some(decision), reason)
            .await?;
        Ok(Step::Decided)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a row of a run has that many columns"
    )]
    async fn save_item<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        subscription: &Subscription,
        invoice_id: Option<InvoiceId>,
        attempt_id: Option<AttemptId>,
        decision: Option<Decision>,
        reason: &str,
    ) -> Result<(), VerbError> {
        let item = RunItem {
            run_id: run.id,
            subscription_id: subscription.id,
            invoice_id,
            attempt_id,
            decision,
            reason: reason.to_owned(),
            at: self.now(),
        };
        Ok(tx.save_run_item(&item).await?)
    }

    /// Subscriptions whose first charge never succeeded end after a while.
    pub(super) async fn expire_incomplete<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        limit: u32,
    ) -> Result<(), VerbError> {
        let before = self.now() - Duration::hours(i64::from(self.parts.settings.incomplete_hours));
        for mut subscription in tx.claim_stale_incomplete(before, limit).await? {
            let term = tx.term(subscription.id, subscription.term_no).await?;
            let to = SubscriptionState::Expired;
            self.end_as(
                tx,
                actor,
                &mut subscription,
                &term,
                to,
                ChangeCause::Expired,
                "never paid",
            )
            .await?;
        }
        Ok(())
    }
}

const fn without_card(reason: &Refused) -> Decision {
    match reason {
        Refused::KeyDeleted => Decision::SkippedKeyDeleted,
        _ => Decision::SkippedNoMethod,
    }
}

/// The period to be billed now, and the older ones that were missed and wait for a person.
fn due_periods(
    subscription: &Subscription,
    term: &Term,
    run: &Run,
) -> Result<(Vec<Period>, Period), VerbError> {
    let mut period = term
        .anchor
        .period(subscription.next_period)
        .map_err(range)?;
    let mut missed = Vec::new();
    while period.ends_at <= run.until {
        if missed.len() == MISSED_LIMIT {
            missed.remove(0);
        }
        missed.push(period);
        period = term.anchor.period(period.index + 1).map_err(range)?;
    }
    Ok((missed, period))
}
