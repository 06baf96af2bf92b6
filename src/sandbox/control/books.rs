//! The ledger, streamed, and its sums.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use futures_util::stream;
use serde::Deserialize;

use super::super::persist::{self, LedgerPage};
use super::super::server::Desk;
use super::super::stripe::Wanted;
use super::super::wire;
use super::{Reply, answer, failed, ok};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Toss,
    Stripe,
}

#[derive(Deserialize)]
pub(super) struct LedgerFilter {
    order: Option<String>,
    customer: Option<String>,
    /// None: both.
    provider: Option<Of>,
}

/// One JSON array, one entry on each line, streamed page by page.
pub(super) async fn ledger(
    State(desk): State<Arc<Desk>>,
    Query(filter): Query<LedgerFilter>,
) -> Reply {
    let first = match filter.provider {
        Some(Of::Stripe) => Page::Stripe,
        Some(Of::Toss) | None => Page::Toss(LedgerPage::Charges { after: 0 }),
    };
    let start = Walk {
        page: first,
        is_open: false,
        has_entries: false,
    };
    let with_stripe = filter.provider != Some(Of::Toss);
    let pages = stream::unfold(Some(start), move |walk| {
        let desk = Arc::clone(&desk);
        let (order, customer) = (filter.order.clone(), filter.customer.clone());
        async move {
            let walk = walk?;
            let read = match &walk.page {
                Page::Stripe => Ok((
                    desk.stripe_ledger(Wanted { order, customer }).await,
                    Page::End,
                )),
                Page::End => Ok((Vec::new(), Page::End)),
                Page::Toss(page) => {
                    let (order, customer) = (order.as_deref(), customer.as_deref());
                    persist::ledger_page(&desk.file.read, page, order, customer)
                        .await
                        .map(|(entries, next)| match next {
                            LedgerPage::End if with_stripe => (entries, Page::Stripe),
                            LedgerPage::End => (entries, Page::End),
                            next => (entries, Page::Toss(next)),
                        })
                }
            };
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

/// Where a walk stands: first one provider, then the other.
enum Page {
    Toss(LedgerPage),
    Stripe,
    End,
}

/// A walk through the ledger that writes one array.
struct Walk {
    page: Page,
    is_open: bool,
    has_entries: bool,
}

impl Walk {
    fn go_on(mut self, entries: &[String], next: Page) -> (String, Option<Self>) {
        let mut text = String::from(if self.is_open { "" } else { "[" });
        for entry in entries {
            text.push_str(if self.has_entries { ",\n" } else { "\n" });
            text.push_str(entry);
            self.has_entries = true;
        }
        if matches!(next, Page::End) {
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
        Ok(summary) => {
            let Ok(mut sums) = serde_json::to_value(&summary) else {
                return answer(StatusCode::OK, wire::to_bytes(&summary));
            };
            sums["stripe"] = desk.stripe_summary().await;
            ok(&sums)
        }
        Err(error) => failed(&error),
    }
}
