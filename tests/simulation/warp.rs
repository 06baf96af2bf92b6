//! A client that gets one thing wrong. The simulation has to notice each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::DateTime;

use paydeck::domain::attempt::{CardOf, Standing};
use paydeck::domain::evidence::{
    CancelSeen, Evidence, PaymentSeen, Proves, Refusal, SeenStatus, Unusable,
};
use paydeck::domain::failure::FailureClass;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::CardUse;
use paydeck::engine::ports::{CallReport, ChargeCall, ChargeLook};
use paydeck::sandbox::Asked;

use crate::scheduled::Believed;

/// What the client gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrong {
    #[default]
    Nothing,
    /// No answer is taken for "failed".
    SilenceIsFailure,
    /// A server error is taken for "failed".
    ServerErrorIsFailure,
    /// "Being processed" is taken for "failed".
    BusyIsFailure,
    /// "No such payment" is taken for "failed".
    NotFoundIsFailure,
    /// A broken line is taken for "never sent".
    BrokenIsNotSent,
    /// Whatever comes with status 200 is success.
    AnyOkIsSuccess,
    /// "Something like it exists already" is success.
    AlreadyIsSuccess,
    /// A refused look-up is taken for "failed".
    RefusedLookUpIsFailure,
    /// A new key for each send.
    NewKeyPerSend,
    /// A new order id and key for each send.
    NewOrderPerSend,
    /// The client tries again by itself, under a new key and order.
    TriesAgainByItself,
    /// A refund says no amount, which means all of it.
    RefundsWithoutAmount,
    /// A refund goes out under a new key each time, and says nothing of the balance it expects.
    RefundsUnderNewKeys,
    /// "Already refunded" is success.
    AlreadyRefundedIsSuccess,
    /// A charge is made and confirmed in one request.
    OneShot,
    /// A payment whose refund is not there yet is taken for "refund failed".
    AbsentRefundIsFailure,
    /// Whatever is sent again is made anew, and that is confirmed.
    NewIntentPerSend,
    /// What was prepared and not confirmed is taken for ended.
    NotStartedIsEnded,
    /// What has lost its card is taken for paid.
    NoCardIsSuccess,
    /// What is being decided is taken for "failed".
    PendingIsFailure,
    /// What is to be ended is called ended, and nobody is asked.
    EndsWithoutAsking,
    /// What cannot be ended any more is called ended.
    RefusedEndIsEnd,
    /// "It has succeeded before" is taken for "failed".
    AlreadyIsFailure,
    /// The first charge that is found is taken for ours, whatever it is of.
    AdoptsAnything,
    /// A charge that waits for its customer is taken for "failed".
    AskedIsFailure,
    /// What an event says is believed, and nobody is asked.
    EventsAreBelieved,
    /// A wish goes out under a new key each time.
    WishUnderNewKeys,
    /// A wish that nobody answers is taken for "never sent".
    WishSilenceIsNotSent,
    /// A customer who was asked is taken to have agreed.
    AskedIsSuccess,
}

/// A client with a mistake in it.
#[derive(Debug, Clone, Default)]
pub struct Warp {
    pub wrong: Wrong,
    pub sent: Arc<AtomicU64>,
    believed: Arc<Mutex<Believed>>,
    /// Whose order what was prepared is of.
    orders: Arc<Mutex<HashMap<String, String>>>,
}

fn failure() -> Refusal {
    Refusal {
        code: "REJECT_CARD_PAYMENT".to_owned(),
        class: FailureClass::Soft,
        proves: Proves::NotExecuted,
        http_status: 403,
    }
}

fn seen(order_id: &str, status: SeenStatus, total: Money) -> PaymentSeen {
    PaymentSeen {
        order_id: order_id.to_owned(),
        provider_ref: format!("believed-{order_id}"),
        status,
        total,
        balance_minor: total.minor(),
        approved_at: None,
        cancels: Vec::new(),
        undone: Vec::new(),
        failure: (status == SeenStatus::Failed).then(failure),
        method: String::new(),
        card_use: CardUse::default(),
    }
}

/// The same under the name that our books have for it.
fn named(mut shown: PaymentSeen, name: Option<&str>) -> PaymentSeen {
    if let Some(name) = name {
        name.clone_into(&mut shown.provider_ref);
    }
    shown
}

/// A form that says no amount.
fn without_amount(form: &[u8]) -> Vec<u8> {
    let form = String::from_utf8_lossy(form);
    let rest = form.split('&').filter(|pair| !pair.starts_with("amount="));
    rest.collect::<Vec<_>>().join("&").into_bytes()
}

fn text(body: &[u8], field: &str) -> Option<serde_json::Value> {
    let fields: serde_json::Value = serde_json::from_slice(body).ok()?;
    fields.get(field).cloned()
}

