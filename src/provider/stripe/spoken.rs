//! What the client makes of an exchange, for whoever brings a network of their own: a simulation.
//!
//! The requests and what an answer proves are the client's; only sending is not. It decides nothing that
//! [`super::StripeClient`] would decide otherwise.

use zeroize::Zeroizing;

use crate::domain::evidence::{Evidence, Unusable};
use crate::domain::mode::Mode;
use crate::engine::ports::{
    CallReport, ChargeCall, ChargeLook, ChargeRequest, PrepareCall, PrepareOutcome, RefundCall,
    RefundRequest,
};
use crate::provider::http::{Exchange, Trouble};

use super::client;
use super::codes::CallKind;
use super::map::{self, Expected, NotOk};
use super::payment::{self, Reading};
use super::request::{self, Unsendable};
use super::{body, wire};

pub use super::request::{Asked, Method};

/// What was heard after asking.
#[derive(Debug, Clone)]
pub enum Heard {
    /// No connection was made.
    NoConnection,
    /// No whole answer in time.
    Silence,
    /// The connection ended before a whole answer.
    Broken,
    /// A whole answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// `Retry-After`.
        retry_after_s: Option<u64>,
        /// Whether `Idempotent-Replayed: true` stood with it.
        replayed: Replayed,
        /// The body.
        body: Vec<u8>,
    },
}

/// Whether an answer was given before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It was made for this request.
    No,
    /// It was stored under the key.
    Yes,
}

impl Heard {
    fn exchange(self, elapsed_ms: u64) -> Exchange {
        let without = |trouble| Exchange::without_answer(trouble, elapsed_ms);
        match self {
            Self::NoConnection => without(Trouble::NotSent),
            Self::Silence => without(Trouble::TimedOut),
            Self::Broken => without(Trouble::Broken),
            Self::Answer {
                status,
                retry_after_s,
                replayed,
                body,
            } => Exchange {
                status: Some(status),
                retry_after_s,
                is_replay: replayed == Replayed::Yes,
                body: Ok(Zeroizing::new(body)),
                ..without(Trouble::Broken)
            },
        }
    }
}

/// The bytes of a charge.
pub fn charge_body(request: &ChargeRequest<'_>) -> Vec<u8> {
    body::charge(request)
}

/// The bytes of a refund.
pub fn refund_body(request: &RefundRequest<'_>) -> Vec<u8> {
    body::refund(request)
}

/// A call as far as it goes without a network: what is asked, or what is known without asking.
pub enum Ask {
    /// To be sent.
    Send(Asked),
    /// Nothing is sent.
    Known(CallReport),
}

fn ask(call: CallKind, asked: Result<Asked, Unsendable>) -> Ask {
    match asked {
        Ok(asked) => Ask::Send(asked),
        Err(why) => Ask::Known(why.report(call)),
    }
}

/// What is asked to prepare a charge, under the `nth` key for it, from 1.
pub fn ask_prepare(call: &PrepareCall<'_>, nth: u32) -> Ask {
    ask(CallKind::Prepare, request::prepare(call, nth))
}

/// Whether a server error was stored under the key: the client then asks under the next one.
pub fn is_dead_key(heard: &Heard) -> bool {
    client::is_dead_key(&heard.clone().exchange(0))
}

/// What is asked to confirm one.
pub fn ask_charge(call: &ChargeCall<'_>) -> Ask {
    match request::confirm(call) {
        Ok(asked) => Ask::Send(asked),
        Err(why) => Ask::Known(why.of_confirmation(call.send_no)),
    }
}

/// What is asked to give money back.
pub fn ask_refund(call: &RefundCall<'_>) -> Ask {
    ask(CallKind::Refund, request::refund(call))
}

/// What is asked to end what was prepared.
pub fn ask_abandon(provider_ref: &str) -> Ask {
    ask(CallKind::Abandon, request::abandon(provider_ref))
}

/// What is asked first about a charge or a payment.
pub fn ask_intent(provider_ref: Option<&str>) -> Ask {
    match provider_ref {
        Some(intent) => ask(CallKind::LookUp, request::intent(intent)),
        None => Ask::Known(CallReport::bare(Evidence::NotSeen)),
    }
}

/// What is asked next about a payment.
pub fn ask_refunds(provider_ref: &str, after: Option<&str>) -> Ask {
    ask(CallKind::LookUp, request::refunds_of(provider_ref, after))
}

/// What was heard about preparing.
pub fn prepare(
    call: &PrepareCall<'_>,
    mode: Mode,
    heard: Heard,
    elapsed_ms: u64,
) -> PrepareOutcome {
    client::prepared(&heard.exchange(elapsed_ms), &Expected::prepare(call, mode))
}

/// What was heard about a charge.
pub fn charge(call: &ChargeCall<'_>, mode: Mode, heard: Heard, elapsed_ms: u64) -> CallReport {
    judged(&heard.exchange(elapsed_ms), &Expected::charge(call, mode))
}

/// What was heard about ending what was prepared.
pub fn abandon(provider_ref: &str, mode: Mode, heard: Heard, elapsed_ms: u64) -> CallReport {
    judged(
        &heard.exchange(elapsed_ms),
        &Expected::abandon(provider_ref, mode),
    )
}

/// What was heard about a refund. Where the payment did not come with it, that is no answer yet: the
/// client would read it now, and whoever looks later does.
pub fn refund(call: &RefundCall<'_>, mode: Mode, heard: Heard, elapsed_ms: u64) -> CallReport {
    let exchange = heard.exchange(elapsed_ms);
    let evidence = payment::refunded(&exchange, &Expected::refund(call, mode))
        .unwrap_or(Evidence::Unusable(Unusable::Unreadable));
    client::report(&exchange, evidence)
}

