//! The ledger, streamed, and its sums.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use futures_util::stream;
use serde::Deserialize;

use super::super::persist::{self, LedgerPage};
use super::super::server::Desk;
use super::super::wire;
use super::{Reply, answer, failed};

#[derive(Deserialize)]
pub(super) struct LedgerFilter {
    order: Option<String>,
    customer: Option<String>,
}

/// One JSON array, one entry on each line, streamed page by page.
pub(super) async fn ledger(
    State(desk): State<Arc<Desk>>,
    Query(filter): Query<LedgerFilter>,
) -> Reply {
    let start = Walk {
        page: LedgerPage::Charges { after: 0 },
        is_open: false,
        has_entries: false,
    };
    let pages = stream::unfold(Some(start), move |walk| {
        let desk = Arc::clone(&desk);
        let (order, customer) = (filter.order.clone(), filter.customer.clone());
        async move {
            let walk = walk?;
            let read = persist::ledger_page(
                &desk.file.read,
                &walk.page,
                order.as_deref(),
                customer.as_deref(),
            )
            .await;
            Some(match read {
                Ok((entries, next)) => {
                    let (text, walk) = walk.go_on(&entries, next);
                    (Ok(text), walk)
                }
                Err(error) => (Err(std::io::Error::other(error)), None),
            })
        }
    });
    answer(StatusCode::OK, Body::from_stream(pages))
}

/// A walk through the ledger that writes one array.
struct Walk {
    page: LedgerPage,
    is_open: bool,
    has_entries: bool,
}

impl Walk {
    fn go_on(mut self, entries: &[String], next: LedgerPage) -> (String, Option<Self>) {
        let mut text = String::from(if self.is_open { "" } else { "[" });
        for entry in entries {
            text.push_str(if self.has_entries { ",\n" } else { "\n" });
            text.push_str(entry);
            self.has_entries = true;
        }
        if next == LedgerPage::End {
            text.push_str("\n]\n");
            return (text, None);
        }
        (
            text,
            Some(Self {
                page: next,
                is_open: true,
                ..self
            }),
        )
    }
}

pub(super) async fn summary(State(desk): State<Arc<Desk>>) -> Reply {
    match persist::ledger_summary(&desk.file.read).await {
        Ok(summary) => answer(StatusCode::OK, wire::to_bytes(&summary)),
        Err(error) => failed(&error),
    }
}
