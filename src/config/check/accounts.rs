//! Our accounts at the providers: address, key and mode of each fit together; and the order in which they are asked.

use std::path::PathBuf;

use super::Check;
use crate::config::address;
use crate::config::error::{ConfigError, Place, Problem};
use crate::config::raw::{Raw, RawStripe};
use crate::config::settings::{Account, ProviderAddress, Settings, Warning};
use crate::config::stripe;
use crate::config::toss::{self, KeyKind};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::routing::Routing;
use crate::secret::Secret;

const TOSS_KEY: &str = "provider.toss.secret_key";
const STRIPE_KEY: &str = "provider.stripe.secret_key";

impl Check<'_> {
    /// Where the file with the key of Toss is, if one is named.
    pub(in crate::config) fn toss_key_file(
        &self,
        raw: &Raw,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let toss = &raw.provider.toss;
        let (file, inline) = (toss.secret_key_file.as_deref(), toss.secret_key.as_ref());
        self.key_file(("provider.toss.secret_key_file", file), (TOSS_KEY, inline))
    }

    /// The same for Stripe.
    pub(in crate::config) fn stripe_key_file(
        &self,
        raw: &Raw,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let stripe = &raw.provider.stripe;
        let (file, inline) = (
            stripe.secret_key_file.as_deref(),
            stripe.secret_key.as_ref(),
        );
        let file = ("provider.stripe.secret_key_file", file);
        self.key_file(file, (STRIPE_KEY, inline))
    }

    fn key_file(
        &self,
        (key, path): (&str, Option<&str>),
        (other, inline): (&'static str, Option<&Secret>),
    ) -> Result<Option<PathBuf>, ConfigError> {
        match (path, inline) {
            (None, _) => Ok(None),
            // A variable overrides a file that the file names.
            (Some(_), Some(_)) if self.variables.contains_key(other) => Ok(None),
            (Some(_), Some(_)) => Err(self.invalid(key, Problem::Both { other })),
            (Some(path), None) => self.path(key, path).map(Some),
        }
    }

    pub(super) fn toss(
        &self,
        base_url: &str,
        inline: Option<Secret>,
        from_file: Option<Secret>,
        mode: Mode,
    ) -> Result<(Account, Vec<Warning>), ConfigError> {
        let address = address::address(ProviderName::Toss, base_url, mode, self.base)
            .map_err(|problem| self.invalid("provider.toss.base_url", problem))?;
        let (key, written) = match (from_file, inline) {
            (Some(text), _) => ("provider.toss.secret_key_file", Some(text)),
            (None, inline) => (TOSS_KEY, inline),
        };
        let checked = written
            .map(|text| toss::secret_key(text.expose(), mode))
            .transpose()
            .map_err(|problem| self.invalid(key, problem))?;

        let mut warnings = Vec::new();
        let is_variable = |key: &str| self.variables.contains_key(key);
        if (key == TOSS_KEY && is_variable(TOSS_KEY)) || is_variable(STRIPE_KEY) {
            warnings.push(Warning::SecretInEnvironment);
        }
        if checked
            .as_ref()
            .is_some_and(|(_, kind)| *kind == KeyKind::LegacySecret)
        {
            warnings.push(Warning::LegacyTestKey);
        }
        let secret_key = checked.map(|(secret, _)| secret);
        let account = Account {
            address,
            secret_key,
            return_url: None,
        };
        Ok((account, warnings))
    }

    /// None where nothing of it is set. In mode sim it is spoken to where Toss is, unless it is said otherwise.
    pub(super) fn stripe(
        &self,
        raw: RawStripe,
        from_file: Option<Secret>,
        mode: Mode,
        toss: &ProviderAddress,
    ) -> Result<Option<Account>, ConfigError> {
        let (key, written) = match (from_file, raw.secret_key) {
            (Some(text), _) => ("provider.stripe.secret_key_file", Some(text)),
            (None, inline) => (STRIPE_KEY, inline),
        };
        let secret_key = written
            .map(|text| stripe::secret_key(text.expose(), mode))
            .transpose()
            .map_err(|problem| self.invalid(key, problem))?;
        let address = match (&raw.base_url, mode) {
            (Some(url), _) => address::address(ProviderName::Stripe, url, mode, self.base)
                .map_err(|problem| self.invalid("provider.stripe.base_url", problem))?,
            (None, Mode::Sim) => toss.clone(),
            (None, Mode::Live | Mode::Test) => ProviderAddress::Official,
        };
        // It is told from one directory where the simulator listens.
        let is_elsewhere = matches!(address, ProviderAddress::Sandbox { .. }) && address != *toss;
        if is_elsewhere {
            return Err(self.invalid("provider.stripe.base_url", Problem::OtherSimulator));
        }
        let is_named = secret_key.is_some() || raw.base_url.is_some();
        if is_named && mode == Mode::Live {
            return Err(self.invalid("provider.stripe", Problem::StripeIsNotLive));
        }
        if raw.return_url.as_deref().is_some_and(|url| !is_page(url)) {
            return Err(self.invalid("provider.stripe.return_url", Problem::NotAPage));
        }
        Ok((is_named || raw.return_url.is_some()).then_some(Account {
            address,
            secret_key,
            return_url: raw.return_url,
        }))
    }

    /// Providers that a written rule names and that have no key here. The rules of the default name both.
    pub(super) fn rules_without_key(&self, settings: &Settings) -> Vec<Warning> {
        if matches!(self.place("routing.rules"), Place::Default { .. }) {
            return Vec::new();
        }
        let named = |provider: &ProviderName| settings.routing.names(*provider);
        let providers = ProviderName::ALL.into_iter().filter(named);
        let without = providers.filter(|provider| !settings.has_key_of(*provider));
        without.map(Warning::RuleWithoutKey).collect()
    }

    pub(super) fn routing(&self, rules: &[String]) -> Result<Routing, ConfigError> {
        Routing::parse(rules.iter().map(String::as_str)).map_err(|(rule, problem)| {
            let value = rule.to_owned();
            self.invalid("routing.rules", Problem::NotARule { value, problem })
        })
    }
}

/// A page that a customer's browser can be sent to.
fn is_page(url: &str) -> bool {
    let is_web = url.starts_with("https://") || url.starts_with("http://127.0.0.1:");
    is_web && url.len() <= 2_048 && url.bytes().all(|b| b.is_ascii_graphic())
}
