//! One command from its words to its exit code.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::FromArgMatches as _;

use super::args::{
    ApproveCommand, AuditCommand, Cli, Command, ConfigCommand, DemoArgs, DoctorCommand, Global,
    LangArg, ListKind, PageArgs, ReportCommand, UnknownCommand, VaultCommand,
};
use super::error::{CliError, exit_code};
use super::exit::Exit;
use super::help;
use super::open::{self, Opened};
use super::output::{Format, Output};
use super::permit::{self, Permit};
use super::resolve;
use super::said;
use super::verbs::{
    acting, approve, audit, console, demo, doctor, export, find, list, report, service, setup,
    show, vault,
};
use super::view::View;
use crate::config::{Language, Personal, Settings};
use crate::domain::ids::Noun;
use crate::locale::{Lang, Locale};
use crate::telemetry;

/// Reads the words and does what they say.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let lang = help::language(&words, environment_language);
    let mut tree = help::command(lang);
    let parsed = tree
        .try_get_matches_from_mut(at_once(&words))
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| error.format(&mut tree));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            help::print(&error, lang);
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    keep_memory_off_the_disk();
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers(cli.command.as_ref()))
        .enable_all()
        .build()
    else {
        return Exit::Internal.into();
    };
    let mut out = Output::new(
        format(&cli.global),
        first_view(&cli.global),
        cli.global.color,
    );
    let ended = runtime.block_on(dispatch(cli, &mut out));
    // Nothing that still runs may hold the process back: what matters was awaited.
    runtime.shutdown_background();
    finish(&mut out, ended).into()
}

/// The console draws on the main thread, so that one more carries its work; fewer threads wake less often.
/// It is not the main thread's own work: a terminal that takes no bytes must not hold up an answer.
fn workers(command: Option<&Command>) -> usize {
    match command {
        None | Some(Command::Console) => 1,
        Some(_) => 2,
    }
}

/// S19: no core file, and no debugger of the same user, reads keys out of this process.
fn keep_memory_off_the_disk() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Where the system does not allow it, doctor says so.
    let _allowed = setrlimit(Resource::Core, none);
    let _allowed = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn finish(out: &mut Output, ended: Result<Exit, CliError>) -> Exit {
    let ended = ended.and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit,
        Err(failure) => {
            let exit = exit_code(&failure);
            if exit != Exit::Done {
                let said = said::said(&failure, &out.view);
                let (what, next) = (said.what(&out.view), said.next(&out.view));
                let record = said.record(exit, &out.view);
                // Where even this cannot be said, the exit code still says it.
                let _said = out.failure(&record, &what, &next);
            }
            exit
        }
    }
}

/// `cancel ID --now` means at once there: elsewhere `--now` takes a time.
fn at_once(words: &[OsString]) -> Vec<OsString> {
    let is_cancel = words.iter().any(|word| word == "cancel");
    let is_time = |word: Option<&OsString>| {
        word.and_then(|word| word.to_str())
            .is_some_and(|word| super::args::instant(word).is_ok())
    };
    let mut rewritten = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        if is_cancel && word == OsStr::new("--now") && !is_time(words.get(at + 1)) {
            rewritten.push(OsString::from("--immediately"));
        } else {
            rewritten.push(word.clone());
        }
    }
    rewritten
}

fn format(global: &Global) -> Format {
    if global.json {
        Format::Json
    } else {
        Format::Human
    }
}

/// Before there are settings: the language of the environment, and the usual zone.
fn first_view(global: &Global) -> View {
    let lang = global.lang.map_or_else(environment_language, Lang::from);
    View {
        locale: Locale::get(lang),
        zone: chrono_tz::Asia::Seoul,
        personal: Personal::Masked,
    }
}

fn environment_language() -> Lang {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .map_or(Lang::En, |tag| Lang::parse(&tag))
}

/// What the settings say of language, zone and masking.
fn view(global: &Global, settings: &Settings) -> View {
    let lang = match (global.lang, settings.ui.language) {
        (Some(lang), _) => lang.into(),
        (None, Language::Korean) => Lang::Ko,
        (None, Language::English) => Lang::En,
        (None, Language::Auto) => environment_language(),
    };
    View {
        locale: Locale::get(lang),
        zone: settings.billing.zone,
        personal: settings.ui.personal,
    }
}

async fn dispatch(cli: Cli, out: &mut Output) -> Result<Exit, CliError> {
    let global = cli.global;
    let command = cli.command.unwrap_or(Command::Console);
    let permit = permit::gate(&command, &global)?;
    let permit = permit.as_ref();
    match command {
        Command::States => service::states(out)?,
        Command::Keys => service::keys(out)?,
        Command::Completions(args) => service::completions(out, &args)?,
        Command::Man => service::man(out)?,
        Command::Sandbox(args) => service::sandbox(out, expect(permit)?, &args).await?,
        Command::Vault(VaultCommand::NewKey(args)) => {
            vault::new_key(out, expect(permit)?, &args)?;
        }
        Command::Init(args) => setup::init(out, permit, &args).await?,
        Command::Demo(args) => {
            return Box::pin(demo(out, expect(permit)?, &args, global)).await;
        }
        Command::Paths => {
            let settings = open::settings(&global).ok();
            service::paths(out, settings.as_ref())?;
        }
        other => return Box::pin(with_settings(other, permit, &global, out)).await,
    }
    Ok(Exit::Done)
}

