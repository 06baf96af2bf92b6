//! What an error of Stripe means. The table is `assets/failure-codes/stripe.toml`.
//!
//! `advice_code` decides the class of a decline, then `decline_code`, then `code`. The status may only
//! weaken what a code proves, never strengthen it; a code that the table does not hold for a call
//! proves nothing. Messages are for people and are never read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::evidence::{Proves, Refusal};
use crate::domain::failure::FailureClass;

/// Which call was refused. The same code proves different things for different calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Making an intent, which moves no money.
    Prepare,
    /// Confirming an intent, or paying an invoice.
    Charge,
    /// Giving money back.
    Refund,
    /// Canceling an intent.
    Abandon,
    /// Making a customer and attaching a card.
    Register,
    /// Detaching a card.
    Detach,
    /// Asking.
    LookUp,
    /// Changing anything else: a customer, a price, a subscription, an invoice.
    Change,
}

impl CallKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Prepare,
        Self::Charge,
        Self::Refund,
        Self::Abandon,
        Self::Register,
        Self::Detach,
        Self::LookUp,
        Self::Change,
    ];
}

/// The words of one refusal. Those that are none are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Words<'a> {
    /// `type`.
    pub kind: &'a str,
    /// `code`.
    pub code: &'a str,
    /// `decline_code`.
    pub decline_code: &'a str,
    /// `advice_code`.
    pub advice_code: &'a str,
    /// `param`: which part of the request it is about.
    pub param: &'a str,
}

/// One row of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The statuses it is documented or recorded with.
    pub http: Vec<u16>,
    /// What it means for dunning.
    #[serde(deserialize_with = "class")]
    pub class: FailureClass,
    prepare: Option<ProvesWord>,
    charge: Option<ProvesWord>,
    register: Option<ProvesWord>,
    refund: Option<ProvesWord>,
    any: Option<ProvesWord>,
    /// It speaks of one row, and not of our key, rights or account.
    #[serde(default)]
    of_one_row: bool,
}

