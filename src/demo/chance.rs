//! Chance that repeats itself: everything made up comes from one seed, in one order.
//!
//! It knows no clock and asks no operating system. Shares are given per mille, weights as integers.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use sha2::{Digest, Sha256};

use crate::domain::audit::hex;
use crate::domain::ids::{Noun, PublicId};

const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ULID_RANDOM_BITS: u32 = 80;

/// A public id without its text: what is remembered of those that are needed later.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShortId(ulid::Ulid);

impl ShortId {
    pub(super) fn of(self, noun: Noun) -> PublicId {
        PublicId::new(noun, &self.0.to_string())
    }
}

/// A seeded source of chance and of the identifiers made from it.
#[derive(Debug)]
pub(super) struct Chance {
    rng: StdRng,
    seed: u64,
    last_ulid: (u64, u128),
    second: i64,
    keys_of_second: HashSet<String>,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            seed,
            last_ulid: (0, 0),
            second: 0,
            keys_of_second: HashSet::new(),
        }
    }

    /// A number in `[low, high)`; `low` when there is none.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        if low >= high {
            low
        } else {
            self.rng.random_range(low..high)
        }
    }

    /// True for so many of a thousand.
    pub(super) fn per_mille(&mut self, share: u32) -> bool {
        self.rng.random_range(0..1_000) < share
    }

    /// True for so many of a hundred thousand.
    pub(super) fn per_100_000(&mut self, share: u32) -> bool {
        self.rng.random_range(0..100_000) < share
    }

    /// Any of these, all alike.
    pub(super) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.rng.random_range(0..of.len())]
    }

    /// Any of these, each as often as its weight says.
    pub(super) fn weighted<'a, T>(&mut self, of: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
        let total: u32 = of.iter().map(&weight).sum();
        let mut left = self.rng.random_range(0..total.max(1));
        for one in of {
            let own = weight(one);
            if left < own {
                return one;
            }
            left -= own;
        }
        &of[0]
    }

    /// A span in `[low, high)` minutes, with seconds and milliseconds of its own.
    pub(super) fn minutes(&mut self, low: i64, high: i64) -> TimeDelta {
        TimeDelta::milliseconds(self.between(low * 60_000, high * 60_000))
    }

    /// A public id of its row's own time.
    pub(super) fn public_id(&mut self, noun: Noun, at: DateTime<Utc>) -> PublicId {
        self.short_id(at).of(noun)
    }

    /// A ULID of its row's own time; those of one millisecond go on from each other.
    pub(super) fn short_id(&mut self, at: DateTime<Utc>) -> ShortId {
        let ms = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        let random = if self.last_ulid.0 == ms {
            self.last_ulid.1 + 1
        } else {
            let mask = (1_u128 << ULID_RANDOM_BITS) - 1;
            let high = u128::from(self.rng.next_u64()) << 64;
            // The highest bit stays free, so that going on never overflows into the time.
            (high | u128::from(self.rng.next_u64())) & (mask >> 1)
        };
        self.last_ulid = (ms, random);
        ShortId(ulid::Ulid::from_parts(ms, random))
    }

    /// What the provider calls a payment: merchant, Korean time, five characters by chance.
    pub(super) fn payment_key(&mut self, at: DateTime<Utc>) -> String {
        if at.timestamp() != self.second {
            self.second = at.timestamp();
            self.keys_of_second.clear();
        }
        let time = at.with_timezone(&Seoul).format("%Y%m%d%H%M%S");
        loop {
            let key = format!("tpayd{time}{}", self.alnum(5));
            if self.keys_of_second.insert(key.clone()) {
                return key;
            }
        }
    }

    /// What the provider calls an approval or a cancel.
    pub(super) fn transaction_key(&mut self) -> String {
        format!("{:016X}{:016X}", self.rng.next_u64(), self.rng.next_u64())
    }

    pub(super) fn trace_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    /// Stands for the digest of a body that was never kept.
    pub(super) fn digest(&mut self) -> String {
        format!("{}{}", self.trace_id(), self.trace_id())
    }

    /// What the provider knows a customer by, with the shape of a version 4 UUID. It is derived, so
    /// that it need not be remembered while the story goes on.
    pub(super) fn customer_key(&self, account: u32) -> String {
        let text = format!("customer key {account} of seed {}", self.seed);
        let digest = hex(&Sha256::digest(text.as_bytes()));
        format!(
            "{}-{}-4{}-a{}-{}",
            &digest[..8],
            &digest[8..12],
            &digest[12..15],
            &digest[15..18],
            &digest[18..30]
        )
    }

    /// Eight characters that begin every order id of this installation.
    pub(super) fn install_id(&mut self) -> String {
        self.alnum(8).to_lowercase()
    }

    pub(super) fn alnum(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(ALNUM[self.rng.random_range(0..ALNUM.len())]))
            .collect()
    }

    /// The billing key of a card, by its number: 44 characters of URL-safe base64. It is derived,
    /// so that it need not be remembered while the story goes on.
    pub(super) fn billing_key(&self, card: u32) -> String {
        let text = format!("billing key {card} of seed {}", self.seed);
        URL_SAFE.encode(Sha256::digest(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn noon() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 21, 3, 0, 0).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_and_another_seed_something_else() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            let id = chance.public_id(Noun::Payment, noon());
            (id, chance.payment_key(noon()), chance.customer_key(1))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn ids_of_one_millisecond_sort_in_the_order_they_were_made() {
        let mut chance = Chance::new(7);
        let ids: Vec<PublicId> = (0..100)
            .map(|_| chance.public_id(Noun::Attempt, noon()))
            .collect();
        assert!(ids.is_sorted());
        assert!(ids[0] < chance.public_id(Noun::Attempt, noon() + TimeDelta::milliseconds(1)));
    }

    #[test]
    fn made_up_identifiers_have_the_shapes_of_real_ones() {
        let mut chance = Chance::new(7);
        assert!(crate::domain::customer::check_customer_key(&chance.customer_key(1)).is_ok());
        assert_eq!(chance.customer_key(1).len(), 36);
        assert!(
            chance
                .payment_key(noon())
                .starts_with("tpayd20261121120000")
        );
        assert_eq!(chance.billing_key(1).len(), 44);
        assert_ne!(chance.billing_key(1), chance.billing_key(2));
    }

    #[test]
    fn weights_decide_how_often() {
        let mut chance = Chance::new(7);
        let often = (0..1_000)
            .filter(|_| *chance.weighted(&[1_u32, 9], |w| *w) == 9)
            .count();
        assert!((860..940).contains(&often), "{often}");
    }
}
