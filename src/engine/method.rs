//! Registering a card from an auth key, and charging what is owed with it.
//!
//! The intention is written down before the auth key is exchanged, because the billing key that
//! comes back exists nowhere else: it is sealed, kept on this host until its row is written, and
//! stored at once. The auth key is never sent twice. Dates of subscriptions stay as they are.

use crate::domain::attempt::Source;
use crate::domain::customer::{Card, Customer, PaymentMethod};
use crate::domain::ids::{
    AttemptId, CustomerId, IdQuery, InvoiceId, MethodId, Noun, PublicId, SubscriptionId,
};
use crate::domain::invoice::Invoice;
use crate::domain::mode::ProviderName;
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::{InvoiceState, MethodState};
use crate::domain::subscription::{Subscription, Term};
use crate::secret::Secret;

use super::Engine;
use super::action::{
    ActionPlan, Confirmation, Effect, NotHappening, Outcome, PlannedCall, Receipt,
};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::{ChargeWork, Start, check_amount, customer_brief, next_attempt_no};
use super::fallback::Onward;
use super::fingerprint::Fingerprint;
use super::ports::{
    Attempts, Customers, Desk, Found, IssueOutcome, KeptKey, NewMethod, RegisterCall, SealedFor,
    Store, StoreError, Subscriptions, Tx,
};
use super::refusal::{Refused, VerbError};
use super::route::provider_of;

/// Everything read for a new card.
pub(super) struct MethodWork {
    customer: Customer,
    auth_key: Secret,
    pub provider: ProviderName,
    owed: Option<Invoice>,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_issue<T: Tx>(
        &self,
        tx: &mut T,
        customer: CustomerId,
        auth_key: &Secret,
        provider: Option<ProviderName>,
    ) -> Result<Prepared, VerbError> {
        let length = auth_key.expose().len();
        if !(4..=300).contains(&length) {
            return Err(VerbError::Input {
                field: "auth-key",
                reason: "4 to 300 characters".to_owned(),
            });
        }
        let customer = tx.customer(customer).await?;
        let provider = provider.unwrap_or_else(|| provider_of(auth_key));
        let owed = self.owed_by(tx, customer.id, provider).await?;
        let work = MethodWork {
            customer,
            auth_key: auth_key.clone(),
            provider,
            owed,
        };
        let plan = self.issue_plan(&work);
        Ok(Prepared {
            plan,
            work: Work::Method(Box::new(work)),
        })
    }

    /// The oldest failed invoice that a new card would pay at once.
    async fn owed_by<T: Tx>(
        &self,
        tx: &mut T,
        customer: CustomerId,
        provider: ProviderName,
    ) -> Result<Option<Invoice>, VerbError> {
        for id in tx.failed_invoices_of_customer(customer).await? {
            let attempts = tx.charges_of(id).await?;
            if attempts
                .iter()
                .any(|a| a.state.holds_charge_slot() || a.state.is_open())
            {
                continue;
            }
            let (subscription, invoice) = self.lock_invoice_in_order(tx, id).await?;
            let is_running = subscription
                .as_ref()
                .is_none_or(|(s, _)| !s.state.is_ended());
            if is_running
                && invoice.state == InvoiceState::Open
                && is_as_agreed(&invoice, subscription.as_ref())
                && self.may_charge(provider, &invoice)
            {
                return Ok(Some(invoice));
            }
        }
        Ok(None)
    }

    fn issue_plan(&self, work: &MethodWork) -> ActionPlan {
        let fingerprint = Fingerprint::of("swap-card")
            .and(work.customer.public_id.as_str())
            .number(work.customer.version)
            .and(&self.parts.install.keyed_hash(work.auth_key.expose()))
            .and(work.provider.as_str())
            .and(work.owed.as_ref().map_or("", |i| i.public_id.as_str()))
            .number(work.owed.as_ref().map_or(0, |i| i.version))
            .finish();
        let effects = work.owed.iter().map(|invoice| Effect::ChargesOwed {
            invoice: invoice.public_id.clone(),
            amount: invoice.amount,
        });
        ActionPlan {
            verb: Verb::SwapCard,
            mode: self.parts.settings.mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(work.customer.public_id.clone()),
            subscription: None,
            what: String::new(),
            card: None,
            amount: work.owed.as_ref().map(|invoice| invoice.amount),
            call: Some(PlannedCall {
                provider: work.provider,
                operation: "issue",
                order_id: String::new(),
                idem_key: String::new(),
                expected_balance_minor: None,
            }),
            if_not_seen: None,
            asked: None,
            effects: effects.collect(),
            not_happening: vec![NotHappening::ScheduleMove],
            warnings: Vec::new(),
            confirm: Confirmation::Key,
        }
    }

