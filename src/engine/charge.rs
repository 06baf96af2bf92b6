//! Charge and retry: one new attempt for one invoice.
//!
//! The invoice row is locked first; the database refuses a second open attempt whatever this code
//! believes. Everything that can fail without the provider fails here, before anything is sent.

use chrono::{DateTime, Utc};

use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use crate::domain::customer::{Customer, PaymentMethod};
use crate::domain::failure::FailureClass;
use crate::domain::ids::{InvoiceId, Noun, PublicId, SubscriptionId};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::states::{AttemptState, InvoiceState, MethodState, SubscriptionState};
use crate::domain::subscription::{Subscription, Term};

use super::Engine;
use super::action::{ActionPlan, Confirmation, NotHappening, Warning};
use super::after_payment::{amount_of, coming_period, effects_of_payment};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::fallback::Onward;
use super::fingerprint::Fingerprint;
use super::ports::{ChargeRequest, Constraint, Lease, NewAttempt, Store, StoreError, Tx};
use super::queries::{CardBrief, CustomerBrief};
use super::refusal::{Refused, VerbError};

/// Everything read for a charge.
pub(super) struct ChargeWork {
    pub verb: Verb,
    pub invoice: Invoice,
    pub subscription: Option<(Subscription, Term)>,
    pub customer: Customer,
    pub method: PaymentMethod,
    pub source: Source,
    pub attempt_no: u32,
    /// The card that a person's plan names for when the provider is certainly not reached.
    pub next: Option<PaymentMethod>,
}

