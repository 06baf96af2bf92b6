//! Verbs that act: the person is checked, the engine is put together, the request is made and done.

use super::{act, approve, bill, mirror, vault};
use crate::cli::args::{
    ApproveCommand, BillCommand, CheckoutCommand, Command, CustomerCommand, Global, MethodCommand,
    MirrorCommand, PlanCommand, ResolveArgs, UnknownCommand, VaultCommand,
};
use crate::cli::audit::{self, Press};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open::Opened;
use crate::cli::output::Output;
use crate::cli::permit::{self, Permit};
use crate::cli::records;
use crate::cli::requests;
use crate::cli::resolve;
use crate::cli::wiring::{self, LiveEngine};
use crate::domain::ids::{AttemptId, Noun};
use crate::domain::operator::{Access, Denied, Verb};
use crate::engine::ports::Clock as _;
use crate::engine::queries::Reads as _;
use crate::engine::{Request, VerbError};

const ROTATE: &str = "vault rotate";

/// The capability a command needs; none for those that change nothing.
fn verb(command: &Command) -> Option<Verb> {
    Some(match command {
        Command::Charge(_) | Command::Unknown(UnknownCommand::Link(_)) => Verb::Charge,
        Command::Retry(_) => Verb::Retry,
        Command::Refund(_) => Verb::Refund,
        Command::Cancel(args) if args.undo => Verb::UndoCancel,
        Command::Cancel(args) if args.at_end => Verb::CancelAtEnd,
        Command::Cancel(_) | Command::Mirror(MirrorCommand::Void(_) | MirrorCommand::GiveUp(_)) => {
            Verb::CancelNow
        }
        Command::Subscribe(_) | Command::Mirror(MirrorCommand::Add(_)) => Verb::Subscribe,
        Command::OneTime(_) | Command::Checkout(_) => Verb::OneTime,
        Command::Customer(CustomerCommand::Create(_)) => Verb::CreateCustomer,
        Command::Method(_) => Verb::SwapCard,
        Command::Plan(PlanCommand::Create(_)) => Verb::CreatePlan,
        Command::Plan(PlanCommand::Edit(_)) | Command::Vault(VaultCommand::Rotate) => {
            Verb::EditPlan
        }
        Command::Plan(PlanCommand::Deactivate(_)) => Verb::DeactivatePlan,
        Command::Note(_) => Verb::Note,
        Command::Unknown(UnknownCommand::Resolve(_) | UnknownCommand::SendAgain(_))
        | Command::Reconcile
        | Command::Mirror(MirrorCommand::Pull) => Verb::ResolveUnknown,
        Command::Mirror(MirrorCommand::Pause(_)) => Verb::Pause,
        Command::Mirror(MirrorCommand::Resume(_)) => Verb::Resume,
        Command::Unknown(UnknownCommand::NotExecuted(_)) => Verb::ForceState,
        Command::Approve(_) => Verb::Approve,
        Command::Bill(BillCommand::Run(_)) => Verb::BillRun,
        _ => return None,
    })
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm per command and nothing else"
)]
pub async fn run(
    out: &mut Output,
    command: Command,
    permit: Option<&Permit>,
    global: &Global,
    opened: &mut Opened,
) -> Result<Exit, CliError> {
    let Some(verb) = verb(&command) else {
        return Err(CliError::Internal("this verb is not built in".to_owned()));
    };
    // Taking a request back is also its author's: the engine, which reads it, decides. Of what is not there nobody is
    // the author.
    let is_there = match &command {
        Command::Approve(reject @ ApproveCommand::Reject(_)) => {
            approve::decision(&opened.store, reject).await.is_ok()
        }
        _ => false,
    };
    if !is_there {
        check(opened, verb, permit, permit::declared(&command).0).await?;
    }
    // What neither asks the provider nor opens a key needs neither of them.
    let engine = match &command {
        Command::Customer(_) | Command::Note(_) | Command::Plan(_) => {
            wiring::looking_engine(opened).await?
        }
        _ => wiring::engine(opened, permit).await?,
    };
    let store = &opened.store;
    let request: Request = match command {
        Command::Bill(BillCommand::Run(args)) => {
            return bill::run(out, &engine, opened, permit, global, &args).await;
        }
        Command::Vault(VaultCommand::Rotate) => {
            return vault::rotate(out, &engine, opened, permit).await;
        }
        Command::Reconcile => {
            let ended = Box::pin(bill::reconcile(out, &engine, opened, permit)).await;
            if permit.is_some() {
                // Where no console is open, nobody else adds up what runs have written. Figures are
                // exact without it, so a failure is the next one's to mend.
                let _later = opened.store.refresh_figures(0).await;
            }
            return ended;
        }
        Command::Unknown(UnknownCommand::Link(args)) => {
            return link(out, &engine, opened, permit, &args).await;
        }
        Command::Mirror(command) => match requests::mirrored(store, &command).await? {
            Some(request) => request,
            None => return mirror::carry_out(out, &engine, opened, permit, &command).await,
        },
        Command::Charge(args) => requests::charge(store, &args).await?,
        Command::Retry(args) => requests::retry(store, &args).await?,
        Command::Refund(args) => requests::refund(store, &args).await?,
        Command::Cancel(args) => requests::cancel(store, &args).await?,
        Command::Subscribe(args) => requests::subscribe(store, &args).await?,
        Command::OneTime(args) => requests::one_time(store, &args).await?,
        Command::Checkout(CheckoutCommand::Open(args)) => requests::checkout(store, &args).await?,
        Command::Checkout(CheckoutCommand::Confirm(args)) => requests::confirm(&args)?,
        Command::Customer(CustomerCommand::Create(args)) => requests::create_customer(&args),
        Command::Method(MethodCommand::Add(args) | MethodCommand::Swap(args)) => {
            requests::method(store, &args).await?
        }
        Command::Method(MethodCommand::Use(args)) => Request::UseMethod {
            method: requests::card(store, &args).await?,
        },
        Command::Method(MethodCommand::Delete(args)) => Request::DeleteMethod {
            method: requests::card(store, &args).await?,
        },
        Command::Plan(PlanCommand::Create(args)) => requests::create_plan(&args)?,
        Command::Plan(PlanCommand::Edit(args)) => requests::edit_plan(store, &args).await?,
        Command::Plan(PlanCommand::Deactivate(args)) => {
            requests::deactivate_plan(store, &args).await?
        }
        Command::Note(args) => requests::note(store, &args).await?,
        Command::Unknown(UnknownCommand::Resolve(args)) => {
            requests::resolve_unknown(store, &args).await?
        }
        Command::Unknown(UnknownCommand::SendAgain(args)) => {
            requests::send_again(store, &args).await?
        }
        Command::Unknown(UnknownCommand::NotExecuted(args)) => {
            requests::not_executed(store, &args).await?
        }
        Command::Approve(command) => approve::decision(store, &command).await?,
        _ => return Err(CliError::Internal("this verb is not built in".to_owned())),
    };
    act::act(out, &engine, &opened.operator, permit, global, &request).await
}

