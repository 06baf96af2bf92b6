//! Every rule of the schema is seen at work twice: it refuses what it is there for, and the same
//! statement passes once the rule is dropped. A rule that nothing here would miss fails the count.

use std::collections::BTreeSet;

use paydeck::domain::attempt::REFUND_UNDONE;
use paydeck::domain::audit::AuditEntry;
use paydeck::domain::evidence::EvidenceSource;
use paydeck::domain::ids::{Noun, RunId};
use paydeck::domain::mode::Mode;
use paydeck::domain::period::{Anchor, Interval, Unit};
use paydeck::domain::run::{Run, RunItem};
use paydeck::domain::states::{AttemptState, RunState, SubscriptionState};
use paydeck::domain::subscription::{Change, ChangeCause, Term};
use paydeck::engine::ports::{
    Account, Attempts, Books, Customers, Desk, NewEvidence, NewRefund, NewReversal, Payments,
    Posting, Runs, Subscriptions, Tx,
};
use paydeck::store::bulk::Table;

use crate::approvals;
use crate::bed::{Bed, Raw, begin, day};
use crate::mirrors;
use crate::on_both;
use crate::world::{Draft, date, evidence, id, krw, move_to, paid, payment, unique, world};

on_both!(
    each_unique_index_and_check_is_needed,
    each_trigger_is_needed,
    every_reference_is_declared,
);

/// What makes a copy of a row of a table pass: other values where they must be unique.
fn made_unique(table: Table) -> &'static [(&'static str, &'static str)] {
    match table {
        Table::Customer => &[("public_id", "'x'"), ("customer_key", "'x'")],
        Table::Product | Table::Plan => &[("public_id", "'x'"), ("code", "'x'")],
        Table::PaymentMethod => &[("public_id", "'x'"), ("key_hash", "'x'")],
        Table::Subscription => &[("public_id", "'x'"), ("exclusive_key", "'x'")],
        Table::SubscriptionTerm => &[("term_no", "99")],
        Table::Invoice => &[("public_id", "'x'"), ("period_index", "99")],
        Table::InvoiceLine => &[("line_no", "99")],
        Table::Attempt => &[
            ("public_id", "'x'"),
            ("order_id", "'x'"),
            ("idem_key", "'x'"),
            ("attempt_no", "99"),
            ("state", "'abandoned'"),
        ],
        Table::Payment => &[
            ("public_id", "'x'"),
            ("provider_ref", "'x'"),
            ("attempt_id", "(select max(id) from attempt)"),
        ],
        Table::Refund => &[("public_id", "'x'"), ("transaction_key", "'x'")],
        Table::Audit => &[("seq", "99")],
        Table::Outbox => &[("key", "'x'")],
        Table::Inbox => &[("event_key", "'x'")],
        Table::Run => &[("public_id", "'x'")],
        Table::RunItem => &[("subscription_id", "(select max(id) from subscription)")],
        _ => &[],
    }
}

/// A copy of a table's first row that fits or, in the columns named, does not.
fn copy_of(table: Table, other: &[(&str, &str)], same: &[&str]) -> String {
    let columns: Vec<&str> = table
        .columns()
        .iter()
        .copied()
        .filter(|name| *name != "id")
        .collect();
    let values: Vec<&str> = columns
        .iter()
        .map(|column| {
            let wanted = other.iter().find(|(name, _)| name == column);
            let unique = made_unique(table)
                .iter()
                .filter(|(name, _)| !same.contains(name));
            let unique = unique.into_iter().find(|(name, _)| name == column);
            wanted.or(unique).map_or(*column, |(_, value)| value)
        })
        .collect();
    let name = table.name();
    format!(
        "insert into {name} ({}) select {} from {name} where id = (select min(id) from {name})",
        columns.join(", "),
        values.join(", ")
    )
}

