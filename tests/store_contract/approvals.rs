//! Requests for approval: what the port gives and keeps, and each rule of the schema seen at work and
//! missed, as `rules` does for the other tables.

use chrono::Duration;
use paydeck::domain::approval::Asked;
use paydeck::domain::attempt::{AlsoCancel, Sighting};
use paydeck::domain::evidence::EvidenceSource;
use paydeck::domain::ids::{ApprovalId, IdQuery, Noun, PaymentId, PublicId};
use paydeck::domain::mode::Mode;
use paydeck::domain::states::ApprovalState;
use paydeck::engine::ports::{
    Approvals, Attempts, Constraint, Customers, Decided, Desk, Found, NewApproval, NewEvidence,
    StoreError, Tx,
};
use paydeck::store::SqlTx;

use crate::bed::{Bed, Raw, begin, day};
use crate::on_both;
use crate::world::{World, id, krw, paid, world};

on_both!(
    a_request_is_kept_as_it_was_asked_and_decided_once,
    one_request_waits_for_each_target,
    nobody_grants_his_own_or_too_late,
    look_ups_are_read_from_the_evidence,
    each_rule_of_a_request_is_needed,
);

/// Unique indexes and triggers of the table, which `rules` counts.
pub const INDEXES: [&str; 2] = ["approval_public_id", "approval_waiting"];
pub const TRIGGERS_IN_SQLITE: [&str; 4] = [
    "approval_born",
    "approval_fixed",
    "approval_used",
    "approval_kept",
];
pub const TRIGGERS_IN_POSTGRES: [&str; 5] = [
    "approval_a_born",
    "approval_b_fixed",
    "approval_c_used",
    "approval_kept",
    "approval_whole",
];

async fn ask(
    tx: &mut SqlTx<'_>,
    world: &World,
    payment: PaymentId,
    target: &PublicId,
) -> Result<ApprovalId, StoreError> {
    tx.insert_approval(&NewApproval {
        public_id: &id(Noun::Approval),
        asked: Asked::Refund(payment),
        target,
        customer_id: world.customer,
        amount: krw(6_000),
        also_cancel: AlsoCancel::AtPeriodEnd,
        reason: "moved away",
        evidence: "",
        fingerprint: "f00d",
        mode: Mode::Sim,
        requester: "kim",
        claims: r#"{"uid":"1"}"#,
        at: day(3),
        expires_at: day(3) + Duration::minutes(30),
    })
    .await
}

fn granted_by(person: &str) -> Decided<'_> {
    Decided {
        state: ApprovalState::Granted,
        by: person,
        note: "",
        at: day(3) + Duration::minutes(29),
    }
}

