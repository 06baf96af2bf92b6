//! What follows when an invoice of a subscription is paid: said by plans and written by settling, from here.
//!
//! The schedule goes on from its anchor. After a debt of the past is paid, a period that is over is not billed:
//! access had ended and nothing was delivered. The one that runs now is written down as a draft that a person may
//! charge. Nobody is charged a second time for one press.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::money::Money;
use crate::domain::period::{Period, PeriodError, day_start};
use crate::domain::revenue::Mrr;
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::{Subscription, Term, next_charge};

use super::Engine;
use super::action::Effect;
use super::billing_run::{MISSED_LIMIT, Renewal};
use super::ports::{Store, Tx};
use super::refusal::VerbError;

/// Periods one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub count: u64,
    pub from: NaiveDate,
    /// The first date after it.
    pub to: NaiveDate,
}

/// Where billing stands at an instant, from the first period that nobody was billed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Periods that are over.
    pub over: Option<Stretch>,
    /// The one that runs.
    pub running: Option<Period>,
    /// The first that is still to come.
    pub coming: Period,
}

/// Looks along the periods of a term.
pub(super) fn standing(
    subscription: &Subscription,
    term: &Term,
    now: DateTime<Utc>,
) -> Result<Standing, VerbError> {
    let range = |e: PeriodError| VerbError::Range(e.to_string());
    let mut over: Option<Stretch> = None;
    let mut running = None;
    let mut period = term
        .anchor
        .period(subscription.next_period)
        .map_err(range)?;
    while period.due_at <= now {
        if period.ends_at <= now {
            over = Some(Stretch {
                count: over.map_or(0, |over| over.count) + 1,
                from: over.map_or(period.from, |over| over.from),
                to: period.to,
            });
        } else {
            running = Some(period);
        }
        period = term.anchor.period(period.index + 1).map_err(range)?;
    }
    Ok(Standing {
        over,
        running,
        coming: period,
    })
}

/// What one period costs.
pub(super) fn amount_of(term: &Term) -> Result<Money, VerbError> {
    term.price
        .checked_mul(i64::from(term.quantity))
        .map_err(|e| VerbError::Range(e.to_string()))
}

/// The state a subscription has once its invoice is paid.
pub(super) const fn state_after_payment(state: SubscriptionState) -> SubscriptionState {
    match state {
        SubscriptionState::Incomplete
        | SubscriptionState::Trialing
        | SubscriptionState::Active
        | SubscriptionState::PastDue
        | SubscriptionState::Unpaid => SubscriptionState::Active,
        SubscriptionState::Paused | SubscriptionState::Canceled | SubscriptionState::Expired => {
            state
        }
    }
}

/// The first period that is still to come, which every plan says something about; none for what is not billed.
pub(super) fn coming_period(
    subscription: Option<&(Subscription, Term)>,
    now: DateTime<Utc>,
) -> Result<Option<u32>, VerbError> {
    match subscription {
        Some((subscription, term)) if !subscription.state.is_ended() => {
            let standing = standing(subscription, term, now)?;
            Ok(Some(standing.coming.index))
        }
        _ => Ok(None),
    }
}

/// What follows when the invoice is paid.
pub(super) fn effects_of_payment(
    subscription: Option<&(Subscription, Term)>,
    invoice: &Invoice,
    now: DateTime<Utc>,
) -> Result<Vec<Effect>, VerbError> {
    let Some((subscription, term)) = subscription else {
        return Ok(Vec::new());
    };
    let mut effects = Vec::new();
    let to = state_after_payment(subscription.state);
    if to != subscription.state {
        effects.push(Effect::State {
            from: subscription.state,
            to,
        });
    }
    if !subscription.state.is_billed() && to.is_billed() {
        let mrr =
            Mrr::of(term.price, term.quantity, 0, term.anchor.interval).and_then(Mrr::rounded);
        effects.push(Effect::Mrr(
            mrr.map_err(|e| VerbError::Range(e.to_string()))?,
        ));
    }
    if subscription.state.is_billed() {
        effects.push(Effect::Mrr(Money::new(0, term.price.currency())));
    }
    effects.extend(of_the_schedule(subscription, term, to, now)?);
    if invoice.kind == InvoiceKind::Renewal {
        let ends = day_start(invoice.period_to, term.anchor.zone);
        let paid = subscription
            .paid_until
            .map_or(ends, |until| until.max(ends));
        effects.push(if paid > now {
            Effect::AccessUntil(paid)
        } else {
            Effect::AccessStaysOver(paid)
        });
    }
    Ok(effects)
}