impl Listed {
    /// What it proves for a call it was reviewed for; [`Proves::Unlisted`] for any other.
    pub fn proves(&self, call: CallKind) -> Proves {
        let own = match call {
            CallKind::Prepare => self.prepare.as_ref().or(self.charge.as_ref()),
            CallKind::Charge => self.charge.as_ref(),
            CallKind::Refund => self.refund.as_ref(),
            CallKind::Register => self.register.as_ref(),
            CallKind::Abandon | CallKind::Detach | CallKind::LookUp | CallKind::Change => None,
        };
        let proves = own
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
    toml::from_str(include_str!("../../../assets/failure-codes/stripe.toml"))
        .map_err(CodeTableError)
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

/// What a refusal means and proves. Words that do not look like codes are read as none.
pub fn classify(call: CallKind, words: Words<'_>, http_status: u16) -> Refusal {
    let plain = |word| is_code(word).then_some(word);
    let code = plain(words.code).unwrap_or_else(|| without_code(words.kind, http_status));
    let decline = plain(words.decline_code);
    let row = decline.and_then(listed).or_else(|| listed(code));
    let class = match decline {
        Some(decline) => listed(decline).map(|row| row.class),
        None => listed(code).map(|row| row.class),
    };
    let class = advised(words.advice_code)
        .or(class)
        .unwrap_or(FailureClass::Unclassified);
    let proves = row.map_or(Proves::Unlisted, |row| row.proves(call));
    let (class, proves) = of_another_account(call, code, words.param, http_status)
        .unwrap_or_else(|| weakened(class, proves, http_status));
    Refusal {
        code: decline.unwrap_or(code).to_owned(),
        class,
        proves,
        http_status,
    }
}

/// Codes are shown, stored and compared: only what looks like one is kept.
pub(super) fn is_code(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// A wrong key has no code, and neither has a request that does not fit.
fn without_code(kind: &str, http_status: u16) -> &str {
    match http_status {
        401 => "http_401",
        403 => "http_403",
        _ if is_code(kind) => kind,
        _ => "uncoded",
    }
}

/// The issuer's advice about a decline; a word that we do not know is none.
fn advised(advice_code: &str) -> Option<FailureClass> {
    match advice_code {
        "do_not_try_again" => Some(FailureClass::Hard),
        "confirm_card_data" => Some(FailureClass::NeedsCustomer),
        "try_again_later" => Some(FailureClass::Soft),
        _ => None,
    }
}

/// What the path names is our own intent or payment, and an intent is made for a customer of ours. Stripe forgets
/// neither, so we ask the wrong account; only a card may be gone.
fn of_another_account(
    call: CallKind,
    code: &str,
    param: &str,
    http_status: u16,
) -> Option<(FailureClass, Proves)> {
    let is_ours = match call {
        CallKind::Charge | CallKind::Abandon => http_status == 404,
        CallKind::Prepare => param != "payment_method",
        CallKind::Refund
        | CallKind::Register
        | CallKind::Detach
        | CallKind::LookUp
        | CallKind::Change => false,
    };
    (is_ours && code == "resource_missing").then_some((FailureClass::Config, Proves::ConfigTrouble))
}

/// A definitive refusal comes with a 4xx, or inside an intent that a look-up shows (200). With a server
/// error, or with a status that speaks of another request (409, 424, 429), it proves nothing; an
/// unlisted code with 401 or 403 is trouble with our key all the same.
fn weakened(class: FailureClass, proves: Proves, http_status: u16) -> (FailureClass, Proves) {
    match (proves, http_status) {
        (Proves::Unlisted, 401 | 403) => (FailureClass::Config, Proves::ConfigTrouble),
        (Proves::Unlisted | Proves::NotExecuted | Proves::LookUp, 424 | 500..=599)
        | (Proves::NotExecuted, 401 | 403 | 409 | 429) => (class, Proves::Nothing),
        _ => (class, proves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of the reference this client was written from: code, call, status, class, and what
    /// it proves for that call.
    const REVIEWED: &str = include_str!("../../../assets/fixtures/stripe/codes.txt");

    fn coded(code: &str) -> Words<'_> {
        Words {
            code,
            ..Words::default()
        }
    }

    fn decline<'a>(decline_code: &'a str, advice_code: &'a str) -> Words<'a> {
        Words {
            kind: "card_error",
            code: "card_declined",
            decline_code,
            advice_code,
            param: "",
        }
    }

    fn call(word: &str) -> CallKind {
        match word {
            "charge" => CallKind::Charge,
            "refund" => CallKind::Refund,
            "register" => CallKind::Register,
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
        for code in ["idempotency_error", "resource_missing"] {
            assert!(listed(code).is_some(), "{code}");
            assert!(!is_everybodys(&of(code, Proves::ConfigTrouble)), "{code}");
        }
        for code in [
            "http_401",
            "http_403",
            "livemode_mismatch",
            "a_code_of_tomorrow",
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
            let refusal = classify(call(kind), coded(code), status.parse().expect("a status"));
            let got = (refusal.class.as_str(), refusal.proves.as_str());
            assert_eq!(got, (class, proves), "{line}");
            assert_eq!(refusal.code, code);
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
            let refusal = classify(call, coded("a_code_of_next_year"), 400);
            assert_eq!(refusal.class, FailureClass::Unclassified);
            assert_eq!(refusal.proves, Proves::Unlisted);
        }
        // The decline itself is certain; only what it means is not known.
        let refusal = classify(CallKind::Charge, decline("a_reason_of_next_year", ""), 402);
        assert_eq!(refusal.code, "a_reason_of_next_year");
        assert_eq!(refusal.class, FailureClass::Unclassified);
        assert_eq!(refusal.proves, Proves::NotExecuted);
    }

    #[test]
    fn advice_comes_before_the_reason_and_the_reason_before_the_code() {
        let class = |words| classify(CallKind::Charge, words, 402).class;
        assert_eq!(class(decline("", "")), FailureClass::Soft);
        assert_eq!(class(decline("lost_card", "")), FailureClass::Hard);
        assert_eq!(
            class(decline("lost_card", "try_again_later")),
            FailureClass::Soft
        );
        assert_eq!(
            class(decline("generic_decline", "do_not_try_again")),
            FailureClass::Hard
        );
        assert_eq!(
            class(decline("expired_card", "confirm_card_data")),
            FailureClass::NeedsCustomer
        );
        assert_eq!(
            class(decline("lost_card", "advice_of_next_year")),
            FailureClass::Hard
        );
    }

    #[test]
    fn a_customer_that_is_missing_says_that_we_ask_another_account_and_a_missing_card_is_gone() {
        let missing = |param| Words {
            param,
            ..coded("resource_missing")
        };
        let of = |param| classify(CallKind::Prepare, missing(param), 400);
        for param in ["customer", "", "a_part_of_next_year"] {
            assert_eq!(of(param).proves, Proves::ConfigTrouble, "{param}");
            assert_eq!(of(param).class, FailureClass::Config, "{param}");
        }
        assert_eq!(of("payment_method").proves, Proves::NotExecuted);
        assert_eq!(of("payment_method").class, FailureClass::Hard);
    }

    #[test]
    fn the_status_never_makes_a_code_prove_more() {
        let declined = |status| classify(CallKind::Charge, coded("card_declined"), status).proves;
        assert_eq!(declined(402), Proves::NotExecuted);
        assert_eq!(declined(400), Proves::NotExecuted);
        for status in [401, 403, 409, 424, 429, 500, 503] {
            assert_eq!(declined(status), Proves::Nothing, "{status}");
        }
        let unlisted = classify(CallKind::Charge, coded("a_code_of_next_year"), 502);
        assert_eq!(unlisted.proves, Proves::Nothing);
    }

    #[test]
    fn a_refusal_without_a_code_goes_by_its_status_or_its_type() {
        let kind = Words {
            kind: "invalid_request_error",
            ..Words::default()
        };
        let of = |call, status| classify(call, kind, status);
        assert_eq!(of(CallKind::Charge, 401).code, "http_401");
        assert_eq!(of(CallKind::Charge, 401).proves, Proves::ConfigTrouble);
        assert_eq!(of(CallKind::Refund, 403).proves, Proves::ConfigTrouble);
        assert_eq!(of(CallKind::Charge, 400).proves, Proves::Unlisted);
        // To prepare moves no money: nothing was made.
        assert_eq!(of(CallKind::Prepare, 400).proves, Proves::NotExecuted);
        // More than is left: somebody gave money back, and the payment has to be read.
        assert_eq!(of(CallKind::Refund, 400).proves, Proves::LookUp);
        let nothing = classify(CallKind::Charge, Words::default(), 400);
        assert_eq!(
            (nothing.code.as_str(), nothing.proves),
            ("uncoded", Proves::Unlisted)
        );
        let hostile = classify(CallKind::Charge, coded("\u{1b}[31mRED"), 400);
        assert_eq!(hostile.code, "uncoded");
    }

    #[test]
    fn our_own_intent_that_is_missing_says_that_we_ask_another_account() {
        let gone = |call, status| classify(call, coded("resource_missing"), status);
        let intent = gone(CallKind::Charge, 404);
        assert_eq!(intent.class, FailureClass::Config);
        assert_eq!(intent.proves, Proves::ConfigTrouble);
        assert_eq!(gone(CallKind::Refund, 404).proves, Proves::LookUp);
    }

    #[test]
    fn a_refused_look_up_never_proves_anything_about_the_money() {
        for (code, row) in all() {
            for status in [400, 402, 403, 404] {
                let proves = classify(CallKind::LookUp, coded(code), status).proves;
                let is_harmless = matches!(
                    proves,
                    Proves::Nothing | Proves::Unlisted | Proves::ConfigTrouble
                );
                assert!(is_harmless, "{code} {row:?}");
            }
        }
    }
}
