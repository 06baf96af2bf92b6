//! What an error code of Toss Payments means. The table is `assets/failure-codes/toss.toml`.
//!
//! A code decides, never the HTTP status: insufficient funds come with 403, a wrong key with 400.
//! The status may only weaken what a code proves, never strengthen it. A code that the table does
//! not hold for a call proves nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::evidence::{Proves, Refusal};
use crate::domain::failure::FailureClass;

/// Which call was refused. The same code proves different things for different calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Charging a billing key.
    Charge,
    /// Confirming a checkout payment.
    Confirm,
    /// Giving money back.
    Cancel,
    /// Registering a card.
    Issue,
    /// Asking: a payment, an order, the transaction list.
    LookUp,
    /// Deleting a billing key.
    Delete,
}

impl CallKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Charge,
        Self::Confirm,
        Self::Cancel,
        Self::Issue,
        Self::LookUp,
        Self::Delete,
    ];
}

/// One row of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The statuses it is documented or measured with.
    pub http: Vec<u16>,
    /// The calls the provider names it for, in the letters of the table's head.
    #[serde(rename = "where")]
    pub known_from: String,
    #[serde(deserialize_with = "class")]
    /// What it means for dunning.
    pub class: FailureClass,
    /// Most tries in a row that make sense after it.
    pub tries: Option<u32>,
    /// The class is our judgement.
    #[serde(default)]
    pub judged: bool,
    approve: Option<ProvesWord>,
    cancel: Option<ProvesWord>,
    issue: Option<ProvesWord>,
    delete: Option<ProvesWord>,
    any: Option<ProvesWord>,
    /// It speaks of one row, and not of our key, rights or account.
    #[serde(default)]
    of_one_row: bool,
}

impl Listed {
    /// What it proves for a call it was reviewed for; [`Proves::Unlisted`] for any other.
    pub fn proves(&self, call: CallKind) -> Proves {
        let own = match call {
            CallKind::Charge | CallKind::Confirm => &self.approve,
            CallKind::Cancel => &self.cancel,
            CallKind::Issue => &self.issue,
            CallKind::LookUp => &None,
            CallKind::Delete => &self.delete,
        };
        let proves = own
            .as_ref()
            .or(self.any.as_ref())
            .map_or(Proves::Unlisted, |word| word.0);
        match (call, proves) {
            // The question was refused; about the charge or refund it asks for that says nothing.
            (CallKind::LookUp, Proves::NotExecuted | Proves::LookUp) => Proves::Unlisted,
            _ => proves,
        }
    }
}

#[derive(Debug, Clone)]
struct ProvesWord(Proves);

impl<'de> Deserialize<'de> for ProvesWord {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Proves::parse(&word)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("{word:?} is not what a code proves")))
    }
}

fn class<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<FailureClass, D::Error> {
    let word = String::deserialize(deserializer)?;
    FailureClass::parse(&word)
        .ok_or_else(|| serde::de::Error::custom(format!("{word:?} is not a failure class")))
}

/// The table cannot be read. It is part of the program, so a test holds it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the table of failure codes cannot be read")]
pub struct CodeTableError(#[source] toml::de::Error);

type Table = BTreeMap<String, Listed>;

static TABLE: LazyLock<Result<Table, CodeTableError>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../assets/failure-codes/toss.toml")).map_err(CodeTableError)
});

/// Fails when the table cannot be read; a client is not built then.
pub(super) fn check() -> Result<(), CodeTableError> {
    TABLE.as_ref().map(|_| ()).map_err(Clone::clone)
}

/// The row of a code.
pub fn listed(code: &str) -> Option<&'static Listed> {
    TABLE.as_ref().ok()?.get(code)
}

/// Every code of the table, by name.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Listed)> {
    TABLE
        .iter()
        .flatten()
        .map(|(code, row)| (code.as_str(), row))
}

/// Whether every further call would be refused as well.
pub(super) fn is_everybodys(refusal: &Refusal) -> bool {
    let is_of_one_row = listed(&refusal.code).is_some_and(|row| row.of_one_row);
    refusal.proves == Proves::ConfigTrouble && !is_of_one_row
}

/// What a refusal means and proves.
pub fn classify(call: CallKind, code: &str, http_status: u16) -> Refusal {
    let (class, proves) = match listed(code) {
        Some(row) => (row.class, row.proves(call)),
        None => (FailureClass::Unclassified, Proves::Unlisted),
    };
    let (class, proves) = weakened(class, proves, http_status);
    Refusal {
        code: code.to_owned(),
        class,
        proves,
        http_status,
    }
}

