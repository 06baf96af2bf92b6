//! What a failure means, what to tell the customer, and what staff do next, in our own words.
//!
//! The class of a code is the domain's decision and comes in as a word; here it only chooses the
//! fallback text. Invariant: there is always a text, and that of an unknown outcome never says that
//! the payment failed.

use super::Locale;

/// Three texts about one failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureText {
    /// What happened, for staff.
    pub meaning: &'static str,
    /// What to tell the customer.
    pub say: &'static str,
    /// What staff do next.
    pub next: &'static str,
}

impl Locale {
    /// The texts of a provider code; else those of its class (`soft`, `hard`, `needs-customer`,
    /// `config`, `provider-down`, `unclassified`, `unknown`); else those of an unclassified failure.
    pub fn failure(&'static self, code: &str, class: &str) -> FailureText {
        let class = class.to_lowercase().replace('-', "_");
        [code, class.as_str(), "unclassified"]
            .into_iter()
            .find_map(|entry| self.failure_entry(entry))
            .unwrap_or(FailureText {
                meaning: "",
                say: "",
                next: "",
            })
    }

    fn failure_entry(&'static self, entry: &str) -> Option<FailureText> {
        let text = |part: &str| self.find(&format!("failure.{entry}.{part}"));
        Some(FailureText {
            meaning: text("meaning")?,
            say: text("say")?,
            next: text("next")?,
        })
    }
}
