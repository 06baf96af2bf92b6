//! Which provider, and which of a customer's cards: by the rules of the settings, never by what a call would cost.
//!
//! Nothing here calls anybody. Who is asked after a provider that was not reached: `super::fallback`.

use crate::domain::customer::PaymentMethod;
use crate::domain::ids::CustomerId;
use crate::domain::invoice::Invoice;
use crate::domain::mode::ProviderName;
use crate::domain::money::Currency;
use crate::secret::Secret;

use super::Engine;
use super::ports::{Customers, Desk, Store, Tx};
use super::refusal::VerbError;

impl<S: Store> Engine<S> {
    /// The customer's newest card at the first provider of the currency's order that has one.
    pub(super) async fn method_for<T: Tx>(
        &self,
        tx: &mut T,
        customer: CustomerId,
        currency: Currency,
    ) -> Result<Option<PaymentMethod>, VerbError> {
        let methods = tx.active_methods_of(customer).await?;
        let mut order = self.parts.settings.routing.order(currency);
        Ok(order.find_map(|provider| methods.iter().find(|m| m.provider == provider).cloned()))
    }

    /// Whether the rules name this provider for this currency.
    pub(super) fn is_asked_for(&self, provider: ProviderName, currency: Currency) -> bool {
        let mut order = self.parts.settings.routing.order(currency);
        order.any(|p| p == provider)
    }

    /// Whether the rules send this invoice to this provider, and it takes the amount.
    pub(super) fn may_charge(&self, provider: ProviderName, invoice: &Invoice) -> bool {
        self.is_asked_for(provider, invoice.amount.currency())
            && provider.takes(invoice.amount).is_ok()
    }

    /// The provider's own name for the customer, where an earlier card brought one: what a card there is charged by
    /// begins with it.
    pub(super) async fn known_to(
        &self,
        provider: ProviderName,
        customer: CustomerId,
    ) -> Result<Option<String>, VerbError> {
        if !provider.charges_in_two_steps() {
            return Ok(None);
        }
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let methods = tx.methods_of(customer).await?;
        // A card that was replaced or deleted was the same customer's: a second one would hide what the first has paid.
        let mut unopened = None;
        for method in methods.iter().filter(|m| m.provider == provider) {
            match self.open_key_of(&mut tx, method).await {
                Ok(key) => return Ok(key.expose().split(' ').next().map(str::to_owned)),
                Err(VerbError::Vault(error)) => unopened = Some(error),
                Err(other) => return Err(other),
            }
        }
        unopened.map_or(Ok(None), |error| Err(error.into()))
    }
}

/// Where a card is to be registered when nobody says: what a browser brings from Stripe is named so.
pub(super) fn provider_of(auth_key: &Secret) -> ProviderName {
    if auth_key.expose().starts_with("pm_") {
        ProviderName::Stripe
    } else {
        ProviderName::Toss
    }
}
