//! What stories at scale need: many subscriptions at once, any question to the database, the audit
//! chains read back, and a future that is dropped after so many polls.

use std::pin::Pin;
use std::task::{Context, Poll};

use serde_json::{Value, json};
use sqlx::Row;

use paydeck::domain::audit::{AuditEntry, AuditRecord, is_intact};
use paydeck::domain::ids::SubscriptionId;
use paydeck::domain::mode::Mode;
use paydeck::engine::Reconciled;

use crate::world::World;

/// A future that is dropped when it has waited so often: a process that dies there.
pub struct DiesAfter<F> {
    future: Option<Pin<Box<F>>>,
    waits_left: u32,
}

impl<F: Future> DiesAfter<F> {
    pub fn new(future: F, waits: u32) -> Self {
        Self {
            future: Some(Box::pin(future)),
            waits_left: waits,
        }
    }
}

impl<F: Future> Future for DiesAfter<F> {
    /// None: it died.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if self.waits_left == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.waits_left -= 1;
        Poll::Pending
    }
}

/// Lets a future come so far and no further: None when it has waited so often and can go on.
pub async fn until_waited<F: Future>(mut future: Pin<&mut F>, waits: u32) -> Option<F::Output> {
    let mut left = waits;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

impl World {
    /// Makes `count` more subscriptions like `pattern`: same customer, card, term and dates.
    pub async fn many_like(&self, pattern: SubscriptionId, count: usize) {
        let like = pattern.0;
        for first in (0..count).step_by(200) {
            let ids: Vec<String> = (first..count.min(first + 200))
                .map(|_| {
                    let ulid = ulid::Ulid::generate().to_string();
                    let tail: String = ulid.chars().rev().collect();
                    format!("('sub_{ulid}', '{tail}')")
                })
                .collect();
            let ids = ids.join(", ");
            self.change(&format!(
                "with made(public_id, tail) as (values {ids})
                 insert into subscription (public_id, tail, customer_id, product_id, plan_id, state, quantity, method_id, mode, term_no, next_period, next_due_at, paid_until, trial_until, created_at)
                 select made.public_id, made.tail, s.customer_id, s.product_id, s.plan_id, s.state, s.quantity, s.method_id, s.mode, s.term_no, s.next_period, s.next_due_at, s.paid_until, s.trial_until, s.created_at
                 from made cross join subscription s where s.id = {like}"
            ))
            .await;
        }
        self.change(&format!(
            "insert into subscription_term (subscription_id, term_no, plan_id, anchor_date, zone, interval_unit, interval_count, quantity, price_minor, currency, from_at)
             select s.id, t.term_no, t.plan_id, t.anchor_date, t.zone, t.interval_unit, t.interval_count, t.quantity, t.price_minor, t.currency, t.from_at
             from subscription s cross join subscription_term t
             where t.subscription_id = {like} and not exists (select 1 from subscription_term o where o.subscription_id = s.id)"
        ))
        .await;
    }

    pub async fn no_faults(&self) {
        self.control("DELETE", "faults", Value::Null).await;
    }

    /// A fault that strikes every call to an endpoint from now on.
    pub async fn always(&self, endpoint: &str, fault: Value) {
        let endpoint = self.endpoint(endpoint);
        let script =
            json!({ "match": { "endpoint": endpoint }, "fault": fault, "times": "always" });
        self.control("POST", "faults", script).await;
    }

    /// Attempts whose end is not known, sent or not; a prepared return waits for a person.
    pub async fn open_attempts(&self) -> i64 {
        self.number("select count(*) from attempt where state in ('ready', 'sent', 'unknown')")
            .await
    }

    /// As if every process had died: leases end, look-ups are due, until nothing is open.
    pub async fn settle_everything(&self) -> Reconciled {
        let mut all = Reconciled::default();
        for _ in 0..12 {
            self.expire_leases().await;
            let looked = self.reconcile().await;
            all.claimed += looked.claimed;
            all.settled += looked.settled;
            all.abandoned += looked.abandoned;
            if self.open_attempts().await == 0 {
                return all;
            }
        }
        let left = self
            .column("select public_id || ' ' || state || ' ' || source || ' sends ' || send_count from attempt where state in ('ready', 'sent', 'unknown')")
            .await;
        panic!("still open: {left:?}");
    }

    /// Every chain of the audit trail, read back and checked; gives the number of records.
    pub async fn audit_is_intact(&self) -> usize {
        let records = self.audit_records().await;
        let mut before: Option<&AuditRecord> = None;
        for record in &records {
            let prev = before.filter(|prev| prev.chain == record.chain);
            assert!(is_intact(record, prev), "{record:?} after {prev:?}");
            before = Some(record);
        }
        records.len()
    }

    async fn audit_records(&self) -> Vec<AuditRecord> {
        const ALL: &str = "select chain, seq, prev, hash, at, person, claims, mode, verb, target, state_before, state_after, reason, result, provider_ref, approver from audit order by chain, seq";
        macro_rules! read {
            ($connection:expr) => {
                sqlx::query(ALL)
                    .fetch_all($connection)
                    .await
                    .expect("the audit trail")
                    .iter()
                    .map(|row| AuditRecord {
                        chain: row.get(0),
                        seq: row.get(1),
                        prev: row.get(2),
                        hash: row.get(3),
                        entry: AuditEntry {
                            at: chrono::DateTime::from_timestamp_micros(row.get(4))
                                .expect("in range"),
                            person: row.get(5),
                            claims: row.get(6),
                            mode: Mode::parse(row.get(7)).expect("a mode"),
                            verb: row.get(8),
                            target: row.get(9),
                            before: row.get(10),
                            after: row.get(11),
                            reason: row.get(12),
                            result: row.get(13),
                            provider_ref: row.get(14),
                            approver: row.get(15),
                        },
                    })
                    .collect()
            };
        }
        over_the_line!(self, connection => read!(connection))
    }
}
