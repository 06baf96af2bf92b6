//! `audit verify`: every chain, row by row, and the first row that does not fit.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::record::Record;
use crate::domain::audit::{AuditRecord, is_intact};
use crate::engine::queries::Reads;

const PAGE: u32 = 1_000;

/// What a walk over all chains found.
#[derive(Debug, Default)]
pub struct Verified {
    pub chains: u64,
    pub records: u64,
    /// The first row of each chain that does not fit what stands before it.
    pub broken: Vec<(String, i64)>,
}

pub async fn verify<R: Reads>(out: &mut Output, reads: &R) -> Result<Exit, CliError> {
    let verified = walk(reads).await?;
    let broken: Vec<Record> = verified
        .broken
        .iter()
        .map(|(chain, seq)| {
            Record::of("broken")
                .text("chain", chain)
                .number("seq", *seq)
        })
        .collect();
    let is_intact = broken.is_empty();
    out.record(
        &Record::of("audit")
            .flag("intact", is_intact)
            .number("chains", verified.chains)
            .number("records", verified.records)
            .records("broken", broken),
    )?;
    Ok(if is_intact {
        Exit::Done
    } else {
        Exit::Differences
    })
}

/// Reads every chain from its first row.
pub async fn walk<R: Reads>(reads: &R) -> Result<Verified, CliError> {
    let mut verified = Verified::default();
    for chain in reads.audit_chains().await? {
        verified.chains += 1;
        let mut before: Option<AuditRecord> = None;
        'chain: loop {
            let after = before.as_ref().map_or(0, |record| record.seq);
            let page = reads.audit_chain(&chain, after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for record in page {
                verified.records += 1;
                if !is_intact(&record, before.as_ref()) {
                    verified.broken.push((chain.clone(), record.seq));
                    break 'chain;
                }
                before = Some(record);
            }
        }
    }
    Ok(verified)
}
