//! Who goes on, and what time it is. Every wait of every actor is a place on the stage; whoever plays
//! the piece grants them one by one.
//!
//! A calm stage lets everybody go on at once: for transactions one after the other.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, Utc};

/// Why somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// For a turn, before this is done.
    Turn(&'static str),
    /// For a time, in microseconds.
    Until(i64),
    /// For a transaction to end, since so many had ended; in vain at the time.
    Lock { since: u64, in_vain_at: i64 },
    /// For an answer, in vain at the time.
    Answer { call: u64, in_vain_at: i64 },
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    Go,
    InVain,
}

/// One wait.
#[derive(Debug)]
pub struct Place {
    pub id: u64,
    pub actor: usize,
    pub reason: Reason,
    waker: Waker,
}

#[derive(Debug, Default)]
pub struct State {
    pub now: i64,
    pub actor: usize,
    pub places: Vec<Place>,
    granted: Vec<(u64, Granted)>,
    next_id: u64,
    /// Transactions that have ended.
    pub releases: u64,
    /// What goes wrong at the next point of the database, by whoever plays.
    pub chance: Chance,
}

/// Dice with a seed. Not for secrets.
#[derive(Debug, Clone, Default)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        let mut chance = Self(seed ^ 0x9E37_79B9_7F4A_7C15);
        chance.next();
        chance
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let n64 = u64::try_from(n.max(1)).unwrap_or(1);
        usize::try_from(self.next() % n64).unwrap_or(0)
    }

    /// So many times in a thousand.
    pub fn per_mille(&mut self, share: u32) -> bool {
        self.next() % 1000 < u64::from(share)
    }
}

/// The stage.
#[derive(Debug)]
pub struct Stage {
    is_calm: bool,
    state: Mutex<State>,
}

impl Stage {
    /// Nobody waits; it is always this time.
    pub fn calm(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self {
            is_calm: true,
            state: Mutex::new(State {
                now: now.timestamp_micros(),
                ..State::default()
            }),
        })
    }

    /// Everybody waits for a turn.
    pub fn played(now: DateTime<Utc>, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            is_calm: false,
            state: Mutex::new(State {
                now: now.timestamp_micros(),
                chance: Chance::new(seed),
                ..State::default()
            }),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> DateTime<Utc> {
        instant(self.lock().now)
    }

    pub fn is_calm(&self) -> bool {
        self.is_calm
    }

    /// A wait for this reason.
    pub fn wait(self: &Arc<Self>, reason: Reason) -> Wait {
        Wait {
            stage: Arc::clone(self),
            reason,
            id: None,
        }
    }

    /// Grants a place. Its actor has to be polled next.
    pub fn grant(&self, at: usize, how: Granted) -> Place {
        let mut state = self.lock();
        let place = state.places.swap_remove(at);
        state.granted.push((place.id, how));
        state.actor = place.actor;
        drop(state);
        place.waker.wake_by_ref();
        place
    }
}

pub fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// A wait until the stage grants it.
#[derive(Debug)]
pub struct Wait {
    stage: Arc<Stage>,
    reason: Reason,
    id: Option<u64>,
}

impl Future for Wait {
    type Output = Granted;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Granted> {
        let stage = Arc::clone(&self.stage);
        if stage.is_calm {
            return Poll::Ready(Granted::Go);
        }
        let mut state = stage.lock();
        match self.id {
            None => {
                let id = state.next_id;
                state.next_id += 1;
                let actor = state.actor;
                state.places.push(Place {
                    id,
                    actor,
                    reason: self.reason,
                    waker: cx.waker().clone(),
                });
                drop(state);
                self.id = Some(id);
                Poll::Pending
            }
            Some(id) => {
                if let Some(at) = state.granted.iter().position(|(granted, _)| *granted == id) {
                    let (_, how) = state.granted.swap_remove(at);
                    drop(state);
                    self.id = None;
                    return Poll::Ready(how);
                }
                if let Some(place) = state.places.iter_mut().find(|place| place.id == id) {
                    place.waker.clone_from(cx.waker());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let mut state = self.stage.lock();
            state.places.retain(|place| place.id != id);
            state.granted.retain(|(granted, _)| *granted != id);
        }
    }
}
