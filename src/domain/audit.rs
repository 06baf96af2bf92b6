//! Audit records: who did what, from where, before, after, why; hash-chained.
//!
//! A chain belongs to one writing process. Each record's hash covers the hash before it and every
//! field, length-prefixed, so that no field can flow into its neighbour.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::mode::Mode;

/// What happened, before it has a place in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in database time.
    pub at: DateTime<Utc>,
    /// Who.
    pub person: String,
    /// What supports the identity, as JSON text.
    pub claims: String,
    /// Live, test or sim.
    pub mode: Mode,
    /// What: a verb's name, or `start`, `stop`, `migrate`, `export`, `reveal`.
    pub verb: String,
    /// About what: a public id, or empty.
    pub target: String,
    /// State before.
    pub before: String,
    /// State after.
    pub after: String,
    /// Why.
    pub reason: String,
    /// `intent`, `done`, `declined`, `unknown`, `refused`, `failed`.
    pub result: String,
    /// The provider's name for it, where there is one.
    pub provider_ref: String,
    /// The second person, where one was needed.
    pub approver: String,
}

/// A record with its place in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Which chain.
    pub chain: String,
    /// Its place, from 1.
    pub seq: i64,
    /// The hash of the record before, or 64 zeros.
    pub prev: String,
    /// This record's hash.
    pub hash: String,
    /// What happened.
    pub entry: AuditEntry,
}

/// The `prev` of a chain's first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The hash of a record at `seq` of `chain` after `prev`, as lower-case hex.
pub fn chain_hash(chain: &str, seq: i64, prev: &str, entry: &AuditEntry) -> String {
    let at = entry.at.timestamp_micros().to_string();
    let seq = seq.to_string();
    let fields = [
        chain,
        &seq,
        prev,
        &at,
        &entry.person,
        &entry.claims,
        entry.mode.as_str(),
        &entry.verb,
        &entry.target,
        &entry.before,
        &entry.after,
        &entry.reason,
        &entry.result,
        &entry.provider_ref,
        &entry.approver,
    ];
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update(field.len().to_string().as_bytes());
        hasher.update(b":");
        hasher.update(field.as_bytes());
    }
    hex(&hasher.finalize())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// Checks that `record` follows `prev` and is untouched.
pub fn is_intact(record: &AuditRecord, prev: Option<&AuditRecord>) -> bool {
    let (seq, hash) = prev.map_or((0, GENESIS), |p| (p.seq, p.hash.as_str()));
    record.seq == seq + 1
        && record.prev == hash
        && record.hash == chain_hash(&record.chain, record.seq, &record.prev, &record.entry)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            at: Utc.with_ymd_and_hms(2026, 11, 21, 0, 0, 0).unwrap(),
            person: "kim".into(),
            claims: "{}".into(),
            mode: Mode::Sim,
            verb: "refund".into(),
            target: "pay_1".into(),
            before: "a".into(),
            after: "b".into(),
            reason: "r".into(),
            result: "done".into(),
            provider_ref: String::new(),
            approver: String::new(),
        }
    }

    #[test]
    fn a_changed_field_or_a_moved_boundary_breaks_the_chain() {
        let record = AuditRecord {
            chain: "c".into(),
            seq: 1,
            prev: GENESIS.into(),
            hash: chain_hash("c", 1, GENESIS, &entry()),
            entry: entry(),
        };
        assert!(is_intact(&record, None));
        let shifted = AuditEntry {
            before: "ab".into(),
            after: String::new(),
            ..entry()
        };
        assert!(!is_intact(
            &AuditRecord {
                entry: shifted,
                ..record.clone()
            },
            None
        ));
        assert!(!is_intact(&AuditRecord { seq: 2, ..record }, None));
    }
}
