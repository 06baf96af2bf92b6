//! Refunds: planned with the payment they come out of, made when their time comes.
//!
//! A payment's row says what had gone back by the end of the story, so the plan is drawn when the
//! money is taken; only what happens before the end counts.

use chrono::{DateTime, TimeDelta, Utc};

use super::charge::Try;
use super::{PROCESS, Story, Told, index};
use crate::demo::books::Press;
use crate::demo::growth::office_moment;
use crate::demo::load::KeptPayment;
use crate::demo::rows::Brought;
use crate::demo::world::{Account, Event, Return};
use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use crate::domain::billing::{cancel_reason, refund_tag};
use crate::domain::evidence::EvidenceSource;
use crate::domain::ids::Noun;
use crate::domain::invoice::Invoice;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::{Currency, Money};
use crate::domain::operator::Verb;
use crate::domain::payment::{Payment, RefundAmount};
use crate::domain::states::AttemptState;
use crate::sandbox::seed::SeedCancel;

/// How long a refund takes at the provider.
const TAKES: TimeDelta = TimeDelta::milliseconds(620);
/// Small enough to go back in part.
const SMALLEST_PART: i64 = 1_000;

impl Story {
    /// Draws whether and how a payment goes back, and marks it on both sides.
    pub(super) fn plan_returns(
        &mut self,
        payment: &mut Payment,
        kept: &mut KeptPayment,
        this: Try<'_>,
        invoice: &Invoice,
    ) {
        let share = if invoice.period_index == 0 { 17 } else { 8 };
        if !self.chance.per_mille(share) {
            return;
        }
        let captured = payment.captured.minor();
        let in_parts = captured >= 2 * SMALLEST_PART && self.chance.per_mille(400);
        let times = if in_parts && self.chance.per_mille(120) {
            2
        } else {
            1
        };
        let mut at = payment.captured_at + TimeDelta::hours(self.chance.between(20, 220));
        for number in 1..=times {
            let date = self.local_date(at);
            at = office_moment(&mut self.chance, date, self.calendar.zone);
            if !self.calendar.is_told(at + TAKES * 2) {
                break;
            }
            let amount = if in_parts {
                RefundAmount::Partial(self.part_of(captured))
            } else {
                RefundAmount::Full
            };
            let Ok(amount) = payment.check_refund(amount) else {
                break;
            };
            let back = self.new_return(payment, amount.minor(), number, (this, at));
            kept.cancels.push(back.kept());
            payment.refunded_minor += back.amount;
            payment.version += 2;
            self.calendar.put(at, Event::Refund(Box::new(back)));
            at += TimeDelta::days(self.chance.between(1, 9));
        }
    }

    /// A fifth to a half of it, in hundreds of won.
    fn part_of(&mut self, captured: i64) -> Money {
        let share = self.chance.between(20, 50);
        let part = (captured * share / 100) / 100 * 100;
        Money::new(part.max(100), Currency::KRW)
    }

