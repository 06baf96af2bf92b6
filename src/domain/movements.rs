//! MRR and its movements in one stretch of time, from the append-only history, change by change.
//!
//! A customer moves, not a subscription: ending one of two subscriptions is a contraction. Amounts
//! are exact fractions until a [`MrrReport`] rounds each of them once; currencies never meet.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::ids::{CustomerId, SubscriptionId};
use super::money::{Currency, Money, MoneyError};
use super::period::Interval;
use super::revenue::{Mrr, basis_points, round_half_even};
use super::states::SubscriptionState;
use super::subscription::{Change, ChangeCause};

/// A row of history with what MRR needs beside it.
#[derive(Debug, Clone, Copy)]
pub struct MrrChange<'a> {
    /// The row.
    pub change: &'a Change,
    /// Whose subscription.
    pub customer_id: CustomerId,
    /// How often it bills.
    pub interval: Interval,
    /// When the customer asked for a cancel, where one is on record.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// First failure of the trouble it ended in.
    pub first_failed_at: Option<DateTime<Utc>>,
}

/// Why a report cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MovementError {
    /// A row is earlier than the one before it.
    #[error("history is not in time order")]
    OutOfOrder,
    /// start + new + reactivation + expansion − contraction − churn is not end.
    #[error("the movements of {0} do not add up to the end")]
    Identity(Currency),
    /// An amount left its range.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Movements of one currency; every amount is rounded half-even once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MrrReport {
    /// The currency of all of it.
    pub currency: Currency,
    /// MRR when the stretch began.
    pub start: Money,
    /// From customers who never had MRR before.
    pub new: Money,
    /// From customers who had MRR before and none at the moment they came back.
    pub reactivation: Money,
    /// More from customers who stayed.
    pub expansion: Money,
    /// Less from customers who stayed.
    pub contraction: Money,
    /// Lost because customers went.
    pub churn_voluntary: Money,
    /// Lost because dunning was exhausted or the key was deleted.
    pub churn_involuntary: Money,
    /// MRR when the stretch ended.
    pub end: Money,
    /// The part of the end that is past due.
    pub at_risk: Money,
    /// Its share of the end, in basis points.
    pub at_risk_bp: Option<i64>,
    /// Customers with MRR when it began.
    pub start_customers: u64,
    /// Customers with MRR when it ended.
    pub end_customers: u64,
    /// Customers who had MRR for the first time.
    pub new_customers: u64,
    /// Customers who churned at least once.
    pub churned_customers: u64,
    /// Twelve times the end.
    pub arr: Money,
    /// The end divided by its customers.
    pub arpu: Option<Money>,
    /// Logo churn (standard): start customers with nothing at the end ÷ start customers.
    pub logo_churn_standard_bp: Option<i64>,
    /// Logo churn (Stripe style): all churned ÷ (start + new).
    pub logo_churn_stripe_bp: Option<i64>,
    /// (churn of start customers + contraction) ÷ start.
    pub gross_churn_bp: Option<i64>,
    /// (gross churn − expansion − reactivation) ÷ start.
    pub net_churn_bp: Option<i64>,
    /// What start customers pay at the end ÷ start.
    pub nrr_bp: Option<i64>,
    /// The same, each customer counted at most with the MRR of the start.
    pub grr_bp: Option<i64>,
    /// (new + reactivation + expansion) ÷ (churn + contraction), in thousandths.
    pub quick_ratio_milli: Option<i64>,
}

/// One customer's standing in one currency.
#[derive(Debug, Clone, Copy)]
struct Account {
    now: Mrr,
    start: Mrr,
    had_any: bool,
    is_new: bool,
    churned: bool,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    mrr: Mrr,
    state: SubscriptionState,
}

#[derive(Debug, Clone, Copy)]
struct Sums {
    new: Mrr,
    reactivation: Mrr,
    expansion: Mrr,
    contraction: Mrr,
    churn_voluntary: Mrr,
    churn_involuntary: Mrr,
    churn_of_start: Mrr,
}

impl Sums {
    const fn zero(currency: Currency) -> Self {
        let zero = Mrr::zero(currency);
        Self {
            new: zero,
            reactivation: zero,
            expansion: zero,
            contraction: zero,
            churn_voluntary: zero,
            churn_involuntary: zero,
            churn_of_start: zero,
        }
    }
}