impl Warp {
    pub fn new(wrong: Wrong) -> Self {
        Self {
            wrong,
            sent: Arc::default(),
            orders: Arc::default(),
            believed: Arc::default(),
        }
    }

    pub fn books(&self) -> MutexGuard<'_, Believed> {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request of the second provider as it goes out.
    pub fn posted(&self, mut asked: Asked) -> (Asked, Option<Asked>) {
        if asked.path == "/v1/payment_intents" {
            if self.wrong == Wrong::OneShot {
                asked.body.extend(b"&confirm=true&off_session=true");
            }
            return (asked, None);
        }
        match asked.path.ends_with("/confirm") || asked.path == "/v1/refunds" {
            true => self.asked(asked),
            false => (asked, None),
        }
    }

    /// The key under which a charge that is sent again is made anew.
    pub fn key_of_new_intent(&self, call: &ChargeCall<'_>) -> Option<String> {
        if let Some(name) = call.provider_ref {
            let order = call.order_id.to_owned();
            self.orders().insert(name.to_owned(), order);
        }
        let is_again = self.wrong == Wrong::NewIntentPerSend && call.send_no > 1;
        is_again.then(|| format!("{}:again:{}", call.idem_key, call.send_no))
    }

    /// What is found instead of what stands there.
    pub fn standing(&self, order_id: &str, first: Option<String>) -> Option<Vec<Standing>> {
        let charge = |provider_ref| Standing {
            provider_ref,
            order_id: order_id.to_owned(),
            status: SeenStatus::Captured,
            card: CardOf::Ours,
            is_given_back: false,
        };
        match self.wrong {
            // Everybody's are read as they stand.
            Wrong::AdoptsAnything if !order_id.is_empty() => {
                Some(first.map(charge).into_iter().collect())
            }
            _ => None,
        }
    }

    fn as_ended(&self, name: &str) -> Evidence {
        let order = self.orders().get(name).cloned().unwrap_or_default();
        let mut payment = seen(&order, SeenStatus::Canceled, Money::new(0, Currency::KRW));
        name.clone_into(&mut payment.provider_ref);
        Evidence::Seen(payment)
    }

    pub fn ends_without_asking(&self, name: &str) -> Option<CallReport> {
        let wrong = self.wrong == Wrong::EndsWithoutAsking;
        wrong.then(|| CallReport::bare(self.as_ended(name)))
    }

    pub fn ended(&self, mut report: CallReport, name: &str) -> CallReport {
        let is_refused = matches!(
            report.evidence,
            Evidence::Refused(_) | Evidence::Unusable(_)
        );
        if self.wrong == Wrong::RefusedEndIsEnd && is_refused {
            report.evidence = self.as_ended(name);
        }
        report
    }

    /// The request as it goes out, and a second one for when the first is not answered.
    pub fn asked(&self, asked: Asked) -> (Asked, Option<Asked>) {
        let is_cancel = asked.path.ends_with("/cancel") || asked.path.ends_with("/refunds");
        match self.wrong {
            Wrong::NewKeyPerSend => (self.renamed(asked, false), None),
            Wrong::NewOrderPerSend if !is_cancel => (self.renamed(asked, true), None),
            Wrong::TriesAgainByItself => {
                let again = self.renamed(asked.clone(), !is_cancel);
                (asked, Some(again))
            }
            Wrong::RefundsUnderNewKeys if is_cancel => (self.renamed(asked, false), None),
            _ => (asked, None),
        }
    }

    fn renamed(&self, mut asked: Asked, is_order_too: bool) -> Asked {
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        asked.idempotency_key = asked.idempotency_key.map(|key| format!("{key}-{n}"));
        if is_order_too && let Some(order) = text(&asked.body, "orderId") {
            let order = order.as_str().unwrap_or_default().to_owned();
            let body = String::from_utf8_lossy(&asked.body);
            asked.body = body.replace(&order, &format!("{order}x{n}")).into_bytes();
        }
        asked
    }

    pub fn refund_body(&self, body: Vec<u8>) -> Vec<u8> {
        let drop_field = |body: Vec<u8>, name: &str| {
            let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(&body) else {
                return without_amount(&body);
            };
            fields.remove(name);
            serde_json::to_vec(&fields).unwrap_or(body)
        };
        match self.wrong {
            Wrong::RefundsWithoutAmount => drop_field(body, "cancelAmount"),
            Wrong::RefundsUnderNewKeys | Wrong::TriesAgainByItself | Wrong::NewKeyPerSend
                if body.starts_with(b"{") =>
            {
                drop_field(body, "refundableAmount")
            }
            _ => body,
        }
    }

