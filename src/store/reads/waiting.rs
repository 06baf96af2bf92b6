//! What waits for a second person. Each half of the list has an index that holds nothing else.

use chrono::{DateTime, Utc};

use super::cells;
use super::query::{Query, values};
use crate::domain::ids::{ApprovalId, AttemptId, Noun, PublicId};
use crate::domain::operator::Verb;
use crate::domain::states::ApprovalState;
use crate::engine::ports::StoreError;
use crate::engine::queries::{WaitingFor, WaitingRow};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

/// More than anybody reads at once.
const MOST: i64 = 500;

macro_rules! request {
    ($which:literal) => {
        concat!(
            "select r.id, r.public_id, r.verb, r.mode, r.target, r.amount_minor, r.currency, r.requester, r.reason, \
             r.evidence, r.requested_at as since, r.expires_at, r.state, r.decided_by, c.id as customer_id, \
             c.public_id as customer_public_id, c.name as customer_name \
             from approval r join customer c on c.id = r.customer_id where ",
            $which
        )
    };
}
const REQUESTS: &str =
    request!("r.state = 'waiting' and r.expires_at > ? order by r.expires_at, r.id limit ?");
const REQUEST: &str = request!("r.id = ?");
/// Few requests lapse, and only the newest are of interest.
const LAPSED: &str = request!(
    "r.requester = ? and r.state = 'expired' and r.id > (select coalesce(max(x.id), 0) - 2000 from approval x) \
     order by r.id desc limit 20"
);
const RETURNS: &str = "select a.id, a.public_id, a.mode, p.public_id as target, a.amount_minor, a.currency, a.operator, a.reason, \
     a.created_at as since, c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name \
     from attempt a join payment p on p.id = a.payment_id join customer c on c.id = a.customer_id \
     where a.state = 'waiting_approval' and not exists (select 1 from approval r where r.target = a.public_id \
     and r.state = 'waiting' and r.expires_at > ?) order by a.created_at, a.id limit ?";
const COUNT: &str = "select (select count(*) from approval where state = 'waiting' and expires_at > ?) \
     + (select count(*) from attempt a where a.state = 'waiting_approval' and not exists (select 1 from approval r \
     where r.target = a.public_id and r.state = 'waiting' and r.expires_at > ?)) as n";

/// Requests by the time they have left, then returns that nobody has asked a second person for, oldest first.
pub(super) async fn list(db: &SqlStore) -> R<Vec<WaitingRow>> {
    let now = super::clock::now(db).await?;
    let requests = db.fetch(Query::with(REQUESTS, values![now, MOST])).await?;
    let returns = db.fetch(Query::with(RETURNS, values![now, MOST])).await?;
    let requests = requests.iter().map(|row| request(row, now));
    requests.chain(returns.iter().map(prepared)).collect()
}

/// One request, whatever became of it.
pub(super) async fn one(db: &SqlStore, id: ApprovalId) -> R<WaitingRow> {
    let now = super::clock::now(db).await?;
    let query = Query::with(REQUEST, values![id]);
    request(&db.fetch_one(Noun::Approval, query).await?, now)
}

pub(super) async fn count(db: &SqlStore) -> R<u64> {
    let now = super::clock::now(db).await?;
    let counted = db
        .fetch_number(Query::with(COUNT, values![now, now]))
        .await?;
    Ok(u64::try_from(counted).unwrap_or(0))
}

pub(super) async fn count_lapsed(db: &SqlStore) -> R<u64> {
    let sql = "select count(*) as n from approval where state = 'waiting' and expires_at <= ?";
    let now = super::clock::now(db).await?;
    let counted = db.fetch_number(Query::with(sql, values![now])).await?;
    Ok(u64::try_from(counted).unwrap_or(0))
}

/// How many requests of a person are not decided.
pub(super) async fn open_of(db: &SqlStore, person: &str) -> R<u32> {
    let sql = "select count(*) as n from approval where state = 'waiting' and requester = ?";
    let counted = db.fetch_number(Query::with(sql, values![person])).await?;
    Ok(u32::try_from(counted).unwrap_or(u32::MAX))
}

/// The last requests of a person that nobody decided in time, oldest first.
pub(super) async fn lapsed_of(db: &SqlStore, person: &str) -> R<Vec<WaitingRow>> {
    let now = super::clock::now(db).await?;
    let found = db.fetch(Query::with(LAPSED, values![person])).await?;
    found.iter().rev().map(|row| request(row, now)).collect()
}

fn request(row: &Row, now: DateTime<Utc>) -> R<WaitingRow> {
    let cells = &row.cells("approval")?;
    let id = ApprovalId(cells.i64("id")?);
    let state = cells.word("state", ApprovalState::parse)?;
    let left = (cells.at("expires_at")? - now).num_seconds();
    let is_over = left <= 0 && state == ApprovalState::Waiting;
    Ok(WaitingRow {
        what: match cells.word("verb", Verb::parse)? {
            Verb::ForceState => WaitingFor::NotExecuted(id),
            _ => WaitingFor::Refund(id),
        },
        public_id: cells.public_id()?,
        target: PublicId::from_stored(cells.text("target")?),
        customer: cells::customer(cells)?,
        amount: cells.money("amount_minor")?,
        requester: cells.text("requester")?,
        reason: cells.text("reason")?,
        evidence: cells.text("evidence")?,
        since: cells.at("since")?,
        left_s: (state == ApprovalState::Waiting).then_some(left.max(0)),
        mode: cells.mode()?,
        state: if is_over {
            ApprovalState::Expired
        } else {
            state
        },
        decided_by: cells.opt_text("decided_by")?,
    })
}

fn prepared(row: &Row) -> R<WaitingRow> {
    let cells = &row.cells("attempt")?;
    Ok(WaitingRow {
        what: WaitingFor::Return(AttemptId(cells.i64("id")?)),
        public_id: cells.public_id()?,
        target: PublicId::from_stored(cells.text("target")?),
        customer: cells::customer(cells)?,
        amount: cells.money("amount_minor")?,
        requester: cells.text("operator")?,
        reason: cells.text("reason")?,
        evidence: String::new(),
        since: cells.at("since")?,
        left_s: None,
        mode: cells.mode()?,
        state: ApprovalState::Waiting,
        decided_by: None,
    })
}