    pub(super) fn new_return(
        &mut self,
        payment: &Payment,
        amount: i64,
        number: u32,
        (this, at): (Try<'_>, DateTime<Utc>),
    ) -> Return {
        let is_full = amount == payment.captured.minor();
        let also_cancel = match (this.life, is_full, self.chance.between(0, 100)) {
            (Some(_), true, 0..45) => AlsoCancel::Now,
            (Some(_), true, 45..60) => AlsoCancel::AtPeriodEnd,
            _ => AlsoCancel::No,
        };
        Return {
            payment: payment.id,
            payment_public_id: payment.public_id.clone(),
            payment_key: payment.provider_ref.clone(),
            invoice: payment.invoice_id,
            account: this.account,
            life: this.life,
            plan_id: this.plan.map_or(0, |plan| plan.0),
            captured: payment.captured.minor(),
            balance: payment.captured.minor() - payment.refunded_minor,
            amount,
            number,
            public_id: self.chance.public_id(Noun::Refund, at + TAKES),
            attempt_public_id: self.chance.public_id(Noun::Attempt, at),
            transaction_key: self.chance.transaction_key(),
            reason: self.words.refund(&mut self.chance),
            operator: self.staff(),
            also_cancel,
            at,
        }
    }

    /// Makes a planned refund.
    pub(super) fn refund(&mut self, back: &Return, at: DateTime<Utc>) -> Told {
        let done_at = back.done_at();
        let mut attempt = self.new_refund(back, at);
        self.audit_refund_intent(back, at)?;
        let trace = self.chance.trace_id();
        let evidence = self.books.evidence(
            attempt.id,
            Brought {
                source: EvidenceSource::Answer,
                outcome: "captured",
                http_status: Some(200),
                code: None,
                reference: Some(&back.payment_key),
                amount: Some(back.captured),
                trace_id: Some(&trace),
                digest: Some(self.chance.digest()),
                elapsed_ms: TAKES.num_milliseconds(),
                at: done_at,
            },
        )?;
        attempt.trace_id = Some(trace.clone());
        attempt.state = AttemptState::Succeeded;
        attempt.settled_at = Some(done_at);
        attempt.lease_until = Some(done_at);
        let (id, public_id) = (attempt.id, attempt.public_id.clone());
        self.books.attempt(attempt, Some(evidence))?;
        self.books.refunded(back, id, done_at)?;
        let payload = format!("{{\"attempt\":\"{public_id}\"}}");
        self.books
            .notice("refunded", public_id.as_str(), payload, done_at)?;
        if let Some(life) = back.life {
            let by = (back.operator, done_at);
            match back.also_cancel {
                AlsoCancel::No => {}
                AlsoCancel::Now => self.end_now(life, by, back.reason)?,
                AlsoCancel::AtPeriodEnd => self.schedule_end(life, by, back.reason)?,
            }
        }
        let press = Press {
            person: back.operator,
            verb: AttemptKind::Refund.as_str(),
            target: public_id.as_str(),
            after: AttemptState::Succeeded.as_str(),
            reason: back.reason,
            result: "done",
            provider_ref: &back.transaction_key,
            ..Press::default()
        };
        Ok(self.books.audit(done_at, press)?)
    }

    pub(super) fn audit_refund_intent(&mut self, back: &Return, at: DateTime<Utc>) -> Told {
        let amount = Money::new(back.amount, Currency::KRW);
        let press = Press {
            person: back.operator,
            verb: Verb::Refund.as_str(),
            target: back.payment_public_id.as_str(),
            after: &format!("{} {amount}", back.attempt_public_id),
            reason: back.reason,
            result: "intent",
            provider_ref: &back.payment_key,
            ..Press::default()
        };
        self.press(at, press)
    }

    /// The row as it stands when the request leaves.
    pub(super) fn new_refund(&mut self, back: &Return, at: DateTime<Utc>) -> Attempt {
        let body = serde_json::json!({
            "cancelReason": back.words(),
            "cancelAmount": back.amount,
            "refundableAmount": back.balance,
        });
        let idem_key = self.install.idempotency_key(
            ProviderName::Toss,
            Mode::Sim,
            AttemptKind::Refund,
            &back.payment_public_id,
            back.number,
        );
        let life = back.life.map(|life| self.lives[index(life)].sub.id);
        Attempt {
            id: self.books.next_attempt(),
            public_id: back.attempt_public_id.clone(),
            kind: AttemptKind::Refund,
            invoice_id: back.invoice,
            payment_id: Some(back.payment),
            customer_id: Account::row(back.account),
            subscription_id: life,
            attempt_no: back.number,
            source: Source::Manual,
            provider: ProviderName::Toss,
            mode: Mode::Sim,
            method_id: None,
            order_id: refund_tag(&back.attempt_public_id),
            idem_key,
            provider_ref: Some(back.payment_key.clone()),
            body: body.to_string().into_bytes(),
            amount: Money::new(back.amount, Currency::KRW),
            expected_balance_minor: Some(back.balance),
            also_cancel: back.also_cancel,
            state: AttemptState::Sent,
            needs_human: false,
            lease_owner: Some(PROCESS.to_owned()),
            lease_epoch: 2,
            lease_until: None,
            send_after: None,
            first_sent_at: Some(at),
            last_sent_at: Some(at),
            send_count: 1,
            next_check_at: None,
            checks: 0,
            not_seen: 0,
            refusal: None,
            replayed_at: None,
            trace_id: None,
            operator: back.operator.to_owned(),
            reason: back.reason.to_owned(),
            created_at: at,
            settled_at: None,
        }
    }
}

impl Return {
    pub(super) fn done_at(&self) -> DateTime<Utc> {
        self.at + TAKES
    }

    /// The reason as it is sent: the person's words and our tag.
    fn words(&self) -> String {
        cancel_reason(self.reason, &refund_tag(&self.attempt_public_id))
    }

    /// What the simulator keeps of it.
    pub(super) fn kept(&self) -> SeedCancel {
        SeedCancel {
            transaction_key: self.transaction_key.clone(),
            amount: self.amount,
            reason: self.words(),
            canceled_at: self.done_at(),
        }
    }
}
