//! Which key of Stripe goes with which mode. Its prefix says the mode; a live key never meets another one.

use super::error::Problem;
use crate::domain::mode::Mode;
use crate::secret::Secret;

const SECRET: &[(&str, &str)] = &[
    ("sk_test_", "test"),
    ("rk_test_", "test"),
    ("sk_live_", "live"),
    ("rk_live_", "live"),
];
const OTHERS: &[(&str, &str)] = &[("pk_", "publishable key"), ("whsec_", "webhook secret")];

/// The key without what an editor may have put around it.
pub(super) fn secret_key(written: &str, mode: Mode) -> Result<Secret, Problem> {
    let key = written.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if key.is_empty() {
        return Err(Problem::Empty);
    }
    if let Some((_, found)) = OTHERS.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        return Err(Problem::StripeKeyOfOtherKind { found });
    }
    let Some((prefix, key_mode)) = SECRET.iter().find(|(prefix, _)| key.starts_with(prefix)) else {
        return Err(Problem::NotAStripeKey);
    };
    if (*key_mode == "live") != (mode == Mode::Live) {
        return Err(Problem::StripeKeyOfOtherMode { key_mode, mode });
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if key.len() == prefix.len() || !key.chars().all(is_plain) {
        return Err(Problem::NotAStripeKey);
    }
    Ok(Secret::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_a_key_of_stripe_works_in_its_own_mode_alone() {
        let accepted = |key: &str| -> Vec<Mode> {
            [Mode::Live, Mode::Test, Mode::Sim]
                .into_iter()
                .filter(|mode| secret_key(key, *mode).is_ok())
                .collect()
        };
        for key in ["sk_live_abc", "rk_live_abc"] {
            assert_eq!(accepted(key), [Mode::Live], "{key}");
        }
        for key in ["sk_test_abc", "rk_test_abc", "\u{feff} sk_test_abc\n"] {
            assert_eq!(accepted(key), [Mode::Test, Mode::Sim], "{key}");
        }
        for other in [
            "pk_test_a",
            "whsec_a",
            "test_sk_a",
            "sk_test_",
            "sk_live_a b",
            "",
        ] {
            assert_eq!(accepted(other), [], "{other}");
        }
    }
}
