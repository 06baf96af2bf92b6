//! One due row: what is decided about it, and what is written for that.

use chrono::Duration;

use crate::domain::attempt::{Attempt, Source};
use crate::domain::customer::PaymentMethod;
use crate::domain::dunning::DunningState;
use crate::domain::ids::{AttemptId, InvoiceId};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::period::{Period, PeriodError};
use crate::domain::plan::minimum_charge;
use crate::domain::run::{Decision, Run, RunItem};
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Subscription, Term};

use super::super::Engine;
use super::super::after_payment::amount_of;
use super::super::audit::Actor;
use super::super::charge::{ChargeWork, Start, check_amount, next_attempt_no};
use super::super::ports::{NewInvoice, Store, Tx};
use super::super::refusal::{Refused, VerbError};
use super::super::send::{Outgoing, Owed};
use super::stop::Stops;

/// What came of one due row before any call.
pub(super) enum Step {
    /// It is written as sent and goes out as soon as a place is free.
    Send(Box<Outgoing>),
    /// No call is needed.
    Decided,
    /// Nothing goes out to this provider now: a later run comes back to it.
    Held(ProviderName),
}

/// What rows are claimed for.
#[derive(Clone, Copy)]
pub(super) struct Claiming<'a> {
    pub run: &'a Run,
    /// To whom nothing goes out any more.
    pub stops: Stops,
}

/// What every renewal invoice of one subscription has in common.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Renewal<'a> {
    pub subscription: &'a Subscription,
    pub amount: Money,
    pub description: &'a str,
}

/// At most so many missed periods are written down for a person at once.
pub(in crate::engine) const MISSED_LIMIT: usize = 24;

fn range(error: PeriodError) -> VerbError {
    VerbError::Range(error.to_string())
}

/// The row of a run that something is decided about.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub run: &'a Run,
    pub subscription: &'a Subscription,
    pub invoice: Option<InvoiceId>,
}

impl<S: Store> Engine<S> {
    pub(super) async fn bill_subscription<T: Tx>(
        &self,
        tx: &mut T,
        claim: Claiming<'_>,
        actor: Actor<'_>,
        mut subscription: Subscription,
    ) -> Result<Step, VerbError> {
        let run = claim.run;
        let term = tx.term(subscription.id, subscription.term_no).await?;
        let ended = self.end_instead(tx, run, (&subscription, &term)).await?;
        if let Some((to, cause, decision)) = ended {
            self.end_as(tx, actor, &mut subscription, &term, to, cause, "")
                .await?;
            let line = Line {
                run,
                subscription: &subscription,
                invoice: None,
            };
            return self.decided(tx, line, decision, cause.as_str()).await;
        }
        let (missed, period) = due_periods(&subscription, &term, run)?;
        let plan = tx.plan(term.plan_id).await?;
        let amount = amount_of(&term)?;
        let renewal = Renewal {
            subscription: &subscription,
            amount,
            description: &plan.name,
        };
        for old in missed {
            let draft = self
                .insert_renewal(tx, renewal, &old, InvoiceState::Draft)
                .await?;
            let line = Line {
                run,
                subscription: &subscription,
                invoice: Some(draft.id),
            };
            let reason = "an older period: a person decides";
            self.decided(tx, line, Decision::SkippedCatchUp, reason)
                .await?;
        }
        let invoice = self
            .insert_renewal(tx, renewal, &period, InvoiceState::Open)
            .await?;
        let next = term.anchor.period(period.index + 1).map_err(range)?;
        subscription.next_period = next.index;
        subscription.next_due_at = Some(next.due_at);
        self.bill_renewal(tx, claim, actor, (subscription, term), invoice)
            .await
    }