type Rule = (
    &'static str,
    Table,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

/// Rule, table, what the violating copy says otherwise, and which unique columns it repeats.
const UNIQUE: &[Rule] = &[
    ("customer_public_id", Table::Customer, &[], &["public_id"]),
    (
        "customer_customer_key",
        Table::Customer,
        &[],
        &["customer_key"],
    ),
    ("product_public_id", Table::Product, &[], &["public_id"]),
    ("product_code", Table::Product, &[], &["code"]),
    ("plan_public_id", Table::Plan, &[], &["public_id"]),
    ("plan_code", Table::Plan, &[], &["code"]),
    (
        "payment_method_public_id",
        Table::PaymentMethod,
        &[],
        &["public_id"],
    ),
    (
        "payment_method_key_hash",
        Table::PaymentMethod,
        &[],
        &["key_hash"],
    ),
    (
        "subscription_public_id",
        Table::Subscription,
        &[],
        &["public_id"],
    ),
    (
        "subscription_exclusive",
        Table::Subscription,
        &[],
        &["exclusive_key"],
    ),
    (
        "subscription_term_number",
        Table::SubscriptionTerm,
        &[],
        &["term_no"],
    ),
    ("invoice_public_id", Table::Invoice, &[], &["public_id"]),
    ("invoice_period", Table::Invoice, &[], &["period_index"]),
    ("invoice_line_number", Table::InvoiceLine, &[], &["line_no"]),
    ("attempt_public_id", Table::Attempt, &[], &["public_id"]),
    ("attempt_order_id", Table::Attempt, &[], &["order_id"]),
    ("attempt_idem_key", Table::Attempt, &[], &["idem_key"]),
    ("attempt_number", Table::Attempt, &[], &["attempt_no"]),
    (
        "attempt_open_charge",
        Table::Attempt,
        &[("state", "'unknown'")],
        &[],
    ),
    ("payment_public_id", Table::Payment, &[], &["public_id"]),
    ("payment_attempt", Table::Payment, &[], &["attempt_id"]),
    (
        "payment_provider_ref",
        Table::Payment,
        &[],
        &["provider_ref"],
    ),
    ("refund_public_id", Table::Refund, &[], &["public_id"]),
    (
        "refund_transaction",
        Table::Refund,
        &[],
        &["transaction_key"],
    ),
    ("audit_place", Table::Audit, &[], &["seq"]),
    ("outbox_key", Table::Outbox, &[], &["key"]),
    ("inbox_event", Table::Inbox, &[], &["event_key"]),
    ("run_public_id", Table::Run, &[], &["public_id"]),
    ("run_item_row", Table::RunItem, &[], &["subscription_id"]),
];

const CHECKS: &[Rule] = &[
    ("plan_price", Table::Plan, &[("price_minor", "-1")], &[]),
    (
        "plan_interval",
        Table::Plan,
        &[("interval_count", "0")],
        &[],
    ),
    ("plan_active", Table::Plan, &[("active", "2")], &[]),
    (
        "payment_method_state",
        Table::PaymentMethod,
        &[("state", "'x'")],
        &[],
    ),
    (
        "payment_method_mode",
        Table::PaymentMethod,
        &[("mode", "'x'")],
        &[],
    ),
    (
        "payment_method_expiry",
        Table::PaymentMethod,
        &[("exp_month", "null")],
        &[],
    ),
    (
        "method_issue_outcome",
        Table::MethodIssue,
        &[("outcome", "'x'")],
        &[],
    ),
    (
        "subscription_state",
        Table::Subscription,
        &[("state", "'x'")],
        &[],
    ),
    (
        "subscription_mode",
        Table::Subscription,
        &[("mode", "'x'")],
        &[],
    ),
    (
        "subscription_quantity",
        Table::Subscription,
        &[("quantity", "0")],
        &[],
    ),
    (
        "subscription_scheduler",
        Table::Subscription,
        &[("scheduler", "'both'")],
        &[],
    ),
    (
        "subscription_term_interval",
        Table::SubscriptionTerm,
        &[("interval_unit", "'moon'")],
        &[],
    ),
    ("invoice_kind", Table::Invoice, &[("kind", "'x'")], &[]),
    ("invoice_state", Table::Invoice, &[("state", "'x'")], &[]),
    (
        "invoice_dunning",
        Table::Invoice,
        &[("dunning", "'x'")],
        &[],
    ),
    (
        "invoice_amount",
        Table::Invoice,
        &[("amount_minor", "-1")],
        &[],
    ),
    (
        "attempt_kind",
        Table::Attempt,
        &[("kind", "'x'"), ("payment_id", "1")],
        &[],
    ),
    ("attempt_source", Table::Attempt, &[("source", "'x'")], &[]),
    ("attempt_mode", Table::Attempt, &[("mode", "'x'")], &[]),
    ("attempt_state", Table::Attempt, &[("state", "'x'")], &[]),
    (
        "attempt_amount",
        Table::Attempt,
        &[("amount_minor", "0")],
        &[],
    ),
    (
        "attempt_also_cancel",
        Table::Attempt,
        &[("also_cancel", "'x'")],
        &[],
    ),
    (
        "attempt_needs_human",
        Table::Attempt,
        &[("needs_human", "2")],
        &[],
    ),
    (
        "evidence_source",
        Table::Evidence,
        &[("source", "'x'")],
        &[],
    ),
    ("payment_mode", Table::Payment, &[("mode", "'x'")], &[]),
    (
        "payment_captured",
        Table::Payment,
        &[
            ("captured_minor", "0"),
            ("refunded_minor", "0"),
            ("reserved_minor", "0"),
        ],
        &[],
    ),
    (
        "payment_balance",
        Table::Payment,
        &[
            ("refunded_minor", "captured_minor"),
            ("reserved_minor", "1"),
        ],
        &[],
    ),
    (
        "payment_is_duplicate",
        Table::Payment,
        &[("is_duplicate", "2")],
        &[],
    ),
    (
        "refund_amount",
        Table::Refund,
        &[("amount_minor", "0")],
        &[],
    ),
    ("ledger_account", Table::Ledger, &[("account", "'x'")], &[]),
    ("outbox_state", Table::Outbox, &[("state", "'x'")], &[]),
    ("inbox_state", Table::Inbox, &[("state", "'x'")], &[]),
    ("run_state", Table::Run, &[("state", "'x'")], &[]),
];

/// Covered by statements of their own, because a copy of a row cannot break them alone.
const OTHERS: &[(&str, &str, &str)] = &[
    (
        "attempt_open_refund",
        "update attempt set state = 'ready' where kind = 'refund' and state = 'waiting_approval'",
        "insert into attempt (public_id, tail, kind, invoice_id, payment_id, customer_id, attempt_no, source, provider, mode, order_id, idem_key, body, amount_minor, currency, also_cancel, state, operator, reason, created_at)
        select 'x', 'x', kind, invoice_id, payment_id, customer_id, 99, source, provider, mode, 'x', 'x', body, amount_minor, currency, also_cancel, state, operator, reason, created_at from attempt where kind = 'refund'",
    ),
    (
        "refund_reversal_refund",
        "select 1",
        "insert into refund_reversal (refund_id, evidence_id, reversed_at, reversed_on) \
         select refund_id, evidence_id, 1, 'x' from refund_reversal",
    ),
    (
        "provider_fee_entry",
        "select 1",
        "insert into provider_fee (provider, mode, entry_key, kind, provider_ref, amount_minor, fee_minor, net_minor, currency, at, on_day) \
         select provider, mode, entry_key, kind, provider_ref, amount_minor, fee_minor, net_minor, currency, at, on_day from provider_fee",
    ),
    (
        "fee_cursor_provider",
        "select 1",
        "insert into fee_cursor (provider, read_from, read_to) select provider, read_from, read_to from fee_cursor",
    ),
    (
        "saved_view_name",
        "insert into saved_view (person, screen, name, filter, updated_at) values ('a', 'b', 'c', '', 1)",
        "insert into saved_view (person, screen, name, filter, updated_at) values ('a', 'b', 'c', '', 1)",
    ),
];

/// Name in SQLite, name in PostgreSQL (none where one covers two), table, violation.
const TRIGGERS: &[(&str, &str, &str, &str)] = &[
    (
        "attempt_settled",
        "attempt_a_settled",
        "attempt",
        "update attempt set state = 'duplicate' where state = 'declined'",
    ),
    (
        "attempt_move",
        "attempt_b_move",
        "attempt",
        "update attempt set state = 'unknown' where state = 'ready'",
    ),
    (
        "attempt_declared",
        "attempt_d_declared",
        "attempt",
        "update attempt set state = 'sent' where state = 'ready'; update attempt set state = 'unknown' where state = 'sent'; \
         update attempt set state = 'not_executed' where state = 'unknown'",
    ),
    (
        "attempt_fixed",
        "attempt_c_fixed",
        "attempt",
        "update attempt set order_id = 'other' where state = 'ready'",
    ),
    (
        "attempt_kept",
        "attempt_kept",
        "attempt",
        "delete from attempt where state = 'ready'",
    ),
    (
        "payment_kept",
        "payment_kept",
        "payment",
        "delete from payment where is_duplicate = 1",
    ),
    (
        "subscription_term_kept",
        "subscription_term_kept",
        "subscription_term",
        "delete from subscription_term",
    ),
    (
        "evidence_update",
        "evidence_kept",
        "evidence",
        "update evidence set outcome = 'x'",
    ),
    (
        "evidence_delete",
        "evidence_kept",
        "evidence",
        "delete from evidence where id not in (select evidence_id from refund_reversal)",
    ),
    (
        "ledger_update",
        "ledger_kept",
        "ledger",
        "update ledger set amount_minor = 1",
    ),
    (
        "ledger_delete",
        "ledger_kept",
        "ledger",
        "delete from ledger",
    ),
    (
        "audit_update",
        "audit_kept",
        "audit",
        "update audit set person = 'x'",
    ),
    ("audit_delete", "audit_kept", "audit", "delete from audit"),
    (
        "subscription_change_update",
        "subscription_change_kept",
        "subscription_change",
        "update subscription_change set cause = 'x'",
    ),
    (
        "subscription_change_delete",
        "subscription_change_kept",
        "subscription_change",
        "delete from subscription_change",
    ),
    (
        "refund_reversal_update",
        "refund_reversal_kept",
        "refund_reversal",
        "update refund_reversal set reversed_on = 'x'",
    ),
    (
        "refund_reversal_delete",
        "refund_reversal_kept",
        "refund_reversal",
        "delete from refund_reversal",
    ),
    (
        "refund_reversal_proved",
        "refund_reversal_proved",
        "refund_reversal",
        "insert into refund_reversal (refund_id, evidence_id, reversed_at, reversed_on) \
         select r.id, v.evidence_id, 1, 'x' from refund r cross join refund_reversal v where r.transaction_key = 'u'",
    ),
    (
        "payment_given_back",
        "payment_given_back",
        "payment",
        "update payment set refunded_minor = 5 where is_duplicate = 0; \
         update payment set refunded_minor = 3 where is_duplicate = 0",
    ),
    (
        "provider_fee_update",
        "provider_fee_kept",
        "provider_fee",
        "update provider_fee set on_day = 'x'",
    ),
    (
        "provider_fee_delete",
        "provider_fee_kept",
        "provider_fee",
        "delete from provider_fee",
    ),
    (
        "",
        "provider_fee_whole",
        "provider_fee",
        "truncate provider_fee",
    ),
    (
        "",
        "refund_reversal_whole",
        "refund_reversal",
        "truncate refund_reversal",
    ),
    (
        "",
        "evidence_whole",
        "evidence",
        "alter table refund_reversal drop constraint refund_reversal_evidence_id_fkey; truncate evidence",
    ),
    ("", "ledger_whole", "ledger", "truncate ledger"),
    ("", "audit_whole", "audit", "truncate audit"),
    (
        "",
        "subscription_change_whole",
        "subscription_change",
        "truncate subscription_change",
    ),
];

/// Checks of later migrations, and what each refuses.
const LATER_CHECKS: [(&str, &str); 6] = [
    (
        "payment_installment_months",
        "update payment set installment_months = -1",
    ),
    (
        "payment_three_d_secure",
        "update payment set three_d_secure = 'x'",
    ),
    (
        "provider_fee_mode",
        "insert into provider_fee (provider, mode, entry_key, kind, provider_ref, amount_minor, fee_minor, net_minor, currency, at, on_day) \
         values ('stripe', 'x', 'f2', 'charge', 'p', 10, 1, 9, 'KRW', 1, '1970-01-01')",
    ),
    (
        "provider_fee_kind",
        "insert into provider_fee (provider, mode, entry_key, kind, provider_ref, amount_minor, fee_minor, net_minor, currency, at, on_day) \
         values ('stripe', 'sim', 'f2', 'x', 'p', 10, 1, 9, 'KRW', 1, '1970-01-01')",
    ),
    (
        "provider_fee_net",
        "insert into provider_fee (provider, mode, entry_key, kind, provider_ref, amount_minor, fee_minor, net_minor, currency, at, on_day) \
         values ('stripe', 'sim', 'f2', 'charge', 'p', 10, 1, 10, 'KRW', 1, '1970-01-01')",
    ),
    (
        "fee_cursor_stretch",
        "insert into fee_cursor (provider, read_from, read_to) values ('toss', 2, 1)",
    ),
];

/// One row at least in every table that has a rule.
async fn filled(bed: &Bed) -> Raw {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    tx.insert_issue(made.customer, "h", "agent", day(1))
        .await
        .expect("an issue");
    let interval = Interval {
        unit: Unit::Month,
        count: 1,
    };
    let anchor = Anchor {
        date: date(1),
        zone: chrono_tz::Asia::Seoul,
        interval,
    };
    let term = Term {
        subscription_id: made.subscription,
        term_no: 1,
        plan_id: made.plan,
        anchor,
        quantity: 1,
        price: krw(9_900),
        from_at: day(1),
        to_at: None,
    };
    tx.insert_term(&term).await.expect("a term");
    let change = Change {
        subscription_id: made.subscription,
        at: day(1),
        from: None,
        to: SubscriptionState::Incomplete,
        plan_id: made.plan,
        price: krw(9_900),
        quantity: 1,
        discount_minor: 0,
        cause: ChangeCause::Created,
        requested_by: "agent".to_owned(),
        requested_at: day(1),
    };
    tx.insert_change(&change).await.expect("history");
    let (attempt_id, payment_id) = paid(&mut tx, &made, made.invoice).await;
    let posting = Posting {
        payment_id,
        attempt_id,
        debit: Account::Provider,
        credit: Account::Revenue,
        amount: krw(9_900),
        at: day(1),
    };
    tx.post(&posting).await.expect("post");
    let public_id = id(Noun::Refund);
    let refund = NewRefund {
        public_id: &public_id,
        payment_id,
        attempt_id: None,
        amount: krw(1),
        reason: "",
        transaction_key: "t",
        refunded_at: day(1),
        refunded_on: date(1),
        operator: "agent",
    };
    tx.insert_refund(&refund).await.expect("a refund");
    let public_id = id(Noun::Refund);
    let second = NewRefund {
        public_id: &public_id,
        transaction_key: "u",
        ..refund.clone()
    };
    tx.insert_refund(&second).await.expect("another");
    let said = NewEvidence {
        attempt_id,
        source: EvidenceSource::LookUp,
        outcome: REFUND_UNDONE,
        http_status: Some(200),
        code: None,
        reference: Some("t"),
        amount: Some(krw(1)),
        trace_id: None,
        body_sha256: None,
        elapsed_ms: 1,
        at: day(1),
    };
    let evidence_id = tx.insert_evidence(&said).await.expect("evidence");
    let booked = tx.refunds_booked(payment_id).await.expect("refunds");
    let reversal = NewReversal {
        refund: booked[0].id,
        evidence: evidence_id,
        at: day(2),
        on: date(2),
    };
    tx.insert_reversal(&reversal).await.expect("a reversal");
    let booked = tx.refunds_booked(payment_id).await.expect("refunds");
    let reversed: Vec<_> = booked.iter().map(|refund| refund.reversed_at).collect();
    assert_eq!(reversed, [Some(day(2)), None]);
    let waiting = Draft {
        state: AttemptState::WaitingApproval,
        ..Draft::refund(made.invoice, payment_id, 1)
    };
    waiting.must(&mut tx, &made).await;
    let invoice = made.another_invoice(&mut tx, 1).await;
    let declined = Draft::charge(invoice, 1).must(&mut tx, &made).await;
    let mut row = tx.lock_attempt(declined).await.expect("read");
    move_to(&mut tx, &mut row, AttemptState::Sent)
        .await
        .expect("sent");
    move_to(&mut tx, &mut row, AttemptState::Declined)
        .await
        .expect("declined");
    payment(&mut tx, &made, invoice, declined, true)
        .await
        .expect("a duplicate");
    evidence(&mut tx, declined).await;
    let another = made.another_invoice(&mut tx, 2).await;
    Draft::charge(another, 1).must(&mut tx, &made).await;
    let entry = AuditEntry {
        at: day(1),
        person: "a".to_owned(),
        claims: "{}".to_owned(),
        mode: Mode::Sim,
        verb: "start".to_owned(),
        target: String::new(),
        before: String::new(),
        after: String::new(),
        reason: String::new(),
        result: "done".to_owned(),
        provider_ref: String::new(),
        approver: String::new(),
    };
    tx.audit(&entry).await.expect("audit");
    tx.queue_notice("k", "a", "{}", day(1))
        .await
        .expect("a notice");
    let run = Run {
        id: RunId(0),
        public_id: id(Noun::Run),
        state: RunState::Running,
        operator: "a".to_owned(),
        host: "h".to_owned(),
        until: day(1),
        started_at: day(1),
        finished_at: None,
        stop_reason: None,
    };
    let run_id = tx.insert_run(&run).await.expect("a run");
    let item = RunItem {
        run_id,
        subscription_id: made.subscription,
        invoice_id: None,
        attempt_id: None,
        decision: None,
        reason: String::new(),
        at: day(1),
    };
    tx.save_run_item(&item).await.expect("a row");
    let second = id(Noun::Subscription);
    tx.insert_subscription(&made.new_subscription(&second))
        .await
        .expect("another");
    tx.commit().await.expect("commit");
    store.close().await;

    let mut raw = bed.raw().await;
    let event = unique("e");
    raw.must(&format!("insert into inbox (provider, mode, event_key, kind, shape, body_sha256, received_at) values ('toss', 'sim', '{event}', 'k', '', '', 1)")).await;
    raw.must(
        "insert into provider_fee (provider, mode, entry_key, kind, provider_ref, amount_minor, fee_minor, net_minor, currency, at, on_day) \
         values ('stripe', 'sim', 'f1', 'charge', 'p', 10, 1, 9, 'KRW', 1, '1970-01-01'); \
         insert into fee_cursor (provider, read_from, read_to) values ('stripe', 1, 2)",
    )
    .await;
    raw.must("update subscription set exclusive_key = 'one' where id = (select min(id) from subscription)").await;
    raw
}

/// Tries `violation` with the rule in place and without it; both are undone.
pub async fn tried(raw: &mut Raw, name: &str, before: &str, without: &str, violation: &str) {
    raw.must(&format!("begin; {before}")).await;
    let outcome = raw.run(violation).await;
    raw.must("rollback").await;
    assert!(outcome.is_err(), "{name} lets through: {violation}");
    raw.must(&format!("begin; {without}; {before}")).await;
    let outcome = raw.run(violation).await;
    raw.must("rollback").await;
    if let Err(error) = outcome {
        panic!("without {name}: {violation}: {error}");
    }
}

async fn each_unique_index_and_check_is_needed(bed: Bed) {
    let mut raw = filled(&bed).await;
    for (name, table, other, same) in UNIQUE {
        let without = format!("drop index {name}");
        tried(
            &mut raw,
            name,
            "select 1",
            &without,
            &copy_of(*table, other, same),
        )
        .await;
    }
    for (name, before, violation) in OTHERS {
        tried(
            &mut raw,
            name,
            before,
            &format!("drop index {name}"),
            violation,
        )
        .await;
    }
    for (name, table, other, same) in CHECKS {
        let copy = copy_of(*table, other, same);
        if bed.is_postgres() {
            let without = format!("alter table {} drop constraint {name}", table.name());
            tried(&mut raw, name, "select 1", &without, &copy).await;
        } else {
            let refused = raw.run(&copy).await.expect_err(name).to_string();
            assert!(refused.contains(name), "{name}: {refused}");
            raw.must("pragma ignore_check_constraints = on; begin")
                .await;
            raw.must(&copy).await;
            raw.must("rollback; pragma ignore_check_constraints = off")
                .await;
        }
    }

    for (name, violation) in LATER_CHECKS {
        let refused = raw.run(violation).await.expect_err(name).to_string();
        assert!(refused.contains(name), "{name}: {refused}");
    }

    let known: BTreeSet<String> = UNIQUE
        .iter()
        .map(|rule| rule.0)
        .chain(OTHERS.iter().map(|rule| rule.0))
        .chain(approvals::INDEXES)
        .chain(mirrors::INDEXES)
        .map(str::to_owned)
        .collect();
    let query = if bed.is_postgres() {
        "select indexname::text from pg_indexes where schemaname = 'public' and indexdef like 'CREATE UNIQUE%' and indexname not like '%_pkey' and tablename not like 'tally_%'"
    } else {
        "select name from sqlite_schema where type = 'index' and sql like 'create unique%'"
    };
    let present: BTreeSet<String> = raw.texts(query).await.into_iter().collect();
    assert_eq!(present, known);
    let tables = include_str!("../../assets/migrations/sqlite/0001_tables.sql");
    let written: BTreeSet<&str> = tables
        .lines()
        .filter_map(|line| line.trim().strip_prefix("constraint "))
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    assert_eq!(written, CHECKS.iter().map(|rule| rule.0).collect());
}

async fn each_trigger_is_needed(bed: Bed) {
    let mut raw = filled(&bed).await;
    let mut known = BTreeSet::new();
    for (in_sqlite, in_postgres, table, violation) in TRIGGERS {
        let (name, without) = if bed.is_postgres() {
            (
                in_postgres,
                format!("drop trigger {in_postgres} on {table}"),
            )
        } else {
            (in_sqlite, format!("drop trigger {in_sqlite}"))
        };
        if !name.is_empty() {
            tried(&mut raw, name, "select 1", &without, violation).await;
            known.insert((*name).to_owned());
        }
    }
    let elsewhere: [&[&str]; 2] = if bed.is_postgres() {
        [
            &approvals::TRIGGERS_IN_POSTGRES,
            &mirrors::TRIGGERS_IN_POSTGRES,
        ]
    } else {
        [&approvals::TRIGGERS_IN_SQLITE, &mirrors::TRIGGERS_IN_SQLITE]
    };
    known.extend(
        elsewhere
            .into_iter()
            .flatten()
            .map(|name| (*name).to_owned()),
    );
    // Those that keep the tallies refuse nothing: `billing_flows::tallies` holds them.
    let query = if bed.is_postgres() {
        "select tgname::text from pg_trigger where not tgisinternal and tgfoid::regproc::text not like 'tally_%'"
    } else {
        "select name from sqlite_schema where type = 'trigger' and name not like 'customer_search%' and sql not like '%tally_%'"
    };
    let present: BTreeSet<String> = raw.texts(query).await.into_iter().collect();
    assert_eq!(present, known);
}

async fn every_reference_is_declared(bed: Bed) {
    let mut raw = bed.raw().await;
    let query = if bed.is_postgres() {
        "select count(*) from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace"
    } else {
        "select count(*) from sqlite_schema t join pragma_foreign_key_list(t.name) where t.type = 'table'"
    };
    assert_eq!(raw.number(query).await, 45);
    let orphan = "insert into note (target, author, body, at) values ('x', 'x', 'x', 1);
        insert into method_issue (customer_id, auth_key_hash, operator, created_at) values (999, 'h', 'o', 1)";
    assert!(raw.run(orphan).await.is_err());
}