async fn a_request_is_kept_as_it_was_asked_and_decided_once(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (_, payment) = paid(&mut tx, &made, made.invoice).await;
    let target = id(Noun::Payment);
    let made_id = ask(&mut tx, &made, payment, &target).await.expect("asked");
    let row = tx.approval(made_id).await.expect("read");
    assert_eq!(row.asked, Asked::Refund(payment));
    assert_eq!(
        (row.amount, row.also_cancel),
        (krw(6_000), AlsoCancel::AtPeriodEnd)
    );
    assert_eq!(
        (row.requester.as_str(), row.claims.as_str()),
        ("kim", r#"{"uid":"1"}"#)
    );
    assert_eq!(
        (row.requested_at, row.expires_at),
        (day(3), day(3) + Duration::minutes(30))
    );
    assert_eq!(
        (row.state, row.decided_by.as_deref()),
        (ApprovalState::Waiting, None)
    );
    assert_eq!(
        tx.waiting_approval_of(&target).await.expect("read"),
        Some(row.clone())
    );
    let whole = IdQuery::Exact(row.public_id.clone());
    let found = tx.find_id(Noun::Approval, &whole).await.expect("found");
    assert_eq!(found, Found::One(made_id.0));
    tx.decide_approval(made_id, &granted_by("lee"))
        .await
        .expect("decided");
    let row = tx.approval(made_id).await.expect("read");
    assert_eq!(
        (row.state, row.decided_by.as_deref()),
        (ApprovalState::Granted, Some("lee"))
    );
    assert_eq!(tx.waiting_approval_of(&target).await.expect("read"), None);
    let again = tx.decide_approval(made_id, &granted_by("han")).await;
    assert!(
        matches!(
            again,
            Err(StoreError::Stale {
                noun: Noun::Approval
            })
        ),
        "{again:?}"
    );
}

async fn one_request_waits_for_each_target(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (_, payment) = paid(&mut tx, &made, made.invoice).await;
    let target = id(Noun::Payment);
    let first = ask(&mut tx, &made, payment, &target).await.expect("asked");
    let void = Decided {
        state: ApprovalState::Void,
        ..granted_by("kim")
    };
    tx.decide_approval(first, &void).await.expect("void");
    ask(&mut tx, &made, payment, &target)
        .await
        .expect("asked anew");
    let twice = ask(&mut tx, &made, payment, &target).await;
    let open = matches!(twice, Err(StoreError::Refused(Constraint::OpenApproval)));
    assert!(open, "{twice:?}");
}

async fn nobody_grants_his_own_or_too_late(bed: Bed) {
    let store = bed.open().await;
    for (decided, rule) in [
        (granted_by("kim"), Constraint::FourEyes),
        (granted_by(" KIM "), Constraint::FourEyes),
        (
            Decided {
                at: day(3) + Duration::minutes(30),
                ..granted_by("lee")
            },
            Constraint::Approval,
        ),
    ] {
        let mut desk = Desk::new();
        let mut tx = begin(&store, &mut desk).await;
        let made = world(&mut tx).await;
        let (_, payment) = paid(&mut tx, &made, made.invoice).await;
        let made_id = ask(&mut tx, &made, payment, &id(Noun::Payment))
            .await
            .expect("asked");
        let outcome = tx.decide_approval(made_id, &decided).await;
        assert!(
            matches!(&outcome, Err(StoreError::Refused(broken)) if *broken == rule),
            "{decided:?}: {outcome:?}"
        );
    }
}

async fn look_ups_are_read_from_the_evidence(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (attempt, _) = paid(&mut tx, &made, made.invoice).await;
    for (source, outcome, at) in [
        (EvidenceSource::Answer, "not_seen", day(4)),
        (EvidenceSource::LookUp, "timed_out", day(6)),
        (EvidenceSource::LookUp, "not_seen", day(5)),
        (EvidenceSource::Event, "pending", day(7)),
        (EvidenceSource::Person, "not_executed", day(8)),
        (EvidenceSource::Answer, "mismatch", day(9)),
        (EvidenceSource::Answer, "not_seen", day(10)),
    ] {
        tx.insert_evidence(&NewEvidence {
            attempt_id: attempt,
            source,
            outcome,
            http_status: None,
            code: None,
            reference: None,
            amount: None,
            trace_id: None,
            body_sha256: None,
            elapsed_ms: 1,
            at,
        })
        .await
        .expect("evidence");
    }
    let looked = tx.look_ups_of(attempt).await.expect("read");
    let since = looked.iter().filter(|l| l.at > day(4));
    let said: Vec<_> = since.map(|l| (l.at, l.sighting)).collect();
    assert_eq!(
        said,
        [
            (day(5), Sighting::NotSeen),
            (day(6), Sighting::NoAnswer),
            (day(7), Sighting::Seen),
            (day(9), Sighting::Seen),
            (day(10), Sighting::NoAnswer)
        ]
    );
    tx.commit().await.expect("commit");
}

const COLUMNS: [&str; 18] = [
    "public_id",
    "tail",
    "verb",
    "target",
    "payment_id",
    "attempt_id",
    "customer_id",
    "amount_minor",
    "currency",
    "also_cancel",
    "reason",
    "evidence",
    "fingerprint",
    "mode",
    "requester",
    "claims",
    "requested_at",
    "expires_at",
];

/// A second request like the first one, but for these columns.
fn another(other: &[(&str, &str)]) -> String {
    let distinct = [("public_id", "'x'"), ("target", "'x'")];
    let value = |column: &'static str| {
        let said = other
            .iter()
            .chain(&distinct)
            .find(|(name, _)| *name == column);
        said.map_or(column.to_owned(), |(_, value)| (*value).to_owned())
    };
    let mut columns: Vec<&str> = COLUMNS.to_vec();
    let mut values: Vec<String> = COLUMNS.into_iter().map(value).collect();
    for (name, value) in other.iter().filter(|(name, _)| !COLUMNS.contains(name)) {
        columns.push(name);
        values.push((*value).to_owned());
    }
    format!(
        "insert into approval ({}) select {} from approval",
        columns.join(", "),
        values.join(", ")
    )
}

