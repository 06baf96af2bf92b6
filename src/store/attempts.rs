//! Attempts and the evidence about them. What fences a write is in its `where`, never in a read
//! before it.

use chrono::{DateTime, Utc};

use super::batch::Written;
use super::sql::{Cells, Row, Stmt, args, each_of, ids_of, locked};
use super::tx::SqlTx;
use crate::domain::attempt::{
    AlsoCancel, AnswerSeen, Attempt, AttemptKind, LookUp, Sighting, Source,
};
use crate::domain::evidence::{EvidenceSource, Proves, Refusal};
use crate::domain::failure::FailureClass;
use crate::domain::ids::{
    AttemptId, CustomerId, EvidenceId, InvoiceId, MethodId, Noun, PaymentId, SubscriptionId,
};
use crate::domain::money::{Currency, Money};
use crate::domain::period::local_date;
use crate::domain::states::AttemptState;
use crate::engine::ports::{
    Attempts, Claim, Fence, HintAbout, LookHint, NewAttempt, NewEvidence, RefundsBy, StoreError,
};

type R<T> = Result<T, StoreError>;

macro_rules! columns {
    () => {
        "id, public_id, kind, invoice_id, payment_id, customer_id, subscription_id, attempt_no, source, provider, mode, method_id, order_id, idem_key, provider_ref, body, amount_minor, currency, expected_balance_minor, also_cancel, state, needs_human, lease_owner, lease_epoch, lease_until, send_after, first_sent_at, last_sent_at, send_count, next_check_at, checks, not_seen, refusal_code, refusal_class, refusal_proves, refusal_http_status, replayed_at, trace_id, operator, reason, created_at, settled_at"
    };
}
/// What a worker may take at `$1`: the lease has ended, the look-up is due, and a row that was never
/// sent is either meant to go by now or has waited so long that its person gave it up.
macro_rules! is_to_be_worked_on {
    () => {
        "state in ('ready', 'sent', 'unknown')
        and (next_check_at is null or next_check_at <= $1)
        and (lease_until is null or lease_until <= $1)
        and (state <> 'ready' or (send_after is not null and send_after <= $1)
            or (send_after is null and (source in ('run', 'dunning') or created_at <= $1 - 120000000)))
        order by next_check_at nulls first, id limit $2"
    };
}

/// What is settled and asked about from time to time all the same, at `$1`: what two persons declared not executed, and
/// refunds that may come back. It is never sent.
macro_rules! is_to_be_looked_for {
    () => {
        "state in ('not_executed', 'succeeded') and next_check_at is not null and next_check_at <= $1
        and (lease_until is null or lease_until <= $1)
        order by next_check_at, id limit $2"
    };
}

