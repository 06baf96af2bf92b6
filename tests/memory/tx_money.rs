//! Attempts, evidence, payments and refunds of a transaction in memory.

use chrono::{DateTime, Duration, Utc};

use paydeck::domain::approval::Asked;
use paydeck::domain::attempt::{
    AnswerSeen, Attempt, AttemptKind, LookUp, REFUND_UNDONE, Sighting, Source,
};
use paydeck::domain::evidence::EvidenceSource;
use paydeck::domain::ids::{
    AttemptId, CustomerId, EvidenceId, InvoiceId, MethodId, Noun, PaymentId,
};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::Payment;
use paydeck::domain::states::{ApprovalState, AttemptState};
use paydeck::engine::ports::{
    Attempts, BookedRefund, Claim, Constraint, Fence, HintAbout, LookHint, NewAttempt, NewEvidence,
    NewPayment, NewRefund, NewReversal, Payments, RefundsBy, StoreError,
};

use super::batch::{Write, if_broken, must_be};
use super::db::{AttemptRow, EvidenceRow, Kind, PaymentRow, RefundRow};
use super::flaw::Flaw;
use super::store::{MemTx, R, Rules, Try};
use super::table::Clash;

/// A manual attempt that was never sent is given up after this.
const MANUAL_READY_S: i64 = 120;

fn holds_refund_slot(attempt: &Attempt) -> bool {
    attempt.kind == AttemptKind::Refund && attempt.state.is_open()
}

fn holds_charge_slot(attempt: &Attempt) -> bool {
    attempt.kind == AttemptKind::Charge && attempt.state.holds_charge_slot()
}

fn is_settled(state: AttemptState) -> bool {
    !state.is_open()
}

impl MemTx<'_> {
    fn target(&self, id: i64) -> Option<AttemptRow> {
        let db = self.db();
        db.tables
            .attempts
            .get(id, self.no)
            .map(|row| AttemptRow::clone(row))
    }

    /// Which rules writing `new` over `old` would break, besides what must be unique.
    fn broken_moves(&self, old: &AttemptRow, new: &AttemptRow) -> Vec<Constraint> {
        let (from, to) = (old.attempt.state, new.attempt.state);
        let mut broken = Vec::new();
        if from == to || self.has(Flaw::SettledState) {
            return broken;
        }
        let has_new_evidence = new
            .evidence_id
            .is_some_and(|id| id > old.evidence_id.unwrap_or(0));
        if is_settled(from) && !has_new_evidence {
            broken.push(Constraint::SettledState);
        }
        if !from.can_move_to(to) {
            broken.push(Constraint::Other);
        }
        if to == AttemptState::NotExecuted && !self.is_declared(new) {
            broken.push(Constraint::FourEyes);
        }
        broken
    }

    /// Whether two persons have declared it not executed, or its provider canceled it.
    fn is_declared(&self, new: &AttemptRow) -> bool {
        let db = self.db();
        let by_two = db.tables.approvals.rows_of(self.no).any(|(_, row)| {
            row.asked == Asked::NotExecuted(new.attempt.id) && row.state == ApprovalState::Granted
        });
        let proof = new
            .evidence_id
            .and_then(|id| db.tables.evidence.get(id, self.no));
        by_two
            || proof.is_some_and(|row| {
                row.attempt_id == new.attempt.id
                    && row.source != EvidenceSource::Person
                    && (row.outcome == "canceled"
                        || (row.outcome == "unconfirmed" && new.attempt.provider_ref.is_none()))
            })
    }

    async fn check_slots(&mut self, id: Option<i64>, row: &Attempt) -> R<Vec<Constraint>> {
        let charges = holds_charge_slot(row) && !self.has(Flaw::OpenChargeIndex);
        let refunds = holds_refund_slot(row) && !self.has(Flaw::OpenRefundIndex);
        if !charges && !refunds {
            return Ok(Vec::new());
        }
        let rules: Rules<'_, AttemptRow> = &[
            (Constraint::OpenCharge, &|other| {
                charges
                    && other.attempt.invoice_id == row.invoice_id
                    && holds_charge_slot(&other.attempt)
            }),
            (Constraint::OpenRefund, &|other| {
                refunds
                    && row.payment_id.is_some()
                    && other.attempt.payment_id == row.payment_id
                    && holds_refund_slot(&other.attempt)
            }),
        ];
        self.until_free(|tx| tx.broken_rules(id, rules, &|t| &mut t.attempts))
            .await
    }
}

