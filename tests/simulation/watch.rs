//! What must hold after every step, and at rest.

use std::collections::{BTreeMap, HashMap};

use chrono::Duration;

use paydeck::domain::approval::{Approval, Asked, is_same_person};
use paydeck::domain::attempt::{Attempt, AttemptKind};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::states::{ApprovalState, AttemptState, InvoiceState};

use crate::ledger::AT_DESK;
use crate::memory::db::{AttemptRow, Committed, Tables};
use crate::memory::stage::instant;
use crate::net::{self, Posted};
use crate::world::{World, install};

/// A law that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// L1: a request left that no durable row speaks of.
    WrittenBeforeSent,
    /// L2: two successful charges for one obligation.
    OneSuccess,
    /// L2: two open attempts for one obligation.
    OneOpen,
    /// L2: one refund request was executed more than once, or something was refunded that nobody asked for.
    RefundOnce,
    /// L2: refunded and reserved exceed what was captured.
    Balance,
    /// L3, L4: written off although the money moved, or may yet: a customer may still agree at the link.
    NeverWrittenOff,
    /// L4: called a success although no money moved.
    ProofOfSuccess,
    /// L4: a settled attempt moved without new evidence.
    SettledStays,
    /// L5: an open attempt without a look within a day.
    NextLook,
    /// L5: money moved and our books do not say so.
    NothingLost,
    /// L5: an attempt that is still open half an hour after the last fault.
    NothingStuck,
    /// L6: our books and the provider's differ.
    BooksEqual,
    /// L6: a movement's two entries do not sum to zero.
    DoubleEntry,
    /// L7: something moved without a row in the audit.
    Audited,
    /// A period was invoiced twice.
    OneInvoice,
    /// Money that nobody owed was taken, and no return was prepared.
    ReturnPrepared,
    /// An invoice is paid without a payment, or has one and is not.
    PaidIsPaid,
    /// Something that needs two persons was done by one, or too late.
    TwoPersons,
    /// An approval was used twice, or what was done is not what was asked for.
    ApprovedOnce,
    /// A billing key that was issued is in no database and on no host.
    KeyKept,
    /// Money was taken under a name that our books do not have.
    NamedFirst,
    /// Somebody took an attempt that another holds, or took it under the other's fence.
    OneHolder,
    /// A refund was sent again under a key that its provider may have forgotten.
    KeyRemembered,
    /// What was wished happened twice, or went out under a second key.
    WishOnce,
    /// What a provider schedules was charged from here.
    OneScheduler,
    /// An older reading was written over a newer one.
    NewestReading,
    /// At rest the mirror shows something else than its provider.
    MirrorEqual,
}

#[derive(Debug, Clone)]
pub struct Violation {
    pub law: Law,
    pub what: String,
}

/// Looks on.
#[derive(Debug, Default)]
pub struct Watch {
    movements: usize,
    /// Wishes that have happened.
    wishes: usize,
    /// When each refund's key was first used.
    pub keys_used: HashMap<String, i64>,
    pub found: Vec<Violation>,
}

pub fn ulid_of(order_id: &str) -> &str {
    order_id.split('-').nth(1).unwrap_or(order_id)
}

/// For so long a provider certainly knows a key again.
fn keys_are_kept(by: ProviderName) -> Duration {
    match by {
        ProviderName::Toss => Duration::days(15),
        ProviderName::Stripe => Duration::hours(24),
    }
}

fn is_flying_or_done(net: &net::State, attempt: &Attempt) -> bool {
    match attempt.kind {
        AttemptKind::Charge => net.offline.taken_at(&attempt.order_id).is_some(),
        AttemptKind::Refund => tagged(net, &attempt.order_id) > 0,
    }
}

fn tagged(net: &net::State, tag: &str) -> usize {
    let tag = format!("[{tag}]");
    net.offline
        .approved()
        .iter()
        .flat_map(|payment| &payment.cancels)
        .filter(|(reason, _)| reason.ends_with(&tag))
        .count()
}

impl Watch {
    pub fn new(world: &World) -> Self {
        Self {
            movements: world.net.state().offline.movements(),
            wishes: 0,
            keys_used: HashMap::new(),
            found: Vec::new(),
        }
    }

