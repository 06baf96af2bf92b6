//! Addresses that webhooks are delivered to; they are kept in the file.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::super::persist;
use super::super::server::Desk;
use super::super::shared::locked;
use super::{Reply, failed, ok, read, wrong};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: String,
}

pub(super) async fn webhooks(State(desk): State<Arc<Desk>>) -> Json<Vec<String>> {
    Json(locked(&desk.shared.webhooks).clone())
}

pub(super) async fn add_webhook(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let Webhook { url } = match read(&body) {
        Ok(webhook) => webhook,
        Err(error) => return wrong(error),
    };
    if !url.starts_with("http://") {
        return wrong("the simulator delivers webhooks to http:// addresses only");
    }
    let all = {
        let mut all = locked(&desk.shared.webhooks);
        if !all.contains(&url) {
            all.push(url);
        }
        all.clone()
    };
    keep_webhooks(&desk, all).await
}

pub(super) async fn clear_webhooks(State(desk): State<Arc<Desk>>) -> Reply {
    locked(&desk.shared.webhooks).clear();
    keep_webhooks(&desk, Vec::new()).await
}

async fn keep_webhooks(desk: &Desk, all: Vec<String>) -> Reply {
    let all = json!(all);
    match persist::put_setting(&desk.file.write, "webhooks", all.to_string()).await {
        Ok(()) => ok(&json!({ "webhooks": all })),
        Err(error) => failed(&error),
    }
}