/// When the next charge comes, and what becomes of periods that nobody was billed for.
fn of_the_schedule(
    subscription: &Subscription,
    term: &Term,
    to: SubscriptionState,
    now: DateTime<Utc>,
) -> Result<Vec<Effect>, VerbError> {
    let from = subscription.next_charge();
    let goes_on = |due| next_charge(to, due, subscription.cancel_at);
    if subscription.state == SubscriptionState::Unpaid {
        let standing = standing(subscription, term, now)?;
        let mut effects = vec![Effect::NextCharge {
            from,
            to: goes_on(Some(standing.coming.due_at)),
        }];
        if let Some(over) = standing.over {
            effects.push(Effect::PeriodsNotBilled {
                count: over.count,
                from: over.from,
                to: over.to,
            });
        }
        if let Some(running) = standing.running {
            effects.push(Effect::PeriodsWrittenDown {
                count: 1,
                from: running.from,
                to: running.to,
                each: amount_of(term)?,
            });
        }
        return Ok(effects);
    }
    let next = goes_on(subscription.next_due_at);
    if next.is_none_or(|due| due > now) {
        return Ok(vec![Effect::NextCharge { from, to: next }]);
    }
    // It fell due meanwhile, and nobody past due is billed: the next run makes up for it.
    let standing = standing(subscription, term, now)?;
    let due = standing.running.unwrap_or(standing.coming);
    let mut effects = vec![if due.due_at <= now {
        Effect::ChargedByNextRun {
            due_at: due.due_at,
            amount: amount_of(term)?,
        }
    } else {
        Effect::NextCharge {
            from,
            to: Some(due.due_at),
        }
    }];
    if let Some(over) = standing.over {
        effects.extend(written_down(subscription, term, over)?);
    }
    Ok(effects)
}

/// What a run makes of periods that are over: the newest are written down, and older ones are nobody's any more.
fn written_down(
    subscription: &Subscription,
    term: &Term,
    over: Stretch,
) -> Result<Vec<Effect>, VerbError> {
    let most = u64::try_from(MISSED_LIMIT).unwrap_or(u64::MAX);
    let dropped = over.count.saturating_sub(most);
    let first = u32::try_from(dropped)
        .ok()
        .and_then(|dropped| subscription.next_period.checked_add(dropped))
        .ok_or_else(|| VerbError::Range("too many periods".to_owned()))?;
    let kept = term.anchor.period(first);
    let kept = kept.map_err(|e| VerbError::Range(e.to_string()))?;
    let mut effects = vec![Effect::PeriodsWrittenDown {
        count: over.count - dropped,
        from: kept.from,
        to: over.to,
        each: amount_of(term)?,
    }];
    if dropped > 0 {
        effects.push(Effect::PeriodsNotBilled {
            count: dropped,
            from: over.from,
            to: kept.from,
        });
    }
    Ok(effects)
}

impl<S: Store> Engine<S> {
    /// After a debt of the past is paid: the schedule goes on, and the period that runs waits for a person.
    pub(super) async fn resume_billing<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &mut Subscription,
        term: &Term,
    ) -> Result<(), VerbError> {
        let standing = standing(subscription, term, self.now())?;
        subscription.next_period = standing.coming.index;
        subscription.next_due_at = Some(standing.coming.due_at);
        let Some(running) = standing.running else {
            return Ok(());
        };
        let amount = amount_of(term)?;
        if !amount.is_positive() {
            return Ok(());
        }
        let plan = tx.plan(term.plan_id).await?;
        let renewal = Renewal {
            subscription,
            amount,
            description: &plan.name,
        };
        self.insert_renewal(tx, renewal, &running, InvoiceState::Draft)
            .await?;
        Ok(())
    }
}
