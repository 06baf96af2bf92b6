//! What came of a person's calls after nobody looked at them any more, and of what he asked a second person for.
//!
//! The audit trail says which process wrote a row, and a process's rows have an order. A call that one process sent and
//! another settled was seen by nobody where it was sent; neither was one that was settled after the terminal had gone.
//! Who approved a refund pressed the key that sent it, so it is his call as well. What was told is known by its name: rows
//! of two processes may be committed in another order than that of their ids.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::query::{Query, values};
use super::{cells, waiting};
use crate::domain::attempt::AttemptKind;
use crate::domain::ids::{AttemptId, InvoiceId};
use crate::domain::states::AttemptState;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Away, AwayRow, WaitingRow};
use crate::store::open::SqlStore;
use crate::store::sql::{Row, Value};

type R<T> = Result<T, StoreError>;

/// No terminal dies over more calls than this.
const SHOWN: i64 = 50;
/// A billing run that somebody started by hand makes many rows; what became of those is on the screen of runs.
const LOOKED_AT: i64 = 2_000;
/// Greetings that are looked at; nobody was greeted more often over calls as new as these.
const GREETINGS: i64 = 200;
/// What is committed late is no later than that: no transaction takes so long.
const LATE_MIN: i64 = 5;

macro_rules! calls {
    ($of:literal) => {
        concat!(
            "select a.id as id, a.public_id, a.kind, a.state, a.amount_minor, a.currency, a.invoice_id, \
             a.settled_at, i.public_id as invoice, p.public_id as payment, \
             c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name from ",
            $of,
            " join customer c on c.id = a.customer_id join invoice i on i.id = a.invoice_id \
             left join payment p on p.id = a.payment_id order by a.id"
        )
    };
}
const CALLS: &str = calls!(
    "(select y.id from (select x.id, x.source from attempt x where x.operator = ? \
       and x.operator not in ('run', 'cron', 'reconciler', 'worker') order by x.id desc limit ?) y \
      where y.source in ('manual', 'card_update', 'first') order by y.id desc limit ?) k \
     join attempt a on a.id = k.id"
);
/// Refunds that this person approved. Few requests are made, and only the newest are of interest.
const APPROVED: &str = calls!(
    "(select r.payment_id, r.requester from approval r where r.decided_by = ? and r.state = 'granted' \
       and r.payment_id is not null and r.id > (select coalesce(max(x.id), 0) - 2000 from approval x) \
      order by r.id desc limit ?) g \
     join attempt a on a.payment_id = g.payment_id and a.kind = 'refund' and a.operator = g.requester"
);
const GREETED: &str = "select id, at, state_after from audit where target = 'console' and person = ? and verb = 'greeted' \
     order by id desc limit ?";
/// The start of this console and the one before it.
const STARTS: &str = "select id, at from audit where target = 'console' and person = ? and verb = 'start' \
     order by id desc limit 2";
const TRAIL: &str = "select id, at, chain, person, verb, target, state_after, result, approver from audit where target in ";
const LEFT: &str = "select id, at, chain, person, verb, target, state_after, result, approver from audit \
     where target = 'console' and verb = 'left' and person = ? and id > ? order by id";

/// A row of the trail.
struct Press {
    id: i64,
    at: DateTime<Utc>,
    process: String,
    person: String,
    verb: String,
    target: String,
    after: String,
    result: String,
    approver: String,
}

/// What a person was told, and since when there is anything to tell.
struct Greeted {
    names: BTreeSet<String>,
    /// By the clock of the trail; none where there is no beginning.
    since: Option<DateTime<Utc>>,
}

impl Greeted {
    /// Whether something that was written at this time is still to be told.
    fn leaves(&self, name: &str, at: DateTime<Utc>) -> bool {
        !self.names.contains(name) && self.since.is_none_or(|since| at >= since)
    }
}

pub(super) async fn away(db: &SqlStore, person: &str) -> R<Away> {
    let mut calls = db
        .fetch(Query::with(CALLS, values![person, LOOKED_AT, SHOWN]))
        .await?;
    calls.extend(
        db.fetch(Query::with(APPROVED, values![person, SHOWN]))
            .await?,
    );
    let lapsed = waiting::lapsed_of(db, person).await?;
    let mut away = Away {
        open: waiting::open_of(db, person).await?,
        ..Away::default()
    };
    if calls.is_empty() && lapsed.is_empty() {
        return Ok(away);
    }
    let greeted = greeted(db, person).await?;
    let trail = trail(db, &calls, &lapsed, person).await?;
    let here = process_of(db.shared.process());
    for call in &calls {
        let (row, sent_for) = read(call)?;
        let id = row.public_id.as_str();
        let Some(sent) = trail
            .iter()
            .find(|press| sends(press, person, id, &sent_for))
        else {
            continue;
        };
        if row.state.is_open() {
            away.open += u32::from(sent.process != here);
            continue;
        }
        let settled = trail.iter().rev().find(|press| {
            press.target == id && matches!(press.result.as_str(), "done" | "declined" | "abandoned")
        });
        let Some(settled) = settled.filter(|settled| greeted.leaves(id, settled.at)) else {
            continue;
        };
        if !was_seen(&trail, person, sent, settled) {
            away.finished.push(row);
        }
    }
    away.lapsed = lapsed;
    away.lapsed.retain(|row| {
        let name = row.public_id.as_str();
        let ended = trail.iter().rev().find(|press| press.target == name);
        ended.is_some_and(|ended| greeted.leaves(name, ended.at))
    });
    Ok(away)
}

