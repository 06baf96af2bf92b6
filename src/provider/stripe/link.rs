//! Charging while the customer can be asked, and the link at which they answer their bank.
//!
//! Confirmed with an address to return to, an intent whose bank wants the customer waits for them instead of losing its
//! card. The link is asked for each time it is needed and kept nowhere: it may hold the intent's client secret.

use serde::Deserialize;

use crate::domain::evidence::SeenStatus;
use crate::engine::ports::{CallReport, ChargeCall, CustomerLink};
use crate::secret::Secret;

use super::client::{StripeClient, report};
use super::codes::CallKind;
use super::map::{self, Expected, NotOk};
use super::request;

/// Longest link that is handed on.
const LINK_LEN: usize = 4_096;

#[derive(Deserialize)]
struct Waiting {
    next_action: Option<NextAction>,
}

#[derive(Deserialize)]
struct NextAction {
    redirect_to_url: Option<Redirect>,
}

#[derive(Deserialize)]
struct Redirect {
    url: Option<String>,
}

impl StripeClient {
    /// Confirms, and lets the bank ask the customer. Where no address to return to is configured it is asked as if nobody
    /// were there.
    pub(super) async fn charge_with_customer_once(&self, call: ChargeCall<'_>) -> CallReport {
        let Some(return_url) = self.return_url() else {
            return self.charge_once(call).await;
        };
        let expected = Expected::charge(&call, self.money_mode());
        let asked = request::confirm_with_customer(&call, return_url);
        self.judged(asked, &expected).await
    }

    /// Where the customer answers, if they are asked now.
    pub(super) async fn link_once(&self, provider_ref: &str) -> CustomerLink {
        let expected = Expected::payment(provider_ref, self.money_mode());
        let asked = match request::intent(provider_ref) {
            Ok(asked) => asked,
            Err(why) => return CustomerLink::Unanswered(Box::new(why.report(CallKind::LookUp))),
        };
        let exchange = match self.send(asked).await {
            Ok(exchange) => exchange,
            Err(why) => return CustomerLink::Unanswered(Box::new(why.report(CallKind::LookUp))),
        };
        match map::ok_body(&exchange, CallKind::LookUp)
            .and_then(|body| link(body, &expected).map_err(NotOk::Unusable))
        {
            Ok(Some(link)) => CustomerLink::Open(link),
            Ok(None) => CustomerLink::Closed,
            Err(not_ok) => CustomerLink::Unanswered(Box::new(report(&exchange, not_ok.into()))),
        }
    }
}

/// The link of an intent that waits for its customer.
fn link(
    body: &[u8],
    expected: &Expected<'_>,
) -> Result<Option<Secret>, crate::domain::evidence::Unusable> {
    use crate::domain::evidence::Unusable;
    let seen = map::seen(&map::intent(body)?, None, expected);
    // What was captured has no link, whatever else it shows.
    if !matches!(&seen, Ok(seen) if seen.status == SeenStatus::NeedsCustomer) {
        return match seen {
            Err(Unusable::Mismatch) => Err(Unusable::Mismatch),
            Ok(_) | Err(_) => Ok(None),
        };
    }
    let waiting: Waiting = serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)?;
    let url = waiting
        .next_action
        .and_then(|action| action.redirect_to_url)
        .and_then(|redirect| redirect.url);
    Ok(url.filter(|url| is_link(url)).map(Secret::new))
}

/// What is shown to a person and opened in a browser.
fn is_link(url: &str) -> bool {
    let is_web = url.starts_with("https://") || url.starts_with("http://127.0.0.1:");
    is_web && url.len() <= LINK_LEN && url.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use crate::domain::evidence::Unusable;
    use crate::domain::mode::Mode;

    use super::*;

    fn intent(status: &str, action: &str) -> String {
        format!(
            r#"{{"id":"pi_1","amount":5000,"currency":"usd","status":"{status}","livemode":false,
            "metadata":{{"order_id":"pd-1"}},"next_action":{action}}}"#
        )
    }

    fn read(status: &str, action: &str) -> Result<Option<String>, Unusable> {
        let expected = Expected::payment("pi_1", Mode::Test);
        let found = link(intent(status, action).as_bytes(), &expected)?;
        Ok(found.map(|link| link.expose().to_owned()))
    }

    #[test]
    fn the_link_is_that_of_an_intent_that_waits_for_its_customer() {
        let page = r#"{"type":"redirect_to_url","redirect_to_url":{"url":"https://hooks.stripe.com/3d?a=1"}}"#;
        let found = read("requires_action", page);
        assert_eq!(found, Ok(Some("https://hooks.stripe.com/3d?a=1".into())));
        for (status, action) in [
            ("requires_payment_method", page),
            ("canceled", page),
            ("requires_action", "null"),
            ("requires_action", r#"{"type":"use_stripe_sdk"}"#),
            (
                "requires_action",
                r#"{"redirect_to_url":{"url":"javascript:alert(1)"}}"#,
            ),
        ] {
            assert_eq!(read(status, action), Ok(None), "{status} {action}");
        }
    }

    #[test]
    fn an_intent_of_another_name_has_no_link_of_ours() {
        let expected = Expected::payment("pi_2", Mode::Test);
        let found = link(intent("requires_action", "null").as_bytes(), &expected);
        assert!(matches!(found, Err(Unusable::Mismatch)));
    }
}
