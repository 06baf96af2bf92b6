//! Fault scripts: which calls a fault strikes, how often, and after how many spared ones.
//!
//! Kept in memory only. The first script that matches and is not used up decides; a call meets at most one fault.

use serde::{Deserialize, Serialize};

use super::scenario::Fault;

/// The endpoints of both providers by the names that scripts use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Issue,
    Charge,
    Delete,
    Confirm,
    Cancel,
    /// Look-up by paymentKey.
    Payment,
    /// Look-up by orderId.
    Order,
    Transactions,
    Settlements,
    /// Making a customer of Stripe's.
    StripeCustomerCreate,
    /// Everything else about one.
    StripeCustomer,
    StripeAttach,
    StripeDetach,
    StripePaymentMethod,
    /// Products and prices.
    StripeCatalog,
    StripeIntentCreate,
    StripeIntentConfirm,
    StripeIntentCancel,
    /// Look-up, list, search and change of intents.
    StripeIntent,
    StripeCharge,
    /// Making a refund.
    StripeRefund,
    /// Look-up and list of refunds.
    StripeRefunds,
    /// Balance and balance transactions.
    StripeTransactions,
    StripeSubscriptionCreate,
    StripeSubscriptionUpdate,
    StripeSubscriptionCancel,
    /// Look-up and list of subscriptions.
    StripeSubscription,
    StripeInvoicePay,
    /// Everything else about invoices, their items and payments.
    StripeInvoice,
    StripeEvents,
    /// Webhook endpoints and test clocks.
    StripeOther,
}

impl Endpoint {
    /// Whether it is one of Stripe's.
    pub(super) fn is_stripe(self) -> bool {
        !matches!(
            self,
            Self::Issue
                | Self::Charge
                | Self::Delete
                | Self::Confirm
                | Self::Cancel
                | Self::Payment
                | Self::Order
                | Self::Transactions
                | Self::Settlements
        )
    }
}

/// Which calls; what is absent matches all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    pub endpoint: Option<Endpoint>,
    /// customerKey; Stripe: `cus_…`.
    pub customer: Option<String>,
    /// orderId; Stripe: `metadata[order_id]`.
    pub order: Option<String>,
    /// paymentKey; Stripe: `pi_…`.
    pub payment: Option<String>,
}

/// How often a script strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Times {
    Count(u64),
    Always(Always),
}

/// The word `always`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Always {
    Always,
}

/// A script as it is posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    #[serde(default, rename = "match")]
    pub matches: Match,
    #[serde(deserialize_with = "name_or_object")]
    pub fault: Fault,
    #[serde(default = "once")]
    pub times: Times,
    /// So many matching calls are spared first.
    #[serde(default)]
    pub skip: u64,
    /// Strikes this share of the matching calls, by chance.
    #[serde(default = "every")]
    pub per_mille: u16,
}

fn once() -> Times {
    Times::Count(1)
}

fn every() -> u16 {
    1000
}

/// `"lost_after_commit"` is short for `{"kind":"lost_after_commit"}`.
fn name_or_object<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Fault, D::Error> {
    let value = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(kind) => serde_json::json!({ "kind": kind }),
        other => other,
    };
    serde_json::from_value(value).map_err(serde::de::Error::custom)
}

/// What a call is about, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    pub customer: Option<String>,
    pub order: Option<String>,
    pub payment: Option<String>,
}

impl Match {
    fn is_met(&self, endpoint: Endpoint, subject: &Subject) -> bool {
        let agrees =
            |wish: &Option<String>, value: &Option<String>| wish.is_none() || wish == value;
        self.endpoint.is_none_or(|wish| wish == endpoint)
            && agrees(&self.customer, &subject.customer)
            && agrees(&self.order, &subject.order)
            && agrees(&self.payment, &subject.payment)
    }
}

/// A script with its state.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    pub id: u64,
    #[serde(flatten)]
    pub script: Script,
    pub struck: u64,
}

/// All scripts, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    standing: Vec<Standing>,
    last_id: u64,
}

impl Scripts {
    pub(super) fn add(&mut self, script: Script) -> u64 {
        self.last_id += 1;
        self.standing.push(Standing {
            id: self.last_id,
            script,
            struck: 0,
        });
        self.last_id
    }

    pub(super) fn clear(&mut self) {
        self.standing.clear();
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Standing> {
        let at = self
            .standing
            .iter()
            .position(|standing| standing.id == id)?;
        Some(self.standing.remove(at))
    }

    pub(super) fn list(&self) -> &[Standing] {
        &self.standing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    /// The fault that strikes this call, if any. `chance` gives a number below 1000.
    pub(super) fn strike(
        &mut self,
        endpoint: Endpoint,
        subject: &Subject,
        mut chance: impl FnMut() -> u16,
    ) -> Option<Fault> {
        for standing in &mut self.standing {
            let is_used_up =
                matches!(standing.script.times, Times::Count(times) if standing.struck >= times);
            if is_used_up || !standing.script.matches.is_met(endpoint, subject) {
                continue;
            }
            if standing.script.skip > 0 {
                standing.script.skip -= 1;
                continue;
            }
            if standing.script.per_mille < 1000 && chance() >= standing.script.per_mille {
                continue;
            }
            standing.struck += 1;
            return Some(standing.script.fault.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(json: &str) -> Script {
        serde_json::from_str(json).expect("a script")
    }

    #[test]
    fn a_script_strikes_as_often_as_it_says_and_only_its_calls() {
        let mut scripts = Scripts::default();
        scripts.add(script(
            r#"{"match":{"endpoint":"charge","customer":"kim"},"fault":"lost_after_commit","times":2}"#,
        ));
        let kim = Subject {
            customer: Some("kim".into()),
            ..Subject::default()
        };
        let lee = Subject {
            customer: Some("lee".into()),
            ..Subject::default()
        };
        assert!(scripts.strike(Endpoint::Charge, &lee, || 0).is_none());
        assert!(scripts.strike(Endpoint::Order, &kim, || 0).is_none());
        assert!(scripts.strike(Endpoint::Charge, &kim, || 0).is_some());
        assert!(scripts.strike(Endpoint::Charge, &kim, || 0).is_some());
        assert!(scripts.strike(Endpoint::Charge, &kim, || 0).is_none());
    }

    #[test]
    fn a_script_spares_the_first_calls_it_is_told_to_spare() {
        let mut scripts = Scripts::default();
        scripts.add(script(
            r#"{"fault":{"kind":"slow","ms":5},"times":"always","skip":1}"#,
        ));
        let subject = Subject::default();
        assert!(scripts.strike(Endpoint::Charge, &subject, || 0).is_none());
        for _ in 0..3 {
            assert_eq!(
                scripts.strike(Endpoint::Cancel, &subject, || 0),
                Some(Fault::Slow { ms: 5 })
            );
        }
    }

    #[test]
    fn a_share_strikes_by_chance() {
        let mut scripts = Scripts::default();
        scripts.add(script(
            r#"{"fault":"not_found","times":"always","per_mille":50}"#,
        ));
        let subject = Subject::default();
        assert!(scripts.strike(Endpoint::Order, &subject, || 49).is_some());
        assert!(scripts.strike(Endpoint::Order, &subject, || 50).is_none());
    }
}
