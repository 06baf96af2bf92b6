//! `bill run` and `reconcile`: what cron calls.

use std::io::IsTerminal as _;

use crate::cli::args::{BillRunArgs, Global};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open::Opened;
use crate::cli::output::{Format, Output};
use crate::cli::permit::Permit;
use crate::cli::record::Record;
use crate::cli::table::Table;
use crate::cli::wiring::{self, LiveEngine};
use crate::domain::mode::ProviderName;
use crate::domain::run::Decision;
use crate::domain::states::RunState;
use crate::engine::queries::Reads as _;
use crate::engine::{
    Pulled, ReconcilePreview, Reconciled, RunPreview, RunProgress, RunSummary, VerbError,
};

const OPEN_COLUMNS: &[&str] = &["attempt_id", "kind", "state", "amount", "would"];
const PREVIEW_COLUMNS: &[&str] = &[
    "due_at",
    "subscription_id",
    "invoice_id",
    "customer_name",
    "what",
    "kind",
    "provider",
    "amount",
];
/// One call of `reconcile` ends even when attempts keep falling due.
const MOST_ROUNDS: u32 = 1_000;

/// Bills what is due, or with `--dry-run` lists it; with `--plan` only if the list is still that one.
pub async fn run(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
    permit: Option<&Permit>,
    global: &Global,
    args: &BillRunArgs,
) -> Result<Exit, CliError> {
    let until = args.until.unwrap_or_else(|| engine.now());
    let Some(permit) = permit else {
        let preview = engine.preview_run(until).await?;
        show_preview(out, &preview)?;
        return Ok(Exit::Done);
    };
    if let Some(fingerprint) = &global.fingerprint
        && engine.preview_run(until).await?.fingerprint != *fingerprint
    {
        return Err(VerbError::Stale.into());
    }
    wiring::release_dead_leases(permit, &opened.store).await?;
    let shows_progress = out.format == Format::Human && std::io::stderr().is_terminal();
    let locale = out.view.locale;
    let mut last = 0;
    let mut progress = |progress: RunProgress| {
        // A line now and then; the rows themselves are in `show run`.
        if shows_progress && (progress.decided == progress.due || progress.decided >= last + 100) {
            last = progress.decided;
            let (decided, due) = (progress.decided.to_string(), progress.due.to_string());
            let _said = out
                .say(&locale.t_args("cli.bill.progress", &[("decided", &decided), ("due", &due)]));
        }
    };
    let summary = engine
        .billing_run(&opened.operator, until, &mut progress)
        .await?;
    out.record(&summary_record(&summary))?;
    Ok(exit_of(&summary))
}

fn show_preview(out: &mut Output, preview: &RunPreview) -> Result<(), CliError> {
    let rows: Vec<Record> = preview
        .rows
        .iter()
        .map(|row| {
            Record::of("due")
                .at("due_at", row.due_at)
                .id_if("subscription_id", row.subscription.as_ref())
                .id_if("invoice_id", row.invoice.as_ref())
                .id("customer_id", &row.customer.public_id)
                .text("customer_name", &row.customer.name)
                .text("what", &row.what)
                .word("kind", "", row.kind)
                .word_if(
                    "provider",
                    "provider",
                    row.provider.map(ProviderName::as_str),
                )
                .money("amount", row.amount)
        })
        .collect();
    out.rows(&mut Table::new(PREVIEW_COLUMNS), &rows)?;
    Ok(out.record(
        &Record::of("run_preview")
            .number("due", rows.len())
            .sums("totals", &preview.totals)
            .text("fingerprint", &preview.fingerprint),
    )?)
}

fn count(summary: &RunSummary, wanted: impl Fn(Decision) -> bool) -> u64 {
    summary
        .totals
        .iter()
        .filter(|(decision, _)| wanted(*decision))
        .map(|(_, count)| count)
        .sum()
}

/// Rows that were due and that another run had, or that this one stopped before. Older periods of a row are not rows of
/// their own.
fn not_taken(summary: &RunSummary) -> u64 {
    let taken = count(summary, |decision| decision != Decision::SkippedCatchUp);
    summary.due.saturating_sub(taken + summary.undecided)
}