    pub fn answered(&self, mut report: CallReport, call: &ChargeCall<'_>) -> CallReport {
        let http_status = report.http_status;
        let believed = || {
            let shown = seen(call.order_id, SeenStatus::Captured, call.amount);
            Evidence::Seen(named(shown, call.provider_ref))
        };
        let is_500 = report.http_status.is_some_and(|status| status >= 500);
        let becomes = match (self.wrong, &report.evidence) {
            (
                Wrong::SilenceIsFailure,
                Evidence::Unusable(Unusable::TimedOut | Unusable::Broken),
            )
            | (Wrong::BusyIsFailure, Evidence::Busy) => Some(Evidence::Refused(failure())),
            (Wrong::ServerErrorIsFailure, _) if is_500 => Some(Evidence::Refused(failure())),
            (Wrong::BrokenIsNotSent, Evidence::Unusable(Unusable::TimedOut | Unusable::Broken)) => {
                Some(Evidence::NotSent)
            }
            (Wrong::AnyOkIsSuccess, evidence) => {
                let is_ok = http_status == Some(200);
                let is_proof =
                    matches!(evidence, Evidence::Seen(s) if s.status == SeenStatus::Captured);
                (is_ok && !is_proof).then(believed)
            }
            (Wrong::AlreadyIsFailure, Evidence::Refused(refusal))
                if refusal.proves == Proves::LookUp =>
            {
                Some(Evidence::Refused(failure()))
            }
            (Wrong::AlreadyIsSuccess, Evidence::Refused(refusal))
                if refusal.proves == Proves::LookUp || refusal.proves == Proves::Nothing =>
            {
                Some(believed())
            }
            (Wrong::AskedIsFailure, Evidence::Seen(seen))
                if seen.status == SeenStatus::NeedsCustomer =>
            {
                Some(Evidence::Refused(failure()))
            }
            (Wrong::AskedIsSuccess, Evidence::Seen(seen))
                if seen.status == SeenStatus::NeedsCustomer =>
            {
                Some(believed())
            }
            _ => None,
        };
        if let Some(evidence) = becomes {
            report.evidence = evidence;
        }
        report
    }

    pub fn looked_up(&self, mut report: CallReport, look: &ChargeLook<'_>) -> CallReport {
        let order_id = look.order_id;
        let failed = || {
            let nothing = Money::new(0, Currency::KRW);
            let shown = seen(order_id, SeenStatus::Failed, nothing);
            Evidence::Seen(named(shown, look.provider_ref))
        };
        match (self.wrong, &report.evidence) {
            (Wrong::NotFoundIsFailure, Evidence::NotSeen)
            | (Wrong::RefusedLookUpIsFailure, Evidence::Refused(_) | Evidence::Unusable(_)) => {
                report.evidence = failed();
            }
            (Wrong::AdoptsAnything, Evidence::Unusable(Unusable::Mismatch)) => {
                let shown = seen(order_id, SeenStatus::Captured, look.amount);
                report.evidence = Evidence::Seen(named(shown, look.provider_ref));
            }
            (wrong, Evidence::Seen(shown)) => {
                let becomes = match (wrong, shown.status) {
                    (Wrong::NotStartedIsEnded, SeenStatus::NotStarted) => SeenStatus::Canceled,
                    (Wrong::NoCardIsSuccess, SeenStatus::Failed) => SeenStatus::Captured,
                    (Wrong::PendingIsFailure, SeenStatus::Pending)
                    | (Wrong::AskedIsFailure, SeenStatus::NeedsCustomer) => SeenStatus::Failed,
                    (Wrong::AskedIsSuccess, SeenStatus::NeedsCustomer) => SeenStatus::Captured,
                    (_, status) => status,
                };
                let shown = PaymentSeen {
                    status: becomes,
                    ..shown.clone()
                };
                report.evidence = Evidence::Seen(shown);
            }
            _ => {}
        }
        report
    }

    pub fn refunded(&self, mut report: CallReport, body: &[u8], provider_ref: &str) -> CallReport {
        let is_refused = matches!(
            &report.evidence,
            Evidence::Refused(_) | Evidence::Unusable(_)
        );
        if self.wrong == Wrong::AlreadyRefundedIsSuccess && is_refused {
            let amount = text(body, "cancelAmount").and_then(|v| v.as_i64());
            let reason = text(body, "cancelReason");
            let reason = reason.as_ref().and_then(|v| v.as_str()).unwrap_or_default();
            let mut payment = seen("", SeenStatus::Captured, Money::new(0, Currency::KRW));
            provider_ref.clone_into(&mut payment.provider_ref);
            payment.cancels.push(CancelSeen {
                transaction_key: format!("believed-{reason}"),
                reason: reason.to_owned(),
                amount_minor: amount.unwrap_or(0),
                at: DateTime::UNIX_EPOCH,
                is_done: true,
            });
            report.evidence = Evidence::Seen(payment);
        }
        if self.wrong == Wrong::AbsentRefundIsFailure
            && matches!(&report.evidence, Evidence::Unusable(_))
        {
            report.evidence = Evidence::Refused(failure());
        }
        report
    }

    pub fn looked_up_refund(&self, report: CallReport) -> CallReport {
        report
    }
}
