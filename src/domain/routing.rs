//! Which provider charges what: the amounts each takes, and the order in which they are asked for a currency.
//!
//! A rule says where a charge may go at all. It never says that a charge may go twice: the next provider in the order is
//! asked only where it is certain that nothing was executed and nothing will be.

use std::fmt;

use super::mode::ProviderName;
use super::money::{Currency, Money};

/// Why a provider does not take an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Not in this currency.
    Currency {
        /// Who.
        provider: ProviderName,
        /// Which.
        currency: Currency,
    },
    /// Less than it charges.
    BelowMinimum(Money),
    /// More than it charges at once.
    AboveMaximum(Money),
    /// Its last decimal must be zero.
    LastDigit(Currency),
}

/// The smallest amounts Stripe charges: the one table of them, for ourselves and for the simulator. Stripe's own holds
/// where the account is settled in the same currency; anything else has to be worth its minimum there, about half a
/// dollar. An unlisted currency is left to Stripe, which refuses what is too small and takes nothing.
const STRIPE_LEAST: &[(&str, i64)] = &[
    ("USD", 50),
    ("EUR", 50),
    ("JPY", 50),
    ("GBP", 30),
    ("AUD", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("NZD", 50),
    ("SGD", 50),
    ("BRL", 50),
    ("HKD", 400),
    ("MXN", 1_000),
    ("SEK", 300),
    ("NOK", 300),
    ("DKK", 250),
    ("PLN", 200),
    ("CZK", 1_500),
    ("HUF", 17_500),
    ("MYR", 200),
    ("RON", 200),
    ("THB", 1_000),
    ("AED", 200),
    ("BGN", 100),
    ("INR", 50),
    // In no published table: what is worth half a dollar, with a margin, so that a rate that moves turns no charge down.
    ("KRW", 1_000),
    ("KWD", 200),
    ("BHD", 200),
];
/// An amount has at most eight digits there.
const STRIPE_MOST: i64 = 99_999_999;
/// Currencies whose number of decimals at Stripe is not the one of ISO 4217, or is not known: they are not taken.
const STRIPE_OTHER_DECIMALS: &str = "MGA IQD LYD UYI";

impl ProviderName {
    /// The smallest amount this provider charges in a currency.
    pub fn minimum_charge(self, currency: Currency) -> Money {
        let least = match self {
            Self::Toss => 100,
            Self::Stripe => STRIPE_LEAST
                .iter()
                .find(|(code, _)| *code == currency.code())
                .map_or(1, |(_, least)| *least),
        };
        Money::new(least, currency)
    }

    /// Whether it charges in this currency.
    pub fn takes_currency(self, currency: Currency) -> bool {
        match self {
            Self::Toss => currency == Currency::KRW,
            Self::Stripe => !STRIPE_OTHER_DECIMALS
                .split_ascii_whitespace()
                .any(|code| code == currency.code()),
        }
    }

    /// Whether it charges this amount.
    ///
    /// # Errors
    /// Why it does not.
    pub fn takes(self, amount: Money) -> Result<(), NotTaken> {
        let currency = amount.currency();
        if !self.takes_currency(currency) {
            return Err(NotTaken::Currency {
                provider: self,
                currency,
            });
        }
        let least = self.minimum_charge(currency);
        if amount.minor() < least.minor() {
            return Err(NotTaken::BelowMinimum(least));
        }
        if self == Self::Stripe && amount.minor() > STRIPE_MOST {
            return Err(NotTaken::AboveMaximum(Money::new(STRIPE_MOST, currency)));
        }
        if self == Self::Stripe && currency.exponent() == 3 && amount.minor() % 10 != 0 {
            return Err(NotTaken::LastDigit(currency));
        }
        Ok(())
    }
}

/// In which order the providers are asked for a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    rules: Vec<(Currency, Vec<ProviderName>)>,
    otherwise: Vec<ProviderName>,
}

impl Default for Routing {
    /// Won by Toss, everything else by Stripe.
    fn default() -> Self {
        Self {
            rules: vec![(Currency::KRW, vec![ProviderName::Toss])],
            otherwise: vec![ProviderName::Stripe],
        }
    }
}

/// Why a text is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleProblem {
    /// It does not begin with a currency or `*`.
    Currency,
    /// What follows is not the names of providers, each once.
    Providers,
    /// Two rules for the same currency.
    Twice,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Currency => "a rule begins with a currency, or with * for every other",
            Self::Providers => "after the currency come providers, in the order they are asked",
            Self::Twice => "a currency has one rule",
        })
    }
}

impl Routing {
    /// Reads rules such as `KRW toss` and `* stripe toss`; what they do not name stays as it is by default.
    ///
    /// # Errors
    /// Which rule is none, and why.
    pub fn parse<'t>(
        rules: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, (&'t str, RuleProblem)> {
        let mut routing = Self::default();
        let mut named: Vec<Option<Currency>> = Vec::new();
        for rule in rules {
            let mut words = rule.split_ascii_whitespace();
            let currency = match words.next() {
                Some("*") => None,
                Some(code) => match Currency::parse(code) {
                    Ok(currency) => Some(currency),
                    Err(_) => return Err((rule, RuleProblem::Currency)),
                },
                None => return Err((rule, RuleProblem::Currency)),
            };
            if named.contains(&currency) {
                return Err((rule, RuleProblem::Twice));
            }
            named.push(currency);
            let mut order = Vec::new();
            for word in words {
                match ProviderName::parse(word) {
                    Some(provider) if !order.contains(&provider) => order.push(provider),
                    _ => return Err((rule, RuleProblem::Providers)),
                }
            }
            if order.is_empty() {
                return Err((rule, RuleProblem::Providers));
            }
            match currency {
                None => routing.otherwise = order,
                Some(currency) => {
                    routing.rules.retain(|(known, _)| *known != currency);
                    routing.rules.push((currency, order));
                }
            }
        }
        Ok(routing)
    }

