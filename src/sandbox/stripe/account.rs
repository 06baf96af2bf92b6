//! The account: carries out requests one after another, keyed answers first, and lets fall due what time brings.
//!
//! No network, no file, no waiting: the teller and the simulator without a line share it.

use std::collections::{HashMap, VecDeque};

use axum::body::Bytes;
use sha2::{Digest as _, Sha256};

use super::super::idempotency::Scope;
use super::super::switches::{Replay, Switches};
use super::book::Book;
use super::due;
use super::expand;
use super::form::Form;
use super::ids::Ids;
use super::perform;
use super::problem::{Problem, Stage};
use super::room::{DEFAULT_VERSION, Events, Origin, Room};
use super::routes::Route;
use super::script::Scripted;

/// One request, read off the line.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Bytes,
    /// Of a POST.
    pub key: Option<String>,
    pub scope: Option<Scope>,
    pub version: Option<String>,
    pub scripted: Scripted,
}

/// What is said to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
    pub request_id: String,
    /// The request that was carried out, where a key was given.
    pub original_request: Option<String>,
    pub is_replay: bool,
    pub should_retry: Option<bool>,
    pub rate_limited: Option<&'static str>,
    pub retry_after_seconds: Option<u32>,
    pub version: String,
}

/// The first answer to a key.
#[derive(Debug, Clone)]
pub struct Stored {
    pub first_at: i64,
    pub path: String,
    pub key: String,
    pub parameters: [u8; 32],
    pub status: u16,
    pub body: Bytes,
    pub request_id: String,
}

/// Where the real ones stand; a simulator that listens has its own.
const PAGES: &str = "https://hooks.stripe.com";
/// The id of every simulated account that is told no other.
pub const OWN_ID: &str = "acct_1PaydeckSandbox0";

#[derive(Debug)]
pub struct Account {
    /// Its id: whose keys are accepted.
    pub id: String,
    pub book: Book,
    pub ids: Ids,
    /// Where the bank's pages stand.
    pub pages: String,
    answers: HashMap<Scope, Stored>,
    by_age: VecDeque<(i64, Scope)>,
    fresh: Vec<Scope>,
    pub events: Events,
}

impl Account {
    pub fn new(ids: Ids) -> Self {
        Self {
            id: OWN_ID.to_owned(),
            book: Book::default(),
            ids,
            pages: PAGES.to_owned(),
            answers: HashMap::new(),
            by_age: VecDeque::new(),
            fresh: Vec::new(),
            events: Events::Told,
        }
    }

    /// The same account with this id, whose bank's pages stand there.
    #[must_use]
    pub fn named(self, id: String, pages: String) -> Self {
        Self { id, pages, ..self }
    }

    #[must_use]
    pub fn copy(&self, ids: Ids) -> Self {
        Self {
            id: self.id.clone(),
            book: self.book.clone(),
            ids,
            pages: self.pages.clone(),
            answers: self.answers.clone(),
            by_age: self.by_age.clone(),
            fresh: Vec::new(),
            events: self.events,
        }
    }

    /// Takes in an answer that the file holds; oldest first.
    pub fn restore_answer(&mut self, scope: Scope, stored: Stored) {
        self.by_age.push_back((stored.first_at, scope));
        self.answers.insert(scope, stored);
    }

    /// The answers that were bound since the last time.
    pub fn take_answers(&mut self) -> Vec<(Scope, Stored)> {
        let fresh = std::mem::take(&mut self.fresh);
        fresh
            .into_iter()
            .filter_map(|scope| Some((scope, self.answers.get(&scope)?.clone())))
            .collect()
    }

    /// Nobody writes the answers down.
    pub fn forget_fresh(&mut self) {
        self.fresh.clear();
    }

    /// Lets everything happen that time brings by itself.
    pub fn catch_up(&mut self, switches: &Switches, now: i64) {
        let oldest = now - i64::from(switches.stripe_key_lifetime_hours) * 3_600;
        while let Some((at, scope)) = self.by_age.front().copied() {
            if at >= oldest {
                break;
            }
            self.by_age.pop_front();
            if self
                .answers
                .get(&scope)
                .is_some_and(|stored| stored.first_at == at)
            {
                self.answers.remove(&scope);
            }
        }
        let mut room = self.room(switches, now, DEFAULT_VERSION);
        due::catch_up(&mut room, None, now);
        self.book.begin();
    }