impl Attempts for MemTx<'_> {
    async fn db_now(&mut self) -> R<DateTime<Utc>> {
        if let Some(now) = self.batch.as_ref().and_then(|batch| batch.now) {
            return Ok(now);
        }
        self.step("db now").await?;
        Ok(self.stage().now())
    }

    async fn insert_attempt(&mut self, new: &NewAttempt<'_>) -> R<AttemptId> {
        if self.has(Flaw::PreparedReturn) && new.state == AttemptState::WaitingApproval {
            return Ok(AttemptId(i64::MAX));
        }
        self.forget(|b| _ = b.charges.remove(&new.invoice_id.0));
        let id = self
            .number("insert attempt", Kind::Attempt, |t| &mut t.attempts)
            .await?;
        let mut row = AttemptRow {
            attempt: new_attempt(AttemptId(id), new),
            evidence_id: None,
        };
        if self.grants && self.has(Flaw::AlteredRequest) {
            let less = new.amount.minor() / 2;
            row.attempt.amount = Money::new(less, new.amount.currency());
        }
        self.write(Write::Attempt(Box::new(row))).await?;
        Ok(AttemptId(id))
    }

    async fn attempt_target(&mut self, id: AttemptId) -> R<InvoiceId> {
        self.step("attempt target").await?;
        self.target(id.0)
            .map(|row| row.attempt.invoice_id)
            .ok_or(StoreError::NotFound {
                noun: Noun::Attempt,
            })
    }

    async fn lock_attempt(&mut self, id: AttemptId) -> R<Attempt> {
        if let Some(row) = self.ahead(id.0, |b| &b.attempts) {
            return must_be(row, Noun::Attempt);
        }
        self.step("lock attempt").await?;
        let row = self.take(Kind::Attempt, id.0, |t| &mut t.attempts).await?;
        must_be(row.map(|row| row.attempt), Noun::Attempt)
    }

    async fn save_attempt(&mut self, attempt: &Attempt, fence: Fence) -> R<()> {
        self.forget(|b| {
            b.attempts.remove(&attempt.id.0);
            b.charges.remove(&attempt.invoice_id.0);
        });
        let evidence = self.evidence.iter().rev();
        let newest = evidence
            .copied()
            .find_map(|(about, id)| (about == attempt.id).then_some(id));
        let write = Write::AttemptMove(Box::new(attempt.clone()), fence, newest);
        self.write(write).await
    }

    async fn charges_of(&mut self, invoice: InvoiceId) -> R<Vec<Attempt>> {
        let ahead = self.batch.as_ref().and_then(|b| b.charges.get(&invoice.0));
        if let Some(charges) = ahead {
            return Ok(charges.clone());
        }
        self.step("charges of").await?;
        Ok(self.attempts_where(|a| a.kind == AttemptKind::Charge && a.invoice_id == invoice))
    }

    async fn open_charges_by(&mut self, customer: CustomerId, method: MethodId) -> R<Vec<Attempt>> {
        self.step("open charges by").await?;
        Ok(self.attempts_where(|a| {
            a.kind == AttemptKind::Charge
                && a.customer_id == customer
                && a.method_id == Some(method)
                && matches!(
                    a.state,
                    AttemptState::Ready | AttemptState::Sent | AttemptState::Unknown
                )
        }))
    }

    async fn refunds_of(&mut self, payment: PaymentId) -> R<Vec<Attempt>> {
        self.step("refunds of").await?;
        Ok(self.attempts_where(|a| a.kind == AttemptKind::Refund && a.payment_id == Some(payment)))
    }

    async fn refunds_by(
        &mut self,
        person: &str,
        currency: Currency,
        since: DateTime<Utc>,
    ) -> R<RefundsBy> {
        self.step("refunds by").await?;
        let pressed = self.attempts_where(|a| {
            a.kind == AttemptKind::Refund
                && a.operator == person
                && a.created_at >= since
                && !matches!(
                    a.state,
                    AttemptState::Declined | AttemptState::Abandoned | AttemptState::NotExecuted
                )
        });
        let own = pressed.iter().filter(|a| a.amount.currency() == currency);
        Ok(RefundsBy {
            count: pressed.len() as u64,
            sum: Money::new(own.map(|a| a.amount.minor()).sum(), currency),
        })
    }

    async fn claim_open_attempts(&mut self, claim: Claim<'_>) -> R<Vec<Attempt>> {
        self.step("claim open attempts").await?;
        let no = self.no;
        let (leases, epochs, gives_up) = (
            !self.has(Flaw::Leases),
            !self.has(Flaw::Epochs),
            self.has(Flaw::GivesUp),
        );
        let mut due: Vec<(bool, Option<DateTime<Utc>>, i64)> = {
            let db = self.db();
            let table = &db.tables.attempts;
            table
                .rows_of(no)
                .filter(|(id, row)| {
                    table.slot(*id).is_some_and(|slot| !slot.is_held_from(no))
                        && is_to_be_worked_on(&row.attempt, claim.now, leases)
                        && !(gives_up && row.attempt.checks >= 6)
                })
                .map(|(id, row)| {
                    let attempt = &row.attempt;
                    (is_looked_for(attempt), attempt.next_check_at, id)
                })
                .collect()
        };
        due.sort_unstable();
        due.truncate(usize::try_from(claim.limit).unwrap_or(usize::MAX));
        let mut claimed = Vec::with_capacity(due.len());
        for (_, _, id) in due {
            let Some(mut row) = self.target(id) else {
                continue;
            };
            if leases {
                row.attempt.lease_owner = Some(claim.owner.to_owned());
                row.attempt.lease_until = Some(claim.now + Duration::seconds(claim.lease_s));
            }
            row.attempt.lease_epoch += i64::from(epochs);
            claimed.push(row.attempt.clone());
            self.put(
                Kind::Attempt,
                id,
                |t| &mut t.attempts,
                |_| Some(row.clone()),
            )
            .await?;
        }
        Ok(claimed)
    }

    async fn hasten_looks(&mut self, hint: LookHint<'_>) -> R<u64> {
        self.step("hasten looks").await?;
        let is_later = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at > hint.at);
        let found = self.attempts_where(|a| {
            let is_of_it =
                a.provider == hint.provider && a.provider_ref.as_deref() == Some(hint.provider_ref);
            let (is_charge, is_done) = (
                a.kind == AttemptKind::Charge,
                a.state == AttemptState::Succeeded,
            );
            let is_unknown = a.state == AttemptState::Unknown && is_later(a.next_check_at);
            is_of_it
                && match hint.about {
                    HintAbout::Charge => is_charge && is_unknown,
                    HintAbout::Refunds if is_done => {
                        is_later(a.next_check_at) || (is_charge && a.next_check_at.is_none())
                    }
                    HintAbout::Refunds => !is_charge && is_unknown,
                }
        });
        let mut hastened = 0;
        for attempt in found {
            let done = self
                .put(
                    Kind::Attempt,
                    attempt.id.0,
                    |t| &mut t.attempts,
                    |old| {
                        let mut new = old.clone();
                        new.attempt.next_check_at = Some(hint.at);
                        Some(new)
                    },
                )
                .await?;
            hastened += u64::from(done);
        }
        Ok(hastened)
    }

    async fn release_leases_of(&mut self, owner: &str, now: DateTime<Utc>) -> R<u64> {
        self.step("release leases").await?;
        let held = self.attempts_where(|a| {
            a.lease_owner.as_deref() == Some(owner)
                && is_on_its_way(a.state)
                && a.lease_until.is_some_and(|until| until > now)
        });
        let mut released = 0;
        for attempt in held {
            let done = self
                .put(
                    Kind::Attempt,
                    attempt.id.0,
                    |t| &mut t.attempts,
                    |old| {
                        let mut new = old.clone();
                        new.attempt.lease_until = Some(now);
                        Some(new)
                    },
                )
                .await?;
            released += u64::from(done);
        }
        Ok(released)
    }

    async fn lease_owners(&mut self) -> R<Vec<String>> {
        self.step("lease owners").await?;
        let mut owners: Vec<String> = self
            .attempts_where(|a| is_on_its_way(a.state))
            .into_iter()
            .filter_map(|a| a.lease_owner)
            .collect();
        owners.sort();
        owners.dedup();
        Ok(owners)
    }

    async fn insert_evidence(&mut self, new: &NewEvidence<'_>) -> R<EvidenceId> {
        let id = self
            .number("insert evidence", Kind::Evidence, |t| &mut t.evidence)
            .await
            .map(EvidenceId)?;
        let row = EvidenceRow {
            attempt_id: new.attempt_id,
            source: new.source,
            outcome: new.outcome.to_owned(),
            http_status: new.http_status,
            code: new.code.map(str::to_owned),
            at: new.at,
        };
        self.write(Write::Evidence(id, Box::new(row))).await?;
        self.evidence.push((new.attempt_id, id));
        Ok(id)
    }

    async fn answers_of(&mut self, id: AttemptId) -> R<Vec<AnswerSeen>> {
        self.step("answers of").await?;
        let db = self.db();
        let mut rows: Vec<(i64, AnswerSeen)> = db
            .tables
            .evidence
            .rows_of(self.no)
            .filter(|(_, row)| row.attempt_id == id && row.source == EvidenceSource::Answer)
            .map(|(no, row)| {
                let answer = AnswerSeen {
                    at: row.at,
                    http_status: row.http_status,
                    code: row.code.clone(),
                };
                (no, answer)
            })
            .collect();
        rows.sort_by_key(|(no, answer)| (answer.at, *no));
        Ok(rows.into_iter().map(|(_, answer)| answer).collect())
    }

    async fn look_ups_of(&mut self, id: AttemptId) -> R<Vec<LookUp>> {
        self.step("look-ups of").await?;
        let db = self.db();
        let Some(kind) = db
            .tables
            .attempts
            .get(id.0, self.no)
            .map(|row| row.attempt.kind)
        else {
            return Ok(Vec::new());
        };
        let mut rows: Vec<(i64, LookUp)> = db
            .tables
            .evidence
            .rows_of(self.no)
            .filter(|(_, row)| row.attempt_id == id)
            .filter_map(|(no, row)| {
                let sighting = Sighting::of(kind, row.source, &row.outcome)?;
                let at = row.at;
                Some((no, LookUp { at, sighting }))
            })
            .collect();
        rows.sort_by_key(|(no, look_up)| (look_up.at, *no));
        Ok(rows.into_iter().map(|(_, look_up)| look_up).collect())
    }
}

