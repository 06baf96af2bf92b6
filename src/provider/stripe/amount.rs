//! Amounts between our minor units, which are ISO 4217's, and the whole numbers on Stripe's wire.
//!
//! Pure. The two mostly agree; where they do not, a number sent as it stands would be wrong by a factor
//! of a hundred, so every amount passes through here in both directions. What cannot be said exactly is
//! refused, never rounded.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::money::{Currency, Money};

/// Largest amount on the wire: eight digits.
const MOST: i64 = 99_999_999;

/// Why an amount cannot be asked of Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Nothing, or less.
    #[error("an amount is above zero")]
    NotPositive,
    /// More than eight digits on the wire.
    #[error("an amount has at most eight digits")]
    TooLarge,
    /// Decimals that Stripe does not take in this currency.
    #[error("decimals that are not taken in this currency")]
    Inexact,
    /// How Stripe counts this currency is not known.
    #[error("this currency is not taken")]
    Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    whole: Vec<String>,
    hundredths_of_whole: Vec<String>,
    thousandths: Vec<String>,
}

static TABLE: LazyLock<Result<Table, toml::de::Error>> =
    LazyLock::new(|| toml::from_str(include_str!("../../../assets/currencies/stripe.toml")));

/// The table of currencies cannot be read. It is part of the program, so a test holds it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the table of currencies cannot be read")]
pub struct CurrencyTableError(#[source] toml::de::Error);

/// Fails when the table cannot be read; a client is not built then.
pub(super) fn check() -> Result<(), CurrencyTableError> {
    match TABLE.as_ref() {
        Ok(_) => Ok(()),
        Err(error) => Err(CurrencyTableError(error.clone())),
    }
}

/// How one currency is counted on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counting {
    /// Decimals on the wire.
    decimals: u8,
    /// What an amount on the wire must be a multiple of.
    step: i64,
}

fn counting(currency: Currency) -> Option<Counting> {
    let table = TABLE.as_ref().ok()?;
    let is_in = |list: &[String]| list.iter().any(|code| code == currency.code());
    let (decimals, step) = if is_in(&table.whole) {
        (0, 1)
    } else if is_in(&table.hundredths_of_whole) {
        (2, 100)
    } else if is_in(&table.thousandths) {
        (3, 10)
    } else if currency.exponent() == 2 {
        (2, 1)
    } else {
        return None;
    };
    Some(Counting { decimals, step })
}

fn power(of: u8) -> i64 {
    10_i64.pow(u32::from(of))
}

/// The number on the wire.
pub fn to_wire(money: Money) -> Result<i64, AmountError> {
    if !money.is_positive() {
        return Err(AmountError::NotPositive);
    }
    let counting = counting(money.currency()).ok_or(AmountError::Currency)?;
    let ours = money.currency().exponent();
    let wire = if counting.decimals >= ours {
        let factor = power(counting.decimals - ours);
        money
            .minor()
            .checked_mul(factor)
            .ok_or(AmountError::TooLarge)?
    } else {
        let divisor = power(ours - counting.decimals);
        if money.minor() % divisor != 0 {
            return Err(AmountError::Inexact);
        }
        money.minor() / divisor
    };
    if wire % counting.step != 0 {
        return Err(AmountError::Inexact);
    }
    if wire > MOST {
        return Err(AmountError::TooLarge);
    }
    Ok(wire)
}

/// What a number on the wire is in our minor units; none where it cannot be said exactly. It may be
/// negative: balance transactions have a sign.
pub fn from_wire(wire: i64, currency: Currency) -> Option<Money> {
    let counting = counting(currency)?;
    let ours = currency.exponent();
    let minor = if counting.decimals >= ours {
        let divisor = power(counting.decimals - ours);
        if wire % divisor != 0 {
            return None;
        }
        wire / divisor
    } else {
        wire.checked_mul(power(ours - counting.decimals))?
    };
    Some(Money::new(minor, currency))
}

/// The same, with the currency as Stripe writes it.
pub(super) fn read(wire: i64, currency: &str) -> Option<Money> {
    from_wire(wire, Currency::parse(currency).ok()?)
}