/// A definitive refusal comes with a 4xx, or inside a payment that a look-up shows (200). With a
/// server error, or with a status that speaks of another request (409, 429), it proves nothing; an
/// unlisted code with 401 is trouble with our key all the same.
fn weakened(class: FailureClass, proves: Proves, http_status: u16) -> (FailureClass, Proves) {
    match (proves, http_status) {
        (Proves::Unlisted, 401) => (FailureClass::Config, Proves::ConfigTrouble),
        (Proves::Unlisted | Proves::NotExecuted, 500..=599)
        | (Proves::NotExecuted, 401 | 409 | 429) => (class, Proves::Nothing),
        _ => (class, proves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of the provider's documentation, by the reference this client was written from:
    /// code, class, and what it proves for the call it belongs to.
    const REVIEWED: &str = include_str!("../../../assets/fixtures/toss/codes.txt");

    fn call(word: &str) -> CallKind {
        match word {
            "charge" => CallKind::Charge,
            "confirm" => CallKind::Confirm,
            "cancel" => CallKind::Cancel,
            "issue" => CallKind::Issue,
            "look_up" => CallKind::LookUp,
            "delete" => CallKind::Delete,
            word => panic!("{word:?} is not a call"),
        }
    }

    #[test]
    fn a_code_that_speaks_of_one_row_is_not_everybodys_trouble() {
        let of = |code: &str, proves| Refusal {
            code: code.to_owned(),
            class: FailureClass::Config,
            proves,
            http_status: 400,
        };
        for code in [
            "NOT_MATCHES_CUSTOMER_KEY",
            "NOT_SUPPORTED_METHOD",
            "NOT_FOUND_PAYMENT",
        ] {
            assert!(listed(code).is_some(), "{code}");
            assert!(!is_everybodys(&of(code, Proves::ConfigTrouble)), "{code}");
        }
        for code in [
            "UNAUTHORIZED_KEY",
            "INVALID_API_KEY",
            "FORBIDDEN_REQUEST",
            "A_CODE_OF_TOMORROW",
        ] {
            assert!(is_everybodys(&of(code, Proves::ConfigTrouble)), "{code}");
            assert!(!is_everybodys(&of(code, Proves::NotExecuted)), "{code}");
        }
    }

    #[test]
    fn every_documented_code_resolves_to_its_class_and_proof() {
        assert!(check().is_ok(), "{:?}", check());
        let mut seen = 0;
        for line in REVIEWED.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [code, kind, status, class, proves] = words[..] else {
                panic!("{line:?} is not a row");
            };
            let refusal = classify(call(kind), code, status.parse().expect("a status"));
            let got = (refusal.class.as_str(), refusal.proves.as_str());
            assert_eq!(got, (class, proves), "{line}");
            seen += 1;
        }
        assert_eq!(
            seen,
            all().count(),
            "the list and the table differ in length"
        );
    }

    #[test]
    fn an_unlisted_code_is_unclassified_and_proves_nothing() {
        for call in CallKind::ALL {
            let refusal = classify(call, "A_CODE_OF_NEXT_YEAR", 400);
            assert_eq!(refusal.class, FailureClass::Unclassified);
            assert_eq!(refusal.proves, Proves::Unlisted);
        }
    }

    #[test]
    fn the_status_never_makes_a_code_prove_more() {
        let declined = |status| classify(CallKind::Charge, "REJECT_CARD_PAYMENT", status).proves;
        assert_eq!(declined(403), Proves::NotExecuted);
        assert_eq!(declined(400), Proves::NotExecuted);
        assert_eq!(declined(500), Proves::Nothing);
        assert_eq!(declined(429), Proves::Nothing);
        let trouble = classify(CallKind::Charge, "PROVIDER_ERROR", 400);
        assert_eq!(trouble.proves, Proves::Nothing);
        let wrong_key = classify(CallKind::Charge, "INVALID_API_KEY", 400);
        assert_eq!(wrong_key.proves, Proves::ConfigTrouble);
        let unlisted = classify(CallKind::Charge, "A_CODE_OF_NEXT_YEAR", 502);
        assert_eq!(unlisted.proves, Proves::Nothing);
    }

    #[test]
    fn a_refund_code_proves_nothing_about_a_charge() {
        let refusal = classify(CallKind::Charge, "NOT_CANCELABLE_PAYMENT", 403);
        assert_eq!(refusal.proves, Proves::Unlisted);
        let refusal = classify(CallKind::Cancel, "REJECT_CARD_PAYMENT", 403);
        assert_eq!(refusal.proves, Proves::Unlisted);
    }

    #[test]
    fn a_refused_look_up_never_proves_anything_about_the_money() {
        for (code, row) in all() {
            for status in [400, 403, 404] {
                let proves = classify(CallKind::LookUp, code, status).proves;
                let is_harmless = matches!(
                    proves,
                    Proves::Nothing | Proves::Unlisted | Proves::ConfigTrouble
                );
                assert!(is_harmless, "{code} {row:?}");
            }
        }
    }

    #[test]
    fn issuers_refusals_are_403_and_still_the_customers_matter() {
        for code in ["REJECT_CARD_PAYMENT", "REJECT_ACCOUNT_PAYMENT", "FDS_ERROR"] {
            assert!(classify(CallKind::Charge, code, 403).class.is_decline());
        }
    }
}
