//! The link at which a customer answers their bank, for the person who hands it on.
//!
//! It is asked for each time and kept nowhere: whoever has it can answer. That a person is about to see it is written
//! down first. Asking changes nothing about the charge.

use chrono::{DateTime, Utc};

use crate::domain::attempt::Attempt;
use crate::domain::ids::{AttemptId, PublicId};
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Verb};
use crate::secret::Secret;

use super::Engine;
use super::audit::Press;
use super::charge::customer_brief;
use super::ports::{
    Attempts as _, CustomerLink, Customers as _, Desk, ProviderError, Store, Tx as _,
};
use super::queries::CustomerBrief;
use super::refusal::{Refused, VerbError};

/// A link that is open.
#[derive(Debug, Clone)]
pub struct OpenLink {
    /// The charge that waits behind it.
    pub attempt: PublicId,
    /// Who is to answer.
    pub customer: CustomerBrief,
    /// What is charged then.
    pub amount: Money,
    /// Where the customer answers.
    pub url: Secret,
    /// Until when, in database time.
    pub until: DateTime<Utc>,
}

/// A charge that waits for its customer.
struct Waiting {
    attempt: Attempt,
    customer: CustomerBrief,
    until: DateTime<Utc>,
    provider_ref: String,
}

impl<S: Store> Engine<S> {
    /// The link of a charge that waits for its customer.
    ///
    /// # Errors
    /// When the charge does not wait for anybody, or its provider does not say. Nothing changes either way.
    pub async fn customer_link(
        &self,
        operator: &Operator,
        id: AttemptId,
    ) -> Result<OpenLink, VerbError> {
        self.allow(operator, Verb::Charge).await?;
        let Waiting {
            attempt,
            customer,
            until,
            provider_ref,
        } = self.waiting_charge(operator, id).await?;
        let provider = self.provider(attempt.provider)?;
        let link = {
            let _counted = self.count_call();
            provider
                .customer_link(&mut Desk::new(), &provider_ref)
                .await
        };
        match link {
            CustomerLink::Open(url) => Ok(OpenLink {
                attempt: attempt.public_id,
                customer,
                amount: attempt.amount,
                url,
                until,
            }),
            CustomerLink::Closed => Err(VerbError::Refused(Refused::NoLink)),
            CustomerLink::Unanswered(_) => Err(VerbError::Provider(ProviderError::Unanswered {
                operation: "link",
            })),
        }
    }

    /// The charge behind the link, and the audit row.
    async fn waiting_charge(
        &self,
        operator: &Operator,
        id: AttemptId,
    ) -> Result<Waiting, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let attempt = tx.lock_attempt(id).await?;
        let (Some(until), Some(provider_ref)) =
            (attempt.link_until(), attempt.provider_ref.clone())
        else {
            return Err(VerbError::Refused(Refused::NoLink));
        };
        let customer = customer_brief(&tx.customer(attempt.customer_id).await?);
        let at = tx.db_now().await?;
        let press = Press {
            verb: "reveal",
            target: attempt.public_id.as_str(),
            after: "link",
            result: "done",
            provider_ref: &provider_ref,
            ..Press::default()
        };
        self.audit_in(&mut tx, operator.into(), press, at).await?;
        tx.commit().await?;
        Ok(Waiting {
            attempt,
            customer,
            until,
            provider_ref,
        })
    }
}
