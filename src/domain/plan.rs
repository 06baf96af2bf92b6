//! Products and plans: what is sold, and for how much how often.

use chrono::{DateTime, Utc};

use super::ids::{PlanId, ProductId, PublicId};
use super::mode::ProviderName;
use super::money::{Currency, Money};
use super::period::Interval;

/// What is sold. A customer may have one running subscription per product, by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Row id.
    pub id: ProductId,
    /// Public id, `prod_…`.
    pub public_id: PublicId,
    /// Short unique name for scripts.
    pub code: String,
    /// Name people read.
    pub name: String,
}

/// A product's price, currency and interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Row id.
    pub id: PlanId,
    /// Public id, `plan_…`.
    pub public_id: PublicId,
    /// The product it sells.
    pub product_id: ProductId,
    /// Short unique name for scripts, such as `pro-month`.
    pub code: String,
    /// Name people read.
    pub name: String,
    /// Price per interval and unit, VAT included.
    pub price: Money,
    /// How often it bills.
    pub interval: Interval,
    /// Entitlement level, such as `PRO`.
    pub tier: String,
    /// Free days before the first charge.
    pub trial_days: u32,
    /// What it includes, one line each.
    pub features: Vec<String>,
    /// Whether new subscriptions may take it.
    pub active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Grows by one with every change.
    pub version: i64,
}

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A code outside 2 to 40 characters of `a-z 0-9 -`.
    #[error("a plan code has 2 to 40 characters of a-z 0-9 and -")]
    Code,
    /// No name.
    #[error("a plan needs a name")]
    Name,
    /// A price below zero.
    #[error("a plan's price must not be negative")]
    Price,
    /// A positive price below what the provider charges.
    #[error("the smallest amount a card can be charged is {0}")]
    BelowMinimum(Money),
    /// More trial days than two years.
    #[error("a trial has at most 730 days")]
    Trial,
}

/// The smallest amount that any provider charges a card: 100 won at Toss, half a dollar at Stripe.
pub fn minimum_charge(currency: Currency) -> Money {
    let each = ProviderName::ALL.into_iter();
    let least = each
        .filter(|provider| provider.takes_currency(currency))
        .map(|provider| provider.minimum_charge(currency).minor())
        .min();
    Money::new(least.unwrap_or(1), currency)
}

/// Checks what a person gives for a plan.
pub fn check_plan(code: &str, name: &str, price: Money, trial_days: u32) -> Result<(), PlanError> {
    let is_code = (2..=40).contains(&code.len())
        && code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_code {
        return Err(PlanError::Code);
    }
    if name.trim().is_empty() {
        return Err(PlanError::Name);
    }
    if price.minor() < 0 {
        return Err(PlanError::Price);
    }
    let minimum = minimum_charge(price.currency());
    if price.is_positive() && price.minor() < minimum.minor() {
        return Err(PlanError::BelowMinimum(minimum));
    }
    if trial_days > 730 {
        return Err(PlanError::Trial);
    }
    Ok(())
}
