//! `show`: one thing with everything that belongs to it.

use crate::cli::args::{ShowArgs, shown_noun};
use crate::cli::error::CliError;
use crate::cli::output::{Format, Output};
use crate::cli::record::Record;
use crate::cli::records::{self, columns};
use crate::cli::resolve;
use crate::cli::said::noun_name;
use crate::cli::table::Table;
use crate::domain::ids::{
    AttemptId, CustomerId, InvoiceId, Noun, PaymentId, RunId, SubscriptionId,
};
use crate::engine::queries::{ListQuery, PlanRow, Reads, RunRow};
use crate::store::SqlStore;

const PAGE: u32 = 500;

pub async fn run(out: &mut Output, store: &SqlStore, args: &ShowArgs) -> Result<(), CliError> {
    let (noun, typed) = match target(&args.words)? {
        (Some(noun), typed) => (noun, typed),
        (None, ending) => (noun_of_ending(store, ending).await?, ending),
    };
    let view = out.view;
    let record = match noun {
        Noun::Customer => {
            let id = CustomerId(resolve::id(store, noun, typed).await?);
            records::customer_card(&store.customer_card(id).await?, &view)
        }
        Noun::Subscription => {
            let id = SubscriptionId(resolve::id(store, noun, typed).await?);
            records::subscription_card(&store.subscription_card(id).await?)
        }
        Noun::Invoice => {
            let id = InvoiceId(resolve::id(store, noun, typed).await?);
            records::timeline(&store.timeline(id).await?, &view)
        }
        Noun::Payment => {
            let id = PaymentId(resolve::id(store, noun, typed).await?);
            let invoice = store.invoice_of_payment(id).await?;
            records::timeline(&store.timeline(invoice).await?, &view)
        }
        Noun::Attempt => {
            let id = AttemptId(resolve::id(store, noun, typed).await?);
            let invoice = store.invoice_of_attempt(id).await?;
            records::timeline(&store.timeline(invoice).await?, &view)
        }
        Noun::Plan => records::plan_row(&plan(store, typed).await?),
        Noun::Run => return run_with_items(out, store, typed).await,
        Noun::Method | Noun::Product | Noun::Refund | Noun::Approval => {
            return Err(unknown_word(typed));
        }
    };
    Ok(out.record(&record)?)
}

/// `show NOUN ID`, `show ID` where the id's prefix says what it is, or its bare ending.
fn target(words: &[String]) -> Result<(Option<Noun>, &str), CliError> {
    match words {
        [noun, id] => shown_noun(noun)
            .map(|noun| (Some(noun), id.as_str()))
            .ok_or_else(|| unknown_word(noun)),
        [id] if shown_noun(id).is_some() => Err(unknown_word(id)),
        [id] => match resolve::noun_of_prefix(id) {
            Some(noun) => Ok((Some(noun), id)),
            None if id.contains('_') => Err(unknown_word(id)),
            None => Ok((None, id)),
        },
        _ => Err(unknown_word("")),
    }
}

/// What has an id with this ending; it must be one thing.
async fn noun_of_ending(store: &SqlStore, ending: &str) -> Result<Noun, CliError> {
    const SHOWN: [Noun; 6] = [
        Noun::Customer,
        Noun::Subscription,
        Noun::Invoice,
        Noun::Payment,
        Noun::Attempt,
        Noun::Run,
    ];
    let mut found = None;
    for noun in SHOWN {
        match resolve::id(store, noun, ending).await {
            Ok(_) if found.is_none() => found = Some(noun),
            Ok(_) | Err(CliError::Ambiguous { .. }) => {
                return Err(CliError::Ambiguous {
                    what: "id",
                    typed: ending.to_owned(),
                });
            }
            Err(CliError::NotFound { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    found.ok_or_else(|| CliError::NotFound {
        what: "id",
        typed: ending.to_owned(),
    })
}

fn unknown_word(typed: &str) -> CliError {
    CliError::Input {
        what: "show",
        typed: typed.to_owned(),
        reason: "give customer, subscription, invoice, payment, attempt, run or plan and an id, or an id with its prefix"
            .to_owned(),
    }
}

/// A plan by its code, its id or the id's ending.
pub async fn plan<R: Reads>(store: &R, typed: &str) -> Result<PlanRow, CliError> {
    let mut query = ListQuery::first(PAGE);
    let wanted = typed.trim();
    let ending = wanted
        .trim_start_matches("plan_")
        .trim_start_matches(['.', '…'])
        .to_ascii_uppercase();
    let mut found = Vec::new();
    loop {
        let page = store.plans(&query).await?;
        for row in page.rows {
            if row.plan.code == wanted {
                return Ok(row);
            }
            if ending.len() >= crate::domain::ids::MIN_ENDING
                && row.plan.public_id.ulid().ends_with(&ending)
            {
                found.push(row);
            }
        }
        match page.cursors.last() {
            Some(last) if page.has_more => query.cursor = Some(last.clone()),
            _ => break,
        }
    }
    let what = noun_name(Noun::Plan);
    match (found.pop(), found.is_empty()) {
        (Some(row), true) => Ok(row),
        (Some(_), false) => Err(CliError::Ambiguous {
            what,
            typed: typed.to_owned(),
        }),
        (None, _) => Err(CliError::NotFound {
            what,
            typed: typed.to_owned(),
        }),
    }
}

/// A run's figures in one object, then every row of it.
async fn run_with_items(out: &mut Output, store: &SqlStore, typed: &str) -> Result<(), CliError> {
    let id = RunId(resolve::id(store, Noun::Run, typed).await?);
    let row = find_run(store, id).await?;
    out.record(&records::run_row(&row))?;
    let mut query = ListQuery::first(PAGE);
    let mut table = Table::new(columns::RUN_ITEMS);
    loop {
        let page = store.run_items(id, &query).await?;
        let items: Vec<Record> = page.rows.iter().map(records::run_item_row).collect();
        if out.format == Format::Json || !items.is_empty() {
            out.rows(&mut table, &items)?;
        }
        match page.cursors.last() {
            Some(last) if page.has_more => query.cursor = Some(last.clone()),
            _ => return Ok(()),
        }
    }
}

async fn find_run<R: Reads>(store: &R, id: RunId) -> Result<RunRow, CliError> {
    let mut query = ListQuery::first(PAGE);
    loop {
        let page = store.runs(&query).await?;
        if let Some(row) = page.rows.into_iter().find(|row| row.run.id == id) {
            return Ok(row);
        }
        match page.cursors.last() {
            Some(last) if page.has_more => query.cursor = Some(last.clone()),
            _ => {
                return Err(CliError::NotFound {
                    what: noun_name(Noun::Run),
                    typed: id.0.to_string(),
                });
            }
        }
    }
}
