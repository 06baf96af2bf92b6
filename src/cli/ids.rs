//! New ids: ULIDs that grow, and random texts.

use std::sync::{Mutex, PoisonError};

use crate::domain::ids::{Noun, PublicId};
use crate::engine::ports::Ids;

/// Each id sorts after those this process made before.
#[derive(Debug)]
pub struct UlidIds {
    generator: Mutex<ulid::Generator>,
}

impl Default for UlidIds {
    fn default() -> Self {
        Self {
            generator: Mutex::new(ulid::Generator::new()),
        }
    }
}

impl Ids for UlidIds {
    fn public_id(&self, noun: Noun) -> PublicId {
        let mut generator = self
            .generator
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let ulid = match generator.generate() {
            Ok(ulid) => ulid,
            Err(overflow) => overflow.commit_overflow_increment(),
        };
        PublicId::new(noun, &ulid.to_string())
    }

    /// A random UUID (version 4).
    fn random_text(&self) -> String {
        let mut bytes: [u8; 16] = rand::random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = crate::domain::audit::hex(&bytes);
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

/// So many random characters of the ULID alphabet, in lower case.
pub fn random_word(chars: usize) -> String {
    let text = ulid::Ulid::generate().to_string().to_ascii_lowercase();
    // The first ten characters are the time.
    text.chars().skip(10).take(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_differ() {
        let ids = UlidIds::default();
        let made: Vec<PublicId> = (0..1_000).map(|_| ids.public_id(Noun::Payment)).collect();
        assert!(made.is_sorted());
        assert!(made.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn j05_a_random_text_is_a_customer_key_nobody_guesses() {
        let key = UlidIds::default().random_text();
        assert_eq!(key.len(), 36);
        assert!(crate::domain::customer::check_customer_key(&key).is_ok());
        assert_ne!(key, UlidIds::default().random_text());
    }
}