    pub fn says(&mut self, law: Law, what: impl Into<String>) {
        self.found.push(Violation {
            law,
            what: what.into(),
        });
    }

    /// After every step.
    pub fn look(&mut self, world: &World) {
        let mut net = world.net.state();
        let mut db = world.shared.db();
        let log = db.log.as_mut().map(std::mem::take).unwrap_or_default();
        let launches = std::mem::take(&mut net.launches);
        let has_moved =
            net.offline.movements() != self.movements || net.wishes_done.len() != self.wishes;
        if log.is_empty() && launches.is_empty() && !has_moved {
            return;
        }
        let now = world.stage.lock().now;
        for key in &net.heard_keys {
            let mut methods = db.tables.methods.rows();
            if !methods.any(|(_, row)| row.key.hash == *key) && !world.host.keeps_key(key) {
                self.says(Law::KeyKept, key.clone());
            }
        }
        for launch in &launches {
            if self.wish_left(launch, &db.tables, now) {
                continue;
            }
            if Posted::by(&launch.path) == Posted::Refunded {
                let first = *self.keys_used.entry(launch.key.clone()).or_insert(now);
                if instant(now) - instant(first) >= keys_are_kept(net.offline.provider()) {
                    self.says(Law::KeyRemembered, launch.key.clone());
                }
            }
            let is_confirming = launch.path.ends_with("/confirm");
            if launch.key.is_empty() {
                // It ends what was prepared, and takes nothing.
                continue;
            }
            let is_written = if launch.path.ends_with("/issue") {
                let body: serde_json::Value =
                    serde_json::from_slice(&launch.body).unwrap_or_default();
                let hash = install().keyed_hash(body["authKey"].as_str().unwrap_or_default());
                db.tables.issues.rows().any(|(_, row)| row.hash == hash)
            } else if launch.path == "/v1/customers" {
                db.tables.issues.rows().next().is_some()
            } else if let Some(method) = launch.path.strip_suffix("/attach") {
                let method = method.rsplit('/').next().unwrap_or_default();
                let hash = install().keyed_hash(method);
                db.tables.issues.rows().any(|(_, row)| row.hash == hash)
            } else {
                db.tables.attempts.rows().any(|(_, row)| {
                    let attempt = &row.attempt;
                    let rest = launch.key.strip_prefix(&attempt.idem_key);
                    let says_more = attempt.provider.charges_in_two_steps();
                    let is_ours = match says_more {
                        true => launch.body.starts_with(&attempt.body),
                        false => launch.body == attempt.body,
                    };
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
                    && (is_ours || is_confirming)
                    && attempt.send_count > 0
                    // Somebody may have settled it since: the same bytes under the same key do no harm.
                    && !matches!(
                        attempt.state,
                        AttemptState::WaitingApproval
                            | AttemptState::Ready
                            | AttemptState::Abandoned
                    )
                })
            };
            if !is_written {
                self.says(Law::WrittenBeforeSent, launch.key.clone());
            }
        }
        for commit in &log {
            self.after_commit(commit, &db.tables, &net, now);
            self.mirror_moved(commit, &db.tables, &net, now);
            self.two_persons(commit, &db.tables, world.manners.refund_alone);
        }
        if net.wishes_done.len() != self.wishes {
            self.wishes = net.wishes_done.len();
            self.wishes_happened(&net);
        }
        if net.offline.movements() != self.movements {
            self.movements = net.offline.movements();
            self.after_movement(&db.tables, &net);
        }
    }

