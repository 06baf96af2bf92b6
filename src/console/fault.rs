//! What went wrong, as plain data that a screen can say in words.
//!
//! Errors of the engine and the database end here: what is kept is which text to show and what belongs into it, never
//! a driver's own message. Texts are `dialog.fault.KIND.what` and `.next`.

use chrono::{DateTime, Utc};

use crate::domain::attempt::NotAbsent;
use crate::domain::money::Money;
use crate::domain::operator::{Denied, Verb};
use crate::domain::payment::RefundError;
use crate::domain::states::{ApprovalState, SubscriptionState};
use crate::engine::ports::{Constraint, ProviderError, StoreError};
use crate::engine::{LimitOf, Refused, VerbError};

/// Something that belongs into a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    Text(String),
    Money(Money),
    Time(DateTime<Utc>),
    Verb(Verb),
    State(SubscriptionState),
    Approval(ApprovalState),
}

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: &'static str,
    pub details: Vec<(&'static str, Detail)>,
}

impl Fault {
    pub const fn new(kind: &'static str) -> Self {
        Self {
            kind,
            details: Vec::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, detail: Detail) -> Self {
        self.details.push((name, detail));
        self
    }

    fn text(self, name: &'static str, text: impl Into<String>) -> Self {
        self.with(name, Detail::Text(text.into()))
    }

    /// Every kind there is, for the test that each has its texts.
    pub const KINDS: [&'static str; 72] = [
        "denied_read_only",
        "denied_role",
        "stale",
        "in_progress",
        "already_paid",
        "not_chargeable",
        "nothing_declined",
        "no_method",
        "no_provider",
        "key_deleted",
        "subscription_state",
        "nothing_scheduled",
        "already_scheduled",
        "one_subscription",
        "plan_inactive",
        "plan_already_inactive",
        "taken",
        "needs_approval",
        "needs_approval_today",
        "too_many_refunds",
        "approval_not_needed",
        "already_asked",
        "own_request",
        "approval_expired",
        "approval_decided",
        "not_waiting",
        "balance_moved",
        "cannot_be_ended",
        "no_link",
        "key_forgotten",
        "still_wanted",
        "too_soon",
        "was_seen",
        "other_balance",
        "too_few_look_ups",
        "listed",
        "list_proves_nothing",
        "other_account",
        "provider_list",
        "not_answered",
        "settled",
        "amount_mismatch",
        "other_amount",
        "below_minimum",
        "above_maximum",
        "last_digit",
        "currency_not_taken",
        "card_refused",
        "not_forgotten",
        "breaker_open",
        "charge_not_settled",
        "amount_not_positive",
        "amount_too_much",
        "amount_wrong",
        "input",
        "busy",
        "constraint",
        "changed",
        "not_found",
        "unreachable",
        "commit_unknown",
        "bad_row",
        "unsupported",
        "wrong_database",
        "database",
        "vault",
        "range",
        "nothing_owed",
        "refused",
        "worker",
        "copy",
        "not_recorded",
    ];
}

impl From<&StoreError> for Fault {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Busy(_) => Self::new("busy"),
            StoreError::Refused(constraint) => of_constraint(*constraint),
            StoreError::Stale { .. } => Self::new("changed"),
            StoreError::NotFound { .. } => Self::new("not_found"),
            StoreError::Unreachable(_) => Self::new("unreachable"),
            StoreError::CommitUnknown(_) => Self::new("commit_unknown"),
            StoreError::BadRow { table, id, .. } => {
                Self::new("bad_row").text("row", format!("{table} {id}"))
            }
            StoreError::Unsupported { field, .. } => Self::new("unsupported").text("field", *field),
            StoreError::WrongDatabase(reason) => {
                Self::new("wrong_database").text("reason", reason.as_str())
            }
            StoreError::Other(_) => Self::new("database"),
        }
    }
}

fn of_constraint(constraint: Constraint) -> Fault {
    Fault::new("constraint").text("rule", format!("{constraint:?}"))
}

impl From<&VerbError> for Fault {
    fn from(error: &VerbError) -> Self {
        match error {
            VerbError::Denied(Denied::ReadOnly { verb }) => {
                Self::new("denied_read_only").with("verb", Detail::Verb(*verb))
            }
            VerbError::Denied(Denied::Role { verb, person }) => Self::new("denied_role")
                .with("verb", Detail::Verb(*verb))
                .text("person", person.as_str()),
            VerbError::Stale => Self::new("stale"),
            VerbError::Refused(refused) => refused.into(),
            VerbError::Amount(problem) => of_amount(problem),
            VerbError::Input { field, reason } => Self::new("input")
                .text("field", *field)
                .text("reason", reason.as_str()),
            VerbError::Store(error) => error.into(),
            VerbError::Provider(
                ProviderError::Unanswered { .. } | ProviderError::Silent { .. },
            ) => Self::new("not_answered"),
            VerbError::Provider(_) => Self::new("provider_list"),
            VerbError::Vault(_) => Self::new("vault"),
            VerbError::Range(reason) => Self::new("range").text("reason", reason.as_str()),
        }
    }
}

fn of_amount(problem: &RefundError) -> Fault {
    match problem {
        RefundError::NotPositive => Fault::new("amount_not_positive"),
        RefundError::TooMuch { refundable, .. } => {
            Fault::new("amount_too_much").with("refundable", Detail::Money(*refundable))
        }
        RefundError::Money(_) => Fault::new("amount_wrong"),
    }
}

