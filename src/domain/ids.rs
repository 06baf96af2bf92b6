//! Row ids and public ids.
//!
//! A row id is the database's own `bigint`. A public id is a prefix and a ULID, such as
//! `pay_01J…`; it is what people read out on the phone, in any case or by its ending.

use std::fmt;

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);
    )+};
}

row_ids! {
    /// Row id of a customer.
    CustomerId,
    /// Row id of a payment method.
    MethodId,
    /// Row id of a product.
    ProductId,
    /// Row id of a plan.
    PlanId,
    /// Row id of a subscription.
    SubscriptionId,
    /// Row id of an invoice.
    InvoiceId,
    /// Row id of an attempt.
    AttemptId,
    /// Row id of a payment.
    PaymentId,
    /// Row id of a billing run.
    RunId,
    /// Row id of a piece of evidence.
    EvidenceId,
    /// Row id of what one person asked another to approve.
    ApprovalId,
}

/// The nouns that have a public id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noun {
    /// `cus_`
    Customer,
    /// `pm_`
    Method,
    /// `prod_`
    Product,
    /// `plan_`
    Plan,
    /// `sub_`
    Subscription,
    /// `inv_`
    Invoice,
    /// `att_`
    Attempt,
    /// `pay_`
    Payment,
    /// `ref_`
    Refund,
    /// `run_`
    Run,
    /// `apr_`
    Approval,
}

impl Noun {
    /// Every noun with a public id.
    pub const ALL: [Self; 11] = [
        Self::Customer,
        Self::Method,
        Self::Product,
        Self::Plan,
        Self::Subscription,
        Self::Invoice,
        Self::Attempt,
        Self::Payment,
        Self::Refund,
        Self::Run,
        Self::Approval,
    ];

    /// The prefix without its underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Customer => "cus",
            Self::Method => "pm",
            Self::Product => "prod",
            Self::Plan => "plan",
            Self::Subscription => "sub",
            Self::Invoice => "inv",
            Self::Attempt => "att",
            Self::Payment => "pay",
            Self::Refund => "ref",
            Self::Run => "run",
            Self::Approval => "apr",
        }
    }
}

/// A public id: lower-case prefix, underscore, 26 characters of ULID in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicId(String);

/// The characters of a ULID (Crockford's base 32).
const ULID_CHARS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Length of a ULID in characters.
const ULID_LEN: usize = 26;
/// A typed ending must have at least this many characters.
pub const MIN_ENDING: usize = 6;

impl PublicId {
    /// Joins a noun's prefix and a ULID's text.
    pub fn new(noun: Noun, ulid: &str) -> Self {
        Self(format!("{}_{}", noun.prefix(), ulid.to_ascii_uppercase()))
    }

    /// Takes what the database holds.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ULID part.
    pub fn ulid(&self) -> &str {
        self.0
            .split_once('_')
            .map_or(self.0.as_str(), |(_, ulid)| ulid)
    }

    /// The last `n` characters, for confirming dialogs and short references.
    pub fn ending(&self, n: usize) -> &str {
        let start = self.0.len().saturating_sub(n);
        self.0.get(start..).unwrap_or(&self.0)
    }

    /// The ULID reversed: what the database indexes so that endings are found by prefix.
    pub fn tail(&self) -> String {
        self.ulid().chars().rev().collect()
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person typed where an id is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdQuery {
    /// A whole id, put in its stored form.
    Exact(PublicId),
    /// At least [`MIN_ENDING`] last characters, upper case.
    Ending(String),
}

/// Why a typed id cannot be looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// An ending shorter than [`MIN_ENDING`].
    #[error("{0:?} is too short: give the whole id or its last {MIN_ENDING} or more characters")]
    TooShort(String),
    /// An id of another noun.
    #[error("{found:?} is not an id of the kind {expected}_")]
    OtherNoun {
        /// The prefix that was expected.
        expected: &'static str,
        /// What was typed.
        found: String,
    },
    /// Not an id at all.
    #[error("{0:?} is not an id")]
    NotAnId(String),
}

impl IdQuery {
    /// Reads an id of `noun` in any case, whole or by its ending. `…` before an ending is allowed.
    pub fn parse(noun: Noun, typed: &str) -> Result<Self, IdError> {
        let cut = || typed.chars().take(40).collect::<String>();
        let text = typed.trim().trim_start_matches(['.', '…']);
        let (prefix, rest) = match text.split_once('_') {
            Some((prefix, rest)) => (
                Some(prefix.to_ascii_lowercase()),
                rest.trim_start_matches(['.', '…']),
            ),
            None => (None, text),
        };
        if let Some(prefix) = prefix
            && prefix != noun.prefix()
        {
            return Err(IdError::OtherNoun {
                expected: noun.prefix(),
                found: cut(),
            });
        }
        let upper = rest.to_ascii_uppercase();
        if upper.is_empty()
            || !upper.chars().all(|c| ULID_CHARS.contains(c))
            || upper.len() > ULID_LEN
        {
            return Err(IdError::NotAnId(cut()));
        }
        if upper.len() == ULID_LEN {
            Ok(Self::Exact(PublicId::new(noun, &upper)))
        } else if upper.len() >= MIN_ENDING {
            Ok(Self::Ending(upper))
        } else {
            Err(IdError::TooShort(cut()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ULID: &str = "01J9ZX5V3M8Q7K2N4T6W8Y0B2D";

    #[test]
    fn an_id_is_read_in_any_case_and_by_its_ending() {
        let whole = PublicId::new(Noun::Payment, ULID);
        let lower = format!("PAY_{}", ULID.to_ascii_lowercase());
        assert_eq!(
            IdQuery::parse(Noun::Payment, &lower),
            Ok(IdQuery::Exact(whole.clone()))
        );
        assert_eq!(
            IdQuery::parse(Noun::Payment, "w8y0b2d"),
            Ok(IdQuery::Ending("W8Y0B2D".into()))
        );
        assert_eq!(
            IdQuery::parse(Noun::Payment, "pay_…8Y0B2D"),
            Ok(IdQuery::Ending("8Y0B2D".into()))
        );
        assert_eq!(whole.ending(4), "0B2D");
        assert_eq!(whole.tail(), "D2B0Y8W6T4N2K7Q8M3V5XZ9J10");
    }

    #[test]
    fn a_short_ending_or_another_nouns_id_is_refused() {
        assert!(matches!(
            IdQuery::parse(Noun::Payment, "0B2D"),
            Err(IdError::TooShort(_))
        ));
        assert!(matches!(
            IdQuery::parse(Noun::Payment, &format!("sub_{ULID}")),
            Err(IdError::OtherNoun { .. })
        ));
        assert!(matches!(
            IdQuery::parse(Noun::Payment, "김서현"),
            Err(IdError::NotAnId(_))
        ));
    }
}
