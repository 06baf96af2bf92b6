//! Whose books a key opens. A client that is told to ask does so before its first call, and makes none where the account is
//! another than the one that the books are of.
//!
//! It writes nothing down; who pins the account is the engine.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::provider::http::{Exchange, Trouble};

use super::client::StripeClient;
use super::codes::CallKind;
use super::map::{self, NotOk};
use super::request::{self, Unsendable, is_id};

/// What is known of the account behind the key.
#[derive(Debug, Clone)]
pub(super) struct Known {
    expected: Option<String>,
    /// What Stripe says; none where the key may not ask.
    said: Arc<OnceCell<Option<String>>>,
}

/// Why the account is not known.
pub(super) enum Unproved {
    /// No call is made with this key.
    Other,
    /// It was not said. This is what was heard instead; nothing else was sent.
    Unanswered(Exchange),
}

#[derive(Deserialize)]
struct Account {
    id: String,
}

impl StripeClient {
    /// The same client, which asks for the account behind its key before its first call, and makes no call where that is
    /// not `expected`.
    #[must_use]
    pub fn with_account(mut self, expected: Option<String>) -> Self {
        self.known = Some(Known {
            expected,
            said: Arc::default(),
        });
        self
    }

    /// The account behind the key, once Stripe has said it.
    pub(super) fn account_said(&self) -> Option<String> {
        self.known.as_ref()?.said.get()?.clone()
    }

    /// Whether calls may be made with this key.
    pub(super) async fn prove_account(&self) -> Result<(), Unproved> {
        let Some(known) = &self.known else {
            return Ok(());
        };
        let said = known.said.get_or_try_init(|| self.ask_account()).await?;
        match (&known.expected, said) {
            (None, _) => Ok(()),
            (Some(expected), Some(said)) if expected == said => Ok(()),
            (Some(_), _) => Err(Unproved::Other),
        }
    }

    async fn ask_account(&self) -> Result<Option<String>, Unproved> {
        let exchange = self.exchange(request::account()).await;
        let exchange = exchange.unwrap_or_else(|_| unasked());
        let account = map::ok_body(&exchange, CallKind::LookUp)
            .map(|body| serde_json::from_slice::<Account>(body).map(|account| account.id));
        match account {
            Ok(Ok(id)) if is_id(&id) => Ok(Some(id)),
            // A restricted key may charge and not ask.
            Err(NotOk::Refused(refusal)) if refusal.http_status == 403 => Ok(None),
            // That the key is refused is true of every call.
            Err(NotOk::Refused(refusal)) if refusal.http_status == 401 => {
                Err(Unproved::Unanswered(exchange))
            }
            Ok(_) | Err(_) => Err(Unproved::Unanswered(unasked())),
        }
    }
}

/// Nothing else has left.
const fn unasked() -> Exchange {
    Exchange::without_answer(Trouble::NotSent, 0)
}

impl From<Unproved> for Result<Exchange, Unsendable> {
    fn from(why: Unproved) -> Self {
        match why {
            Unproved::Other => Err(Unsendable::OtherAccount),
            Unproved::Unanswered(exchange) => Ok(exchange),
        }
    }
}
