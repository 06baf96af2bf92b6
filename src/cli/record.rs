//! One row or card as named fields, written once and printed three ways: JSON, CSV and for people.
//!
//! A field's name is what scripts read; renaming one breaks them. Outside strings enter only as
//! [`Shown`], so nothing here can print a raw one.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::domain::ids::PublicId;
use crate::domain::money::Money;
use crate::text::Shown;

/// A value with what it means, so that each face can write it its own way.
#[derive(Debug, Clone)]
pub enum Field {
    /// An outside text, made safe.
    Text(Option<Shown>),
    /// A public id.
    Id(Option<String>),
    /// A stored name of the domain; people read the word of its group in the locale.
    Word(&'static str, Option<String>),
    /// Several of them.
    Words(&'static str, Vec<String>),
    Money(Option<Money>),
    /// One sum per currency.
    Sums(Vec<Money>),
    At(Option<DateTime<Utc>>),
    Day(Option<NaiveDate>),
    Number(Option<i64>),
    /// Hundredths of a percent.
    BasisPoints(Option<i64>),
    /// Thousandths of one.
    Thousandths(Option<i64>),
    Flag(bool),
    Record(Option<Record>),
    Records(Vec<Record>),
}

/// Named fields in a fixed order.
#[derive(Debug, Clone, Default)]
pub struct Record(Vec<(&'static str, Field)>);

impl Record {
    /// A record that says what it is in its first field, `object`.
    pub fn of(object: &'static str) -> Self {
        Self::default().word("object", "", object)
    }

    pub fn fields(&self) -> &[(&'static str, Field)] {
        &self.0
    }

    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, field)| field)
    }

    /// With this word beside `object`, unless it is there already.
    #[must_use]
    pub fn marked(mut self, name: &'static str, group: &'static str, code: &str) -> Self {
        if self.get(name).is_none() {
            let word = Field::Word(group, Some(code.to_owned()));
            self.0.insert(self.0.len().min(1), (name, word));
        }
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, field: Field) -> Self {
        self.0.push((name, field));
        self
    }

    /// An outside text.
    #[must_use]
    pub fn text(self, name: &'static str, raw: &str) -> Self {
        self.with(name, Field::Text(Some(Shown::line(raw))))
    }

    #[must_use]
    pub fn text_if(self, name: &'static str, raw: Option<&str>) -> Self {
        self.with(name, Field::Text(raw.map(Shown::line)))
    }

    #[must_use]
    pub fn shown(self, name: &'static str, shown: Shown) -> Self {
        self.with(name, Field::Text(Some(shown)))
    }

    #[must_use]
    pub fn id(self, name: &'static str, id: &PublicId) -> Self {
        self.id_if(name, Some(id))
    }

    #[must_use]
    pub fn id_if(self, name: &'static str, id: Option<&PublicId>) -> Self {
        let text = id.map(|id| Shown::line(id.as_str()).into_string());
        self.with(name, Field::Id(text))
    }

    /// A stored name; `group` is the locale's, and empty where people read the name itself.
    #[must_use]
    pub fn word(self, name: &'static str, group: &'static str, code: &str) -> Self {
        self.word_if(name, group, Some(code))
    }

    #[must_use]
    pub fn word_if(self, name: &'static str, group: &'static str, code: Option<&str>) -> Self {
        let code = code.map(|code| Shown::line(code).into_string());
        self.with(name, Field::Word(group, code))
    }

    #[must_use]
    pub fn words(self, name: &'static str, group: &'static str, codes: Vec<String>) -> Self {
        self.with(name, Field::Words(group, codes))
    }

    #[must_use]
    pub fn money(self, name: &'static str, amount: impl Into<Option<Money>>) -> Self {
        self.with(name, Field::Money(amount.into()))
    }

    #[must_use]
    pub fn sums(self, name: &'static str, sums: &[Money]) -> Self {
        self.with(name, Field::Sums(sums.to_vec()))
    }

    #[must_use]
    pub fn at(self, name: &'static str, at: impl Into<Option<DateTime<Utc>>>) -> Self {
        self.with(name, Field::At(at.into()))
    }

    #[must_use]
    pub fn day(self, name: &'static str, day: impl Into<Option<NaiveDate>>) -> Self {
        self.with(name, Field::Day(day.into()))
    }

    /// A count; what does not fit is the largest that does.
    #[must_use]
    pub fn number(self, name: &'static str, number: impl TryInto<i64>) -> Self {
        self.with(
            name,
            Field::Number(Some(number.try_into().unwrap_or(i64::MAX))),
        )
    }

    #[must_use]
    pub fn number_if(self, name: &'static str, number: Option<impl TryInto<i64>>) -> Self {
        let number = number.map(|number| number.try_into().unwrap_or(i64::MAX));
        self.with(name, Field::Number(number))
    }

    #[must_use]
    pub fn basis_points(self, name: &'static str, number: Option<i64>) -> Self {
        self.with(name, Field::BasisPoints(number))
    }

    #[must_use]
    pub fn thousandths(self, name: &'static str, number: Option<i64>) -> Self {
        self.with(name, Field::Thousandths(number))
    }

    #[must_use]
    pub fn flag(self, name: &'static str, yes: bool) -> Self {
        self.with(name, Field::Flag(yes))
    }

    #[must_use]
    pub fn record(self, name: &'static str, inner: impl Into<Option<Self>>) -> Self {
        self.with(name, Field::Record(inner.into()))
    }

    #[must_use]
    pub fn records(self, name: &'static str, inner: Vec<Self>) -> Self {
        self.with(name, Field::Records(inner))
    }
}

/// An instant as machines read it.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, field) in &self.0 {
            map.serialize_entry(name, field)?;
        }
        map.end()
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.as_ref().map(Shown::as_str).serialize(serializer),
            Self::Id(text) | Self::Word(_, text) => text.serialize(serializer),
            Self::Words(_, codes) => codes.serialize(serializer),
            Self::Money(amount) => amount.map(Amount).serialize(serializer),
            Self::Sums(sums) => {
                let mut list = serializer.serialize_seq(Some(sums.len()))?;
                for sum in sums {
                    list.serialize_element(&Amount(*sum))?;
                }
                list.end()
            }
            Self::At(at) => at.map(rfc3339).serialize(serializer),
            Self::Day(day) => day.map(|day| day.to_string()).serialize(serializer),
            Self::Number(number) | Self::BasisPoints(number) | Self::Thousandths(number) => {
                number.serialize(serializer)
            }
            Self::Flag(yes) => yes.serialize(serializer),
            Self::Record(inner) => inner.serialize(serializer),
            Self::Records(inner) => inner.serialize(serializer),
        }
    }
}

/// `{"minor": 9900, "currency": "KRW"}`: an integer of the currency's smallest unit.
struct Amount(Money);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("minor", &self.0.minor())?;
        map.serialize_entry("currency", self.0.currency().code())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    #[test]
    fn a_record_keeps_its_order_and_its_empty_fields() {
        let record = Record::of("thing")
            .text("name", "김\u{202e}서현")
            .money("amount", Money::new(2_900, Currency::USD))
            .at("at", None)
            .number("count", 3_u32);
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"object":"thing","name":"김서현","amount":{"minor":2900,"currency":"USD"},"at":null,"count":3}"#
        );
    }
}
