//! Cards: taking one in for a customer, and letting it go.
//!
//! What is handed back is opaque to everybody else: customer and card in one secret. Card numbers never
//! pass here; the browser gave them to Stripe.

use crate::domain::customer;
use crate::domain::evidence::{Proves, Unusable};
use crate::engine::ports::{DeleteOutcome, IssueOutcome, RegisterCall};
use crate::provider::http::Exchange;
use crate::secret::Secret;

use super::client::StripeClient;
use super::codes::CallKind;
use super::map::{self, NotOk};
use super::request::{self, Asked, Credential, Unsendable};
use super::wire;

impl StripeClient {
    /// Makes the customer, if there is none yet, and attaches the card. Each is asked once.
    pub(super) async fn register_once(&self, call: RegisterCall<'_>) -> IssueOutcome {
        let customer = match call.provider_customer {
            Some(customer) => customer.to_owned(),
            None => match self.make_customer(call.customer_key).await {
                Ok(customer) => customer,
                Err(not_made) => return not_made,
            },
        };
        let asked = request::attach(call.auth_key.expose(), &customer);
        let exchange = match self.ask(asked).await {
            Ok(exchange) => exchange,
            Err(why) => return IssueOutcome::Refused(why.refusal()),
        };
        let attached = map::ok_body(&exchange, CallKind::Register)
            .and_then(|body| self.attached(body, &customer).map_err(NotOk::Unusable));
        match attached {
            Ok((billing_key, card)) => IssueOutcome::Issued {
                billing_key,
                card,
                provider_customer: Some(customer),
            },
            Err(not_ok) => not_issued(not_ok),
        }
    }

    async fn make_customer(&self, customer_key: &str) -> Result<String, IssueOutcome> {
        let asked = request::new_customer(customer_key);
        let exchange = self
            .ask(asked)
            .await
            .map_err(|why| IssueOutcome::Refused(why.refusal()))?;
        let unreadable = || IssueOutcome::Unusable(Unusable::Unreadable);
        let body = map::ok_body(&exchange, CallKind::Register).map_err(not_issued)?;
        let customer: wire::Customer = serde_json::from_slice(body).map_err(|_| unreadable())?;
        if customer.livemode.is_some_and(|live| live != self.is_live())
            || wire::note(&customer.metadata, "customer_key") != Some(customer_key)
        {
            return Err(IssueOutcome::Unusable(Unusable::Mismatch));
        }
        if request::is_id(&customer.id) {
            Ok(customer.id)
        } else {
            Err(unreadable())
        }
    }

    fn attached(&self, body: &[u8], customer: &str) -> Result<(Secret, customer::Card), Unusable> {
        let method: wire::PaymentMethod =
            serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)?;
        if !request::is_id(&method.id) {
            return Err(Unusable::Unreadable);
        }
        let is_theirs = wire::id_of(method.customer.as_ref()) == Some(customer);
        if !is_theirs || method.livemode != self.is_live() {
            return Err(Unusable::Mismatch);
        }
        let card = method.card.map(card).unwrap_or_default();
        Ok((Credential::seal(customer, &method.id), card))
    }

    /// Detaches the card. One that was detached before is gone as well: that is asked, because the refusal
    /// says it in words only.
    pub(super) async fn detach_once(&self, billing_key: &Secret) -> DeleteOutcome {
        let method = match Credential::read(billing_key) {
            Ok(who) => who.method,
            Err(why) => return DeleteOutcome::Refused(why.refusal()),
        };
        let exchange = match self.ask(request::detach(method)).await {
            Ok(exchange) => exchange,
            Err(why) => return DeleteOutcome::Refused(why.refusal()),
        };
        match map::ok_body(&exchange, CallKind::Detach) {
            Ok(body) if is_detached(body, method) => DeleteOutcome::Deleted,
            Err(NotOk::Refused(refusal)) if refusal.http_status == 400 => {
                if self.is_gone(method).await {
                    DeleteOutcome::Deleted
                } else {
                    DeleteOutcome::Refused(refusal)
                }
            }
            Err(NotOk::Refused(refusal)) if refusal.proves != Proves::Nothing => {
                DeleteOutcome::Refused(refusal)
            }
            Ok(_) | Err(_) => DeleteOutcome::Unanswered,
        }
    }

    async fn is_gone(&self, method: &str) -> bool {
        let Ok(exchange) = self.ask(request::method(method)).await else {
            return false;
        };
        map::ok_body(&exchange, CallKind::LookUp).is_ok_and(|body| is_detached(body, method))
    }

    async fn ask(&self, asked: Result<Asked, Unsendable>) -> Result<Exchange, Unsendable> {
        self.send(asked?).await
    }
}

fn is_detached(body: &[u8], method: &str) -> bool {
    serde_json::from_slice::<wire::PaymentMethod>(body)
        .is_ok_and(|found| found.id == method && found.customer.is_none())
}

fn not_issued(not_ok: NotOk) -> IssueOutcome {
    match not_ok {
        NotOk::Refused(refusal) => IssueOutcome::Refused(refusal),
        NotOk::NotSent => IssueOutcome::NotSent,
        NotOk::Unusable(why) => IssueOutcome::Unusable(why),
        NotOk::NotFound | NotOk::Throttled { .. } | NotOk::Busy => {
            IssueOutcome::Unusable(Unusable::ServerError)
        }
    }
}

/// The card as far as Stripe shows it: brand and last four digits.
pub(super) fn card(card: wire::Card) -> customer::Card {
    let is_last4 = |text: &String| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    let kind = match card.funding.as_deref() {
        Some("credit") => "credit",
        Some("debit") => "debit",
        // A card that money was put on beforehand is what others call a gift card.
        Some("prepaid") => "gift",
        _ => "",
    };
    customer::Card {
        issuer: card.brand.unwrap_or_default(),
        number: card
            .last4
            .filter(is_last4)
            .map(|last4| format!("************{last4}"))
            .unwrap_or_default(),
        kind: kind.to_owned(),
        expiry: card.exp_year.zip(card.exp_month),
    }
}
