//! The one who executes for this provider: requests in batches, one commit, and only then the answers.
//!
//! Everything passes through here, look-ups too, so that nobody is told what is not yet in the file. While nobody asks,
//! it wakes up when something falls due.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};

use super::super::error::SandboxError;
use super::super::shared::Shared;
use super::account::{Account, Answer, Request, to_bytes};
use super::attempt;
use super::ids::Ids;
use super::json;
use super::kind::Kind;
use super::ledger::{self, Wanted};
use super::persist;
use super::problem::Problem;
use super::room::DEFAULT_VERSION;

const BATCH: usize = 64;
/// How long a jump of the simulated clock may go unnoticed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How old an event may be that is delivered by a later start.
const TRIED_FOR: i64 = 3 * 86_400;

/// What can be asked of the teller.
pub enum Errand {
    Request {
        request: Box<Request>,
        reply: oneshot::Sender<Answer>,
    },
    /// The owner of a card answers a challenge.
    Challenge {
        intent: String,
        agrees: bool,
        reply: oneshot::Sender<Result<Value, Problem>>,
    },
    Ledger {
        wanted: Wanted,
        reply: oneshot::Sender<Vec<String>>,
    },
    Summary {
        reply: oneshot::Sender<Value>,
    },
    /// What a fault script may match a call with: customer, order.
    Subject {
        id: String,
        reply: oneshot::Sender<(Option<String>, Option<String>)>,
    },
    /// A webhook was received by one of those that wait for it.
    Delivered {
        event: String,
    },
}

/// Answers that wait for the commit.
enum Waiting {
    Answer(oneshot::Sender<Answer>, Answer),
    Done(
        oneshot::Sender<Result<Value, Problem>>,
        Result<Value, Problem>,
    ),
}

/// A new event, and where it goes.
#[derive(Debug, Clone)]
pub struct Notice {
    pub event: String,
    pub body: Arc<str>,
    /// Address and secret.
    pub to: Vec<(String, String)>,
}

pub struct Teller {
    pub shared: Arc<Shared>,
    pub pool: SqlitePool,
    pub account: Account,
    pub notices: mpsc::UnboundedSender<Notice>,
    pub last_told: u64,
}