impl MemTx<'_> {
    pub(super) fn attempts_where(&self, wanted: impl Fn(&Attempt) -> bool) -> Vec<Attempt> {
        let db = self.db();
        let rows = db.tables.attempts.rows_of(self.no);
        rows.filter(|(_, row)| wanted(&row.attempt))
            .map(|(_, row)| row.attempt.clone())
            .collect()
    }

    fn with_flaws(&self, mut row: AttemptRow) -> AttemptRow {
        if self.has(Flaw::ProviderRef) && row.attempt.kind == AttemptKind::Charge {
            row.attempt.provider_ref = None;
        }
        if self.has(Flaw::FirstSent) {
            let now = self.stage().now();
            row.attempt.first_sent_at = row.attempt.first_sent_at.map(|_| now);
        }
        if self.has(Flaw::NextLook) && row.attempt.state == AttemptState::Unknown {
            row.attempt.next_check_at =
                row.attempt.next_check_at.map(|at| at + Duration::days(400));
        }
        row
    }

    /// A new attempt, unless it breaks a rule.
    pub(super) async fn write_attempt(&mut self, row: AttemptRow) -> R<()> {
        let (new, id) = (&row.attempt, row.attempt.id.0);
        let mut broken = self.check_slots(None, new).await?;
        broken.extend(if_broken(new.amount.minor() <= 0));
        broken.extend(self.broken_by_attempt(new));
        let names = !self.has(Flaw::AttemptNames);
        let rules: Rules<'_, AttemptRow> = &[
            (Constraint::OrderId, &|other| {
                names
                    && other.attempt.order_id == new.order_id
                    && other.attempt.provider == new.provider
                    && other.attempt.mode == new.mode
            }),
            (Constraint::IdempotencyKey, &|other| {
                names && other.attempt.idem_key == new.idem_key
            }),
            (Constraint::AttemptNumber, &|other| {
                let other = &other.attempt;
                let same_target = match new.kind {
                    AttemptKind::Charge => other.invoice_id == new.invoice_id,
                    AttemptKind::Refund => {
                        new.payment_id.is_some() && other.payment_id == new.payment_id
                    }
                };
                names && other.kind == new.kind && same_target && other.attempt_no == new.attempt_no
            }),
            (Constraint::Other, &|other| {
                other.attempt.public_id == new.public_id
            }),
        ];
        broken.extend(
            self.until_free(|tx| tx.broken_rules(None, rules, &|t| &mut t.attempts))
                .await?,
        );
        if !broken.is_empty() {
            return self.refuse(broken);
        }
        self.fill(id, row, |t| &mut t.attempts);
        Ok(())
    }

    /// The row first, as an update does, then what the new version must not break.
    pub(super) async fn write_attempt_move(
        &mut self,
        attempt: &Attempt,
        fence: Fence,
        evidence: Option<EvidenceId>,
    ) -> R<()> {
        let id = attempt.id.0;
        let is_fenced = !self.has(Flaw::Fence);
        let fits = |row: &AttemptRow| {
            !is_fenced
                || (row.attempt.state == fence.state
                    && fence
                        .epoch
                        .is_none_or(|epoch| row.attempt.lease_epoch == epoch))
        };
        let held = self
            .until_free(|tx| {
                let no = tx.no;
                let mut db = tx.db();
                let Some(slot) = db.tables.attempts.slot_mut(id) else {
                    return Try::Done(None);
                };
                if let Some(holder) = slot.held_from(no)
                    && slot.committed.is_some()
                {
                    return Try::Wait(holder);
                }
                Try::Done(slot.seen_by(no).filter(|row| fits(row)).cloned())
            })
            .await?;
        let Some(old) = held else {
            return self.stale(Noun::Attempt);
        };
        let new = AttemptRow {
            attempt: written_over(&old.attempt, attempt),
            evidence_id: evidence.map(|id| id.0).or(old.evidence_id),
        };
        let new = self.with_flaws(new);
        let mut broken = self.broken_moves(&old, &new);
        if broken.is_empty() {
            self.hold(Kind::Attempt, id, |t| &mut t.attempts);
            broken = self.check_slots(Some(id), &new.attempt).await?;
        }
        if !broken.is_empty() {
            return self.refuse(broken);
        }
        self.put(
            Kind::Attempt,
            id,
            |t| &mut t.attempts,
            |_| Some(new.clone()),
        )
        .await?;
        Ok(())
    }

    /// A new payment, unless it breaks a rule.
    pub(super) async fn write_payment(&mut self, row: PaymentRow) -> R<()> {
        let new = &row.payment;
        let rules: Rules<'_, PaymentRow> = &[(Constraint::Other, &|other| {
            let other = &other.payment;
            other.attempt_id == new.attempt_id
                || other.public_id == new.public_id
                || (other.provider_ref == new.provider_ref
                    && other.provider == new.provider
                    && other.mode == new.mode)
        })];
        let mut broken = if_broken(new.captured.minor() <= 0);
        broken.extend(
            self.until_free(|tx| tx.broken_rules(None, rules, &|t| &mut t.payments))
                .await?,
        );
        if !broken.is_empty() {
            return self.refuse(broken);
        }
        self.fill(new.id.0, row, |t| &mut t.payments);
        Ok(())
    }
}

