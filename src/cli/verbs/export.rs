//! `export`: a whole list into a new file of its owner's, page by page; memory stays the same.
//!
//! The audit row comes before the first byte: what cannot be recorded is not exported.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::list::{self, instant};
use crate::cli::args::{ExportArgs, ListKind, ProviderArg};
use crate::cli::audit::{self, Press};
use crate::cli::csv_row;
use crate::cli::error::CliError;
use crate::cli::open::Opened;
use crate::cli::output::{Format, Output};
use crate::cli::permit::Permit;
use crate::cli::record::Record;
use crate::cli::view::View;
use crate::domain::operator::Access;
use crate::engine::ports::Clock as _;
use crate::engine::queries::{Filter, ListQuery};
use crate::text::csv::BYTE_ORDER_MARK;

/// Rows read at a time.
const PAGE: u32 = 2_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Csv,
    JsonLines,
}

pub async fn run(
    out: &mut Output,
    opened: &Opened,
    permit: Option<&Permit>,
    args: &ExportArgs,
) -> Result<(), CliError> {
    let shape = shape(out.format, args)?;
    let mut query = ListQuery::first(PAGE);
    let kept = ProviderArg::and(args.provider, &args.filter);
    query.filter = Filter::parse(&kept)?;
    query.from = args.from.map(|from| instant(from, &out.view));
    query.to = args.to.map(|to| instant(to, &out.view));
    let target = args.out.display().to_string();
    if opened.operator.access == Access::ReadOnly {
        return Err(CliError::NoAudit);
    }
    refuse_existing(&args.out)?;
    let Some(permit) = permit else {
        return rehearse(out, opened, args, query).await;
    };
    press(permit, opened, args.list, &target, &kept, "intent").await?;
    let written = if target == "-" {
        let sink = BufWriter::new(io::stdout());
        write(sink, opened, args, shape, query, &out.view).await?
    } else {
        let sink = BufWriter::with_capacity(256 * 1024, create(&args.out)?);
        write(sink, opened, args, shape, query, &out.view).await?
    };
    press(
        permit,
        opened,
        args.list,
        &target,
        &format!("{written} rows"),
        "done",
    )
    .await?;
    let summary = Record::of("export")
        .word("list", "", args.list.as_str())
        .text("file", &target)
        .number("rows", written)
        .text("operator", &opened.operator.person);
    if target == "-" {
        Ok(out.say(&serde_json::to_string(&summary).unwrap_or_default())?)
    } else {
        Ok(out.record(&summary)?)
    }
}

/// Counts what would be written, page by page, and writes nothing: no file, no audit row.
async fn rehearse(
    out: &mut Output,
    opened: &Opened,
    args: &ExportArgs,
    mut query: ListQuery,
) -> Result<(), CliError> {
    let mut rows = 0_usize;
    loop {
        let page = list::page(
            &opened.store,
            args.list,
            &query,
            &out.view,
            opened.settings.mode,
        )
        .await?;
        rows += page.records.len();
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    Ok(out.record(
        &Record::of("export_preview")
            .word("list", "", args.list.as_str())
            .text("file", &args.out.display().to_string())
            .number("rows", rows),
    )?)
}

fn shape(format: Format, args: &ExportArgs) -> Result<As, CliError> {
    match (args.csv, format) {
        (true, _) => Ok(As::Csv),
        (false, Format::Json) => Ok(As::JsonLines),
        (false, Format::Human) => Err(CliError::Input {
            what: "export",
            typed: args.list.as_str().to_owned(),
            reason: "give --csv or --json".to_owned(),
        }),
    }
}

async fn press(
    permit: &Permit,
    opened: &Opened,
    list: ListKind,
    target: &str,
    after: &str,
    result: &str,
) -> Result<(), CliError> {
    let press = Press {
        verb: "export",
        target: list.as_str(),
        after,
        reason: target,
        result,
    };
    audit::record(
        permit,
        &opened.store,
        (opened.settings.mode, opened.clock.now()),
        &opened.operator,
        press,
    )
    .await
}

fn refuse_existing(path: &Path) -> Result<(), CliError> {
    match path.symlink_metadata() {
        Ok(_) => Err(CliError::Exists {
            path: path.to_owned(),
        }),
        Err(_) => Ok(()),
    }
}

/// A new file, readable by its owner alone; no link is followed and nothing is overwritten.
fn create(path: &Path) -> Result<std::fs::File, CliError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => CliError::Exists {
                path: path.to_owned(),
            },
            _ => CliError::File {
                path: path.to_owned(),
                source,
            },
        })
}

async fn write(
    mut sink: impl Write,
    opened: &Opened,
    args: &ExportArgs,
    shape: As,
    mut query: ListQuery,
    view: &View,
) -> Result<u64, CliError> {
    if args.bom && shape == As::Csv {
        sink.write_all(BYTE_ORDER_MARK.as_bytes())?;
    }
    let mut written = 0_u64;
    let mut text = String::new();
    loop {
        let page = list::page(&opened.store, args.list, &query, view, opened.settings.mode).await?;
        text.clear();
        for record in &page.records {
            match shape {
                As::Csv if written == 0 => {
                    text.push_str(&csv_row::header(record));
                    csv_row::push(&mut text, record);
                }
                As::Csv => csv_row::push(&mut text, record),
                As::JsonLines => {
                    text.push_str(&serde_json::to_string(record).map_err(io::Error::other)?);
                    text.push('\n');
                }
            }
            written += 1;
        }
        sink.write_all(text.as_bytes())?;
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    if written == 0 && shape == As::Csv {
        // As `push_row` ends a line.
        write!(sink, "{}\r\n", csv_row::head_of(args.list))?;
    }
    sink.flush()?;
    Ok(written)
}