/// What [`read`] reads.
pub(super) const COLUMNS: &str = columns!();
const NOW: Stmt = Stmt::split(
    "select cast(unixepoch('subsec') * 1000000 as integer) as now",
    "select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now",
);
const INSERT: Stmt = Stmt::of_rows(
    "insert into attempt (id, public_id, tail, kind, invoice_id, payment_id, customer_id, subscription_id, attempt_no, source, provider, mode, method_id, order_id, idem_key, provider_ref, body, amount_minor, currency, expected_balance_minor, also_cancel, state, send_after, lease_owner, lease_until, lease_epoch, first_sent_at, last_sent_at, send_count, operator, reason, created_at)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9, e.value ->> 10, e.value ->> 11, e.value ->> 12, e.value ->> 13, e.value ->> 14, e.value ->> 15, unhex(e.value ->> 16), e.value ->> 17, e.value ->> 18, e.value ->> 19, e.value ->> 20, e.value ->> 21, e.value ->> 22, e.value ->> 23, e.value ->> 24, e.value ->> 25, e.value ->> 26, e.value ->> 26, e.value ->> 27, e.value ->> 28, e.value ->> 29, e.value ->> 30
    from json_each($1) e returning id",
    "insert into attempt (id, public_id, tail, kind, invoice_id, payment_id, customer_id, subscription_id, attempt_no, source, provider, mode, method_id, order_id, idem_key, provider_ref, body, amount_minor, currency, expected_balance_minor, also_cancel, state, send_after, lease_owner, lease_until, lease_epoch, first_sent_at, last_sent_at, send_count, operator, reason, created_at)
    select coalesce(id, nextval('attempt_id_seq')), public_id, tail, kind, invoice_id, payment_id, customer_id, subscription_id, attempt_no, source, provider, mode, method_id, order_id, idem_key, provider_ref, body, amount_minor, currency, expected_balance_minor, also_cancel, state, send_after, lease_owner, lease_until, lease_epoch, sent_at, sent_at, send_count, operator, reason, created_at
    from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::text[], $16::text[], $17::bytea[], $18::bigint[], $19::text[], $20::bigint[], $21::text[], $22::text[], $23::bigint[], $24::text[], $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::text[], $30::text[], $31::bigint[])
    as new (id, public_id, tail, kind, invoice_id, payment_id, customer_id, subscription_id, attempt_no, source, provider, mode, method_id, order_id, idem_key, provider_ref, body, amount_minor, currency, expected_balance_minor, also_cancel, state, send_after, lease_owner, lease_until, lease_epoch, sent_at, send_count, operator, reason, created_at) returning id",
);
const HASTEN_CHARGE: Stmt = Stmt::both(
    "update attempt set next_check_at = $3
    where provider_ref = $2 and provider = $1 and kind = 'charge' and state = 'unknown' and next_check_at > $3",
);
const HASTEN_REFUNDS: Stmt = Stmt::both(
    "update attempt set next_check_at = $3
    where provider_ref = $2 and provider = $1
        and ((next_check_at > $3 and (state = 'succeeded' or (state = 'unknown' and kind = 'refund')))
            or (next_check_at is null and state = 'succeeded' and kind = 'charge'))",
);
const IDS: Stmt = ids_of!("attempt");
const TARGET: Stmt = Stmt::both("select invoice_id from attempt where id = $1");
const LOCK: Stmt = locked!("select ", columns!(), " from attempt where id = $1");
const SAVE: Stmt = Stmt::of_rows(
    "update attempt set state = e.value ->> 3, provider_ref = e.value ->> 4, needs_human = e.value ->> 5, lease_owner = e.value ->> 6, lease_epoch = e.value ->> 7, lease_until = e.value ->> 8, send_after = e.value ->> 9, first_sent_at = e.value ->> 10, last_sent_at = e.value ->> 11, send_count = e.value ->> 12, next_check_at = e.value ->> 13, checks = e.value ->> 14, not_seen = e.value ->> 15, refusal_code = e.value ->> 16, refusal_class = e.value ->> 17, refusal_proves = e.value ->> 18, refusal_http_status = e.value ->> 19, replayed_at = e.value ->> 20, trace_id = e.value ->> 21, operator = e.value ->> 22, reason = e.value ->> 23, settled_at = e.value ->> 24, settled_on = e.value ->> 25, evidence_id = coalesce((e.value ->> 26), attempt.evidence_id)
    from json_each($1) e
    where attempt.id = (e.value ->> 0) and attempt.state = (e.value ->> 1) and ((e.value ->> 2) is null or attempt.lease_epoch = (e.value ->> 2))",
    "update attempt a set state = new.state, provider_ref = new.provider_ref, needs_human = new.needs_human, lease_owner = new.lease_owner, lease_epoch = new.lease_epoch, lease_until = new.lease_until, send_after = new.send_after, first_sent_at = new.first_sent_at, last_sent_at = new.last_sent_at, send_count = new.send_count, next_check_at = new.next_check_at, checks = new.checks, not_seen = new.not_seen, refusal_code = new.refusal_code, refusal_class = new.refusal_class, refusal_proves = new.refusal_proves, refusal_http_status = new.refusal_http_status, replayed_at = new.replayed_at, trace_id = new.trace_id, operator = new.operator, reason = new.reason, settled_at = new.settled_at, settled_on = new.settled_on, evidence_id = coalesce(new.evidence_id, a.evidence_id)
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::text[], $23::text[], $24::text[], $25::bigint[], $26::text[], $27::bigint[])
    as new (id, was, epoch, state, provider_ref, needs_human, lease_owner, lease_epoch, lease_until, send_after, first_sent_at, last_sent_at, send_count, next_check_at, checks, not_seen, refusal_code, refusal_class, refusal_proves, refusal_http_status, replayed_at, trace_id, operator, reason, settled_at, settled_on, evidence_id)
    where a.id = new.id and a.state = new.was and (new.epoch is null or a.lease_epoch = new.epoch)",
);
const LOCK_EACH: Stmt = each_of!(
    concat!("select ", columns!(), " from attempt"),
    "id",
    locked
);
const CHARGES_OF_EACH: Stmt = each_of!(
    concat!("select ", columns!(), " from attempt"),
    "invoice_id",
    " and kind = 'charge' order by id",
    ""
);
const CHARGES_OF: Stmt = Stmt::both(concat!(
    "select ",
    columns!(),
    " from attempt where invoice_id = $1 and kind = 'charge' order by id"
));
const OPEN_BY_CARD: Stmt = Stmt::both(concat!(
    "select ",
    columns!(),
    " from attempt where customer_id = $1 and method_id = $2 and kind = 'charge' and state in ('ready', 'sent', 'unknown') order by id limit 20"
));
const REFUNDS_OF: Stmt = Stmt::both(concat!(
    "select ",
    columns!(),
    " from attempt where target_id = $1 and kind = 'refund' order by id"
));
/// Two refunds of one person at once must see each other; SQLite has one writer anyway.
const ONE_OF_A_PERSON: Stmt = Stmt::split(
    "select length($1) as id",
    "select 1::bigint as id, pg_advisory_xact_lock(81029175, hashtext($1))",
);
const REFUNDS_BY: Stmt = Stmt::both(
    "select count(*) as n, cast(coalesce(sum(case when currency = $3 then amount_minor else 0 end), 0) as bigint) as amount_minor \
     from attempt where operator = $1 and created_at >= $2 and kind = 'refund' \
     and state not in ('declined', 'abandoned', 'not_executed')",
);
const CLAIM: Stmt = Stmt::split(
    concat!(
        "update attempt set lease_owner = $3, lease_until = $4, lease_epoch = lease_epoch + 1
        where id in (select id from attempt where ",
        is_to_be_worked_on!(),
        ") returning ",
        columns!()
    ),
    concat!(
        "update attempt set lease_owner = $3, lease_until = $4, lease_epoch = lease_epoch + 1
        where id = any (array(select id from attempt where ",
        is_to_be_worked_on!(),
        " for no key update skip locked)) returning ",
        columns!()
    ),
);
const CLAIM_ABSENT: Stmt = Stmt::split(
    concat!(
        "update attempt set lease_owner = $3, lease_until = $4, lease_epoch = lease_epoch + 1
        where id in (select id from attempt where ",
        is_to_be_looked_for!(),
        ") returning ",
        columns!()
    ),
    concat!(
        "update attempt set lease_owner = $3, lease_until = $4, lease_epoch = lease_epoch + 1
        where id = any (array(select id from attempt where ",
        is_to_be_looked_for!(),
        " for no key update skip locked)) returning ",
        columns!()
    ),
);
const RELEASE: Stmt = Stmt::both(
    "update attempt set lease_until = $2
    where lease_owner = $1 and state in ('ready', 'sent', 'unknown') and lease_until > $2",
);
const OWNERS: Stmt = Stmt::both(
    "select distinct lease_owner from attempt
    where state in ('ready', 'sent', 'unknown') and lease_owner is not null order by lease_owner",
);
const INSERT_EVIDENCE: Stmt = Stmt::of_rows(
    "insert into evidence (id, attempt_id, source, outcome, http_status, code, reference, amount_minor, currency, trace_id, body_sha256, elapsed_ms, at)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9, e.value ->> 10, e.value ->> 11, e.value ->> 12
    from json_each($1) e returning id",
    "insert into evidence (id, attempt_id, source, outcome, http_status, code, reference, amount_minor, currency, trace_id, body_sha256, elapsed_ms, at)
    select coalesce(id, nextval('evidence_id_seq')), attempt_id, source, outcome, http_status, code, reference, amount_minor, currency, trace_id, body_sha256, elapsed_ms, at
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[])
    as new (id, attempt_id, source, outcome, http_status, code, reference, amount_minor, currency, trace_id, body_sha256, elapsed_ms, at) returning id",
);
const LOOK_UPS: Stmt = Stmt::both(
    "select a.kind, e.source, e.outcome, e.at from evidence e join attempt a on a.id = e.attempt_id where e.attempt_id = $1 order by e.at, e.id",
);
const ANSWERS: Stmt = Stmt::both(
    "select http_status, code, at from evidence where attempt_id = $1 and source = 'answer' order by at, id",
);
const EVIDENCE_IDS: Stmt = ids_of!("evidence");

fn read_refusal(cells: &Cells<'_>) -> R<Option<Refusal>> {
    let Some(code) = cells.opt_text("refusal_code")? else {
        return Ok(None);
    };
    let status = cells.i64("refusal_http_status")?;
    Ok(Some(Refusal {
        code,
        class: cells.word("refusal_class", FailureClass::parse)?,
        proves: cells.word("refusal_proves", Proves::parse)?,
        http_status: u16::try_from(status)
            .map_err(|_| cells.bad(format!("refusal_http_status is {status}")))?,
    }))
}

pub(super) fn read(row: &Row) -> R<Attempt> {
    let cells = row.cells("attempt")?;
    Ok(Attempt {
        id: AttemptId(cells.i64("id")?),
        public_id: cells.public_id()?,
        kind: cells.word("kind", AttemptKind::parse)?,
        invoice_id: InvoiceId(cells.i64("invoice_id")?),
        payment_id: cells.opt_i64("payment_id")?.map(PaymentId),
        customer_id: CustomerId(cells.i64("customer_id")?),
        subscription_id: cells.opt_i64("subscription_id")?.map(SubscriptionId),
        attempt_no: cells.u32("attempt_no")?,
        source: cells.word("source", Source::parse)?,
        provider: cells.provider()?,
        mode: cells.mode()?,
        method_id: cells.opt_i64("method_id")?.map(MethodId),
        order_id: cells.text("order_id")?,
        idem_key: cells.text("idem_key")?,
        provider_ref: cells.opt_text("provider_ref")?,
        body: cells.bytes("body")?,
        amount: cells.money("amount_minor")?,
        expected_balance_minor: cells.opt_i64("expected_balance_minor")?,
        also_cancel: cells.word("also_cancel", AlsoCancel::parse)?,
        state: cells.word("state", AttemptState::parse)?,
        needs_human: cells.yes("needs_human")?,
        lease_owner: cells.opt_text("lease_owner")?,
        lease_epoch: cells.i64("lease_epoch")?,
        lease_until: cells.opt_at("lease_until")?,
        send_after: cells.opt_at("send_after")?,
        first_sent_at: cells.opt_at("first_sent_at")?,
        last_sent_at: cells.opt_at("last_sent_at")?,
        send_count: cells.u32("send_count")?,
        next_check_at: cells.opt_at("next_check_at")?,
        checks: cells.u32("checks")?,
        not_seen: cells.u32("not_seen")?,
        refusal: read_refusal(&cells)?,
        replayed_at: cells.opt_at("replayed_at")?,
        trace_id: cells.opt_text("trace_id")?,
        operator: cells.text("operator")?,
        reason: cells.text("reason")?,
        created_at: cells.at("created_at")?,
        settled_at: cells.opt_at("settled_at")?,
    })
}

impl SqlTx<'_> {
    async fn attempts(&mut self, stmt: &Stmt, id: i64) -> R<Vec<Attempt>> {
        let rows = self.rows(stmt, args![id]).await?;
        rows.iter().map(read).collect()
    }

    async fn claimed(&mut self, stmt: &Stmt, claim: Claim<'_>) -> R<Vec<Attempt>> {
        let until = claim.now + chrono::Duration::seconds(claim.lease_s);
        let values = args![claim.now, claim.limit, claim.owner, until];
        let rows = self.rows(stmt, values).await?;
        let mut claimed: Vec<Attempt> = rows.iter().map(read).collect::<R<_>>()?;
        // An update gives its rows back in no order.
        claimed.sort_by_key(|attempt| (attempt.next_check_at, attempt.id));
        Ok(claimed)
    }

    /// Reads ahead attempts to be settled, and the other charges of their invoices.
    pub(super) async fn foresee_attempts(&mut self, ids: &[i64], invoices: &[i64]) -> R<()> {
        self.read_each(&LOCK, &LOCK_EACH, ids, &["id"]).await?;
        self.foresee_charges(invoices).await
    }

    /// Reads ahead the charges of invoices.
    pub(super) async fn foresee_charges(&mut self, invoices: &[i64]) -> R<()> {
        self.read_each(&CHARGES_OF, &CHARGES_OF_EACH, invoices, &["invoice_id"])
            .await
            .map(|_rows| ())
    }

    /// Takes the database's time once for all rows.
    pub(super) async fn foresee_time(&mut self) -> R<()> {
        self.read_once(&NOW).await
    }

    /// The evidence that this transaction took in last about an attempt.
    fn evidence_of(&self, attempt: AttemptId) -> Option<EvidenceId> {
        let newest = self.evidence.iter().rev();
        newest
            .copied()
            .find_map(|(about, id)| (about == attempt).then_some(id))
    }
}

impl Attempts for SqlTx<'_> {
    async fn db_now(&mut self) -> R<DateTime<Utc>> {
        let rows = self.rows(&NOW, args![]).await?;
        match rows.first() {
            Some(row) => row.counts("clock").at("now"),
            None => Err(StoreError::Other("the database has no clock".into())),
        }
    }

    async fn insert_attempt(&mut self, new: &NewAttempt<'_>) -> R<AttemptId> {
        let sent_at = (new.state == AttemptState::Sent).then_some(new.at);
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.kind.as_str(),
            new.invoice_id,
            new.payment_id,
            new.customer_id,
            new.subscription_id,
            new.attempt_no,
            new.source.as_str(),
            new.provider.as_str(),
            new.mode.as_str(),
            new.method_id,
            new.order_id,
            new.idem_key,
            new.provider_ref,
            new.body,
            new.amount.minor(),
            new.amount.currency().code(),
            new.expected_balance_minor,
            new.also_cancel.as_str(),
            new.state.as_str(),
            new.send_after,
            new.lease.map(|lease| lease.owner),
            new.lease.map(|lease| lease.until),
            new.lease.is_some(),
            sent_at,
            sent_at.is_some(),
            new.operator,
            new.reason,
            new.at
        ];
        self.forget(&CHARGES_OF, args![new.invoice_id]);
        self.make(Written::Attempts, &INSERT, &IDS, values)
            .await
            .map(AttemptId)
    }

    async fn attempt_target(&mut self, id: AttemptId) -> R<InvoiceId> {
        let row = self.one(&TARGET, args![id], Noun::Attempt).await?;
        row.counts("attempt").i64("invoice_id").map(InvoiceId)
    }

    async fn lock_attempt(&mut self, id: AttemptId) -> R<Attempt> {
        read(&self.one(&LOCK, args![id], Noun::Attempt).await?)
    }

    async fn save_attempt(&mut self, attempt: &Attempt, fence: Fence) -> R<()> {
        let zone = self.store.zone();
        let refusal = attempt.refusal.as_ref();
        let values = args![
            attempt.id,
            fence.state.as_str(),
            fence.epoch,
            attempt.state.as_str(),
            attempt.provider_ref.as_deref(),
            attempt.needs_human,
            attempt.lease_owner.as_deref(),
            attempt.lease_epoch,
            attempt.lease_until,
            attempt.send_after,
            attempt.first_sent_at,
            attempt.last_sent_at,
            attempt.send_count,
            attempt.next_check_at,
            attempt.checks,
            attempt.not_seen,
            refusal.map(|refusal| refusal.code.as_str()),
            refusal.map(|refusal| refusal.class.as_str()),
            refusal.map(|refusal| refusal.proves.as_str()),
            refusal.map(|refusal| refusal.http_status),
            attempt.replayed_at,
            attempt.trace_id.as_deref(),
            attempt.operator.as_str(),
            attempt.reason.as_str(),
            attempt.settled_at,
            attempt.settled_at.map(|at| local_date(at, zone)),
            self.evidence_of(attempt.id)
        ];
        self.forget(&LOCK, args![attempt.id]);
        self.forget(&CHARGES_OF, args![attempt.invoice_id]);
        let row = (Noun::Attempt, attempt.id.0);
        self.move_row(Written::AttemptMoves, &SAVE, values, row)
            .await
    }

    async fn charges_of(&mut self, invoice: InvoiceId) -> R<Vec<Attempt>> {
        self.attempts(&CHARGES_OF, invoice.0).await
    }

    async fn open_charges_by(&mut self, customer: CustomerId, method: MethodId) -> R<Vec<Attempt>> {
        let rows = self.rows(&OPEN_BY_CARD, args![customer, method]).await?;
        rows.iter().map(read).collect()
    }

    async fn refunds_of(&mut self, payment: PaymentId) -> R<Vec<Attempt>> {
        self.attempts(&REFUNDS_OF, payment.0).await
    }

    async fn refunds_by(
        &mut self,
        person: &str,
        currency: Currency,
        since: DateTime<Utc>,
    ) -> R<RefundsBy> {
        // A statement of its own: what is counted afterwards sees what others have committed meanwhile.
        self.rows(&ONE_OF_A_PERSON, args![person]).await?;
        let values = args![person, since, currency.code()];
        let row = self.rows(&REFUNDS_BY, values).await?.pop();
        let row = row.ok_or_else(|| StoreError::Other("a count gave no row".into()))?;
        let cells = row.counts("attempt");
        Ok(RefundsBy {
            count: cells.count("n")?,
            sum: Money::new(cells.i64("amount_minor")?, currency),
        })
    }

    async fn claim_open_attempts(&mut self, claim: Claim<'_>) -> R<Vec<Attempt>> {
        let mut claimed = self.claimed(&CLAIM, claim).await?;
        let taken = u32::try_from(claimed.len()).unwrap_or(u32::MAX);
        let limit = claim.limit.saturating_sub(taken);
        if limit > 0 {
            let rest = Claim { limit, ..claim };
            claimed.extend(self.claimed(&CLAIM_ABSENT, rest).await?);
        }
        Ok(claimed)
    }

    async fn hasten_looks(&mut self, hint: LookHint<'_>) -> R<u64> {
        let stmt = match hint.about {
            HintAbout::Charge => &HASTEN_CHARGE,
            HintAbout::Refunds => &HASTEN_REFUNDS,
        };
        let values = args![hint.provider.as_str(), hint.provider_ref, hint.at];
        self.execute(stmt, values).await
    }

    async fn release_leases_of(&mut self, owner: &str, now: DateTime<Utc>) -> R<u64> {
        self.execute(&RELEASE, args![owner, now]).await
    }

    async fn lease_owners(&mut self) -> R<Vec<String>> {
        let rows = self.rows(&OWNERS, args![]).await?;
        rows.iter()
            .map(|row| row.counts("attempt").text("lease_owner"))
            .collect()
    }

    async fn insert_evidence(&mut self, new: &NewEvidence<'_>) -> R<EvidenceId> {
        let currency = new.amount.map(Money::currency);
        let elapsed = i64::try_from(new.elapsed_ms).unwrap_or(i64::MAX);
        let values = args![
            new.attempt_id,
            new.source.as_str(),
            new.outcome,
            new.http_status,
            new.code,
            new.reference,
            new.amount.map(Money::minor),
            currency.as_ref().map(Currency::code),
            new.trace_id,
            new.body_sha256,
            elapsed,
            new.at
        ];
        let id = self
            .make(Written::Evidence, &INSERT_EVIDENCE, &EVIDENCE_IDS, values)
            .await?;
        let id = EvidenceId(id);
        self.evidence.push((new.attempt_id, id));
        Ok(id)
    }

    async fn answers_of(&mut self, id: AttemptId) -> R<Vec<AnswerSeen>> {
        let rows = self.rows(&ANSWERS, args![id]).await?;
        let answer = |row: &Row| {
            let cells = row.counts("evidence");
            let status = cells.opt_i64("http_status")?;
            Ok(AnswerSeen {
                at: cells.at("at")?,
                http_status: status.and_then(|status| u16::try_from(status).ok()),
                code: cells.opt_text("code")?,
            })
        };
        rows.iter().map(answer).collect()
    }

    async fn look_ups_of(&mut self, id: AttemptId) -> R<Vec<LookUp>> {
        let rows = self.rows(&LOOK_UPS, args![id]).await?;
        let look_up = |row: &Row| {
            let cells = row.counts("evidence");
            let source = cells.word("source", EvidenceSource::parse)?;
            let kind = cells.word("kind", AttemptKind::parse)?;
            let sighting = Sighting::of(kind, source, cells.str("outcome")?);
            let at = cells.at("at")?;
            Ok(sighting.map(|sighting| LookUp { at, sighting }))
        };
        rows.iter()
            .filter_map(|row| look_up(row).transpose())
            .collect()
    }
}
