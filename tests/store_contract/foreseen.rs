//! Transactions that say what they will work on: the same rows are read and kept, and what must be
//! refused still is.

use paydeck::domain::attempt::Attempt;
use paydeck::domain::ids::Noun;
use paydeck::domain::invoice::Invoice;
use paydeck::domain::payment::{CardUse, ThreeDSecure};
use paydeck::domain::states::{AttemptState, InvoiceState};
use paydeck::engine::ports::{
    Account, Attempts, Books, Constraint, Desk, Foreseen, Invoices, Lease, NewAttempt, NewPayment,
    Payments, Posting, Runs, StoreError, Subscriptions, Tx,
};
use paydeck::store::{SqlStore, SqlTx};

use crate::bed::{Bed, begin, day};
use crate::on_both;
use crate::world::{Draft, World, committed, date, evidence, id, krw, move_to, payment, unique};

on_both!(
    what_was_made_is_what_is_stored,
    foreseen_rows_are_settled_like_others,
    a_foreseen_row_is_read_as_it_was_written,
    a_row_may_be_written_twice,
    more_rows_may_be_made_than_were_foreseen,
    a_stale_row_is_refused_and_nothing_is_kept,
    a_second_open_charge_is_refused_and_nothing_is_kept,
    a_foreseen_transaction_that_is_dropped_leaves_nothing,
    settled_rows_move_with_evidence_of_the_same_transaction,
);

/// Attempts on three invoices of one subscription, sent.
async fn three_sent(store: &SqlStore) -> (World, Vec<Attempt>) {
    let world = committed(store).await;
    let mut desk = Desk::new();
    let mut tx = begin(store, &mut desk).await;
    let mut sent = Vec::new();
    for index in 1..=3 {
        let invoice = world.another_invoice(&mut tx, index).await;
        let attempt = Draft::charge(invoice, 1).must(&mut tx, &world).await;
        let mut row = tx.lock_attempt(attempt).await.expect("read");
        move_to(&mut tx, &mut row, AttemptState::Sent)
            .await
            .expect("sent");
        sent.push(tx.lock_attempt(attempt).await.expect("read"));
    }
    tx.commit().await.expect("commit");
    (world, sent)
}

async fn foresee(tx: &mut SqlTx<'_>, attempts: &[Attempt]) {
    let attempts: Vec<&Attempt> = attempts.iter().collect();
    tx.foresee(Foreseen::Settling(&attempts))
        .await
        .expect("foresee");
}