/// Shows where the customer answers their bank; that it was shown is written down.
async fn link(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
    _permit: Option<&Permit>,
    args: &ResolveArgs,
) -> Result<Exit, CliError> {
    let attempt = AttemptId(resolve::id(&opened.store, Noun::Attempt, &args.attempt).await?);
    let link = engine.customer_link(&opened.operator, attempt).await?;
    out.record(&records::link(&link))?;
    Ok(Exit::Done)
}

/// The engine checks again; here the answer comes before anything is opened, and leaves its row.
async fn check(
    opened: &Opened,
    verb: Verb,
    permit: Option<&Permit>,
    command: &'static str,
) -> Result<(), CliError> {
    let Err(denied) = opened.operator.check(verb) else {
        return Ok(());
    };
    // Keys are an admin's matter, as plans are; there is no verb of its own for it.
    let is_rotation = command == ROTATE;
    if let (Access::ReadWrite, Some(permit)) = (opened.operator.access, permit) {
        let reason = denied.to_string();
        let press = Press {
            verb: if is_rotation {
                "rotate-key"
            } else {
                verb.as_str()
            },
            target: "",
            after: "",
            reason: &reason,
            result: "refused",
        };
        audit::record(
            permit,
            &opened.store,
            (opened.settings.mode, opened.clock.now()),
            &opened.operator,
            press,
        )
        .await?;
    }
    match denied {
        Denied::Role { person, .. } if is_rotation => Err(CliError::NotAdmin {
            command: ROTATE,
            person,
        }),
        Denied::ReadOnly { .. } | Denied::Role { .. } => Err(VerbError::from(denied).into()),
    }
}
