//! Customers and their payment methods.

use serde::Deserialize;

use super::{Expandable, Metadata, Ref};

/// A customer.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Customer {
    pub id: String,
    pub object: String,
    #[serde(default)]
    pub deleted: bool,
    pub livemode: Option<bool>,
    pub email: Option<String>,
    pub name: Option<String>,
    pub currency: Option<String>,
    pub delinquent: Option<bool>,
    pub created: Option<i64>,
    pub metadata: Metadata,
    pub invoice_settings: Option<InvoiceSettings>,
}

/// What a customer's invoices are paid with.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct InvoiceSettings {
    pub default_payment_method: Option<Expandable<Ref>>,
}

/// A way to pay.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct PaymentMethod {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub livemode: bool,
    pub customer: Option<Expandable<Ref>>,
    pub card: Option<Card>,
    pub created: Option<i64>,
}

/// The card behind it.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Card {
    pub brand: Option<String>,
    pub last4: Option<String>,
    pub exp_month: Option<u32>,
    pub exp_year: Option<i32>,
    pub funding: Option<String>,
}
