//! Everything that happened to one invoice, in time order.

use chrono::TimeDelta;

use super::fees;
use super::query::{Query, values};
use crate::domain::attempt::Attempt;
use crate::domain::ids::{AttemptId, InvoiceId, Noun, PaymentId};
use crate::domain::invoice::Invoice;
use crate::domain::mirror::Scheduler;
use crate::domain::payment::Payment;
use crate::engine::ports::StoreError;
use crate::engine::queries::{CardBrief, ReversedRefund, Timeline, TimelineEntry, TimelineEvent};
use crate::store::open::SqlStore;
use crate::store::sql::{Cells, Row, Value};
use crate::store::{attempts, customers, invoices, payments};

type R<T> = Result<T, StoreError>;

/// No invoice has more than a few dozen of each; this holds even for a broken one.
const AT_MOST: i64 = 1_000;

const EVIDENCE: &str = "select e.id as id, e.attempt_id, e.source, e.outcome, e.http_status, e.code, e.trace_id, e.at \
     from attempt a join evidence e on e.attempt_id = a.id where a.invoice_id = ? order by e.id limit ?";
const REFUNDS: &str = "select r.id as id, r.amount_minor, r.currency, r.reason, r.operator, r.refunded_at \
     from payment p join refund r on r.payment_id = p.id where p.invoice_id = ? order by r.refunded_at, r.id limit ?";

const REVERSALS: &str = "select r.id as id, r.payment_id, r.amount_minor, r.currency, v.reversed_at, \
     cast(case when exists (select 1 from refund n where n.payment_id = r.payment_id and n.refunded_at >= v.reversed_at \
     and n.amount_minor >= r.amount_minor and not exists (select 1 from refund_reversal w where w.refund_id = n.id)) \
     then 1 else 0 end as bigint) as is_made_up_for \
     from payment p join refund r on r.payment_id = p.id join refund_reversal v on v.refund_id = r.id \
     where p.invoice_id = ? order by v.reversed_at, r.id limit ?";

/// What was asked of its provider about the invoice: kept with the subscription, under the provider's name for the invoice.
const ASKED: &str = "select a.id as id, a.at, a.person, a.verb, a.result, a.reason from invoice i \
     join subscription s on s.id = i.subscription_id \
     join audit a on a.target = s.public_id and a.provider_ref = i.provider_ref where i.id = ? order by a.id limit ?";

async fn reversals(db: &SqlStore, id: InvoiceId) -> R<Vec<ReversedRefund>> {
    let rows = db
        .fetch(Query::with(REVERSALS, values![id, AT_MOST]))
        .await?;
    rows.iter()
        .map(|row| reversal(&row.cells("refund")?))
        .collect()
}

/// The invoice, who owes it, its payments and attempts, and what happened.
pub(super) async fn timeline(db: &SqlStore, id: InvoiceId) -> R<Timeline> {
    let mut query = Query::new("select ");
    query
        .add(invoices::COLUMNS, [])
        .add(" from invoice where id = ?", values![id]);
    let invoice = invoices::read(&db.fetch_one(Noun::Invoice, query).await?)?;

    let sql = "select id, public_id, customer_key, name, email, phone, created_at, version from customer where id = ?";
    let query = Query::with(sql, values![invoice.customer_id]);
    let customer = customers::read_customer(&db.fetch_one(Noun::Customer, query).await?)?;

    let mut query = Query::new("select ");
    query.add(payments::COLUMNS, []).add(
        " from payment where invoice_id = ? order by is_duplicate, id limit ?",
        values![id, AT_MOST],
    );
    let paid = db.fetch(query).await?;
    let paid = paid.iter().map(payments::read).collect::<R<Vec<_>>>()?;

    let mut query = Query::new("select ");
    query.add(attempts::COLUMNS, []).add(
        " from attempt where invoice_id = ? order by id limit ?",
        values![id, AT_MOST],
    );
    let tried = db.fetch(query).await?;
    let tried = tried.iter().map(attempts::read).collect::<R<Vec<_>>>()?;

    let cards = cards(db, &paid, &tried).await?;
    let fees = fees::of_payments(db, &paid).await?;

    let mut entries = own_entries(&invoice, &tried);
    for row in db
        .fetch(Query::with(EVIDENCE, values![id, AT_MOST]))
        .await?
    {
        entries.extend(evidence(&row, &tried)?);
    }
    for row in db.fetch(Query::with(REFUNDS, values![id, AT_MOST])).await? {
        entries.push(refund(&row.cells("refund")?)?);
    }
    let reversals = reversals(db, id).await?;
    let targets = std::iter::once(invoice.public_id.as_str())
        .chain(paid.iter().map(|payment| payment.public_id.as_str()))
        .chain(tried.iter().map(|attempt| attempt.public_id.as_str()));
    let mut query = Query::new(
        "select id, at, person, verb, result, reason, state_after from audit where target in ",
    );
    query.add_list(targets.map(Value::from));
    query.add(" order by id limit ?", values![AT_MOST]);
    let pressed = db.fetch(query).await?;
    one_clock(&mut entries, &tried, &pressed)?;
    let scheduler = scheduler(db, &invoice).await?;
    let asked = if scheduler.is_ours() {
        Vec::new()
    } else {
        db.fetch(Query::with(ASKED, values![id, AT_MOST])).await?
    };
    for row in pressed.iter().chain(&asked) {
        entries.push(audit(&row.cells("audit")?)?);
    }
    // What happened at one instant keeps the order of causes: made, started, evidence, settled.
    entries.sort_by_key(|entry| (entry.at, rank(&entry.what)));
    Ok(Timeline {
        scheduler,
        invoice,
        customer,
        payments: paid,
        reversals,
        fees,
        cards,
        attempts: tried,
        entries,
    })
}

