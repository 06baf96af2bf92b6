//! What must not be lost while the database is away: issued billing keys and answers that prove something.
//!
//! Both are written to this host's spool and taken in by the next process or look of the reconciler. Taking in twice
//! changes nothing: a key is found by its row's id, an answer is evidence under the fence of its call. A billing key that
//! is taken in late charges nothing; a person is called and sees the card.

use crate::domain::attempt::Attempt;
use crate::domain::evidence::{Evidence, EvidenceSource};
use crate::domain::ids::{IdQuery, Noun};
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::MethodState;

use super::Engine;
use super::audit::{Actor, Press};
use super::ports::{
    Attempts, Books, Customers, Desk, Found, Kept, KeptAnswer, KeptKey, NewMethod, Store,
    StoreError, Subscriptions, Tx,
};
use super::refusal::VerbError;
use super::send::Returned;

impl<S: Store> Engine<S> {
    /// Keeps an answer that proves something. None when there is nothing to keep or it cannot be kept: then the
    /// attempt is looked up as after a crash.
    pub(super) fn keep_answer(
        &self,
        returned: &Returned,
        source: EvidenceSource,
    ) -> Option<String> {
        let proves = match &returned.report.evidence {
            Evidence::Seen(_) | Evidence::Refused(_) => true,
            Evidence::NotSeen
            | Evidence::NotSent
            | Evidence::Unconfirmed
            | Evidence::Withdrawn
            | Evidence::Withheld(_)
            | Evidence::Elsewhere(_)
            | Evidence::Throttled { .. }
            | Evidence::Busy
            | Evidence::Unusable(_) => false,
        };
        if !proves || source != EvidenceSource::Answer {
            return None;
        }
        let epoch = returned.attempt.lease_epoch;
        let name = format!("answer-{}-{epoch}", returned.attempt.public_id);
        let entry = Kept::Answer(Box::new(KeptAnswer {
            attempt: returned.attempt.id,
            order_id: returned.attempt.order_id.clone(),
            epoch,
            report: returned.report.clone(),
        }));
        self.keep(name, &entry)
    }

    /// The same for answers that could not be settled together, where the database is away or full.
    pub(super) fn keep_answers(
        &self,
        batch: &[Returned],
        error: &VerbError,
    ) -> Vec<Option<String>> {
        let is_refused_by_store = matches!(error, VerbError::Store(error) if !matches!(error, StoreError::Stale { .. } | StoreError::Busy(_)));
        let keep = |returned| {
            is_refused_by_store.then(|| self.keep_answer(returned, EvidenceSource::Answer))
        };
        batch
            .iter()
            .map(|returned| keep(returned).flatten())
            .collect()
    }

    /// Keeps a sealed key until its row is written.
    pub(super) fn keep_key(&self, key: KeptKey) -> Option<String> {
        let name = format!("key-{}", key.method);
        self.keep(name, &Kept::Key(Box::new(key)))
    }

    fn keep(&self, name: String, entry: &Kept) -> Option<String> {
        match self.parts.spool.keep(&name, entry) {
            Ok(()) => Some(name),
            Err(error) => {
                tracing::error!(entry = %name, %error, "could not be kept on this host");
                None
            }
        }
    }

    /// The database has it.
    pub(super) fn forget_kept(&self, name: Option<String>) {
        let Some(name) = name else { return };
        if let Err(error) = self.parts.spool.remove(&name) {
            // It is taken in once more, which changes nothing.
            tracing::warn!(entry = %name, %error, "a kept entry could not be removed");
        }
    }

    /// Whether this host keeps something that the database has not taken.
    pub fn has_kept(&self) -> bool {
        self.parts.spool.kept().is_ok_and(|kept| !kept.is_empty())
    }

