//! The filter language of lists: words, and `field:value` terms joined by "and".
//!
//! `status:past_due plan:pro amount>9900 서현` keeps past-due rows of plans whose code begins with
//! `pro`, above 9,900, whose customer's name contains 서현.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::dunning::DunningState;
use crate::domain::failure::FailureClass;
use crate::domain::mode::ProviderName;
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InboxState, InvoiceState, RunState, SubscriptionState};

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The customer's name, e-mail or phone contains this, or an id ends with it.
    Text(String),
    /// The row's state is one of these stored names.
    Status(Vec<String>),
    /// The plan's code is this or begins with it and a dash; with an equals sign before it, it is this.
    Plan(String),
    /// Its first term began in `[from, to)`, and it has been more than incomplete.
    Began(DateTime<Utc>, DateTime<Utc>),
    /// Its business day is one of `[from, to]`.
    Days(NaiveDate, NaiveDate),
    /// The card's issuer code, or its last digits.
    Card(String),
    /// It is, or would be, charged at this provider.
    Provider(ProviderName),
    /// The provider's code of the last refusal.
    Code(String),
    /// The class of the last refusal.
    Class(String),
    /// The amount compared with so many minor units.
    Amount(Comparison, i64),
    /// The person who acted.
    By(String),
}

/// How an amount is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Is,
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
}

/// Why a filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A field we do not have.
    #[error("unknown field {0:?}: use status, plan, card, provider, code, class, amount or by")]
    UnknownField(String),
    /// An amount that is not a number.
    #[error("{0:?} is not an amount")]
    NotAnAmount(String),
    /// Two dates that are none.
    #[error("{0:?} is not a stretch of days")]
    NotDays(String),
    /// A state or class that no row of ours can have.
    #[error("{field} {value:?} does not exist: use {valid}")]
    UnknownValue {
        /// Which field.
        field: &'static str,
        /// What was typed.
        value: String,
        /// What may be typed.
        valid: String,
    },
    /// A field without a value.
    #[error("{0}: needs a value")]
    Empty(String),
}

/// All of these must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The conditions.
    pub conditions: Vec<Condition>,
}

impl Filter {
    /// Reads what a person typed; see the module's text.
    pub fn parse(typed: &str) -> Result<Self, FilterError> {
        let conditions = typed
            .split_whitespace()
            .map(parse_word)
            .collect::<Result<_, _>>()?;
        Ok(Self { conditions })
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }
}

fn parse_word(word: &str) -> Result<Condition, FilterError> {
    for (sign, comparison) in [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        (">", Comparison::AtLeast),
        ("<", Comparison::AtMost),
    ] {
        if let Some(("amount", value)) = word.split_once(sign) {
            return Ok(Condition::Amount(comparison, parse_amount(value)?));
        }
    }
    let Some((field, value)) = word.split_once(':') else {
        return Ok(Condition::Text(word.to_owned()));
    };
    if value.is_empty() {
        return Err(FilterError::Empty(field.to_owned()));
    }
    match field {
        "status" | "state" => value
            .split(',')
            .map(|name| known("status", name, &states()))
            .collect::<Result<_, _>>()
            .map(Condition::Status),
        "plan" => Ok(Condition::Plan(value.to_owned())),
        "days" => parse_days(value)
            .map(|(from, to)| Condition::Days(from, to))
            .ok_or_else(|| FilterError::NotDays(value.to_owned())),
        "card" | "method" => Ok(Condition::Card(value.to_owned())),
        "provider" => {
            let names = ProviderName::ALL.map(ProviderName::as_str);
            let name = known("provider", &value.to_ascii_lowercase(), &names)?;
            ProviderName::parse(&name)
                .map(Condition::Provider)
                .ok_or(FilterError::UnknownField(name))
        }
        "code" => Ok(Condition::Code(value.to_ascii_uppercase())),
        "class" => known("class", value, &FailureClass::ALL.map(FailureClass::as_str))
            .map(Condition::Class),
        "amount" => Ok(Condition::Amount(Comparison::Is, parse_amount(value)?)),
        "by" => Ok(Condition::By(value.to_owned())),
        _ => Err(FilterError::UnknownField(field.to_owned())),
    }
}

/// `2026-11-01..2026-11-30`, both included; one day alone is the stretch of that day.
pub fn parse_days(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// A typing mistake must not read as "there are none".
fn known(field: &'static str, name: &str, valid: &[&str]) -> Result<String, FilterError> {
    if valid.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(FilterError::UnknownValue {
        field,
        value: name.to_owned(),
        valid: valid.join(", "),
    })
}

/// Every name that some list keeps rows by: stored states, the standing of payments and plans, and
/// how an act ended.
fn states() -> Vec<&'static str> {
    const STANDING: [&str; 7] = [
        "captured",
        "refunded",
        "partial",
        "full",
        "reserved",
        "duplicate",
        "inactive",
    ];
    const RESULTS: [&str; 10] = [
        "done",
        "intent",
        "refused",
        "denied",
        "stale",
        "failed",
        "declined",
        "not_sent",
        "abandoned",
        "contradiction",
    ];
    let mut names: Vec<&str> = Vec::new();
    names.extend(SubscriptionState::ALL.iter().map(|state| state.as_str()));
    names.extend(InvoiceState::ALL.iter().map(|state| state.as_str()));
    names.extend(DunningState::ALL.iter().map(|state| state.as_str()));
    names.extend(AttemptState::ALL.iter().map(|state| state.as_str()));
    names.extend(RunState::ALL.iter().map(|state| state.as_str()));
    names.extend(Decision::ALL.iter().map(|decision| decision.as_str()));
    names.extend(InboxState::ALL.iter().map(|state| state.as_str()));
    names.extend(STANDING);
    names.extend(RESULTS);
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    names
}