async fn waiting(bed: &Bed) -> Raw {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (_, payment) = paid(&mut tx, &made, made.invoice).await;
    ask(&mut tx, &made, payment, &id(Noun::Payment))
        .await
        .expect("asked");
    tx.commit().await.expect("commit");
    store.close().await;
    bed.raw().await
}

/// The violation is refused with the rule in place and passes without it; both are undone.
async fn needed(raw: &mut Raw, rule: &str, without: (&str, &str), violation: &str) {
    raw.must("begin").await;
    let outcome = raw.run(violation).await;
    raw.must("rollback").await;
    let refused = outcome.expect_err(rule).to_string();
    assert!(
        refused.contains(rule) || refused.contains("UNIQUE"),
        "{rule}: {refused}"
    );
    raw.must(&format!("{} begin; {}", without.0, without.1))
        .await;
    let outcome = raw.run(violation).await;
    raw.must("rollback").await;
    if let Err(error) = outcome {
        panic!("without {rule}: {violation}: {error}");
    }
}

async fn each_rule_of_a_request_is_needed(bed: Bed) {
    let mut raw = waiting(&bed).await;
    let decide = |what: &str| format!("update approval set {what}");
    let checks = [
        (
            "approval_about",
            another(&[("verb", "'force-state'"), ("evidence", "'e'")]),
        ),
        ("approval_amount", another(&[("amount_minor", "0")])),
        ("approval_also_cancel", another(&[("also_cancel", "'x'")])),
        ("approval_mode", another(&[("mode", "'x'")])),
        ("approval_said", another(&[("reason", "' '")])),
        (
            "approval_expiry",
            another(&[("expires_at", "requested_at + 1800000001")]),
        ),
        (
            "approval_state",
            decide("state = 'x', decided_by = 'lee', decided_at = requested_at"),
        ),
        ("approval_decided", decide("state = 'rejected'")),
        (
            "approval_four_eyes",
            decide("state = 'granted', decided_by = 'Kim', decided_at = requested_at"),
        ),
        (
            "approval_in_time",
            decide("state = 'granted', decided_by = 'lee', decided_at = expires_at"),
        ),
    ];
    for (rule, violation) in &checks {
        let drop = format!("alter table approval drop constraint {rule}");
        let without = if bed.is_postgres() {
            ("", drop.as_str())
        } else {
            ("pragma ignore_check_constraints = on;", "select 1")
        };
        needed(&mut raw, rule, without, violation).await;
        if !bed.is_postgres() {
            raw.must("pragma ignore_check_constraints = off").await;
        }
    }
    let uniques = [
        another(&[("public_id", "public_id")]),
        another(&[("target", "target")]),
    ];
    for (rule, violation) in INDEXES.iter().zip(&uniques) {
        let without = format!("drop index {rule}");
        needed(&mut raw, rule, ("", &without), violation).await;
    }
    let born = another(&[
        ("state", "'rejected'"),
        ("decided_by", "'lee'"),
        ("decided_at", "requested_at"),
    ]);
    let violations = [
        born.as_str(),
        "update approval set amount_minor = 1",
        "update approval set state = 'rejected', decided_by = 'lee', decided_at = requested_at; update approval set note = 'x'",
        "delete from approval",
        "truncate approval",
    ];
    let triggers: &[&str] = if bed.is_postgres() {
        &TRIGGERS_IN_POSTGRES
    } else {
        &TRIGGERS_IN_SQLITE
    };
    let words = [
        "approval_born",
        "approval_fixed",
        "approval_used",
        "append_only",
        "append_only",
    ];
    for ((trigger, violation), word) in triggers.iter().zip(violations).zip(words) {
        let without = if bed.is_postgres() {
            format!("drop trigger {trigger} on approval")
        } else {
            format!("drop trigger {trigger}")
        };
        needed(&mut raw, word, ("", &without), violation).await;
    }
    let written = include_str!("../../assets/migrations/sqlite/0007_approvals.sql");
    let written = written
        .lines()
        .filter_map(|line| line.trim().strip_prefix("constraint "));
    let names: Vec<&str> = written.filter_map(|rest| rest.split(' ').next()).collect();
    assert_eq!(names, checks.map(|(rule, _)| rule));
}
