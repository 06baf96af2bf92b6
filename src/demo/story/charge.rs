//! One try to take money: the attempt, what came back, and what both sides keep of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::captured;
use super::{Halt, PROCESS, Story, index};
use crate::demo::books::{Held, Press};
use crate::demo::declines::{EXPIRED, No, OUTAGE};
use crate::demo::load::{Kept, KeptPayment};
use crate::demo::rows::Brought;
use crate::demo::world::Account;
use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use crate::domain::evidence::Refusal;
use crate::domain::failure::FailureClass;
use crate::domain::ids::{AttemptId, EvidenceId, Noun, PlanId};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::payment::{CardUse, Payment};
use crate::domain::states::{AttemptState, InvoiceState};
use crate::sandbox::seed::SeedOutcome;

/// Who tries, with which card, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try<'a> {
    pub(super) account: u32,
    pub(super) card: u32,
    pub(super) life: Option<u32>,
    pub(super) plan: Option<PlanId>,
    pub(super) source: Source,
    pub(super) verb: &'a str,
    pub(super) operator: &'a str,
    pub(super) reason: &'a str,
    pub(super) at: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) attempt: AttemptId,
    pub(super) settled_at: DateTime<Utc>,
    pub(super) no: Option<No>,
}

/// What the provider calls it.
pub(super) struct Named {
    pub(super) payment_key: String,
    pub(super) trace_id: String,
}

impl Story {
    /// What the card says when it is asked now. Asking uses up what passes by itself.
    pub(super) fn ask_card(&mut self, card: u32, at: DateTime<Utc>) -> Option<No> {
        let today = self.local_date(at);
        if self.card(card).is_expired(today) {
            return Some(EXPIRED);
        }
        if self.card(card).trouble.is_none() && self.chance.per_100_000(25) {
            return Some(OUTAGE);
        }
        let (no, left) = self.card(card).trouble?.say();
        self.card(card).trouble = left;
        Some(no)
    }

    /// Charges an open invoice once. The invoice is changed as far as any outcome changes it alike.
    pub(super) fn try_charge(
        &mut self,
        invoice: &mut Invoice,
        this: Try<'_>,
    ) -> Result<Tried, Halt> {
        let no = self.ask_card(this.card, this.at);
        let named = Named {
            payment_key: self.chance.payment_key(this.at),
            trace_id: self.chance.trace_id(),
        };
        invoice.attempts += 1;
        invoice.version += 1;
        let mut attempt = self.new_charge(invoice, this, &named);
        self.books.audit(
            this.at,
            Press {
                person: this.operator,
                verb: this.verb,
                target: invoice.public_id.as_str(),
                before: invoice.state.as_str(),
                after: attempt.public_id.as_str(),
                reason: this.reason,
                result: "intent",
                ..Press::default()
            },
        )?;
        let elapsed = TimeDelta::milliseconds(self.elapsed_ms());
        let (settled_at, evidence) = match no {
            None => {
                let approved_at = this.at + elapsed * 7 / 10;
                self.approve(invoice, &mut attempt, this, &named, approved_at)?;
                let brought = captured(invoice, &named, elapsed, this.at);
                let digest = Some(self.chance.digest());
                let evidence = self
                    .books
                    .evidence(attempt.id, Brought { digest, ..brought })?;
                (this.at + elapsed, evidence)
            }
            Some(no) => self.refuse(&mut attempt, this, &named, (no, elapsed))?,
        };
        let id = attempt.id;
        self.settle_charge(attempt, this, &named, (settled_at, evidence), (no, invoice))?;
        Ok(Tried {
            attempt: id,
            settled_at,
            no,
        })
    }

    fn elapsed_ms(&mut self) -> i64 {
        if self.chance.per_mille(45) {
            self.chance.between(1_100, 6_200)
        } else {
            self.chance.between(230, 780)
        }
    }

    /// The row as it stands when the request leaves.
    pub(super) fn new_charge(
        &mut self,
        invoice: &Invoice,
        this: Try<'_>,
        named: &Named,
    ) -> Attempt {
        let public_id = self.chance.public_id(Noun::Attempt, this.at);
        let number = invoice.attempts;
        let order_id = self.install.order_id(&invoice.public_id, number);
        let idem_key = self.install.idempotency_key(
            ProviderName::Toss,
            Mode::Sim,
            AttemptKind::Charge,
            &invoice.public_id,
            number,
        );
        let body = format!(
            "{{\"amount\":{},\"customerKey\":\"{}\",\"orderId\":\"{order_id}\",\"orderName\":{}}}",
            invoice.amount.minor(),
            self.chance.customer_key(this.account),
            serde_json::Value::from(invoice.description.as_str()),
        );
        let starts_sent = matches!(this.source, Source::Run | Source::Dunning);
        Attempt {
            id: self.books.next_attempt(),
            public_id,
            kind: AttemptKind::Charge,
            invoice_id: invoice.id,
            payment_id: None,
            customer_id: Account::row(this.account),
            subscription_id: invoice.subscription_id,
            attempt_no: number,
            source: this.source,
            provider: ProviderName::Toss,
            mode: Mode::Sim,
            method_id: Some(self.card(this.card).method),
            order_id,
            idem_key,
            provider_ref: None,
            body: body.into_bytes(),
            amount: invoice.amount,
            expected_balance_minor: None,
            also_cancel: AlsoCancel::No,
            state: AttemptState::Sent,
            needs_human: false,
            lease_owner: Some(PROCESS.to_owned()),
            lease_epoch: if starts_sent { 1 } else { 2 },
            lease_until: None,
            send_after: None,
            first_sent_at: Some(this.at),
            last_sent_at: Some(this.at),
            send_count: 1,
            next_check_at: None,
            checks: 0,
            not_seen: 0,
            refusal: None,
            replayed_at: None,
            trace_id: Some(named.trace_id.clone()),
            operator: this.operator.to_owned(),
            reason: this.reason.to_owned(),
            created_at: this.at,
            settled_at: None,
        }
    }

