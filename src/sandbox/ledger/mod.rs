//! The simulated provider's books: pure rules over what is in memory, with types of its own.
//!
//! No HTTP, no SQL, no clock. Time, switches and identifiers come in through [`Context`]; what a rule
//! changed is noted in the [`Book`] and written down by `persist` before anybody hears of it.

mod book;
mod cancel;
mod card;
mod charge;
mod checkout;
mod keys;
mod payment;
mod refusal;
#[cfg(test)]
mod tests;

pub(super) use book::{AuthKey, Book, Change, Notice};
pub(super) use cancel::{CancelRequest, cancel};
pub use card::{Behaviour, CardDraft};
pub(super) use card::{Card, CardFace};
pub(super) use charge::{ChargeRequest, charge};
pub(super) use checkout::{ConfirmRequest, confirm, is_session_over, open_checkout};
pub(super) use keys::{
    IssueRequest, card_of_plain_number, delete_key, issue, issue_directly, register,
};
pub(super) use payment::{Cancel, Kind, Payment, Status};
pub(super) use refusal::Refusal;

use chrono::{DateTime, Utc};

use super::codes::Codes;
use super::ids::Ids;
use super::switches::Switches;

/// What a rule may ask for besides the book.
pub(super) struct Context<'a> {
    pub now: DateTime<Utc>,
    pub switches: &'a Switches,
    pub ids: &'a mut Ids,
    pub merchant_id: &'a str,
    pub codes: &'a Codes,
    /// A refusal that a fault script or a test code asks for at the stage where the card would be asked.
    pub forced: Option<Refusal>,
}
