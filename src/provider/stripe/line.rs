//! A line that somebody else brings: a simulation carries the client's requests over a network of its own.
//!
//! Only the carrying is theirs. What is asked, in which order and under which keys, and what an answer proves, is the
//! client's, as over the network.

use zeroize::Zeroizing;

use crate::engine::ports::BoxFuture;
use crate::provider::http::{Exchange, Trouble};

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

/// Carries requests, one at a time, and never one twice.
pub trait Line: Send + Sync {
    /// Sends it once and waits for what is heard.
    fn carry(&self, asked: Asked) -> BoxFuture<'_, Heard>;
}

impl Heard {
    pub(super) fn exchange(self) -> Exchange {
        let without = |trouble| Exchange::without_answer(trouble, 1);
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use crate::domain::evidence::{Evidence, SeenStatus, Unusable};
    use crate::domain::mode::Mode;
    use crate::domain::money::{Currency, Money};
    use crate::engine::ports::{CallReport, ChargeCall, Desk, Provider, RefundCall};
    use crate::provider::stripe::StripeClient;
    use crate::secret::Secret;

    use super::*;

    const PAID: &str = include_str!("../../../assets/fixtures/stripe/intent_succeeded.json");
    const REFUND: &str = include_str!("../../../assets/fixtures/stripe/refund.json");
    const REFUNDS: &str = include_str!("../../../assets/fixtures/stripe/refunds.json");

    /// Says what it was told to say, and keeps what it was asked.
    #[derive(Default)]
    struct Told {
        says: Mutex<Vec<Heard>>,
        asked: Mutex<Vec<(Method, String, Option<String>)>>,
    }

    impl Line for Told {
        fn carry(&self, asked: Asked) -> BoxFuture<'_, Heard> {
            let what = (
                asked.method(),
                asked.target(),
                asked.idem_key().map(str::to_owned),
            );
            let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(what);
            let mut says = self.says.lock().unwrap_or_else(PoisonError::into_inner);
            Box::pin(std::future::ready(says.remove(0)))
        }
    }

    fn ok(body: &str, replayed: Replayed) -> Heard {
        Heard::Answer {
            status: 200,
            retry_after_s: None,
            replayed,
            body: body.as_bytes().to_vec(),
        }
    }

    fn client(mode: Mode, says: Vec<Heard>) -> (StripeClient, Arc<Told>) {
        let line = Arc::new(Told {
            says: Mutex::new(says),
            ..Told::default()
        });
        let client = StripeClient::over(line.clone(), mode).expect("a client");
        (client, line)
    }

    fn at_once<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(done) => done,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }

    fn charge(mode: Mode, provider_ref: Option<&str>, says: Heard) -> (CallReport, Arc<Told>) {
        let (client, line) = client(mode, vec![says]);
        let key = Secret::new("cus_1 pm_1");
        let call = ChargeCall {
            billing_key: &key,
            body: b"amount=4900",
            idem_key: "k1",
            order_id: "pd7QK2-INV1-1",
            amount: Money::new(4_900, Currency::KRW),
            provider_ref,
            send_no: 3,
        };
        let report = at_once(client.charge(&mut Desk::new(), call));
        (report, line)
    }

    #[test]
    fn what_is_asked_over_a_line_is_asked_and_judged_as_over_the_network() {
        let (report, line) = charge(Mode::Sim, Some("pi_3PdK1"), ok(PAID, Replayed::Yes));
        assert!(matches!(&report.evidence, Evidence::Seen(s) if s.status == SeenStatus::Captured));
        assert!(report.is_replay);
        let asked = line.asked.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(
            *asked,
            [(
                Method::Post,
                "/v1/payment_intents/pi_3PdK1/confirm".to_owned(),
                Some("k1:confirm:3".to_owned())
            )]
        );
    }

    #[test]
    fn what_is_not_heard_proves_what_it_proves_over_the_network() {
        let of = |heard| charge(Mode::Sim, Some("pi_3PdK1"), heard).0.evidence;
        assert_eq!(of(Heard::NoConnection), Evidence::NotSent);
        assert_eq!(of(Heard::Silence), Evidence::Unusable(Unusable::TimedOut));
        assert_eq!(of(Heard::Broken), Evidence::Unusable(Unusable::Broken));
        let (live, _) = charge(Mode::Live, Some("pi_3PdK1"), ok(PAID, Replayed::No));
        assert_eq!(live.evidence, Evidence::Unusable(Unusable::Mismatch));
        let (unnamed, line) = charge(Mode::Sim, None, Heard::Silence);
        assert!(matches!(unnamed.evidence, Evidence::Refused(_)));
        let asked = line.asked.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(asked.is_empty(), "nothing is asked");
    }

    #[test]
    fn a_refund_that_is_replayed_is_read_back_over_the_line() {
        let call = RefundCall {
            provider_ref: "pi_3PdK1",
            body: b"amount=1000",
            idem_key: "k2",
        };
        let says = vec![
            ok(REFUND, Replayed::Yes),
            ok(PAID, Replayed::No),
            ok(REFUNDS, Replayed::No),
        ];
        let (client, line) = client(Mode::Sim, says);
        let report = at_once(client.refund(&mut Desk::new(), call));
        assert!(matches!(report.evidence, Evidence::Seen(s) if s.cancels.len() == 2));
        let asked = line.asked.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(asked.len(), 3);
    }
}
