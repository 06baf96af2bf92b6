//! The Stripe client: what is asked is sent once, and what was heard is judged by `map`.
//!
//! It decides nothing about money and retries nothing. One call sends one request, with these exceptions, of
//! which none can move money twice: a payment is read with its refunds, page by page; registering a card may
//! make the customer first; a card that cannot be detached is asked about; an intent that Stripe answers
//! with a stored server error is asked for under the next key.

use reqwest::header::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::domain::evidence::{Evidence, PaymentSeen, Unusable};
use crate::domain::mode::Mode;
use crate::engine::ports::{
    CallReport, ChargeCall, ChargeLook, PrepareCall, PrepareOutcome, RefundCall,
};
use crate::provider::http::{Exchange, Http, LIST_LIMIT, Origin, Patience, hex};

use super::amount;
use super::codes::{self, CallKind};
use super::map::{self, Expected, Given, NotOk};
use super::options::{self, StripeOptions, StripeSetupError};
use super::request::{self, Asked, Method, Unsendable};
use super::wire;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Most pages of refunds of one payment that are read: two thousand refunds.
const MAX_PAGES: u32 = 20;
/// Most keys under which one call asks for an intent.
const MAX_KEYS: u32 = 5;

/// A client for one secret key. Cloning shares its connections.
#[derive(Clone)]
pub struct StripeClient {
    origin: Origin,
    http: Http,
    mode: Mode,
}