/// Who collects an invoice; we do, where it belongs to no subscription.
async fn scheduler(db: &SqlStore, invoice: &Invoice) -> R<Scheduler> {
    let Some(id) = invoice.subscription_id else {
        return Ok(Scheduler::Paydeck);
    };
    let query = Query::with(
        "select id, scheduler from subscription where id = ?",
        values![id],
    );
    let row = db.fetch_one(Noun::Subscription, query).await?;
    row.cells("subscription")?
        .word("scheduler", Scheduler::parse)
}

/// The card that each payment was taken from: that of the attempt that took it.
async fn cards(db: &SqlStore, paid: &[Payment], tried: &[Attempt]) -> R<Vec<Option<CardBrief>>> {
    let mut cards = Vec::with_capacity(paid.len());
    for payment in paid {
        let attempt = tried
            .iter()
            .find(|attempt| attempt.id == payment.attempt_id);
        let Some(method) = attempt.and_then(|attempt| attempt.method_id) else {
            cards.push(None);
            continue;
        };
        let mut query = Query::new("select ");
        query
            .add(customers::METHOD_COLUMNS, [])
            .add(" from payment_method where id = ?", values![method]);
        let method = customers::read_method(&db.fetch_one(Noun::Method, query).await?)?;
        cards.push(Some(CardBrief {
            provider: method.provider,
            issuer: method.card.issuer,
            number: method.card.number,
            expiry: method.card.expiry,
            state: method.state,
        }));
    }
    Ok(cards)
}

/// Attempts and evidence are dated by the database, presses in mode sim by the simulator's clock. Where a press and its
/// attempt are apart, everything of the attempt is told by the clock of the press.
fn one_clock(entries: &mut [TimelineEntry], tried: &[Attempt], pressed: &[Row]) -> R<()> {
    const SAME_CLOCK_S: i64 = 30;
    let mut behind = vec![TimeDelta::zero(); tried.len()];
    for row in pressed {
        let cells = row.cells("audit")?;
        let after = cells.text("state_after")?;
        let (at, id) = (cells.at("at")?, after.split(' ').next().unwrap_or(""));
        let begun = cells.str("result")? == "intent";
        let of = tried.iter().position(|a| a.public_id.as_str() == id);
        if let Some((attempt, behind)) = of
            .filter(|_| begun)
            .and_then(|of| Some((tried.get(of)?, behind.get_mut(of)?)))
        {
            let apart = at - attempt.created_at;
            if apart.num_seconds().abs() >= SAME_CLOCK_S {
                *behind = apart;
            }
        }
    }
    for entry in entries {
        let of = match &entry.what {
            TimelineEvent::Started(of) => *of,
            TimelineEvent::Evidence { attempt, .. } => *attempt,
            // Business time already.
            TimelineEvent::InvoiceMade
            | TimelineEvent::Settled(_)
            | TimelineEvent::Refunded { .. }
            | TimelineEvent::Audit { .. } => continue,
        };
        entry.at += behind.get(of).copied().unwrap_or_default();
    }
    Ok(())
}

