//! What the console does by itself while nobody presses anything: one beat for everything.
//!
//! Each beat asks whether somebody else wrote; every few beats it takes the simulator's time over. Beats come slower
//! once nobody has pressed a key for a while, and a key brings the quick ones back. The reconciler sleeps until the
//! next look-up it knows of, and a change elsewhere makes it look at that again; what a provider schedules is followed
//! beside it, because a provider that hangs must not keep it from asking another. None of them touches the screen: what
//! changed arrives as a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use crate::console::msg::Msg;
use crate::console::term::monotonic_now;
use crate::domain::operator::Operator;
use crate::engine::Engine;
use crate::engine::ports::Store;
use crate::engine::queries::Reads;

/// Between two beats while a person is there. A timer wakes the process twice: once to be sorted, once to end.
const BEAT: Duration = Duration::from_secs(2);
/// Between two beats while nobody is.
const RESTING_BEAT: Duration = Duration::from_secs(3);
/// A database that takes longer is said not to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// Nobody is there who has not pressed a key for so long.
const RESTS_AFTER_MS: u64 = 60_000;
/// The simulator's time is taken over with one beat in so many.
const BEATS_PER_CLOCK: u32 = 3;
/// The reconciler looks at least so often, whatever it knows: a look-up may fall due unseen.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);
/// And at most so often.
const LOOK_AT_MOST: Duration = Duration::from_secs(1);
/// After a look that failed; the list shows the age of what waits meanwhile.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// How often a provider that schedules subscriptions is asked what happened.
const PULL_EVERY: Duration = Duration::from_secs(30);
/// How often a provider is asked what it kept for itself.
const FEES_EVERY: Duration = Duration::from_hours(1);

/// When somebody pressed something last, and who waits for it.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    stirred_ms: AtomicU64,
    stirred: Notify,
    /// Somebody wrote: what the reconciler knows may be old.
    changed: Notify,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            began: monotonic_now(),
            stirred_ms: AtomicU64::new(0),
            stirred: Notify::new(),
            changed: Notify::new(),
        }
    }
}

impl Pulse {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Somebody pressed something.
    pub fn stir(&self) {
        let was_resting = self.is_resting();
        self.stirred_ms.store(self.now_ms(), Ordering::Relaxed);
        if was_resting {
            self.stirred.notify_one();
        }
    }

    fn is_resting(&self) -> bool {
        let since = self.stirred_ms.load(Ordering::Relaxed);
        self.now_ms().saturating_sub(since) >= RESTS_AFTER_MS
    }

    /// Until the next beat.
    async fn beat(&self) {
        if self.is_resting() {
            // A key ends the rest at once.
            let _either = tokio::time::timeout(RESTING_BEAT, self.stirred.notified()).await;
        } else {
            tokio::time::sleep(BEAT).await;
        }
    }
}

/// Tells when somebody else writes, and follows the simulator's time, until the console ends.
pub async fn watch<S: Store + Reads>(
    engine: Arc<Engine<S>>,
    pulse: Arc<Pulse>,
    messages: mpsc::Sender<Msg>,
) {
    let mut last = None;
    let mut beats = 0_u32;
    loop {
        let message = look_at(&engine, &mut last).await;
        if let Some(Msg::Version(_)) = message {
            pulse.changed.notify_one();
            if let Ok(at) = engine.store().clock().await {
                // Nobody listens once the console has ended.
                let _ = messages.send(Msg::Clock(at)).await;
            }
        }
        if let Some(message) = message
            && messages.send(message).await.is_err()
        {
            return;
        }
        pulse.beat().await;
        beats = beats.wrapping_add(1);
        if beats.is_multiple_of(BEATS_PER_CLOCK) {
            engine.follow_clock().await;
        }
    }
}

/// Whether somebody wrote since, or the database has fallen silent; that is told once.
async fn look_at<S: Store + Reads>(engine: &Engine<S>, last: &mut Option<i64>) -> Option<Msg> {
    let asked = engine.store().data_version();
    match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
        Ok(Ok(version)) => {
            (last.replace(version) != Some(version)).then_some(Msg::Version(version))
        }
        // Whatever version comes afterwards is new.
        Ok(Err(_)) | Err(_) => last.take().map(|_| Msg::Lost),
    }
}

