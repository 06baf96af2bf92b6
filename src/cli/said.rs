//! What a person reads about a failure: the thing, the reason and the next step, in the locale.
//!
//! Every variant has its key below `error.`. No text holds a secret, and outside strings pass through
//! `Shown` on the way in.

use super::error::CliError;
use super::exit::Exit;
use super::record::Record;
use super::view::View;
use crate::domain::attempt::NotAbsent;
use crate::domain::ids::{IdError, Noun};
use crate::domain::money::MoneyError;
use crate::domain::operator::Denied;
use crate::domain::payment::RefundError;
use crate::engine::ports::{Constraint, KeyVaultError, ProviderError, StoreError};
use crate::engine::queries::ReportError;
use crate::engine::{LimitOf, Refused, VerbError};
use crate::sandbox::SandboxError;

/// A key of the locale below `error.`, and what fills its placeholders.
pub struct Said {
    pub key: &'static str,
    args: Vec<(&'static str, String)>,
}

impl Said {
    fn new(key: &'static str) -> Self {
        Self {
            key,
            args: Vec::new(),
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers give owned texts and references alike"
    )]
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.args.push((name, value.to_string()));
        self
    }

    fn text(&self, part: &str, view: &View) -> String {
        let args: Vec<(&str, &str)> = self
            .args
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        view.locale
            .t_args(&format!("error.{}.{part}", self.key), &args)
    }

    /// The thing and the reason.
    pub fn what(&self, view: &View) -> String {
        self.text("what", view)
    }

    /// The next step.
    pub fn next(&self, view: &View) -> String {
        self.text("next", view)
    }

    /// As scripts read it on standard error.
    pub fn record(&self, exit: Exit, view: &View) -> Record {
        Record::of("error")
            .word("code", "", self.key)
            .number("exit", exit.code())
            .text("message", &self.what(view))
            .text("next", &self.next(view))
    }
}

/// What to tell a person about an error.
pub fn said(error: &CliError, view: &View) -> Said {
    match error {
        CliError::Config(error) => Said::new("config").with("detail", chain(error)),
        CliError::Vault(error) => Said::new("vault").with("detail", chain(error)),
        CliError::Telemetry(error) => Said::new("telemetry").with("detail", chain(error)),
        CliError::Provider(error) => Said::new("provider").with("detail", chain(error)),
        CliError::Stripe(error) => Said::new("provider").with("detail", chain(error)),
        CliError::Sandbox(error) => said_of_sandbox(error),
        CliError::Store(error) | CliError::Report(ReportError::Store(error)) => {
            said_of_store(error, view)
        }
        CliError::Verb(error) => said_of_verb(error, view),
        CliError::Id(error) => said_of_id(error),
        CliError::Filter(error) => Said::new("filter").with("detail", error),
        CliError::Report(error) => Said::new("report").with("detail", error),
        CliError::Input {
            what,
            typed,
            reason,
        } => Said::new("input")
            .with("what", what)
            .with("typed", cut(typed))
            .with("detail", reason),
        CliError::Amount { typed, source } => said_of_amount(typed, source),
        CliError::NotFound { what, typed } => not_found(noun_word(what, view), typed),
        CliError::Ambiguous { what, typed } => Said::new("ambiguous")
            .with("noun", noun_word(what, view))
            .with("typed", cut(typed)),
        CliError::OtherMode {
            database,
            configured,
        } => Said::new("other_mode")
            .with("database", database)
            .with("configured", configured),
        CliError::OtherZone {
            database,
            configured,
        } => Said::new("other_zone")
            .with("database", database)
            .with("configured", configured),
        CliError::OtherKey { database, loaded } => Said::new("other_key")
            .with("database", database)
            .with("loaded", loaded),
        CliError::NoDryRun { command } => Said::new("no_dry_run").with("command", command),
        CliError::ReadOnlySession { command } => Said::new("read_only").with("verb", command),
        CliError::NotAdmin { command, person } => Said::new("denied")
            .with("verb", command)
            .with("person", person)
            .with("roles", view.locale.label("role", "admin")),
        CliError::NoAudit => Said::new("no_audit"),
        CliError::NoConfiguration => Said::new("no_configuration"),
        CliError::NowInLive => Said::new("now_in_live"),
        CliError::NeedsPlan => Said::new("needs_plan"),
        CliError::NotConfirmed => Said::new("not_confirmed"),
        CliError::PlanWithoutYes => Said::new("plan_without_yes"),
        CliError::NotATerminal => Said::new("not_a_terminal"),
        CliError::Console(error) => Said::new("console").with("detail", chain(error)),
        CliError::File { path, source } => Said::new("file")
            .with("path", path.display())
            .with("detail", source),
        CliError::Exists { path } => Said::new("exists").with("path", path.display()),
        CliError::Output(error) => Said::new("output").with("detail", error),
        CliError::SimClock(detail) => Said::new("sim_clock").with("detail", detail),
        CliError::Internal(detail) => Said::new("internal").with("detail", detail),
    }
}

