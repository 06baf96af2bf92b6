//! Delivers signed webhooks: ten seconds of patience, three retries on the simulated clock, no order, sometimes twice.
//!
//! What was not delivered when the simulator ended is delivered by the next start: the events themselves are in the file.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::shared::Shared;
use super::teller::{Errand, Notice};

/// Minutes after which a failed delivery is tried again.
const RETRIES_MINUTES: [i64; 3] = [10, 60, 180];
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a jump of the simulated clock may go unnoticed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
struct Delivery {
    event: String,
    url: String,
    secret: String,
    body: Arc<str>,
    retried: usize,
    due_at: DateTime<Utc>,
    /// A copy that is sent besides: it is not counted.
    is_extra: bool,
}

/// Runs until nobody can send notices any more.
pub async fn deliver(
    shared: Arc<Shared>,
    mut notices: mpsc::UnboundedReceiver<Notice>,
    teller: mpsc::Sender<Errand>,
) {
    let mut waiting: Vec<Delivery> = Vec::new();
    let mut sending: JoinSet<(Delivery, bool)> = JoinSet::new();
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Some(notice) => waiting.extend(deliveries_of(&notice, &shared)),
                None => return,
            },
            Some(Ok((delivery, is_received))) = sending.join_next(), if !sending.is_empty() => {
                if is_received && !delivery.is_extra {
                    drop(teller.send(Errand::Delivered { event: delivery.event }).await);
                } else {
                    waiting.extend(next_try(delivery, is_received));
                }
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
            sending.spawn(async move {
                let sent = timeout(PATIENCE, post(&delivery, now.timestamp())).await;
                let is_received = matches!(sent, Ok(Some(200..=299)));
                (delivery, is_received)
            });
        }
    }
}

fn deliveries_of(notice: &Notice, shared: &Shared) -> Vec<Delivery> {
    let copies = shared.switches().stripe_webhook_copies.max(1);
    let due_at = shared.clock.now();
    notice
        .to
        .iter()
        .flat_map(|(url, secret)| {
            (0..copies).map(move |copy| Delivery {
                event: notice.event.clone(),
                url: url.clone(),
                secret: secret.clone(),
                body: Arc::clone(&notice.body),
                retried: 0,
                due_at,
                is_extra: copy > 0,
            })
        })
        .collect()
}

fn next_try(delivery: Delivery, is_received: bool) -> Option<Delivery> {
    let minutes = RETRIES_MINUTES
        .get(delivery.retried)
        .filter(|_| !is_received && !delivery.is_extra)?;
    Some(Delivery {
        retried: delivery.retried + 1,
        due_at: delivery.due_at + TimeDelta::minutes(*minutes),
        ..delivery
    })
}

/// `t=…,v1=…`: the keyed digest of time and body.
pub fn signature(secret: &str, at: i64, body: &str) -> String {
    let mut text = format!("t={at},v1=");
    // A key of any length will do.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(at.to_string().as_bytes());
        mac.update(b".");
        mac.update(body.as_bytes());
        for byte in mac.finalize().into_bytes() {
            for half in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(half), 16));
            }
        }
    }
    text
}

/// A POST of its own. Gives the status, or nothing.
async fn post(delivery: &Delivery, at: i64) -> Option<u16> {
    let rest = delivery.url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json; charset=utf-8\r\n\
         content-length: {}\r\nuser-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n\
         stripe-signature: {}\r\nconnection: close\r\n\r\n",
        delivery.body.len(),
        signature(&delivery.secret, at, &delivery.body),
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(delivery.body.as_bytes()).await.ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        assert_eq!(
            signature("whsec_test", 1_700_000_000, r#"{"id":"evt_1"}"#),
            "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
        );
    }
}
