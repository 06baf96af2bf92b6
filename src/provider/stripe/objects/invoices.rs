//! Invoices of subscriptions that Stripe runs. To pay one is the "try again" of such a subscription.

use chrono::{DateTime, Utc};

use crate::domain::money::Money;
use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::codes::CallKind;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::request::Asked;
use crate::provider::stripe::wire;

use super::call::{Page, Read, maybe_instant, money, name_of};
use super::error::StripeError;

/// Where an invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvoiceStatus {
    /// Not final.
    Draft,
    /// To be paid.
    Open,
    /// Paid, here or elsewhere.
    Paid,
    /// Given up; it may still be paid.
    Uncollectible,
    /// Void.
    Void,
    /// A word we do not know.
    Other,
}

impl InvoiceStatus {
    const ALL: [Self; 5] = [
        Self::Draft,
        Self::Open,
        Self::Paid,
        Self::Uncollectible,
        Self::Void,
    ];

    /// Stripe's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Uncollectible => "uncollectible",
            Self::Void => "void",
            Self::Other => "other",
        }
    }

    fn parse(word: &str) -> Self {
        let mut known = Self::ALL.into_iter();
        known
            .find(|status| status.as_str() == word)
            .unwrap_or(Self::Other)
    }
}

/// An invoice as Stripe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// `in_…`.
    pub id: String,
    /// What the customer reads, once it is final.
    pub number: Option<String>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// `cus_…`.
    pub customer: Option<String>,
    /// `sub_…`; none for one that no subscription made.
    pub subscription: Option<String>,
    /// What was to be paid.
    pub due: Money,
    /// What was paid.
    pub paid: Money,
    /// What is left.
    pub left: Money,
    /// The first try and Stripe's own; what a person tried is not counted.
    pub attempts: u32,
    /// When Stripe tries next.
    pub next_attempt: Option<DateTime<Utc>>,
    /// Why it was made, in Stripe's word.
    pub billing_reason: String,
    /// The period it names. For a renewal that is the one before what its lines are for.
    pub period: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// When it was voided.
    pub voided_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub given_up_at: Option<DateTime<Utc>>,
    /// `pi_…` that pay it; told by lists that are about one subscription.
    pub intents: Vec<String>,
    /// Whether there are more of them than it tells.
    pub has_more_intents: bool,
}

impl Read for Invoice {
    type Wire = wire::Invoice;

    fn livemode(wire: &wire::Invoice) -> Option<bool> {
        Some(wire.livemode)
    }

    fn read(wire: wire::Invoice) -> Option<Self> {
        let moved = wire.status_transitions.as_ref();
        let has_more_intents = wire.payments.as_ref().is_some_and(|list| list.has_more);
        let payments = wire.payments.iter().flat_map(|list| &list.data);
        let intents = payments
            .filter_map(|one| name_of(one.payment.as_ref()?.payment_intent.as_ref()))
            .collect();
        Some(Self {
            subscription: wire.subscription_id().map(ToOwned::to_owned),
            customer: name_of(wire.customer.as_ref()),
            status: wire
                .status
                .as_deref()
                .map_or(InvoiceStatus::Draft, InvoiceStatus::parse),
            due: money(wire.amount_due, &wire.currency)?,
            paid: money(wire.amount_paid, &wire.currency)?,
            left: money(wire.amount_remaining, &wire.currency)?,
            attempts: wire.attempt_count.unwrap_or(0),
            next_attempt: maybe_instant(wire.next_payment_attempt),
            period: (
                maybe_instant(wire.period_start),
                maybe_instant(wire.period_end),
            ),
            created: wire::instant(wire.created)?,
            paid_at: maybe_instant(moved.and_then(|m| m.paid_at)),
            voided_at: maybe_instant(moved.and_then(|m| m.voided_at)),
            given_up_at: maybe_instant(moved.and_then(|m| m.marked_uncollectible_at)),
            billing_reason: wire.billing_reason.unwrap_or_default(),
            number: wire.number,
            intents,
            has_more_intents,
            // A preview has no name, and is no invoice.
            id: wire.id?,
        })
    }
}

/// Which invoices are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct InvoiceFilter<'a> {
    /// `cus_…`.
    pub customer: Option<&'a str>,
    /// `sub_…`.
    pub subscription: Option<&'a str>,
    /// Where they stand.
    pub status: Option<InvoiceStatus>,
}

/// What an invoice is paid with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayWith<'a> {
    /// The subscription's card, or the customer's.
    Default,
    /// This card.
    Card(&'a str),
    /// Nothing is charged: it was paid elsewhere.
    OutOfBand,
}

const PATH: &str = "invoices";

impl StripeClient {
    /// Asks for one.
    pub async fn invoice(&self, invoice: &str) -> Result<Invoice, StripeError> {
        self.one("read invoice", &[PATH, invoice]).await
    }

    /// A page of the invoices.
    pub async fn invoices(
        &self,
        filter: InvoiceFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Invoice>, StripeError> {
        let query = Form::new()
            .maybe(&["customer"], filter.customer)
            .maybe(&["subscription"], filter.subscription)
            .maybe(&["status"], filter.status.map(InvoiceStatus::as_str));
        self.list("list invoices", &[PATH], query, after, limit)
            .await
    }

    /// A page of a subscription's invoices, with the intents that pay them.
    pub async fn invoices_with_payments(
        &self,
        subscription: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Invoice>, StripeError> {
        let query = Form::new()
            .text(&["subscription"], subscription)
            .list("expand", &["data.payments"]);
        self.list("list invoices", &[PATH], query, after, limit)
            .await
    }

    /// Pays an open invoice: it may charge a card. After [`StripeError::Unknown`] the invoice is read before
    /// anything else; one that is paid is paid once, whatever is sent.
    pub async fn pay_invoice(
        &self,
        idem_key: &str,
        invoice: &str,
        with: PayWith<'_>,
    ) -> Result<Invoice, StripeError> {
        let body = match with {
            PayWith::Default => Form::new(),
            PayWith::Card(method) => Form::new().text(&["payment_method"], method),
            PayWith::OutOfBand => Form::new().text(&["paid_out_of_band"], "true"),
        };
        let asked = Asked::post(&[PATH, invoice, "pay"], Some(idem_key), body);
        self.object("pay invoice", CallKind::Charge, asked).await
    }

    /// Voids an invoice that is open or was given up, for good.
    pub async fn void_invoice(
        &self,
        idem_key: &str,
        invoice: &str,
    ) -> Result<Invoice, StripeError> {
        self.change(
            "void invoice",
            &[PATH, invoice, "void"],
            idem_key,
            Form::new(),
        )
        .await
    }

    /// Gives an open invoice up. It may still be paid or voided.
    pub async fn mark_invoice_uncollectible(
        &self,
        idem_key: &str,
        invoice: &str,
    ) -> Result<Invoice, StripeError> {
        let path = [PATH, invoice, "mark_uncollectible"];
        self.change("give invoice up", &path, idem_key, Form::new())
            .await
    }
}