fn new_attempt(id: AttemptId, new: &NewAttempt<'_>) -> Attempt {
    let sent_at = (new.state == AttemptState::Sent).then_some(new.at);
    Attempt {
        id,
        public_id: new.public_id.clone(),
        kind: new.kind,
        invoice_id: new.invoice_id,
        payment_id: new.payment_id,
        customer_id: new.customer_id,
        subscription_id: new.subscription_id,
        attempt_no: new.attempt_no,
        source: new.source,
        provider: new.provider,
        mode: new.mode,
        method_id: new.method_id,
        order_id: new.order_id.to_owned(),
        idem_key: new.idem_key.to_owned(),
        provider_ref: new.provider_ref.map(ToOwned::to_owned),
        body: new.body.to_vec(),
        amount: new.amount,
        expected_balance_minor: new.expected_balance_minor,
        also_cancel: new.also_cancel,
        state: new.state,
        needs_human: false,
        lease_owner: new.lease.map(|lease| lease.owner.to_owned()),
        lease_epoch: i64::from(new.lease.is_some()),
        lease_until: new.lease.map(|lease| lease.until),
        send_after: new.send_after,
        first_sent_at: sent_at,
        last_sent_at: sent_at,
        send_count: u32::from(sent_at.is_some()),
        next_check_at: None,
        checks: 0,
        not_seen: 0,
        refusal: None,
        replayed_at: None,
        trace_id: None,
        operator: new.operator.to_owned(),
        reason: new.reason.to_owned(),
        created_at: new.at,
        settled_at: None,
    }
}