fn said_of_id(error: &IdError) -> Said {
    match error {
        IdError::TooShort(typed) => Said::new("id_too_short").with("typed", typed),
        IdError::OtherNoun { expected, found } => Said::new("id_other_noun")
            .with("expected", expected)
            .with("typed", found),
        IdError::NotAnId(typed) => Said::new("not_an_id").with("typed", typed),
    }
}

fn not_found(noun: String, typed: &str) -> Said {
    Said::new("not_found")
        .with("noun", noun)
        .with("typed", cut(typed))
}

fn said_of_sandbox(error: &SandboxError) -> Said {
    let key = match error {
        SandboxError::NotRunning { .. } => "sandbox_not_running",
        SandboxError::Starting { .. } => "sandbox_starting",
        SandboxError::AlreadyRunning { .. } => "sandbox_running",
        SandboxError::NotLoopback { .. } => "sandbox_not_loopback",
        _ => "sandbox",
    };
    Said::new(key).with("detail", chain(error))
}

fn said_of_amount(typed: &str, error: &MoneyError) -> Said {
    match error {
        MoneyError::WrongDecimals { currency, exponent } => Said::new("amount_decimals")
            .with("typed", cut(typed))
            .with("currency", currency)
            .with("exponent", exponent),
        MoneyError::Overflow => Said::new("amount_overflow").with("typed", cut(typed)),
        MoneyError::UnknownCurrency(code) => Said::new("currency").with("typed", code),
        MoneyError::NotAnAmount(_) | MoneyError::CurrencyMismatch { .. } => Said::new("amount")
            .with("typed", cut(typed))
            .with("detail", error),
    }
}

pub fn said_of_store(error: &StoreError, view: &View) -> Said {
    match error {
        StoreError::Busy(_) => Said::new("store_busy"),
        StoreError::Unreachable(source) => Said::new("store_unreachable").with("detail", source),
        StoreError::CommitUnknown(_) => Said::new("commit_unknown"),
        StoreError::Stale { .. } => Said::new("stale"),
        StoreError::Refused(constraint) => Said::new(of_constraint(*constraint)),
        StoreError::NotFound { noun } => Said::new("row_gone").with("noun", noun_of(*noun, view)),
        StoreError::Unsupported { .. } => Said::new("unsupported").with("detail", error),
        StoreError::WrongDatabase(detail) => Said::new("wrong_database").with("detail", detail),
        StoreError::BadRow { table, id, reason } => Said::new("bad_row")
            .with("table", table)
            .with("id", id)
            .with("detail", reason),
        StoreError::Other(source) => Said::new("store").with("detail", source),
    }
}