/// How a charge attempt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Written down; sent after its own commit.
    Ready,
    /// Handed to the network as soon as this commit is durable.
    Sent,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_charge<T: Tx>(
        &self,
        tx: &mut T,
        verb: Verb,
        invoice: InvoiceId,
    ) -> Result<Prepared, VerbError> {
        let (owner, invoice) = self.lock_invoice_in_order(tx, invoice).await?;
        if let Some(wish) = self.as_wish(tx, verb, owner.as_ref(), &invoice).await? {
            return Ok(wish);
        }
        let work = self.read_charge(tx, verb, owner, invoice).await?;
        let plan = self.charge_plan(&work)?;
        Ok(Prepared {
            plan,
            work: Work::Charge(Box::new(work)),
        })
    }

    async fn read_charge<T: Tx>(
        &self,
        tx: &mut T,
        verb: Verb,
        subscription: Option<(Subscription, Term)>,
        invoice: Invoice,
    ) -> Result<ChargeWork, VerbError> {
        match invoice.state {
            InvoiceState::Paid => return Err(VerbError::Refused(Refused::AlreadyPaid)),
            InvoiceState::Void => return Err(VerbError::Refused(Refused::NotChargeable)),
            InvoiceState::Open | InvoiceState::Draft | InvoiceState::Uncollectible => {}
        }
        let attempts = tx.charges_of(invoice.id).await?;
        if let Some(open) = attempts
            .iter()
            .find(|a| a.state.holds_charge_slot() || a.state.is_open())
        {
            return Err(VerbError::Refused(Refused::InProgress {
                attempt: open.public_id.clone(),
                operator: open.operator.clone(),
                since: open.created_at,
            }));
        }
        let has_failed =
            |state| matches!(state, AttemptState::Declined | AttemptState::NotExecuted);
        if verb == Verb::Retry && !attempts.iter().any(|a| has_failed(a.state)) {
            return Err(VerbError::Refused(Refused::NothingDeclined));
        }
        if let Some((subscription, term)) = &subscription {
            if subscription.state.is_ended() || subscription.state == SubscriptionState::Paused {
                return Err(VerbError::Refused(Refused::SubscriptionState(
                    subscription.state,
                )));
            }
            check_amount(&invoice, term)?;
        }
        let customer = tx.customer(invoice.customer_id).await?;
        let method = self
            .method_to_charge(tx, &invoice, subscription.as_ref().map(|(s, _)| s))
            .await?;
        let attempt_no = next_attempt_no(&attempts)?.max(first_number(&invoice));
        let next = self.next_card_for(tx, &invoice, method.provider).await?;
        Ok(ChargeWork {
            next,
            verb,
            invoice,
            subscription,
            customer,
            method,
            source: Source::Manual,
            attempt_no,
        })
    }

    /// Locks subscription, then invoice: the order that every transaction keeps.
    pub(super) async fn lock_invoice_in_order<T: Tx>(
        &self,
        tx: &mut T,
        id: InvoiceId,
    ) -> Result<(Option<(Subscription, Term)>, Invoice), VerbError> {
        let owner = tx.subscription_of_invoice(id).await?;
        self.lock_owned_invoice(tx, owner, id).await
    }

    /// The same where it is known whose the invoice is.
    pub(super) async fn lock_owned_invoice<T: Tx>(
        &self,
        tx: &mut T,
        owner: Option<SubscriptionId>,
        id: InvoiceId,
    ) -> Result<(Option<(Subscription, Term)>, Invoice), VerbError> {
        let subscription = match owner {
            Some(owner) => {
                let subscription = tx.lock_subscription(owner).await?;
                Some(subscription)
            }
            None => None,
        };
        let invoice = tx.lock_invoice(id).await?;
        let with_term = match subscription {
            Some(subscription) => {
                let term = tx.term(subscription.id, invoice.term_no).await?;
                Some((subscription, term))
            }
            None => None,
        };
        Ok((with_term, invoice))
    }

    /// The card of the subscription, or the customer's newest active one.
    pub(super) async fn method_to_charge<T: Tx>(
        &self,
        tx: &mut T,
        invoice: &Invoice,
        subscription: Option<&Subscription>,
    ) -> Result<PaymentMethod, VerbError> {
        let own = match subscription.and_then(|s| s.method_id) {
            Some(id) => Some(tx.method(id).await?),
            None => None,
        };
        // The rules say who is asked for this currency: a card that was registered elsewhere is not charged instead.
        let may_be_charged = |m: &&PaymentMethod| {
            m.state == MethodState::Active
                && self.is_asked_for(m.provider, invoice.amount.currency())
        };
        if let Some(method) = own.as_ref().filter(may_be_charged) {
            return Ok(method.clone());
        }
        match self
            .method_for(tx, invoice.customer_id, invoice.amount.currency())
            .await?
        {
            Some(method) => Ok(method),
            None if own.is_some_and(|m| m.state == MethodState::Deleted) => {
                Err(VerbError::Refused(Refused::KeyDeleted))
            }
            None => Err(VerbError::Refused(Refused::NoMethod)),
        }
    }

    fn charge_plan(&self, work: &ChargeWork) -> Result<ActionPlan, VerbError> {
        let settings = &self.parts.settings;
        let invoice = &work.invoice;
        let provider = work.method.provider;
        check_chargeable(provider, invoice.amount)?;
        let now = self.now();
        let fingerprint = Fingerprint::of(work.verb.as_str())
            .and(invoice.public_id.as_str())
            .number(invoice.version)
            .number(invoice.amount.minor())
            .number(i64::from(work.attempt_no))
            .and(work.method.public_id.as_str())
            .number(work.method.version)
            .and(work.next.as_ref().map_or("", |m| m.public_id.as_str()))
            .number(work.next.as_ref().map_or(0, |m| m.version))
            .number(work.subscription.as_ref().map_or(0, |(s, _)| s.version))
            // A plan made before a period's end says something else than one made after it.
            .number(coming_period(work.subscription.as_ref(), now)?.map_or(0, i64::from))
            .finish();
        let mut warnings = Vec::new();
        if is_expired(&work.method, self.local_date(now)) {
            warnings.push(Warning::CardExpired);
        }
        if invoice.last_class == Some(FailureClass::Hard) {
            warnings.push(Warning::HardDecline);
        }
        if work
            .subscription
            .as_ref()
            .is_some_and(|(s, _)| s.cancel_at.is_some())
        {
            warnings.push(Warning::CancelScheduled);
        }
        let mut effects = effects_of_payment(work.subscription.as_ref(), &work.invoice, now)?;
        let next = work.next.as_ref();
        effects.extend(
            next.map(|card| self.asked_next(&invoice.public_id, work.attempt_no + 1, card)),
        );
        Ok(ActionPlan {
            verb: work.verb,
            mode: settings.mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(invoice.public_id.clone()),
            subscription: work.subscription.as_ref().map(|(s, _)| s.public_id.clone()),
            what: invoice.description.clone(),
            card: Some(card_brief(&work.method)),
            amount: Some(invoice.amount),
            call: Some(self.charge_call(provider, &invoice.public_id, work.attempt_no)),
            if_not_seen: None,
            asked: None,
            effects,
            not_happening: match &work.subscription {
                Some((s, _)) if s.state == SubscriptionState::Unpaid => Vec::new(),
                _ => vec![NotHappening::ScheduleMove],
            },
            warnings,
            confirm: match settings.mode {
                Mode::Live => Confirmation::Amount(invoice.amount),
                Mode::Test | Mode::Sim => Confirmation::Key,
            },
        })
    }

    pub(super) async fn write_charge<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        mut work: ChargeWork,
    ) -> Result<Next, VerbError> {
        if work.invoice.state == InvoiceState::Draft {
            work.invoice.state = InvoiceState::Open;
        }
        let attempt = self
            .insert_charge(tx, actor, &mut work, Start::Ready, "")
            .await?;
        let onward = Onward::as_planned(work.next.as_ref(), work.verb);
        Ok(Next::Charge(attempt.id, onward))
    }

    /// Writes the attempt with its exact bytes, counts it on the invoice, and the audit row.
    pub(super) async fn insert_charge<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: &mut ChargeWork,
        start: Start,
        reason: &str,
    ) -> Result<Attempt, VerbError> {
        let mode = self.parts.settings.mode;
        let invoice = &work.invoice;
        let provider = self.provider(work.method.provider)?;
        let order_id = self
            .parts
            .install
            .order_id(&invoice.public_id, work.attempt_no);
        let idem_key = self.parts.install.idempotency_key(
            provider.name(),
            mode,
            AttemptKind::Charge,
            &invoice.public_id,
            work.attempt_no,
        );
        let body = provider.charge_body(&ChargeRequest {
            order_id: &order_id,
            order_name: &invoice.description,
            customer_key: &work.customer.customer_key,
            amount: invoice.amount,
        });
        let now = tx.db_now().await?;
        let public_id = self.parts.ids.public_id(Noun::Attempt);
        let new = NewAttempt {
            public_id: &public_id,
            kind: AttemptKind::Charge,
            invoice_id: invoice.id,
            payment_id: None,
            customer_id: invoice.customer_id,
            subscription_id: invoice.subscription_id,
            attempt_no: work.attempt_no,
            source: work.source,
            provider: provider.name(),
            mode,
            method_id: Some(work.method.id),
            order_id: &order_id,
            idem_key: &idem_key,
            provider_ref: None,
            body: &body,
            amount: invoice.amount,
            expected_balance_minor: None,
            also_cancel: AlsoCancel::No,
            state: match start {
                Start::Ready => AttemptState::Ready,
                Start::Sent => AttemptState::Sent,
            },
            send_after: None,
            lease: Some(self.lease(now)),
            operator: actor.person,
            reason,
            at: now,
        };
        let id = tx.insert_attempt(&new).await.map_err(as_in_progress)?;
        let attempt = new.stored(id);
        self.count_attempt(tx, actor, work, &public_id, reason, now)
            .await?;
        Ok(attempt)
    }

    /// Counts a new attempt on its invoice, with the audit row.
    async fn count_attempt<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: &mut ChargeWork,
        attempt: &PublicId,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        let invoice = &mut work.invoice;
        invoice.attempts = invoice.attempts.saturating_add(1);
        if work.source == Source::Dunning {
            invoice.next_attempt_at = None;
        }
        tx.save_invoice(invoice).await?;
        invoice.version += 1;
        let press = Press {
            verb: work.verb.as_str(),
            target: invoice.public_id.as_str(),
            before: invoice.state.as_str(),
            after: attempt.as_str(),
            reason,
            result: "intent",
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, now).await?)
    }

    /// A fresh lease for this process.
    pub(super) fn lease(&self, db_now: DateTime<Utc>) -> Lease<'_> {
        let until = db_now + chrono::Duration::seconds(self.parts.settings.lease_s);
        Lease {
            owner: &self.parts.process,
            until,
        }
    }
}

