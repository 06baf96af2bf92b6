//! Payments, refunds, the books, runs.

use paydeck::domain::audit::{AuditEntry, AuditRecord, is_intact};
use paydeck::domain::ids::{Noun, PaymentId, RunId};
use paydeck::domain::mode::Mode;
use paydeck::domain::run::{Decision, Run, RunItem};
use paydeck::domain::states::{AttemptState, RunState};
use paydeck::engine::ports::{
    Account, Attempts, Books, Constraint, Desk, NewRefund, Payments, Posting, Runs, StoreError, Tx,
};

use crate::bed::{Bed, Raw, begin, day};
use crate::on_both;
use crate::world::{Draft, committed, date, evidence, id, krw, move_to, paid, payment, world};

on_both!(
    a_payment_comes_back_and_a_stale_copy_is_refused,
    more_than_was_captured_never_goes_back,
    an_attempt_pays_once_and_duplicates_come_last,
    a_refund_is_kept_once_per_transaction_key,
    the_ledger_sums_to_zero,
    audit_records_chain_across_transactions_and_openings,
    a_rolled_back_audit_record_leaves_no_gap,
    transactions_side_by_side_have_a_chain_each,
    a_notice_is_queued_once,
    a_day_is_marked_until_it_is_computed,
    a_run_and_its_rows_come_back,
);

async fn a_payment_comes_back_and_a_stale_copy_is_refused(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (attempt, payment) = paid(&mut tx, &made, made.invoice).await;
    assert_eq!(
        tx.payment_target(payment).await.expect("read"),
        made.invoice
    );
    let mut row = tx.lock_payment(payment).await.expect("read");
    assert_eq!(
        (row.attempt_id, row.captured, row.captured_at),
        (attempt, krw(9_900), day(2))
    );
    assert!(!row.is_duplicate);
    let stale = row.clone();
    row.refunded_minor = 900;
    row.reserved_minor = 9_000;
    tx.save_payment(&row).await.expect("save");
    row.version = 2;
    assert_eq!(tx.lock_payment(payment).await.expect("read"), row);
    assert!(matches!(
        tx.lock_payment(PaymentId(99)).await,
        Err(StoreError::NotFound { .. })
    ));
    let outcome = tx.save_payment(&stale).await;
    assert!(matches!(
        outcome,
        Err(StoreError::Stale {
            noun: Noun::Payment
        })
    ));
}

async fn more_than_was_captured_never_goes_back(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (_, payment) = paid(&mut tx, &made, made.invoice).await;
    tx.commit().await.expect("commit");
    for (refunded, reserved) in [(9_901, 0), (0, 9_901), (5_000, 4_901), (-1, 0), (0, -1)] {
        let mut tx = begin(&store, &mut desk).await;
        let mut row = tx.lock_payment(payment).await.expect("read");
        row.refunded_minor = refunded;
        row.reserved_minor = reserved;
        let outcome = tx.save_payment(&row).await;
        assert!(
            matches!(
                outcome,
                Err(StoreError::Refused(
                    // What has gone back does not grow less by itself either.
                    Constraint::RefundBalance | Constraint::NotUndone
                ))
            ),
            "{outcome:?}"
        );
    }
}

async fn an_attempt_pays_once_and_duplicates_come_last(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;
    let mut tx = begin(&store, &mut desk).await;
    let first = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    let mut row = tx.lock_attempt(first).await.expect("read");
    evidence(&mut tx, first).await;
    move_to(&mut tx, &mut row, AttemptState::Abandoned)
        .await
        .expect("abandon");
    let twice = payment(&mut tx, &made, made.invoice, first, true)
        .await
        .expect("a duplicate");
    let second = Draft::charge(made.invoice, 2).must(&mut tx, &made).await;
    let once = payment(&mut tx, &made, made.invoice, second, false)
        .await
        .expect("a payment");
    let all = tx.payments_of(made.invoice).await.expect("read");
    assert_eq!(
        all.iter().map(|row| row.id).collect::<Vec<_>>(),
        [once, twice]
    );
    let again = payment(&mut tx, &made, made.invoice, second, false).await;
    assert!(
        matches!(again, Err(StoreError::Refused(Constraint::Other))),
        "{again:?}"
    );
}

