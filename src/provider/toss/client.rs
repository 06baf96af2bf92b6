//! The Toss Payments client: each method is one request, sent once.
//!
//! It decides nothing about money; `map` says what an answer proves. The billing key stands in the
//! URL, where the provider wants it, and nowhere else; URLs never leave `http`.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use crate::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::engine::ports::{
    CallReport, ChargeCall, ConfirmCall, DeleteOutcome, IssueOutcome, ProviderError, RefundCall,
    TransactionSeen,
};
use crate::provider::http::{ANSWER_LIMIT, Exchange, Http, LIST_LIMIT, Origin, Patience};
use crate::secret::Secret;

use super::codes::{self, CallKind};
use super::map::{self, Expected, NotOk};
use super::options::{self, TossOptions, TossSetupError};
use super::report::{Unsendable, issue_key, issued, list_error, report, unsendable};
use super::{body, wire};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TEST_CODE: HeaderName = HeaderName::from_static("tosspayments-test-code");
/// Longest idempotency key the provider takes.
const IDEM_KEY_LEN: usize = 300;
/// An order id that cannot exist: ours begin with `pd`, and nobody else orders under our keys.
const NO_SUCH_ORDER: &str = "no-such-order-paydeck-self-test";
/// Most pages one call for transactions asks for.
const MAX_PAGES: u32 = 8;

/// A client for one secret key. Cloning shares its connections.
#[derive(Clone)]
pub struct TossClient {
    origin: Origin,
    http: Http,
    mode: Mode,
    test_code: Option<HeaderValue>,
    /// Whose books these are: what is known beforehand, or what the first answer about an order of ours says.
    merchant_id: Arc<OnceLock<String>>,
}

impl std::fmt::Debug for TossClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TossClient({} at {})", self.mode, self.origin)
    }
}

impl TossClient {
    /// Checks that host, key and mode fit together, and builds the client. Sends nothing.
    pub fn new(opts: TossOptions) -> Result<Self, TossSetupError> {
        let TossOptions {
            base_url,
            secret_key,
            mode,
            connect_timeout: connect,
            total_timeout: total,
        } = opts;
        codes::check()?;
        let origin = options::origin(&base_url, mode)?;
        let headers = options::headers(&secret_key, mode)?;
        if connect.is_zero() || total < connect {
            return Err(TossSetupError::Timeouts);
        }
        let http = Http::build(&origin, Patience { connect, total }, &headers)?;
        Ok(Self {
            origin,
            http,
            mode,
            test_code: None,
            merchant_id: Arc::default(),
        })
    }

    /// The same client, for which the provider's test environment answers every POST with `code`.
    /// Refused in live mode.
    pub fn with_test_code(self, code: &str) -> Result<Self, TossSetupError> {
        let value = options::test_code(code, self.mode)?;
        Ok(Self {
            test_code: Some(value),
            ..self
        })
    }

    /// The same client, for which an answer about another merchant id is a mismatch.
    #[must_use]
    pub fn with_merchant_id(self, merchant_id: impl Into<String>) -> Self {
        Self {
            merchant_id: Arc::new(OnceLock::from(merchant_id.into())),
            ..self
        }
    }

    /// Whose books these are, where it is known.
    pub(super) fn merchant(&self) -> Option<&str> {
        self.merchant_id.get().map(String::as_str)
    }

    /// What an exchange about one of our payments proves. The first one that shows it says whose books these are.
    fn report(&self, sent: Result<Exchange, Unsendable>, expected: &Expected<'_>) -> CallReport {
        let seen_of = sent.as_ref().ok().and_then(map::merchant_of);
        let report = report(sent, expected);
        if let (Evidence::Seen(seen), Some(merchant)) = (&report.evidence, seen_of)
            && seen.status == SeenStatus::Captured
        {
            let _first_stays = self.merchant_id.set(merchant);
        }
        report
    }

    pub(super) fn money_mode(&self) -> Mode {
        self.mode
    }

    /// The same expectation, of our own merchant id.
    fn ours<'a>(&'a self, expected: Expected<'a>) -> Expected<'a> {
        Expected {
            merchant_id: self.merchant(),
            ..expected
        }
    }

    async fn post(
        &self,
        segments: &[&str],
        idem_key: &str,
        body: Vec<u8>,
    ) -> Result<Exchange, Unsendable> {
        let url = self.origin.at(segments).ok_or(Unsendable::Path)?;
        if idem_key.is_empty() || idem_key.len() > IDEM_KEY_LEN {
            return Err(Unsendable::IdempotencyKey);
        }
        let value = HeaderValue::from_str(idem_key).map_err(|_| Unsendable::IdempotencyKey)?;
        let mut extra = vec![(IDEMPOTENCY_KEY, value)];
        extra.extend(self.test_code.clone().map(|code| (TEST_CODE, code)));
        Ok(self.http.post(url, body, &extra).await)
    }

    async fn get(&self, segments: &[&str]) -> Result<Exchange, Unsendable> {
        let url = self.origin.at(segments).ok_or(Unsendable::Path)?;
        Ok(self.http.get(url, ANSWER_LIMIT).await)
    }

    pub(super) async fn charge_once(&self, call: ChargeCall<'_>) -> CallReport {
        if call.amount.currency() != Currency::KRW {
            return unsendable(CallKind::Charge, Unsendable::Currency);
        }
        let path = ["v1", "billing", call.billing_key.expose()];
        let expected = self.ours(Expected::charge(&call));
        let sent = self.post(&path, call.idem_key, call.body.to_vec()).await;
        self.report(sent, &expected)
    }

