//! The Stripe client: what is asked is sent once, and what was heard is judged by `map`.
//!
//! It decides nothing about money and retries nothing. One call sends one request, with these exceptions, of
//! which none can move money twice: the account is asked for before the first call; a payment is read with its refunds, page by page; registering a card may
//! make the customer first; a card that cannot be detached is asked about; an intent that Stripe answers
//! with a stored server error is asked for under the next key.

use std::sync::Arc;

use reqwest::header::{HeaderName, HeaderValue};

use crate::domain::evidence::Evidence;
use crate::domain::mode::Mode;
use crate::engine::ports::{CallReport, ChargeCall, PrepareCall, PrepareOutcome};
use crate::provider::http::{Exchange, Http, LIST_LIMIT, Origin, Patience};

use super::account::Known;
use super::amount;
use super::codes;
use super::line::Line;
use super::map::{self, Expected, NotOk};
use super::options::{self, StripeOptions, StripeSetupError};
use super::request::{self, Asked, Method, Unsendable};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Most keys under which one call asks for an intent.
const MAX_KEYS: u32 = 5;

/// A client for one secret key. Cloning shares its connections.
#[derive(Clone)]
pub struct StripeClient {
    way: Way,
    mode: Mode,
    return_url: Option<String>,
    /// What is known of the account, where it is asked for.
    pub(super) known: Option<Known>,
}

/// How requests go.
#[derive(Clone)]
enum Way {
    Network { origin: Origin, http: Http },
    Line(Arc<dyn Line>),
}

impl std::fmt::Debug for StripeClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.way {
            Way::Network { origin, .. } => write!(f, "StripeClient({} at {origin})", self.mode),
            Way::Line(_) => write!(f, "StripeClient({} over a line)", self.mode),
        }
    }
}

impl StripeClient {
    /// Checks that host, key and mode fit together, and builds the client. Sends nothing.
    pub fn new(opts: StripeOptions) -> Result<Self, StripeSetupError> {
        let StripeOptions {
            base_url,
            secret_key,
            mode,
            connect_timeout: connect,
            total_timeout: total,
            return_url,
        } = opts;
        codes::check()?;
        amount::check()?;
        let origin = options::origin(&base_url, mode)?;
        let headers = options::headers(&secret_key, mode)?;
        if connect.is_zero() || total < connect {
            return Err(StripeSetupError::Timeouts);
        }
        let http = Http::build(&origin, Patience { connect, total }, &headers)?;
        Ok(Self {
            way: Way::Network { origin, http },
            mode,
            return_url,
            known: None,
        })
    }

    /// The same client over a line that somebody else brings.
    pub fn over(line: Arc<dyn Line>, mode: Mode) -> Result<Self, StripeSetupError> {
        codes::check()?;
        amount::check()?;
        Ok(Self {
            way: Way::Line(line),
            mode,
            return_url: None,
            known: None,
        })
    }

    /// The same client, to whose shop a customer comes back whom their bank has asked.
    #[must_use]
    pub fn returning_to(self, url: &str) -> Self {
        Self {
            return_url: Some(url.to_owned()),
            ..self
        }
    }

    /// Where a customer comes back to who was asked by their bank.
    pub(super) fn return_url(&self) -> Option<&str> {
        self.return_url.as_deref()
    }

    pub(super) fn money_mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    /// Sends one request once, with a key of the right account.
    pub(super) async fn send(&self, asked: Asked) -> Result<Exchange, Unsendable> {
        asked.check()?;
        match self.prove_account().await {
            Ok(()) => self.exchange(asked).await,
            Err(why) => why.into(),
        }
    }

    /// Sends one request once.
    pub(super) async fn exchange(&self, asked: Asked) -> Result<Exchange, Unsendable> {
        let (origin, http) = match &self.way {
            Way::Network { origin, http } => (origin, http),
            Way::Line(line) => return Ok(line.carry(asked).await.exchange()),
        };
        let mut segments = vec!["v1"];
        segments.extend(asked.segments.iter().map(String::as_str));
        let mut url = origin.at(&segments).ok_or(Unsendable::Reference)?;
        if !asked.query.as_str().is_empty() {
            url.set_query(Some(asked.query.as_str()));
        }
        Ok(match asked.method {
            Method::Get => http.get(url, LIST_LIMIT).await,
            Method::Delete => http.delete(url).await,
            Method::Post => {
                let mut extra = Vec::new();
                if let Some(key) = &asked.idem_key {
                    let value =
                        HeaderValue::from_str(key).map_err(|_| Unsendable::IdempotencyKey)?;
                    extra.push((IDEMPOTENCY_KEY, value));
                }
                http.post_form(url, asked.body.into_bytes(), &extra).await
            }
        })
    }

    pub(super) async fn judged(
        &self,
        asked: Result<Asked, Unsendable>,
        expected: &Expected<'_>,
    ) -> CallReport {
        let asked = match asked {
            Ok(asked) => asked,
            Err(why) => return why.report(expected.call),
        };
        match self.send(asked).await {
            Ok(exchange) => report(&exchange, map::evidence(&exchange, expected)),
            Err(why) => why.report(expected.call),
        }
    }

    /// A server error that Stripe has stored under a key is all that this key will ever say. The intent is
    /// then asked for under the next: one too many takes no money, because only the one whose name is
    /// stored is ever confirmed.
    pub(super) async fn prepare_once(&self, call: PrepareCall<'_>) -> PrepareOutcome {
        let expected = Expected::prepare(&call, self.mode);
        let mut nth = 1;
        loop {
            let asked = match request::prepare(&call, nth) {
                Ok(asked) => asked,
                Err(why) => return PrepareOutcome::Not(why.report(expected.call)),
            };
            match self.send(asked).await {
                Ok(exchange) if is_dead_key(&exchange) && nth < MAX_KEYS => nth += 1,
                Ok(exchange) => return prepared(&exchange, &expected),
                Err(why) => return PrepareOutcome::Not(why.report(expected.call)),
            }
        }
    }

    pub(super) async fn charge_once(&self, call: ChargeCall<'_>) -> CallReport {
        let expected = Expected::charge(&call, self.mode);
        match request::confirm(&call) {
            Ok(asked) => self.judged(Ok(asked), &expected).await,
            Err(why) => why.of_confirmation(call.send_no),
        }
    }

    pub(super) async fn abandon_once(&self, provider_ref: &str) -> CallReport {
        let expected = Expected::abandon(provider_ref, self.mode);
        self.judged(request::abandon(provider_ref), &expected).await
    }
}

/// Whether this is a server error that was stored under the key of the request.
pub(super) fn is_dead_key(exchange: &Exchange) -> bool {
    exchange.is_replay && exchange.status.is_some_and(|status| status >= 500)
}

/// What came of preparing, by what was heard.
pub(super) fn prepared(exchange: &Exchange, expected: &Expected<'_>) -> PrepareOutcome {
    let made = map::ok_body(exchange, expected.call)
        .and_then(|body| map::prepared(body, expected).map_err(NotOk::Unusable));
    match made {
        Ok(provider_ref) => PrepareOutcome::Prepared { provider_ref },
        Err(not_ok) => PrepareOutcome::Not(report(exchange, not_ok.into())),
    }
}

/// One exchange and what it proves.
pub(super) fn report(exchange: &Exchange, evidence: Evidence) -> CallReport {
    CallReport {
        evidence,
        http_status: exchange.status,
        trace_id: exchange.trace_id.clone(),
        body_sha256: exchange.body_sha256(),
        elapsed_ms: exchange.elapsed_ms,
        is_replay: exchange.is_replay,
    }
}
