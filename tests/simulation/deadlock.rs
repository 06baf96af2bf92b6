//! Two writers who wait for each other: PostgreSQL notices, and refuses one of them.

use paydeck::domain::ids::{InvoiceId, SubscriptionId};
use paydeck::domain::mode::ProviderName;
use paydeck::engine::ports::{Desk, Invoices, Store, StoreError, Subscriptions, Tx};

use crate::memory::db::Personality;
use crate::memory::stage::{Chance, Granted};
use crate::memory::store::{MemStore, Shared};
use crate::play::{Move, Play};
use crate::world::World;

/// What a writer takes first.
#[derive(Debug, Clone, Copy)]
enum First {
    Subscription,
    Invoice,
}

async fn takes_both(store: &MemStore, first: First) -> Result<(), StoreError> {
    let mut desk = Desk::new();
    let mut tx = store.begin(&mut desk).await?;
    match first {
        First::Subscription => {
            tx.lock_subscription(SubscriptionId(1)).await?;
            tx.lock_invoice(InvoiceId(1)).await?;
        }
        First::Invoice => {
            tx.lock_invoice(InvoiceId(1)).await?;
            tx.lock_subscription(SubscriptionId(1)).await?;
        }
    }
    tx.commit().await
}

/// Both take what they take first, then what the other has, in an order by chance. Gives who was refused.
fn refused(seed: u64) -> Vec<First> {
    let world = World::new(ProviderName::Toss, seed, 1, Personality::ReadCommitted);
    let mut play = Play::new(world, seed);
    let refused = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    for first in [First::Subscription, First::Invoice] {
        let house = play.process();
        let shared: std::sync::Arc<Shared> = play.world.shared.clone();
        let refused = refused.clone();
        let id = house.id;
        let part = async move {
            let store = MemStore::new(&shared, id);
            if let Err(StoreError::Busy(_)) = takes_both(&store, first).await {
                refused.lock().expect("a list").push(first);
            }
        };
        play.enter("writer", &house, part);
    }
    let started = play.world.stage.lock().now;
    let mut moves = Vec::new();
    let mut chance = Chance::new(seed);
    loop {
        play.moves(&mut moves);
        if moves.is_empty() {
            break;
        }
        let one = moves[chance.below(moves.len())];
        assert!(
            matches!(one, Move::Grant(_, Granted::Go)),
            "nobody waits in vain"
        );
        play.make(one);
    }
    assert_eq!(play.world.stage.lock().now, started, "no time has passed");
    let refused = refused.lock().expect("a list");
    refused.clone()
}

#[test]
fn of_two_writers_who_wait_for_each_other_one_is_refused_at_once() {
    let all: Vec<Vec<First>> = (1..40).map(refused).collect();
    assert!(all.iter().all(|refused| refused.len() <= 1), "{all:?}");
    let has = |wanted: fn(&First) -> bool| all.iter().flatten().any(wanted);
    assert!(has(|first| matches!(first, First::Subscription)), "{all:?}");
    assert!(has(|first| matches!(first, First::Invoice)), "{all:?}");
}