impl std::fmt::Debug for StripeClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StripeClient({} at {})", self.mode, self.origin)
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
        } = opts;
        codes::check()?;
        amount::check()?;
        let origin = options::origin(&base_url, mode)?;
        let headers = options::headers(&secret_key, mode)?;
        if connect.is_zero() || total < connect {
            return Err(StripeSetupError::Timeouts);
        }
        let http = Http::build(&origin, Patience { connect, total }, &headers)?;
        Ok(Self { origin, http, mode })
    }

    pub(super) fn money_mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    /// Sends one request once.
    pub(super) async fn send(&self, asked: Asked) -> Result<Exchange, Unsendable> {
        asked.check()?;
        let mut segments = vec!["v1"];
        segments.extend(asked.segments.iter().map(String::as_str));
        let mut url = self.origin.at(&segments).ok_or(Unsendable::Reference)?;
        if !asked.query.as_str().is_empty() {
            url.set_query(Some(asked.query.as_str()));
        }
        Ok(match asked.method {
            Method::Get => self.http.get(url, LIST_LIMIT).await,
            Method::Delete => self.http.delete(url).await,
            Method::Post => {
                let mut extra = Vec::new();
                if let Some(key) = &asked.idem_key {
                    let value =
                        HeaderValue::from_str(key).map_err(|_| Unsendable::IdempotencyKey)?;
                    extra.push((IDEMPOTENCY_KEY, value));
                }
                self.http
                    .post_form(url, asked.body.into_bytes(), &extra)
                    .await
            }
        })
    }

    async fn judged(
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
        self.judged(request::confirm(&call), &expected).await
    }

    /// A charge that was never prepared was never confirmed: there is nothing to ask about. One that was
    /// paid and has gone back in part is read with its refunds.
    pub(super) async fn find_charge(&self, look: ChargeLook<'_>) -> CallReport {
        let Some(intent) = look.provider_ref else {
            return CallReport::bare(Evidence::NotSeen);
        };
        let expected = Expected::look(&look, self.mode);
        let found = self.judged(request::intent(intent), &expected).await;
        match &found.evidence {
            Evidence::Seen(seen) if has_gone_back(seen) => {
                self.read_payment(intent, &expected).await
            }
            _ => found,
        }
    }

    /// What is known of an intent by its name alone.
    pub(super) async fn find_intent(&self, provider_ref: &str) -> Evidence {
        let expected = Expected::payment(provider_ref, self.mode);
        self.judged(request::intent(provider_ref), &expected)
            .await
            .evidence
    }

    pub(super) async fn find_payment(&self, provider_ref: &str) -> CallReport {
        let expected = Expected::payment(provider_ref, self.mode);
        self.read_payment(provider_ref, &expected).await
    }

    /// The intent, then all of its refunds.
    async fn read_payment(&self, provider_ref: &str, expected: &Expected<'_>) -> CallReport {
        let mut reading = Reading::default();
        let outcome = self.read_parts(provider_ref, expected, &mut reading).await;
        reading.report(match outcome {
            Ok(seen) => Evidence::Seen(seen),
            Err(evidence) => evidence,
        })
    }

    async fn read_parts(
        &self,
        provider_ref: &str,
        expected: &Expected<'_>,
        reading: &mut Reading,
    ) -> Result<PaymentSeen, Evidence> {
        let unasked = |why: Unsendable| why.report(CallKind::LookUp).evidence;
        let asked = request::intent(provider_ref).map_err(unasked)?;
        let exchange = self.send(asked).await.map_err(unasked)?;
        reading.note(&exchange);
        let intent = read_intent(&exchange)?;
        let mut refunds: Vec<wire::Refund> = Vec::new();
        for _ in 0..MAX_PAGES {
            let after = refunds.last().map(|refund| refund.id.clone());
            let asked = request::refunds_of(provider_ref, after.as_deref()).map_err(unasked)?;
            let exchange = self.send(asked).await.map_err(unasked)?;
            reading.note(&exchange);
            let page = read_refunds(&exchange, provider_ref)?;
            let is_last = !page.has_more || page.data.is_empty();
            refunds.extend(page.data);
            if is_last {
                return map::seen(&intent, Some(&refunds), expected).map_err(Evidence::Unusable);
            }
        }
        Err(Evidence::Unusable(Unusable::Unreadable))
    }

    pub(super) async fn refund_once(&self, call: RefundCall<'_>) -> CallReport {
        let expected = Expected::refund(&call, self.mode);
        let asked = match request::refund(&call) {
            Ok(asked) => asked,
            Err(why) => return why.report(expected.call),
        };
        let exchange = match self.send(asked).await {
            Ok(exchange) => exchange,
            Err(why) => return why.report(expected.call),
        };
        match refunded(&exchange, &expected) {
            Some(evidence) => report(&exchange, evidence),
            None => self.read_back(call.provider_ref, &exchange).await,
        }
    }

    /// The refund was taken in. Whatever goes wrong while reading the payment back, the request has left.
    async fn read_back(&self, provider_ref: &str, answer: &Exchange) -> CallReport {
        let found = self.find_payment(provider_ref).await;
        let evidence = match found.evidence {
            Evidence::Seen(seen) => Evidence::Seen(seen),
            Evidence::Unusable(Unusable::Mismatch) => Evidence::Unusable(Unusable::Mismatch),
            _ => Evidence::Unusable(Unusable::Unreadable),
        };
        CallReport {
            elapsed_ms: answer.elapsed_ms.saturating_add(found.elapsed_ms),
            ..report(answer, evidence)
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

/// What came of a refund; none where the payment has to be read.
pub(super) fn refunded(exchange: &Exchange, expected: &Expected<'_>) -> Option<Evidence> {
    let given = map::ok_body(exchange, expected.call)
        .and_then(|body| map::given(body, expected).map_err(NotOk::Unusable));
    match given {
        Ok(Given::Seen(seen)) => Some(Evidence::Seen(seen)),
        Ok(Given::ReadBack) => None,
        Err(not_ok) => Some(not_ok.into()),
    }
}

/// The intent of a look-up's first answer.
pub(super) fn read_intent(exchange: &Exchange) -> Result<wire::Intent, Evidence> {
    let body = map::ok_body(exchange, CallKind::LookUp)?;
    map::intent(body).map_err(Evidence::Unusable)
}

/// A page of refunds. An account that knows the payment and not its refunds is none that we understand.
pub(super) fn read_refunds(
    exchange: &Exchange,
    provider_ref: &str,
) -> Result<wire::List<wire::Refund>, Evidence> {
    let body = map::ok_body(exchange, CallKind::LookUp).map_err(|not_ok| match not_ok {
        NotOk::NotFound => Evidence::Unusable(Unusable::Unreadable),
        not_ok => not_ok.into(),
    })?;
    map::refunds(body, provider_ref).map_err(Evidence::Unusable)
}

/// Whether money of it has gone back that is not listed yet.
pub(super) fn has_gone_back(seen: &PaymentSeen) -> bool {
    seen.status == crate::domain::evidence::SeenStatus::Captured
        && seen.balance_minor != seen.total.minor()
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

/// Several exchanges that make one look-up: the trace of the first, the status of the last, and one hash
/// over all bodies.
#[derive(Default)]
pub(super) struct Reading {
    status: Option<u16>,
    trace_id: Option<String>,
    bodies: Option<Sha256>,
    elapsed_ms: u64,
}

impl Reading {
    pub fn note(&mut self, exchange: &Exchange) {
        self.status = exchange.status;
        if self.trace_id.is_none() {
            self.trace_id.clone_from(&exchange.trace_id);
        }
        if let Ok(body) = &exchange.body {
            let hash = self.bodies.take().unwrap_or_default();
            self.bodies = Some(hash.chain_update(body.as_slice()));
        }
        self.elapsed_ms = self.elapsed_ms.saturating_add(exchange.elapsed_ms);
    }

    pub fn report(self, evidence: Evidence) -> CallReport {
        CallReport {
            evidence,
            http_status: self.status,
            trace_id: self.trace_id,
            body_sha256: self.bodies.map(|hash| hex(&hash.finalize())),
            elapsed_ms: self.elapsed_ms,
            is_replay: false,
        }
    }
}
