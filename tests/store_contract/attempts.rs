//! Attempts: fences, leases, moves, and the constraints that carry exactly-once.

use chrono::Duration;
use paydeck::domain::attempt::{AttemptKind, Source};
use paydeck::domain::evidence::{Proves, Refusal};
use paydeck::domain::failure::FailureClass;
use paydeck::domain::ids::{AttemptId, Noun};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::states::AttemptState;
use paydeck::engine::ports::{
    Attempts, Claim, Constraint, Desk, Fence, Lease, NewAttempt, StoreError, Tx,
};

use crate::bed::{Bed, begin, day};
use crate::on_both;
use crate::world::{Draft, committed, evidence, id, move_to, paid, world};

on_both!(
    an_attempt_comes_back_with_every_field,
    an_attempt_that_starts_as_sent_holds_its_lease,
    a_write_behind_the_fence_is_refused,
    what_names_a_charge_exists_once,
    one_open_or_successful_charge_per_invoice,
    one_open_refund_per_payment,
    every_move_is_judged_by_the_table_of_states,
    a_settled_state_is_left_only_with_evidence_of_its_own,
    open_attempts_are_claimed_when_they_are_due,
    what_was_declared_not_executed_is_claimed_last_and_only_with_a_date,
    a_claim_takes_the_lease_and_a_gone_owner_loses_it,
    the_clock_is_the_databases_and_goes_on,
);

fn refused(outcome: &Result<impl Sized, StoreError>) -> Option<Constraint> {
    match outcome {
        Err(StoreError::Refused(rule)) => Some(*rule),
        _ => None,
    }
}

async fn an_attempt_comes_back_with_every_field(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let attempt = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    assert_eq!(
        tx.attempt_target(attempt).await.expect("read"),
        made.invoice
    );
    let mut row = tx.lock_attempt(attempt).await.expect("read");
    assert_eq!(
        (row.kind, row.source, row.state),
        (AttemptKind::Charge, Source::Run, AttemptState::Ready)
    );
    assert_eq!(row.body, b"{\"amount\":9900}");
    assert_eq!(
        (row.lease_epoch, row.send_count, row.refusal.clone()),
        (0, 0, None)
    );

    row.state = AttemptState::Sent;
    row.needs_human = true;
    row.provider_ref = Some("pk".to_owned());
    row.lease_owner = Some("me".to_owned());
    row.lease_epoch = 3;
    row.lease_until = Some(day(2));
    row.send_after = Some(day(3));
    row.first_sent_at = Some(day(4));
    row.last_sent_at = Some(day(5));
    row.send_count = 2;
    row.next_check_at = Some(day(6));
    row.checks = 4;
    row.not_seen = 1;
    row.refusal = Some(Refusal {
        code: "PROVIDER_ERROR".to_owned(),
        class: FailureClass::ProviderDown,
        proves: Proves::Nothing,
        http_status: 500,
    });
    row.replayed_at = Some(day(7));
    row.trace_id = Some("t".to_owned());
    row.operator = "agent".to_owned();
    row.reason = "asked".to_owned();
    row.settled_at = Some(day(8));
    let fence = Fence {
        state: AttemptState::Ready,
        epoch: Some(0),
    };
    tx.save_attempt(&row, fence).await.expect("save");
    assert_eq!(tx.lock_attempt(attempt).await.expect("read"), row);
    assert_eq!(tx.charges_of(made.invoice).await.expect("read"), [row]);
    tx.commit().await.expect("commit");
    let day_in_seoul = "select count(*) from attempt where settled_on = '2026-03-08'";
    assert_eq!(bed.raw().await.number(day_in_seoul).await, 1);
}

async fn an_attempt_that_starts_as_sent_holds_its_lease(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let public_id = id(Noun::Attempt);
    let new = NewAttempt {
        public_id: &public_id,
        kind: AttemptKind::Charge,
        invoice_id: made.invoice,
        payment_id: None,
        customer_id: made.customer,
        subscription_id: None,
        attempt_no: 1,
        source: Source::Run,
        provider: ProviderName::Toss,
        mode: Mode::Sim,
        method_id: None,
        order_id: "pd-1",
        idem_key: "key",
        provider_ref: None,
        body: b"",
        amount: crate::world::krw(100),
        expected_balance_minor: Some(100),
        also_cancel: paydeck::domain::attempt::AlsoCancel::Now,
        state: AttemptState::Sent,
        send_after: None,
        lease: Some(Lease {
            owner: "me",
            until: day(2),
        }),
        operator: "run",
        reason: "",
        at: day(1),
    };
    let attempt = tx.insert_attempt(&new).await.expect("insert");
    let row = tx.lock_attempt(attempt).await.expect("read");
    assert_eq!(
        (row.lease_owner.as_deref(), row.lease_epoch, row.lease_until),
        (Some("me"), 1, Some(day(2)))
    );
    assert_eq!(
        (row.first_sent_at, row.last_sent_at, row.send_count),
        (Some(day(1)), Some(day(1)), 1)
    );
    assert_eq!(row.expected_balance_minor, Some(100));
}

