//! The books: ledger, audit chains, notices to be sent, and days to be computed again.

use chrono::{DateTime, NaiveDate, Utc};

use super::batch::Written;
use super::open::SqlStore;
use super::sql::{Stmt, args};
use super::tx::SqlTx;
use crate::domain::audit::{AuditEntry, GENESIS, chain_hash};
use crate::engine::ports::{Books, Posting, StoreError};

type R<T> = Result<T, StoreError>;

const POST: Stmt = Stmt::of_rows(
    "insert into ledger (payment_id, attempt_id, account, amount_minor, currency, at)
    select e.value ->> 0, e.value ->> 1, case side.n when 1 then e.value ->> 2 else e.value ->> 3 end,
        case side.n when 1 then e.value ->> 4 else 0 - (e.value ->> 4) end, e.value ->> 5, e.value ->> 6
    from json_each($1) e cross join (select 1 as n union all select 2) side",
    "insert into ledger (payment_id, attempt_id, account, amount_minor, currency, at)
    select payment_id, attempt_id, entry.account, entry.amount_minor, currency, at
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[])
    as new (payment_id, attempt_id, debit, credit, amount_minor, currency, at)
    cross join lateral (values (new.debit, new.amount_minor), (new.credit, 0 - new.amount_minor)) as entry (account, amount_minor)",
);
const CHAIN_END: Stmt =
    Stmt::both("select seq, hash from audit where chain = $1 order by seq desc limit 1");
const APPEND: Stmt = Stmt::of_rows(
    "insert into audit (chain, seq, prev, hash, at, person, claims, mode, verb, target, state_before, state_after, reason, result, provider_ref, approver)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9, e.value ->> 10, e.value ->> 11, e.value ->> 12, e.value ->> 13, e.value ->> 14, e.value ->> 15
    from json_each($1) e",
    "insert into audit (chain, seq, prev, hash, at, person, claims, mode, verb, target, state_before, state_after, reason, result, provider_ref, approver)
    select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])",
);
const QUEUE: Stmt = Stmt::of_rows(
    "insert into outbox (kind, key, payload, state, next_at, created_at)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, 'queued', e.value ->> 3, e.value ->> 3
    from json_each($1) e
    where true on conflict (kind, key) do nothing",
    "insert into outbox (kind, key, payload, state, next_at, created_at)
    select kind, key, payload, 'queued', at, at
    from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as new (kind, key, payload, at)
    on conflict (kind, key) do nothing",
);
/// SQLite's writers stand in a line, so one row per day is enough. In PostgreSQL a row that another
/// transaction can see may be read and deleted before this one commits: each leaves its own.
const MARK: Stmt = Stmt::of_rows(
    "insert into dirty_day (day) select distinct e.value ->> 0 from json_each($1) e
    where not exists (select 1 from dirty_day d where d.day = e.value ->> 0)",
    "insert into dirty_day (day) select distinct day from unnest($1::text[]) as new (day)",
);

/// A hash chain that one transaction at a time appends to.
#[derive(Debug)]
pub(super) struct Chain {
    name: String,
    /// Sequence number and hash of its last record, where a commit has confirmed them.
    end: Option<(i64, String)>,
}

impl Chain {
    /// The chain of a process, or its second, third, … for transactions that run side by side.
    pub(super) fn named(process: &str, number: u32) -> Self {
        let name = if number == 1 {
            process.to_owned()
        } else {
            format!("{process}.{number}")
        };
        Self { name, end: None }
    }
}

/// A chain in the hands of a transaction. It goes back when the transaction ends, whichever way;
/// only after a commit does it still know its end.
#[derive(Debug)]
pub(super) struct HeldChain {
    store: SqlStore,
    name: String,
    end: Option<(i64, String)>,
    is_confirmed: bool,
    /// A commit was asked for and its answer is not known: nobody may append after a record that
    /// may yet appear.
    is_in_doubt: bool,
}

impl HeldChain {
    fn take(store: &SqlStore) -> Self {
        let chain = store.shared.take_chain();
        Self {
            store: store.clone(),
            name: chain.name,
            end: chain.end,
            is_confirmed: false,
            is_in_doubt: false,
        }
    }

    /// What was appended is on its way into the database.
    pub(super) const fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    /// What was appended is committed.
    pub(super) fn keep(mut self) {
        self.is_in_doubt = false;
        self.is_confirmed = true;
    }

    /// What was appended is certainly not in the database.
    pub(super) fn withdraw(mut self) {
        self.is_in_doubt = false;
    }
}

impl Drop for HeldChain {
    fn drop(&mut self) {
        if self.is_in_doubt {
            return;
        }
        let end = self.end.take().filter(|_| self.is_confirmed);
        self.store.shared.give_chain(Chain {
            name: std::mem::take(&mut self.name),
            end,
        });
    }
}

impl SqlTx<'_> {
    /// The place of the next record: its chain, number, and the hash before it.
    async fn next_place(&mut self) -> R<(String, i64, String)> {
        let held = self
            .chain
            .get_or_insert_with(|| HeldChain::take(&self.store));
        let name = held.name.clone();
        if let Some((seq, hash)) = held.end.clone() {
            return Ok((name, seq + 1, hash));
        }
        let row = self.maybe(&CHAIN_END, args![name.as_str()]).await?;
        match row {
            None => Ok((name, 1, GENESIS.to_owned())),
            Some(row) => {
                let cells = row.counts("audit");
                Ok((name, cells.i64("seq")? + 1, cells.text("hash")?))
            }
        }
    }
}

impl Books for SqlTx<'_> {
    async fn post(&mut self, posting: &Posting) -> R<()> {
        let values = args![
            posting.payment_id,
            posting.attempt_id,
            posting.debit.as_str(),
            posting.credit.as_str(),
            posting.amount.minor(),
            posting.amount.currency().code(),
            posting.at
        ];
        self.append(Written::Postings, &POST, values).await
    }

    async fn audit(&mut self, entry: &AuditEntry) -> R<()> {
        let (chain, seq, prev) = self.next_place().await?;
        let hash = chain_hash(&chain, seq, &prev, entry);
        let values = args![
            chain,
            seq,
            prev,
            hash.as_str(),
            entry.at,
            entry.person.as_str(),
            entry.claims.as_str(),
            entry.mode.as_str(),
            entry.verb.as_str(),
            entry.target.as_str(),
            entry.before.as_str(),
            entry.after.as_str(),
            entry.reason.as_str(),
            entry.result.as_str(),
            entry.provider_ref.as_str(),
            entry.approver.as_str()
        ];
        self.append(Written::Audit, &APPEND, values).await?;
        if let Some(held) = &mut self.chain {
            held.end = Some((seq, hash));
        }
        Ok(())
    }

    async fn queue_notice(
        &mut self,
        kind: &str,
        key: &str,
        payload: &str,
        at: DateTime<Utc>,
    ) -> R<()> {
        let values = args![kind, key, payload, at];
        self.append(Written::Notices, &QUEUE, values).await
    }

    async fn mark_day(&mut self, day: NaiveDate) -> R<()> {
        self.append(Written::Days, &MARK, args![day]).await
    }
}
