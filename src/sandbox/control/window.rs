//! What happens without the merchant's API: windows, checkouts, the provider's own console.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::super::ledger::{Behaviour, CancelRequest, CardDraft};
use super::super::persist;
use super::super::server::Desk;
use super::super::task::{Forced, Job, Task};
use super::{Reply, answer, failed, ok, read, wrong};

async fn tell_clerk(desk: &Desk, task: Task) -> Reply {
    let (reply, answered) = oneshot::channel();
    let job = Job {
        task,
        scope: None,
        trace: String::new(),
        forced: Forced::No,
        bind_instead: None,
        reply,
    };
    let done = desk.ask_clerk(job, answered).await;
    let status = StatusCode::from_u16(done.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = if done.body.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        done.body
    };
    answer(status, body)
}

/// Whether the card behaves in a way that the table of codes knows.
fn is_known(desk: &Desk, card: &CardDraft) -> bool {
    match &card.behaviour {
        Behaviour::Approve => true,
        Behaviour::Decline { code } | Behaviour::DeclineTimes { code, .. } => {
            desk.shared.codes.knows(code)
        }
    }
}

fn unknown_behaviour(card: &CardDraft) -> Reply {
    wrong(format!("no such card behaviour: {}", card.behaviour))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Registration {
    customer_key: String,
    #[serde(default)]
    card: CardDraft,
}

pub(super) async fn register(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Registration>(&body) {
        Ok(Registration { card, .. }) if !is_known(&desk, &card) => unknown_behaviour(&card),
        Ok(Registration { customer_key, card }) => {
            tell_clerk(&desk, Task::Register { customer_key, card }).await
        }
        Err(error) => wrong(error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Checkout {
    order_id: String,
    amount: i64,
    /// Over how many months the customer wants to pay it off.
    installment_months: Option<i64>,
    customer_key: Option<String>,
    #[serde(default)]
    card: CardDraft,
}

pub(super) async fn open_checkout(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Checkout>(&body) {
        Ok(Checkout { card, .. }) if !is_known(&desk, &card) => unknown_behaviour(&card),
        Ok(Checkout {
            order_id,
            amount,
            installment_months,
            customer_key,
            card,
        }) => {
            tell_clerk(
                &desk,
                Task::OpenCheckout {
                    order_id,
                    amount,
                    installment_months,
                    customer_key,
                    card,
                },
            )
            .await
        }
        Err(error) => wrong(error),
    }
}

/// Something that happens at the provider without the merchant's API.
#[derive(Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Event {
    /// A refund made in the provider's own console.
    Refund {
        payment_key: String,
        amount: Option<i64>,
        reason: Option<String>,
    },
    /// A customer or the provider removes a card.
    DeleteBillingKey {
        billing_key: Option<String>,
        customer_key: Option<String>,
    },
}

pub(super) async fn event(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Event>(&body) {
        Ok(Event::Refund {
            payment_key,
            amount,
            reason,
        }) => {
            let reason = reason.unwrap_or_else(|| "상점관리자 취소".to_owned());
            let request = CancelRequest {
                reason: Some(reason),
                amount,
                ..CancelRequest::default()
            };
            tell_clerk(
                &desk,
                Task::Cancel {
                    payment_key,
                    request: Ok(request),
                },
            )
            .await
        }
        Ok(Event::DeleteBillingKey {
            billing_key: Some(billing_key),
            customer_key: None,
        }) => {
            tell_clerk(
                &desk,
                Task::DeleteKey {
                    billing_key,
                    reason: "고객 요청",
                },
            )
            .await
        }
        Ok(Event::DeleteBillingKey {
            billing_key: None,
            customer_key: Some(customer_key),
        }) => delete_keys_of(&desk, &customer_key).await,
        Ok(Event::DeleteBillingKey { .. }) => wrong("give either billingKey or customerKey"),
        Err(error) => wrong(error),
    }
}

async fn delete_keys_of(desk: &Desk, customer_key: &str) -> Reply {
    let keys = match persist::billing_keys_of_customer(&desk.file.read, customer_key).await {
        Ok(keys) => keys,
        Err(error) => return failed(&error),
    };
    let deleted = keys.len();
    for billing_key in keys {
        drop(
            tell_clerk(
                desk,
                Task::DeleteKey {
                    billing_key,
                    reason: "고객 요청",
                },
            )
            .await,
        );
    }
    ok(&json!({ "deleted": deleted }))
}
