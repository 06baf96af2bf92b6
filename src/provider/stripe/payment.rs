//! Payments: looked up, read with all of their refunds, and given back.
//!
//! Several exchanges may make one look-up. Whatever is missing of one is no answer; nothing is concluded
//! from a part of the refunds.

use sha2::{Digest, Sha256};

use crate::domain::evidence::{Evidence, PaymentSeen, Proves, Refusal, SeenStatus, Unusable};
use crate::engine::ports::{CallReport, ChargeLook, RefundCall};
use crate::provider::http::{Exchange, hex};

use super::client::{StripeClient, report};
use super::codes::CallKind;
use super::map::{self, Expected, Given, NotOk};
use super::request::{self, Unsendable};
use super::wire;

/// Most pages of refunds of one payment that are read: two thousand refunds.
const MAX_PAGES: u32 = 20;

impl StripeClient {
    /// A charge that was never prepared was never confirmed: there is nothing to ask about. One that was
    /// paid and has gone back in part is read with its refunds.
    pub(super) async fn find_charge(&self, look: ChargeLook<'_>) -> CallReport {
        let Some(intent) = look.provider_ref else {
            return CallReport::bare(Evidence::NotSeen);
        };
        let expected = Expected::look(&look, self.money_mode());
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
        let expected = Expected::payment(provider_ref, self.money_mode());
        self.judged(request::intent(provider_ref), &expected)
            .await
            .evidence
    }

    pub(super) async fn find_payment(&self, provider_ref: &str) -> CallReport {
        let expected = Expected::payment(provider_ref, self.money_mode());
        self.read_payment(provider_ref, &expected).await
    }

    /// The intent, then all of its refunds.
    async fn read_payment(&self, provider_ref: &str, expected: &Expected<'_>) -> CallReport {
        let mut reading = Reading::default();
        let outcome = self.read_parts(provider_ref, expected, &mut reading).await;
        reading.report(outcome)
    }

    async fn read_parts(
        &self,
        provider_ref: &str,
        expected: &Expected<'_>,
        reading: &mut Reading,
    ) -> Result<PaymentSeen, NotOk> {
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
                return map::seen(&intent, Some(&refunds), expected).map_err(NotOk::Unusable);
            }
        }
        Err(NotOk::Unusable(Unusable::Unreadable))
    }

    pub(super) async fn refund_once(&self, call: RefundCall<'_>) -> CallReport {
        let expected = Expected::refund(&call, self.money_mode());
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
}

/// A question that cannot be asked proves nothing about what it asks for.
fn unasked(why: Unsendable) -> NotOk {
    NotOk::Refused(Refusal {
        proves: Proves::Unlisted,
        ..why.refusal()
    })
}

/// What came of a refund; none where the payment has to be read: an answer that was stored under the key
/// tells how it stood then.
pub(super) fn refunded(exchange: &Exchange, expected: &Expected<'_>) -> Option<Evidence> {
    let given = map::ok_body(exchange, expected.call)
        .and_then(|body| map::given(body, expected).map_err(NotOk::Unusable));
    match given {
        Ok(Given::Seen(seen)) if !exchange.is_replay => Some(Evidence::Seen(*seen)),
        Ok(Given::Seen(_) | Given::ReadBack) => None,
        Err(not_ok) => Some(not_ok.into()),
    }
}

/// The intent of a look-up's first answer.
pub(super) fn read_intent(exchange: &Exchange) -> Result<wire::Intent, NotOk> {
    let body = map::ok_body(exchange, CallKind::LookUp)?;
    map::intent(body).map_err(NotOk::Unusable)
}

/// A page of refunds. An account that knows the payment and not its refunds is none that we understand.
pub(super) fn read_refunds(
    exchange: &Exchange,
    provider_ref: &str,
) -> Result<wire::List<wire::Refund>, NotOk> {
    let body = map::ok_body(exchange, CallKind::LookUp).map_err(|not_ok| match not_ok {
        NotOk::NotFound => NotOk::Unusable(Unusable::Unreadable),
        not_ok => not_ok,
    })?;
    map::refunds(body, provider_ref).map_err(NotOk::Unusable)
}

/// Whether money of it has gone back that is not listed yet.
pub(super) fn has_gone_back(seen: &PaymentSeen) -> bool {
    seen.status == SeenStatus::Captured && seen.balance_minor != seen.total.minor()
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

    pub fn report(self, outcome: Result<PaymentSeen, NotOk>) -> CallReport {
        CallReport {
            evidence: outcome.map_or_else(Evidence::from, Evidence::Seen),
            http_status: self.status,
            trace_id: self.trace_id,
            body_sha256: self.bodies.map(|hash| hex(&hash.finalize())),
            elapsed_ms: self.elapsed_ms,
            is_replay: false,
        }
    }
}