    /// Money was taken: the attempt's and the payment's rows, on both sides.
    fn approve(
        &mut self,
        invoice: &mut Invoice,
        attempt: &mut Attempt,
        this: Try<'_>,
        named: &Named,
        approved_at: DateTime<Utc>,
    ) -> Result<(), Halt> {
        attempt.state = AttemptState::Succeeded;
        attempt.provider_ref = Some(named.payment_key.clone());
        invoice.state = InvoiceState::Paid;
        invoice.paid_at = Some(approved_at);
        invoice.dunning = crate::domain::dunning::DunningState::Idle;
        invoice.next_attempt_at = None;
        invoice.version += 1;
        let mut payment = Payment {
            id: self.books.next_payment(),
            public_id: self.chance.public_id(Noun::Payment, approved_at),
            invoice_id: invoice.id,
            attempt_id: attempt.id,
            customer_id: attempt.customer_id,
            subscription_id: attempt.subscription_id,
            provider: ProviderName::Toss,
            mode: Mode::Sim,
            provider_ref: named.payment_key.clone(),
            order_id: attempt.order_id.clone(),
            captured: invoice.amount,
            refunded_minor: 0,
            reserved_minor: 0,
            captured_at: approved_at,
            is_duplicate: false,
            card_use: CardUse {
                installment_months: Some(months_of(invoice)),
                three_d_secure: None,
            },
            version: 1,
        };
        let outcome = SeedOutcome::Approved {
            at: approved_at,
            transaction_key: self.chance.transaction_key(),
        };
        let mut kept = kept(attempt, invoice, this, named, outcome);
        self.plan_returns(&mut payment, &mut kept, this, invoice);
        self.target.paid += 1;
        self.target.renewed += u64::from(this.life.is_some());
        Ok(self.books.captured(Held {
            payment,
            kept,
            plan: this.plan.map(|plan| plan.0),
            method: self.cards[index(this.card)].method.0,
            life: this.life,
            account: this.account,
        })?)
    }

    /// The attempt's last change, its line in the audit trail, its notice.
    fn settle_charge(
        &mut self,
        mut attempt: Attempt,
        this: Try<'_>,
        named: &Named,
        (settled_at, evidence): (DateTime<Utc>, EvidenceId),
        (no, invoice): (Option<No>, &Invoice),
    ) -> Result<(), Halt> {
        attempt.settled_at = Some(settled_at);
        attempt.lease_until = Some(settled_at);
        let (result, reference) = match no {
            None => ("done", attempt.provider_ref.clone().unwrap_or_default()),
            Some(_) => ("declined", String::new()),
        };
        self.books.audit(
            settled_at,
            Press {
                person: this.operator,
                verb: AttemptKind::Charge.as_str(),
                target: attempt.public_id.as_str(),
                after: attempt.state.as_str(),
                reason: this.reason,
                result,
                provider_ref: &reference,
                ..Press::default()
            },
        )?;
        if let Some(no) = no {
            let id = attempt.public_id.as_str();
            let payload = format!("{{\"attempt\":\"{id}\",\"code\":\"{}\"}}", no.code);
            self.books
                .notice("payment_failed", id, payload, settled_at)?;
            // The simulator keeps no more of a server error than the provider does.
            if no.class != FailureClass::ProviderDown {
                let outcome = SeedOutcome::Declined {
                    code: no.code.to_owned(),
                };
                let kept = kept(&attempt, invoice, this, named, outcome);
                self.books.keep(Kept::Payment(Box::new(kept)))?;
            }
        }
        Ok(self.books.attempt(attempt, Some(evidence))?)
    }
}

pub(super) fn kept(
    attempt: &Attempt,
    invoice: &Invoice,
    this: Try<'_>,
    named: &Named,
    outcome: SeedOutcome,
) -> KeptPayment {
    KeptPayment {
        card: this.card,
        payment_key: named.payment_key.clone(),
        order_id: attempt.order_id.clone(),
        order_name: invoice.description.clone(),
        amount: invoice.amount.minor(),
        installment_months: months_of(invoice),
        requested_at: this.at,
        outcome,
        cancels: Vec::new(),
    }
}

/// Some who buy something dear once pay it off over months; a subscription is charged at once.
fn months_of(invoice: &Invoice) -> u32 {
    const LEAST: i64 = 50_000;
    if invoice.kind != InvoiceKind::OneTime || invoice.amount.minor() < LEAST {
        return 0;
    }
    match invoice.id.0 % 3 {
        0 => 0,
        1 => 3,
        _ => 6,
    }
}

/// An invoice that a refusal has touched: its last code and class.
pub(super) fn note_refusal(invoice: &mut Invoice, refusal: Refusal) {
    invoice.last_code = Some(refusal.code);
    invoice.last_class = Some(refusal.class);
    invoice.version += 1;
}

/// Only invoices of subscriptions are dunned.
pub(super) fn is_dunned(invoice: &Invoice) -> bool {
    invoice.kind != InvoiceKind::OneTime && invoice.state == InvoiceState::Open
}
