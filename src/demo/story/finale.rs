//! The last half hour, and the rows that could not be final before the end.
//!
//! The provider had trouble just now: some answers were lost after it had done what was asked, some
//! requests never arrived. Our side knows neither; the simulator knows the first.

use chrono::{DateTime, TimeDelta, Utc};

use super::charge::{Named, Try, kept};
use super::{Halt, SHOP, Story, Sums, Told, index, number};
use crate::demo::books::Press;
use crate::demo::declines::Trouble;
use crate::demo::load::Kept;
use crate::demo::rows::{self, Brought};
use crate::domain::attempt::{AlsoCancel, Attempt, Source};
use crate::domain::dunning::DunningState;
use crate::domain::evidence::EvidenceSource;
use crate::domain::invoice::Invoice;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::operator::Verb;
use crate::domain::states::{AttemptState, InvoiceState, MethodState, SubscriptionState};
use crate::engine::ports::{KeyVault, SealedFor};
use crate::sandbox::Behaviour;
use crate::sandbox::seed::SeedOutcome;
use crate::secret::Secret;
use crate::store::bulk::Table;

/// What really became of a request whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The provider did it.
    Done,
    /// The provider never saw it.
    NeverSeen,
}

/// How an answer was lost, and after how many milliseconds.
const LOST: [(&str, Option<u16>, i64); 3] = [
    ("timed_out", None, 70_000),
    ("broken", None, 2_140),
    ("server_error", Some(502), 1_380),
];

impl Story {
    pub(super) fn finish(mut self) -> Result<Sums, Halt> {
        self.lose_charges()?;
        self.lose_refunds()?;
        self.write_lives()?;
        self.write_customers()?;
        self.write_cards()?;
        Ok(Sums {
            customers: self.accounts.len(),
            subscriptions: self.lives.len(),
            counts: self.books.close()?,
        })
    }

    fn ago(&self, minutes: i64) -> DateTime<Utc> {
        self.calendar.now - TimeDelta::minutes(minutes) + TimeDelta::milliseconds(417 * minutes)
    }

    /// Two retries by hand and two single purchases.
    fn lose_charges(&mut self) -> Told {
        let is_failing = |life: &super::Life| {
            life.sub.state == SubscriptionState::PastDue
                && life.open.as_ref().is_some_and(|invoice| {
                    invoice.state == InvoiceState::Open
                        && invoice.dunning == DunningState::Scheduled
                })
        };
        let failing: Vec<u32> = (0..number(self.lives.len()))
            .rev()
            .filter(|life| is_failing(&self.lives[index(*life)]))
            .take(2)
            .collect();
        for (life, (fate, minutes)) in failing
            .into_iter()
            .zip([(Fate::Done, 34), (Fate::NeverSeen, 21)])
        {
            self.lose_retry(life, fate, self.ago(minutes))?;
        }
        for (fate, minutes) in [(Fate::Done, 12), (Fate::NeverSeen, 6)] {
            let at = self.ago(minutes);
            if let Some(account) = self.any_account(self.calendar.today) {
                let mut invoice = self.new_one_time(account, at);
                self.account(account).version += 1;
                let this = Try {
                    account,
                    card: self.account(account).card,
                    life: None,
                    plan: None,
                    source: Source::Manual,
                    verb: Verb::OneTime.as_str(),
                    operator: SHOP,
                    reason: "",
                    at,
                };
                self.lose(&mut invoice, this, fate)?;
                self.books.invoice(&invoice)?;
            }
        }
        Ok(())
    }

    fn lose_retry(&mut self, life: u32, fate: Fate, at: DateTime<Utc>) -> Told {
        let Some(mut invoice) = self.take_owed(life) else {
            return Ok(());
        };
        let account = self.life(life).account;
        let this = Try {
            account,
            card: self.card_of(life),
            life: Some(life),
            plan: Some(self.life(life).term.plan_id),
            source: Source::Manual,
            verb: Verb::Retry.as_str(),
            operator: self.staff(),
            reason: self.words.manual(),
            at,
        };
        self.lose(&mut invoice, this, fate)?;
        self.life(life).open = Some(Box::new(invoice));
        Ok(())
    }

    /// A charge whose answer never came.
    fn lose(&mut self, invoice: &mut Invoice, this: Try<'_>, fate: Fate) -> Told {
        let named = Named {
            payment_key: self.chance.payment_key(this.at),
            trace_id: self.chance.trace_id(),
        };
        invoice.attempts += 1;
        invoice.version += 1;
        let attempt = self.new_charge(invoice, this, &named);
        let intent = Press {
            person: this.operator,
            verb: this.verb,
            target: invoice.public_id.as_str(),
            before: invoice.state.as_str(),
            after: attempt.public_id.as_str(),
            reason: this.reason,
            result: "intent",
            ..Press::default()
        };
        self.books.audit(this.at, intent)?;
        if fate == Fate::Done {
            self.card(this.card).trouble = None;
            let outcome = SeedOutcome::Approved {
                at: this.at + TimeDelta::milliseconds(410),
                transaction_key: self.chance.transaction_key(),
            };
            let kept = kept(&attempt, invoice, this, &named, outcome);
            self.books.keep(Kept::Payment(Box::new(kept)))?;
        }
        self.leave_unknown(attempt, this.at, fate)
    }