impl Sums {
    /// The six movements, rounded so that start and movements still add up to the end: each half-even,
    /// and what that leaves over goes, a unit each, to those whose rounding was furthest off.
    fn rounded_between(&self, start: Money, end: Money) -> Result<[Money; 6], MoneyError> {
        const FINE: i64 = 1_000_000;
        let signed = [
            (self.new, 1_i64),
            (self.reactivation, 1),
            (self.expansion, 1),
            (self.contraction, -1),
            (self.churn_voluntary, -1),
            (self.churn_involuntary, -1),
        ];
        let mut rounded = [start; 6];
        let mut off = [0_i64; 6];
        let mut left = end.checked_sub(start)?.minor();
        for (at, (exact, sign)) in signed.into_iter().enumerate() {
            let whole = exact.rounded()?;
            let fine = exact.times(FINE)?.rounded()?.minor();
            off[at] = sign * (fine - whole.minor() * FINE);
            left -= sign * whole.minor();
            rounded[at] = whole;
        }
        // Each rounding is off by half a unit at most, so that six of them leave three over at most.
        for _ in 0..left.unsigned_abs() {
            let step = left.signum();
            let Some(furthest) = (0..6)
                .filter(|at| off[*at] != 0)
                .max_by_key(|at| off[*at] * step)
            else {
                break;
            };
            let (_, sign) = signed[furthest];
            let more = Money::new(sign * step, start.currency());
            rounded[furthest] = rounded[furthest].checked_add(more)?;
            off[furthest] -= step * FINE;
        }
        Ok(rounded)
    }
}

/// Takes history in, row by row, and gives one report per currency.
#[derive(Debug)]
pub struct Movements {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    last_at: Option<DateTime<Utc>>,
    subscriptions: HashMap<SubscriptionId, Standing>,
    accounts: HashMap<(CustomerId, Currency), Account>,
    sums: HashMap<Currency, Sums>,
}

impl Movements {
    /// Movements in `[from, to)`. Rows before `from` make the start; rows at `to` or later are ignored.
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self {
            from,
            to,
            last_at: None,
            subscriptions: HashMap::new(),
            accounts: HashMap::new(),
            sums: HashMap::new(),
        }
    }

    /// Takes the next row.
    pub fn apply(&mut self, row: &MrrChange<'_>) -> Result<(), MovementError> {
        let change = row.change;
        if self.last_at.is_some_and(|last| change.at < last) {
            return Err(MovementError::OutOfOrder);
        }
        self.last_at = Some(change.at);
        if change.at >= self.to {
            return Ok(());
        }
        let after = mrr_of(row)?;
        let standing = Standing {
            mrr: after,
            state: change.to,
        };
        let before = self.subscriptions.insert(change.subscription_id, standing);
        match before {
            // A plan in another currency: gone in the one, come in the other.
            Some(old) if old.mrr.currency() != after.currency() => {
                self.shift(row, old.mrr, Mrr::zero(old.mrr.currency()))?;
                self.shift(row, Mrr::zero(after.currency()), after)
            }
            Some(old) => self.shift(row, old.mrr, after),
            None => self.shift(row, Mrr::zero(after.currency()), after),
        }
    }

    /// Moves a customer by the difference of one subscription.
    fn shift(&mut self, row: &MrrChange<'_>, old: Mrr, new: Mrr) -> Result<(), MovementError> {
        let currency = new.currency();
        let zero = Mrr::zero(currency);
        let account = self
            .accounts
            .entry((row.customer_id, currency))
            .or_insert(Account {
                now: zero,
                start: zero,
                had_any: false,
                is_new: false,
                churned: false,
            });
        let before = account.now;
        let after = before.checked_sub(old)?.checked_add(new)?;
        account.now = after;
        let had_any = account.had_any;
        account.had_any |= after.is_positive();
        if row.change.at < self.from {
            account.start = after;
            return Ok(());
        }
        let difference = after.checked_sub(before)?;
        let sums = self.sums.entry(currency).or_insert(Sums::zero(currency));
        let sum = match (before.is_positive(), after.is_positive()) {
            (false, true) if had_any => &mut sums.reactivation,
            (false, true) => {
                account.is_new = true;
                &mut sums.new
            }
            (true, false) => {
                // Who came back and went again lost no MRR of the start the second time.
                if account.start.is_positive() && !account.churned {
                    sums.churn_of_start = sums.churn_of_start.checked_add(before)?;
                }
                account.churned = true;
                if is_involuntary(row) {
                    &mut sums.churn_involuntary
                } else {
                    &mut sums.churn_voluntary
                }
            }
            (true, true) if difference.is_positive() => &mut sums.expansion,
            (true, true) => &mut sums.contraction,
            (false, false) => return Ok(()),
        };
        let amount = if difference.is_positive() {
            difference
        } else {
            zero.checked_sub(difference)?
        };
        *sum = sum.checked_add(amount)?;
        Ok(())
    }

    /// One report per currency that ever had MRR, by currency code.
    pub fn finish(self) -> Result<Vec<MrrReport>, MovementError> {
        let mut currencies: Vec<Currency> = self
            .accounts
            .keys()
            .map(|(_, currency)| *currency)
            .collect();
        currencies.sort_unstable();
        currencies.dedup();
        currencies
            .into_iter()
            .map(|currency| self.report(currency))
            .collect()
    }

    fn report(&self, currency: Currency) -> Result<MrrReport, MovementError> {
        let zero = Mrr::zero(currency);
        let sums = self.sums.get(&currency).copied();
        let sums = sums.unwrap_or(Sums::zero(currency));
        let totals = self.totals(currency)?;
        let at_risk = self
            .subscriptions
            .values()
            .filter(|s| s.state == SubscriptionState::PastDue && s.mrr.currency() == currency)
            .try_fold(zero, |sum, s| sum.checked_add(s.mrr))?;

        let churn = sums.churn_voluntary.checked_add(sums.churn_involuntary)?;
        let gained = sums
            .new
            .checked_add(sums.reactivation)?
            .checked_add(sums.expansion)?;
        let lost = churn.checked_add(sums.contraction)?;
        if totals.start.checked_add(gained)?.checked_sub(lost)? != totals.end {
            return Err(MovementError::Identity(currency));
        }
        let gross = sums.churn_of_start.checked_add(sums.contraction)?;
        let net = gross
            .checked_sub(sums.expansion)?
            .checked_sub(sums.reactivation)?;
        let (start, end) = (totals.start.rounded()?, totals.end.rounded()?);
        let [
            new,
            reactivation,
            expansion,
            contraction,
            churn_voluntary,
            churn_involuntary,
        ] = sums.rounded_between(start, end)?;
        Ok(MrrReport {
            currency,
            start,
            new,
            reactivation,
            expansion,
            contraction,
            churn_voluntary,
            churn_involuntary,
            end,
            at_risk: at_risk.rounded()?,
            at_risk_bp: at_risk.share_of(totals.end),
            start_customers: totals.start_customers,
            end_customers: totals.end_customers,
            new_customers: totals.new_customers,
            churned_customers: totals.churned_customers,
            arr: totals.end.times(12)?.rounded()?,
            arpu: per_customer(end, totals.end_customers),
            logo_churn_standard_bp: share(totals.start_gone, totals.start_customers),
            logo_churn_stripe_bp: share(
                totals.churned_customers,
                totals.start_customers + totals.new_customers,
            ),
            gross_churn_bp: gross.share_of(totals.start),
            net_churn_bp: net.share_of(totals.start),
            nrr_bp: totals.kept_net.share_of(totals.start),
            grr_bp: totals.kept_gross.share_of(totals.start),
            quick_ratio_milli: gained.per(1_000, lost),
        })
    }

    fn totals(&self, currency: Currency) -> Result<Totals, MovementError> {
        let mut totals = Totals::zero(currency);
        let of_currency = self.accounts.iter().filter(|((_, c), _)| *c == currency);
        for (_, account) in of_currency {
            totals.start = totals.start.checked_add(account.start)?;
            totals.end = totals.end.checked_add(account.now)?;
            totals.end_customers += u64::from(account.now.is_positive());
            totals.new_customers += u64::from(account.is_new);
            totals.churned_customers += u64::from(account.churned);
            if account.start.is_positive() {
                totals.start_customers += 1;
                totals.start_gone += u64::from(!account.now.is_positive());
                totals.kept_net = totals.kept_net.checked_add(account.now)?;
                let grew = account.now.checked_sub(account.start)?.is_positive();
                let kept = if grew { account.start } else { account.now };
                totals.kept_gross = totals.kept_gross.checked_add(kept)?;
            }
        }
        Ok(totals)
    }
}

