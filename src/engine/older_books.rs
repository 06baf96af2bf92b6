//! Where our books may be older than the provider's: a backup was put back, a failover lost commits.
//!
//! What our books say of a debt that is older than a key is remembered is not enough to move it to another provider, nor to
//! charge it at one before the others that the rules name were asked: it may have been paid there. It settles nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::attempt::{
    Attempt, AttemptKind, OweTimes, Source, Standing, is_known_since_before, looked_for_since,
    may_be_older,
};
use crate::domain::billing::try_of_invoice;
use crate::domain::evidence::Evidence;
use crate::domain::ids::CustomerId;
use crate::domain::mode::ProviderName;
use crate::secret::Secret;

use super::Engine;
use super::breaker::Admission;
use super::ports::{CallReport, Customers, Desk, FindStanding, Provider, Store, Tx, Whose};
use super::refusal::VerbError;
use super::send::{Outgoing, Returned, nothing_left};
use super::settle::Rows;
use super::standing::{NotRead, found_elsewhere};

impl<S: Store> Engine<S> {
    /// Whether what our books say of this debt may be older than what the providers know of it.
    pub(super) fn books_may_be_older(&self, rows: &Rows) -> bool {
        let times = OweTimes {
            owed_since: rows.invoice.due_at,
            business: self.now(),
            database: rows.now,
        };
        may_be_older(rows.attempt.mode, times)
    }

    /// Since when another provider may have been paid what this charge is for, where our books may not know it.
    pub(super) fn others_since(&self, attempt: &Attempt, times: OweTimes) -> Option<DateTime<Utc>> {
        let is_of_a_card = attempt.kind == AttemptKind::Charge
            && attempt.method_id.is_some()
            && attempt.provider_ref.is_none();
        let may_be_older = is_of_a_card && may_be_older(attempt.mode, times);
        (may_be_older && self.others(attempt).next().is_some())
            .then(|| looked_for_since(times.owed_since))
    }