fn parse_amount(text: &str) -> Result<i64, FilterError> {
    text.replace(',', "")
        .parse()
        .map_err(|_| FilterError::NotAnAmount(text.to_owned()))
}

/// Which column a list is ordered by. The row id is always the second key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// The list's own time: created, captured, failed since, due.
    Time,
    /// The amount.
    Amount,
    /// The customer's name.
    Name,
    /// The state.
    State,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where a page ends and the next begins: the sort key and the row id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Sort key, when it is a number or an instant in microseconds.
    pub number: i64,
    /// Sort key, when it is a text.
    pub text: String,
    /// Row id.
    pub id: i64,
}

/// Which way a page lies from its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// The rows after it in the list's order.
    Later,
    /// The rows before it, given in the list's order.
    Earlier,
}

/// Whether the rows that a list keeps are counted. Only a first page ever is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counting {
    /// With the first page.
    #[default]
    Along,
    /// Later, by a question of its own, so that rows need not wait for it.
    Later,
    /// This is that question: no rows.
    Alone,
}

/// What a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Which rows.
    pub filter: Filter,
    /// By which column; none for the list's own order.
    pub sort: Option<(SortBy, Order)>,
    /// From where; none for the first page.
    pub cursor: Option<Cursor>,
    /// From this row on, wherever the order puts it; the cursor goes before. A row that is not among
    /// those kept is as none.
    pub at: Option<i64>,
    /// Which way from there.
    pub toward: Toward,
    /// How many rows at most.
    pub limit: u32,
    /// Whether they are counted.
    pub counting: Counting,
    /// The list's own time at or after this.
    pub from: Option<DateTime<Utc>>,
    /// The list's own time before this.
    pub to: Option<DateTime<Utc>>,
    /// Only rows of this customer.
    pub customer: Option<i64>,
}

impl ListQuery {
    /// The first `limit` rows of everything.
    pub fn first(limit: u32) -> Self {
        Self {
            filter: Filter::default(),
            sort: None,
            cursor: None,
            at: None,
            toward: Toward::Later,
            limit,
            counting: Counting::Along,
            from: None,
            to: None,
            customer: None,
        }
    }
}

/// A window of rows.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub rows: Vec<T>,
    /// Each row's own cursor, beside it.
    pub cursors: Vec<Cursor>,
    /// Whether rows follow in the direction asked for.
    pub has_more: bool,
    /// How many rows the filter keeps in all; none when counting would be slow, and none on pages
    /// behind a cursor: the first page's number still holds.
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// No rows, only how many there are.
    pub const fn counted(total: Option<u64>) -> Self {
        Self {
            rows: Vec::new(),
            cursors: Vec::new(),
            has_more: false,
            total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_fields_are_read() {
        let filter = Filter::parse("status:past_due,unpaid plan:pro amount>9,900 서현").unwrap();
        assert_eq!(
            filter.conditions,
            [
                Condition::Status(vec!["past_due".into(), "unpaid".into()]),
                Condition::Plan("pro".into()),
                Condition::Amount(Comparison::AtLeast, 9_900),
                Condition::Text("서현".into()),
            ]
        );
    }

    #[test]
    fn a_plan_may_be_meant_exactly_and_days_are_two_dates() {
        let day = |text: &str| text.parse().unwrap();
        assert_eq!(
            Filter::parse("plan:=pro days:2026-11-01..2026-11-30")
                .unwrap()
                .conditions,
            [
                Condition::Plan("=pro".into()),
                Condition::Days(day("2026-11-01"), day("2026-11-30")),
            ]
        );
        assert_eq!(
            Filter::parse("days:yesterday"),
            Err(FilterError::NotDays("yesterday".into()))
        );
    }

    #[test]
    fn n03_rows_are_kept_by_their_provider() {
        assert_eq!(
            Filter::parse("provider:Stripe").unwrap().conditions,
            [Condition::Provider(ProviderName::Stripe)]
        );
        let error = Filter::parse("provider:paypal").unwrap_err();
        assert!(error.to_string().contains("toss, stripe"), "{error}");
    }

    #[test]
    fn an_unknown_field_is_named() {
        assert_eq!(
            Filter::parse("colour:red"),
            Err(FilterError::UnknownField("colour".into()))
        );
        assert_eq!(
            Filter::parse("plan:"),
            Err(FilterError::Empty("plan".into()))
        );
        assert!(Filter::parse("amount:lots").is_err());
    }

    #[test]
    fn an_unknown_state_or_class_is_an_error_that_names_the_known_ones() {
        for (typed, known) in [("status:zzz", "past_due"), ("class:weak", "soft")] {
            let Err(error) = Filter::parse(typed) else {
                panic!("{typed} was taken");
            };
            assert!(error.to_string().contains(known), "{error}");
        }
        assert!(Filter::parse("status:past_due,zzz").is_err());
        assert!(Filter::parse("status:paid,finished,declined,inactive,done class:hard").is_ok());
    }
}