fn of_constraint(constraint: Constraint) -> &'static str {
    match constraint {
        Constraint::OpenCharge
        | Constraint::OpenRefund
        | Constraint::AttemptNumber
        | Constraint::OpenWish => "constraint_open",
        Constraint::TwoSchedulers => "two_schedulers",
        Constraint::OneSubscription => "one_subscription",
        Constraint::CustomerKey | Constraint::Code => "constraint_taken",
        Constraint::RefundBalance => "constraint_balance",
        Constraint::FourEyes => "own_request",
        Constraint::OrderId
        | Constraint::IdempotencyKey
        | Constraint::InvoicePeriod
        | Constraint::SettledState
        | Constraint::NotUndone
        | Constraint::AppendOnly
        | Constraint::OpenApproval
        | Constraint::Approval
        | Constraint::Other => "constraint",
    }
}

fn said_of_verb(error: &VerbError, view: &View) -> Said {
    match error {
        VerbError::Denied(Denied::ReadOnly { verb }) => {
            Said::new("read_only").with("verb", view.locale.label("verb", verb.as_str()))
        }
        VerbError::Denied(Denied::Role { verb, person }) => {
            let roles: Vec<&str> = verb
                .roles()
                .iter()
                .map(|role| view.locale.label("role", role.as_str()))
                .collect();
            Said::new("denied")
                .with("verb", view.locale.label("verb", verb.as_str()))
                .with("person", person)
                .with("roles", roles.join(", "))
        }
        VerbError::Stale => Said::new("stale"),
        VerbError::Refused(refused) => said_of_refused(refused, view),
        VerbError::Amount(RefundError::NotPositive) => Said::new("refund_not_positive"),
        VerbError::Amount(RefundError::TooMuch { refundable }) => {
            Said::new("refund_too_much").with("refundable", view.money(*refundable))
        }
        VerbError::Amount(RefundError::Money(error)) => said_of_amount("", error),
        VerbError::Input { field, reason } => Said::new("input")
            .with("what", field)
            .with("typed", "")
            .with("detail", reason),
        VerbError::Store(error) => said_of_store(error, view),
        VerbError::Provider(
            error @ (ProviderError::Unanswered { .. } | ProviderError::Silent { .. }),
        ) => Said::new("not_answered").with("detail", error),
        VerbError::Provider(error) => Said::new("provider_list").with("detail", error),
        VerbError::Vault(error) => Said::new(match error {
            KeyVaultError::UnknownKey { .. } => "vault_unknown_key",
            KeyVaultError::Unreadable { .. } | KeyVaultError::Seal(_) => "vault",
        })
        .with("detail", error),
        VerbError::Range(detail) => Said::new("range").with("detail", detail),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm per refusal and nothing else"
)]
fn said_of_refused(refused: &Refused, view: &View) -> Said {
    match refused {
        Refused::InProgress {
            attempt,
            operator,
            since,
        } => Said::new("in_progress")
            .with("attempt", attempt)
            .with("operator", operator)
            .with("since", view.at(*since)),
        Refused::AlreadyPaid => Said::new("already_paid"),
        Refused::NotChargeable => Said::new("not_chargeable"),
        Refused::NothingDeclined => Said::new("nothing_declined"),
        Refused::NoMethod => Said::new("no_method"),
        Refused::NotForgotten(provider) => Said::new("not_forgotten")
            .with("provider", view.locale.label("provider", provider.as_str())),
        Refused::KeyDeleted => Said::new("key_deleted"),
        Refused::SubscriptionState(state) => Said::new("subscription_state").with(
            "state",
            view.locale.label("state.subscription", state.as_str()),
        ),
        Refused::NothingScheduled => Said::new("nothing_scheduled"),
        Refused::ScheduledElsewhere => Said::new("scheduled_elsewhere"),
        Refused::AlreadySo => Said::new("already_so"),
        Refused::NotMirrored => Said::new("not_mirrored"),
        Refused::AlreadyScheduled => Said::new("already_scheduled"),
        Refused::OneSubscription => Said::new("one_subscription"),
        Refused::PlanInactive => Said::new("plan_inactive"),
        Refused::PlanAlreadyInactive => Said::new("plan_already_inactive"),
        Refused::Taken(what) => Said::new("taken").with("what", what),
        Refused::NeedsApproval { limit, of } => Said::new(match of {
            LimitOf::Once => "needs_approval",
            LimitOf::Day => "needs_approval_today",
        })
        .with("limit", view.money(*limit)),
        Refused::TooManyRefunds { most } => {
            Said::new("too_many_refunds").with("most", most.to_string())
        }
        Refused::Settled => Said::new("settled"),
        Refused::OtherAmount { wanted, given } => Said::new("other_amount")
            .with("wanted", view.money(*wanted))
            .with("given", view.money(*given)),
        Refused::ApprovalNotNeeded => Said::new("approval_not_needed"),
        Refused::AlreadyAsked {
            approval,
            person,
            until,
        } => Said::new("already_asked")
            .with("approval", approval)
            .with("person", person)
            .with("until", view.at(*until)),
        Refused::OwnRequest => Said::new("own_request"),
        Refused::ApprovalExpired => Said::new("approval_expired"),
        Refused::ApprovalDecided(state) => Said::new("approval_decided")
            .with("state", view.locale.label("state.approval", state.as_str())),
        Refused::NotWaiting => Said::new("not_waiting"),
        Refused::BalanceMoved => Said::new("balance_moved"),
        Refused::CannotBeEnded => Said::new("cannot_be_ended"),
        Refused::NoLink => Said::new("no_link"),
        Refused::KeyForgotten { until } => {
            Said::new("key_forgotten").with("until", view.at(*until))
        }
        Refused::MayBeExecuted(why) => said_of_absence(*why, view),
        Refused::Listed => Said::new("listed"),
        Refused::ListProvesNothing { rows } => Said::new("list_proves_nothing").with("rows", rows),
        Refused::OtherAccount => Said::new("other_account"),
        Refused::BelowMinimum(least) => {
            Said::new("below_minimum").with("least", view.money(*least))
        }
        Refused::CardRefused(code) => Said::new("card_refused").with("code", code),
        Refused::BreakerOpen => Said::new("breaker_open"),
        Refused::AboveMaximum(most) => Said::new("above_maximum").with("most", view.money(*most)),
        Refused::LastDigit(currency) => Said::new("last_digit").with("currency", currency),
        Refused::CurrencyNotTaken { provider, currency } => Said::new("currency_not_taken")
            .with("provider", view.locale.label("provider", provider.as_str()))
            .with("currency", currency),
        Refused::AmountMismatch | Refused::ChargeNotSettled | Refused::NoProvider(_) => {
            Said::new("refused").with("detail", refused)
        }
    }
}

