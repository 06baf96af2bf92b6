//! Figures: each means exactly what its sentence says, per currency, never summed across them.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::failure::FailureClass;
use crate::domain::fee::Fee;
use crate::domain::ids::{PlanId, PublicId};
use crate::domain::mode::ProviderName;
use crate::domain::money::{Currency, Money};

use super::lists::{LocalDay, PlanRow, RenewalDay};

/// The stretch of time an overview is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Now, in business time.
    pub now: DateTime<Utc>,
    /// Today and the 29 local days before, oldest first.
    pub days: Vec<LocalDay>,
    /// The same 30 dates a year before, for comparison.
    pub year_ago: Vec<NaiveDate>,
    /// What is overdue, the rest of today and the six local days after.
    pub week_ahead: Vec<LocalDay>,
}

/// The first screen.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Subscriptions in `active` or `past_due`.
    pub active: u64,
    /// Those in `past_due`.
    pub past_due: u64,
    /// Those in `trialing`.
    pub trialing: u64,
    /// MRR as priced, VAT included, per currency.
    pub mrr: Vec<Money>,
    /// The part of MRR in `past_due`.
    pub at_risk: Vec<Money>,
    /// Captured in the window, per currency.
    pub gross: Vec<Money>,
    /// Refunded in the window, by refund time.
    pub refunds: Vec<Money>,
    /// The difference.
    pub net: Vec<Money>,
    /// Subscriptions whose first term began in the window.
    pub new: u64,
    /// Subscriptions that ended in the window.
    pub ended: u64,
    /// Attempts settled as declined in the window.
    pub failed_attempts: u64,
    /// The invoices they belong to.
    pub failed_invoices: u64,
    /// Of those invoices, how many are paid by now.
    pub recovered_invoices: u64,
    /// Charges settled as succeeded in the window.
    pub succeeded_attempts: u64,
    /// Attempts in `sent` or `unknown`.
    pub unknown: u64,
    /// When the oldest of them was first sent.
    pub oldest_unknown_at: Option<DateTime<Utc>>,
    /// What waits for a second person to approve it.
    pub waiting: u64,
    /// One row a day of the window, in the main currency.
    pub days: Vec<DayFigure>,
    /// What is overdue and the next seven days: one row for each stretch that was asked about.
    pub renewals: Vec<RenewalDay>,
    /// Refusal codes of the window, most frequent first, at most eight.
    pub codes: Vec<CodeFigure>,
    /// Plans by MRR, largest first.
    pub plans: Vec<PlanRow>,
    /// Calls of the last hour, to each provider that there were any to.
    pub health: Vec<(ProviderName, Health)>,
}

/// One local day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFigure {
    /// The date in the billing zone.
    pub date: NaiveDate,
    /// Captured.
    pub captured: Money,
    /// Refunded.
    pub refunded: Money,
    /// How many payments.
    pub payments: u64,
    /// Attempts settled as declined.
    pub declined: u64,
    /// New subscriptions.
    pub new: u64,
    /// Captured on the same date a year before.
    pub year_ago: Money,
}

/// How often a code was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFigure {
    /// The provider's code.
    pub code: String,
    /// Its class.
    pub class: FailureClass,
    /// How often.
    pub count: u64,
}

/// What calls to the provider were like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// How many.
    pub calls: u64,
    /// How many brought no usable answer.
    pub troubled: u64,
    /// Half took at most this.
    pub p50_ms: Option<u64>,
    /// Nineteen of twenty took at most this.
    pub p95_ms: Option<u64>,
}

/// Revenue by day, month and plan.
#[derive(Debug, Clone)]
pub struct RevenueReport {
    /// One row a day and currency, oldest first.
    pub days: Vec<DayFigure>,
    /// One row a month and currency, oldest first.
    pub months: Vec<MonthFigure>,
    /// One row a plan and currency, largest first.
    pub plans: Vec<PlanRevenue>,
}

/// One local month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthFigure {
    /// Its first day.
    pub month: NaiveDate,
    /// Captured.
    pub gross: Money,
    /// Refunded, by refund time.
    pub refunds: Money,
    /// The difference.
    pub net: Money,
    /// How many payments.
    pub payments: u64,
    /// How many refunds.
    pub refund_count: u64,
}

/// What one plan brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRevenue {
    /// Which; none for one-time payments.
    pub plan_id: Option<PlanId>,
    /// Its name, raw; empty for one-time payments.
    pub name: String,
    /// Captured.
    pub gross: Money,
    /// Refunded.
    pub refunds: Money,
    /// How many payments.
    pub payments: u64,
}

/// What a provider kept for itself in one currency: of payments that are in our books. Where it told nothing, no figure is
/// known, which is not zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeFigure {
    /// Which.
    pub provider: ProviderName,
    /// In which currency its balance moved.
    pub currency: Currency,
    /// What it told; none where it told nothing in this currency.
    pub known: Option<FeesKnown>,
    /// Payments of these days, charged in this currency, whose fee is not known.
    pub unknown: u64,
}

/// What a provider's balance says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeesKnown {
    /// How many charges.
    pub charges: u64,
    /// What they brought in.
    pub charged: Money,
    /// What went back to customers.
    pub refunded: Money,
    /// What of that came in again, because the refund failed.
    pub returned: Money,
    /// What the provider kept.
    pub fees: Money,
    /// What is left: charged, less refunded, plus returned, less fees.
    pub net: Money,
}

/// A row of a provider's balance, with our name for the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeRow {
    /// Row id.
    pub id: i64,
    /// Whose balance.
    pub provider: ProviderName,
    /// What moved.
    pub fee: Fee,
    /// The payment it is about.
    pub payment: PublicId,
}

/// What came in through one provider, in one currency: nothing is summed across currencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRevenue {
    /// Which.
    pub provider: ProviderName,
    /// Captured.
    pub gross: Money,
    /// Refunded, by refund time, less what came back.
    pub refunds: Money,
    /// The difference. The provider's own fees are not taken off.
    pub net: Money,
    /// How many payments.
    pub payments: u64,
    /// How many refunds.
    pub refund_count: u64,
}
