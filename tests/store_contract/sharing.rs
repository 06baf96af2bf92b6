//! Several connections at once: who gets a row, who waits, and who is told so.

use paydeck::domain::dunning::DunningState;
use paydeck::domain::ids::Noun;
use paydeck::domain::states::SubscriptionState;
use paydeck::engine::ports::{
    Attempts, Claim, Constraint, Desk, Invoices, Store, StoreError, Subscriptions, Tx,
};
use paydeck::store::SqlStore;

use crate::bed::{Bed, begin, day};
use crate::on_both;
use crate::world::{Draft, World, committed, id};

on_both!(
    attempts_are_claimed_by_one_process_each,
    a_second_charge_waits_and_is_refused,
    whoever_waits_too_long_is_told_that_it_is_busy,
    a_dropped_transaction_leaves_nothing,
    clones_share_their_connections,
);

/// Ten due subscriptions, ten due invoices and ten ready attempts.
async fn due(store: &SqlStore) -> World {
    let made = committed(store).await;
    let mut desk = Desk::new();
    let mut tx = begin(store, &mut desk).await;
    for index in 1..=10 {
        let public_id = id(Noun::Subscription);
        let subscription = tx
            .insert_subscription(&made.new_subscription(&public_id))
            .await
            .expect("one");
        let mut row = tx.lock_subscription(subscription).await.expect("read");
        row.state = SubscriptionState::Active;
        tx.save_subscription(&row).await.expect("save");
        let of_its_own = World {
            subscription,
            ..made
        };
        let invoice = of_its_own.another_invoice(&mut tx, index).await;
        let mut row = tx.lock_invoice(invoice).await.expect("read");
        row.dunning = DunningState::Scheduled;
        row.next_attempt_at = Some(day(1));
        tx.save_invoice(&row).await.expect("save");
        Draft::charge(invoice, 1).must(&mut tx, &made).await;
    }
    tx.commit().await.expect("commit");
    made
}

async fn attempts_are_claimed_by_one_process_each(bed: Bed) {
    let stores = [
        bed.open_as("p1").await,
        bed.open_as("p2").await,
        bed.open_as("p3").await,
    ];
    due(&stores[0]).await;
    let claim_all = |store: SqlStore, owner: &'static str| async move {
        let mut desk = Desk::new();
        let mut mine = Vec::new();
        loop {
            let mut tx = begin(&store, &mut desk).await;
            let claim = Claim {
                owner,
                now: day(2),
                lease_s: 60,
                limit: 2,
            };
            let some = tx.claim_open_attempts(claim).await.expect("claim");
            tx.commit().await.expect("commit");
            if some.is_empty() {
                return mine;
            }
            mine.extend(some.into_iter().map(|row| (row.id, row.lease_epoch)));
        }
    };
    let [first, second, third] = stores;
    let (one, two, three) = tokio::join!(
        tokio::spawn(claim_all(first, "p1")),
        tokio::spawn(claim_all(second, "p2")),
        tokio::spawn(claim_all(third, "p3")),
    );
    let mut all: Vec<_> = [one, two, three]
        .into_iter()
        .flat_map(|claimed| claimed.expect("joined"))
        .collect();
    all.sort();
    assert_eq!(all.len(), 10, "each attempt once");
    all.dedup_by_key(|(id, _)| *id);
    assert_eq!(all.len(), 10);
    assert!(all.iter().all(|(_, epoch)| *epoch == 1));
}

/// Rows that another transaction holds are left out, not waited for. SQLite has one writer.
#[tokio::test]
async fn claims_on_postgres_pass_over_what_is_held() {
    let Some(bed) = Bed::postgres_empty() else {
        return;
    };
    let bed = bed.with_schema().await;
    let store = bed.open().await;
    due(&store).await;
    let (mut left, mut right) = (Desk::new(), Desk::new());
    let mut first = begin(&store, &mut left).await;
    let mut second = begin(&store, &mut right).await;
    let claim = Claim {
        owner: "p",
        now: day(2),
        lease_s: 60,
        limit: 4,
    };

    let mine = first
        .claim_due_subscriptions(day(2), 4)
        .await
        .expect("claim");
    let theirs = second
        .claim_due_subscriptions(day(2), 100)
        .await
        .expect("claim");
    assert_eq!((mine.len(), theirs.len()), (4, 6));
    assert!(
        mine.iter()
            .all(|row| theirs.iter().all(|other| other.id != row.id))
    );

    let mine = first.claim_due_dunning(day(2), 4).await.expect("claim");
    let theirs = second.claim_due_dunning(day(2), 100).await.expect("claim");
    assert_eq!((mine.len(), theirs.len()), (4, 6));

    let mine = first.claim_open_attempts(claim).await.expect("claim");
    let theirs = second
        .claim_open_attempts(Claim {
            limit: 100,
            ..claim
        })
        .await
        .expect("claim");
    assert_eq!((mine.len(), theirs.len()), (4, 6));

    assert_eq!(
        first
            .claim_stale_incomplete(day(2), 4)
            .await
            .expect("claim")
            .len(),
        1
    );
    assert!(
        second
            .claim_stale_incomplete(day(2), 4)
            .await
            .expect("claim")
            .is_empty()
    );
}

async fn a_second_charge_waits_and_is_refused(bed: Bed) {
    let (here, there) = (bed.open_as("p1").await, bed.open_as("p2").await);
    let made = committed(&here).await;
    let (mut left, mut right) = (Desk::new(), Desk::new());
    let mut first = begin(&here, &mut left).await;
    Draft::charge(made.invoice, 1).must(&mut first, &made).await;
    let second = async {
        let mut tx = begin(&there, &mut right).await;
        Draft::charge(made.invoice, 2).insert(&mut tx, &made).await
    };
    let (refused, committed) = tokio::join!(second, first.commit());
    committed.expect("commit");
    assert!(
        matches!(refused, Err(StoreError::Refused(Constraint::OpenCharge))),
        "{refused:?}"
    );
}

async fn whoever_waits_too_long_is_told_that_it_is_busy(bed: Bed) {
    let (here, there) = (bed.open_as("p1").await, bed.open_as("p2").await);
    let made = committed(&here).await;
    let (mut left, mut right) = (Desk::new(), Desk::new());
    let mut first = begin(&here, &mut left).await;
    first.lock_invoice(made.invoice).await.expect("lock");
    let outcome = async {
        let mut tx = there.begin(&mut right).await?;
        tx.lock_invoice(made.invoice).await.map(|_row| ())
    };
    let outcome = outcome.await;
    assert!(matches!(outcome, Err(StoreError::Busy(_))), "{outcome:?}");
    first.commit().await.expect("the first is not disturbed");
}

async fn a_dropped_transaction_leaves_nothing(bed: Bed) {
    let store = bed.open().await;
    let made = committed(&store).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let attempt = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    drop(tx);
    let mut tx = begin(&store, &mut desk).await;
    assert!(matches!(
        tx.lock_attempt(attempt).await,
        Err(StoreError::NotFound { .. })
    ));
}

async fn clones_share_their_connections(bed: Bed) {
    let store = bed.open().await;
    let clone = store.clone();
    let made = committed(&clone).await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    assert_eq!(
        tx.lock_invoice(made.invoice).await.expect("read").id,
        made.invoice
    );
}
