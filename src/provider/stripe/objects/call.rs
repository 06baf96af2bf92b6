//! One request about an object, and its answer read.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::domain::evidence::Unusable;
use crate::domain::money::Money;
use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::codes::CallKind;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::map::{self, NotOk};
use crate::provider::stripe::request::{Asked, PAGE};
use crate::provider::stripe::{amount, wire};

use super::error::StripeError;

/// A part of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether there are older ones: ask again after the last row's name.
    pub has_more: bool,
}

/// An object as it is read from its wire form.
pub(super) trait Read: Sized {
    type Wire: DeserializeOwned;

    /// None where it cannot be read.
    fn read(wire: Self::Wire) -> Option<Self>;

    /// Whether it is of live mode, where it says so.
    fn livemode(wire: &Self::Wire) -> Option<bool>;
}

impl StripeClient {
    /// Asks for one object.
    pub(super) async fn one<T: Read>(
        &self,
        operation: &'static str,
        segments: &[&str],
    ) -> Result<T, StripeError> {
        let asked = Asked::get(segments, Form::new());
        self.object(operation, CallKind::LookUp, asked).await
    }

    /// Changes or makes one object, under the caller's key.
    pub(super) async fn change<T: Read>(
        &self,
        operation: &'static str,
        segments: &[&str],
        idem_key: &str,
        body: Form,
    ) -> Result<T, StripeError> {
        let asked = Asked::post(segments, Some(idem_key), body);
        self.object(operation, CallKind::Change, asked).await
    }

    pub(super) async fn object<T: Read>(
        &self,
        operation: &'static str,
        call: CallKind,
        asked: Asked,
    ) -> Result<T, StripeError> {
        let wire: T::Wire = self.answer(operation, call, asked).await?;
        self.read(operation, wire)
    }

    /// A page of a list, `after` a row and of at most `limit` rows.
    pub(super) async fn list<T: Read>(
        &self,
        operation: &'static str,
        segments: &[&str],
        query: Form,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<T>, StripeError> {
        let query = query
            .number(&["limit"], i64::from(limit).clamp(1, PAGE))
            .maybe(&["starting_after"], after);
        let asked = Asked::get(segments, query);
        let page: wire::List<T::Wire> = self.answer(operation, CallKind::LookUp, asked).await?;
        // One row that cannot be read spoils the page: left out, it would be passed over for ever.
        let items: Result<Vec<T>, _> = page
            .data
            .into_iter()
            .map(|wire| self.read(operation, wire))
            .collect();
        Ok(Page {
            items: items?,
            has_more: page.has_more,
        })
    }

    fn read<T: Read>(&self, operation: &'static str, wire: T::Wire) -> Result<T, StripeError> {
        let unknown = |why| StripeError::Unknown { operation, why };
        if T::livemode(&wire).is_some_and(|live| live != self.is_live()) {
            return Err(unknown(Unusable::Mismatch));
        }
        T::read(wire).ok_or_else(|| unknown(Unusable::Unreadable))
    }

    pub(super) async fn answer<W: DeserializeOwned>(
        &self,
        operation: &'static str,
        call: CallKind,
        asked: Asked,
    ) -> Result<W, StripeError> {
        let exchange = self
            .send(asked)
            .await
            .map_err(|why| StripeError::unsendable(operation, why))?;
        let unreadable = |_| NotOk::Unusable(Unusable::Unreadable);
        map::ok_body(&exchange, call)
            .and_then(|body| serde_json::from_slice(body).map_err(unreadable))
            .map_err(|not_ok| StripeError::of(operation, not_ok))
    }
}

/// A field that is an instant or nothing; one that cannot be is nothing.
pub(super) fn maybe_instant(seconds: Option<i64>) -> Option<DateTime<Utc>> {
    seconds.and_then(wire::instant)
}

/// An amount with its currency.
pub(super) fn money(wire_amount: i64, currency: &str) -> Option<Money> {
    amount::read(wire_amount, currency)
}

/// The name behind a field.
pub(super) fn name_of<T: wire::Named>(field: Option<&wire::Expandable<T>>) -> Option<String> {
    wire::id_of(field).map(ToOwned::to_owned)
}
