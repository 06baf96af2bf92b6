//! Makes identifiers in the provider's shapes. Seeded when determinism is asked for.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#[derive(Debug)]
pub struct Ids {
    rng: StdRng,
}

impl Ids {
    pub fn new(seed: Option<u64>, starts: u64) -> Self {
        let rng = seed.map_or_else(rand::make_rng, |seed| {
            let seed = seed ^ 0x5354_5249_5045;
            StdRng::seed_from_u64(seed.wrapping_add(starts.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        });
        Self { rng }
    }

    /// `prefix_` and so many letters and digits.
    pub fn make(&mut self, prefix: &str, length: usize) -> String {
        format!("{prefix}_{}", self.alnum(length))
    }

    pub fn alnum(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(ALNUM[self.rng.random_range(0..ALNUM.len())]))
            .collect()
    }

    pub fn request(&mut self) -> String {
        self.make("req", 14)
    }
}
