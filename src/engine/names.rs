//! What invoices and charges are called before they are written: a plan says the names that will be sent, and the same
//! obligation has the same name whoever writes it and however often.

use chrono::{DateTime, Utc};

use crate::domain::attempt::AttemptKind;
use crate::domain::ids::{Noun, PublicId};
use crate::domain::mode::ProviderName;
use crate::domain::period::{Period, day_start};
use crate::domain::subscription::Subscription;

use super::Engine;
use super::action::PlannedCall;
use super::ports::Store;

impl<S: Store> Engine<S> {
    /// The id of an invoice that is yet to be written, so that its plan can say the order id and key of its charge. The
    /// same plan has the same one, and its fingerprint never comes again: it holds a version that grows.
    pub(super) fn invoice_to_be(&self, fingerprint: &str) -> PublicId {
        let zone = self.parts.settings.zone;
        let day = day_start(self.local_date(self.now()), zone);
        self.invoice_named(day, fingerprint)
    }

    /// The id of the invoice of a period: the same whoever writes it and however often. After an older snapshot of the
    /// database was put back, the period is charged under the order id and key it had, and the provider knows it.
    pub(super) fn invoice_of(&self, subscription: &Subscription, period: &Period) -> PublicId {
        let (of, term_no) = (subscription.public_id.as_str(), subscription.term_no);
        let name = format!("{of}|{term_no}|{}", period.index);
        self.invoice_named(period.due_at, &name)
    }

    fn invoice_named(&self, at: DateTime<Utc>, name: &str) -> PublicId {
        let digits = self.parts.install.keyed_hash(&format!("invoice|{name}"));
        let chance = digits
            .get(..20)
            .and_then(|digits| u128::from_str_radix(digits, 16).ok());
        let ms = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        let ulid = ulid::Ulid::from_parts(ms, chance.unwrap_or(0));
        PublicId::new(Noun::Invoice, &ulid.to_string())
    }

    /// A charge of an invoice as it would be sent.
    pub(super) fn charge_call(
        &self,
        provider: ProviderName,
        invoice: &PublicId,
        no: u32,
    ) -> PlannedCall {
        let install = &self.parts.install;
        let (mode, kind) = (self.parts.settings.mode, AttemptKind::Charge);
        PlannedCall {
            provider,
            operation: "charge",
            order_id: install.order_id(invoice, no),
            idem_key: install.idempotency_key(provider, mode, kind, invoice, no),
            expected_balance_minor: None,
        }
    }
}