#[derive(Debug)]
struct Totals {
    start: Mrr,
    end: Mrr,
    kept_net: Mrr,
    kept_gross: Mrr,
    start_customers: u64,
    end_customers: u64,
    new_customers: u64,
    churned_customers: u64,
    start_gone: u64,
}

impl Totals {
    const fn zero(currency: Currency) -> Self {
        let zero = Mrr::zero(currency);
        Self {
            start: zero,
            end: zero,
            kept_net: zero,
            kept_gross: zero,
            start_customers: 0,
            end_customers: 0,
            new_customers: 0,
            churned_customers: 0,
            start_gone: 0,
        }
    }
}

fn mrr_of(row: &MrrChange<'_>) -> Result<Mrr, MoneyError> {
    let change = row.change;
    if change.to.is_billed() {
        let discount = change.discount_minor;
        Mrr::of(change.price, change.quantity, discount, row.interval)
    } else {
        Ok(Mrr::zero(change.price.currency()))
    }
}

/// Ended by us, unless the customer had asked for a cancel before the first failure.
fn is_involuntary(row: &MrrChange<'_>) -> bool {
    let is_ours = matches!(
        row.change.cause,
        ChangeCause::DunningExhausted | ChangeCause::KeyDeleted
    );
    let asked_before = match (row.cancel_requested_at, row.first_failed_at) {
        (Some(asked), Some(failed)) => asked < failed,
        (Some(_), None) => true,
        (None, _) => false,
    };
    is_ours && !asked_before
}

fn share(part: u64, whole: u64) -> Option<i64> {
    basis_points(i64::try_from(part).ok()?, i64::try_from(whole).ok()?)
}

fn per_customer(end: Money, customers: u64) -> Option<Money> {
    let minor =
        (customers > 0).then(|| round_half_even(i128::from(end.minor()), i128::from(customers)))?;
    Some(Money::new(i64::try_from(minor).ok()?, end.currency()))
}

#[cfg(test)]
mod tests;