/// What was heard about a charge that was looked up; whether its refunds are to be asked for as well
/// says [`needs_refunds`].
pub fn look(look: &ChargeLook<'_>, mode: Mode, heard: Heard, elapsed_ms: u64) -> CallReport {
    judged(&heard.exchange(elapsed_ms), &Expected::look(look, mode))
}

/// Whether money of it has gone back: then it is asked for again, with its refunds.
pub fn needs_refunds(report: &CallReport) -> bool {
    matches!(&report.evidence, Evidence::Seen(seen) if payment::has_gone_back(seen))
}

/// What was heard about a payment: the intent, then each page of its refunds.
pub fn payment(
    provider_ref: &str,
    mode: Mode,
    intent: Heard,
    pages: Vec<Heard>,
    elapsed_ms: u64,
) -> CallReport {
    let expected = Expected::payment(provider_ref, mode);
    let mut reading = Reading::default();
    let exchange = intent.exchange(elapsed_ms);
    reading.note(&exchange);
    let seen = payment::read_intent(&exchange).and_then(|intent| {
        let mut refunds: Vec<wire::Refund> = Vec::new();
        for heard in pages {
            let exchange = heard.exchange(elapsed_ms);
            reading.note(&exchange);
            refunds.extend(payment::read_refunds(&exchange, provider_ref)?.data);
        }
        map::seen(&intent, Some(&refunds), &expected).map_err(NotOk::Unusable)
    });
    reading.report(seen)
}

fn judged(exchange: &Exchange, expected: &Expected<'_>) -> CallReport {
    client::report(exchange, map::evidence(exchange, expected))
}

#[cfg(test)]
mod tests {
    use crate::domain::evidence::{Proves, SeenStatus};
    use crate::domain::money::{Currency, Money};
    use crate::secret::Secret;

    use super::*;

    const PAID: &str = include_str!("../../../assets/fixtures/stripe/intent_succeeded.json");
    const REFUND: &str = include_str!("../../../assets/fixtures/stripe/refund.json");
    const REFUNDS: &str = include_str!("../../../assets/fixtures/stripe/refunds.json");

    fn ok(body: &str, replayed: Replayed) -> Heard {
        Heard::Answer {
            status: 200,
            retry_after_s: None,
            replayed,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_charge_is_asked_and_judged_without_a_network_as_with_one() {
        let key = Secret::new("cus_1 pm_1");
        let call = |provider_ref| ChargeCall {
            billing_key: &key,
            body: b"amount=4900",
            idem_key: "k1",
            order_id: "pd7QK2-INV1-1",
            amount: Money::new(4_900, Currency::KRW),
            provider_ref,
            send_no: 3,
        };
        let Ask::Send(asked) = ask_charge(&call(Some("pi_3PdK1"))) else {
            panic!("nothing is asked");
        };
        assert_eq!(asked.method(), Method::Post);
        assert_eq!(asked.target(), "/v1/payment_intents/pi_3PdK1/confirm");
        assert_eq!(asked.idem_key(), Some("k1:confirm:3"));
        let Ask::Known(report) = ask_charge(&call(None)) else {
            panic!("it is asked");
        };
        // It was sent before, perhaps by another version of ours: it is looked up.
        assert!(matches!(report.evidence, Evidence::Refused(r) if r.proves == Proves::LookUp));
        let first = ChargeCall {
            send_no: 1,
            ..call(None)
        };
        let Ask::Known(report) = ask_charge(&first) else {
            panic!("it is asked");
        };
        assert!(matches!(report.evidence, Evidence::Refused(r) if r.proves == Proves::NotExecuted));
        let of = |heard| charge(&call(Some("pi_3PdK1")), Mode::Sim, heard, 7);
        let paid = of(ok(PAID, Replayed::Yes));
        assert!(matches!(&paid.evidence, Evidence::Seen(s) if s.status == SeenStatus::Captured));
        assert!(paid.is_replay);
        assert_eq!(paid.elapsed_ms, 7);
        assert_eq!(of(Heard::NoConnection).evidence, Evidence::NotSent);
        let silent = Evidence::Unusable(Unusable::TimedOut);
        assert_eq!(of(Heard::Silence).evidence, silent);
        assert_eq!(
            of(Heard::Broken).evidence,
            Evidence::Unusable(Unusable::Broken)
        );
        let live = charge(
            &call(Some("pi_3PdK1")),
            Mode::Live,
            ok(PAID, Replayed::No),
            1,
        );
        assert_eq!(live.evidence, Evidence::Unusable(Unusable::Mismatch));
    }

    #[test]
    fn a_refund_whose_payment_is_not_at_hand_is_no_answer_yet_and_is_found_by_reading() {
        let call = RefundCall {
            provider_ref: "pi_3PdK1",
            body: b"amount=1000",
            idem_key: "k2",
        };
        let of = |replayed| refund(&call, Mode::Sim, ok(REFUND, replayed), 1).evidence;
        assert!(matches!(of(Replayed::No), Evidence::Seen(s) if s.cancels.len() == 1));
        assert_eq!(of(Replayed::Yes), Evidence::Unusable(Unusable::Unreadable));
        let pages = vec![ok(REFUNDS, Replayed::No)];
        let read = payment("pi_3PdK1", Mode::Sim, ok(PAID, Replayed::No), pages, 1);
        assert!(matches!(read.evidence, Evidence::Seen(s) if s.cancels.len() == 2));
        let lost = payment(
            "pi_3PdK1",
            Mode::Sim,
            ok(PAID, Replayed::No),
            vec![Heard::Broken],
            1,
        );
        assert_eq!(lost.evidence, Evidence::Unusable(Unusable::Broken));
    }
}