fn said_of_absence(why: NotAbsent, view: &View) -> Said {
    match why {
        NotAbsent::StillWanted => Said::new("still_wanted"),
        NotAbsent::TooSoon { until } => Said::new("too_soon").with("until", view.at(until)),
        NotAbsent::Seen => Said::new("was_seen"),
        NotAbsent::OtherBalance => Said::new("other_balance"),
        NotAbsent::TooFewLookUps { have } => Said::new("too_few_look_ups").with("have", have),
    }
}

/// The locale's key of a noun.
pub const fn noun_name(noun: Noun) -> &'static str {
    match noun {
        Noun::Customer => "customer",
        Noun::Method => "payment_method",
        Noun::Product => "product",
        Noun::Plan => "plan",
        Noun::Subscription => "subscription",
        Noun::Invoice => "invoice",
        Noun::Attempt => "attempt",
        Noun::Payment => "payment",
        Noun::Refund => "refund",
        Noun::Run => "run",
        Noun::Approval => "approval",
    }
}

/// A noun in the reader's language.
fn noun_of(noun: Noun, view: &View) -> String {
    noun_word(noun_name(noun), view)
}

fn noun_word(word: &str, view: &View) -> String {
    view.locale.label("noun", word).to_owned()
}

/// An error and what caused it, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}

fn cut(typed: &str) -> String {
    typed.chars().take(60).collect()
}