    pub(super) async fn write_issue<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: MethodWork,
    ) -> Result<Next, VerbError> {
        // Before anything is written: nobody else could exchange it.
        self.provider(work.provider)?;
        let at = tx.db_now().await?;
        let hash = self.parts.install.keyed_hash(work.auth_key.expose());
        let issue = tx
            .insert_issue(work.customer.id, &hash, actor.person, at)
            .await?;
        let press = Press {
            verb: Verb::SwapCard.as_str(),
            target: work.customer.public_id.as_str(),
            result: "intent",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(Next::Issue(Box::new(work), issue))
    }

    /// Exchanges the auth key, stores the card, then charges what is owed with it.
    pub(super) async fn issue(
        &self,
        work: MethodWork,
        issue: i64,
        operator: &Operator,
    ) -> Result<Outcome, VerbError> {
        let provider = self.provider(work.provider)?;
        let known = self.known_to(work.provider, work.customer.id).await?;
        let outcome = {
            let _counted = self.count_call();
            let mut desk = Desk::new();
            provider
                .issue(
                    &mut desk,
                    RegisterCall {
                        auth_key: &work.auth_key,
                        customer_key: &work.customer.customer_key,
                        provider_customer: known.as_deref(),
                    },
                )
                .await
        };
        let receipt = Receipt {
            public_id: Some(work.customer.public_id.clone()),
            ..Receipt::default()
        };
        match outcome {
            IssueOutcome::Issued {
                billing_key, card, ..
            } => {
                let issued = self.seal_issued(&work, issue, &billing_key, card)?;
                drop(billing_key);
                // Kept before anything else: the database may be away, and this process may end.
                let kept = self.keep_key(issued.clone());
                let stored = self.store_until_written(&work, &issued, operator).await;
                let (method, charge) = stored?;
                self.forget_kept(kept);
                match charge {
                    Some(attempt) => self.send(attempt, Onward::Nobody, operator).await,
                    None => Ok(Outcome::Done(Receipt {
                        public_id: Some(method),
                        ..receipt
                    })),
                }
            }
            IssueOutcome::Refused(refusal) => {
                self.finish_issue(&work, issue, "refused", Some(&refusal.code), operator)
                    .await?;
                Err(VerbError::Refused(Refused::CardRefused(refusal.code)))
            }
            IssueOutcome::NotSent => {
                self.finish_issue(&work, issue, "not_sent", None, operator)
                    .await?;
                Ok(Outcome::NotSent(receipt))
            }
            IssueOutcome::Unusable(why) => {
                self.finish_issue(&work, issue, "unknown", Some(why.as_str()), operator)
                    .await?;
                Ok(Outcome::Unknown(receipt))
            }
        }
    }

    /// Binds the key to the row it will have, so that the row is the same however often it is written.
    fn seal_issued(
        &self,
        work: &MethodWork,
        issue: i64,
        key: &Secret,
        card: Card,
    ) -> Result<KeptKey, VerbError> {
        let mode = self.parts.settings.mode;
        let provider = work.provider;
        let method = self.parts.ids.public_id(Noun::Method);
        let row = SealedFor {
            method: &method,
            provider,
            mode,
        };
        Ok(KeptKey {
            issue,
            customer: work.customer.id,
            customer_key: work.customer.customer_key.clone(),
            key: self.parts.vault.seal(row, key)?,
            method,
            provider,
            mode,
            card,
            at: self.now(),
        })
    }

    /// Storing it is tried for as long as the database stays away; after that it is taken in from this host's spool.
    async fn store_until_written(
        &self,
        work: &MethodWork,
        issued: &KeptKey,
        operator: &Operator,
    ) -> Result<(PublicId, Option<AttemptId>), VerbError> {
        let mut wait_ms = 20;
        for _ in 0..40 {
            match self.store_method(work, issued, operator).await {
                Err(VerbError::Store(
                    StoreError::Busy(_) | StoreError::Unreachable(_) | StoreError::CommitUnknown(_),
                )) => {
                    self.pause_ms(wait_ms).await;
                    wait_ms = (wait_ms * 2).min(2_000);
                }
                // Another process took it in while this one wrote: then it is stored, and looking again says so.
                Err(VerbError::Store(StoreError::Refused(_)))
                    if self.is_stored(issued).await.unwrap_or(false) =>
                {
                    return Ok((issued.method.clone(), None));
                }
                other => return other,
            }
        }
        self.store_method(work, issued, operator).await
    }

    async fn is_stored(&self, issued: &KeptKey) -> Result<bool, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let stored = IdQuery::Exact(issued.method.clone());
        Ok(tx.find_id(Noun::Method, &stored).await? != Found::None)
    }

    async fn store_method(
        &self,
        work: &MethodWork,
        issued: &KeptKey,
        operator: &Operator,
    ) -> Result<(PublicId, Option<AttemptId>), VerbError> {
        let actor = Actor::from(operator);
        let public_id = &issued.method;
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let stored = IdQuery::Exact(public_id.clone());
        if tx.find_id(Noun::Method, &stored).await? != Found::None {
            // A commit whose answer was lost, or another process took it in: what was owed waits for its next turn.
            return Ok((public_id.clone(), None));
        }
        if let Some(same) = tx.method_by_hash(&issued.key.hash).await? {
            return self.store_known_key(tx, work, issued, same, actor).await;
        }
        let methods = tx.active_methods_of(work.customer.id).await?;
        let before = methods.into_iter().find(|m| m.provider == issued.provider);
        let id = tx
            .insert_method(&NewMethod {
                public_id,
                customer_id: issued.customer,
                provider: issued.provider,
                mode: issued.mode,
                card: &issued.card,
                key: &issued.key,
                at: issued.at,
            })
            .await?;
        for subscription in tx.running_subscriptions_of(work.customer.id).await? {
            self.use_method(&mut tx, subscription, id, issued.provider)
                .await?;
        }
        if let Some(old) = before {
            tx.move_method(
                old.id,
                MethodState::Active,
                MethodState::Replaced,
                self.now(),
            )
            .await?;
        }
        let at = tx.db_now().await?;
        tx.finish_issue(issued.issue, "issued", Some(id), None, at)
            .await?;
        let press = Press {
            verb: Verb::SwapCard.as_str(),
            target: work.customer.public_id.as_str(),
            after: public_id.as_str(),
            result: "done",
            ..Press::default()
        };
        self.audit_in(&mut tx, actor, press, at).await?;
        let charge = match &work.owed {
            Some(invoice) => {
                let method = tx.method(id).await?;
                self.charge_owed(&mut tx, actor, invoice.id, method).await?
            }
            None => None,
        };
        tx.commit().await?;
        Ok((public_id.clone(), charge))
    }

    /// The same auth key was exchanged before, and the provider answered with the key that it gave then: the card is
    /// there already.
    async fn store_known_key<T: Tx>(
        &self,
        mut tx: T,
        work: &MethodWork,
        issued: &KeptKey,
        same: MethodId,
        actor: Actor<'_>,
    ) -> Result<(PublicId, Option<AttemptId>), VerbError> {
        let method = tx.method(same).await?;
        let at = tx.db_now().await?;
        tx.finish_issue(issued.issue, "issued", Some(same), None, at)
            .await?;
        let press = Press {
            verb: Verb::SwapCard.as_str(),
            target: work.customer.public_id.as_str(),
            after: method.public_id.as_str(),
            reason: "this card was registered before",
            result: "done",
            ..Press::default()
        };
        self.audit_in(&mut tx, actor, press, at).await?;
        tx.commit().await?;
        Ok((method.public_id, None))
    }

    pub(super) async fn use_method<T: Tx>(
        &self,
        tx: &mut T,
        id: SubscriptionId,
        method: MethodId,
        provider: ProviderName,
    ) -> Result<(), VerbError> {
        let mut subscription = tx.lock_subscription(id).await?;
        // A card takes the place of one at the same provider, and of none where the provider takes what is charged.
        let is_for_it = if let Some(old) = subscription.method_id {
            tx.method(old).await?.provider == provider
        } else {
            let term = tx.term(subscription.id, subscription.term_no).await?;
            self.is_asked_for(provider, term.price.currency())
        };
        if !is_for_it {
            return Ok(());
        }
        subscription.method_id = Some(method);
        Ok(tx.save_subscription(&subscription).await?)
    }

    /// One attempt with the new card and no other, if the invoice is still owed and nothing is out for it.
    async fn charge_owed<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        id: InvoiceId,
        method: PaymentMethod,
    ) -> Result<Option<AttemptId>, VerbError> {
        let (subscription, invoice) = self.lock_invoice_in_order(tx, id).await?;
        let attempts = tx.charges_of(id).await?;
        let is_locked = attempts
            .iter()
            .any(|a| a.state.holds_charge_slot() || a.state.is_open());
        let is_running = subscription
            .as_ref()
            .is_none_or(|(s, _)| !s.state.is_ended());
        if is_locked
            || !is_running
            || invoice.state != InvoiceState::Open
            || !is_as_agreed(&invoice, subscription.as_ref())
            || !self.may_charge(method.provider, &invoice)
        {
            return Ok(None);
        }
        let customer = tx.customer(invoice.customer_id).await?;
        let attempt_no = next_attempt_no(&attempts)?;
        let mut work = ChargeWork {
            verb: Verb::SwapCard,
            invoice,
            subscription,
            customer,
            method,
            source: Source::CardUpdate,
            attempt_no,
            next: None,
        };
        Ok(Some(
            self.insert_charge(tx, actor, &mut work, Start::Ready, "")
                .await?
                .id,
        ))
    }

    async fn finish_issue(
        &self,
        work: &MethodWork,
        issue: i64,
        outcome: &str,
        code: Option<&str>,
        operator: &Operator,
    ) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        tx.finish_issue(issue, outcome, None, code, at).await?;
        let press = Press {
            verb: Verb::SwapCard.as_str(),
            target: work.customer.public_id.as_str(),
            reason: code.unwrap_or_default(),
            result: outcome,
            ..Press::default()
        };
        self.audit_in(&mut tx, operator.into(), press, at).await?;
        Ok(tx.commit().await?)
    }
}

/// Whether the invoice asks for what its term gives. A new card never pays anything else.
fn is_as_agreed(invoice: &Invoice, subscription: Option<&(Subscription, Term)>) -> bool {
    subscription.is_none_or(|(_, term)| check_amount(invoice, term).is_ok())
}
