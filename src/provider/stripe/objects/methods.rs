//! The cards of Stripe's customers.

use chrono::{DateTime, Utc};

use crate::domain::customer::Card;
use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::codes::CallKind;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::request;
use crate::provider::stripe::{register, wire};

use super::call::{Page, Read, maybe_instant, name_of};
use super::customers::{Customer, CustomerChange};
use super::error::StripeError;

/// A card as Stripe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// `pm_…`.
    pub id: String,
    /// `card` or another type.
    pub kind: String,
    /// Whose it is; none once it is detached.
    pub customer: Option<String>,
    /// Brand, last digits and expiry.
    pub card: Card,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
}

impl Read for PaymentMethod {
    type Wire = wire::PaymentMethod;

    fn livemode(wire: &wire::PaymentMethod) -> Option<bool> {
        Some(wire.livemode)
    }

    fn read(wire: wire::PaymentMethod) -> Option<Self> {
        Some(Self {
            customer: name_of(wire.customer.as_ref()),
            id: wire.id,
            kind: wire.kind.unwrap_or_default(),
            card: wire.card.map(register::card).unwrap_or_default(),
            created: maybe_instant(wire.created),
        })
    }
}

impl StripeClient {
    /// A customer's cards.
    pub async fn payment_methods(
        &self,
        customer: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<PaymentMethod>, StripeError> {
        let query = Form::new()
            .text(&["customer"], customer)
            .text(&["type"], "card");
        self.list("list cards", &["payment_methods"], query, after, limit)
            .await
    }

    /// Attaches a card to a customer. A card that is declined cannot be attached.
    pub async fn attach_payment_method(
        &self,
        method: &str,
        customer: &str,
    ) -> Result<PaymentMethod, StripeError> {
        const OPERATION: &str = "attach card";
        let asked = request::attach(method, customer)
            .map_err(|why| StripeError::unsendable(OPERATION, why))?;
        self.object(OPERATION, CallKind::Register, asked).await
    }

    /// Detaches a card: it can never be charged again.
    pub async fn detach_payment_method(&self, method: &str) -> Result<PaymentMethod, StripeError> {
        const OPERATION: &str = "detach card";
        let asked =
            request::detach(method).map_err(|why| StripeError::unsendable(OPERATION, why))?;
        self.object(OPERATION, CallKind::Detach, asked).await
    }

    /// Makes a card the one that Stripe's own invoices are paid with.
    pub async fn set_default_payment_method(
        &self,
        idem_key: &str,
        customer: &str,
        method: &str,
    ) -> Result<Customer, StripeError> {
        let change = CustomerChange {
            default_payment_method: Some(method),
            ..CustomerChange::default()
        };
        self.update_customer(idem_key, customer, change).await
    }
}
