//! Cards: issuers by their share, masked numbers, expiries.

use chrono::{Datelike, NaiveDate};

use super::chance::{Chance, ShortId};
use super::declines::Trouble;
use crate::domain::customer::Card;
use crate::domain::ids::{MethodId, Noun, PublicId};
use crate::domain::states::MethodState;

/// Issuer code, weight, and the first digits its cards begin with.
const ISSUERS: [(&str, u32, [&str; 2]); 12] = [
    ("41", 190, ["45182100", "52618200"]),
    ("11", 170, ["54092600", "40901700"]),
    ("51", 160, ["44802000", "53614200"]),
    ("61", 150, ["43301234", "54390300"]),
    ("15", 90, ["52707300", "55701500"]),
    ("71", 70, ["51228000", "40058900"]),
    ("24", 60, ["52997600", "53591000"]),
    ("21", 50, ["45510100", "51870200"]),
    ("33", 40, ["53846200", "41187400"]),
    ("91", 30, ["53872000", "46293800"]),
    ("31", 25, ["94201100", "94903400"]),
    ("3A", 15, ["52640300", "53812900"]),
];

/// A registered card as long as the story goes on.
#[derive(Debug, Clone)]
pub(super) struct Plastic {
    pub(super) method: MethodId,
    pub(super) id: ShortId,
    /// Index of the account it belongs to.
    pub(super) account: u32,
    issuer: u8,
    range: u8,
    digits: u16,
    /// Last month in which it is good.
    expires: (i32, u32),
    knows_expiry: bool,
    pub(super) state: MethodState,
    pub(super) created_us: i64,
    pub(super) deleted_us: Option<i64>,
    pub(super) trouble: Option<Trouble>,
    pub(super) version: i64,
}

impl Plastic {
    pub(super) fn draw(
        chance: &mut Chance,
        method: MethodId,
        id: ShortId,
        account: u32,
        at: (NaiveDate, i64),
    ) -> Self {
        let (today, created_us) = at;
        let share = *chance.weighted(&share_of_issuers(), |(_, weight)| *weight);
        // Cards are good for five years; people register them at any time of their life.
        let months = chance.between(2, 61);
        let month = i64::from(today.year()) * 12 + i64::from(today.month0()) + months;
        let small = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
        Self {
            method,
            id,
            account,
            issuer: share.0,
            range: u8::from(chance.per_mille(400)),
            digits: u16::try_from(chance.between(0, 1_000)).unwrap_or(0),
            expires: (
                small(month.div_euclid(12)),
                small(month.rem_euclid(12)).unsigned_abs() + 1,
            ),
            knows_expiry: chance.per_mille(850),
            state: MethodState::Active,
            created_us,
            deleted_us: None,
            trouble: None,
            version: 1,
        }
    }

    pub(super) fn public_id(&self) -> PublicId {
        self.id.of(Noun::Method)
    }

    /// Whether it is past its last month on a day.
    pub(super) fn is_expired(&self, today: NaiveDate) -> bool {
        self.expires < (today.year(), today.month())
    }

    /// The first day on which it is no good.
    pub(super) fn first_bad_day(&self) -> Option<NaiveDate> {
        let (year, month) = self.expires;
        match month {
            12 => NaiveDate::from_ymd_opt(year + 1, 1, 1),
            month => NaiveDate::from_ymd_opt(year, month + 1, 1),
        }
    }

    pub(super) fn issuer_code(&self) -> &'static str {
        ISSUERS[usize::from(self.issuer)].0
    }

    /// Eight digits, four stars, three digits, a star: as the provider masks it.
    pub(super) fn number(&self) -> String {
        let range = ISSUERS[usize::from(self.issuer)].2[usize::from(self.range)];
        format!("{range}****{:03}*", self.digits)
    }

    /// `YYMM`, as the simulator keeps it.
    pub(super) fn yymm(&self) -> String {
        format!("{:02}{:02}", self.expires.0 % 100, self.expires.1)
    }

    /// What we know of it. The provider does not tell when a card expires; some customers did.
    pub(super) fn face(&self) -> Card {
        Card {
            issuer: self.issuer_code().to_owned(),
            number: self.number(),
            kind: "credit".to_owned(),
            expiry: self.knows_expiry.then_some(self.expires),
        }
    }
}

fn share_of_issuers() -> Vec<(u8, u32)> {
    (0..)
        .zip(ISSUERS)
        .map(|(at, (_, weight, _))| (at, weight))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_good_through_its_last_month_and_no_longer() {
        let mut chance = Chance::new(7);
        let today: NaiveDate = "2026-11-21".parse().unwrap();
        for _ in 0..200 {
            let id = chance.short_id(chrono::DateTime::UNIX_EPOCH);
            let card = Plastic::draw(&mut chance, MethodId(1), id, 0, (today, 0));
            let bad = card.first_bad_day().unwrap();
            assert!(card.is_expired(bad) && !card.is_expired(bad.pred_opt().unwrap()));
            assert!(!card.is_expired(today));
            assert_eq!(card.number().len(), 16);
            assert_eq!(card.yymm().len(), 4);
        }
    }
}
