//! The simulator's own table of coded refusals, read from `assets/sandbox/codes.toml`.
//!
//! It does not classify codes: what they mean for a payer is the client's business.

use std::collections::HashMap;

use serde::Deserialize;

use super::ledger::Refusal;

const TABLE: &str = include_str!("../../assets/sandbox/codes.toml");

#[derive(Debug, Clone, Deserialize)]
struct Entry {
    status: u16,
    message: String,
}

/// Code → HTTP status and message.
#[derive(Debug)]
pub(super) struct Codes {
    entries: HashMap<String, Entry>,
}

impl Codes {
    pub(super) fn load() -> Result<Self, toml::de::Error> {
        Ok(Self {
            entries: toml::from_str(TABLE)?,
        })
    }

    pub(super) fn knows(&self, code: &str) -> bool {
        self.entries.contains_key(code)
    }

    /// The status a refusal is answered with; a code outside the table is an ordinary bad request.
    pub(super) fn status(&self, refusal: &Refusal) -> u16 {
        refusal
            .status
            .or_else(|| self.entries.get(refusal.code.as_ref()).map(|e| e.status))
            .unwrap_or(400)
    }

    pub(super) fn message(&self, code: &str) -> &str {
        self.entries
            .get(code)
            .map_or("알 수 없는 오류입니다.", |e| e.message.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_insufficient_funds_is_a_403() {
        let codes = Codes::load().expect("table");
        assert_eq!(codes.status(&Refusal::code("REJECT_CARD_PAYMENT")), 403);
        assert_eq!(codes.status(&Refusal::code("PROVIDER_ERROR")), 400);
        assert!(codes.entries.len() >= 100);
    }

    #[test]
    fn a_code_outside_the_table_is_a_bad_request_unless_it_says_otherwise() {
        let codes = Codes::load().expect("table");
        assert_eq!(codes.status(&Refusal::code("NEVER_HEARD_OF")), 400);
        let teapot = Refusal {
            status: Some(418),
            ..Refusal::code("NEVER_HEARD_OF")
        };
        assert_eq!(codes.status(&teapot), 418);
    }
}
