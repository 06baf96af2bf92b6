//! How identifiers of a charge or refund are made, and what a subscription owes next.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::attempt::AttemptKind;
use super::audit::hex;
use super::ids::PublicId;
use super::mode::{Mode, ProviderName};
use super::period::{Period, PeriodError};
use super::subscription::{Subscription, Term};

/// What makes this installation's ids its own.
#[derive(Clone)]
pub struct Install {
    /// Eight characters that begin every order id.
    pub id8: String,
    /// Key of the idempotency keys.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for Install {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Install({})", self.id8)
    }
}

impl Install {
    /// Our name for a charge at the provider: `pd`, installation, invoice, attempt number. It fits
    /// Toss's 6 to 64 characters of `A-Z a-z 0-9 - _`.
    pub fn order_id(&self, invoice: &PublicId, attempt_no: u32) -> String {
        format!("pd{}-{}-{attempt_no}", self.id8, invoice.ulid())
    }

    /// Whether an order id is one of this installation's.
    pub fn made(&self, order_id: &str) -> bool {
        order_id
            .strip_prefix("pd")
            .and_then(|rest| rest.strip_prefix(&self.id8))
            .is_some_and(|rest| rest.starts_with('-'))
    }

    /// The idempotency key: the same for every send of one attempt, another for the next attempt.
    pub fn idempotency_key(
        &self,
        provider: ProviderName,
        mode: Mode,
        kind: AttemptKind,
        target: &PublicId,
        attempt_no: u32,
    ) -> String {
        let text = format!("{provider}|{mode}|{}|{target}|{attempt_no}", kind.as_str());
        self.keyed_hash(&text)
    }

    /// A keyed hash of a text under the installation's secret.
    pub fn keyed_hash(&self, text: &str) -> String {
        match Hmac::<Sha256>::new_from_slice(&self.secret) {
            Ok(mut mac) => {
                mac.update(text.as_bytes());
                hex(&mac.finalize().into_bytes())
            }
            Err(_) => String::new(),
        }
    }
}

/// What the names of all tries of one invoice begin with, and the number of this one.
pub fn try_of_invoice(order_id: &str) -> Option<(&str, u32)> {
    let (invoice, number) = order_id.rsplit_once('-')?;
    Some((order_id.get(..=invoice.len())?, number.parse().ok()?))
}

/// The tag that marks a refund as ours in the provider's cancel reason.
pub fn refund_tag(attempt: &PublicId) -> String {
    format!("rf:{}", attempt.ending(12))
}

/// The reason sent to the provider: the person's words, cut to fit, and our tag.
pub fn cancel_reason(reason: &str, tag: &str) -> String {
    const LIMIT: usize = 200;
    let room = LIMIT.saturating_sub(tag.len() + 3);
    let words: String = reason
        .chars()
        .filter(|c| !c.is_control())
        .take(room)
        .collect();
    format!("{} [{tag}]", words.trim())
}

/// The period a subscription owes next, in its running term.
pub fn next_period(subscription: &Subscription, term: &Term) -> Result<Period, PeriodError> {
    term.anchor.period(subscription.next_period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Noun;

    fn install() -> Install {
        Install {
            id8: "abcdefgh".into(),
            secret: b"secret".to_vec(),
        }
    }

    fn invoice() -> PublicId {
        PublicId::new(Noun::Invoice, "01J9ZX5V3M8Q7K2N4T6W8Y0B2D")
    }

    #[test]
    fn an_order_id_fits_what_the_provider_takes() {
        let id = install().order_id(&invoice(), 4_294_967_295);
        assert!((6..=64).contains(&id.len()), "{id}");
        assert!(
            id.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        );
    }

    #[test]
    fn every_try_of_an_invoice_begins_alike() {
        let id = install().order_id(&invoice(), 12);
        let (prefix, number) = try_of_invoice(&id).unwrap();
        assert_eq!(number, 12);
        assert!(install().order_id(&invoice(), 3).starts_with(prefix));
        assert!(!prefix.ends_with('2'));
        assert_eq!(try_of_invoice("nothing"), None);
        assert_eq!(try_of_invoice("pd-x"), None);
    }

    #[test]
    fn the_same_attempt_has_the_same_key_and_the_next_another() {
        let key = |no| {
            install().idempotency_key(
                ProviderName::Toss,
                Mode::Sim,
                AttemptKind::Charge,
                &invoice(),
                no,
            )
        };
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
        let live = install().idempotency_key(
            ProviderName::Toss,
            Mode::Live,
            AttemptKind::Charge,
            &invoice(),
            1,
        );
        assert_ne!(key(1), live);
    }

    #[test]
    fn a_long_reason_is_cut_and_keeps_the_tag() {
        let reason = cancel_reason(&"고객 요청 ".repeat(60), "rf:ABC");
        assert!(reason.chars().count() <= 200);
        assert!(reason.ends_with("[rf:ABC]"));
    }
}
