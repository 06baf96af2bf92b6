//! Delivers webhooks: real headers, ten seconds of patience, seven retries on the simulated clock.
//!
//! The queue is in memory: a simulator that is killed forgets what it still had to deliver. Payment events carry no
//! signature, like the real ones.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::clerk::PaymentNotice;
use super::shared::{Shared, locked};
use super::switches::WebhookSuccess;
use super::wire;

/// Minutes after which a failed delivery is tried again.
const RETRIES_MINUTES: [i64; 7] = [1, 4, 16, 64, 256, 1024, 4096];
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a jump of the simulated clock may go unnoticed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
struct Delivery {
    url: String,
    body: Arc<Vec<u8>>,
    transmission_id: String,
    retried: usize,
    due_at: DateTime<Utc>,
}

/// Runs until nobody can send notices any more.
pub(super) async fn deliver(
    shared: Arc<Shared>,
    mut notices: mpsc::UnboundedReceiver<PaymentNotice>,
) {
    let mut waiting: Vec<Delivery> = Vec::new();
    let mut sending: JoinSet<(Delivery, Option<u16>)> = JoinSet::new();
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Some(notice) => waiting.extend(deliveries_of(&notice, &shared)),
                None => return,
            },
            Some(Ok((delivery, status))) = sending.join_next(), if !sending.is_empty() => {
                waiting.extend(next_try(delivery, status, &shared));
            }
            () = shared.clock.moved() => {}
            () = tokio::time::sleep(LOOK_AGAIN), if !waiting.is_empty() => {}
        }
        let now = shared.clock.now();
        let (due, later) = waiting
            .into_iter()
            .partition(|delivery| delivery.due_at <= now);
        waiting = later;
        for delivery in due {
            let sent_at = wire::iso(now);
            sending.spawn(async move {
                let status = timeout(PATIENCE, post(&delivery, &sent_at))
                    .await
                    .ok()
                    .flatten();
                (delivery, status)
            });
        }
    }
}

fn deliveries_of(notice: &PaymentNotice, shared: &Shared) -> Vec<Delivery> {
    let urls = locked(&shared.webhooks).clone();
    if urls.is_empty() {
        return Vec::new();
    }
    let now = shared.clock.now();
    let created_at = wire::event_time(now);
    let body = match notice {
        PaymentNotice::BillingDeleted {
            billing_key,
            reason,
        } => wire::to_bytes(&json!({
            "eventType": "BILLING_DELETED",
            "createdAt": created_at,
            "data": { "billingKey": billing_key, "reason": reason },
        })),
        PaymentNotice::PaymentStatusChanged(payment) => {
            let data = wire::payment(payment, payment.status, &shared.merchant_id, &shared.codes);
            let mut body = format!(
                r#"{{"eventType":"PAYMENT_STATUS_CHANGED","createdAt":"{created_at}","data":"#
            );
            body.push_str(&String::from_utf8_lossy(&data));
            body.push('}');
            body.into_bytes()
        }
    };
    let body = Arc::new(body);
    urls.into_iter()
        .map(|url| Delivery {
            url,
            body: Arc::clone(&body),
            transmission_id: locked(&shared.ids).transmission_id(),
            retried: 0,
            due_at: now,
        })
        .collect()
}

/// The delivery to be tried again, unless it succeeded or was tried often enough.
fn next_try(delivery: Delivery, status: Option<u16>, shared: &Shared) -> Option<Delivery> {
    let is_received = match shared.switches().webhook_success {
        WebhookSuccess::Exactly200 => status == Some(200),
        WebhookSuccess::Any2xx => status.is_some_and(|status| (200..300).contains(&status)),
    };
    let minutes = RETRIES_MINUTES
        .get(delivery.retried)
        .filter(|_| !is_received)?;
    Some(Delivery {
        retried: delivery.retried + 1,
        due_at: delivery.due_at + TimeDelta::minutes(*minutes),
        ..delivery
    })
}

/// A POST of its own: the simulator needs no HTTP client for anything else. Gives the status, or nothing.
async fn post(delivery: &Delivery, sent_at: &str) -> Option<u16> {
    let rest = delivery.url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         tosspayments-webhook-transmission-time: {sent_at}\r\n\
         tosspayments-webhook-transmission-retried-count: {}\r\n\
         tosspayments-webhook-transmission-id: {}\r\nconnection: close\r\n\r\n",
        delivery.body.len(),
        delivery.retried,
        delivery.transmission_id,
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&delivery.body).await.ok()?;
    let mut answer = Vec::new();
    let mut piece = [0_u8; 512];
    while !answer.contains(&b'\n') && answer.len() < 4_096 {
        let length = stream.read(&mut piece).await.ok()?;
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..length]);
    }
    let line = String::from_utf8_lossy(&answer);
    line.split(' ').nth(1)?.parse().ok()
}