    fn after_commit(&mut self, commit: &Committed, tables: &Tables, net: &net::State, now: i64) {
        for (id, (before, after)) in &commit.attempts {
            self.attempt_moved(*id, before.as_deref(), after, tables, net, now);
        }
        // What a provider charged by its own schedule is no deed of anybody here.
        let is_mirrored = |row: &AttemptRow| {
            row.attempt.kind == AttemptKind::Charge && row.attempt.body.is_empty()
        };
        let ours = commit
            .attempts
            .iter()
            .filter(|(_, (_, row))| !is_mirrored(row));
        let moved = ours.clone().any(|(_, (before, after))| {
            let from = before.as_ref().map(|row| row.attempt.state);
            let to = after.attempt.state;
            from != Some(to) && (from, to) != (Some(AttemptState::Ready), AttemptState::Sent)
        });
        if moved && commit.audits.is_empty() {
            self.says(Law::Audited, "an attempt moved");
        }
        for (id, (_, after)) in &commit.payments {
            let payment = &after.payment;
            let gone = payment.refunded_minor + payment.reserved_minor;
            if gone > payment.captured.minor()
                || payment.refunded_minor < 0
                || payment.reserved_minor < 0
            {
                self.says(Law::Balance, format!("payment {id}"));
            }
        }
        for (id, (before, after)) in &commit.invoices {
            let is_twice = before.is_none()
                && after.subscription_id.is_some()
                && tables.invoices.rows().any(|(other, row)| {
                    other != *id
                        && row.subscription_id == after.subscription_id
                        && row.term_no == after.term_no
                        && row.period_index == after.period_index
                        && row.kind == after.kind
                });
            if is_twice {
                self.says(Law::OneInvoice, format!("invoice {id}"));
            }
        }
    }

    /// What needs two persons has two, each approval is used once, and what is done is what was asked for.
    fn two_persons(&mut self, commit: &Committed, tables: &Tables, alone: Option<i64>) {
        let granted: Vec<&Approval> = commit
            .approvals
            .iter()
            .filter(|(_, (_, after))| after.state == ApprovalState::Granted)
            .map(|(_, (_, after))| &**after)
            .collect();
        for (id, (before, after)) in &commit.approvals {
            let was_decided = before
                .as_ref()
                .is_some_and(|before| before.state != ApprovalState::Waiting);
            if was_decided {
                self.says(Law::ApprovedOnce, format!("approval {id}"));
            }
            if after.state != ApprovalState::Granted {
                continue;
            }
            let by = after.decided_by.as_deref().unwrap_or_default();
            let is_late = after.decided_at.is_none_or(|at| at >= after.expires_at);
            if by.is_empty() || is_same_person(by, &after.requester) || is_late {
                self.says(Law::TwoPersons, format!("approval {id} by {by:?}"));
            }
            let done = commit.attempts.iter().filter(|(id, (before, now))| {
                let now = &now.attempt;
                match after.asked {
                    Asked::Refund(payment) => {
                        before.is_none()
                            && now.payment_id == Some(payment)
                            && now.amount == after.amount
                    }
                    Asked::NotExecuted(attempt) => {
                        attempt.0 == *id && now.state == AttemptState::NotExecuted
                    }
                    Asked::Return(attempt) => {
                        attempt.0 == *id
                            && now.state == AttemptState::Ready
                            && now.amount == after.amount
                    }
                }
            });
            if done.count() != 1 {
                self.says(
                    Law::ApprovedOnce,
                    format!("approval {id} did something else"),
                );
            }
        }
        for (id, (before, after)) in &commit.attempts {
            let now = &after.attempt;
            let from = before.as_ref().map(|row| row.attempt.state);
            let is_new_refund = from.is_none()
                && now.kind == AttemptKind::Refund
                && now.state != AttemptState::WaitingApproval
                && alone.is_some_and(|alone| now.amount.minor() > alone);
            // What the provider itself canceled needs nobody's word.
            let is_canceled = after
                .evidence_id
                .and_then(|id| tables.evidence.committed(id))
                .is_some_and(|row| matches!(row.outcome.as_str(), "canceled" | "unconfirmed"));
            let is_declared = now.state == AttemptState::NotExecuted
                && from != Some(AttemptState::NotExecuted)
                && !is_canceled;
            let is_sent_back = from == Some(AttemptState::WaitingApproval)
                && matches!(now.state, AttemptState::Ready | AttemptState::Sent);
            let is_large = alone.is_some_and(|alone| now.amount.minor() > alone);
            let has_approval = granted.iter().any(|approval| match approval.asked {
                Asked::Refund(payment) => is_new_refund && now.payment_id == Some(payment),
                Asked::NotExecuted(attempt) => is_declared && attempt.0 == *id,
                Asked::Return(attempt) => is_sent_back && attempt.0 == *id,
            });
            let needs_two = is_new_refund || is_declared || (is_sent_back && is_large);
            if needs_two && !has_approval {
                self.says(Law::TwoPersons, format!("attempt {id} is {}", now.state));
            }
            let prepared_by = before.as_ref().map_or("", |row| &row.attempt.operator);
            let is_pressed = commit.audits.iter().any(|row| {
                let by = &row.entry.approver;
                !by.is_empty() && !is_same_person(by, prepared_by)
            });
            if is_sent_back && !is_pressed {
                self.says(Law::TwoPersons, format!("return {id}"));
            }
        }
    }