/// Whether this is the row of the press that sent a call, and this person pressed.
fn sends(press: &Press, person: &str, id: &str, sent_for: &[String]) -> bool {
    let is_it = (sent_for.contains(&press.target) && press.after.split(' ').next() == Some(id))
        || press.target == id;
    let pressed = if press.approver.is_empty() {
        &press.person
    } else {
        &press.approver
    };
    press.result == "intent" && is_it && (pressed == person || press.person == person)
}

/// Whether whoever sent it was there when it was settled: at that terminal, or because he asked.
fn was_seen(trail: &[Press], person: &str, sent: &Press, settled: &Press) -> bool {
    // A terminal that went at the same time may stand behind what was settled: better told twice than not at all.
    let late = Duration::seconds(5);
    let had_left = trail.iter().any(|press| {
        press.target == "console"
            && press.verb == "left"
            && press.process == sent.process
            && press.id > sent.id
            && press.at <= settled.at + late
    });
    let has_asked = trail.iter().any(|press| {
        sent.id < press.id
            && press.id < settled.id
            && press.target == settled.target
            && press.verb == "resolve-unknown"
            && press.person == person
            && press.process == settled.process
    });
    has_asked || (sent.process == settled.process && !had_left)
}

/// What this person was told by name. Before the first greeting nothing is told that is older than the start before this one.
async fn greeted(db: &SqlStore, person: &str) -> R<Greeted> {
    let told = db
        .fetch(Query::with(GREETED, values![person, GREETINGS]))
        .await?;
    let mut names = BTreeSet::new();
    for row in &told {
        let after = row.cells("audit")?.text("state_after")?;
        names.extend(after.split_whitespace().map(str::to_owned));
    }
    let first = if told.is_empty() {
        db.fetch(Query::with(STARTS, values![person])).await?
    } else {
        told
    };
    let since = match first.last() {
        Some(row) => Some(row.cells("audit")?.at("at")? - Duration::minutes(LATE_MIN)),
        None => None,
    };
    Ok(Greeted { names, since })
}

/// What was written about the calls and requests, and about this person's terminals since, in order.
async fn trail(db: &SqlStore, calls: &[Row], lapsed: &[WaitingRow], person: &str) -> R<Vec<Press>> {
    let mut targets: Vec<String> = lapsed.iter().map(|row| row.public_id.to_string()).collect();
    for sent in calls {
        let columns = sent.cells("attempt")?;
        targets.extend([columns.text("public_id")?, columns.text("invoice")?]);
        targets.extend(columns.opt_text("payment")?);
    }
    targets.sort();
    targets.dedup();
    let mut query = Query::new(TRAIL);
    query.add_list(targets.iter().map(|target| Value::from(target.as_str())));
    query.add(" order by id", []);
    let rows = db.fetch(query).await?;
    let mut trail = rows.iter().map(press).collect::<R<Vec<_>>>()?;
    let first = trail.first().map_or(0, |press| press.id);
    let left = db.fetch(Query::with(LEFT, values![person, first])).await?;
    for row in &left {
        trail.push(press(row)?);
    }
    trail.sort_by_key(|press| press.id);
    Ok(trail)
}

fn press(row: &Row) -> R<Press> {
    let cells = row.cells("audit")?;
    Ok(Press {
        id: cells.i64("id")?,
        at: cells.at("at")?,
        process: process_of(cells.str("chain")?).to_owned(),
        person: cells.text("person")?,
        verb: cells.text("verb")?,
        target: cells.text("target")?,
        after: cells.text("state_after")?,
        result: cells.text("result")?,
        approver: cells.text("approver")?,
    })
}

/// A process appends to several chains: its own name, and that with a number behind it.
fn process_of(chain: &str) -> &str {
    match chain.rsplit_once('.') {
        Some((process, number)) if number.bytes().all(|b| b.is_ascii_digit()) => process,
        _ => chain,
    }
}

/// The call, and what it was asked for: an invoice or a payment.
fn read(row: &Row) -> R<(AwayRow, Vec<String>)> {
    let cells = &row.cells("attempt")?;
    let mut sent_for = vec![cells.text("invoice")?];
    sent_for.extend(cells.opt_text("payment")?);
    let row = AwayRow {
        id: AttemptId(cells.i64("id")?),
        public_id: cells.public_id()?,
        kind: cells.word("kind", AttemptKind::parse)?,
        state: cells.word("state", AttemptState::parse)?,
        customer: cells::customer(cells)?,
        invoice_id: InvoiceId(cells.i64("invoice_id")?),
        amount: cells.money("amount_minor")?,
        settled_at: cells.opt_at("settled_at")?,
    };
    Ok((row, sent_for))
}

#[cfg(test)]
mod tests {
    use super::process_of;

    #[test]
    fn a_second_chain_is_of_the_same_process() {
        for (chain, process) in [
            ("host:12:99", "host:12:99"),
            ("host:12:99.2", "host:12:99"),
            ("ip-10.local:12:99", "ip-10.local:12:99"),
            ("10.0.0.7:12:99.11", "10.0.0.7:12:99"),
        ] {
            assert_eq!(process_of(chain), process);
        }
    }
}
