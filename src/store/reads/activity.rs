//! The audit trail as a list and as chains, and the list of received events.

use super::list::{Kept, Key, List, Sort};
use super::matching::{after, keep_one_of, tail_of};
use super::query::{Flavour, Query, values};
use crate::domain::audit::{AuditEntry, AuditRecord};
use crate::domain::ids::PublicId;
use crate::domain::mode::ProviderName;
use crate::domain::operator::Verb;
use crate::engine::ports::StoreError;
use crate::engine::queries::{ActivityRow, Condition, EventRow, ListQuery, Order, Page, SortBy};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

pub(super) const ACTIVITY: List = List {
    name: "activity",
    from: "from audit a where true",
    id: "a.id",
    time: "a.at",
    customer: None,
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, a.chain, a.seq, a.prev, a.hash, a.at, a.person, \
           a.claims, a.mode, a.verb, a.target, a.state_before, a.state_after, a.reason, a.result, \
           a.provider_ref, a.approver \
           from picked k join audit a on a.id = k.id",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "a.at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "a.result",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::Name,
            key: "a.person",
            kind: Key::Text,
            from: None,
        },
    ],
    order: Order::Descending,
    keep,
    spread: None,
};

/// Rows of one thing by the ending of its id: each of these has an index over reversed ids.
const TARGETS: [&str; 7] = [
    "select public_id from customer where tail >= ? and tail < ?",
    " union all select public_id from subscription where tail >= ? and tail < ?",
    " union all select public_id from invoice where tail >= ? and tail < ?",
    " union all select public_id from attempt where tail >= ? and tail < ?",
    " union all select public_id from payment where tail >= ? and tail < ?",
    " union all select public_id from plan where tail >= ? and tail < ?",
    " union all select public_id from run where tail >= ? and tail < ?",
];

/// A word is a verb's name, the ending of the target's id, or the target itself. Status is the result.
fn keep(query: &mut Query, condition: &Condition, _flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => {
            let lower = word.to_lowercase();
            if Verb::parse(&lower).is_some() {
                query.add(" and a.verb = ?", values![lower]);
            } else if let Some(tail) = tail_of(word) {
                query.add(" and a.target in (", []);
                for select in TARGETS {
                    query.add(select, values![tail.as_str(), after(&tail)]);
                }
                query.add(")", []);
            } else {
                query.add(" and a.target = ?", values![word.as_str()]);
            }
        }
        Condition::Status(names) => keep_one_of(query, "a.result", names),
        Condition::By(person) => {
            query.add(" and a.person = ?", values![person.as_str()]);
        }
        Condition::Plan(_)
        | Condition::Card(_)
        | Condition::Code(_)
        | Condition::Class(_)
        | Condition::Began(..)
        | Condition::Days(..)
        | Condition::Provider(_)
        | Condition::Amount(..) => return Kept::Unsupported,
    }
    Kept::Yes
}

