//! Who works here, and how much each may refund alone.

use std::collections::BTreeMap;

use super::Check;
use crate::config::error::{ConfigError, Problem};
use crate::config::raw::{RawLimits, RawPerson};
use crate::config::settings::{Limits, Person};
use crate::domain::approval::is_same_person;
use crate::domain::money::{Currency, Money};
use crate::domain::operator::Role;
use crate::text::composed;

impl Check<'_> {
    pub(super) fn limits(&self, raw: &RawLimits) -> Result<Limits, ConfigError> {
        let per_role = [
            (Role::Support, "limits.refund.support", &raw.refund.support),
            (Role::Oncall, "limits.refund.oncall", &raw.refund.oncall),
            (Role::Finance, "limits.refund.finance", &raw.refund.finance),
            (Role::Admin, "limits.refund.admin", &raw.refund.admin),
        ];
        let refund = per_role
            .into_iter()
            .map(|(role, key, amounts)| Ok((role, self.amounts(key, amounts)?)))
            .collect::<Result<_, ConfigError>>()?;
        Ok(Limits {
            refund,
            refunds_per_day: self.whole(
                "limits.refunds_per_day",
                raw.refunds_per_day,
                (0, 100_000),
            )?,
            daily_multiple: self.whole("limits.daily_multiple", raw.daily_multiple, (1, 1_000))?,
        })
    }

    fn amounts(&self, key: &str, written: &[String]) -> Result<Vec<Money>, ConfigError> {
        let mut amounts: Vec<Money> = Vec::with_capacity(written.len());
        for text in written {
            let not_an_amount = || {
                self.invalid(
                    key,
                    Problem::NotAnAmount {
                        value: text.clone(),
                    },
                )
            };
            let amount = amount(text).ok_or_else(not_an_amount)?;
            if amounts
                .iter()
                .any(|other| other.currency() == amount.currency())
            {
                let currency = amount.currency().code().to_owned();
                return Err(self.invalid(key, Problem::CurrencyTwice { currency }));
            }
            amounts.push(amount);
        }
        Ok(amounts)
    }

    pub(super) fn people(
        &self,
        raw: BTreeMap<String, RawPerson>,
    ) -> Result<Vec<Person>, ConfigError> {
        let mut people: Vec<Person> = Vec::with_capacity(raw.len());
        for (written, raw) in raw {
            let person = self.person(&written, raw)?;
            let is_other_writing = |other: &&Person| is_same_person(&other.name, &person.name);
            if let Some(other) = people.iter().find(is_other_writing) {
                let other = other.name.clone();
                let key = format!("people.{written}");
                return Err(self.invalid(&key, Problem::SamePerson { other }));
            }
            if let Some((key, other)) = shared_identity(&written, &person, &people) {
                return Err(self.invalid(&key, Problem::SharedIdentity { other }));
            }
            people.push(person);
        }
        Ok(people)
    }

    fn person(&self, name: &str, raw: RawPerson) -> Result<Person, ConfigError> {
        let key = |of: &str| format!("people.{name}.{of}");
        let one = raw.uid.into_iter().map(|uid| ("uid", uid));
        let uids = one
            .chain(raw.uids.into_iter().map(|uid| ("uids", uid)))
            .map(|(of, uid)| self.whole(&key(of), uid, (0, i64::from(u32::MAX))))
            .collect::<Result<Vec<u32>, _>>()?;
        if let Some(value) = raw.keys.iter().find(|text| !is_fingerprint(text)) {
            return Err(self.invalid(
                &key("keys"),
                Problem::NotAFingerprint {
                    value: value.clone(),
                },
            ));
        }
        if uids.is_empty() && raw.keys.is_empty() {
            return Err(self.invalid(&format!("people.{name}"), Problem::NobodyRecognised));
        }
        if raw.roles.is_empty() {
            return Err(self.invalid(&key("roles"), Problem::Missing));
        }
        let allowed = Role::ALL.map(|role| (role.as_str(), role));
        let roles = raw
            .roles
            .iter()
            .map(|role| self.choice(&key("roles"), role, &allowed))
            .collect::<Result<_, _>>()?;
        Ok(Person {
            name: composed(name),
            uids,
            keys: raw.keys,
            roles,
        })
    }
}

/// `500000 KRW`
fn amount(text: &str) -> Option<Money> {
    let (number, code) = text.trim().split_once(' ')?;
    let amount = Money::parse(number, Currency::parse(code.trim()).ok()?).ok()?;
    (amount.minor() >= 0).then_some(amount)
}

/// As `ssh-keygen -lf` prints it: SHA-256 in base64 without padding.
fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix("SHA256:").is_some_and(|digest| {
        digest.len() == 43
            && digest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/')
    })
}

/// One uid or key, one person: otherwise the audit trail would name the wrong one.
fn shared_identity(written: &str, person: &Person, others: &[Person]) -> Option<(String, String)> {
    let shares_uid = |other: &&Person| other.uids.iter().any(|uid| person.uids.contains(uid));
    let shares_key = |other: &&Person| other.keys.iter().any(|key| person.keys.contains(key));
    let named = |of: &str, other: &Person| (format!("people.{written}.{of}"), other.name.clone());
    let uid_key = if person.uids.len() > 1 { "uids" } else { "uid" };
    let by_uid = others
        .iter()
        .find(shares_uid)
        .map(|other| named(uid_key, other));
    by_uid.or_else(|| {
        others
            .iter()
            .find(shares_key)
            .map(|other| named("keys", other))
    })
}