/// What has no dry run came through the gate with its permit.
fn expect(permit: Option<&Permit>) -> Result<&Permit, CliError> {
    permit.ok_or_else(|| CliError::Internal("a verb that writes has no permit".to_owned()))
}

async fn demo(
    out: &mut Output,
    permit: &Permit,
    args: &DemoArgs,
    global: Global,
) -> Result<Exit, CliError> {
    let Some(stage) = demo::run(out, permit, args, &global).await? else {
        return Ok(Exit::Done);
    };
    // The screens follow the person's language; the data is Korean either way.
    let lang = match out.view.locale.lang() {
        Lang::Ko => LangArg::Ko,
        Lang::En => LangArg::En,
    };
    let global = Global {
        config: Some(stage.config.clone()),
        lang: Some(lang),
        ..global
    };
    let ended = Box::pin(with_settings(Command::Console, Some(permit), &global, out)).await;
    stage.end().await;
    ended
}

async fn with_settings(
    command: Command,
    permit: Option<&Permit>,
    global: &Global,
    out: &mut Output,
) -> Result<Exit, CliError> {
    if let Command::Doctor(args) = &command {
        if let Ok(settings) = open::settings(global) {
            out.view = view(global, &settings);
        }
        return match args.command {
            None => doctor::run(out, global).await,
            Some(DoctorCommand::GoLive) => doctor::go_live(out, global).await,
        };
    }
    if matches!(command, Command::Console) {
        console::expect_terminal()?;
    }
    let settings = open::settings(global)?;
    out.view = view(global, &settings);
    let _telemetry = telemetry::start(&settings.log)?;
    match command {
        Command::Config(ConfigCommand::Print) => service::config(out, &settings)?,
        Command::Migrate => setup::migrate(out, permit, &settings).await?,
        other => {
            let looking = Global {
                read_only: permit::opens_read_only(&other, global),
                ..global.clone()
            };
            let mut opened = open::open(settings, &looking).await?;
            let ended = Box::pin(with_database(other, permit, &looking, &mut opened, out)).await;
            opened.store.close().await;
            return ended;
        }
    }
    Ok(Exit::Done)
}

/// Verbs that look; those that act go on to the engine.
async fn with_database(
    command: Command,
    permit: Option<&Permit>,
    global: &Global,
    opened: &mut Opened,
    out: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        Command::Find(args) => return find::run(out, &opened.store, &args).await,
        Command::List(args) => rows(out, opened, args.list, &args.page).await?,
        Command::Unknown(UnknownCommand::List(page)) => {
            rows(out, opened, ListKind::Unknown, &page).await?;
        }
        Command::Approve(ApproveCommand::List) => approve::list(out, &opened.store).await?,
        Command::Approve(ApproveCommand::Show(args)) => {
            approve::show(out, &opened.store, &args).await?;
        }
        Command::Show(args) => show::run(out, &opened.store, &args).await?,
        Command::Export(args) => export::run(out, opened, permit, &args).await?,
        Command::Report(ReportCommand::Revenue(args)) => {
            report::revenue(out, opened, &args).await?;
        }
        Command::Report(ReportCommand::Mrr(args)) => report::mrr(out, opened, &args).await?,
        Command::Report(ReportCommand::Fees(args)) => report::fees(out, opened, &args).await?,
        Command::Console => return console::run(out, expect(permit)?, global, opened).await,
        Command::Audit(AuditCommand::Verify) => return audit::verify(out, &opened.store).await,
        other => return Box::pin(acting::run(out, other, permit, global, opened)).await,
    }
    Ok(Exit::Done)
}

async fn rows(
    out: &mut Output,
    opened: &Opened,
    list: ListKind,
    page: &PageArgs,
) -> Result<(), CliError> {
    let customer = match &page.customer {
        Some(typed) => Some(resolve::id(&opened.store, Noun::Customer, typed).await?),
        None => None,
    };
    let query = list::query(page, customer, &out.view)?;
    list::run(out, &opened.store, list, page, query, opened.settings.mode).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(words: &[&str]) -> Vec<String> {
        at_once(&words.iter().map(OsString::from).collect::<Vec<_>>())
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect()
    }

    #[test]
    fn now_means_at_once_for_cancel_and_a_time_elsewhere() {
        assert_eq!(
            rewritten(&["paydeck", "cancel", "x", "--now"])[3],
            "--immediately"
        );
        assert_eq!(
            rewritten(&["paydeck", "cancel", "--now", "x"])[2],
            "--immediately"
        );
        let both = [
            "paydeck",
            "--now",
            "2026-03-01T00:00:00Z",
            "cancel",
            "x",
            "--now",
        ];
        assert_eq!(
            rewritten(&both)[1..],
            [
                "--now",
                "2026-03-01T00:00:00Z",
                "cancel",
                "x",
                "--immediately"
            ]
        );
        assert_eq!(rewritten(&["paydeck", "list", "--now"])[2], "--now");
    }
}