async fn a_write_behind_the_fence_is_refused(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let attempt = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    tx.commit().await.expect("commit");
    let fences = [
        Fence {
            state: AttemptState::Sent,
            epoch: None,
        },
        Fence {
            state: AttemptState::Ready,
            epoch: Some(1),
        },
    ];
    for fence in fences {
        let mut tx = begin(&store, &mut desk).await;
        let mut row = tx.lock_attempt(attempt).await.expect("read");
        row.state = AttemptState::Sent;
        let outcome = tx.save_attempt(&row, fence).await;
        assert!(
            matches!(
                outcome,
                Err(StoreError::Stale {
                    noun: Noun::Attempt
                })
            ),
            "{fence:?}"
        );
    }
}

async fn what_names_a_charge_exists_once(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;
    let mut tx = begin(&store, &mut desk).await;
    let other = made.another_invoice(&mut tx, 1).await;
    let first = Draft {
        state: AttemptState::WaitingApproval,
        ..Draft::charge(made.invoice, 1)
    };
    first.must(&mut tx, &made).await;
    tx.commit().await.expect("commit");
    let twins = [
        (
            Draft {
                order_id: first.order_id.clone(),
                ..Draft::charge(other, 1)
            },
            Constraint::OrderId,
        ),
        (
            Draft {
                idem_key: first.idem_key.clone(),
                ..Draft::charge(other, 1)
            },
            Constraint::IdempotencyKey,
        ),
        (Draft::charge(made.invoice, 1), Constraint::AttemptNumber),
    ];
    for (twin, rule) in twins {
        let mut tx = begin(&store, &mut desk).await;
        let outcome = twin.insert(&mut tx, &made).await;
        assert_eq!(refused(&outcome), Some(rule), "{outcome:?}");
        assert!(
            tx.commit().await.is_err(),
            "a refused statement ends the transaction"
        );
    }
}

async fn one_open_or_successful_charge_per_invoice(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;
    let mut tx = begin(&store, &mut desk).await;
    let first = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    tx.commit().await.expect("commit");
    for state in [
        AttemptState::Sent,
        AttemptState::Unknown,
        AttemptState::Declined,
        AttemptState::Succeeded,
    ] {
        let mut tx = begin(&store, &mut desk).await;
        let outcome = Draft::charge(made.invoice, 2).insert(&mut tx, &made).await;
        let row_state = {
            drop(tx);
            let mut tx = begin(&store, &mut desk).await;
            let mut row = tx.lock_attempt(first).await.expect("read");
            let before = row.state;
            evidence(&mut tx, first).await;
            move_to(&mut tx, &mut row, state).await.expect("move");
            tx.commit().await.expect("commit");
            before
        };
        let expected = row_state
            .holds_charge_slot()
            .then_some(Constraint::OpenCharge);
        assert_eq!(refused(&outcome), expected, "beside {row_state}");
    }
    let mut tx = begin(&store, &mut desk).await;
    let outcome = Draft::charge(made.invoice, 2).insert(&mut tx, &made).await;
    assert_eq!(
        refused(&outcome),
        Some(Constraint::OpenCharge),
        "beside a success"
    );
}

async fn one_open_refund_per_payment(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (_, payment) = paid(&mut tx, &made, made.invoice).await;
    let waiting = Draft {
        state: AttemptState::WaitingApproval,
        ..Draft::refund(made.invoice, payment, 1)
    };
    let first = waiting.must(&mut tx, &made).await;
    assert_eq!(tx.refunds_of(payment).await.expect("read").len(), 1);
    assert_eq!(tx.charges_of(made.invoice).await.expect("read").len(), 1);
    tx.commit().await.expect("commit");

    let mut tx = begin(&store, &mut desk).await;
    let outcome = Draft::refund(made.invoice, payment, 2)
        .insert(&mut tx, &made)
        .await;
    assert_eq!(
        refused(&outcome),
        Some(Constraint::OpenRefund),
        "{outcome:?}"
    );
    drop(tx);

    let mut tx = begin(&store, &mut desk).await;
    let mut row = tx.lock_attempt(first).await.expect("read");
    move_to(&mut tx, &mut row, AttemptState::Abandoned)
        .await
        .expect("abandon");
    Draft::refund(made.invoice, payment, 2)
        .must(&mut tx, &made)
        .await;
}

