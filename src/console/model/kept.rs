//! What a filter keeps: the engine's conditions, and the days that are named beside them.
//!
//! `from:2026-11-01`, `to:2026-11-30`, `on:2026-11-21` and `month:2026-11` are local days of the billing zone, both ends
//! included, `began:2026-11-01..2026-11-30` are the days on which a subscription began; everything else is the engine's filter language.

use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::domain::period::day_start;
use crate::engine::queries::{Condition, Filter, FilterError, parse_days};

/// Conditions and the stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    pub filter: Filter,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// Why a filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptError {
    Filter(FilterError),
    /// Not a day or a month of the calendar.
    NotADate(String),
}

impl Kept {
    /// Reads what a person typed.
    pub fn parse(typed: &str, zone: Tz) -> Result<Self, KeptError> {
        let mut kept = Self::default();
        let mut rest = Vec::new();
        let mut conditions = Vec::new();
        for word in typed.split_whitespace() {
            let wrong = || KeptError::NotADate(word.to_owned());
            match word.split_once(':') {
                Some(("from", day)) => kept.from = Some(start(day, zone).ok_or_else(wrong)?),
                Some(("to", day)) => kept.to = Some(end(day, zone).ok_or_else(wrong)?),
                Some(("on", day)) => {
                    kept.from = Some(start(day, zone).ok_or_else(wrong)?);
                    kept.to = Some(end(day, zone).ok_or_else(wrong)?);
                }
                Some(("month", month)) => {
                    let first = format!("{month}-01").parse::<NaiveDate>();
                    let first = first.map_err(|_| wrong())?;
                    let next = first.checked_add_months(Months::new(1)).ok_or_else(wrong)?;
                    kept.from = Some(day_start(first, zone));
                    kept.to = Some(day_start(next, zone));
                }
                Some(("began", days)) => {
                    let (from, to) = parse_days(days).ok_or_else(wrong)?;
                    let after = to.checked_add_days(Days::new(1)).ok_or_else(wrong)?;
                    let began = Condition::Began(day_start(from, zone), day_start(after, zone));
                    conditions.push(began);
                }
                _ => rest.push(word),
            }
        }
        kept.filter = Filter::parse(&rest.join(" ")).map_err(KeptError::Filter)?;
        kept.filter.conditions.extend(conditions);
        Ok(kept)
    }
}

fn start(day: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let date: NaiveDate = day.parse().ok()?;
    Some(day_start(date, zone))
}

fn end(day: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let date: NaiveDate = day.parse().ok()?;
    Some(day_start(date.checked_add_days(Days::new(1))?, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEOUL: Tz = chrono_tz::Asia::Seoul;

    #[test]
    fn days_are_local_and_both_ends_are_included() {
        let kept = Kept::parse("status:past_due on:2026-11-21", SEOUL).unwrap();
        assert_eq!(kept.filter.conditions.len(), 1);
        assert_eq!(kept.from.unwrap().to_rfc3339(), "2026-11-20T15:00:00+00:00");
        assert_eq!(kept.to.unwrap().to_rfc3339(), "2026-11-21T15:00:00+00:00");
        let month = Kept::parse("month:2026-02", SEOUL).unwrap();
        assert_eq!((month.to.unwrap() - month.from.unwrap()).num_days(), 28);
    }

    #[test]
    fn a_day_that_is_none_is_named() {
        assert_eq!(
            Kept::parse("from:2026-02-30", SEOUL),
            Err(KeptError::NotADate("from:2026-02-30".to_owned()))
        );
        assert!(Kept::parse("colour:red", SEOUL).is_err());
    }
}
