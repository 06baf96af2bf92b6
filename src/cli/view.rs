//! How people read a field: their language, the billing zone, and whether personal data is masked.

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _, Utc};
use chrono_tz::Tz;

use super::record::Field;
use crate::config::Personal;
use crate::domain::money::Money;
use crate::locale::{Day, Locale};
use crate::text::{Shown, mask, short_id};

/// Ids on lists keep so many last characters; any of them can be typed back.
const ENDING: usize = 8;

/// The reader of this process.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub locale: &'static Locale,
    pub zone: Tz,
    pub personal: Personal,
}

impl View {
    pub fn t(&self, key: &str) -> String {
        self.locale.t(key).to_owned()
    }

    pub fn email(&self, raw: &str) -> Shown {
        match self.personal {
            Personal::Masked if !raw.is_empty() => mask::email(raw),
            Personal::Masked | Personal::Shown => Shown::line(raw),
        }
    }

    pub fn phone(&self, raw: &str) -> Shown {
        match self.personal {
            Personal::Masked if !raw.is_empty() => mask::phone(raw),
            Personal::Masked | Personal::Shown => Shown::line(raw),
        }
    }

    pub fn money(&self, amount: Money) -> String {
        let currency = amount.currency();
        self.locale
            .money(amount.minor(), currency.exponent(), currency.code())
    }

    pub fn day(&self, day: NaiveDate) -> String {
        self.locale
            .full_date(Day::new(day.year(), day.month(), day.day()))
    }

    pub fn at(&self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.zone);
        let day = Day::new(local.year(), local.month(), local.day());
        self.locale
            .full_time(day, local.hour(), local.minute(), local.second())
    }

    /// The local day an instant falls on.
    pub fn local_day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// One field as a cell of a table.
    pub fn cell(&self, field: &Field) -> String {
        match field {
            Field::Id(Some(id)) => short_id(id, ENDING),
            other => self.whole(other),
        }
    }

    /// One field as a line of a card, ids in full.
    pub fn whole(&self, field: &Field) -> String {
        match field {
            Field::Text(text) => text.as_ref().map_or_else(String::new, ToString::to_string),
            Field::Id(id) => id.clone().unwrap_or_default(),
            Field::Word(group, code) => code
                .as_deref()
                .map_or_else(String::new, |c| self.word(group, c)),
            Field::Words(group, codes) => {
                let words: Vec<String> = codes.iter().map(|code| self.word(group, code)).collect();
                words.join(", ")
            }
            Field::Money(amount) => amount.map_or_else(String::new, |amount| self.money(amount)),
            Field::Sums(sums) => {
                let sums: Vec<String> = sums.iter().map(|sum| self.money(*sum)).collect();
                sums.join(" + ")
            }
            Field::At(at) => at.map_or_else(String::new, |at| self.at(at)),
            Field::Day(day) => day.map_or_else(String::new, |day| self.day(day)),
            Field::Number(number) => number.map_or_else(String::new, |n| self.locale.count(n)),
            Field::BasisPoints(number) => {
                number.map_or_else(String::new, |n| self.locale.percent_exact(n))
            }
            Field::Thousandths(number) => number.map_or_else(String::new, |n| {
                let sign = if n < 0 { "-" } else { "" };
                let n = n.unsigned_abs();
                format!("{sign}{}.{:03}", n / 1_000, n % 1_000)
            }),
            Field::Flag(yes) => self.t(if *yes {
                "common.answer.yes"
            } else {
                "common.answer.no"
            }),
            Field::Record(_) | Field::Records(_) => String::new(),
        }
    }

    /// This face's own word, else the one all faces share, else the name itself.
    fn word(&self, group: &str, code: &str) -> String {
        if group.is_empty() {
            return code.to_owned();
        }
        let own = self.locale.find(&format!("cli.{group}.{code}"));
        own.unwrap_or_else(|| self.locale.label(group, code))
            .to_owned()
    }
}