async fn a_refund_is_kept_once_per_transaction_key(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (_, payment) = paid(&mut tx, &made, made.invoice).await;
    for is_new in [true, false] {
        let public_id = id(Noun::Refund);
        let new = NewRefund {
            public_id: &public_id,
            payment_id: payment,
            attempt_id: None,
            amount: krw(900),
            reason: "wrong plan",
            transaction_key: "tx-1",
            refunded_at: day(3),
            refunded_on: date(3),
            operator: "agent",
        };
        assert_eq!(tx.insert_refund(&new).await.expect("insert"), is_new);
    }
    tx.commit().await.expect("commit");
    let plan = format!(
        "select count(*) from refund where plan_id = {} and refunded_on = '2026-03-03'",
        made.plan.0
    );
    assert_eq!(bed.raw().await.number(&plan).await, 1);
}

async fn the_ledger_sums_to_zero(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (attempt_id, payment_id) = paid(&mut tx, &made, made.invoice).await;
    let movements = [
        (Account::Provider, Account::Revenue, 9_900),
        (Account::Refunds, Account::Provider, 900),
        (Account::Suspense, Account::Provider, 100),
    ];
    for (debit, credit, minor) in movements {
        let posting = Posting {
            payment_id,
            attempt_id,
            debit,
            credit,
            amount: krw(minor),
            at: day(2),
        };
        tx.post(&posting).await.expect("post");
    }
    tx.commit().await.expect("commit");
    let mut raw = bed.raw().await;
    assert_eq!(raw.number("select count(*) from ledger").await, 6);
    assert_eq!(
        raw.number("select cast(sum(amount_minor) as bigint) from ledger")
            .await,
        0
    );
    let held = "select cast(sum(amount_minor) as bigint) from ledger where account = 'provider'";
    assert_eq!(raw.number(held).await, 8_900);
}

fn entry(target: &str) -> AuditEntry {
    AuditEntry {
        at: day(1),
        person: "agent".to_owned(),
        claims: "{}".to_owned(),
        mode: Mode::Sim,
        verb: "charge".to_owned(),
        target: target.to_owned(),
        before: "open".to_owned(),
        after: "paid".to_owned(),
        reason: "asked".to_owned(),
        result: "done".to_owned(),
        provider_ref: "pk".to_owned(),
        approver: String::new(),
    }
}

/// Reads a chain past the port and checks every link.
async fn intact(raw: &mut Raw, chain: &str) -> usize {
    let mut records: Vec<AuditRecord> = Vec::new();
    let last = raw
        .number(&format!(
            "select count(*) from audit where chain = '{chain}'"
        ))
        .await;
    for seq in 1..=last {
        let cell = |column: &str| {
            format!("select {column} from audit where chain = '{chain}' and seq = {seq}")
        };
        let target = raw.texts(&cell("target")).await.remove(0);
        let record = AuditRecord {
            chain: chain.to_owned(),
            seq,
            prev: raw.texts(&cell("prev")).await.remove(0),
            hash: raw.texts(&cell("hash")).await.remove(0),
            entry: entry(&target),
        };
        assert!(is_intact(&record, records.last()), "{chain} {seq}");
        records.push(record);
    }
    records.len()
}

async fn audit_records_chain_across_transactions_and_openings(bed: Bed) {
    let mut desk = Desk::new();
    for opening in 0..2 {
        let store = bed.open_as("same").await;
        for part in 0..2 {
            let mut tx = begin(&store, &mut desk).await;
            tx.audit(&entry(&format!("a{opening}{part}")))
                .await
                .expect("audit");
            tx.audit(&entry(&format!("b{opening}{part}")))
                .await
                .expect("audit");
            tx.commit().await.expect("commit");
        }
        store.close().await;
    }
    let mut raw = bed.raw().await;
    assert_eq!(intact(&mut raw, "same").await, 8);
}

