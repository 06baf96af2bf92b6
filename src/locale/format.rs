//! Money, percentages, counts and billing intervals as each language writes them.
//!
//! Everything is computed from integers. Symbols that are one cell wide in every terminal are used;
//! other currencies show their code.

use super::Locale;
use crate::text::{group_thousands, grouped_decimal};

impl Locale {
    /// An amount with its currency: `₩9,900`, `$290.00`, `-₩812,000`, `KWD 1.234`.
    pub fn money(&self, minor: i64, exponent: u8, code: &str) -> String {
        let amount = grouped_decimal(minor, exponent);
        let (sign, digits) = match amount.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", amount.as_str()),
        };
        in_currency(sign, digits, code)
    }

    /// Some digits of an amount, such as one in larger units, as [`Locale::money`] writes them: `₩26.4M`.
    pub fn money_of(&self, sign: &str, digits: &str, code: &str) -> String {
        in_currency(sign, digits, code)
    }

    /// Like [`Locale::money`], with a plus on what is gained: for differences and movements.
    pub fn signed_money(&self, minor: i64, exponent: u8, code: &str) -> String {
        plus(minor, self.money(minor, exponent, code))
    }

    pub fn count(&self, number: i64) -> String {
        group_thousands(number)
    }

    pub fn signed_count(&self, number: i64) -> String {
        plus(number, group_thousands(number))
    }

    /// Basis points with one decimal, rounded half away from zero: `6240` → `62.4%`.
    pub fn percent(&self, basis_points: i64) -> String {
        let rounded = basis_points / 10 + (basis_points % 10) / 5;
        format!("{}%", grouped_decimal(rounded, 1))
    }

    pub fn signed_percent(&self, basis_points: i64) -> String {
        plus(basis_points, self.percent(basis_points))
    }

    /// Basis points with both decimals: `2222` → `22.22%`.
    pub fn percent_exact(&self, basis_points: i64) -> String {
        format!("{}%", grouped_decimal(basis_points, 2))
    }

    /// How often a plan bills: `monthly`, `every 2 weeks`; 월, 2주마다. The unit is `day`, `week`,
    /// `month`, `quarter` or `year`.
    pub fn interval(&'static self, unit: &str, count: u32) -> String {
        let unit = unit.to_lowercase();
        if count == 1 {
            self.t(&format!("common.interval.{unit}.one")).to_owned()
        } else {
            let every = format!("common.interval.{unit}.every");
            self.t_args(&every, &[("n", &count.to_string())])
        }
    }
}

fn in_currency(sign: &str, digits: &str, code: &str) -> String {
    match symbol(code) {
        Some(symbol) => format!("{sign}{symbol}{digits}"),
        None => format!("{sign}{code} {digits}"),
    }
}

fn symbol(code: &str) -> Option<&'static str> {
    match code {
        "KRW" => Some("₩"),
        "USD" => Some("$"),
        "JPY" => Some("¥"),
        "GBP" => Some("£"),
        _ => None,
    }
}

fn plus(number: i64, text: String) -> String {
    if number > 0 { format!("+{text}") } else { text }
}