    pub(super) async fn confirm_once(&self, call: ConfirmCall<'_>) -> CallReport {
        if call.amount.currency() != Currency::KRW {
            return unsendable(CallKind::Confirm, Unsendable::Currency);
        }
        let expected = self.ours(Expected::confirm(&call));
        let path = ["v1", "payments", "confirm"];
        let sent = self.post(&path, call.idem_key, body::confirm(&call)).await;
        self.report(sent, &expected)
    }

    pub(super) async fn issue_once(&self, auth_key: &Secret, customer_key: &str) -> IssueOutcome {
        let body = body::issue(auth_key, customer_key);
        let path = ["v1", "billing", "authorizations", "issue"];
        let sent = self.post(&path, &issue_key(auth_key), body).await;
        issued(sent, customer_key, self.merchant())
    }

    pub(super) async fn delete_once(&self, billing_key: &Secret) -> DeleteOutcome {
        let Some(url) = self.origin.at(&["v1", "billing", billing_key.expose()]) else {
            return DeleteOutcome::Refused(Unsendable::Path.refusal());
        };
        let exchange = self.http.delete(url).await;
        match map::ok_body(&exchange, CallKind::Delete) {
            Ok(_) => DeleteOutcome::Deleted,
            Err(NotOk::Refused(refusal)) if refusal.code == "ALREADY_REMOVED_BILLING_KEY" => {
                DeleteOutcome::Deleted
            }
            Err(NotOk::Refused(refusal)) if refusal.proves != Proves::Nothing => {
                DeleteOutcome::Refused(refusal)
            }
            Err(_) => DeleteOutcome::Unanswered,
        }
    }

    /// A page counts as the last when it is shorter than asked for, so rows at or after `to`, which
    /// the provider may or may not include, are dropped here and the page is filled up again.
    pub(super) async fn page(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<TransactionSeen>, ProviderError> {
        const OPERATION: &str = "list transactions";
        let limit = limit.max(1);
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let unusable = || ProviderError::Unusable {
            operation: OPERATION,
        };
        let mut after = after.map(ToOwned::to_owned);
        let mut page = Vec::new();
        for _ in 0..MAX_PAGES {
            let url = self
                .transactions_url(from, to, after.as_deref(), limit)
                .ok_or_else(unusable)?;
            let exchange = self.http.get(url, LIST_LIMIT).await;
            let body = map::ok_body(&exchange, CallKind::LookUp)
                .map_err(|not_ok| list_error(OPERATION, not_ok))?;
            let rows = map::transactions(body, self.merchant()).map_err(|why| match why {
                Unusable::Mismatch => ProviderError::OtherAccount {
                    operation: OPERATION,
                },
                _ => unusable(),
            })?;
            let is_last = rows.len() < wanted;
            let next = rows.last().map(|row| row.transaction_key.clone());
            page.extend(rows.into_iter().filter(|row| row.at < to));
            if is_last || page.len() >= wanted || next == after {
                break;
            }
            after = next;
        }
        page.truncate(wanted);
        Ok(page)
    }

    fn transactions_url(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
        limit: u32,
    ) -> Option<Url> {
        let mut url = self.origin.at(&["v1", "transactions"])?;
        let korea = wire::korea()?;
        let local = |at: DateTime<Utc>| {
            let local = at.with_timezone(&korea);
            local.format("%Y-%m-%dT%H:%M:%S").to_string()
        };
        let mut query = url.query_pairs_mut();
        query
            .append_pair("startDate", &local(from))
            .append_pair("endDate", &local(to))
            .append_pair("limit", &limit.to_string());
        if let Some(after) = after {
            query.append_pair("startingAfter", after);
        }
        drop(query);
        Some(url)
    }

    pub(super) async fn prove_look_up(&self) -> Result<(), ProviderError> {
        const OPERATION: &str = "look-up self-test";
        let report = self.find_order(NO_SUCH_ORDER).await;
        match report.evidence {
            Evidence::NotSeen => Ok(()),
            Evidence::Refused(refusal) => Err(list_error(OPERATION, NotOk::Refused(refusal))),
            Evidence::NotSent => Err(list_error(OPERATION, NotOk::NotSent)),
            Evidence::Throttled { retry_after_s } => {
                Err(list_error(OPERATION, NotOk::Throttled { retry_after_s }))
            }
            Evidence::Seen(_)
            | Evidence::Unconfirmed
            | Evidence::Withdrawn
            | Evidence::Withheld(_)
            | Evidence::Elsewhere(_)
            | Evidence::Busy
            | Evidence::Unusable(_) => Err(ProviderError::Unusable {
                operation: OPERATION,
            }),
        }
    }

    pub(super) async fn find_order(&self, order_id: &str) -> CallReport {
        let expected = self.ours(Expected::order(order_id));
        let sent = self.get(&["v1", "payments", "orders", order_id]).await;
        self.report(sent, &expected)
    }

    pub(super) async fn find_payment(&self, provider_ref: &str) -> CallReport {
        let expected = self.ours(Expected::payment(provider_ref));
        let sent = self.get(&["v1", "payments", provider_ref]).await;
        self.report(sent, &expected)
    }

    pub(super) async fn refund_once(&self, call: RefundCall<'_>) -> CallReport {
        let expected = self.ours(Expected::refund(&call));
        let path = ["v1", "payments", call.provider_ref, "cancel"];
        let sent = self.post(&path, call.idem_key, call.body.to_vec()).await;
        self.report(sent, &expected)
    }
}
