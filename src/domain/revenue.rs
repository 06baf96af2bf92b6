//! MRR as an exact fraction, rounded half-even once when shown.

use super::money::{Currency, Money, MoneyError};
use super::period::Interval;

/// An exact amount per month: a fraction of minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mrr {
    /// Numerator over [`Mrr::DENOMINATOR`].
    parts: i128,
    currency: Currency,
}

impl Mrr {
    /// Nothing per month.
    pub const fn zero(currency: Currency) -> Self {
        Self { parts: 0, currency }
    }

    /// A common denominator of every accepted interval would be huge, so fractions are kept in
    /// this many parts and each conversion is rounded to the nearest part: the error is below
    /// one 10^-9 of a minor unit per subscription.
    pub const DENOMINATOR: i128 = 1_000_000_000_000;

    /// What `price × quantity − discount` per interval is per month.
    pub fn of(
        price: Money,
        quantity: u32,
        discount_minor: i64,
        interval: Interval,
    ) -> Result<Self, MoneyError> {
        let gross = price.checked_mul(i64::from(quantity))?;
        let net = gross.checked_sub(Money::new(discount_minor, price.currency()))?;
        let (numerator, denominator) = interval.months();
        let scaled = i128::from(net.minor().max(0)) * i128::from(denominator) * Self::DENOMINATOR;
        Ok(Self {
            parts: round_half_even(scaled, i128::from(numerator)),
            currency: price.currency(),
        })
    }

    /// The sum, in one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            });
        }
        let parts = self
            .parts
            .checked_add(other.parts)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { parts, ..self })
    }

    /// The difference, in one currency; may be negative.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(Self {
            parts: -other.parts,
            ..other
        })
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is above zero.
    pub const fn is_positive(self) -> bool {
        self.parts > 0
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.parts == 0
    }

    /// Times a count of equal subscriptions.
    pub fn times(self, count: i64) -> Result<Self, MoneyError> {
        let parts = self
            .parts
            .checked_mul(i128::from(count))
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { parts, ..self })
    }

    /// This as a share of `whole` in basis points, rounded half-even once; none of nothing.
    pub fn share_of(self, whole: Self) -> Option<i64> {
        self.per(10_000, whole)
    }

    /// `scale` times this, divided by `whole`, rounded half-even once; none of nothing.
    pub fn per(self, scale: i64, whole: Self) -> Option<i64> {
        if whole.parts == 0 || self.currency != whole.currency {
            return None;
        }
        let scaled = self.parts.checked_mul(i128::from(scale))?;
        i64::try_from(round_half_even(scaled, whole.parts)).ok()
    }

    /// Rounded half-even to minor units.
    pub fn rounded(self) -> Result<Money, MoneyError> {
        let minor = i64::try_from(round_half_even(self.parts, Self::DENOMINATOR))
            .map_err(|_| MoneyError::Overflow)?;
        Ok(Money::new(minor, self.currency))
    }
}

/// `numerator / denominator` to the nearest integer, ties to the even one.
pub fn round_half_even(numerator: i128, denominator: i128) -> i128 {
    let (quotient, rest) = (
        numerator.div_euclid(denominator),
        numerator.rem_euclid(denominator),
    );
    match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
    }
}

/// `part` of `whole` in basis points (hundredths of a percent), rounded half-even; none of nothing.
pub fn basis_points(part: i64, whole: i64) -> Option<i64> {
    (whole != 0).then(|| {
        i64::try_from(round_half_even(
            i128::from(part) * 10_000,
            i128::from(whole),
        ))
        .unwrap_or(i64::MAX)
    })
}

/// VAT contained in a VAT-inclusive amount, as Toss computes it: one eleventh, half up.
pub fn vat_included(amount: Money) -> Money {
    let minor = i128::from(amount.minor());
    let vat = (minor * 2 + 11).div_euclid(22);
    Money::new(i64::try_from(vat).unwrap_or(0), amount.currency())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krw(minor: i64) -> Money {
        Money::new(minor, Currency::KRW)
    }

    fn monthly(minor: i64, interval: &str, discount: i64) -> Money {
        Mrr::of(krw(minor), 1, discount, Interval::parse(interval).unwrap())
            .unwrap()
            .rounded()
            .unwrap()
    }

    #[test]
    fn mrr_of_the_golden_plans_is_exact() {
        assert_eq!(monthly(9_900, "month", 0), krw(9_900));
        assert_eq!(monthly(27_000, "quarter", 0), krw(9_000));
        assert_eq!(monthly(198_000, "year", 0), krw(16_500));
        assert_eq!(monthly(198_000, "year", 19_800), krw(14_850));
        assert_eq!(monthly(1_200, "week", 0), krw(5_200));
    }

    #[test]
    fn thirds_add_up_to_the_whole() {
        let third = Mrr::of(krw(100), 1, 0, Interval::parse("3 month").unwrap()).unwrap();
        let sum = third
            .checked_add(third)
            .unwrap()
            .checked_add(third)
            .unwrap();
        assert_eq!(sum.rounded().unwrap(), krw(100));
    }

    #[test]
    fn ties_go_to_the_even_neighbour() {
        assert_eq!(
            [
                round_half_even(5, 2),
                round_half_even(7, 2),
                round_half_even(-5, 2)
            ],
            [2, 4, -2]
        );
        assert_eq!(basis_points(1, 3), Some(3_333));
        assert_eq!(basis_points(1, 0), None);
    }

    #[test]
    fn vat_vectors_agree_with_the_providers_formula() {
        for (amount, vat) in [
            (4_900, 445),
            (9_900, 900),
            (15_000, 1_364),
            (167_136, 15_194),
        ] {
            assert_eq!(vat_included(krw(amount)), krw(vat));
        }
    }
}