    /// Gives the database what this host kept for it. Gives how many entries it took; what cannot be taken now stays.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn take_in_kept(&self, operator: &Operator) -> Result<u32, VerbError> {
        let mut taken = 0;
        for (name, entry) in self.parts.spool.kept().unwrap_or_default() {
            let outcome = match &entry {
                Kept::Key(key) => self.take_in_key(key, operator.into()).await,
                Kept::Answer(answer) => self.take_in_answer(answer, operator.into()).await,
            };
            match outcome {
                Ok(()) => {
                    taken += 1;
                    self.forget_kept(Some(name));
                }
                Err(VerbError::Store(
                    error @ (StoreError::Unreachable(_)
                    | StoreError::Busy(_)
                    | StoreError::CommitUnknown(_)),
                )) => return Err(error.into()),
                Err(error) => tracing::error!(entry = %name, %error, "a kept entry stays"),
            }
        }
        Ok(taken)
    }

    async fn take_in_answer(&self, kept: &KeptAnswer, actor: Actor<'_>) -> Result<(), VerbError> {
        let attempt = {
            let mut desk = Desk::new();
            let mut tx = self.begin(&mut desk).await?;
            tx.lock_attempt(kept.attempt).await?
        };
        if attempt.order_id != kept.order_id {
            return Err(somebody_else());
        }
        let returned = Returned {
            attempt: Attempt {
                lease_epoch: kept.epoch,
                ..attempt
            },
            report: kept.report.clone(),
            asked: None,
        };
        self.settle_one(&returned, EvidenceSource::Answer, actor)
            .await
            .map(|_settled| ())
    }

    /// The card becomes the customer's as if it had been stored at once, unless a newer one is there already.
    async fn take_in_key(&self, kept: &KeptKey, actor: Actor<'_>) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let stored = IdQuery::Exact(kept.method.clone());
        if tx.find_id(Noun::Method, &stored).await? != Found::None {
            return Ok(());
        }
        let customer = tx.customer(kept.customer).await?;
        if customer.customer_key != kept.customer_key {
            return Err(somebody_else());
        }
        // The same auth key was exchanged twice: the card is there under the name of the first time.
        if tx.method_by_hash(&kept.key.hash).await?.is_some() {
            return Ok(());
        }
        let methods = tx.active_methods_of(kept.customer).await?;
        let before = methods.into_iter().find(|m| m.provider == kept.provider);
        let id = tx
            .insert_method(&NewMethod {
                public_id: &kept.method,
                customer_id: kept.customer,
                provider: kept.provider,
                mode: kept.mode,
                card: &kept.card,
                key: &kept.key,
                at: kept.at,
            })
            .await?;
        let (active, replaced) = (MethodState::Active, MethodState::Replaced);
        match before {
            Some(newer) if newer.created_at > kept.at => {
                tx.move_method(id, active, replaced, self.now()).await?;
            }
            before => {
                for subscription in tx.running_subscriptions_of(kept.customer).await? {
                    self.use_method(&mut tx, subscription, id, kept.provider)
                        .await?;
                }
                if let Some(old) = before {
                    tx.move_method(old.id, active, replaced, self.now()).await?;
                }
            }
        }
        let at = tx.db_now().await?;
        tx.finish_issue(kept.issue, "issued", Some(id), None, at)
            .await?;
        let notice = format!("{}:kept_key", kept.method);
        let payload = format!("{{\"method\":\"{}\",\"what\":\"kept_key\"}}", kept.method);
        tx.queue_notice("page", &notice, &payload, self.now())
            .await?;
        let press = Press {
            verb: Verb::SwapCard.as_str(),
            target: customer.public_id.as_str(),
            after: kept.method.as_str(),
            reason: "kept on the host while the database was away",
            result: "done",
            ..Press::default()
        };
        self.audit_in(&mut tx, actor, press, at).await?;
        Ok(tx.commit().await?)
    }
}

/// The database was restored from before the entry was made: what is kept here is about a row that is gone.
fn somebody_else() -> VerbError {
    VerbError::Range("the row under this number is another one than the entry is about".to_owned())
}