const fn rank(event: &TimelineEvent) -> u8 {
    match event {
        TimelineEvent::InvoiceMade => 0,
        TimelineEvent::Audit { .. } => 1,
        TimelineEvent::Started(_) => 2,
        TimelineEvent::Evidence { .. } => 3,
        TimelineEvent::Settled(_) => 4,
        TimelineEvent::Refunded { .. } => 5,
    }
}

fn own_entries(invoice: &Invoice, tried: &[Attempt]) -> Vec<TimelineEntry> {
    let mut entries = vec![TimelineEntry {
        at: invoice.created_at,
        what: TimelineEvent::InvoiceMade,
    }];
    for (at, attempt) in tried.iter().enumerate() {
        entries.push(TimelineEntry {
            at: attempt.created_at,
            what: TimelineEvent::Started(at),
        });
        entries.extend(attempt.settled_at.map(|settled_at| TimelineEntry {
            at: settled_at,
            what: TimelineEvent::Settled(at),
        }));
    }
    entries
}

fn evidence(row: &Row, tried: &[Attempt]) -> R<Option<TimelineEntry>> {
    let cells = row.cells("evidence")?;
    let about = AttemptId(cells.i64("attempt_id")?);
    let Some(attempt) = tried.iter().position(|attempt| attempt.id == about) else {
        return Ok(None);
    };
    // What a provider did by itself is dated by it, and was read afterwards.
    let done_there = tried.get(attempt).filter(|one| one.body.is_empty());
    let done_there = done_there.and_then(|one| one.settled_at);
    let read_at = cells.at("at")?;
    let http_status = cells
        .opt_i64("http_status")?
        .map(|status| {
            u16::try_from(status).map_err(|_| cells.bad(format!("http_status is {status}")))
        })
        .transpose()?;
    Ok(Some(TimelineEntry {
        at: done_there.map_or(read_at, |done| read_at.max(done)),
        what: TimelineEvent::Evidence {
            attempt,
            source: cells.text("source")?,
            outcome: cells.text("outcome")?,
            code: cells.opt_text("code")?,
            http_status,
            trace_id: cells.opt_text("trace_id")?,
        },
    }))
}

fn refund(cells: &Cells<'_>) -> R<TimelineEntry> {
    Ok(TimelineEntry {
        at: cells.at("refunded_at")?,
        what: TimelineEvent::Refunded {
            amount: cells.money("amount_minor")?,
            reason: cells.text("reason")?,
            operator: cells.text("operator")?,
        },
    })
}

fn reversal(cells: &Cells<'_>) -> R<ReversedRefund> {
    Ok(ReversedRefund {
        payment_id: PaymentId(cells.i64("payment_id")?),
        amount: cells.money("amount_minor")?,
        at: cells.at("reversed_at")?,
        is_made_up_for: cells.yes("is_made_up_for")?,
    })
}

fn audit(cells: &Cells<'_>) -> R<TimelineEntry> {
    Ok(TimelineEntry {
        at: cells.at("at")?,
        what: TimelineEvent::Audit {
            person: cells.text("person")?,
            verb: cells.text("verb")?,
            result: cells.text("result")?,
            reason: cells.text("reason")?,
        },
    })
}

/// The invoice a payment paid.
pub(super) async fn of_payment(db: &SqlStore, id: PaymentId) -> R<InvoiceId> {
    let sql = "select invoice_id from payment where id = ?";
    let row = db
        .fetch_one(Noun::Payment, Query::with(sql, values![id]))
        .await?;
    row.counts("payment").i64("invoice_id").map(InvoiceId)
}

/// The invoice an attempt is about.
pub(super) async fn of_attempt(db: &SqlStore, id: AttemptId) -> R<InvoiceId> {
    let sql = "select invoice_id from attempt where id = ?";
    let row = db
        .fetch_one(Noun::Attempt, Query::with(sql, values![id]))
        .await?;
    row.counts("attempt").i64("invoice_id").map(InvoiceId)
}
