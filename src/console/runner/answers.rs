//! How questions are answered: which read of the database each one is, and which plan each wish is.

use crate::console::effect::{Loaded, Question};
use crate::console::fault::Fault;
use crate::console::model::{Asked, ListKind, PAGE, Planned, Row};
use crate::domain::ids::{InvoiceId, SubscriptionId};
use crate::domain::operator::Operator;
use crate::domain::states::InvoiceState;
use crate::engine::ports::{Store, StoreError};
use crate::engine::queries::{ListQuery, Page, Reads, RenewalDay};
use crate::engine::{Engine, Request};

pub async fn planned<S: Store + Reads>(
    engine: &Engine<S>,
    operator: &Operator,
    asked: Asked,
) -> Result<Planned, Fault> {
    let request = match asked {
        Asked::Request(request) => request,
        Asked::ChargeOf(subscription) => Request::Charge {
            invoice: owed(engine.store(), subscription).await?,
        },
        Asked::RetryOf(subscription) => Request::Retry {
            invoice: owed(engine.store(), subscription).await?,
        },
        Asked::Run => {
            let until = engine.now();
            let preview = engine.preview_run(until).await;
            return preview
                .map(|preview| Planned::Run { until, preview })
                .map_err(|error| Fault::from(&error));
        }
    };
    match engine.plan(operator, &request).await {
        Ok(plan) => Ok(Planned::Verb {
            request: Box::new(request),
            plan: Box::new(plan),
        }),
        Err(error) => Err(Fault::from(&error)),
    }
}

/// The oldest invoice of a subscription that can be charged.
async fn owed<S: Reads>(store: &S, subscription: SubscriptionId) -> Result<InvoiceId, Fault> {
    let card = store.subscription_card(subscription).await;
    let card = card.map_err(|error| Fault::from(&error))?;
    card.invoices
        .iter()
        .rev()
        .find(|invoice| {
            matches!(
                invoice.state,
                InvoiceState::Open | InvoiceState::Draft | InvoiceState::Uncollectible
            )
        })
        .map(|invoice| invoice.id)
        .ok_or_else(|| Fault::new("nothing_owed"))
}

/// Reads what a question asks for.
pub async fn answer<S: Reads>(
    store: &S,
    person: &str,
    question: Question,
) -> Result<Loaded, StoreError> {
    Ok(match question {
        Question::Overview(window) => {
            refresh(store).await;
            let mut overview = store.overview(&window).await?;
            overview.renewals.retain(is_worth_a_line);
            let runs = store.runs(&ListQuery::first(1)).await?;
            Loaded::Overview {
                overview: Box::new(overview),
                last_run: runs.rows.first().map(|row| row.run.started_at),
                wishes: store.count_wishes().await?,
            }
        }
        Question::Revenue { from, to } => {
            refresh(store).await;
            Loaded::Revenue(store.revenue(from, to).await?)
        }
        Question::RenewalDays(days) => {
            let days = store.renewal_days(&days).await?;
            Loaded::Rows(Page {
                rows: days
                    .into_iter()
                    .filter(is_worth_a_line)
                    .map(|day| Row::Day(Box::new(day)))
                    .collect(),
                cursors: Vec::new(),
                has_more: false,
                total: None,
            })
        }
        Question::List { kind, query } => Loaded::Rows(list(store, kind, &query).await?),
        Question::Count { kind, query } => Loaded::Count(list(store, kind, &query).await?.total),
        Question::Totals { list, query } => Loaded::Totals(store.totals(list, &query).await?),
        Question::RunItems { run, query } => {
            Loaded::Rows(rows(store.run_items(run, &query).await?, Row::RunItem))
        }
        Question::Find(text) => {
            let hits = store.find(&text, HITS).await?;
            Loaded::Rows(Page {
                total: u64::try_from(hits.len()).ok(),
                rows: hits
                    .into_iter()
                    .map(|hit| Row::Hit(Box::new(hit)))
                    .collect(),
                cursors: Vec::new(),
                has_more: false,
            })
        }
        Question::Customer(id) => Loaded::Customer(Box::new(store.customer_card(id).await?)),
        Question::Subscription(id) => {
            Loaded::Subscription(Box::new(store.subscription_card(id).await?))
        }
        Question::Timeline(id) => Loaded::Timeline(Box::new(store.timeline(id).await?)),
        Question::TimelineOfPayment(id) => {
            let invoice = store.invoice_of_payment(id).await?;
            Loaded::Timeline(Box::new(store.timeline(invoice).await?))
        }
        Question::TimelineOfAttempt(id) => {
            let invoice = store.invoice_of_attempt(id).await?;
            Loaded::Timeline(Box::new(store.timeline(invoice).await?))
        }
        Question::Views => Loaded::Views(store.saved_views(person).await?),
        Question::Waiting => Loaded::Waiting(store.waiting().await?),
        Question::Plans => {
            let page = store.plans(&ListQuery::first(PAGE)).await?;
            Loaded::Plans(page.rows)
        }
    })
}

/// Marked days are added up anew, so that the figures after it are quick. They are the same without,
/// so whoever may only read leaves it to others, and an error shows in the read itself.
async fn refresh<S: Reads>(store: &S) {
    let _left_to_others = store.refresh_figures(REFRESH).await;
}

/// Days show in any case; nothing overdue is no news.
fn is_worth_a_line(day: &RenewalDay) -> bool {
    day.count > 0 || !day.day.is_overdue()
}

fn rows<T>(page: Page<T>, row: fn(Box<T>) -> Row) -> Page<Row> {
    Page {
        rows: page
            .rows
            .into_iter()
            .map(|item| row(Box::new(item)))
            .collect(),
        cursors: page.cursors,
        has_more: page.has_more,
        total: page.total,
    }
}

async fn list<S: Reads>(
    store: &S,
    kind: ListKind,
    query: &ListQuery,
) -> Result<Page<Row>, StoreError> {
    Ok(match kind {
        ListKind::Customers => rows(store.customers(query).await?, Row::Customer),
        ListKind::Subscriptions => rows(store.subscriptions(query).await?, Row::Subscription),
        ListKind::Renewals => rows(store.renewals(query).await?, Row::Subscription),
        ListKind::Failed => rows(store.failed(query).await?, Row::Failed),
        ListKind::Declines => rows(store.declines(query).await?, Row::Decline),
        ListKind::Payments => rows(store.payments(query).await?, Row::Payment),
        ListKind::Plans => rows(store.plans(query).await?, Row::Plan),
        ListKind::Unknown => rows(store.unknowns(query).await?, Row::Unknown),
        ListKind::Wishes => rows(store.wishes(query).await?, Row::Wish),
        ListKind::Runs => rows(store.runs(query).await?, Row::Run),
        ListKind::Events => rows(store.events(query).await?, Row::Event),
        ListKind::Activity => rows(store.activity(query).await?, Row::Activity),
        // These are asked for by questions of their own.
        ListKind::RenewalDays | ListKind::RunItems | ListKind::Hits => Page {
            rows: Vec::new(),
            cursors: Vec::new(),
            has_more: false,
            total: None,
        },
    })
}

/// Marked days whose figures are computed again before figures are read.
const REFRESH: u32 = 400;

/// What a search gives at most.
const HITS: u32 = 100;
