//! What stands in the JSON of Stripe, as far as we read it.
//!
//! Lenient on purpose: unknown fields are ignored and every enumeration is an open text, because Stripe
//! adds both without notice. What an object cannot do without is required. Nothing here is printable: a
//! body may hold a customer's data.

mod billing;
mod customer;
mod money;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

pub(super) use billing::*;
pub(super) use customer::*;
pub(super) use money::*;

/// What we or others noted on an object.
pub(super) type Metadata = Option<BTreeMap<String, String>>;

/// The value of one note.
pub(super) fn note<'m>(metadata: &'m Metadata, key: &str) -> Option<&'m str> {
    metadata.as_ref()?.get(key).map(String::as_str)
}

/// An id, or the object itself where it was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

impl<T: Named> Expandable<T> {
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id(),
        }
    }
}

impl<T> Expandable<T> {
    pub fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

/// The id behind a field that may be missing, an id or an object.
pub(super) fn id_of<T: Named>(field: Option<&Expandable<T>>) -> Option<&str> {
    field.map(Expandable::id)
}

/// An object that has an id.
pub(super) trait Named {
    fn id(&self) -> &str;
}

/// An object of which we read nothing but its id.
#[derive(Deserialize)]
pub(super) struct Ref {
    pub id: String,
}

impl Named for Ref {
    fn id(&self) -> &str {
        &self.id
    }
}

/// A page of a list, newest first.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub data: Vec<T>,
    pub has_more: bool,
}

/// The body of an error.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub error: Fault,
}

/// Why something failed: the words of an error, or of an intent's last failure. Its message is
/// translated, changes, and is never read.
#[derive(Deserialize)]
pub(super) struct Fault {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
    pub advice_code: Option<String>,
    /// Which part of the request it is about.
    pub param: Option<String>,
    /// Kept as it came: an intent that we cannot read must not hide the code beside it.
    pub payment_intent: Option<serde_json::Value>,
}

/// Unix seconds.
pub(super) fn instant(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_an_id_or_the_object_itself() {
        let read = |text| serde_json::from_str::<Expandable<Ref>>(text).expect("a field");
        assert_eq!(read(r#""ch_1""#).id(), "ch_1");
        assert_eq!(read(r#"{"id":"ch_1","object":"charge"}"#).id(), "ch_1");
        assert!(read(r#""ch_1""#).object().is_none());
    }

    #[test]
    fn errors_leave_fields_out_and_objects_write_null() {
        let error: ErrorBody =
            serde_json::from_str(r#"{"error":{"type":"card_error","param":"","doc_url":"x"}}"#)
                .expect("an error");
        assert_eq!(error.error.kind.as_deref(), Some("card_error"));
        assert!(error.error.code.is_none());
    }
}