/// The currency as Stripe writes it.
pub(super) fn code(currency: Currency) -> String {
    currency.code().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::mode::ProviderName;

    fn money(text: &str) -> Money {
        let (number, code) = text.split_once(' ').expect("number and code");
        Money::parse(number, Currency::parse(code).expect("a currency")).expect("an amount")
    }

    #[test]
    fn every_kind_of_currency_is_counted_as_stripe_counts_it() {
        for (ours, wire) in [
            ("9,900 KRW", 9_900),
            ("9,900 JPY", 9_900),
            ("1 XAF", 1),
            ("290.00 USD", 29_000),
            ("0.50 EUR", 50),
            ("1.234 KWD", 0),
            ("1.230 KWD", 1_230),
            ("0.010 TND", 10),
            ("500 ISK", 50_000),
            ("4,000 UGX", 400_000),
            ("100.00 MGA", 100),
            ("175.00 HUF", 17_500),
            ("99.55 HUF", 9_955),
            ("30.05 TWD", 3_005),
        ] {
            let result = to_wire(money(ours));
            if wire == 0 {
                assert_eq!(result, Err(AmountError::Inexact), "{ours}");
                continue;
            }
            assert_eq!(result, Ok(wire), "{ours}");
            let currency = money(ours).currency();
            assert_eq!(from_wire(wire, currency), Some(money(ours)), "{ours}");
        }
    }

    #[test]
    fn nine_thousand_nine_hundred_won_stays_nine_thousand_nine_hundred_won() {
        assert_eq!(to_wire(money("9900 KRW")), Ok(9_900));
        assert_eq!(from_wire(9_900, Currency::KRW), Some(money("9900 KRW")));
        assert_eq!(from_wire(9_900, Currency::USD), Some(money("99.00 USD")));
    }

    #[test]
    fn what_stripe_does_not_take_is_refused_before_it_is_asked() {
        for (ours, why) in [
            ("0 KRW", AmountError::NotPositive),
            ("-1 KRW", AmountError::NotPositive),
            ("100,000,000 KRW", AmountError::TooLarge),
            ("1,000,000.00 USD", AmountError::TooLarge),
            ("1,000,000 ISK", AmountError::TooLarge),
            ("100.01 MGA", AmountError::Inexact),
            ("1.005 BHD", AmountError::Inexact),
            ("1.000 IQD", AmountError::Currency),
            ("1.000 LYD", AmountError::Currency),
            ("1 UYI", AmountError::Currency),
        ] {
            assert_eq!(to_wire(money(ours)), Err(why), "{ours}");
        }
        assert_eq!(to_wire(money("99,999,999 KRW")), Ok(MOST));
    }

    #[test]
    fn decimals_that_cannot_be_are_unreadable() {
        let isk = Currency::parse("ISK").expect("a currency");
        assert_eq!(from_wire(50_050, isk), None);
        assert_eq!(read(4_900, "krw"), Some(money("4900 KRW")));
        assert_eq!(read(4_900, "xxx"), None);
    }

    #[test]
    fn every_least_charge_can_be_written() {
        assert!(check().is_ok(), "{:?}", check());
        for code in ["USD", "KRW", "JPY", "HUF", "KWD", "BHD", "MXN"] {
            let currency = Currency::parse(code).expect("a currency");
            let least = ProviderName::Stripe.minimum_charge(currency);
            assert!(to_wire(least).is_ok(), "{least}");
        }
    }

    #[test]
    fn every_currency_we_know_is_counted_or_refused_and_its_whole_unit_has_one_size() {
        // A unit of every currency with its decimals: one factor of a hundred off would show.
        for code in [
            "KRW", "JPY", "USD", "EUR", "KWD", "ISK", "UGX", "MGA", "HUF", "TWD", "CLP",
        ] {
            let currency = Currency::parse(code).expect("a currency");
            let unit = Money::new(power(currency.exponent()), currency);
            let wire = to_wire(unit).expect("one unit");
            let decimals = counting(currency).expect("counted").decimals;
            assert_eq!(wire, power(decimals), "{code}");
        }
    }

    proptest! {
        #[test]
        fn what_can_be_asked_reads_back_as_the_same_money(minor in 1_i64..2_000_000_000, pick in 0_usize..10) {
            let code = ["KRW", "JPY", "USD", "EUR", "KWD", "ISK", "UGX", "MGA", "HUF", "TND"][pick];
            let money = Money::new(minor, Currency::parse(code).expect("a currency"));
            if let Ok(wire) = to_wire(money) {
                prop_assert!((1..=MOST).contains(&wire));
                prop_assert_eq!(from_wire(wire, money.currency()), Some(money));
            }
        }
    }
}