    fn attempt_moved(
        &mut self,
        id: i64,
        before: Option<&AttemptRow>,
        after: &AttemptRow,
        tables: &Tables,
        net: &net::State,
        now: i64,
    ) {
        use AttemptState::{
            Abandoned, Declined, Duplicate, NotExecuted, Ready, Sent, Succeeded, Unknown,
        };
        let attempt = &after.attempt;
        let (from, to) = (before.map(|row| row.attempt.state), attempt.state);
        if from.is_none_or(|from| !from.holds_charge_slot() && !from.is_open()) {
            let rivals = tables.attempts.rows().filter(|(other, row)| {
                let other_attempt = &row.attempt;
                *other != id
                    && other_attempt.kind == attempt.kind
                    && match attempt.kind {
                        AttemptKind::Charge => {
                            to.holds_charge_slot()
                                && other_attempt.invoice_id == attempt.invoice_id
                                && other_attempt.state.holds_charge_slot()
                        }
                        AttemptKind::Refund => {
                            to.is_open()
                                && other_attempt.payment_id == attempt.payment_id
                                && other_attempt.state.is_open()
                        }
                    }
            });
            if rivals.count() > 0 {
                self.says(Law::OneOpen, format!("attempt {id}"));
            }
        }
        if let Some(before) = before {
            self.one_holder(id, &before.attempt, attempt, now);
            let from = before.attempt.state;
            let has_proof = after.evidence_id > before.evidence_id;
            if from != to && (!from.can_move_to(to) || (!from.is_open() && !has_proof)) {
                self.says(Law::SettledStays, format!("attempt {id}: {from} > {to}"));
            }
        }
        if from == Some(to) {
            return;
        }
        let executed = is_flying_or_done(net, attempt)
            || (attempt.kind == AttemptKind::Charge && net.offline.has_link(&attempt.order_id));
        match to {
            Declined | NotExecuted | Abandoned if executed => {
                self.says(Law::NeverWrittenOff, format!("attempt {id} is {to}"));
            }
            Ready if from == Some(Sent) && (executed || net.is_flying(&attempt.idem_key)) => {
                self.says(Law::NeverWrittenOff, format!("attempt {id} is {to} again"));
            }
            Succeeded | Duplicate if !is_flying_or_done(net, attempt) => {
                self.says(Law::ProofOfSuccess, format!("attempt {id} is {to}"));
            }
            Unknown => {
                let limit = instant(now) + Duration::hours(25);
                if attempt.next_check_at.is_none_or(|at| at > limit) {
                    self.says(Law::NextLook, format!("attempt {id}"));
                }
            }
            _ => {}
        }
    }

    /// A day later nobody is waited for any more: who never came was told so.
    pub fn nobody_is_asked(&mut self, world: &World) {
        let db = world.shared.db();
        for (id, row) in db.tables.attempts.rows() {
            if row.attempt.asks_customer() && !row.attempt.needs_human {
                self.says(
                    Law::NothingStuck,
                    format!("attempt {id} waits for its customer"),
                );
            }
        }
    }

    /// Two processes never send for one attempt: who takes it waits for the other's lease, and gets a fence of his own.
    fn one_holder(&mut self, id: i64, before: &Attempt, after: &Attempt, now: i64) {
        // What was never sent may go at last by whoever began it: its state alone lets one of them.
        let was_never_sent = before.state == AttemptState::Ready;
        let is_same = before.lease_owner == after.lease_owner;
        if before.lease_owner.is_none() || is_same || was_never_sent {
            return;
        }
        if before.lease_until.is_some_and(|until| until > instant(now)) {
            self.says(Law::OneHolder, format!("attempt {id} was held"));
        }
        if after.lease_epoch <= before.lease_epoch {
            self.says(
                Law::OneHolder,
                format!("attempt {id}: the fence of another"),
            );
        }
    }

