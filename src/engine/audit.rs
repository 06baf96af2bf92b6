//! One shape for all audit entries.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::audit::AuditEntry;
use crate::domain::mode::Mode;
use crate::domain::operator::{Operator, Verb};

use super::ports::{Attempts, Books, Desk, Store, StoreError, Tx};
use super::{Engine, VerbError};

/// What an audit entry is about, beside who and when.
#[derive(Debug, Clone, Default)]
pub(super) struct Press<'a> {
    pub verb: &'a str,
    pub target: &'a str,
    pub before: &'a str,
    pub after: &'a str,
    pub reason: &'a str,
    pub result: &'a str,
    pub provider_ref: &'a str,
    /// The second person, where one was needed.
    pub approver: &'a str,
}

/// Who acts, as audit rows name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Actor<'a> {
    pub person: &'a str,
    pub claims: &'a [(String, String)],
}

impl<'a> From<&'a Operator> for Actor<'a> {
    fn from(operator: &'a Operator) -> Self {
        Self {
            person: &operator.person,
            claims: &operator.evidence,
        }
    }
}

/// Claims as they are kept.
pub(super) fn claims_json(claims: &[(String, String)]) -> String {
    let quote = |text: &str| {
        let escaped: String = text
            .chars()
            .filter(|c| !c.is_control())
            .flat_map(|c| {
                if matches!(c, '"' | '\\') {
                    vec!['\\', c]
                } else {
                    vec![c]
                }
            })
            .collect();
        format!("\"{escaped}\"")
    };
    let pairs: Vec<String> = claims
        .iter()
        .map(|(k, v)| format!("{}:{}", quote(k), quote(v)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// What [`claims_json`] kept; nothing where it cannot be read.
pub(super) fn claims_of(json: &str) -> Vec<(String, String)> {
    let claims: BTreeMap<String, String> = serde_json::from_str(json).unwrap_or_default();
    claims.into_iter().collect()
}

impl<S: Store> Engine<S> {
    /// Writes an audit row in the caller's transaction.
    pub(super) async fn audit_in<T: Books>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        press: Press<'_>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        // In a simulation everything a person reads is told by its one clock.
        let at = match self.parts.settings.mode {
            Mode::Sim => self.now(),
            Mode::Live | Mode::Test => at,
        };
        tx.audit(&AuditEntry {
            at,
            person: actor.person.to_owned(),
            claims: claims_json(actor.claims),
            mode: self.parts.settings.mode,
            verb: press.verb.to_owned(),
            target: press.target.to_owned(),
            before: press.before.to_owned(),
            after: press.after.to_owned(),
            reason: press.reason.to_owned(),
            result: press.result.to_owned(),
            provider_ref: press.provider_ref.to_owned(),
            approver: press.approver.to_owned(),
        })
        .await
    }

    /// Whether the person may do this; a refusal is written down like one of any other verb.
    pub(super) async fn allow(&self, operator: &Operator, verb: Verb) -> Result<(), VerbError> {
        match operator.check(verb) {
            Ok(()) => Ok(()),
            Err(denied) => {
                let error = VerbError::Denied(denied);
                self.audit_refusal(operator, verb, "", &error).await;
                Err(error)
            }
        }
    }

    /// Writes down that a verb was refused. A refusal that cannot be written down stays a refusal.
    pub(super) async fn audit_refusal(
        &self,
        operator: &Operator,
        verb: Verb,
        target: &str,
        error: &VerbError,
    ) {
        let result = match error {
            VerbError::Denied(_) => "denied",
            VerbError::Stale => "stale",
            VerbError::Refused(_)
            | VerbError::Amount(_)
            | VerbError::Input { .. }
            | VerbError::Range(_) => "refused",
            VerbError::Store(_) | VerbError::Vault(_) | VerbError::Provider(_) => "failed",
        };
        let reason = error.to_string();
        let press = Press {
            verb: verb.as_str(),
            target,
            reason: &reason,
            result,
            ..Press::default()
        };
        let mut desk = Desk::new();
        if let Ok(mut tx) = self.begin(&mut desk).await
            && let Ok(at) = tx.db_now().await
            && self
                .audit_in(&mut tx, operator.into(), press, at)
                .await
                .is_ok()
        {
            let _refusal_stands = tx.commit().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_cannot_break_out_of_their_quotes() {
        let claims = [("a\"b".to_owned(), "x\\\n\"y".to_owned())];
        assert_eq!(claims_json(&claims), r#"{"a\"b":"x\\\"y"}"#);
    }

    #[test]
    fn claims_that_were_kept_read_back() {
        let claims = vec![("uid".to_owned(), "1001 \"x\" \\".to_owned())];
        assert_eq!(claims_of(&claims_json(&claims)), claims);
        assert!(claims_of("not json").is_empty());
    }
}