/// The number of the next attempt on a target.
pub(super) fn next_attempt_no(
    attempts: &[crate::domain::attempt::Attempt],
) -> Result<u32, VerbError> {
    let highest = attempts.iter().map(|a| a.attempt_no).max().unwrap_or(0);
    highest
        .checked_add(1)
        .ok_or_else(|| VerbError::Range("too many attempts".to_owned()))
}

/// A checkout gives its invoice's first name to the payment window, where the customer may still be: no charge of ours
/// goes by that name, or a look-up would take the one for the other.
const fn first_number(invoice: &Invoice) -> u32 {
    match invoice.kind {
        InvoiceKind::OneTime => 2,
        _ => 1,
    }
}

/// A renewal's amount must be what its term gives; anything else was tampered with.
pub(super) fn check_amount(invoice: &Invoice, term: &Term) -> Result<(), VerbError> {
    if invoice.kind != InvoiceKind::Renewal {
        return Ok(());
    }
    if amount_of(term)? == invoice.amount {
        Ok(())
    } else {
        Err(VerbError::Refused(Refused::AmountMismatch))
    }
}

/// Whether the provider takes the amount: asked before anything is written, not of the provider.
pub(super) fn check_chargeable(provider: ProviderName, amount: Money) -> Result<(), VerbError> {
    provider
        .takes(amount)
        .map_err(|why| VerbError::Refused(why.into()))
}

pub(super) fn is_expired(method: &PaymentMethod, today: chrono::NaiveDate) -> bool {
    use chrono::Datelike;
    method
        .card
        .expiry
        .is_some_and(|expiry| expiry < (today.year(), today.month()))
}

pub(super) fn customer_brief(customer: &Customer) -> CustomerBrief {
    CustomerBrief {
        id: customer.id,
        public_id: customer.public_id.clone(),
        name: customer.name.clone(),
    }
}

pub(super) fn card_brief(method: &PaymentMethod) -> CardBrief {
    CardBrief {
        provider: method.provider,
        issuer: method.card.issuer.clone(),
        number: method.card.number.clone(),
        expiry: method.card.expiry,
        state: method.state,
    }
}

/// The database saw an open attempt that we did not: somebody was faster.
pub(super) fn as_in_progress(error: StoreError) -> VerbError {
    match error {
        StoreError::Refused(
            Constraint::OpenCharge
            | Constraint::OpenRefund
            | Constraint::AttemptNumber
            | Constraint::OrderId
            | Constraint::IdempotencyKey,
        ) => VerbError::Stale,
        other => VerbError::Store(other),
    }
}