/// How a fresh attempt gets into each state by moves of the table.
fn way_to(state: AttemptState) -> &'static [AttemptState] {
    use AttemptState::{
        Abandoned, Declined, Duplicate, NotExecuted, Ready, Sent, Succeeded, Unknown,
        WaitingApproval,
    };
    match state {
        WaitingApproval => &[],
        Ready => &[Ready],
        Sent => &[Ready, Sent],
        Unknown => &[Ready, Sent, Unknown],
        Succeeded => &[Ready, Sent, Succeeded],
        Declined => &[Ready, Sent, Declined],
        NotExecuted => &[Ready, Sent, Unknown, NotExecuted],
        Abandoned => &[Abandoned],
        Duplicate => &[Ready, Sent, Unknown, Duplicate],
    }
}

async fn every_move_is_judged_by_the_table_of_states(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;
    for from in AttemptState::ALL {
        for to in AttemptState::ALL {
            if from == to {
                continue;
            }
            let mut tx = begin(&store, &mut desk).await;
            let draft = Draft {
                state: AttemptState::WaitingApproval,
                ..Draft::charge(made.invoice, 1)
            };
            let attempt = draft.must(&mut tx, &made).await;
            let mut row = tx.lock_attempt(attempt).await.expect("read");
            for step in way_to(*from) {
                evidence(&mut tx, attempt).await;
                move_to(&mut tx, &mut row, *step).await.expect("on the way");
            }
            evidence(&mut tx, attempt).await;
            let outcome = move_to(&mut tx, &mut row, *to).await;
            assert_eq!(
                outcome.is_ok(),
                from.can_move_to(*to),
                "{from} to {to}: {outcome:?}"
            );
        }
    }
}

async fn a_settled_state_is_left_only_with_evidence_of_its_own(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;
    let mut tx = begin(&store, &mut desk).await;
    let attempt = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    let other_invoice = made.another_invoice(&mut tx, 1).await;
    let other = Draft::charge(other_invoice, 1).must(&mut tx, &made).await;
    let mut row = tx.lock_attempt(attempt).await.expect("read");
    move_to(&mut tx, &mut row, AttemptState::Sent)
        .await
        .expect("sent");
    evidence(&mut tx, attempt).await;
    move_to(&mut tx, &mut row, AttemptState::Declined)
        .await
        .expect("declined");
    tx.commit().await.expect("commit");

    for about in [None, Some(other)] {
        let mut tx = begin(&store, &mut desk).await;
        if let Some(about) = about {
            evidence(&mut tx, about).await;
        }
        let mut row = tx.lock_attempt(attempt).await.expect("read");
        let outcome = move_to(&mut tx, &mut row, AttemptState::Duplicate).await;
        assert_eq!(
            refused(&outcome),
            Some(Constraint::SettledState),
            "{outcome:?}"
        );
    }
    let mut tx = begin(&store, &mut desk).await;
    evidence(&mut tx, attempt).await;
    let mut row = tx.lock_attempt(attempt).await.expect("read");
    move_to(&mut tx, &mut row, AttemptState::Duplicate)
        .await
        .expect("new evidence");
    tx.commit().await.expect("commit");
}

