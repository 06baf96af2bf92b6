//! Carries effects out on tasks and answers with messages over a bounded channel.
//!
//! A newer question for the same part of the screen ends the older one. Tasks that move money belong to no screen: the
//! console may close its dialogs or itself, and they go on until their answer is written down. Invariant: every ticket
//! of a money task is answered, also when the task panics.

mod answers;
mod pulse;

pub use answers::answer;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use self::pulse::Pulse;
use super::effect::{Question, Slot};
use super::fault::Fault;
use super::model::{Asked, Progress, Ticket};
use super::msg::Msg;
use super::term::monotonic_now;
use crate::domain::ids::AttemptId;
use crate::domain::operator::{Access, Operator, Verb};
use crate::engine::ports::Store;
use crate::engine::queries::{Reads, SavedView};
use crate::engine::{Engine, Outcome, Request, RunSummary};

/// How often a billing run says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Whoever carries effects out.
pub struct Runner<S> {
    engine: Arc<Engine<S>>,
    operator: Arc<Operator>,
    messages: mpsc::Sender<Msg>,
    loads: HashMap<Slot, JoinHandle<()>>,
    others: JoinSet<()>,
    money: JoinSet<()>,
    /// Money tasks that are not settled.
    busy: Arc<AtomicUsize>,
    pulse: Arc<Pulse>,
}

