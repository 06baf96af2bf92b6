//! `find`: one box for names, ids, cards, phones, orders and amounts.

use crate::cli::args::FindArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::record::Record;
use crate::cli::records::{self, columns};
use crate::cli::table::Table;
use crate::engine::queries::Reads;

/// Finding nothing is "not found" to a script.
pub async fn run<R: Reads>(out: &mut Output, reads: &R, args: &FindArgs) -> Result<Exit, CliError> {
    let text = args.words.join(" ");
    if text.trim().is_empty() {
        return Err(CliError::Input {
            what: "find",
            typed: text,
            reason: "say what to look for".to_owned(),
        });
    }
    let hits = reads.find(&text, args.limit).await?;
    if hits.is_empty() {
        let text = out
            .view
            .locale
            .t_args("cli.find.nothing", &[("text", &text)]);
        out.say(&text)?;
        return Ok(Exit::NotFound);
    }
    let found: Vec<Record> = hits.iter().map(records::hit).collect();
    out.rows(&mut Table::new(columns::HITS), &found)?;
    Ok(Exit::Done)
}