impl From<&Refused> for Fault {
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per refusal and nothing else"
    )]
    fn from(refused: &Refused) -> Self {
        match refused {
            Refused::InProgress {
                attempt,
                operator,
                since,
            } => Self::new("in_progress")
                .text("attempt", crate::text::short_id(attempt.as_str(), 6))
                .text("operator", operator.as_str())
                .with("since", Detail::Time(*since)),
            Refused::AlreadyPaid => Self::new("already_paid"),
            Refused::NotChargeable => Self::new("not_chargeable"),
            Refused::NothingDeclined => Self::new("nothing_declined"),
            Refused::NoMethod => Self::new("no_method"),
            Refused::NotForgotten(provider) => {
                Self::new("not_forgotten").with("name", Detail::Text(provider.to_string()))
            }
            Refused::NoProvider(name) => Self::new("no_provider").text("name", name.as_str()),
            Refused::KeyDeleted => Self::new("key_deleted"),
            Refused::SubscriptionState(state) => {
                Self::new("subscription_state").with("state", Detail::State(*state))
            }
            Refused::NothingScheduled => Self::new("nothing_scheduled"),
            Refused::ScheduledElsewhere => Self::new("scheduled_elsewhere"),
            Refused::AlreadySo => Self::new("already_so"),
            Refused::NotMirrored => Self::new("not_mirrored"),
            Refused::AlreadyScheduled => Self::new("already_scheduled"),
            Refused::OneSubscription => Self::new("one_subscription"),
            Refused::PlanInactive => Self::new("plan_inactive"),
            Refused::PlanAlreadyInactive => Self::new("plan_already_inactive"),
            Refused::Taken(what) => Self::new("taken").text("what", *what),
            Refused::NeedsApproval { limit, of } => Self::new(match of {
                LimitOf::Once => "needs_approval",
                LimitOf::Day => "needs_approval_today",
            })
            .with("limit", Detail::Money(*limit)),
            Refused::TooManyRefunds { most } => {
                Self::new("too_many_refunds").text("most", most.to_string())
            }
            Refused::Settled => Self::new("settled"),
            Refused::ApprovalNotNeeded => Self::new("approval_not_needed"),
            Refused::AlreadyAsked { person, until, .. } => Self::new("already_asked")
                .text("person", person.as_str())
                .with("until", Detail::Time(*until)),
            Refused::OwnRequest => Self::new("own_request"),
            Refused::ApprovalExpired => Self::new("approval_expired"),
            Refused::ApprovalDecided(state) => {
                Self::new("approval_decided").with("state", Detail::Approval(*state))
            }
            Refused::NotWaiting => Self::new("not_waiting"),
            Refused::BalanceMoved => Self::new("balance_moved"),
            Refused::CannotBeEnded => Self::new("cannot_be_ended"),
            Refused::NoLink => Self::new("no_link"),
            Refused::KeyForgotten { until } => {
                Self::new("key_forgotten").with("until", Detail::Time(*until))
            }
            Refused::MayBeExecuted(why) => of_absence(*why),
            Refused::Listed => Self::new("listed"),
            Refused::ListProvesNothing { rows } => {
                Self::new("list_proves_nothing").text("rows", rows.to_string())
            }
            Refused::OtherAccount => Self::new("other_account"),
            Refused::AmountMismatch => Self::new("amount_mismatch"),
            Refused::OtherAmount { wanted, given } => Self::new("other_amount")
                .with("wanted", Detail::Money(*wanted))
                .with("given", Detail::Money(*given)),
            Refused::BelowMinimum(least) => {
                Self::new("below_minimum").with("least", Detail::Money(*least))
            }
            Refused::CardRefused(code) => Self::new("card_refused").text("code", code.as_str()),
            Refused::BreakerOpen => Self::new("breaker_open"),
            Refused::ChargeNotSettled => Self::new("charge_not_settled"),
            Refused::AboveMaximum(most) => {
                Self::new("above_maximum").with("most", Detail::Money(*most))
            }
            Refused::LastDigit(currency) => {
                Self::new("last_digit").text("currency", currency.code())
            }
            Refused::CurrencyNotTaken { provider, currency } => Self::new("currency_not_taken")
                .text("provider", provider.as_str())
                .text("currency", currency.code()),
        }
    }
}

fn of_absence(why: NotAbsent) -> Fault {
    match why {
        NotAbsent::StillWanted => Fault::new("still_wanted"),
        NotAbsent::TooSoon { until } => Fault::new("too_soon").with("until", Detail::Time(until)),
        NotAbsent::Seen => Fault::new("was_seen"),
        NotAbsent::OtherBalance => Fault::new("other_balance"),
        NotAbsent::TooFewLookUps { have } => {
            Fault::new("too_few_look_ups").text("have", have.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::{Lang, Locale};

    #[test]
    fn every_trouble_says_what_and_what_next_in_both_languages() {
        for kind in Fault::KINDS {
            for lang in Lang::ALL {
                for part in ["what", "next"] {
                    let key = format!("dialog.fault.{kind}.{part}");
                    assert!(Locale::get(lang).find(&key).is_some(), "no {key}");
                }
            }
        }
    }
}