async fn what_was_made_is_what_is_stored(bed: Bed) {
    let store = bed.open().await;
    let world = committed(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let public_id = id(Noun::Invoice);
    let new = world.new_invoice(&public_id, 7);
    let invoice = tx.insert_invoice(&new).await.expect("an invoice");
    let read = tx.lock_invoice(invoice).await.expect("read");
    assert_eq!(read, new.stored(invoice));

    let mut charged = None;
    for (number, state) in [(1, AttemptState::Abandoned), (2, AttemptState::Sent)] {
        let public_id = id(Noun::Attempt);
        let lease = Lease {
            owner: "host 7",
            until: day(2),
        };
        let draft = Draft::charge(invoice, number);
        let new = NewAttempt {
            public_id: &public_id,
            kind: draft.kind,
            invoice_id: invoice,
            payment_id: None,
            customer_id: world.customer,
            subscription_id: Some(world.subscription),
            attempt_no: number,
            source: draft.source,
            provider: paydeck::domain::mode::ProviderName::Toss,
            mode: paydeck::domain::mode::Mode::Sim,
            method_id: Some(world.method),
            order_id: &draft.order_id,
            idem_key: &draft.idem_key,
            provider_ref: Some("pk"),
            body: b"{}",
            amount: draft.amount,
            expected_balance_minor: Some(4),
            also_cancel: paydeck::domain::attempt::AlsoCancel::Now,
            state,
            send_after: Some(day(3)),
            lease: (state == AttemptState::Sent).then_some(lease),
            operator: "kim",
            reason: "why",
            at: day(1),
        };
        let attempt = tx.insert_attempt(&new).await.expect("an attempt");
        let read = tx.lock_attempt(attempt).await.expect("read");
        assert_eq!(read, new.stored(attempt));
        charged = Some(attempt);
    }

    let public_id = id(Noun::Payment);
    let new = NewPayment {
        public_id: &public_id,
        invoice_id: invoice,
        attempt_id: charged.expect("two attempts"),
        customer_id: world.customer,
        subscription_id: Some(world.subscription),
        plan_id: Some(world.plan),
        method_id: Some(world.method),
        provider: paydeck::domain::mode::ProviderName::Toss,
        mode: paydeck::domain::mode::Mode::Sim,
        provider_ref: &unique("pk"),
        order_id: &unique("pd"),
        captured: krw(9_900),
        captured_at: day(2),
        captured_on: date(2),
        is_duplicate: true,
        card_use: CardUse {
            installment_months: Some(3),
            three_d_secure: Some(ThreeDSecure::Authenticated),
        },
    };
    let payment = tx.insert_payment(&new).await.expect("a payment");
    let read = tx.lock_payment(payment).await.expect("read");
    assert_eq!(read, new.stored(payment));
}

/// Settles as the engine does, row by row.
async fn settle(tx: &mut SqlTx<'_>, world: &World, attempt: &Attempt) -> Invoice {
    let mut subscription = tx
        .lock_subscription(world.subscription)
        .await
        .expect("subscription");
    let mut invoice = tx.lock_invoice(attempt.invoice_id).await.expect("invoice");
    tx.term(world.subscription, 1).await.expect_err("no term");
    let mut row = tx.lock_attempt(attempt.id).await.expect("attempt");
    let rivals = tx.charges_of(invoice.id).await.expect("charges");
    assert_eq!(rivals.len(), 1);
    evidence(tx, attempt.id).await;
    row.settled_at = Some(day(2));
    move_to(tx, &mut row, AttemptState::Succeeded)
        .await
        .expect("succeeded");
    let paid = payment(tx, world, invoice.id, attempt.id, false)
        .await
        .expect("a payment");
    tx.post(&Posting {
        payment_id: paid,
        attempt_id: attempt.id,
        debit: Account::Provider,
        credit: Account::Revenue,
        amount: krw(9_900),
        at: day(2),
    })
    .await
    .expect("post");
    tx.mark_day(date(2)).await.expect("mark");
    invoice.state = InvoiceState::Paid;
    invoice.paid_at = Some(day(2));
    tx.save_invoice(&invoice).await.expect("invoice");
    invoice.version += 1;
    subscription.paid_until = Some(day(9));
    tx.save_subscription(&subscription)
        .await
        .expect("subscription");
    tx.decide_run_items(attempt.id, paydeck::domain::run::Decision::Done, day(2))
        .await
        .expect("decide");
    tx.queue_notice("payment_succeeded", &paid.0.to_string(), "{}", day(2))
        .await
        .expect("notice");
    invoice
}

async fn foreseen_rows_are_settled_like_others(bed: Bed) {
    let store = bed.open().await;
    let (world, sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    let mut paid = Vec::new();
    for attempt in &sent {
        paid.push(settle(&mut tx, &world, attempt).await);
    }
    tx.commit().await.expect("commit");

    let mut tx = begin(&store, &mut desk).await;
    for (invoice, attempt) in paid.iter().zip(&sent) {
        assert_eq!(&tx.lock_invoice(invoice.id).await.expect("read"), invoice);
        let row = tx.lock_attempt(attempt.id).await.expect("read");
        assert_eq!(row.state, AttemptState::Succeeded);
        let payments = tx.payments_of(invoice.id).await.expect("payments");
        assert_eq!(payments.len(), 1);
        assert_eq!(payments[0].attempt_id, attempt.id);
    }
    let subscription = tx
        .lock_subscription(world.subscription)
        .await
        .expect("read");
    // Made with one, and one more for each of the three.
    assert_eq!(subscription.version, 4);
    drop(tx);
    let mut raw = bed.raw().await;
    let count = raw.number("select count(*) from ledger").await;
    assert_eq!(count, 6);
    let sum = raw.number("select cast(sum(amount_minor) as bigint) from ledger");
    assert_eq!(sum.await, 0);
    assert_eq!(raw.number("select count(*) from evidence").await, 3);
    assert_eq!(raw.number("select count(*) from outbox").await, 3);
    let taken = "select count(*) from attempt a join evidence e on e.id = a.evidence_id and e.attempt_id = a.id";
    assert_eq!(raw.number(taken).await, 3);
}

async fn a_foreseen_row_is_read_as_it_was_written(bed: Bed) {
    let store = bed.open().await;
    let (world, sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    let first = &sent[0];
    let before = tx.lock_invoice(first.invoice_id).await.expect("read");
    let mut changed = before.clone();
    changed.attempts = 5;
    tx.save_invoice(&changed).await.expect("save");
    changed.version += 1;
    let read = tx.lock_invoice(first.invoice_id).await.expect("read");
    assert_eq!(read, changed);

    let mut attempt = tx.lock_attempt(first.id).await.expect("read");
    move_to(&mut tx, &mut attempt, AttemptState::Unknown)
        .await
        .expect("unknown");
    let charges = tx.charges_of(first.invoice_id).await.expect("charges");
    assert_eq!(charges[0].state, AttemptState::Unknown);

    let mut subscription = tx
        .lock_subscription(world.subscription)
        .await
        .expect("read");
    subscription.quantity = 7;
    tx.save_subscription(&subscription).await.expect("save");
    let read = tx
        .lock_subscription(world.subscription)
        .await
        .expect("read");
    assert_eq!((read.quantity, read.version), (7, 2));
}

async fn a_row_may_be_written_twice(bed: Bed) {
    let store = bed.open().await;
    let (_, sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    let mut invoice = tx.lock_invoice(sent[0].invoice_id).await.expect("read");
    for attempts in 1..=3 {
        invoice.attempts = attempts;
        tx.save_invoice(&invoice).await.expect("save");
        invoice.version += 1;
    }
    tx.commit().await.expect("commit");
    let mut tx = begin(&store, &mut desk).await;
    assert_eq!(tx.lock_invoice(invoice.id).await.expect("read"), invoice);
}

async fn more_rows_may_be_made_than_were_foreseen(bed: Bed) {
    let store = bed.open().await;
    let (world, sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    let mut made = Vec::new();
    for index in 10..20 {
        made.push(world.another_invoice(&mut tx, index).await);
    }
    tx.commit().await.expect("commit");
    let mut tx = begin(&store, &mut desk).await;
    for (invoice, index) in made.into_iter().zip(10..) {
        let read = tx.lock_invoice(invoice).await.expect("read");
        assert_eq!(read.period_index, index);
    }
}

async fn a_stale_row_is_refused_and_nothing_is_kept(bed: Bed) {
    let store = bed.open().await;
    let (world, sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    let mut invoice = tx.lock_invoice(sent[0].invoice_id).await.expect("read");
    invoice.version += 4;
    evidence(&mut tx, sent[1].id).await;
    let refused = match tx.save_invoice(&invoice).await {
        Ok(()) => tx.commit().await,
        refused => refused,
    };
    assert!(
        matches!(
            refused,
            Err(StoreError::Stale {
                noun: Noun::Invoice
            })
        ),
        "{refused:?}"
    );
    let mut raw = bed.raw().await;
    assert_eq!(raw.number("select count(*) from evidence").await, 0);
    assert!(world.invoice.0 > 0);
}

async fn a_second_open_charge_is_refused_and_nothing_is_kept(bed: Bed) {
    let store = bed.open().await;
    let (world, sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    let made = Draft::charge(sent[0].invoice_id, 2)
        .insert(&mut tx, &world)
        .await;
    let refused = match made {
        Ok(_) => tx.commit().await,
        Err(error) => Err(error),
    };
    assert!(
        matches!(refused, Err(StoreError::Refused(Constraint::OpenCharge))),
        "{refused:?}"
    );
    let mut raw = bed.raw().await;
    assert_eq!(raw.number("select count(*) from attempt").await, 3);
}

async fn a_foreseen_transaction_that_is_dropped_leaves_nothing(bed: Bed) {
    let store = bed.open().await;
    let (world, sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    settle(&mut tx, &world, &sent[0]).await;
    drop(tx);
    let mut tx = begin(&store, &mut desk).await;
    let row = tx.lock_attempt(sent[0].id).await.expect("read");
    assert_eq!(row, sent[0]);
}

async fn settled_rows_move_with_evidence_of_the_same_transaction(bed: Bed) {
    let store = bed.open().await;
    let (_, mut sent) = three_sent(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    for attempt in &mut sent {
        evidence(&mut tx, attempt.id).await;
        move_to(&mut tx, attempt, AttemptState::Declined)
            .await
            .expect("moved");
    }
    tx.commit().await.expect("commit");

    let refused = {
        let mut tx = begin(&store, &mut desk).await;
        foresee(&mut tx, &sent).await;
        let mut without = sent[0].clone();
        match move_to(&mut tx, &mut without, AttemptState::Succeeded).await {
            Ok(()) => tx.commit().await,
            refused => refused,
        }
    };
    assert!(
        matches!(refused, Err(StoreError::Refused(Constraint::SettledState))),
        "{refused:?}"
    );

    let mut tx = begin(&store, &mut desk).await;
    foresee(&mut tx, &sent).await;
    for attempt in &mut sent {
        evidence(&mut tx, attempt.id).await;
        move_to(&mut tx, attempt, AttemptState::Succeeded)
            .await
            .expect("moved");
    }
    tx.commit().await.expect("commit");
}