    /// The other providers that the rules name for what is charged, as far as they are configured.
    fn others<'e>(&'e self, attempt: &Attempt) -> impl Iterator<Item = &'e Arc<dyn Provider>> {
        let own = attempt.provider;
        let order = self.parts.settings.routing.order(attempt.amount.currency());
        order
            .filter(move |other| *other != own)
            .filter_map(|other| self.provider(other).ok())
    }

    /// Before a charge of an old debt leaves for its provider: the others are asked whether it was paid there. Where it
    /// was, or one of them does not say, it does not leave. One whose calls are held back is not asked; trouble with asking
    /// counts there like any call's.
    pub(super) async fn looked_elsewhere(
        &self,
        mut outgoing: Outgoing,
    ) -> Result<Outgoing, Box<Returned>> {
        let Some(since) = outgoing.others_since.take() else {
            return Ok(outgoing);
        };
        let asked = self.parts.clock.uptime();
        let others: Vec<_> = self.others(&outgoing.attempt).cloned().collect();
        for other in others {
            let name = other.name();
            let admitted = self.breaker(name).admit(self.now());
            if !admitted.is_given() {
                let silent = CallReport::bare(Evidence::Withheld(name));
                return Err(self.not_asked(outgoing, silent, asked));
            }
            let key = self
                .known_key(name, outgoing.attempt.customer_id, since)
                .await;
            let held = (&outgoing.attempt, &mut outgoing.marked);
            let found = self
                .money_at(other.as_ref(), key.as_ref(), since, held)
                .await;
            if admitted == Admission::Probe && !matches!(found, Err(NotRead::Unanswered(_))) {
                // A list that was told says nothing of charges, and who is asked next may find out.
                self.breaker(name).record_again(true, self.now());
            }
            let report = match found {
                Ok(rows) => match rows.iter().find(|row| row.may_hold_money()) {
                    Some(standing) => found_elsewhere(name, standing),
                    None => match self.tell_given_back(&outgoing.attempt, &rows).await {
                        Ok(()) => continue,
                        Err(_) => nothing_left(),
                    },
                },
                Err(NotRead::Lost) => nothing_left(),
                Err(NotRead::Unanswered(report)) => {
                    let said = report.evidence.name();
                    tracing::warn!(provider = %name, said, "it could not be asked whether it was paid already");
                    CallReport::bare(Evidence::Withheld(name))
                }
            };
            return Err(self.not_asked(outgoing, report, asked));
        }
        Ok(outgoing)
    }

    /// It does not leave. Its own provider was not asked: whoever comes next may try it.
    fn not_asked(&self, outgoing: Outgoing, report: CallReport, asked: Duration) -> Box<Returned> {
        if outgoing.admitted == Admission::Probe {
            let own = self.breaker(outgoing.attempt.provider);
            own.record_again(true, self.now());
        }
        Box::new(Returned {
            attempt: outgoing.attempt,
            report,
            asked: Some(asked),
        })
    }

    /// What stands for the invoice of an attempt at another provider. Without a key of the customer
    /// everybody's are looked through; they are read once for many rows.
    async fn money_at(
        &self,
        other: &dyn Provider,
        key: Option<&Secret>,
        since: DateTime<Utc>,
        (attempt, marked): (&Attempt, &mut Duration),
    ) -> Result<Vec<Standing>, NotRead> {
        if key.is_none() && other.lists_standing() {
            let counts = |report: &CallReport| self.count_trouble(other, report);
            let held = (attempt, marked);
            let all = self.everybodys(other, since, held, counts).await?;
            let ours = try_of_invoice(&attempt.order_id).and_then(|(of, _)| all.get(of));
            return Ok(ours.cloned().unwrap_or_default());
        }
        let call = FindStanding {
            billing_key: key,
            whose: match key {
                Some(_) => Whose::OfCustomer,
                None => Whose::Everybodys,
            },
            order_id: &attempt.order_id,
            since,
        };
        let rows = self.read_standing(other, call, (attempt, marked)).await;
        if let Err(NotRead::Unanswered(report)) = &rows {
            self.count_trouble(other, report);
        }
        rows
    }

    /// Money of the invoice was taken and has all gone back: it may have been given back because it should never have been
    /// taken. Where a person presses, they know; where nobody does, a person is told before it goes on.
    pub(super) async fn tell_given_back(
        &self,
        attempt: &Attempt,
        rows: &[Standing],
    ) -> Result<(), VerbError> {
        let is_by_itself = matches!(attempt.source, Source::Run | Source::Dunning);
        if !is_by_itself || !rows.iter().any(|row| row.is_given_back) {
            return Ok(());
        }
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        self.page_attempt(&mut tx, attempt, "given_back_elsewhere")
            .await?;
        Ok(tx.commit().await?)
    }

    fn count_trouble(&self, other: &dyn Provider, report: &CallReport) {
        let is_trouble = report.evidence.is_trouble();
        self.breaker(other.name())
            .record_first_step(is_trouble, self.now());
    }

    /// A key of the customer there, of a card that was registered before the debt. None where there is none, or it does
    /// not open: then everybody's are looked through.
    async fn known_key(
        &self,
        provider: ProviderName,
        customer: CustomerId,
        since: DateTime<Utc>,
    ) -> Option<Secret> {
        let read = async || -> Result<Option<Secret>, VerbError> {
            let mut desk = Desk::new();
            let mut tx = self.begin(&mut desk).await?;
            let methods = tx.methods_of(customer).await?;
            let known = methods
                .iter()
                .find(|m| m.provider == provider && is_known_since_before(m.created_at, since));
            match known {
                Some(method) => self.open_key_of(&mut tx, method).await.map(Some),
                None => Ok(None),
            }
        };
        read().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the customer's key could not be opened");
            None
        })
    }
}
