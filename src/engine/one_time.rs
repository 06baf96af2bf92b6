//! Charge once, not tied to a renewal: an invoice of its own and its first attempt.

use crate::domain::attempt::Source;
use crate::domain::customer::{Customer, PaymentMethod};
use crate::domain::ids::{CustomerId, PublicId};
use crate::domain::invoice::InvoiceKind;
use crate::domain::mode::Mode;
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::states::InvoiceState;

use super::Engine;
use super::action::{ActionPlan, Confirmation, Effect, NotHappening, Warning};
use super::apply::{Next, Prepared, Work};
use super::audit::Actor;
use super::charge::{ChargeWork, Start, card_brief, check_chargeable, customer_brief, is_expired};
use super::fallback::Onward;
use super::fingerprint::Fingerprint;
use super::ports::{NewInvoice, Store, Tx};
use super::refusal::{Refused, VerbError};

/// Everything read for a one-time charge.
pub(super) struct OneTimeWork {
    customer: Customer,
    method: PaymentMethod,
    /// The card that the plan names for when the provider is certainly not reached.
    next: Option<PaymentMethod>,
    amount: Money,
    description: String,
    /// The invoice's id, as its plan says it.
    invoice: PublicId,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_one_time<T: Tx>(
        &self,
        tx: &mut T,
        customer: CustomerId,
        amount: Money,
        description: &str,
    ) -> Result<Prepared, VerbError> {
        let description = description.trim();
        if description.is_empty() || description.chars().count() > 100 {
            return Err(VerbError::Input {
                field: "description",
                reason: "1 to 100 characters".to_owned(),
            });
        }
        let customer = tx.customer(customer).await?;
        let method = self
            .method_for(tx, customer.id, amount.currency())
            .await?
            .ok_or(VerbError::Refused(Refused::NoMethod))?;
        check_chargeable(method.provider, amount)?;
        let next = self
            .next_card(tx, (customer.id, amount), method.provider)
            .await?;
        // The customer's version grows with each one-time charge: the same plan never applies twice.
        let fingerprint = Fingerprint::of("one-time")
            .and(customer.public_id.as_str())
            .number(customer.version)
            .and(method.public_id.as_str())
            .number(method.version)
            .and(next.as_ref().map_or("", |m| m.public_id.as_str()))
            .number(next.as_ref().map_or(0, |m| m.version))
            .number(amount.minor())
            .and(amount.currency().code())
            .and(description)
            .and(&self.local_date(self.now()).to_string())
            .finish();
        let work = OneTimeWork {
            customer,
            method,
            next,
            amount,
            description: description.to_owned(),
            invoice: self.invoice_to_be(&fingerprint),
        };
        let plan = self.one_time_plan(&work, fingerprint);
        Ok(Prepared {
            plan,
            work: Work::OneTime(Box::new(work)),
        })
    }

    fn one_time_plan(&self, work: &OneTimeWork, fingerprint: String) -> ActionPlan {
        let mode = self.parts.settings.mode;
        let mut warnings = vec![Warning::KeysAreForRecurring];
        if is_expired(&work.method, self.local_date(self.now())) {
            warnings.push(Warning::CardExpired);
        }
        // Once is not recurring: no figure of what recurs moves.
        let mut effects = vec![Effect::Mrr(Money::new(0, work.amount.currency()))];
        let next = work.next.as_ref();
        effects.extend(next.map(|card| self.asked_next(&work.invoice, 2, card)));
        ActionPlan {
            verb: Verb::OneTime,
            mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(work.customer.public_id.clone()),
            subscription: None,
            what: work.description.clone(),
            card: Some(card_brief(&work.method)),
            amount: Some(work.amount),
            call: Some(self.charge_call(work.method.provider, &work.invoice, 1)),
            if_not_seen: None,
            asked: None,
            effects,
            not_happening: vec![NotHappening::ScheduleMove],
            warnings,
            confirm: match mode {
                Mode::Live => Confirmation::Amount(work.amount),
                Mode::Test | Mode::Sim => Confirmation::Key,
            },
        }
    }

    pub(super) async fn write_one_time<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: OneTimeWork,
    ) -> Result<Next, VerbError> {
        tx.save_customer(&work.customer).await?;
        let now = self.now();
        let today = self.local_date(now);
        let new = NewInvoice {
            public_id: &work.invoice,
            customer_id: work.customer.id,
            subscription_id: None,
            term_no: 0,
            period_index: 0,
            kind: InvoiceKind::OneTime,
            state: InvoiceState::Open,
            amount: work.amount,
            description: &work.description,
            due_at: now,
            period_from: today,
            period_to: today.succ_opt().unwrap_or(today),
            at: now,
        };
        let id = tx.insert_invoice(&new).await?;
        let invoice = new.stored(id);
        let mut charge = ChargeWork {
            verb: Verb::OneTime,
            invoice,
            subscription: None,
            customer: work.customer,
            method: work.method,
            source: Source::Manual,
            attempt_no: 1,
            next: work.next,
        };
        let attempt = self
            .insert_charge(tx, actor, &mut charge, Start::Ready, "")
            .await?;
        let onward = Onward::as_planned(charge.next.as_ref(), charge.verb);
        Ok(Next::Charge(attempt.id, onward))
    }
}