    /// Whether a due subscription ends instead of renewing: its cancel takes effect, or its trial
    /// is over and there is no card.
    async fn end_instead<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        (subscription, term): (&Subscription, &Term),
    ) -> Result<Option<(SubscriptionState, ChangeCause, Decision)>, VerbError> {
        // Whoever asked for an end is not charged for a period that would end with the charge, also
        // when the period fell due before they asked and the run comes late.
        let cancel_comes_first = subscription.cancel_at.is_some_and(|end| end <= run.until);
        // A past-due subscription is claimed for its cancel alone.
        if cancel_comes_first || subscription.state == SubscriptionState::PastDue {
            let to = SubscriptionState::Canceled;
            return Ok(Some((to, ChangeCause::CanceledAtEnd, Decision::Canceled)));
        }
        let is_trial_over = subscription.state == SubscriptionState::Trialing;
        if is_trial_over && !self.has_card_for(tx, subscription, term).await? {
            let to = SubscriptionState::Expired;
            return Ok(Some((to, ChangeCause::Expired, Decision::SkippedNoMethod)));
        }
        Ok(None)
    }

    /// Whether there is a card that the rules let this subscription be charged by: its own, whatever became of it, or
    /// another of the customer's.
    async fn has_card_for<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &Subscription,
        term: &Term,
    ) -> Result<bool, VerbError> {
        let currency = term.price.currency();
        if let Some(own) = subscription.method_id
            && self.is_asked_for(tx.method(own).await?.provider, currency)
        {
            return Ok(true);
        }
        let method = self.method_for(tx, subscription.customer_id, currency);
        Ok(method.await?.is_some())
    }

    pub(in crate::engine) async fn insert_renewal<T: Tx>(
        &self,
        tx: &mut T,
        renewal: Renewal<'_>,
        period: &Period,
        state: InvoiceState,
    ) -> Result<Invoice, VerbError> {
        let public_id = self.invoice_of(renewal.subscription, period);
        let new = NewInvoice {
            public_id: &public_id,
            customer_id: renewal.subscription.customer_id,
            subscription_id: Some(renewal.subscription.id),
            term_no: renewal.subscription.term_no,
            period_index: period.index,
            kind: InvoiceKind::Renewal,
            state,
            amount: renewal.amount,
            description: renewal.description,
            due_at: period.due_at,
            period_from: period.from,
            period_to: period.to,
            at: self.now(),
        };
        let id = tx.insert_invoice(&new).await?;
        Ok(new.stored(id))
    }

    async fn bill_renewal<T: Tx>(
        &self,
        tx: &mut T,
        claim: Claiming<'_>,
        actor: Actor<'_>,
        (mut subscription, term): (Subscription, Term),
        mut invoice: Invoice,
    ) -> Result<Step, VerbError> {
        let run = claim.run;
        let id = invoice.id;
        let minimum = minimum_charge(invoice.amount.currency());
        if invoice.amount.minor() == 0 {
            self.pay_zero(tx, &mut invoice, &mut subscription, &term)
                .await?;
            let line = Line {
                run,
                subscription: &subscription,
                invoice: Some(id),
            };
            return self.decided(tx, line, Decision::ZeroAmount, "").await;
        }
        if invoice.amount.minor() < minimum.minor() {
            tx.save_subscription(&subscription).await?;
            let line = Line {
                run,
                subscription: &subscription,
                invoice: Some(id),
            };
            return self
                .decided(tx, line, Decision::SkippedBelowMinimum, "carried over")
                .await;
        }
        let method = match self.card_or_wait(tx, &mut invoice, &subscription).await? {
            Ok(method) => method,
            Err(reason) => {
                self.make_past_due(tx, &mut subscription, &term).await?;
                let line = Line {
                    run,
                    subscription: &subscription,
                    invoice: Some(id),
                };
                return self.without_card(tx, line, &reason).await;
            }
        };
        tx.save_subscription(&subscription).await?;
        subscription.version += 1;
        if let Err(why) = method.provider.takes(invoice.amount) {
            let line = Line {
                run,
                subscription: &subscription,
                invoice: Some(id),
            };
            return self.not_taken(tx, line, invoice, why).await;
        }
        let customer = tx.customer(invoice.customer_id).await?;
        let work = ChargeWork {
            verb: Verb::BillRun,
            invoice,
            subscription: Some((subscription, term)),
            customer,
            method,
            source: Source::Run,
            attempt_no: 1,
            next: None,
        };
        self.send_off(tx, claim, actor, work).await
    }

    pub(super) async fn bill_dunning<T: Tx>(
        &self,
        tx: &mut T,
        claim: Claiming<'_>,
        actor: Actor<'_>,
        id: InvoiceId,
    ) -> Result<Step, VerbError> {
        let run = claim.run;
        let (subscription, mut invoice) = self.lock_invoice_in_order(tx, id).await?;
        let Some((subscription, term)) = subscription else {
            invoice.dunning = DunningState::Idle;
            tx.save_invoice(&invoice).await?;
            return Ok(Step::Decided);
        };
        let line = Line {
            run,
            subscription: &subscription,
            invoice: Some(id),
        };
        if subscription.state.is_ended() || subscription.state == SubscriptionState::Paused {
            invoice.dunning = DunningState::Idle;
            invoice.next_attempt_at = None;
            tx.save_invoice(&invoice).await?;
            let state = subscription.state.as_str();
            return self.decided(tx, line, Decision::SkippedPaused, state).await;
        }
        let attempts = tx.charges_of(id).await?;
        if let Some(open) = attempts.iter().find(|a| a.state.holds_charge_slot()) {
            invoice.next_attempt_at = Some(run.until + Duration::hours(1));
            tx.save_invoice(&invoice).await?;
            let reason = open.public_id.as_str();
            return self
                .decided(tx, line, Decision::SkippedUnknownOpen, reason)
                .await;
        }
        if let Err(VerbError::Refused(reason)) = check_amount(&invoice, &term) {
            return self.leave_to_a_person(tx, line, invoice, &reason).await;
        }
        let method = match self.card_or_wait(tx, &mut invoice, &subscription).await? {
            Ok(method) => method,
            Err(reason) => return self.without_card(tx, line, &reason).await,
        };
        if let Err(why) = method.provider.takes(invoice.amount) {
            return self.not_taken(tx, line, invoice, why).await;
        }
        let source = source_of_dunning(&mut invoice, &attempts);
        let attempt_no = next_attempt_no(&attempts)?;
        let customer = tx.customer(invoice.customer_id).await?;
        let work = ChargeWork {
            verb: Verb::BillRun,
            invoice,
            subscription: Some((subscription, term)),
            customer,
            method,
            source,
            attempt_no,
            next: None,
        };
        self.send_off(tx, claim, actor, work).await
    }

    /// The card to charge; without one, nothing more is tried until a new one comes.
    async fn card_or_wait<T: Tx>(
        &self,
        tx: &mut T,
        invoice: &mut Invoice,
        subscription: &Subscription,
    ) -> Result<Result<PaymentMethod, Refused>, VerbError> {
        match self.method_to_charge(tx, invoice, Some(subscription)).await {
            Ok(method) => Ok(Ok(method)),
            Err(VerbError::Refused(reason @ (Refused::NoMethod | Refused::KeyDeleted))) => {
                self.await_card(tx, invoice).await?;
                Ok(Err(reason))
            }
            Err(other) => Err(other),
        }
    }

    pub(super) async fn await_card<T: Tx>(
        &self,
        tx: &mut T,
        invoice: &mut Invoice,
    ) -> Result<(), VerbError> {
        invoice.dunning = DunningState::AwaitingCard;
        invoice.next_attempt_at = None;
        invoice.first_failed_at = invoice.first_failed_at.or(Some(self.now()));
        tx.save_invoice(invoice).await?;
        Ok(())
    }

    async fn without_card<T: Tx>(
        &self,
        tx: &mut T,
        line: Line<'_>,
        reason: &Refused,
    ) -> Result<Step, VerbError> {
        let decision = match reason {
            Refused::KeyDeleted => Decision::SkippedKeyDeleted,
            _ => Decision::SkippedNoMethod,
        };
        self.decided(tx, line, decision, &reason.to_string()).await
    }

    /// Writes the attempt as sent, with its row of the run. Its key is opened first.
    async fn send_off<T: Tx>(
        &self,
        tx: &mut T,
        claim: Claiming<'_>,
        actor: Actor<'_>,
        mut work: ChargeWork,
    ) -> Result<Step, VerbError> {
        let run = claim.run;
        let provider = work.method.provider;
        if self.provider(provider).is_err() {
            return self.without_provider(tx, run, work).await;
        }
        if let Some(stop) = claim.stops.of(provider).filter(|stop| stop.is_for_good()) {
            let reason = format!("{provider}: {}", stop.reason());
            self.hold_back(tx, run, work, &reason).await?;
            return Ok(Step::Held(provider));
        }
        let key = match self.open_key_of(tx, &work.method).await {
            Ok(key) => key,
            Err(VerbError::Vault(error)) => {
                return self.without_key(tx, run, work, &error.to_string()).await;
            }
            Err(other) => return Err(other),
        };
        let attempt = self
            .insert_charge(tx, actor, &mut work, Start::Sent, "")
            .await?;
        if let Some((subscription, _)) = &work.subscription {
            let line = Line {
                run,
                subscription,
                invoice: Some(work.invoice.id),
            };
            self.save_item(tx, line, Some(attempt.id), None, "").await?;
        }
        let owed = Owed::of(&attempt, &work.invoice);
        let outgoing = self.outgoing(attempt, Some(key), owed);
        Ok(Step::Send(Box::new(outgoing)))
    }

    pub(super) async fn decided<T: Tx>(
        &self,
        tx: &mut T,
        line: Line<'_>,
        decision: Decision,
        reason: &str,
    ) -> Result<Step, VerbError> {
        self.save_item(tx, line, None, Some(decision), reason)
            .await?;
        Ok(Step::Decided)
    }

    async fn save_item<T: Tx>(
        &self,
        tx: &mut T,
        line: Line<'_>,
        attempt_id: Option<AttemptId>,
        decision: Option<Decision>,
        reason: &str,
    ) -> Result<(), VerbError> {
        let item = RunItem {
            run_id: line.run.id,
            subscription_id: line.subscription.id,
            invoice_id: line.invoice,
            attempt_id,
            decision,
            reason: reason.to_owned(),
            at: self.now(),
        };
        Ok(tx.save_run_item(&item).await?)
    }
}

/// What was never tried yet is not a further try: it uses none of them up.
fn source_of_dunning(invoice: &mut Invoice, attempts: &[Attempt]) -> Source {
    if !attempts.is_empty() {
        return Source::Dunning;
    }
    invoice.dunning = DunningState::Idle;
    invoice.next_attempt_at = None;
    Source::Run
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