fn record(row: &Row) -> R<AuditRecord> {
    let cells = row.cells("audit")?;
    Ok(AuditRecord {
        chain: cells.text("chain")?,
        seq: cells.i64("seq")?,
        prev: cells.text("prev")?,
        hash: cells.text("hash")?,
        entry: AuditEntry {
            at: cells.at("at")?,
            person: cells.text("person")?,
            claims: cells.text("claims")?,
            mode: cells.mode()?,
            verb: cells.text("verb")?,
            target: cells.text("target")?,
            before: cells.text("state_before")?,
            after: cells.text("state_after")?,
            reason: cells.text("reason")?,
            result: cells.text("result")?,
            provider_ref: cells.text("provider_ref")?,
            approver: cells.text("approver")?,
        },
    })
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> R<Page<ActivityRow>> {
    ACTIVITY
        .read(db, asked, |row| {
            Ok(ActivityRow {
                record: record(row)?,
            })
        })
        .await
}

/// Records of one chain after `seq`, in order.
pub(super) async fn chain(
    db: &SqlStore,
    chain: &str,
    after_seq: i64,
    limit: u32,
) -> R<Vec<AuditRecord>> {
    let sql = "select id, chain, seq, prev, hash, at, person, claims, mode, verb, target, \
        state_before, state_after, reason, result, provider_ref, approver \
        from audit where chain = ? and seq > ? order by seq limit ?";
    let query = Query::with(sql, values![chain, after_seq, limit]);
    let rows: Vec<Row> = db.fetch(query).await?;
    rows.iter().map(record).collect()
}

/// Every chain, each found by one look into the index: there are few chains and many records.
pub(super) async fn chains(db: &SqlStore) -> R<Vec<String>> {
    let sql = "with recursive names (chain) as (\
        select min(chain) from audit union all \
        select (select min(a.chain) from audit a where a.chain > n.chain) from names n where n.chain is not null) \
        select chain from names where chain is not null order by chain";
    let rows = db.fetch(Query::new(sql)).await?;
    rows.iter()
        .map(|row| row.counts("audit").text("chain"))
        .collect()
}

pub(super) const EVENTS: List = List {
    name: "events",
    from: "from inbox e where true",
    id: "e.id",
    time: "e.received_at",
    customer: None,
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, e.provider, e.kind, e.received_at, e.state, e.tries, e.happened_at, \
           e.processed_at, e.last_error, \
           coalesce(e.about_subscription, e.about_payment, e.about_customer, e.provider_ref, e.order_id) as about, \
           s.public_id as subscription, m.tries as unread \
           from picked k join inbox e on e.id = k.id \
           left join subscription s on s.provider_ref = e.about_subscription \
           left join mirror m on m.subscription_id = s.id",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "e.received_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "e.state",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::Name,
            key: "e.kind",
            kind: Key::Text,
            from: None,
        },
    ],
    order: Order::Descending,
    keep: keep_event,
    spread: None,
};

/// A word is the beginning of the kind, or the order id or reference it speaks of.
fn keep_event(query: &mut Query, condition: &Condition, _flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => {
            // One provider writes its kinds in capitals, the other in small letters.
            let (upper, lower) = (word.to_uppercase(), word.to_lowercase());
            query.add(
                " and (e.kind >= ? and e.kind < ? or e.kind >= ? and e.kind < ? or e.order_id = ? or e.provider_ref = ? \
                 or e.about_subscription = ? or e.about_payment = ? or e.about_customer = ?)",
                values![
                    upper.as_str(),
                    after(&upper),
                    lower.as_str(),
                    after(&lower),
                    word.as_str(),
                    word.as_str(),
                    word.as_str(),
                    word.as_str(),
                    word.as_str()
                ],
            );
        }
        Condition::Status(names) => keep_one_of(query, "e.state", names),
        Condition::Provider(provider) => {
            query.add(" and e.provider = ?", values![provider.as_str()]);
        }
        Condition::Plan(_)
        | Condition::Card(_)
        | Condition::Code(_)
        | Condition::Class(_)
        | Condition::Began(..)
        | Condition::Days(..)
        | Condition::Amount(..)
        | Condition::By(_) => return Kept::Unsupported,
    }
    Kept::Yes
}

pub(super) async fn events(db: &SqlStore, asked: &ListQuery) -> R<Page<EventRow>> {
    EVENTS
        .read(db, asked, |row| {
            let cells = row.cells("inbox")?;
            Ok(EventRow {
                id: cells.i64("id")?,
                provider: cells.word("provider", ProviderName::parse)?,
                kind: cells.text("kind")?,
                about: cells.opt_text("about")?,
                subscription: cells.opt_text("subscription")?.map(PublicId::from_stored),
                happened_at: cells.opt_at("happened_at")?,
                received_at: cells.at("received_at")?,
                processed_at: cells.opt_at("processed_at")?,
                state: cells.text("state")?,
                tries: cells.u32("tries")?,
                unread: cells
                    .opt_i64("unread")?
                    .map_or(0, |n| u32::try_from(n).unwrap_or(0)),
                error: cells.opt_text("last_error")?,
            })
        })
        .await
}
