//! Customers and their payment methods.

use chrono::{DateTime, Utc};

use super::ids::{CustomerId, MethodId, PublicId};
use super::mode::{Mode, ProviderName};
use super::states::MethodState;

/// Who pays. Name, e-mail and phone live here alone; everything else refers to the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Row id.
    pub id: CustomerId,
    /// Public id, `cus_…`.
    pub public_id: PublicId,
    /// What the provider knows the customer by: random, never an e-mail address or a phone number.
    pub customer_key: String,
    /// Full name as written by the customer; may be empty.
    pub name: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// Phone number as written; may be empty.
    pub phone: String,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// Grows by one with every change.
    pub version: i64,
}

/// Why a customer key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerKeyError {
    /// Outside 2 to 50 characters of `A-Z a-z 0-9 - _ = .`.
    #[error("a customer key has 2 to 50 characters of A-Z a-z 0-9 - _ = .")]
    Characters,
    /// Looks like an e-mail address.
    #[error("a customer key must not be an e-mail address")]
    Email,
    /// Looks like a phone number or a counter: guessable.
    #[error("a customer key must not be a phone number or a plain number")]
    Guessable,
}

/// Checks a customer key that a person or an import brings.
///
/// Toss allows 2 to 300 characters; its browser SDK 50, so that is what we take.
pub fn check_customer_key(key: &str) -> Result<(), CustomerKeyError> {
    if key.contains('@') {
        return Err(CustomerKeyError::Email);
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_=.".contains(c);
    if !(2..=50).contains(&key.len()) || !key.chars().all(is_allowed) {
        return Err(CustomerKeyError::Characters);
    }
    if key
        .chars()
        .all(|c| c.is_ascii_digit() || c == '-' || c == '.')
    {
        return Err(CustomerKeyError::Guessable);
    }
    Ok(())
}

/// A stored way to charge. The billing key itself is sealed and never part of this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// Row id.
    pub id: MethodId,
    /// Public id, `pm_…`.
    pub public_id: PublicId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Which provider holds it.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// What the provider says of the card.
    pub card: Card,
    /// Active, replaced or deleted.
    pub state: MethodState,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// Grows by one with every change.
    pub version: i64,
}

/// The card behind a payment method, as far as we may know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// The issuer's code, such as `61`; empty when unknown.
    pub issuer: String,
    /// Masked number as the provider gives it, such as `43301234****123*`.
    pub number: String,
    /// `credit`, `debit`, `gift` or empty.
    pub kind: String,
    /// Expiry as (year, month), where somebody told us. Toss does not.
    pub expiry: Option<(i32, u32)>,
}

impl Card {
    /// The last digits that are shown, at most four, as far as the mask leaves them.
    pub fn last4(&self) -> String {
        let visible: Vec<char> = self
            .number
            .chars()
            .filter(|c| c.is_ascii_digit() || *c == '*')
            .collect();
        visible[visible.len().saturating_sub(4)..].iter().collect()
    }
}

/// A sealed billing key with what is needed to open it and to find it again.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Ciphertext; bound to the row's public id, provider and mode.
    pub sealed: Vec<u8>,
    /// Which key-encryption key wrapped it.
    pub key_id: String,
    /// Keyed hash of the billing key, to find it by equality.
    pub hash: String,
}

impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedKey(key {})", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_key_that_can_be_guessed_is_refused() {
        assert_eq!(
            check_customer_key("kim@example.com"),
            Err(CustomerKeyError::Email)
        );
        assert_eq!(
            check_customer_key("010-1234-5678"),
            Err(CustomerKeyError::Guessable)
        );
        assert_eq!(check_customer_key("42"), Err(CustomerKeyError::Guessable));
        assert_eq!(check_customer_key("a b"), Err(CustomerKeyError::Characters));
        assert_eq!(
            check_customer_key("0b9a4c1e-5f7e-4d52-9d3f-6d2c7f1f1a11"),
            Ok(())
        );
    }
}