fn summary_record(summary: &RunSummary) -> Record {
    let run = &summary.run;
    let decisions = summary
        .totals
        .iter()
        .map(|(decision, count)| {
            Record::default()
                .word("decision", "decision", decision.as_str())
                .number("count", *count)
        })
        .collect();
    Record::of("run")
        .id("id", &run.public_id)
        .word("state", "state.run", run.state.as_str())
        .at("until", run.until)
        .at("started_at", run.started_at)
        .at("finished_at", run.finished_at)
        .text_if("stop_reason", run.stop_reason.as_deref())
        .number("due", summary.due)
        .number(
            "done",
            count(summary, |decision| decision == Decision::Done),
        )
        .number(
            "declined",
            count(summary, |decision| decision == Decision::Declined),
        )
        .number(
            "unknown",
            count(summary, |decision| decision == Decision::Unknown),
        )
        .number(
            "skipped",
            count(summary, |decision| decision.as_str().starts_with("skipped")),
        )
        .number("under_way", summary.undecided)
        .number("not_taken", not_taken(summary))
        .sums("charged", &summary.charged)
        .number("late_days", summary.late_days)
        .records("decisions", decisions)
}

/// Declines are what dunning is for; what is unknown or was not reached is not.
fn exit_of(summary: &RunSummary) -> Exit {
    let unknown = count(summary, |decision| decision == Decision::Unknown) + summary.undecided;
    if unknown > 0 {
        Exit::Unknown
    } else if summary.run.state == RunState::Stopped {
        Exit::Unreachable
    } else {
        Exit::Done
    }
}

/// Works off every attempt whose look-up is due, once; or with `--dry-run` lists them.
pub async fn reconcile(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
    permit: Option<&Permit>,
) -> Result<Exit, CliError> {
    let Some(permit) = permit else {
        let rows = engine.preview_reconcile(&opened.operator).await?;
        show_open(out, &rows)?;
        return Ok(Exit::Done);
    };
    let released = wiring::release_dead_leases(permit, &opened.store).await?;
    let mut sum = Reconciled::default();
    for _ in 0..MOST_ROUNDS {
        let round = Box::pin(engine.reconcile_once(&opened.operator)).await?;
        sum.claimed += round.claimed;
        sum.settled += round.settled;
        sum.abandoned += round.abandoned;
        sum.left += round.left;
        sum.interrupted += round.interrupted;
        sum.taken_in += round.taken_in;
        if round.claimed == 0 {
            break;
        }
    }
    // What was settled is told first, whatever is in the way of the rest.
    let expired = match opened.store.count_lapsed().await {
        Ok(0) => Ok(0),
        Ok(_) => engine.end_lapsed_requests(&opened.operator).await,
        Err(error) => Err(error.into()),
    };
    let mut pulled = None;
    let followed = match engine.has_mirrors().await {
        Ok(true) => {
            let done = pulled.insert(Pulled::default());
            engine.mirror_pull_into(&opened.operator, done).await
        }
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    let mirror = match (&followed, &pulled) {
        (Err(_), _) => Some("failed"),
        (Ok(()), Some(done)) if done.left > 0 => Some("partly"),
        (Ok(()), Some(_)) => Some("followed"),
        (Ok(()), None) => None,
    };
    // Nothing waits for a fee: what was not read now is read the next time.
    let fees = engine.pull_fees(&opened.operator).await;
    let taken_in = fees
        .as_ref()
        .map(|all| all.iter().map(|one| one.taken_in).sum::<u32>());
    let trouble = fees.as_ref().err().map(ToString::to_string);
    out.record(
        &Record::of("reconciled")
            .number("claimed", sum.claimed)
            .number("settled", sum.settled)
            .number("abandoned", sum.abandoned)
            .number("left", sum.left)
            .number("interrupted_runs", sum.interrupted)
            .number("taken_in", sum.taken_in)
            .number("released", released)
            .number_if("requests_expired", expired.as_ref().ok().copied())
            .number_if("mirrors_read", pulled.map(|one| one.read))
            .number_if("wishes_settled", pulled.map(|one| one.settled))
            .word_if("mirror", "mirror", mirror)
            .number_if("fees_taken_in", taken_in.ok())
            .text_if("fees_not_read", trouble.as_deref()),
    )?;
    expired?;
    followed?;
    Ok(Exit::Done)
}

fn show_open(out: &mut Output, open: &[ReconcilePreview]) -> Result<(), CliError> {
    let rows: Vec<Record> = open
        .iter()
        .map(|row| {
            Record::of("open_attempt")
                .id("attempt_id", &row.attempt)
                .word("kind", "kind", row.kind.as_str())
                .word("state", "state.attempt", row.state.as_str())
                .money("amount", row.amount)
                .text("order_id", &row.order_id)
                .word("would", "would", row.would.as_str())
        })
        .collect();
    out.rows(&mut Table::new(OPEN_COLUMNS), &rows)?;
    Ok(out.record(&Record::of("reconcile_preview").number("due", rows.len()))?)
}
