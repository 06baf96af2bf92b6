//! Fault scripts: add, list, remove.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::scenario::Fault;
use super::super::scripts::{Endpoint, Script};
use super::super::server::Desk;
use super::super::shared::locked;
use super::super::wire;
use super::{Reply, answer, ok, read, wrong};

pub(super) async fn faults(State(desk): State<Arc<Desk>>) -> Reply {
    let body = wire::to_bytes(&locked(&desk.shared.scripts).list());
    answer(StatusCode::OK, body)
}

/// One script or a list of them.
pub(super) async fn add_fault(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let posted: Value = match read(&body) {
        Ok(posted) => posted,
        Err(error) => return wrong(error),
    };
    let is_list = posted.is_array();
    let scripts = if is_list {
        serde_json::from_value::<Vec<Script>>(posted)
    } else {
        serde_json::from_value::<Script>(posted).map(|script| vec![script])
    };
    let scripts = match scripts {
        Ok(scripts) => scripts,
        Err(error) => return wrong(error),
    };
    // The other provider's decline codes are an open list.
    let is_stripe = |script: &Script| script.matches.endpoint.is_some_and(Endpoint::is_stripe);
    let unknown = scripts.iter().find_map(|script| match &script.fault {
        Fault::Decline { code } if !is_stripe(script) && !desk.shared.codes.knows(code) => {
            Some(code)
        }
        _ => None,
    });
    if let Some(code) = unknown {
        return wrong(format!(
            "no such code: {code}; for a code outside the table use unknown_code"
        ));
    }
    let mut standing = locked(&desk.shared.scripts);
    let ids: Vec<u64> = scripts
        .into_iter()
        .map(|script| standing.add(script))
        .collect();
    ok(&match ids.as_slice() {
        [id] if !is_list => json!({ "id": id }),
        _ => json!({ "ids": ids }),
    })
}

pub(super) async fn clear_faults(State(desk): State<Arc<Desk>>) -> Reply {
    locked(&desk.shared.scripts).clear();
    ok(&json!({ "faults": [] }))
}

pub(super) async fn remove_fault(State(desk): State<Arc<Desk>>, Path(id): Path<u64>) -> Reply {
    match locked(&desk.shared.scripts).remove(id) {
        Some(removed) => answer(StatusCode::OK, wire::to_bytes(&removed)),
        None => answer(
            StatusCode::NOT_FOUND,
            wire::to_bytes(&json!({ "error": "no such script" })),
        ),
    }
}
