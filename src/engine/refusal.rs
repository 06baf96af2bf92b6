//! Why a verb did not happen, by what the person may do next.

use chrono::{DateTime, Utc};

use super::limits::LimitOf;
use super::ports::{ProviderError, StoreError};
use crate::domain::attempt::NotAbsent;
use crate::domain::ids::PublicId;
use crate::domain::money::Money;
use crate::domain::operator::Denied;
use crate::domain::payment::RefundError;
use crate::domain::routing::NotTaken;
use crate::domain::states::{ApprovalState, SubscriptionState};

/// Why a verb did not happen. Nothing was sent unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// The person may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The rows changed since the plan was made.
    #[error("the plan is stale: the rows changed since it was made")]
    Stale,
    /// The state of things does not allow it.
    #[error("refused: {0}")]
    Refused(Refused),
    /// The amount does not fit.
    #[error(transparent)]
    Amount(#[from] RefundError),
    /// What was given makes no sense.
    #[error("{field}: {reason}")]
    Input {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider did not say what has to be known first. Nothing was done.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A billing key could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] super::ports::KeyVaultError),
    /// A date or amount is out of range.
    #[error("{0}")]
    Range(String),
}

/// Why the state of things does not allow a verb.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An earlier attempt is not settled; nothing new may be started.
    #[error("attempt {attempt} by {operator} is not settled")]
    InProgress {
        /// Which.
        attempt: PublicId,
        /// Who started it.
        operator: String,
        /// When.
        since: DateTime<Utc>,
    },
    /// The invoice is paid.
    #[error("it is paid already")]
    AlreadyPaid,
    /// The invoice is void or still being made.
    #[error("the invoice cannot be charged")]
    NotChargeable,
    /// There is nothing to retry: no attempt was declined.
    #[error("nothing was declined")]
    NothingDeclined,
    /// No provider of this name is configured for this mode.
    #[error("provider {0} is not configured")]
    NoProvider(crate::domain::mode::ProviderName),
    /// There is no card to charge.
    #[error("there is no card to charge")]
    NoMethod,
    /// The provider deleted the billing key.
    #[error("the billing key was deleted at the provider")]
    KeyDeleted,
    /// The subscription's state does not allow it.
    #[error("the subscription is {0}")]
    SubscriptionState(SubscriptionState),
    /// No end is scheduled.
    #[error("no cancel is scheduled")]
    NothingScheduled,
    /// An end is scheduled already.
    #[error("a cancel is scheduled already")]
    AlreadyScheduled,
    /// The customer has a running subscription of this product.
    #[error("the customer has a running subscription of this product")]
    OneSubscription,
    /// The plan takes no new subscriptions.
    #[error("the plan is closed to new subscriptions")]
    PlanInactive,
    /// The plan is closed already.
    #[error("the plan is closed already")]
    PlanAlreadyInactive,
    /// The key, code or address is taken.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// Above the person's limit.
    #[error("above the limit of {limit}: needs approval")]
    NeedsApproval {
        /// The limit.
        limit: Money,
        /// What it limits.
        of: LimitOf,
    },
    /// The person has refunded too often today.
    #[error("{most} refunds of one person on one day are the most")]
    TooManyRefunds {
        /// The most.
        most: u32,
    },
    /// Within the person's limit: nobody else is needed.
    #[error("within the person's own limit: needs no approval")]
    ApprovalNotNeeded,
    /// The same is waiting for approval.
    #[error("{person} has asked for it: {approval}")]
    AlreadyAsked {
        /// Which request.
        approval: PublicId,
        /// Who asked.
        person: String,
        /// Until when it can be approved, in database time.
        until: DateTime<Utc>,
    },
    /// Nobody approves what he asked for himself.
    #[error("nobody approves their own request")]
    OwnRequest,
    /// Nobody decided in time.
    #[error("the request has expired")]
    ApprovalExpired,
    /// It was decided before.
    #[error("the request is {0} already")]
    ApprovalDecided(ApprovalState),
    /// It does not wait for anybody.
    #[error("it does not wait for approval")]
    NotWaiting,
    /// The provider holds another amount of the payment than the return was prepared for.
    #[error("part of the payment went back since the return was prepared")]
    BalanceMoved,
    /// The provider has no way to end it.
    #[error("the provider cannot end it")]
    CannotBeEnded,
    /// It does not wait for its customer, or does no longer.
    #[error("no customer is asked")]
    NoLink,
    /// The provider may have forgotten its key: sending it again could move money twice.
    #[error("its key was certainly known until {until}; sending it again could move money twice")]
    KeyForgotten {
        /// Until when it could be sent again, in database time.
        until: DateTime<Utc>,
    },
    /// What was looked up does not rule out that it was executed.
    #[error(transparent)]
    MayBeExecuted(NotAbsent),
    /// The provider's list of transactions has it.
    #[error("the provider's list of transactions has it")]
    Listed,
    /// Nothing of this installation is on the provider's list of those days: it may be anybody's.
    #[error("none of the {rows} transactions on the provider's list is ours: it proves nothing")]
    ListProvesNothing {
        /// So many rows are on it.
        rows: usize,
    },
    /// The key that is configured is another account's.
    #[error("the provider's answers are about another account: check the key")]
    OtherAccount,
    /// The attempt is settled.
    #[error("the attempt is settled")]
    Settled,
    /// The amount in the database is not what plan and quantity give.
    #[error("the invoice's amount is not what the term gives")]
    AmountMismatch,
    /// The amount that the browser brought is not the invoice's.
    #[error("the invoice is for {wanted}, and {given} was given")]
    OtherAmount {
        /// What is owed.
        wanted: Money,
        /// What was given.
        given: Money,
    },
    /// Below what the provider charges.
    #[error("the smallest charge is {0}")]
    BelowMinimum(Money),
    /// Above what the provider charges at once.
    #[error("the largest charge is {0}")]
    AboveMaximum(Money),
    /// The provider takes amounts of this currency only when their last decimal is zero.
    #[error("the last decimal of an amount in {0} must be zero")]
    LastDigit(crate::domain::money::Currency),
    /// No provider that could charge it takes this currency.
    #[error("{provider} does not take {currency}")]
    CurrencyNotTaken {
        /// Who does not.
        provider: crate::domain::mode::ProviderName,
        /// Which.
        currency: crate::domain::money::Currency,
    },
    /// The card could not be registered.
    #[error("the card could not be registered ({0})")]
    CardRefused(String),
    /// The provider did not confirm that it forgot the card. It is not charged here any more.
    #[error("{0} did not confirm that it forgot the card")]
    NotForgotten(crate::domain::mode::ProviderName),
    /// Too many troubled calls in a row; calls are held back.
    #[error("the circuit breaker is open")]
    BreakerOpen,
    /// Its provider schedules it, and this cannot be asked of the provider.
    #[error("its provider schedules it: this cannot be asked for there")]
    ScheduledElsewhere,
    /// It is as it is wished already.
    #[error("it is so already")]
    AlreadySo,
    /// We schedule it ourselves.
    #[error("no provider schedules it")]
    NotMirrored,
    /// The charge that is to be refunded is not settled.
    #[error("the payment's charge is not settled")]
    ChargeNotSettled,
}

impl From<NotTaken> for Refused {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Currency { provider, currency } => {
                Self::CurrencyNotTaken { provider, currency }
            }
            NotTaken::BelowMinimum(least) => Self::BelowMinimum(least),
            NotTaken::AboveMaximum(most) => Self::AboveMaximum(most),
            NotTaken::LastDigit(currency) => Self::LastDigit(currency),
        }
    }
}