async fn a_rolled_back_audit_record_leaves_no_gap(bed: Bed) {
    let store = bed.open_as("one").await;
    let mut desk = Desk::new();
    for is_kept in [true, false, true, false, false, true] {
        let mut tx = begin(&store, &mut desk).await;
        tx.audit(&entry("x")).await.expect("audit");
        if is_kept {
            tx.commit().await.expect("commit");
        }
    }
    let mut raw = bed.raw().await;
    assert_eq!(intact(&mut raw, "one").await, 3);
}

async fn transactions_side_by_side_have_a_chain_each(bed: Bed) {
    if !bed.is_postgres() {
        return;
    }
    let store = bed.open_as("many").await;
    let (mut left, mut right) = (Desk::new(), Desk::new());
    for _ in 0..2 {
        let mut first = begin(&store, &mut left).await;
        let mut second = begin(&store, &mut right).await;
        first.audit(&entry("x")).await.expect("audit");
        second
            .audit(&entry("y"))
            .await
            .expect("the first is not waited for");
        second.commit().await.expect("commit");
        first.commit().await.expect("commit");
    }
    let mut raw = bed.raw().await;
    assert_eq!(intact(&mut raw, "many").await, 2);
    assert_eq!(intact(&mut raw, "many.2").await, 2);
}

async fn a_notice_is_queued_once(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    for (kind, at) in [("declined", 1), ("declined", 2), ("card", 1)] {
        tx.queue_notice(kind, "inv_1", "{}", day(at))
            .await
            .expect("queue");
    }
    tx.commit().await.expect("commit");
    let mut raw = bed.raw().await;
    let queued = raw
        .texts("select kind || ' ' || created_at from outbox order by kind")
        .await;
    let first = day(1).timestamp_micros();
    assert_eq!(
        queued,
        [format!("card {first}"), format!("declined {first}")]
    );
}

async fn a_day_is_marked_until_it_is_computed(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    tx.mark_day(date(2)).await.expect("mark");
    tx.mark_day(date(2)).await.expect("mark again");
    tx.mark_day(date(3)).await.expect("mark");
    tx.commit().await.expect("commit");
    let mut raw = bed.raw().await;
    let days = raw
        .texts("select distinct day from dirty_day order by day")
        .await;
    assert_eq!(days, ["2026-03-02", "2026-03-03"]);
}

async fn a_run_and_its_rows_come_back(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let mut run = Run {
        id: RunId(0),
        public_id: id(Noun::Run),
        state: RunState::Running,
        operator: "cron".to_owned(),
        host: "host 7".to_owned(),
        until: day(1),
        started_at: day(2),
        finished_at: None,
        stop_reason: None,
    };
    run.id = tx.insert_run(&run).await.expect("insert");
    assert_eq!(tx.lock_run(run.id).await.expect("read"), run);
    let attempt = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    let mut item = RunItem {
        run_id: run.id,
        subscription_id: made.subscription,
        invoice_id: None,
        attempt_id: None,
        decision: Some(Decision::SkippedNoMethod),
        reason: "no card".to_owned(),
        at: day(2),
    };
    tx.save_run_item(&item).await.expect("a row");
    tx.save_run_item(&item).await.expect("the same row again");
    item.invoice_id = Some(made.invoice);
    item.attempt_id = Some(attempt);
    item.decision = None;
    tx.save_run_item(&item).await.expect("another row");
    let totals = tx.run_totals(run.id).await.expect("totals");
    assert_eq!(totals.len(), 2);
    assert!(totals.contains(&(None, 1)) && totals.contains(&(Some(Decision::SkippedNoMethod), 1)));

    tx.decide_run_items(attempt, Decision::Unknown, day(3))
        .await
        .expect("not yet");
    tx.decide_run_items(attempt, Decision::Done, day(3))
        .await
        .expect("decide");
    tx.decide_run_items(attempt, Decision::Declined, day(4))
        .await
        .expect("decided already");
    let totals = tx.run_totals(run.id).await.expect("totals");
    assert!(totals.contains(&(Some(Decision::Done), 1)), "{totals:?}");

    run.state = RunState::Stopped;
    run.finished_at = Some(day(4));
    run.stop_reason = Some("breaker".to_owned());
    tx.save_run(&run).await.expect("save");
    assert_eq!(tx.lock_run(run.id).await.expect("read"), run);
}