    fn after_movement(&mut self, tables: &Tables, net: &net::State) {
        let approved = net.offline.approved();
        for (at, payment) in approved.iter().enumerate() {
            let ulid = ulid_of(&payment.order_id);
            if approved[..at]
                .iter()
                .any(|other| ulid_of(&other.order_id) == ulid)
            {
                self.says(Law::OneSuccess, payment.order_id.clone());
            }
            let attempt = tables
                .attempts
                .rows()
                .map(|(_, row)| &row.attempt)
                .find(|a| a.kind == AttemptKind::Charge && a.order_id == payment.order_id);
            let is_scheduled_there = payment.order_id.starts_with("ch_");
            if net.offline.provider().charges_in_two_steps()
                && !is_scheduled_there
                && attempt.is_none_or(|a| a.provider_ref.as_deref() != Some(&payment.key))
            {
                self.says(Law::NamedFirst, payment.order_id.clone());
            }
            let is_written_off = attempt.is_some_and(|a| {
                matches!(
                    a.state,
                    AttemptState::Declined | AttemptState::NotExecuted | AttemptState::Abandoned
                )
            });
            if is_written_off {
                self.says(Law::NeverWrittenOff, payment.order_id.clone());
            }
            for (n, (reason, amount)) in payment.cancels.iter().enumerate() {
                if reason == AT_DESK {
                    continue;
                }
                let is_again = payment.cancels[..n]
                    .iter()
                    .any(|(other, _)| other == reason);
                let asked = tables.attempts.rows().any(|(_, row)| {
                    row.attempt.kind == AttemptKind::Refund
                        && row.attempt.amount.minor() == *amount
                        && reason.ends_with(&format!("[{}]", row.attempt.order_id))
                });
                if is_again || !asked {
                    self.says(Law::RefundOnce, format!("{reason}: {amount}"));
                }
            }
        }
    }

    /// A day after the first send, whoever hears nothing but a stored server error has been called.
    pub fn a_day_later(&mut self, world: &World) {
        let net = world.net.state();
        let db = world.shared.db();
        for (id, row) in db.tables.attempts.rows() {
            let attempt = &row.attempt;
            let is_behind_error = net.dead_keys.contains(&attempt.idem_key);
            if attempt.state.is_open() && is_behind_error && !attempt.needs_human {
                self.says(Law::NothingStuck, format!("nobody was called about {id}"));
            }
        }
    }

    /// At rest: no fault any more, nobody acts, half an hour has passed at most.
    pub fn at_rest(&mut self, world: &World) {
        let net = world.net.state();
        let db = world.shared.db();
        let tables = &db.tables;
        for (id, row) in tables.attempts.rows() {
            let attempt = &row.attempt;
            let is_open = matches!(
                attempt.state,
                AttemptState::Ready | AttemptState::Sent | AttemptState::Unknown
            );
            // Whoever sends it again hears a stored server error, until a day has passed and a person is called.
            let is_behind_error = net.dead_keys.contains(&attempt.idem_key);
            let is_asked = attempt.asks_customer() && net.offline.has_link(&attempt.order_id);
            if is_open && !attempt.needs_human && !is_behind_error && !is_asked {
                self.says(
                    Law::NothingStuck,
                    format!("attempt {id} is {}", attempt.state),
                );
            }
        }
        for name in world.host.names() {
            self.says(Law::NothingStuck, format!("{name} is kept for ever"));
        }
        self.compare_payments(tables, &net);
        self.compare_ledger(tables);
        for (id, invoice) in tables.invoices.rows() {
            let paid = tables
                .payments
                .rows()
                .filter(|(_, row)| row.payment.invoice_id.0 == id && !row.payment.is_duplicate)
                .count();
            let is_paid = invoice.state == InvoiceState::Paid;
            if paid > 1 || (is_paid && paid == 0 && invoice.amount.minor() > 0) {
                self.says(Law::PaidIsPaid, format!("invoice {id}: {paid} payments"));
            }
            if paid == 1 && !is_paid {
                let has_return = tables.attempts.rows().any(|(_, row)| {
                    row.attempt.kind == AttemptKind::Refund && row.attempt.invoice_id.0 == id
                });
                if !has_return {
                    self.says(
                        Law::ReturnPrepared,
                        format!("invoice {id} is {}", invoice.state),
                    );
                }
            }
        }
    }

