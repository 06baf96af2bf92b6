//! Currencies: decimals, least amounts, and how an amount is written in a message. Integers only.

use super::problem::Problem;
use crate::domain::mode::ProviderName;
use crate::domain::money::Currency;

const ZERO: [&str; 15] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
    "xof", "xpf",
];
const THREE: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// Sent with two decimals that must be zero.
const WHOLE: [&str; 2] = ["isk", "ugx"];
const LISTED: [&str; 22] = [
    "usd", "eur", "gbp", "aud", "cad", "chf", "nzd", "sgd", "brl", "hkd", "mxn", "sek", "nok",
    "dkk", "pln", "czk", "huf", "myr", "ron", "thb", "aed", "bgn",
];
const OTHERS: [&str; 25] = [
    "inr", "ars", "bdt", "cny", "cop", "egp", "gel", "idr", "ils", "kes", "kzt", "lkr", "mad",
    "ngn", "pen", "php", "pkr", "qar", "rsd", "sar", "try", "twd", "uah", "uyu", "zar",
];
pub const MOST: i64 = 99_999_999;

pub fn decimals(currency: &str) -> u32 {
    if ZERO.contains(&currency) {
        0
    } else if THREE.contains(&currency) {
        3
    } else {
        2
    }
}

fn is_known(currency: &str) -> bool {
    ZERO.contains(&currency)
        || THREE.contains(&currency)
        || WHOLE.contains(&currency)
        || OTHERS.contains(&currency)
        || LISTED.contains(&currency)
}

/// The code in small letters, if it is one.
pub fn read(text: &str, param: &str) -> Result<String, Problem> {
    let currency = text.to_lowercase();
    if is_known(&currency) {
        return Ok(currency);
    }
    Err(Problem::invalid(format!("Invalid currency: {currency}. Stripe currently supports these currencies: usd, aed, aud, bgn, brl, cad, chf, czk, dkk, eur, gbp, hkd, huf, inr, isk, jpy, krw, mxn, myr, nok, nzd, pln, ron, sek, sgd, thb, twd, ugx, vnd and others")).param(param))
}

/// What a charge may be. Zero-amounts never come here.
pub fn check_charge(amount: i64, currency: &str, param: &str) -> Result<(), Problem> {
    if amount > MOST {
        return Err(Problem::invalid(format!(
            "Amount must be no more than {} {currency}",
            written(MOST, currency)
        ))
        .code("amount_too_large")
        .param(param));
    }
    let is_odd = (THREE.contains(&currency) && amount % 10 != 0)
        || (WHOLE.contains(&currency) && amount % 100 != 0);
    if is_odd {
        return Err(Problem::invalid(format!(
            "Invalid amount for {currency}: its last digits must be zero."
        ))
        .param(param));
    }
    let least = least(currency);
    if amount < least {
        return Err(Problem::invalid(format!(
            "Amount must be at least {} {currency}",
            written(least, currency)
        ))
        .code("amount_too_small")
        .param(param));
    }
    Ok(())
}

/// The least charge, by the one table there is: each of its currencies is counted here as it is there.
pub fn least(currency: &str) -> i64 {
    Currency::parse(&currency.to_uppercase()).map_or(1, |currency| {
        ProviderName::Stripe.minimum_charge(currency).minor()
    })
}

/// `$20.00`, `€0.50`, `¥500`, `20.000 KWD`.
pub fn written(amount: i64, currency: &str) -> String {
    let decimals = decimals(currency);
    let unit = 10_i64.pow(decimals);
    let number = if decimals == 0 {
        grouped(amount)
    } else {
        let width = decimals as usize;
        format!("{}.{:0width$}", grouped(amount / unit), amount % unit)
    };
    match currency {
        "usd" => format!("${number}"),
        "eur" => format!("€{number}"),
        "gbp" => format!("£{number}"),
        "jpy" => format!("¥{number}"),
        "krw" => format!("₩{number}"),
        other => format!("{number} {}", other.to_uppercase()),
    }
}

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// 2.9 % and thirty of the smallest units of a two-decimal currency: 59 of 1,000.
pub fn fee(amount: i64, currency: &str) -> i64 {
    let fixed = match decimals(currency) {
        3 => 300,
        0 if currency == "krw" => 400,
        _ => 30,
    };
    ((amount * 29 + 500) / 1_000 + fixed).min(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_the_decimals_of_their_currency() {
        assert_eq!(written(2_000, "usd"), "$20.00");
        assert_eq!(written(9_900, "krw"), "₩9,900");
        assert_eq!(written(1_234_560, "kwd"), "1,234.560 KWD");
        assert_eq!(written(5, "eur"), "€0.05");
    }

    #[test]
    fn the_fee_is_the_recorded_one() {
        assert_eq!(fee(1_000, "usd"), 59);
    }

    #[test]
    fn amounts_that_are_too_small_too_large_or_odd_are_refused() {
        let code = |amount, currency: &str| {
            check_charge(amount, currency, "amount")
                .err()
                .map(|problem| problem.fields["code"].as_str().unwrap_or("").to_owned())
        };
        assert_eq!(code(49, "usd").as_deref(), Some("amount_too_small"));
        assert_eq!(
            code(100_000_000, "krw").as_deref(),
            Some("amount_too_large")
        );
        assert!(check_charge(99_999_999, "krw", "amount").is_ok());
        assert!(check_charge(1_005, "kwd", "amount").is_err());
        assert!(check_charge(1_010, "kwd", "amount").is_ok());
        assert!(check_charge(150, "isk", "amount").is_err());
        assert!(check_charge(50, "usd", "amount").is_ok());
    }
}