/// Asks about unknown attempts as long as the console runs.
pub async fn reconcile<S: Store + Reads>(
    engine: Arc<Engine<S>>,
    pulse: Arc<Pulse>,
    operator: Arc<Operator>,
) {
    let mut wait = LOOK_AT_MOST;
    loop {
        // Not sooner than that, however much is written elsewhere; then at the known time or at a change.
        tokio::time::sleep(wait.min(LOOK_AT_MOST)).await;
        let _either =
            tokio::time::timeout(wait.saturating_sub(LOOK_AT_MOST), pulse.changed.notified()).await;
        wait = match look(&engine, &operator).await {
            Some(due) => due.clamp(LOOK_AT_MOST, LOOK_AT_LEAST),
            // What cannot be asked now is asked again.
            None => AFTER_TROUBLE,
        };
    }
}

/// Follows what a provider did with subscriptions that it schedules, where there are any, as long as the console runs;
/// trouble is the next time's. It may take long, and nobody waits for it.
pub async fn follow<S: Store + Reads>(engine: Arc<Engine<S>>, operator: Arc<Operator>) {
    loop {
        end_lapsed(&engine, &operator).await;
        if matches!(engine.has_mirrors().await, Ok(true)) {
            let _next_time = engine.mirror_pull(&operator).await;
        }
        tokio::time::sleep(PULL_EVERY).await;
    }
}

/// Now and then asks a provider what it kept for itself, as long as the console runs; trouble is the next time's. The first
/// time may take long, so nothing else stands behind it.
pub async fn follow_fees<S: Store + Reads>(engine: Arc<Engine<S>>, operator: Arc<Operator>) {
    loop {
        let pulled = engine.pull_fees(&operator).await;
        let goes_on = pulled.is_ok_and(|all| all.iter().any(|one| !one.is_whole));
        let wait = if goes_on { PULL_EVERY } else { FEES_EVERY };
        tokio::time::sleep(wait).await;
    }
}

/// Ends requests that nobody decided in time, where there are any; trouble is the next time's.
async fn end_lapsed<S: Store + Reads>(engine: &Engine<S>, operator: &Operator) {
    if matches!(engine.store().count_lapsed().await, Ok(1..)) {
        let _next_time = engine.end_lapsed_requests(operator).await;
    }
}

/// Works off what is due; gives how long until the next is, or none when something was in the way.
async fn look<S: Store + Reads>(engine: &Engine<S>, operator: &Operator) -> Option<Duration> {
    let due = engine.store().next_look_up_in().await.ok()?;
    if due.is_none_or(|left| !left.is_zero()) && !engine.has_kept() {
        return Some(due.unwrap_or(LOOK_AT_LEAST));
    }
    engine.reconcile_once(operator).await.ok()?;
    let due = engine.store().next_look_up_in().await.ok()?;
    Some(due.unwrap_or(LOOK_AT_LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_there_a_minute_after_the_last_key() {
        let pulse = Pulse::default();
        assert!(!pulse.is_resting());
        let long_ago = monotonic_now().checked_sub(Duration::from_millis(RESTS_AFTER_MS));
        let pulse = Pulse {
            began: long_ago.unwrap(),
            ..Pulse::default()
        };
        assert!(pulse.is_resting());
        pulse.stir();
        assert!(!pulse.is_resting());
    }

    #[tokio::test]
    async fn a_key_ends_the_rest_at_once() {
        let long_ago = monotonic_now().checked_sub(Duration::from_millis(RESTS_AFTER_MS));
        let pulse = Pulse {
            began: long_ago.unwrap(),
            ..Pulse::default()
        };
        let began = monotonic_now();
        tokio::join!(pulse.beat(), async { pulse.stir() });
        assert!(began.elapsed() < RESTING_BEAT);
    }
}
