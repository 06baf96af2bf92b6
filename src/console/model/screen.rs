//! The twelve screens and the places one can drill into from them.

use crate::domain::ids::{
    AttemptId, CustomerId, InvoiceId, PaymentId, PublicId, RunId, SubscriptionId,
};
use crate::engine::queries::{LocalDay, Order, SortBy, Summed};

/// A screen with a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Screen {
    Overview,
    Customers,
    Subscriptions,
    Renewals,
    Failed,
    Payments,
    Revenue,
    Plans,
    Unknown,
    Runs,
    Events,
    Activity,
}

impl Screen {
    /// In the order of the tabs.
    pub const ALL: [Self; 12] = [
        Self::Overview,
        Self::Customers,
        Self::Subscriptions,
        Self::Renewals,
        Self::Failed,
        Self::Payments,
        Self::Revenue,
        Self::Plans,
        Self::Unknown,
        Self::Runs,
        Self::Events,
        Self::Activity,
    ];

    /// The name in texts and in the palette.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Customers => "customers",
            Self::Subscriptions => "subscriptions",
            Self::Renewals => "renewals",
            Self::Failed => "failed",
            Self::Payments => "payments",
            Self::Revenue => "revenue",
            Self::Plans => "plans",
            Self::Unknown => "unknown",
            Self::Runs => "runs",
            Self::Events => "events",
            Self::Activity => "activity",
        }
    }

    /// The key that opens it.
    pub const fn key(self) -> char {
        match self {
            Self::Overview => '1',
            Self::Customers => '2',
            Self::Subscriptions => '3',
            Self::Renewals => '4',
            Self::Failed => '5',
            Self::Payments => '6',
            Self::Revenue => '7',
            Self::Plans => '8',
            Self::Unknown => '9',
            Self::Runs => '0',
            Self::Events => 'e',
            Self::Activity => 'a',
        }
    }

    /// Its place among the tabs.
    pub fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|&screen| screen == self)
            .unwrap_or(0)
    }

    /// The list it shows, when it shows one.
    pub const fn list(self) -> Option<ListKind> {
        Some(match self {
            Self::Overview | Self::Revenue => return None,
            Self::Customers => ListKind::Customers,
            Self::Subscriptions => ListKind::Subscriptions,
            Self::Renewals => ListKind::RenewalDays,
            Self::Failed => ListKind::Failed,
            Self::Payments => ListKind::Payments,
            Self::Plans => ListKind::Plans,
            Self::Unknown => ListKind::Unknown,
            Self::Runs => ListKind::Runs,
            Self::Events => ListKind::Events,
            Self::Activity => ListKind::Activity,
        })
    }
}

/// What the rows of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    Customers,
    Subscriptions,
    /// One row a local day.
    RenewalDays,
    /// The renewals of one local day.
    Renewals,
    Failed,
    /// Charges that were declined.
    Declines,
    Payments,
    Plans,
    Unknown,
    /// What was asked of a provider and is not known to be done.
    Wishes,
    Runs,
    RunItems,
    Events,
    Activity,
    /// What a search found.
    Hits,
}

impl ListKind {
    /// The name in texts.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Subscriptions => "subscriptions",
            Self::RenewalDays => "renewal_days",
            Self::Renewals => "renewals",
            Self::Failed => "failed",
            Self::Declines => "declines",
            Self::Payments => "payments",
            Self::Plans => "plans",
            Self::Unknown => "unknown",
            Self::Wishes => "wishes",
            Self::Runs => "runs",
            Self::RunItems => "run_items",
            Self::Events => "events",
            Self::Activity => "activity",
            Self::Hits => "hits",
        }
    }

    /// Whether `/` narrows it. Days and search results are what they are.
    pub const fn can_filter(self) -> bool {
        !matches!(self, Self::RenewalDays | Self::Hits)
    }

    /// What it can be sorted by; the first is its own order.
    pub const fn sorts(self) -> &'static [SortBy] {
        use SortBy::{Amount, Name, State, Time};
        match self {
            Self::Customers => &[Time, Name],
            Self::Subscriptions
            | Self::Renewals
            | Self::Failed
            | Self::Unknown
            | Self::RunItems => &[Time, Amount, Name, State],
            Self::Payments | Self::Declines => &[Time, Amount, Name],
            Self::Plans => &[Name, Amount, Time, State],
            Self::Runs => &[Time, State],
            Self::Events | Self::Activity | Self::Wishes => &[Time, Name, State],
            Self::RenewalDays | Self::Hits => &[Time],
        }
    }

    /// Its own direction.
    pub const fn own_order(self) -> Order {
        match self {
            Self::RenewalDays
            | Self::Renewals
            | Self::Plans
            | Self::Unknown
            | Self::Wishes
            | Self::RunItems => Order::Ascending,
            Self::Customers
            | Self::Subscriptions
            | Self::Failed
            | Self::Declines
            | Self::Payments
            | Self::Runs
            | Self::Events
            | Self::Activity
            | Self::Hits => Order::Descending,
        }
    }

    /// What its rows come to, where that is a sum.
    pub const fn summed(self) -> Option<Summed> {
        Some(match self {
            Self::Subscriptions => Summed::Subscriptions,
            Self::Renewals => Summed::Renewals,
            Self::Failed => Summed::Failed,
            Self::Declines => Summed::Declines,
            Self::Payments => Summed::Payments,
            Self::Plans => Summed::Plans,
            Self::Customers
            | Self::RenewalDays
            | Self::Unknown
            | Self::Wishes
            | Self::Runs
            | Self::RunItems
            | Self::Events
            | Self::Activity
            | Self::Hits => return None,
        })
    }

    /// Whether its detail shows even where there is little room: these lists are read row by row.
    pub const fn is_read_row_by_row(self) -> bool {
        matches!(self, Self::Failed | Self::Unknown | Self::Wishes)
    }
}

/// Somewhere below a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A screen itself.
    Screen(Screen),
    /// The renewals of one day.
    RenewalsOf(LocalDay),
    /// Charges that were declined.
    Declines,
    /// What was asked of a provider and is not known to be done.
    Wishes,
    /// The rows of one billing run.
    Run(RunId, PublicId),
    /// What a search found.
    Found(String),
    /// One customer.
    Customer(CustomerId),
    /// One subscription.
    Subscription(SubscriptionId),
    /// Everything about one invoice, in time order.
    Invoice(InvoiceId),
    /// The invoice that a payment paid.
    Payment(PaymentId),
    /// The invoice that an attempt is about.
    Attempt(AttemptId),
}

impl Place {
    /// The list it shows, when it shows one.
    pub const fn list(&self) -> Option<ListKind> {
        match self {
            Self::Screen(screen) => screen.list(),
            Self::RenewalsOf(_) => Some(ListKind::Renewals),
            Self::Declines => Some(ListKind::Declines),
            Self::Wishes => Some(ListKind::Wishes),
            Self::Run(..) => Some(ListKind::RunItems),
            Self::Found(_) => Some(ListKind::Hits),
            Self::Customer(_)
            | Self::Subscription(_)
            | Self::Invoice(_)
            | Self::Payment(_)
            | Self::Attempt(_) => None,
        }
    }
}