    fn compare_payments(&mut self, tables: &Tables, net: &net::State) {
        let approved = net.offline.approved();
        // What a person has to look at is open, and so are its books.
        let waits = |order: &str| {
            tables.attempts.rows().any(|(_, row)| {
                let attempt = &row.attempt;
                (attempt.needs_human || net.dead_keys.contains(&attempt.idem_key))
                    && matches!(attempt.state, AttemptState::Sent | AttemptState::Unknown)
                    && (attempt.order_id == order
                        || attempt
                            .payment_id
                            .and_then(|id| tables.payments.committed(id.0))
                            .is_some_and(|row| row.payment.order_id == order))
            })
        };
        for theirs in approved {
            let ours = tables
                .payments
                .rows()
                .map(|(_, row)| &row.payment)
                .find(|payment| payment.provider_ref == theirs.key);
            let Some(ours) = ours else {
                if !waits(&theirs.order_id) {
                    self.says(Law::NothingLost, theirs.order_id.clone());
                }
                continue;
            };
            let returned: i64 = theirs.cancels.iter().map(|(_, amount)| amount).sum();
            // Whoever refunds at the provider's own desk tells nobody: our books follow when they look.
            let at_desk = theirs.cancels.iter().filter(|(why, _)| why == AT_DESK);
            let asked = returned - at_desk.map(|(_, amount)| amount).sum::<i64>();
            let is_equal = ours.captured.minor() == theirs.amount
                && (asked..=returned).contains(&ours.refunded_minor);
            if !is_equal && !waits(&theirs.order_id) {
                self.says(
                    Law::BooksEqual,
                    format!(
                        "{}: {} of {} returned, we say {} of {}",
                        theirs.order_id,
                        returned,
                        theirs.amount,
                        ours.refunded_minor,
                        ours.captured.minor()
                    ),
                );
            }
        }
        for (id, row) in tables.payments.rows() {
            let payment = &row.payment;
            if !approved.iter().any(|p| p.key == payment.provider_ref) {
                self.says(Law::BooksEqual, format!("payment {id} is ours alone"));
            }
            let open: i64 = tables
                .attempts
                .rows()
                .map(|(_, row)| &row.attempt)
                .filter(|a| {
                    a.kind == AttemptKind::Refund
                        && a.payment_id == Some(payment.id)
                        && a.state.is_open()
                })
                .map(|a| a.amount.minor())
                .sum();
            // Where others have given back so much that less is left, no more than that is reserved.
            let open = open.min(payment.captured.minor() - payment.refunded_minor);
            if open != payment.reserved_minor {
                self.says(
                    Law::Balance,
                    format!(
                        "payment {id}: {open} on its way, {} reserved",
                        payment.reserved_minor
                    ),
                );
            }
        }
    }

    fn compare_ledger(&mut self, tables: &Tables) {
        let mut sums: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (_, row) in tables.ledger.rows() {
            let (all, provider) = sums.entry(row.payment_id.0).or_default();
            *all += row.amount_minor;
            if row.account == paydeck::engine::ports::Account::Provider {
                *provider += row.amount_minor;
            }
        }
        for (id, row) in tables.payments.rows() {
            let (all, provider) = sums.get(&id).copied().unwrap_or_default();
            let payment = &row.payment;
            let held = payment.captured.minor() - payment.refunded_minor;
            if all != 0 {
                self.says(Law::DoubleEntry, format!("payment {id}"));
            } else if provider != held {
                self.says(
                    Law::BooksEqual,
                    format!("payment {id}: ledger {provider}, {held}"),
                );
            }
        }
    }
}