    /// What we know of a lost answer: that it was sent, and what a look-up said since.
    fn leave_unknown(&mut self, mut attempt: Attempt, at: DateTime<Utc>, fate: Fate) -> Told {
        let (outcome, http_status, elapsed_ms) = *self.chance.one_of(&LOST);
        let lost_at = at + TimeDelta::milliseconds(elapsed_ms);
        let answer = Brought {
            source: EvidenceSource::Answer,
            outcome,
            http_status,
            code: None,
            reference: None,
            amount: None,
            trace_id: None,
            digest: None,
            elapsed_ms,
            at: lost_at,
        };
        let mut evidence = self.books.evidence(attempt.id, answer)?;
        if fate == Fate::NeverSeen && attempt.payment_id.is_none() {
            let looked = super::answer::not_seen(lost_at + TimeDelta::seconds(5));
            evidence = self.books.evidence(attempt.id, looked)?;
            attempt.checks = 1;
            attempt.not_seen = 1;
        }
        attempt.state = AttemptState::Unknown;
        attempt.trace_id = None;
        attempt.lease_until = Some(lost_at);
        let ahead = TimeDelta::seconds(self.chance.between(240, 1_500));
        attempt.next_check_at = Some(self.calendar.now + ahead);
        let press = Press {
            person: &attempt.operator,
            verb: attempt.kind.as_str(),
            target: attempt.public_id.as_str(),
            after: AttemptState::Unknown.as_str(),
            reason: &attempt.reason,
            result: "unknown",
            ..Press::default()
        };
        self.books.audit(lost_at, press)?;
        self.books.counts.unknowns += 1;
        Ok(self.books.attempt(attempt, Some(evidence))?)
    }

    /// Two refunds of the last days; the amount stays reserved.
    fn lose_refunds(&mut self) -> Told {
        let fits: Vec<usize> = (0..self.books.held.len())
            .filter(|at| self.books.held[*at].payment.refunded_minor == 0)
            .take(2)
            .collect();
        for (at, (fate, minutes)) in fits
            .into_iter()
            .zip([(Fate::Done, 17), (Fate::NeverSeen, 3)])
        {
            self.lose_refund(at, fate, self.ago(minutes))?;
        }
        Ok(())
    }

    fn lose_refund(&mut self, held: usize, fate: Fate, at: DateTime<Utc>) -> Told {
        let one = &self.books.held[held];
        let payment = one.payment.clone();
        let (account, life, plan) = (one.account, one.life, one.plan);
        let this = Try {
            account,
            card: one.kept.card,
            life,
            plan: plan.map(crate::domain::ids::PlanId),
            source: Source::Manual,
            verb: Verb::Refund.as_str(),
            operator: "",
            reason: "",
            at,
        };
        let amount = payment.captured.minor();
        let mut back = self.new_return(&payment, amount, 1, (this, at));
        back.also_cancel = AlsoCancel::No;
        let attempt = self.new_refund(&back, at);
        self.audit_refund_intent(&back, at)?;
        let one = &mut self.books.held[held];
        one.payment.reserved_minor = amount;
        one.payment.version += 1;
        if fate == Fate::Done {
            one.kept.cancels.push(back.kept());
        }
        self.leave_unknown(attempt, at, fate)
    }

    /// Subscriptions as they stand, their running terms, and what is owed.
    fn write_lives(&mut self) -> Told {
        for life in &self.lives {
            self.books
                .row(Table::Subscription, rows::subscription(life))?;
            self.books.term(&life.term)?;
            if let Some(invoice) = &life.open {
                self.books.invoice(invoice)?;
            }
        }
        Ok(())
    }

    fn write_customers(&mut self) -> Told {
        for account in 0..number(self.accounts.len()) {
            let contact = self.contact(account);
            let key = self.chance.customer_key(account);
            let this = &self.accounts[index(account)];
            let row = rows::customer(account, this, &key, &contact);
            self.books.row(Table::Customer, row)?;
        }
        Ok(())
    }

    /// Cards with their keys, sealed; the simulator learns what became of them.
    fn write_cards(&mut self) -> Told {
        for card in 0..number(self.cards.len()) {
            let this = &self.cards[index(card)];
            let key = Secret::new(self.chance.billing_key(card));
            let row = SealedFor {
                method: &this.public_id(),
                provider: ProviderName::Toss,
                mode: Mode::Sim,
            };
            let sealed = KeyVault::seal(&self.vault, row, &key)
                .map_err(|error| Halt::Story(error.to_string()))?;
            self.books
                .row(Table::PaymentMethod, rows::method(this, sealed))?;
            let behaviour = match this.trouble {
                None => Behaviour::Approve,
                Some(Trouble::Lasting(no)) => Behaviour::Decline {
                    code: no.code.to_owned(),
                },
                Some(Trouble::Passing(no, left)) => Behaviour::DeclineTimes {
                    code: no.code.to_owned(),
                    times: u32::from(left),
                },
            };
            let deleted_at = this.deleted_us.and_then(DateTime::from_timestamp_micros);
            let is_deleted = this.state == MethodState::Deleted;
            if is_deleted || behaviour != Behaviour::Approve {
                self.books.keep(Kept::Fate {
                    card,
                    behaviour,
                    deleted_at,
                })?;
            }
        }
        Ok(())
    }
}