/// Counts a money task for as long as it lives, however it ends.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counter))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<S: Store + Reads> Runner<S> {
    pub fn new(engine: Arc<Engine<S>>, operator: Operator, messages: mpsc::Sender<Msg>) -> Self {
        Self {
            engine,
            operator: Arc::new(operator),
            messages,
            loads: HashMap::new(),
            others: JoinSet::new(),
            money: JoinSet::new(),
            busy: Arc::default(),
            pulse: Arc::default(),
        }
    }

    /// How many money tasks are not settled; the process must not end before.
    pub fn busy(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.busy)
    }

    /// Tells when somebody else writes, until the console ends.
    pub fn watch(&mut self) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let pulse = Arc::clone(&self.pulse);
        self.others.spawn(pulse::watch(engine, pulse, messages));
    }

    /// Asks about unknown attempts as long as the console runs, where the person may. Any process
    /// with the right does so; leases keep two from working on the same one.
    pub fn reconcile(&mut self) {
        if self.operator.check(Verb::ResolveUnknown).is_err() {
            return;
        }
        let (engine, operator) = (Arc::clone(&self.engine), Arc::clone(&self.operator));
        let pulse = Arc::clone(&self.pulse);
        let follow = pulse::follow(Arc::clone(&engine), Arc::clone(&operator));
        self.others.spawn(follow);
        let fees = pulse::follow_fees(Arc::clone(&engine), Arc::clone(&operator));
        self.others.spawn(fees);
        self.others.spawn(pulse::reconcile(engine, pulse, operator));
    }

    /// Somebody pressed something.
    pub fn stir(&self) {
        self.pulse.stir();
    }

    pub fn load(&mut self, ticket: Ticket, slot: Slot, question: Question) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let operator = Arc::clone(&self.operator);
        let task = tokio::spawn(async move {
            let asked = answers::answer(engine.store(), &operator.person, question);
            let message = match asked.await {
                Ok(loaded) => Msg::Loaded {
                    ticket,
                    loaded: Box::new(loaded),
                },
                Err(error) => Msg::Failed {
                    ticket,
                    fault: Fault::from(&error),
                },
            };
            // Nobody listens once the console has ended.
            let _ = messages.send(message).await;
        });
        if let Some(older) = self.loads.insert(slot, task) {
            older.abort();
        }
    }

    pub fn count_unknown(&mut self) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        self.collect();
        self.others.spawn(async move {
            if let Ok(count) = engine.store().count_unknown().await {
                let _ = messages.send(Msg::Unknowns(count)).await;
            }
            if let Ok(count) = engine.store().count_wishes().await {
                let _ = messages.send(Msg::Wishes(count)).await;
            }
        });
    }

    /// Asks what became of this person's calls while nobody looked, where this process may send any.
    pub fn ask_away(&mut self) {
        if self.operator.access == Access::ReadOnly {
            return;
        }
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let operator = Arc::clone(&self.operator);
        self.collect();
        self.others.spawn(async move {
            if let Ok(away) = engine.store().away(&operator.person).await {
                let _ = messages.send(Msg::Away(Box::new(away))).await;
            }
        });
    }

    /// Writes down that the person was told. Where that fails he is told once more.
    pub fn record_greeted(&mut self, attempts: Vec<String>) {
        let (engine, operator) = (Arc::clone(&self.engine), Arc::clone(&self.operator));
        self.collect();
        self.others.spawn(async move {
            if let Err(error) = engine.record_greeted(&operator, &attempts).await {
                tracing::warn!(%error, "that the person was told could not be written down");
            }
        });
    }

    /// The terminal is gone: where calls are out, nobody sees what comes of them.
    pub async fn record_left(&self) {
        let calls = self.busy.load(Ordering::SeqCst);
        if calls == 0 {
            return;
        }
        if let Err(error) = self.engine.record_left(&self.operator, calls).await {
            tracing::warn!(%error, "that the terminal is gone could not be written down");
        }
    }

    /// Writes down that personal data is about to be shown.
    pub fn record_reveal(&mut self, place: String) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let operator = Arc::clone(&self.operator);
        self.collect();
        self.others.spawn(async move {
            let recorded = engine.record_reveal(&operator, &place).await;
            let answer = recorded.map_err(|_| Fault::new("not_recorded"));
            let _ = messages.send(Msg::RevealRecorded(answer)).await;
        });
    }

    /// Asks where the customer of a charge answers their bank.
    pub fn ask_link(&mut self, ticket: Ticket, attempt: AttemptId) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let operator = Arc::clone(&self.operator);
        self.collect();
        self.others.spawn(async move {
            let link = engine.customer_link(&operator, attempt).await;
            let answer = link.map(Box::new).map_err(|error| Fault::from(&error));
            let _ = messages.send(Msg::Link { ticket, answer }).await;
        });
    }

    /// Keeps a filter under a name.
    pub fn save_view(&mut self, view: SavedView) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let operator = Arc::clone(&self.operator);
        self.collect();
        self.others.spawn(async move {
            let saved = engine.store().save_view(&operator.person, &view).await;
            let answer = saved.map_err(|error| Fault::from(&error));
            let _ = messages.send(Msg::ViewSaved(answer)).await;
        });
    }

    /// Says what would happen. Nothing is sent.
    pub fn plan(&mut self, ticket: Ticket, asked: Asked) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let operator = Arc::clone(&self.operator);
        self.collect();
        self.others.spawn(async move {
            let answer = answers::planned(&engine, &operator, asked)
                .await
                .map(Box::new);
            let _ = messages.send(Msg::Planned { ticket, answer }).await;
        });
    }

    /// Does what was confirmed. The task outlives the console's screens.
    pub fn apply(&mut self, ticket: Ticket, request: Request, fingerprint: String) {
        let engine = Arc::clone(&self.engine);
        let operator = Arc::clone(&self.operator);
        let work = async move {
            engine
                .apply(&operator, &request, &fingerprint)
                .await
                .map(Box::new)
                .map_err(|error| Fault::from(&error))
        };
        self.settle(work, move |answer: Result<Box<Outcome>, Fault>| {
            Msg::Applied { ticket, answer }
        });
    }

    /// Bills what was previewed, unless it has changed since.
    pub fn start_run(&mut self, ticket: Ticket, until: DateTime<Utc>, fingerprint: String) {
        let engine = Arc::clone(&self.engine);
        let operator = Arc::clone(&self.operator);
        let messages = self.messages.clone();
        let work = async move {
            let preview = engine.preview_run(until).await;
            let preview = preview.map_err(|error| Fault::from(&error))?;
            if preview.fingerprint != fingerprint {
                return Err(Fault::new("stale"));
            }
            let mut told = monotonic_now();
            let mut tell = |progress: crate::engine::RunProgress| {
                if told.elapsed() < PROGRESS_EVERY {
                    return;
                }
                told = monotonic_now();
                let progress = Progress {
                    done: progress.decided,
                    due: progress.due,
                    calls: progress.in_flight,
                };
                // A full queue means that the screen is behind anyway.
                let _ = messages.try_send(Msg::Progress { ticket, progress });
            };
            engine
                .billing_run(&operator, until, &mut tell)
                .await
                .map(Box::new)
                .map_err(|error| Fault::from(&error))
        };
        self.settle(work, move |answer: Result<Box<RunSummary>, Fault>| {
            Msg::RunEnded { ticket, answer }
        });
    }

    /// Runs a money task to its end and tells what came of it, also when it panics.
    fn settle<T, F, M>(&mut self, work: F, message: M)
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
        M: FnOnce(Result<T, Fault>) -> Msg + Send + 'static,
    {
        while self.money.try_join_next().is_some() {}
        let busy = Busy::new(&self.busy);
        let messages = self.messages.clone();
        self.money.spawn(async move {
            let answer = match tokio::spawn(work).await {
                Ok(answer) => answer,
                Err(_) => Err(Fault::new("worker")),
            };
            // What was to be written down is: only the telling is left.
            drop(busy);
            let _ = messages.send(message(answer)).await;
        });
    }

    /// Hands text to tmux, which may take a moment.
    pub fn copy_through_tmux(&mut self, text: String) {
        let messages = self.messages.clone();
        self.collect();
        self.others.spawn(async move {
            let sent =
                tokio::task::spawn_blocking(move || super::term::load_tmux_buffer(&text)).await;
            let answer = match sent {
                Ok(Ok(_sent)) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(Fault::new("copy")),
            };
            let _ = messages.send(Msg::Copied(answer)).await;
        });
    }

    fn collect(&mut self) {
        while self.others.try_join_next().is_some() {}
    }

    /// Waits until every money task is settled; everything else is dropped.
    pub async fn finish(mut self, limit: Duration) {
        for task in self.loads.values() {
            task.abort();
        }
        self.others.abort_all();
        let settled = async { while self.money.join_next().await.is_some() {} };
        // Whoever did not make it is finished by the reconciler, as after a crash.
        let _ = tokio::time::timeout(limit, settled).await;
    }
}
