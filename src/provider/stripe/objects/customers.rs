//! Stripe's customers.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::wire;

use super::call::{Read, maybe_instant, name_of};
use super::error::StripeError;

/// A customer to be made.
#[derive(Clone, Copy, Default)]
pub struct NewCustomer<'a> {
    /// Our name for the customer.
    pub customer_key: &'a str,
    /// Full name, where Stripe is to have it.
    pub name: Option<&'a str>,
    /// E-mail address, where Stripe is to have it.
    pub email: Option<&'a str>,
}

/// What changes; what is none stays.
#[derive(Clone, Copy, Default)]
pub struct CustomerChange<'a> {
    /// Full name.
    pub name: Option<&'a str>,
    /// E-mail address.
    pub email: Option<&'a str>,
    /// The card that Stripe's own invoices are paid with.
    pub default_payment_method: Option<&'a str>,
}

/// A customer as Stripe shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Customer {
    /// `cus_…`.
    pub id: String,
    /// Deleted: nothing can be charged to it any more.
    pub is_deleted: bool,
    /// Our name, where we noted it.
    pub customer_key: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// The currency its subscriptions are in, once it has one.
    pub currency: Option<String>,
    /// Whether an invoice is past due.
    pub is_delinquent: bool,
    /// The card that Stripe's own invoices are paid with.
    pub default_payment_method: Option<String>,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Customer({})", self.id)
    }
}

impl Read for Customer {
    type Wire = wire::Customer;

    fn livemode(wire: &wire::Customer) -> Option<bool> {
        wire.livemode
    }

    fn read(wire: wire::Customer) -> Option<Self> {
        if wire.object != "customer" {
            return None;
        }
        let settings = wire.invoice_settings.as_ref();
        let default = settings.and_then(|s| s.default_payment_method.as_ref());
        Some(Self {
            default_payment_method: name_of(default),
            customer_key: wire::note(&wire.metadata, "customer_key").map(ToOwned::to_owned),
            id: wire.id,
            is_deleted: wire.deleted,
            name: wire.name,
            email: wire.email,
            currency: wire.currency,
            is_delinquent: wire.delinquent.unwrap_or(false),
            created: maybe_instant(wire.created),
        })
    }
}

impl StripeClient {
    /// Makes a customer.
    pub async fn create_customer(
        &self,
        idem_key: &str,
        new: NewCustomer<'_>,
    ) -> Result<Customer, StripeError> {
        let body = Form::new()
            .text(&["metadata", "customer_key"], new.customer_key)
            .maybe(&["name"], new.name)
            .maybe(&["email"], new.email);
        self.change("create customer", &["customers"], idem_key, body)
            .await
    }

    /// Changes one.
    pub async fn update_customer(
        &self,
        idem_key: &str,
        customer: &str,
        change: CustomerChange<'_>,
    ) -> Result<Customer, StripeError> {
        let body = Form::new()
            .maybe(&["name"], change.name)
            .maybe(&["email"], change.email)
            .maybe(
                &["invoice_settings", "default_payment_method"],
                change.default_payment_method,
            );
        self.change("update customer", &["customers", customer], idem_key, body)
            .await
    }

    /// Asks for one. One that was deleted is still told.
    pub async fn customer(&self, customer: &str) -> Result<Customer, StripeError> {
        self.one("read customer", &["customers", customer]).await
    }
}
