//! Cards, what is printed on them, and how a magic card behaves when it is charged.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::super::error::SandboxError;
use super::Refusal;

/// What the simulated issuer answers when this card is charged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    #[default]
    Approve,
    /// Always the same decline.
    Decline { code: String },
    /// So many declines, then approval.
    DeclineTimes { code: String, times: u32 },
}

/// The stored form: `approve`, `decline CODE`, `decline CODE TIMES`.
impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approve => f.write_str("approve"),
            Self::Decline { code } => write!(f, "decline {code}"),
            Self::DeclineTimes { code, times } => write!(f, "decline {code} {times}"),
        }
    }
}

impl FromStr for Behaviour {
    type Err = SandboxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || SandboxError::Behaviour(text.to_owned());
        let mut words = text.split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("approve"), None, None, None) => Ok(Self::Approve),
            (Some("decline"), Some(code), None, None) => Ok(Self::Decline {
                code: code.to_owned(),
            }),
            (Some("decline"), Some(code), Some(times), None) => Ok(Self::DeclineTimes {
                code: code.to_owned(),
                times: times.parse().map_err(|_| unknown())?,
            }),
            _ => Err(unknown()),
        }
    }
}

/// What a caller says of a new card; everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CardDraft {
    /// Full or masked; it is masked before it is kept.
    pub number: Option<String>,
    /// `YYMM`; none: never expires.
    pub expiry: Option<String>,
    pub issuer_code: Option<String>,
    pub acquirer_code: Option<String>,
    pub card_type: Option<String>,
    pub owner_type: Option<String>,
    pub behaviour: Behaviour,
}

/// What answers show of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFace {
    pub number: String,
    pub issuer_code: String,
    pub acquirer_code: String,
    pub card_type: String,
    pub owner_type: String,
}

/// One registered card; with a billing key once it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub id: i64,
    pub billing_key: Option<String>,
    pub customer_key: Option<String>,
    pub face: CardFace,
    /// `YYMM`, the last month in which it is good.
    pub expiry: Option<String>,
    pub behaviour: Behaviour,
    /// Declines given under `Behaviour::DeclineTimes`.
    pub declined: u32,
    pub authenticated_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
}

impl Card {
    pub fn from_draft(id: i64, customer_key: Option<String>, draft: CardDraft) -> Self {
        Self {
            id,
            billing_key: None,
            customer_key,
            face: CardFace {
                number: mask(draft.number.as_deref().unwrap_or("4330123412341234")),
                issuer_code: draft.issuer_code.unwrap_or_else(|| "61".to_owned()),
                acquirer_code: draft.acquirer_code.unwrap_or_else(|| "31".to_owned()),
                card_type: draft.card_type.unwrap_or_else(|| "신용".to_owned()),
                owner_type: draft.owner_type.unwrap_or_else(|| "개인".to_owned()),
            },
            expiry: draft.expiry,
            behaviour: draft.behaviour,
            declined: 0,
            authenticated_at: None,
            deleted_at: None,
        }
    }

    /// Asks the card. A magic card counts the declines it has given.
    pub fn ask(&mut self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.is_expired(now) {
            return Err(Refusal::code("INVALID_CARD_EXPIRATION"));
        }
        match &self.behaviour {
            Behaviour::Approve => Ok(()),
            Behaviour::Decline { code } => Err(Refusal::code(code.clone())),
            Behaviour::DeclineTimes { times, .. } if self.declined >= *times => Ok(()),
            Behaviour::DeclineTimes { code, .. } => {
                self.declined += 1;
                Err(Refusal::code(code.clone()))
            }
        }
    }

    fn is_expired(&self, now: DateTime<Utc>) -> bool {
        let Some(expiry) = &self.expiry else {
            return false;
        };
        let korean = now + TimeDelta::hours(9);
        let this_month = format!("{:02}{:02}", korean.year() % 100, korean.month());
        *expiry < this_month
    }
}

/// Eight digits, four stars, three digits, a star; a masked number stays as it is.
fn mask(number: &str) -> String {
    if number.contains('*') {
        return number.chars().take(20).collect();
    }
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let head: String = digits.iter().take(8).collect();
    let tail: String = digits.iter().skip(12).take(3).collect();
    format!("{head}****{tail}*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_masked_like_the_real_provider_does() {
        assert_eq!(mask("4330123412341234"), "43301234****123*");
        assert_eq!(mask("43301234****123*"), "43301234****123*");
    }

    #[test]
    fn a_behaviour_reads_back_what_it_wrote() {
        for behaviour in [
            Behaviour::Approve,
            Behaviour::Decline {
                code: "REJECT_CARD_PAYMENT".into(),
            },
            Behaviour::DeclineTimes {
                code: "FDS_ERROR".into(),
                times: 2,
            },
        ] {
            assert_eq!(
                behaviour.to_string().parse::<Behaviour>().expect("parses"),
                behaviour
            );
        }
        assert!("decline".parse::<Behaviour>().is_err());
    }
}
