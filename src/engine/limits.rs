//! What a person may refund without a second one: at once, and on one local day in all.
//!
//! Invariant: a currency without a limit is never refunded alone.

use super::Engine;
use super::ports::{Store, Tx};
use super::refusal::{Refused, VerbError};
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Role, Verb};
use crate::domain::period::day_start;

/// What may be refunded alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundAlone {
    /// Anything that can be refunded at all.
    Anything,
    /// So much.
    Within(RefundLimits),
}

/// The limits of refunds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundLimits {
    /// The most that a role refunds at once, per currency.
    pub once: Vec<(Role, Money)>,
    /// A person's sum of a local day is so many times that.
    pub daily_multiple: u32,
    /// A person's refunds of a local day, whatever they come to. Nobody lifts this one.
    pub per_day: u32,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitOf {
    /// That of one refund.
    Once,
    /// That of a person's day.
    Day,
}

impl RefundLimits {
    /// The most that any of the person's roles that may do `verb` gives back at once in the currency of `amount`; none
    /// where there is no limit for it.
    fn once_of(&self, operator: &Operator, verb: Verb, amount: Money) -> Option<Money> {
        self.once
            .iter()
            .filter(|(role, limit)| {
                operator.roles.contains(role)
                    && verb.roles().contains(role)
                    && limit.currency() == amount.currency()
            })
            .map(|(_, limit)| *limit)
            .max_by_key(|limit| limit.minor())
    }
}

impl<S: Store> Engine<S> {
    /// Refuses what the person may not give back alone: a refund, or a return that was prepared. The payment is locked.
    pub(super) async fn check_limit<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        verb: Verb,
        amount: Money,
    ) -> Result<(), VerbError> {
        let RefundAlone::Within(limits) = &self.parts.settings.refund_alone else {
            return Ok(());
        };
        let above = |limit, of| Err(VerbError::Refused(Refused::NeedsApproval { limit, of }));
        let currency = amount.currency();
        let once = limits.once_of(operator, verb, amount);
        let once = once.unwrap_or(Money::zero(currency));
        let today = self.local_date(tx.db_now().await?);
        let since = day_start(today, self.parts.settings.zone);
        let before = tx.refunds_by(&operator.person, currency, since).await?;
        if before.count >= u64::from(limits.per_day) {
            let most = limits.per_day;
            return Err(VerbError::Refused(Refused::TooManyRefunds { most }));
        }
        if amount.minor() > once.minor() {
            return above(once, LimitOf::Once);
        }
        let range = |error: crate::domain::money::MoneyError| VerbError::Range(error.to_string());
        let daily = once
            .checked_mul(i64::from(limits.daily_multiple))
            .map_err(range)?;
        let with_it = before.sum.checked_add(amount).map_err(range)?;
        if with_it.minor() > daily.minor() {
            return above(daily, LimitOf::Day);
        }
        Ok(())
    }
}
