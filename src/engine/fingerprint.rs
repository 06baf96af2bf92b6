//! The fingerprint of a plan: a digest of the request and of the rows it was computed from.

use sha2::{Digest, Sha256};

use crate::domain::audit::hex;

/// Collects parts and digests them.
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins with the verb's name.
    pub(super) fn of(verb: &str) -> Self {
        Self(Sha256::new()).and(verb)
    }

    /// Adds a part; its length keeps it apart from its neighbours.
    pub(super) fn and(mut self, part: &str) -> Self {
        self.0.update(part.len().to_string().as_bytes());
        self.0.update(b":");
        self.0.update(part.as_bytes());
        self
    }

    /// Adds a number: a version, an amount, an id.
    pub(super) fn number(self, part: i64) -> Self {
        self.and(&part.to_string())
    }

    /// The first 16 hex characters of the digest.
    pub(super) fn finish(self) -> String {
        hex(&self.0.finalize()).chars().take(16).collect()
    }
}
