//! Lets requests in: notes them, checks who asks and under which key, and finds the fault that strikes them.

use axum::http::{HeaderValue, header};
use serde_json::Value;

use super::auth;
use super::idempotency::{MAX_KEY_CHARS, Scope};
use super::ledger::Refusal;
use super::persist;
use super::requests::Seen;
use super::routes::Route;
use super::scenario::Plan;
use super::scripts::Subject;
use super::server::{Call, Desk};
use super::shared::locked;
use super::switches::LookupAfterDecline;

/// What is known of a request once it is let in.
pub(super) struct Admitted {
    pub route: Route,
    pub scope: Option<Scope>,
    pub test_code: Option<Refusal>,
}

impl Desk {
    pub(super) fn note(&self, call: &Call, route: Option<&Route>) -> u64 {
        let key = call
            .headers
            .get("idempotency-key")
            .and_then(|key| key.to_str().ok());
        locked(&self.shared.requests).add(Seen {
            number: 0,
            at: self.shared.clock.now(),
            endpoint: route.map(Route::endpoint),
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            body: call.body.clone(),
            idempotency_key: key.map(str::to_owned),
            status: None,
            fault: None,
        })
    }

    pub(super) fn admit(&self, call: &Call, route: Option<Route>) -> Result<Admitted, Refusal> {
        let switches = self.shared.switches();
        let header = call
            .headers
            .get(header::AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        let secret_key = auth::authenticate(header, &self.shared.secret_keys, &switches)?;
        let route = route.ok_or_else(|| Refusal::code("NOT_FOUND_HTTP_METHOD"))?;
        auth::check_key_kind(&secret_key, route.endpoint(), &switches)?;
        let key = call
            .idempotency_key()
            .map(|key| String::from_utf8_lossy(key.as_bytes()));
        if key
            .as_ref()
            .is_some_and(|key| key.chars().count() > MAX_KEY_CHARS)
        {
            return Err(Refusal::code("INVALID_IDEMPOTENCY_KEY"));
        }
        let test_code = call.headers.get("tosspayments-test-code").map(|code| {
            let code = String::from_utf8_lossy(code.as_bytes()).into_owned();
            let is_known = self.shared.codes.knows(&code);
            if is_known {
                Refusal::code(code)
            } else {
                Refusal::code("INVALID_TEST_CODE")
            }
        });
        Ok(Admitted {
            scope: key.map(|key| Scope::new(&key, &secret_key, &call.method, &call.path)),
            route,
            test_code,
        })
    }

    /// The plan of the limiter or of the fault that strikes this call, or none.
    pub(super) async fn plan(&self, call: &Call, admitted: &Admitted, number: u64) -> Plan {
        let limit = self.shared.switches().rate_limit_per_minute;
        if self.shared.is_over_limit(admitted.route.endpoint(), limit) {
            return Plan::too_many();
        }
        if locked(&self.shared.scripts).is_empty() {
            return Plan::undisturbed();
        }
        let subject = self.subject(call, &admitted.route).await;
        let chance = || locked(&self.shared.ids).chance_per_mille();
        let fault =
            locked(&self.shared.scripts).strike(admitted.route.endpoint(), &subject, chance);
        let Some(fault) = fault else {
            return Plan::undisturbed();
        };
        if let Some(seen) = locked(&self.shared.requests).find(number) {
            seen.fault = serde_json::to_value(&fault).ok();
        }
        fault.plan()
    }

    async fn subject(&self, call: &Call, route: &Route) -> Subject {
        let field = |name: &str| {
            let body = serde_json::from_slice::<Value>(&call.body).ok()?;
            body.get(name)?.as_str().map(str::to_owned)
        };
        match route {
            Route::Payment { payment_key } | Route::Cancel { payment_key } => {
                let known = persist::subject_of_payment(&self.file.read, payment_key)
                    .await
                    .ok()
                    .flatten();
                let (order, customer) =
                    known.map_or((None, None), |(order, customer)| (Some(order), customer));
                Subject {
                    customer,
                    order,
                    payment: Some(payment_key.clone()),
                }
            }
            Route::Order { order_id } => {
                let shown = LookupAfterDecline::Aborted;
                let known = persist::payment_by_order(&self.file.read, order_id, shown)
                    .await
                    .ok()
                    .flatten();
                let (payment, customer) =
                    known.map_or((None, None), |known| (Some(known.key), known.customer_key));
                Subject {
                    customer,
                    order: Some(order_id.clone()),
                    payment,
                }
            }
            _ => Subject {
                customer: field("customerKey"),
                order: field("orderId"),
                payment: field("paymentKey"),
            },
        }
    }
}