impl Teller {
    /// Runs until nobody can send any more.
    pub async fn run(mut self, mut errands: mpsc::Receiver<Errand>) {
        self.tell_again();
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = errands.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = self.something_falls_due() => {}
            }
            let waiting: Vec<Waiting> = batch
                .drain(..)
                .filter_map(|errand| self.attend(errand))
                .collect();
            let switches = self.shared.switches();
            let now = self.shared.clock.now().timestamp();
            self.account.catch_up(&switches, now);
            let is_kept = self.keep(now).await;
            for waiting in waiting {
                waiting.answer(is_kept);
            }
        }
    }

    /// Completes when there is something to catch up with; never while nothing can fall due.
    async fn something_falls_due(&self) {
        let Some(at) = self.account.book.next_due() else {
            return std::future::pending().await;
        };
        let seconds = at.saturating_sub(self.shared.clock.now().timestamp());
        let wait = Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(LOOK_AGAIN);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.shared.clock.moved() => {}
        }
    }

    /// Answers at once where nothing is changed.
    fn attend(&mut self, errand: Errand) -> Option<Waiting> {
        let switches = self.shared.switches();
        let now = self.shared.clock.now().timestamp();
        match errand {
            Errand::Request { request, reply } => {
                let answer = self.account.answer(&request, &switches, now);
                Some(Waiting::Answer(reply, answer))
            }
            Errand::Challenge {
                intent,
                agrees,
                reply,
            } => {
                self.account.catch_up(&switches, now);
                let mut room = self.account.room(&switches, now, DEFAULT_VERSION);
                let done = attempt::challenge(&mut room, &intent, agrees);
                Some(Waiting::Done(reply, done))
            }
            Errand::Ledger { wanted, reply } => {
                drop(reply.send(ledger::entries(&self.account.book, &wanted)));
                None
            }
            Errand::Summary { reply } => {
                drop(reply.send(ledger::summary(&self.account.book)));
                None
            }
            Errand::Subject { id, reply } => {
                drop(reply.send(ledger::subject(&self.account.book, &id)));
                None
            }
            Errand::Delivered { event } => {
                self.note_delivery(&event);
                None
            }
        }
    }

    fn note_delivery(&mut self, event: &str) {
        if let Some(mut found) = self.account.book.get(Kind::Event, event) {
            let left = json::int(&found, "pending_webhooks") - 1;
            json::set(&mut found, "pending_webhooks", left.max(0));
            self.account.book.put(Kind::Event, &found);
        }
    }

    /// False when the file could not be written: then everything is as the file has it.
    async fn keep(&mut self, now: i64) -> bool {
        let changes = self.account.book.take_changes();
        let answers = self.account.take_answers();
        if changes.is_empty() && answers.is_empty() {
            return true;
        }
        let hours = self.shared.switches().stripe_key_lifetime_hours;
        let keep_from = now - i64::from(hours) * 3_600;
        if let Err(error) = persist::write(&self.pool, &changes, &answers, keep_from).await {
            tracing::error!(%error, "the simulator could not write its file");
            self.reload().await;
            return false;
        }
        for change in &changes {
            let Some(entry) = change.entry.as_ref() else {
                continue;
            };
            if entry.kind == Kind::Event && entry.seq > self.last_told {
                self.last_told = entry.seq;
                self.tell(&entry.text());
            }
        }
        true
    }

    async fn reload(&mut self) {
        let ids = Ids::new(None, 0);
        match persist::load(&self.pool, ids).await {
            Ok(mut account) => {
                std::mem::swap(&mut account.ids, &mut self.account.ids);
                self.account = account;
            }
            Err(error) => tracing::error!(%error, "the simulator could not read its file"),
        }
    }

    /// What an earlier process still had to deliver.
    fn tell_again(&mut self) {
        let not_before = self.shared.clock.now().timestamp() - TRIED_FOR;
        let waiting: Vec<Arc<str>> = self
            .account
            .book
            .newest(Kind::Event)
            .rev()
            .filter(|(_, entry)| entry.created >= not_before)
            .filter(|(_, entry)| !entry.text().contains("\"pending_webhooks\":0"))
            .map(|(_, entry)| entry.text())
            .collect();
        self.last_told = self
            .account
            .book
            .newest(Kind::Event)
            .map(|(_, entry)| entry.seq)
            .max()
            .unwrap_or(0);
        for text in waiting {
            self.tell(&text);
        }
    }

    fn tell(&self, text: &Arc<str>) {
        let Ok(event) = serde_json::from_str::<Value>(text) else {
            return;
        };
        let kind = json::text(&event, "type").unwrap_or_default();
        let to: Vec<(String, String)> = self
            .account
            .book
            .newest(Kind::Endpoint)
            .filter_map(|(_, entry)| entry.object())
            .filter(|endpoint| super::endpoint::wants(endpoint, kind))
            .filter_map(|endpoint| {
                let secret = json::hidden_text(&endpoint, "secret")?.to_owned();
                Some((json::owned(&endpoint, "url"), secret))
            })
            .collect();
        if to.is_empty() {
            return;
        }
        let id = json::id(&event).to_owned();
        let notice = Notice {
            event: id,
            body: json::shown(event).to_string().into(),
            to,
        };
        // Nobody delivers webhooks any more only while the simulator shuts down.
        drop(self.notices.send(notice));
    }
}

impl Waiting {
    /// Whoever asked may be gone; what was executed stays executed.
    fn answer(self, is_kept: bool) {
        match self {
            Self::Answer(reply, answer) => {
                let answer = if is_kept { answer } else { failed(answer) };
                drop(reply.send(answer));
            }
            Self::Done(reply, done) => drop(reply.send(done)),
        }
    }
}

fn failed(answer: Answer) -> Answer {
    let problem = Problem::new(500, "api_error", "The simulator could not write its file.");
    Answer {
        is_replay: false,
        should_retry: None,
        status: 500,
        body: to_bytes(&problem.body()),
        ..answer
    }
}

/// The errand could not be run: the simulator shuts down.
pub fn gone() -> (u16, Bytes) {
    let problem = Problem::new(500, "api_error", "The simulator is shutting down.");
    (500, to_bytes(&problem.body()))
}

/// Reads the account and prepares its tables.
pub async fn open(
    pool: &SqlitePool,
    seed: Option<u64>,
    starts: u64,
) -> Result<Account, SandboxError> {
    persist::prepare(pool).await?;
    persist::load(pool, Ids::new(seed, starts)).await
}