/// What an update changes: everything that is not promised to the provider.
fn written_over(old: &Attempt, new: &Attempt) -> Attempt {
    Attempt {
        id: old.id,
        public_id: old.public_id.clone(),
        kind: old.kind,
        invoice_id: old.invoice_id,
        payment_id: old.payment_id,
        customer_id: old.customer_id,
        subscription_id: old.subscription_id,
        attempt_no: old.attempt_no,
        source: old.source,
        provider: old.provider,
        mode: old.mode,
        method_id: old.method_id,
        order_id: old.order_id.clone(),
        idem_key: old.idem_key.clone(),
        body: old.body.clone(),
        amount: old.amount,
        expected_balance_minor: old.expected_balance_minor,
        also_cancel: old.also_cancel,
        created_at: old.created_at,
        ..new.clone()
    }
}

fn is_on_its_way(state: AttemptState) -> bool {
    matches!(
        state,
        AttemptState::Ready | AttemptState::Sent | AttemptState::Unknown
    )
}

/// Settled, and still asked about.
fn is_looked_for(attempt: &Attempt) -> bool {
    matches!(
        attempt.state,
        AttemptState::NotExecuted | AttemptState::Succeeded
    ) && attempt.next_check_at.is_some()
}

pub fn is_to_be_worked_on(attempt: &Attempt, now: DateTime<Utc>, leases: bool) -> bool {
    let is_by_schedule = matches!(attempt.source, Source::Run | Source::Dunning);
    let may_go = match attempt.send_after {
        Some(after) => after <= now,
        None => is_by_schedule || attempt.created_at <= now - Duration::seconds(MANUAL_READY_S),
    };
    (is_on_its_way(attempt.state) || is_looked_for(attempt))
        && attempt.next_check_at.is_none_or(|at| at <= now)
        && (!leases || attempt.lease_until.is_none_or(|until| until <= now))
        && (attempt.state != AttemptState::Ready || may_go)
}

