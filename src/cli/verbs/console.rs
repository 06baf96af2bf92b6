//! `console`: opens the terminal user interface over the engine.

use std::io::IsTerminal as _;

use crate::cli::args::{ColorArg, Global};
use crate::cli::audit::{self, Press};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::cli::permit::Permit;
use crate::cli::wiring;
use crate::config::{Clipboard, Color, Database, Personal, Settings, WindowTitle};
use crate::console::model::Privacy;
use crate::console::term::{ColorChoice, ColorLevel, Switch};
use crate::console::{self, ConsoleOptions};
use crate::domain::operator::Access;
use crate::engine::ports::Clock as _;

/// Refuses before anything is opened where there is no terminal.
pub fn expect_terminal() -> Result<(), CliError> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        Ok(())
    } else {
        Err(CliError::NotATerminal)
    }
}

pub async fn run(
    out: &mut Output,
    permit: &Permit,
    global: &Global,
    opened: &mut Opened,
) -> Result<Exit, CliError> {
    expect_terminal()?;
    let may_write = opened.operator.access == Access::ReadWrite;
    let engine = if may_write {
        wiring::engine(opened, Some(permit)).await?
    } else {
        wiring::looking_engine(opened).await?
    };
    if may_write {
        wiring::release_dead_leases(permit, &opened.store).await?;
        press(permit, opened, "start").await?;
    }
    let ended = console::run(engine, options(opened, global, out)).await;
    if may_write {
        press(permit, opened, "stop").await?;
    }
    Ok(ended?.map_or(Exit::Done, Exit::Ended))
}

async fn press(permit: &Permit, opened: &Opened, verb: &str) -> Result<(), CliError> {
    let press = Press {
        verb,
        target: "console",
        after: "",
        reason: &opened.process,
        result: "done",
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

fn options(opened: &Opened, global: &Global, out: &Output) -> ConsoleOptions {
    let settings = &opened.settings;
    let database = match &settings.database {
        Database::Sqlite { .. } => "sqlite".to_owned(),
        Database::Postgres { .. } => open::database_url(settings).to_string(),
    };
    ConsoleOptions {
        color: color(settings, global),
        clipboard: match settings.ui.clipboard {
            Clipboard::Auto => None,
            Clipboard::Off => Some(Switch::Off),
            Clipboard::Osc52 => Some(Switch::On),
        },
        title: match settings.ui.title {
            WindowTitle::Untouched => Switch::Off,
            WindowTitle::Set => Switch::On,
        },
        privacy: match settings.ui.personal {
            Personal::Masked => Privacy::Masked,
            Personal::Shown => Privacy::Revealed { until_ms: u64::MAX },
        },
        shop: settings.ui.name.clone(),
        call_timeout: settings.timeouts.total,
        ..ConsoleOptions::new(opened.operator.clone(), out.view.locale.lang(), database)
    }
}

fn color(settings: &Settings, global: &Global) -> ColorChoice {
    match (global.color, settings.ui.color) {
        (ColorArg::Never, _) | (_, Color::Off) => ColorChoice::Exactly(ColorLevel::Mono),
        (_, Color::Auto) => ColorChoice::Auto,
        (_, Color::True) => ColorChoice::Exactly(ColorLevel::TrueColor),
        (_, Color::Indexed256) => ColorChoice::Exactly(ColorLevel::Ansi256),
        (_, Color::Basic16) => ColorChoice::Exactly(ColorLevel::Ansi16),
    }
}