    pub fn room<'a>(&'a mut self, switches: &'a Switches, now: i64, version: &'a str) -> Room<'a> {
        Room {
            account: &self.id,
            book: &mut self.book,
            ids: &mut self.ids,
            pages: &self.pages,
            switches,
            now,
            clock: None,
            origin: Origin::default(),
            version,
            forced: None,
            events: self.events,
        }
    }

    pub fn answer(&mut self, request: &Request, switches: &Switches, now: i64) -> Answer {
        self.catch_up(switches, now);
        let request_id = self.ids.request();
        let version = request.version.as_deref().unwrap_or(DEFAULT_VERSION);
        let parsed = check_version(version).and_then(|()| form_of(request));
        let form = match parsed {
            Ok(form) => form,
            Err(problem) => return plain(&problem, request, request_id, version),
        };
        let parameters: [u8; 32] = Sha256::digest(form.canonical()).into();
        if let Some(stored) = request.scope.and_then(|scope| self.answers.get(&scope)) {
            return again(stored, request, parameters, request_id, version);
        }
        let (status, body, stage) = self.carry_out(request, &form, switches, now, &request_id);
        let kept = match &request.scripted.spoilt {
            _ if stage == Stage::NotBegun => None,
            Some(spoilt) if binds(spoilt.0, switches) => Some(spoilt.clone()),
            Some(_) if request.scripted.is_skipped => None,
            _ => binds(status, switches).then(|| (status, body.clone())),
        };
        let is_kept = kept.is_some() && request.scope.is_some();
        if let (Some(scope), Some((status, body))) = (request.scope, kept) {
            let stored = Stored {
                first_at: now,
                path: request.path.clone(),
                key: request.key.clone().unwrap_or_default(),
                parameters,
                status,
                body,
                request_id: request_id.clone(),
            };
            self.restore_answer(scope, stored);
            self.fresh.push(scope);
        }
        Answer {
            should_retry: (is_kept && status < 500).then_some(false),
            original_request: request.key.as_ref().map(|_| request_id.clone()),
            ..Answer::plain(status, body, request_id, version)
        }
    }

    fn carry_out(
        &mut self,
        request: &Request,
        form: &Form,
        switches: &Switches,
        now: i64,
        request_id: &str,
    ) -> (u16, Bytes, Stage) {
        if request.scripted.is_skipped
            && let Some((status, body)) = &request.scripted.spoilt
        {
            return (*status, body.clone(), Stage::Begun);
        }
        let version = request.version.as_deref().unwrap_or(DEFAULT_VERSION);
        self.book.begin();
        let mut room = self.room(switches, now, version);
        room.origin = Origin {
            request: Some(request_id.to_owned()),
            key: request.key.clone(),
        };
        let outcome = match Route::parse(&request.method, &request.path) {
            None => Err(Problem::unknown_url(&request.method, &request.path)),
            Some(route) => match request.scripted.refusal(&route) {
                Err(problem) => Err(problem),
                Ok(forced) => {
                    room.forced = forced;
                    perform::perform(&mut room, &route, form, &request.path)
                        .and_then(|object| expand::answer(&room, object, form))
                }
            },
        };
        match outcome {
            Ok(shown) => (200, to_bytes(&shown), Stage::Tried),
            Err(problem) => {
                if problem.stage != Stage::Tried {
                    self.book.undo();
                }
                (problem.status, to_bytes(&problem.body()), problem.stage)
            }
        }
    }
}

impl Answer {
    pub fn plain(status: u16, body: Bytes, request_id: String, version: &str) -> Self {
        Self {
            status,
            body,
            request_id,
            original_request: None,
            is_replay: false,
            should_retry: None,
            rate_limited: None,
            retry_after_seconds: None,
            version: version.to_owned(),
        }
    }
}

fn plain(problem: &Problem, request: &Request, request_id: String, version: &str) -> Answer {
    let original_request = request.key.as_ref().map(|_| request_id.clone());
    Answer {
        original_request,
        ..Answer::plain(
            problem.status,
            to_bytes(&problem.body()),
            request_id,
            version,
        )
    }
}

/// What is said to a key that was used before.
fn again(
    stored: &Stored,
    request: &Request,
    parameters: [u8; 32],
    request_id: String,
    version: &str,
) -> Answer {
    let key = &stored.key;
    let problem = if stored.path != request.path {
        format!(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{}' vs '{}'). Try using a key other than '{key}' if you meant to execute a different request.",
            request.path, stored.path
        )
    } else if stored.parameters != parameters {
        format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request."
        )
    } else {
        return Answer {
            original_request: Some(stored.request_id.clone()),
            is_replay: true,
            should_retry: (stored.status < 500).then_some(false),
            ..Answer::plain(stored.status, stored.body.clone(), request_id, version)
        };
    };
    let problem = Problem::new(400, "idempotency_error", problem);
    Answer {
        original_request: Some(stored.request_id.clone()),
        should_retry: Some(false),
        ..Answer::plain(400, to_bytes(&problem.body()), request_id, version)
    }
}

/// Whether an answer with this status belongs to its key once the request was begun.
fn binds(status: u16, switches: &Switches) -> bool {
    match status {
        401 | 409 | 429 => false,
        500..=599 => switches.stripe_server_error_replay == Replay::Replayed,
        _ => true,
    }
}

fn form_of(request: &Request) -> Result<Form, Problem> {
    if request.method != "POST" {
        return Form::parse(&request.query);
    }
    let body = std::str::from_utf8(&request.body)
        .map_err(|_| Problem::invalid("The request body is not UTF-8."))?;
    // Parameters of a POST may also stand in its query.
    let both = match (request.query.is_empty(), body.is_empty()) {
        (true, _) => body.to_owned(),
        (false, true) => request.query.clone(),
        (false, false) => format!("{}&{body}", request.query),
    };
    Form::parse(&both)
}

/// `2025-03-31`, with or without a name behind it.
fn check_version(version: &str) -> Result<(), Problem> {
    let (date, name) = version.split_once('.').unwrap_or((version, "x"));
    let is_date = chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok();
    if is_date && date.len() == 10 && !name.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid(format!(
        "Invalid Stripe API version: {version}"
    )))
}

/// Objects are maps with string keys and integers, which cannot fail to become JSON.
pub fn to_bytes(value: &serde_json::Value) -> Bytes {
    Bytes::from(value.to_string())
}
