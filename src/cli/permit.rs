//! What each command is: does it only read, plan, or write? Said once for each, here.
//!
//! `--dry-run` and `--read-only` are kept by construction: whatever writes takes a [`Permit`], and only
//! [`gate`] gives one, which it does not for a dry run or a session that changes nothing. The match has
//! no wildcard: a new command does not compile before it has said what it is.

use super::args::{
    ApproveCommand, AuditCommand, BillCommand, CheckoutCommand, Command, ConfigCommand,
    CustomerCommand, Global, MethodCommand, MirrorCommand, PlanCommand, ReportCommand,
    UnknownCommand, VaultCommand,
};
use super::error::CliError;

/// What a command does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// It changes nothing; a dry run of it opens the database read-only.
    Reads,
    /// The engine makes a plan first, which is what a dry run prints.
    Plans,
    /// It writes, and its dry run says what it would do.
    Rehearses,
    /// It writes, and has no dry run.
    Writes,
    /// The console: it looks in a session that changes nothing, and has no dry run.
    Opens,
}

/// Without one nothing that writes can be called.
#[derive(Debug)]
pub struct Permit(());

/// The command's words, and what it is.
pub const fn declared(command: &Command) -> (&'static str, Nature) {
    use Nature::{Opens, Plans, Reads, Rehearses, Writes};
    match command {
        Command::Console => ("console", Opens),
        Command::Demo(_) => ("demo", Writes),
        Command::Sandbox(_) => ("sandbox", Writes),
        Command::Init(_) => ("init", Rehearses),
        Command::Migrate => ("migrate", Rehearses),
        Command::Export(_) => ("export", Rehearses),
        Command::Reconcile => ("reconcile", Rehearses),
        Command::Bill(BillCommand::Run(_)) => ("bill run", Rehearses),
        Command::Vault(VaultCommand::Rotate) => ("vault rotate", Rehearses),
        Command::Vault(VaultCommand::NewKey(_)) => ("vault new-key", Writes),
        Command::Customer(CustomerCommand::Create(_)) => ("customer create", Plans),
        Command::Method(MethodCommand::Add(_)) => ("method add", Plans),
        Command::Method(MethodCommand::Swap(_)) => ("method swap", Plans),
        Command::Method(MethodCommand::Use(_)) => ("method use", Plans),
        Command::Method(MethodCommand::Delete(_)) => ("method delete", Plans),
        Command::Subscribe(_) => ("subscribe", Plans),
        Command::OneTime(_) => ("one-time", Plans),
        Command::Checkout(CheckoutCommand::Open(_)) => ("checkout open", Plans),
        Command::Checkout(CheckoutCommand::Confirm(_)) => ("checkout confirm", Plans),
        Command::Plan(PlanCommand::Create(_)) => ("plan create", Plans),
        Command::Plan(PlanCommand::Edit(_)) => ("plan edit", Plans),
        Command::Plan(PlanCommand::Deactivate(_)) => ("plan deactivate", Plans),
        Command::Charge(_) => ("charge", Plans),
        Command::Retry(_) => ("retry", Plans),
        Command::Refund(_) => ("refund", Plans),
        Command::Cancel(_) => ("cancel", Plans),
        Command::Note(_) => ("note", Plans),
        Command::Mirror(MirrorCommand::Add(_)) => ("mirror add", Writes),
        Command::Mirror(MirrorCommand::Pull) => ("mirror pull", Writes),
        Command::Mirror(MirrorCommand::Pause(_)) => ("mirror pause", Plans),
        Command::Mirror(MirrorCommand::Resume(_)) => ("mirror resume", Plans),
        Command::Mirror(MirrorCommand::Void(_)) => ("mirror void", Plans),
        Command::Mirror(MirrorCommand::GiveUp(_)) => ("mirror give-up", Plans),
        Command::Unknown(UnknownCommand::Resolve(_)) => ("unknown resolve", Plans),
        Command::Unknown(UnknownCommand::SendAgain(_)) => ("unknown send-again", Plans),
        Command::Unknown(UnknownCommand::Link(_)) => ("unknown link", Writes),
        Command::Unknown(UnknownCommand::NotExecuted(_)) => ("unknown not-executed", Plans),
        Command::Approve(ApproveCommand::Grant(_)) => ("approve grant", Plans),
        Command::Approve(ApproveCommand::Reject(_)) => ("approve reject", Plans),
        Command::Approve(ApproveCommand::List) => ("approve list", Reads),
        Command::Approve(ApproveCommand::Show(_)) => ("approve show", Reads),
        Command::Unknown(UnknownCommand::List(_)) => ("unknown list", Reads),
        Command::Doctor(_) => ("doctor", Reads),
        Command::Find(_) => ("find", Reads),
        Command::List(_) => ("list", Reads),
        Command::Show(_) => ("show", Reads),
        Command::States => ("states", Reads),
        Command::Report(ReportCommand::Revenue(_)) => ("report revenue", Reads),
        Command::Report(ReportCommand::Mrr(_)) => ("report mrr", Reads),
        Command::Report(ReportCommand::Fees(_)) => ("report fees", Reads),
        Command::Audit(AuditCommand::Verify) => ("audit verify", Reads),
        Command::Paths => ("paths", Reads),
        Command::Keys => ("keys", Reads),
        Command::Completions(_) => ("completions", Reads),
        Command::Man => ("man", Reads),
        Command::Config(ConfigCommand::Print) => ("config print", Reads),
    }
}

/// Gives what writes its permit; none for a dry run and for commands that read. What cannot be
/// rehearsed, or may not be done in this session, is refused before anything is opened.
pub fn gate(command: &Command, global: &Global) -> Result<Option<Permit>, CliError> {
    let (words, nature) = declared(command);
    match (nature, global.dry_run, global.read_only) {
        (Nature::Writes | Nature::Opens, true, _) => Err(CliError::NoDryRun { command: words }),
        // Those of the engine are refused by the engine, with their verb's own name.
        (Nature::Writes | Nature::Rehearses, false, true) => {
            Err(CliError::ReadOnlySession { command: words })
        }
        (Nature::Reads, _, _) | (Nature::Rehearses | Nature::Plans, true, _) => Ok(None),
        (Nature::Writes | Nature::Rehearses | Nature::Plans | Nature::Opens, false, _) => {
            Ok(Some(Permit(())))
        }
    }
}

/// Whether the database is opened so that nothing can be written to it.
pub const fn opens_read_only(command: &Command, global: &Global) -> bool {
    global.read_only || global.dry_run && matches!(declared(command).1, Nature::Reads)
}