async fn open_attempts_are_claimed_when_they_are_due(bed: Bed) {
    use AttemptState::{Ready, Sent, Unknown, WaitingApproval};
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let now = day(10);
    let before = now - Duration::minutes(3);
    let later = now + Duration::seconds(1);
    // Source, state, made at, send after, look-up at, lease until, is it taken.
    let cases = [
        (Source::Run, Ready, now, None, None, None, true),
        (Source::Dunning, Ready, now, Some(later), None, None, false),
        (Source::Manual, Ready, now, None, None, None, false),
        (Source::Manual, Ready, before, None, None, None, true),
        (Source::Manual, Ready, now, Some(now), None, None, true),
        (
            Source::Manual,
            Ready,
            before,
            Some(later),
            None,
            None,
            false,
        ),
        (Source::First, Sent, now, None, None, Some(later), false),
        (Source::First, Sent, now, None, None, Some(now), true),
        (Source::Manual, Unknown, now, None, Some(day(3)), None, true),
        (
            Source::Manual,
            Unknown,
            now,
            None,
            Some(day(2)),
            Some(day(1)),
            true,
        ),
        (Source::Manual, Unknown, now, None, Some(later), None, false),
        (Source::Run, WaitingApproval, now, None, None, None, false),
    ];
    let mut expected = Vec::new();
    for (index, (source, state, at, send_after, next_check_at, lease_until, is_due)) in
        (10_u32..).zip(cases)
    {
        let invoice = made.another_invoice(&mut tx, index).await;
        let start = if state == WaitingApproval {
            WaitingApproval
        } else {
            Ready
        };
        let draft = Draft {
            source,
            state: start,
            at,
            send_after,
            ..Draft::charge(invoice, 1)
        };
        let attempt = draft.must(&mut tx, &made).await;
        let mut row = tx.lock_attempt(attempt).await.expect("read");
        row.next_check_at = next_check_at;
        row.lease_until = lease_until;
        for step in [Sent, Unknown] {
            if state == step || (state == Unknown && step == Sent) {
                move_to(&mut tx, &mut row, step).await.expect("move");
            }
        }
        if is_due {
            expected.push((next_check_at, attempt));
        }
    }
    expected.sort();
    let claim = Claim {
        owner: "me",
        now,
        lease_s: 60,
        limit: 100,
    };
    let few = Claim { limit: 2, ..claim };
    let first = tx.claim_open_attempts(few).await.expect("claim");
    let rest = tx.claim_open_attempts(claim).await.expect("claim");
    let taken: Vec<AttemptId> = first.iter().chain(&rest).map(|row| row.id).collect();
    assert_eq!(
        taken,
        expected.iter().map(|(_, id)| *id).collect::<Vec<_>>()
    );
    assert_eq!(first.len(), 2);
    assert!(
        first
            .iter()
            .all(|row| row.lease_epoch == 1 && row.lease_owner.as_deref() == Some("me"))
    );
    assert_eq!(first[0].lease_until, Some(now + Duration::seconds(60)));
    assert!(
        tx.claim_open_attempts(claim)
            .await
            .expect("claim")
            .is_empty(),
        "all are leased now"
    );
}

async fn what_was_declared_not_executed_is_claimed_last_and_only_with_a_date(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let (now, mut ids) = (day(5), Vec::new());
    for (index, at) in (10_u32..).zip([None, Some(day(3)), Some(day(2)), Some(day(6))]) {
        let invoice = made.another_invoice(&mut tx, index).await;
        let attempt = Draft::charge(invoice, 1).must(&mut tx, &made).await;
        let mut row = tx.lock_attempt(attempt).await.expect("read");
        for step in [AttemptState::Sent, AttemptState::Unknown] {
            move_to(&mut tx, &mut row, step).await.expect("move");
        }
        row.next_check_at = at;
        row.lease_until = None;
        move_to(&mut tx, &mut row, AttemptState::NotExecuted)
            .await
            .expect("move");
        ids.push(attempt);
    }
    let open = Draft {
        source: Source::Run,
        ..Draft::charge(made.invoice, 1)
    };
    let open = open.must(&mut tx, &made).await;
    let claim = Claim {
        owner: "me",
        now,
        lease_s: 60,
        limit: 2,
    };
    let first = tx.claim_open_attempts(claim).await.expect("claim");
    let rest = tx.claim_open_attempts(claim).await.expect("claim");
    let taken: Vec<AttemptId> = first.iter().chain(&rest).map(|row| row.id).collect();
    assert_eq!(taken, [open, ids[2], ids[1]]);
    let none = tx.claim_open_attempts(claim).await.expect("claim");
    assert!(none.is_empty(), "all are leased now");
}

async fn a_claim_takes_the_lease_and_a_gone_owner_loses_it(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    assert!(tx.lease_owners().await.expect("owners").is_empty());
    let claim = Claim {
        owner: "gone",
        now: day(2),
        lease_s: 60,
        limit: 9,
    };
    let mut held = tx.claim_open_attempts(claim).await.expect("claim");
    assert_eq!(tx.lease_owners().await.expect("owners"), ["gone"]);
    assert_eq!(
        tx.release_leases_of("other", day(2))
            .await
            .expect("release"),
        0
    );
    assert_eq!(
        tx.release_leases_of("gone", day(2)).await.expect("release"),
        1
    );
    let next = Claim {
        owner: "next",
        ..claim
    };
    assert_eq!(
        tx.claim_open_attempts(next).await.expect("claim")[0].lease_epoch,
        2
    );
    let fence = Fence {
        state: AttemptState::Ready,
        epoch: Some(held[0].lease_epoch),
    };
    held[0].state = AttemptState::Sent;
    let outcome = tx.save_attempt(&held[0], fence).await;
    assert!(
        matches!(outcome, Err(StoreError::Stale { .. })),
        "its fence is behind"
    );
}

async fn the_clock_is_the_databases_and_goes_on(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let first = tx.db_now().await.expect("now");
    let mut then = tx.db_now().await.expect("now");
    assert!(first > day(1) - Duration::days(365));
    while then == first {
        then = tx.db_now().await.expect("now");
    }
    assert!(then > first, "inside one transaction too");
}