    /// The rules as they are written.
    pub fn rules(&self) -> impl Iterator<Item = String> + '_ {
        let said = |currency: &str, order: &[ProviderName]| {
            let names: Vec<&str> = order.iter().map(|provider| provider.as_str()).collect();
            format!("{currency} {}", names.join(" "))
        };
        let named = self.rules.iter();
        named
            .map(move |(currency, order)| said(currency.code(), order))
            .chain(std::iter::once(said("*", &self.otherwise)))
    }

    /// Whether a rule names this provider.
    pub fn names(&self, provider: ProviderName) -> bool {
        let orders = self.rules.iter().map(|(_, order)| order);
        let mut each = orders.chain(std::iter::once(&self.otherwise));
        each.any(|order| order.contains(&provider))
    }

    /// Who is asked for a currency, first to last. Nobody who does not take it.
    pub fn order(&self, currency: Currency) -> impl Iterator<Item = ProviderName> + '_ {
        let rule = self.rules.iter().find(|(known, _)| *known == currency);
        let order = rule.map_or(&self.otherwise, |(_, order)| order);
        order
            .iter()
            .copied()
            .filter(move |provider| provider.takes_currency(currency))
    }

    /// Who is asked after `primary`; none where it is the last, or not in the order.
    pub fn after(&self, primary: ProviderName, currency: Currency) -> Option<ProviderName> {
        let mut order = self.order(currency).skip_while(|p| *p != primary);
        order.next()?;
        order.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::parse(code).unwrap())
    }

    #[test]
    fn toss_takes_won_alone_and_from_a_hundred() {
        assert_eq!(ProviderName::Toss.takes(amount(100, "KRW")), Ok(()));
        let least = NotTaken::BelowMinimum(amount(100, "KRW"));
        assert_eq!(ProviderName::Toss.takes(amount(99, "KRW")), Err(least));
        assert!(ProviderName::Toss.takes(amount(10_000, "USD")).is_err());
    }

    #[test]
    fn what_stripe_cannot_charge_is_known_before_it_is_asked() {
        let stripe = ProviderName::Stripe;
        assert_eq!(stripe.takes(amount(50, "USD")), Ok(()));
        let least = NotTaken::BelowMinimum(amount(50, "USD"));
        assert_eq!(stripe.takes(amount(49, "USD")), Err(least));
        assert_eq!(stripe.takes(amount(1_230, "KWD")), Ok(()));
        let kwd = Currency::parse("KWD").unwrap();
        assert_eq!(
            stripe.takes(amount(1_234, "KWD")),
            Err(NotTaken::LastDigit(kwd))
        );
        assert_eq!(stripe.takes(amount(99_999_999, "KRW")), Ok(()));
        let most = NotTaken::AboveMaximum(amount(99_999_999, "KRW"));
        assert_eq!(stripe.takes(amount(100_000_000, "KRW")), Err(most));
    }

    #[test]
    fn h12_a_currency_with_other_decimals_at_the_provider_is_not_taken() {
        for code in ["MGA", "IQD", "LYD"] {
            assert!(
                ProviderName::Stripe.takes(amount(10_000, code)).is_err(),
                "{code}"
            );
        }
    }

    #[test]
    fn n03_the_order_is_a_rule_for_each_currency() {
        let routing = Routing::parse(["KRW toss stripe", "* stripe"]).unwrap();
        let won: Vec<_> = routing.order(Currency::KRW).collect();
        assert_eq!(won, [ProviderName::Toss, ProviderName::Stripe]);
        assert_eq!(
            routing.after(ProviderName::Toss, Currency::KRW),
            Some(ProviderName::Stripe)
        );
        assert_eq!(routing.after(ProviderName::Stripe, Currency::KRW), None);
        let dollars: Vec<_> = routing.order(Currency::USD).collect();
        assert_eq!(dollars, [ProviderName::Stripe]);
        // Toss does not take dollars, whatever a rule says.
        let strange = Routing::parse(["USD toss stripe"]).unwrap();
        assert_eq!(
            strange.order(Currency::USD).collect::<Vec<_>>(),
            [ProviderName::Stripe]
        );
    }

    #[test]
    fn a_text_that_is_no_rule_is_named() {
        let problem = |rules: &[&'static str]| Routing::parse(rules.iter().copied()).unwrap_err();
        assert_eq!(problem(&["WON toss"]), ("WON toss", RuleProblem::Currency));
        assert_eq!(problem(&["KRW"]), ("KRW", RuleProblem::Providers));
        assert_eq!(
            problem(&["KRW toss toss"]),
            ("KRW toss toss", RuleProblem::Providers)
        );
        assert_eq!(
            problem(&["KRW toss", "krw stripe"]),
            ("krw stripe", RuleProblem::Twice)
        );
    }
}
