//! Makes the identifiers the provider would make, in their real shapes.
//!
//! Seeded when determinism is asked for; the number of starts goes into the seed, so a restart never repeats one.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use sha2::{Digest, Sha256};

use super::wire;

const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Random source and the payment keys of the current second.
#[derive(Debug)]
pub(super) struct Ids {
    rng: StdRng,
    second: i64,
    of_this_second: HashSet<String>,
}

impl Ids {
    pub(super) fn new(seed: Option<u64>, starts: u64) -> Self {
        let rng = seed.map_or_else(rand::make_rng, |seed| {
            StdRng::seed_from_u64(seed.wrapping_add(starts.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        });
        Self {
            rng,
            second: 0,
            of_this_second: HashSet::new(),
        }
    }

    /// 32 random bytes in URL-safe base64: 44 characters that end in `=`.
    pub(super) fn billing_key(&mut self) -> String {
        let mut bytes = [0_u8; 32];
        self.rng.fill_bytes(&mut bytes);
        URL_SAFE.encode(bytes)
    }

    /// First five characters of the merchant id, Korean time, five characters by chance.
    pub(super) fn payment_key(&mut self, merchant_id: &str, now: DateTime<Utc>) -> String {
        if now.timestamp() != self.second {
            self.second = now.timestamp();
            self.of_this_second.clear();
        }
        loop {
            let mut key: String = merchant_id.chars().take(5).collect();
            key.push_str(&wire::compact_time(now));
            key.push_str(&self.alnum(5));
            if self.of_this_second.insert(key.clone()) {
                return key;
            }
        }
    }

    pub(super) fn transaction_key(&mut self) -> String {
        format!("{:016X}{:016X}", self.rng.next_u64(), self.rng.next_u64())
    }

    pub(super) fn trace_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    pub(super) fn auth_key(&mut self) -> String {
        format!("bln_{}", self.alnum(28))
    }

    pub(super) fn transmission_id(&mut self) -> String {
        format!("whtrans_a01{}", self.alnum(23).to_lowercase())
    }

    pub(super) fn chance_per_mille(&mut self) -> u16 {
        self.rng.random_range(0..1000)
    }

    fn alnum(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(ALNUM[self.rng.random_range(0..ALNUM.len())]))
            .collect()
    }
}

/// `Payment.secret`: derived from the payment key, so that it need not be stored.
pub(super) fn secret_of(payment_key: &str) -> String {
    let digest = Sha256::digest(payment_key.as_bytes());
    let mut secret = String::with_capacity(31);
    secret.push_str("ps_");
    secret.extend(
        digest
            .iter()
            .take(28)
            .map(|byte| char::from(ALNUM[usize::from(*byte) % ALNUM.len()])),
    );
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_the_shapes_of_the_real_ones() {
        let mut ids = Ids::new(Some(7), 1);
        let now = DateTime::from_timestamp(1_731_200_000, 0).expect("time");
        let billing = ids.billing_key();
        assert_eq!(billing.len(), 44);
        assert!(billing.ends_with('='));
        let payment = ids.payment_key("tpaydeck", now);
        assert!(payment.starts_with("tpayd20241110"), "{payment}");
        assert_eq!(payment.len(), 5 + 14 + 5);
        assert_eq!(ids.transaction_key().len(), 32);
        assert_eq!(secret_of(&payment).len(), 31);
    }

    #[test]
    fn a_seed_repeats_itself_and_the_next_start_does_not() {
        let first = Ids::new(Some(7), 1).billing_key();
        assert_eq!(first, Ids::new(Some(7), 1).billing_key());
        assert_ne!(first, Ids::new(Some(7), 2).billing_key());
    }
}
