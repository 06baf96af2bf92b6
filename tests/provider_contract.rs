//! The providers' clients over real loopback HTTP.
//!
//! `stories` (against both simulators, under every fault) and `lines` (against hand-made answers that go
//! wrong in every way) are one set that every client passes; the other files hold what only one has.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[path = "provider_contract/bench.rs"]
mod bench;
#[path = "provider_contract/canary.rs"]
mod canary;
#[path = "provider_contract/lines.rs"]
mod lines;
#[path = "provider_contract/nasty.rs"]
mod nasty;
#[path = "provider_contract/responder.rs"]
mod responder;
#[path = "provider_contract/shop.rs"]
mod shop;
#[path = "provider_contract/simulated.rs"]
mod simulated;
#[path = "provider_contract/stories.rs"]
mod stories;
#[path = "provider_contract/stripe_answers.rs"]
mod stripe_answers;
#[path = "provider_contract/stripe_simulated.rs"]
mod stripe_simulated;
#[path = "provider_contract/stripe_subscriptions.rs"]
mod stripe_subscriptions;

use std::time::Duration;

use paydeck::domain::mode::Mode;
use paydeck::domain::money::{Currency, Money};
use paydeck::engine::ports::{CallReport, ChargeCall, ChargeRequest, Desk, Provider};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::secret::Secret;

/// A client of `base_url` that gives up after `total`.
fn client(base_url: &str, secret_key: &str, total: Duration) -> TossClient {
    TossClient::new(TossOptions {
        base_url: base_url.to_owned(),
        secret_key: Secret::new(secret_key),
        mode: Mode::Sim,
        connect_timeout: total.min(Duration::from_secs(5)),
        total_timeout: total,
    })
    .expect("a client")
}

fn won(amount: i64) -> Money {
    Money::new(amount, Currency::KRW)
}

/// A charge of 4,900 won.
struct Charge<'a> {
    billing_key: &'a str,
    customer_key: &'a str,
    order_id: &'a str,
    idem_key: &'a str,
}

async fn charge(client: &TossClient, charge: Charge<'_>) -> CallReport {
    let body = client.charge_body(&ChargeRequest {
        order_id: charge.order_id,
        order_name: "토스 프라임 구독",
        customer_key: charge.customer_key,
        amount: won(4_900),
    });
    let call = ChargeCall {
        billing_key: &Secret::new(charge.billing_key),
        body: &body,
        idem_key: charge.idem_key,
        order_id: charge.order_id,
        amount: won(4_900),
        provider_ref: None,
        send_no: 1,
    };
    client.charge(&mut Desk::new(), call).await
}