impl Payments for MemTx<'_> {
    async fn pin_account(&mut self, _provider: ProviderName, account: &str) -> R<String> {
        self.step("pin account").await?;
        let mut db = self.db();
        Ok(db.account.get_or_insert_with(|| account.to_owned()).clone())
    }

    async fn insert_payment(&mut self, new: &NewPayment<'_>) -> R<PaymentId> {
        let id = self
            .number("insert payment", Kind::Payment, |t| &mut t.payments)
            .await
            .map(PaymentId)?;
        let row = PaymentRow {
            payment: Payment {
                id,
                public_id: new.public_id.clone(),
                invoice_id: new.invoice_id,
                attempt_id: new.attempt_id,
                customer_id: new.customer_id,
                subscription_id: new.subscription_id,
                provider: new.provider,
                mode: new.mode,
                provider_ref: new.provider_ref.to_owned(),
                order_id: new.order_id.to_owned(),
                captured: new.captured,
                refunded_minor: 0,
                reserved_minor: 0,
                captured_at: new.captured_at,
                is_duplicate: new.is_duplicate,
                card_use: new.card_use,
                version: 1,
            },
            plan_id: new.plan_id,
            method_id: new.method_id,
        };
        self.write(Write::Payment(Box::new(row))).await?;
        Ok(id)
    }

    async fn payment_target(&mut self, id: PaymentId) -> R<InvoiceId> {
        self.step("payment target").await?;
        let db = self.db();
        db.tables
            .payments
            .get(id.0, self.no)
            .map(|row| row.payment.invoice_id)
            .ok_or(StoreError::NotFound {
                noun: Noun::Payment,
            })
    }

    async fn lock_payment(&mut self, id: PaymentId) -> R<Payment> {
        if let Some(row) = self.ahead(id.0, |b| &b.payments) {
            return must_be(row, Noun::Payment);
        }
        self.step("lock payment").await?;
        let row = self.take(Kind::Payment, id.0, |t| &mut t.payments).await?;
        must_be(row.map(|row| row.payment), Noun::Payment)
    }

    async fn payments_of(&mut self, invoice: InvoiceId) -> R<Vec<Payment>> {
        self.step("payments of").await?;
        let db = self.db();
        let mut payments: Vec<Payment> = db
            .tables
            .payments
            .rows_of(self.no)
            .filter(|(_, row)| row.payment.invoice_id == invoice)
            .map(|(_, row)| row.payment.clone())
            .collect();
        payments.sort_by_key(|payment| (payment.is_duplicate, payment.id));
        Ok(payments)
    }

    async fn save_payment(&mut self, payment: &Payment) -> R<()> {
        self.forget(|b| _ = b.payments.remove(&payment.id.0));
        self.step("save payment").await?;
        let any_version = self.has(Flaw::Versions);
        let reserved = if self.has(Flaw::Reservation) {
            0
        } else {
            payment.reserved_minor
        };
        let fits = self.has(Flaw::Balance)
            || (payment.refunded_minor >= 0
                && reserved >= 0
                && self.captured(payment.id) >= payment.refunded_minor + reserved);
        let gone = self.gone_of(payment.id);
        let mut is_refused = false;
        let mut is_less = false;
        let saved = self
            .put(
                Kind::Payment,
                payment.id.0,
                |t| &mut t.payments,
                |old| {
                    let is_current = any_version || old.payment.version == payment.version;
                    is_less = is_current
                        && payment.refunded_minor < old.payment.refunded_minor
                        && payment.refunded_minor != gone;
                    is_refused = is_current && !fits;
                    (is_current && fits && !is_less).then(|| {
                        let mut new = old.clone();
                        new.payment.refunded_minor = payment.refunded_minor;
                        new.payment.reserved_minor = reserved;
                        new.payment.version += 1;
                        new
                    })
                },
            )
            .await?;
        match (saved, is_refused) {
            (true, _) => Ok(()),
            (false, _) if is_less => self.refuse(vec![Constraint::NotUndone]),
            (false, true) => self.refuse(vec![Constraint::RefundBalance]),
            (false, false) => self.stale(Noun::Payment),
        }
    }

    async fn refunds_booked(&mut self, payment: PaymentId) -> R<Vec<BookedRefund>> {
        self.step("refunds booked").await?;
        let db = self.db();
        let mut rows: Vec<(i64, BookedRefund)> = db
            .tables
            .refunds
            .rows_of(self.no)
            .filter(|(_, row)| row.payment_id == payment)
            .map(|(id, row)| {
                let booked = row.booked.clone();
                (id, BookedRefund { id, ..booked })
            })
            .collect();
        rows.sort_by_key(|(id, row)| (row.refunded_at, *id));
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    async fn insert_refund(&mut self, new: &NewRefund<'_>) -> R<bool> {
        self.step("insert refund").await?;
        let no = self.no;
        if self
            .db()
            .tables
            .payments
            .get(new.payment_id.0, no)
            .is_none()
        {
            return Ok(false);
        }
        if new.amount.minor() <= 0 {
            return self.refuse(vec![Constraint::Other]);
        }
        let books_again = self.has(Flaw::RefundTwice);
        let known = self
            .until_free(|tx| {
                let db = tx.db();
                let clash = db.tables.refunds.clash(no, None, |other| {
                    other.payment_id == new.payment_id
                        && other.booked.transaction_key == new.transaction_key
                });
                match clash {
                    Clash::Wait(holder) => Try::Wait(holder),
                    Clash::Refused => Try::Done(!books_again),
                    Clash::Nothing => Try::Done(false),
                }
            })
            .await?;
        if known {
            return Ok(false);
        }
        let row = RefundRow {
            public_id: new.public_id.clone(),
            payment_id: new.payment_id,
            booked: BookedRefund {
                id: 0,
                attempt_id: new.attempt_id,
                amount: new.amount,
                transaction_key: new.transaction_key.to_owned(),
                refunded_at: new.refunded_at,
                reversed_at: None,
            },
        };
        let rules: Rules<'_, RefundRow> = &[(Constraint::Other, &|other| {
            other.public_id == *new.public_id
        })];
        self.add(Kind::Refund, row, rules, |t| &mut t.refunds)
            .await?;
        Ok(true)
    }

    async fn insert_reversal(&mut self, new: &NewReversal) -> R<()> {
        self.step("insert reversal").await?;
        let is_proved = {
            let db = self.db();
            let refund = db.tables.refunds.get(new.refund, self.no);
            let evidence = db.tables.evidence.get(new.evidence.0, self.no);
            refund.is_some_and(|refund| refund.booked.reversed_at.is_none())
                && evidence.is_some_and(|evidence| {
                    evidence.source != EvidenceSource::Person && evidence.outcome == REFUND_UNDONE
                })
        };
        if !is_proved {
            return self.refuse(vec![Constraint::NotUndone]);
        }
        self.put(
            Kind::Refund,
            new.refund,
            |t| &mut t.refunds,
            |old| {
                let mut row = old.clone();
                row.booked.reversed_at = Some(new.at);
                Some(row)
            },
        )
        .await
        .map(|_done| ())
    }
}

impl MemTx<'_> {
    /// What the refunds of a payment come to that nobody took back.
    fn gone_of(&self, id: PaymentId) -> i64 {
        let db = self.db();
        let rows = db.tables.refunds.rows_of(self.no);
        rows.filter(|(_, row)| row.payment_id == id && row.booked.reversed_at.is_none())
            .map(|(_, row)| row.booked.amount.minor())
            .sum()
    }

    fn captured(&self, id: PaymentId) -> i64 {
        let db = self.db();
        db.tables
            .payments
            .get(id.0, self.no)
            .map_or(i64::MAX, |row| row.payment.captured.minor())
    }
}
