//! Money: an integer amount in minor units with its ISO 4217 currency.
//!
//! Arithmetic is checked and never mixes currencies. Decimals exist only in [`Money::parse`] and
//! in `Display`; floats exist nowhere.

use std::fmt;

/// An ISO 4217 currency. Its exponent says how many decimals an amount has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Currencies without minor units.
const EXPONENT_0: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// Currencies with two decimals.
const EXPONENT_2: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL \
    BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP \
    GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR \
    LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN \
    PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
    TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG";
/// Currencies with three decimals.
const EXPONENT_3: &str = "BHD IQD JOD KWD LYD OMR TND";

impl Currency {
    /// Korean won: no decimals.
    pub const KRW: Self = Self(*b"KRW");
    /// United States dollar: two decimals.
    pub const USD: Self = Self(*b"USD");

    /// Reads an ISO 4217 code in any case.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let upper = code.trim().to_ascii_uppercase();
        let known = [EXPONENT_0, EXPONENT_2, EXPONENT_3]
            .iter()
            .any(|list| list.split_ascii_whitespace().any(|known| known == upper));
        match <[u8; 3]>::try_from(upper.as_bytes()) {
            Ok(bytes) if known => Ok(Self(bytes)),
            _ => Err(MoneyError::UnknownCurrency(code.chars().take(12).collect())),
        }
    }

    /// The three-letter code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimals an amount in this currency has: KRW 0, USD 2, KWD 3.
    pub fn exponent(self) -> u8 {
        let is_in = |list: &str| list.split_ascii_whitespace().any(|c| c == self.code());
        if is_in(EXPONENT_0) {
            0
        } else if is_in(EXPONENT_3) {
            3
        } else {
            2
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why an amount could not be read or computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies met in one sum.
    #[error("currencies differ: {left} and {right}")]
    CurrencyMismatch {
        /// The left operand's currency.
        left: Currency,
        /// The right operand's currency.
        right: Currency,
    },
    /// The result does not fit 64 bits.
    #[error("amount out of range")]
    Overflow,
    /// Not an ISO 4217 code we know.
    #[error("unknown currency {0:?}")]
    UnknownCurrency(String),
    /// The text is not a plain decimal number.
    #[error("not an amount: {0:?}")]
    NotAnAmount(String),
    /// More decimals than the currency has.
    #[error("{currency} has {exponent} decimals")]
    WrongDecimals {
        /// The currency asked for.
        currency: Currency,
        /// How many decimals it has.
        exponent: u8,
    },
}

/// An amount in minor units of one currency. It may be negative (a difference), but what is
/// charged or refunded is always above zero: see [`Money::is_positive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount of `minor` units: `Money::new(9_900, Currency::KRW)` is 9,900 won.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether there is anything to charge or give back.
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// The sum, in one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The difference, in one currency.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self
            .minor
            .checked_sub(other.minor)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The amount times a whole number, such as a quantity.
    pub fn checked_mul(self, factor: i64) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(factor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            })
        }
    }

    /// Reads a person's input: digits, optional grouping commas, at most the currency's decimals.
    /// `9,900` KRW is 9900; `290` USD is 29000 minor units; `9900.5` KRW is refused.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let bad = || MoneyError::NotAnAmount(text.chars().take(24).collect());
        let trimmed = text.trim();
        let (negative, digits) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if digits.ends_with('.')
            || !is_grouped_number(whole)
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(bad());
        }
        let exponent = currency.exponent();
        if fraction.len() > usize::from(exponent) {
            return Err(MoneyError::WrongDecimals { currency, exponent });
        }
        let padded = format!("{whole}{fraction:0<width$}", width = usize::from(exponent));
        let mut minor: i64 = 0;
        for digit in padded.bytes().filter(|b| *b != b',') {
            minor = minor
                .checked_mul(10)
                .and_then(|m| m.checked_add(i64::from(digit - b'0')))
                .ok_or(MoneyError::Overflow)?;
        }
        Ok(Self::new(if negative { -minor } else { minor }, currency))
    }
}

/// Digits, or digits in groups of three after commas.
fn is_grouped_number(whole: &str) -> bool {
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or("");
    let digits = |g: &str| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit());
    let is_plain = digits(first);
    if whole.contains(',') {
        is_plain && first.len() <= 3 && groups.all(|g| g.len() == 3 && digits(g))
    } else {
        is_plain
    }
}

impl fmt::Display for Money {
    /// A plain decimal with the code, `9900 KRW` or `290.00 USD`, for logs and machines; people
    /// read what `locale` makes of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = u32::from(self.currency.exponent());
        let unit = 10_u64.pow(exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let abs = self.minor.unsigned_abs();
        if exponent == 0 {
            write!(f, "{sign}{abs} {}", self.currency)
        } else {
            let width = exponent as usize;
            write!(
                f,
                "{sign}{}.{:0width$} {}",
                abs / unit,
                abs % unit,
                self.currency
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nine_thousand_nine_hundred_won_is_never_ninety_nine_or_a_million() {
        let won = Money::parse("9,900", Currency::KRW).unwrap();
        assert_eq!(won.minor(), 9_900);
        assert_eq!(won.to_string(), "9900 KRW");
        assert_eq!(
            Money::parse("9900.00", Currency::KRW),
            Err(MoneyError::WrongDecimals {
                currency: Currency::KRW,
                exponent: 0
            })
        );
        assert_eq!(Money::parse("290", Currency::USD).unwrap().minor(), 29_000);
        assert_eq!(
            Money::parse("1.5", Currency::parse("kwd").unwrap())
                .unwrap()
                .minor(),
            1_500
        );
    }

    #[test]
    fn what_is_not_a_plain_number_is_refused() {
        for text in [
            "", "-", "1e3", "1,00", ",100", "1.", "0x10", "1 000", "12,3456", "٣", "₩1",
        ] {
            assert!(Money::parse(text, Currency::KRW).is_err(), "{text:?}");
        }
        assert_eq!(
            Money::parse("99999999999999999999", Currency::KRW),
            Err(MoneyError::Overflow)
        );
    }

    #[test]
    fn amounts_of_two_currencies_are_never_summed() {
        let won = Money::new(1, Currency::KRW);
        let dollar = Money::new(1, Currency::USD);
        assert!(matches!(
            won.checked_add(dollar),
            Err(MoneyError::CurrencyMismatch { .. })
        ));
        assert!(Currency::parse("KRX").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_amount(minor in i64::MIN + 1..i64::MAX, pick in 0_usize..3) {
            let currency = [Currency::KRW, Currency::USD, Currency::parse("KWD").unwrap()][pick];
            let money = Money::new(minor, currency);
            let shown = money.to_string();
            let number = shown.split(' ').next().unwrap();
            prop_assert_eq!(Money::parse(number, currency).unwrap(), money);
        }

        #[test]
        fn sums_are_exact_or_refused(a: i64, b: i64) {
            let sum = Money::new(a, Currency::KRW).checked_add(Money::new(b, Currency::KRW));
            prop_assert_eq!(sum.ok().map(Money::minor), a.checked_add(b));
        }
    }
}
