//! What stands in the JSON of Toss Payments, as far as we read it.
//!
//! Lenient on purpose: unknown fields are ignored and every enumeration is an open text, because
//! the provider adds both without notice. What a payment cannot do without is required. Nothing
//! here is printable: a body may hold a billing key.
#![expect(clippy::struct_field_names, reason = "the names are the provider's")]

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeZone, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A payment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    pub m_id: Option<String>,
    pub payment_key: String,
    pub order_id: String,
    pub status: String,
    pub currency: String,
    pub method: Option<String>,
    pub total_amount: Amount,
    pub balance_amount: Option<Amount>,
    pub approved_at: Option<String>,
    pub cancels: Option<Vec<Cancel>>,
    pub failure: Option<Failure>,
    pub virtual_account: Option<serde::de::IgnoredAny>,
    pub card: Option<ChargedCard>,
}

/// The card a payment was made with. An odd number of months must not make a payment unreadable.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChargedCard {
    #[serde(default)]
    pub installment_plan_months: serde_json::Value,
}

impl ChargedCard {
    /// Over how many months it is paid off; zero is all at once.
    pub fn months(&self) -> Option<u32> {
        u32::try_from(self.installment_plan_months.as_u64()?).ok()
    }
}

/// One entry of a payment's `cancels`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cancel {
    pub transaction_key: String,
    pub cancel_amount: Amount,
    pub cancel_reason: String,
    pub canceled_at: String,
    pub cancel_status: Option<String>,
}

/// Why a payment failed.
#[derive(Deserialize)]
pub(super) struct Failure {
    pub code: Option<String>,
}

/// The body of an error. Its message is translated, changes, and is never read.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub code: String,
}

/// What registering a card gives.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Billing {
    pub m_id: Option<String>,
    pub customer_key: String,
    pub billing_key: String,
    pub card: Option<Card>,
    pub transfers: Option<Vec<Transfer>>,
    pub card_number: Option<String>,
}

/// The card behind a billing key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card {
    pub issuer_code: Option<String>,
    pub number: Option<String>,
    pub card_type: Option<String>,
}

/// The bank account behind a billing key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transfer {
    pub bank_name: Option<String>,
    pub bank_account_number: Option<String>,
}

/// One row of the transaction list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    pub m_id: Option<String>,
    pub transaction_key: String,
    pub payment_key: String,
    pub order_id: Option<String>,
    pub status: String,
    pub transaction_at: String,
    pub currency: Option<String>,
    pub amount: Amount,
}

/// An amount in major units as it was written: `4900` and `4900.0` are the same. Kept as text, so
/// that no float ever holds money.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Amount(Box<RawValue>);

impl Amount {
    /// The amount in minor units, if it is a number with no more decimals than the currency has.
    pub fn minor(&self, exponent: u8) -> Option<i64> {
        minor_units(self.0.get(), exponent)
    }
}

/// Longest exponent that can still be an amount.
const MAX_POWER: i32 = 18;

fn minor_units(text: &str, exponent: u8) -> Option<i64> {
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if !(-MAX_POWER..=MAX_POWER).contains(&power) || whole.is_empty() {
        return None;
    }
    // The digits without their point, and how many places the point must move to the right.
    let digits = format!("{whole}{fraction}");
    let shift = power + i32::from(exponent) - i32::try_from(fraction.len()).ok()?;
    let (kept, dropped) = if shift >= 0 {
        let zeros = "0".repeat(usize::try_from(shift).ok()?);
        (format!("{digits}{zeros}"), String::new())
    } else {
        let cut = digits.len().saturating_sub(usize::try_from(-shift).ok()?);
        (digits.get(..cut)?.to_owned(), digits.get(cut..)?.to_owned())
    };
    if !kept
        .bytes()
        .chain(dropped.bytes())
        .all(|b| b.is_ascii_digit())
        || dropped.bytes().any(|b| b != b'0')
    {
        return None;
    }
    let minor = if kept.is_empty() {
        0
    } else {
        kept.parse::<i64>().ok()?
    };
    Some(if negative { -minor } else { minor })
}

/// Korean time, which a date without an offset is written in.
pub(super) fn korea() -> Option<FixedOffset> {
    FixedOffset::east_opt(9 * 3_600)
}

/// Reads a date with or without fraction and offset.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Ok(at) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z") {
        return Some(at.to_utc());
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(korea()?.from_local_datetime(&local).single()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_amounts_are_read_however_they_are_written() {
        for (text, won) in [
            ("4900", Some(4_900)),
            ("4900.0", Some(4_900)),
            ("4900.000", Some(4_900)),
            ("4.9E3", Some(4_900)),
            ("4.9e+3", Some(4_900)),
            ("490000E-2", Some(4_900)),
            ("50000000000", Some(50_000_000_000)),
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("-1000", Some(-1_000)),
            ("4900.5", None),
            ("0.1", None),
            ("4.9001E3", None),
            ("9223372036854775808", None),
            ("1e400", None),
            ("1e19", None),
            ("\"4900\"", None),
            ("null", None),
            ("true", None),
            ("[4900]", None),
        ] {
            assert_eq!(minor_units(text, 0), won, "{text}");
        }
    }

    #[test]
    fn decimals_count_for_currencies_that_have_them() {
        assert_eq!(minor_units("290", 2), Some(29_000));
        assert_eq!(minor_units("12.34", 2), Some(1_234));
        assert_eq!(minor_units("12.3", 2), Some(1_230));
        assert_eq!(minor_units("12.345", 2), None);
    }

    #[test]
    fn dates_are_read_with_and_without_offset_and_fraction() {
        let expected = instant("2024-02-13T03:20:23Z").expect("a date");
        for text in [
            "2024-02-13T12:20:23+09:00",
            "2024-02-13T12:20:23+0900",
            "2024-02-13T12:20:23",
            "2024-02-13T12:20:23.000000",
            "2024-02-13T12:20:23.000000000",
        ] {
            assert_eq!(instant(text), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2024-02-30T00:00:00", "2024-02-13"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
