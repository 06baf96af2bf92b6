//! How cards and the provider say no, and how often: codes of every class.
//!
//! The classes are those of the provider client's own table; a test over both holds that.

use super::chance::Chance;
use crate::domain::evidence::{Proves, Refusal};
use crate::domain::failure::FailureClass;

/// One way to say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct No {
    pub(super) code: &'static str,
    pub(super) http_status: u16,
    pub(super) class: FailureClass,
    pub(super) proves: Proves,
    weight: u32,
}

const fn no(code: &'static str, http_status: u16, class: FailureClass, weight: u32) -> No {
    No {
        code,
        http_status,
        class,
        proves: Proves::NotExecuted,
        weight,
    }
}

/// What an issuer says once and perhaps not again.
const PASSING: [No; 12] = [
    no("REJECT_CARD_PAYMENT", 403, FailureClass::Soft, 590),
    no("REJECT_CARD_COMPANY", 403, FailureClass::Soft, 230),
    no(
        "EXCEED_MAX_DAILY_PAYMENT_COUNT",
        400,
        FailureClass::Soft,
        25,
    ),
    no("EXCEED_MAX_ONE_DAY_AMOUNT", 403, FailureClass::Soft, 35),
    no("EXCEED_MAX_PAYMENT_AMOUNT", 400, FailureClass::Soft, 15),
    no(
        "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT",
        400,
        FailureClass::Soft,
        15,
    ),
    no("NOT_AVAILABLE_PAYMENT", 400, FailureClass::Soft, 15),
    no("MAINTAINED_METHOD", 400, FailureClass::Soft, 15),
    no(
        "EXCEED_MAX_AUTH_COUNT",
        403,
        FailureClass::NeedsCustomer,
        20,
    ),
    no("INVALID_REJECT_CARD", 400, FailureClass::NeedsCustomer, 20),
    no(
        "NOT_REGISTERED_CARD_COMPANY",
        400,
        FailureClass::NeedsCustomer,
        12,
    ),
    UNLISTED,
];

/// What stays until another card comes.
const LASTING: [No; 5] = [
    no("INVALID_STOPPED_CARD", 400, FailureClass::Hard, 380),
    no("INVALID_CARD_LOST_OR_STOLEN", 400, FailureClass::Hard, 330),
    no("INVALID_BILL_KEY_REQUEST", 400, FailureClass::Hard, 120),
    no("NOT_SUPPORTED_CARD_TYPE", 400, FailureClass::Hard, 90),
    no("FDS_ERROR", 403, FailureClass::Hard, 80),
];

pub(super) const EXPIRED: No = no("INVALID_CARD_EXPIRATION", 400, FailureClass::Hard, 1);

/// A code that no table knows yet.
const UNLISTED: No = No {
    proves: Proves::Unlisted,
    ..no(
        "CARD_ISSUER_MAINTENANCE_WINDOW",
        400,
        FailureClass::Unclassified,
        8,
    )
};

/// Trouble at the issuer's side. The simulator keeps nothing of it, as the provider does not.
pub(super) const OUTAGE: No = No {
    proves: Proves::Nothing,
    ..no(
        "FAILED_CARD_COMPANY_RESPONSE",
        500,
        FailureClass::ProviderDown,
        1,
    )
};

/// For how long a card says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// So many more times.
    Passing(No, u8),
    /// Until another card comes.
    Lasting(No),
}

impl No {
    pub(super) fn refusal(self) -> Refusal {
        Refusal {
            code: self.code.to_owned(),
            class: self.class,
            proves: self.proves,
            http_status: self.http_status,
        }
    }
}

impl Trouble {
    /// A card's trouble, drawn at the moment it begins.
    pub(super) fn draw(chance: &mut Chance) -> Self {
        if chance.per_mille(130) {
            return Self::Lasting(*chance.weighted(&LASTING, |no| no.weight));
        }
        let no = *chance.weighted(&PASSING, |no| no.weight);
        // How often the schedule has to ask before the account has money again; five is never.
        let times = *chance.weighted(
            &[(1_u8, 470), (2, 230), (3, 110), (4, 60), (5, 130)],
            |(_, weight)| *weight,
        );
        Self::Passing(no, times.0)
    }

    /// What is said now, and what is left of the trouble afterwards.
    pub(super) fn say(self) -> (No, Option<Self>) {
        match self {
            Self::Lasting(no) => (no, Some(self)),
            Self::Passing(no, left) => (no, (left > 1).then(|| Self::Passing(no, left - 1))),
        }
    }
}

/// Every code that the demo can show, for the test that compares tables.
#[cfg(test)]
pub(super) fn all() -> Vec<No> {
    PASSING
        .into_iter()
        .chain(LASTING)
        .chain([EXPIRED, OUTAGE])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDER: &str = include_str!("../../assets/failure-codes/toss.toml");

    #[test]
    fn classes_and_statuses_are_those_of_the_providers_table() {
        let table: toml::Table = PROVIDER.parse().unwrap();
        for no in all() {
            let Some(row) = table.get(no.code) else {
                assert_eq!(no, UNLISTED);
                continue;
            };
            assert_eq!(
                row["class"].as_str(),
                Some(no.class.as_str()),
                "{}",
                no.code
            );
            let statuses = row["http"].as_array().unwrap();
            let status = i64::from(no.http_status);
            assert!(statuses.iter().any(|s| s.as_integer() == Some(status)));
            let proves = row.get("approve").or(row.get("any")).unwrap();
            assert_eq!(proves.as_str(), Some(no.proves.as_str()), "{}", no.code);
        }
    }

    #[test]
    fn a_passing_trouble_ends_and_a_lasting_one_does_not() {
        let (_, left) = Trouble::Passing(EXPIRED, 2).say();
        assert_eq!(left, Some(Trouble::Passing(EXPIRED, 1)));
        assert_eq!(Trouble::Passing(EXPIRED, 1).say().1, None);
        let lasting = Trouble::Lasting(EXPIRED);
        assert_eq!(lasting.say(), (EXPIRED, Some(lasting)));
    }
}
