//! What came of a person's calls after nobody looked at them any more.
//!
//! The audit trail says which process wrote a row, and a process's rows have an order. A call that one process sent and
//! another settled was seen by nobody where it was sent; neither was one that was settled after the terminal had gone.

use super::cells;
use super::query::{Query, values};
use crate::domain::attempt::AttemptKind;
use crate::domain::ids::{AttemptId, InvoiceId};
use crate::domain::states::AttemptState;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Away, AwayRow};
use crate::store::open::SqlStore;
use crate::store::sql::{Row, Value};

type R<T> = Result<T, StoreError>;

/// No terminal dies over more calls than this.
const SHOWN: i64 = 50;
/// A billing run that somebody started by hand makes many rows; what became of those is on the screen of runs.
const LOOKED_AT: i64 = 2_000;

const CALLS: &str = "select a.id as id, a.public_id, a.kind, a.state, a.amount_minor, a.currency, a.invoice_id, \
     a.settled_at, i.public_id as invoice, p.public_id as payment, \
     c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name \
     from (select y.id from (select x.id, x.source from attempt x where x.operator = ? \
       and x.operator not in ('run', 'cron', 'reconciler', 'worker') order by x.id desc limit ?) y \
      where y.source in ('manual', 'card_update', 'first') order by y.id desc limit ?) k \
     join attempt a on a.id = k.id \
     join customer c on c.id = a.customer_id join invoice i on i.id = a.invoice_id \
     left join payment p on p.id = a.payment_id order by a.id";
/// Since when nobody was greeted: the last greeting, or the start before this one.
const GREETED: &str = "select coalesce((select max(g.id) from audit g where g.target = 'console' and g.person = ? and g.verb = 'greeted'), \
     (select min(s.id) from (select x.id from audit x where x.target = 'console' and x.person = ? and x.verb = 'start' \
      order by x.id desc limit 2) s), 0) as n";
const TRAIL: &str =
    "select id, chain, person, verb, target, state_after, result from audit where target in ";

/// A row of the trail.
struct Press {
    id: i64,
    process: String,
    person: String,
    verb: String,
    target: String,
    after: String,
    result: String,
}

pub(super) async fn away(db: &SqlStore, person: &str) -> R<Away> {
    let calls = db
        .fetch(Query::with(CALLS, values![person, LOOKED_AT, SHOWN]))
        .await?;
    if calls.is_empty() {
        return Ok(Away::default());
    }
    let greeted = db
        .fetch_number(Query::with(GREETED, values![person, person]))
        .await?;
    let trail = trail(db, &calls, person, greeted).await?;
    let here = process_of(db.shared.process());
    let mut away = Away::default();
    for call in &calls {
        let (row, sent_for) = read(call)?;
        let id = row.public_id.as_str();
        let sent = trail.iter().find(|press| {
            press.result == "intent"
                && sent_for.contains(&press.target)
                && press.after.split(' ').next() == Some(id)
        });
        let Some(sent) = sent else { continue };
        if row.state.is_open() {
            away.open += u32::from(sent.process != here);
            continue;
        }
        let settled = trail.iter().rev().find(|press| {
            press.target == id && matches!(press.result.as_str(), "done" | "declined" | "abandoned")
        });
        let Some(settled) = settled.filter(|settled| settled.id > greeted) else {
            continue;
        };
        if !was_seen(&trail, person, sent, settled) {
            away.finished.push(row);
        }
    }
    Ok(away)
}

/// Whether whoever sent it was there when it was settled: at that terminal, or because he asked.
fn was_seen(trail: &[Press], person: &str, sent: &Press, settled: &Press) -> bool {
    let between = |press: &&Press| sent.id < press.id && press.id < settled.id;
    let had_left = trail.iter().filter(between).any(|press| {
        press.target == "console" && press.verb == "left" && press.process == sent.process
    });
    let has_asked = trail.iter().filter(between).any(|press| {
        press.target == settled.target
            && press.verb == "resolve-unknown"
            && press.person == person
            && press.process == settled.process
    });
    has_asked || (sent.process == settled.process && !had_left)
}

/// What was written about the calls, and about this person's terminals since he was greeted, in order.
async fn trail(db: &SqlStore, calls: &[Row], person: &str, greeted: i64) -> R<Vec<Press>> {
    let mut targets = Vec::new();
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
    let mut rows = db.fetch(query).await?;
    let mut query =
        Query::new("select id, chain, person, verb, target, state_after, result from audit where ");
    query.add(
        "target = 'console' and verb = 'left' and person = ? and id > ? order by id",
        values![person, greeted],
    );
    rows.extend(db.fetch(query).await?);
    let mut trail = rows.iter().map(press).collect::<R<Vec<_>>>()?;
    trail.sort_by_key(|press| press.id);
    Ok(trail)
}

fn press(row: &Row) -> R<Press> {
    let cells = row.cells("audit")?;
    Ok(Press {
        id: cells.i64("id")?,
        process: process_of(cells.str("chain")?).to_owned(),
        person: cells.text("person")?,
        verb: cells.text("verb")?,
        target: cells.text("target")?,
        after: cells.text("state_after")?,
        result: cells.text("result")?,
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
