//! Four eyes: what one person asks for and another approves.
//!
//! A request is bound to the exact plan that was asked for, lives half an hour, is decided once, and
//! never by the person who asked, whatever account he uses. The database holds the same rules.

use chrono::{DateTime, Utc};

use super::attempt::AlsoCancel;
use super::ids::{ApprovalId, AttemptId, CustomerId, PaymentId, PublicId};
use super::mode::Mode;
use super::money::Money;
use super::operator::Verb;
use super::states::ApprovalState;
use crate::text::composed;

/// How long a request waits for the second person, in minutes.
pub const APPROVAL_MINUTES: i64 = 30;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Give money of this payment back, above the person's own limit.
    Refund(PaymentId),
    /// Declare that the provider never executed this unknown charge or refund.
    NotExecuted(AttemptId),
    /// Send this prepared return, which is above the person's own limit.
    Return(AttemptId),
}

impl Asked {
    /// The verb it stands for.
    pub const fn verb(self) -> Verb {
        match self {
            Self::Refund(_) | Self::Return(_) => Verb::Refund,
            Self::NotExecuted(_) => Verb::ForceState,
        }
    }
}

/// A request, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Row id.
    pub id: ApprovalId,
    /// Public id, `apr_…`.
    pub public_id: PublicId,
    /// What is asked for.
    pub asked: Asked,
    /// The payment's or attempt's public id.
    pub target: PublicId,
    /// Whose money.
    pub customer_id: CustomerId,
    /// How much.
    pub amount: Money,
    /// For a refund: what else happens.
    pub also_cancel: AlsoCancel,
    /// Why.
    pub reason: String,
    /// What supports it: a letter, a ticket, what the provider's support said.
    pub evidence: String,
    /// The fingerprint of the plan that was asked for.
    pub fingerprint: String,
    /// Live, test or sim.
    pub mode: Mode,
    /// Who asked.
    pub requester: String,
    /// What supported that identity, as JSON text.
    pub claims: String,
    /// When, in database time.
    pub requested_at: DateTime<Utc>,
    /// From when nobody can approve it any more.
    pub expires_at: DateTime<Utc>,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
}

/// Why a person cannot approve a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotGrantable {
    /// It was decided before.
    #[error("it is {0} already")]
    Decided(ApprovalState),
    /// Nobody decided in time.
    #[error("it has expired")]
    Expired,
    /// Nobody approves what he asked for himself.
    #[error("nobody approves their own request")]
    OwnRequest,
}

impl Approval {
    /// Whether it still waits, at this time of the database.
    pub fn waits_at(&self, now: DateTime<Utc>) -> bool {
        self.state == ApprovalState::Waiting && now < self.expires_at
    }

    /// Whether this person may approve it now.
    pub fn check(&self, person: &str, now: DateTime<Utc>) -> Result<(), NotGrantable> {
        if self.state != ApprovalState::Waiting {
            return Err(NotGrantable::Decided(self.state));
        }
        if is_same_person(person, &self.requester) {
            return Err(NotGrantable::OwnRequest);
        }
        if now >= self.expires_at {
            return Err(NotGrantable::Expired);
        }
        Ok(())
    }
}

/// Whether two names mean one person: accounts, keys, capital letters and how a syllable is put together make no
/// second one.
pub fn is_same_person(one: &str, other: &str) -> bool {
    let plain = |name: &str| composed(&name.trim().to_lowercase());
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone};

    use super::super::ids::Noun;
    use super::super::money::Currency;
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap() + Duration::minutes(minute)
    }

    fn asked_by_kim() -> Approval {
        Approval {
            id: ApprovalId(1),
            public_id: PublicId::new(Noun::Approval, "01J9ZX5V3M8Q7K2N4T6W8Y0B2D"),
            asked: Asked::Refund(PaymentId(1)),
            target: PublicId::new(Noun::Payment, "01J9ZX5V3M8Q7K2N4T6W8Y0B2D"),
            customer_id: CustomerId(1),
            amount: Money::new(600_000, Currency::KRW),
            also_cancel: AlsoCancel::No,
            reason: "asked".into(),
            evidence: String::new(),
            fingerprint: "00".into(),
            mode: Mode::Sim,
            requester: "kim".into(),
            claims: "{}".into(),
            requested_at: at(0),
            expires_at: at(APPROVAL_MINUTES),
            state: ApprovalState::Waiting,
            decided_by: None,
            decided_at: None,
        }
    }

    #[test]
    fn another_person_approves_within_half_an_hour() {
        assert_eq!(asked_by_kim().check("lee", at(29)), Ok(()));
        assert_eq!(
            asked_by_kim().check("lee", at(30)),
            Err(NotGrantable::Expired)
        );
    }

    #[test]
    fn nobody_is_his_own_second_person_however_his_name_is_written() {
        for name in ["kim", "KIM", " Kim "] {
            assert_eq!(
                asked_by_kim().check(name, at(1)),
                Err(NotGrantable::OwnRequest),
                "{name}"
            );
        }
    }

    #[test]
    fn a_syllable_typed_in_parts_is_the_same_name() {
        assert!(is_same_person(
            "서현",
            "\u{1109}\u{1165}\u{1112}\u{1167}\u{11ab}"
        ));
        assert!(!is_same_person("서현", "서혀"));
    }

    #[test]
    fn what_was_decided_is_not_decided_again() {
        let granted = Approval {
            state: ApprovalState::Granted,
            ..asked_by_kim()
        };
        assert_eq!(
            granted.check("lee", at(1)),
            Err(NotGrantable::Decided(ApprovalState::Granted))
        );
    }
}
