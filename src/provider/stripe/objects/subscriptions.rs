//! Subscriptions that Stripe runs: mirrored here, and acted on through Stripe alone.
//!
//! Periods are read from the item first, where newer versions have them, and then from the subscription.

use chrono::{DateTime, Utc};

use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::codes::CallKind;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::request::Asked;
use crate::provider::stripe::wire;

use super::call::{Page, Read, maybe_instant, name_of};
use super::catalog::Price;
use super::error::StripeError;

/// A subscription to be made, run by Stripe.
#[derive(Debug, Clone, Copy)]
pub struct NewSubscription<'a> {
    /// `cus_…`.
    pub customer: &'a str,
    /// `price_…`.
    pub price: &'a str,
    /// The card it is paid with; none for the customer's own.
    pub payment_method: Option<&'a str>,
    /// When a trial ends.
    pub trial_end: Option<DateTime<Utc>>,
}

/// Where a subscription stands, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubscriptionStatus {
    /// The first payment is still to be made.
    Incomplete,
    /// It was not made in time: over.
    IncompleteExpired,
    /// In its trial.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed, and Stripe tries again.
    PastDue,
    /// Stripe has stopped trying; invoices go on being made.
    Unpaid,
    /// Over.
    Canceled,
    /// A trial ended without a card, or it was paused.
    Paused,
    /// A word we do not know.
    Other,
}

impl SubscriptionStatus {
    fn parse(word: &str) -> Self {
        match word {
            "incomplete" => Self::Incomplete,
            "incomplete_expired" => Self::IncompleteExpired,
            "trialing" => Self::Trialing,
            "active" => Self::Active,
            "past_due" => Self::PastDue,
            "unpaid" => Self::Unpaid,
            "canceled" => Self::Canceled,
            "paused" => Self::Paused,
            _ => Self::Other,
        }
    }
}

/// What becomes of invoices while collection is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PauseBehavior {
    /// They are void: the service is given away.
    Void,
    /// They stay drafts, to be collected later.
    KeepAsDraft,
    /// They are given up.
    MarkUncollectible,
}

impl PauseBehavior {
    const ALL: [Self; 3] = [Self::Void, Self::KeepAsDraft, Self::MarkUncollectible];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::KeepAsDraft => "keep_as_draft",
            Self::MarkUncollectible => "mark_uncollectible",
        }
    }
}

/// Collection is paused. The subscription itself stays active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// What becomes of invoices; none for a word we do not know.
    pub behavior: Option<PauseBehavior>,
    /// Until when; none until it is taken up again.
    pub resumes_at: Option<DateTime<Utc>>,
}

/// One price of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionItem {
    /// What it costs.
    pub price: Option<Price>,
    /// How many.
    pub quantity: i64,
}

/// A subscription as Stripe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `sub_…`.
    pub id: String,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// `cus_…`.
    pub customer: String,
    /// What is sold.
    pub items: Vec<SubscriptionItem>,
    /// When the running period began.
    pub period_start: Option<DateTime<Utc>>,
    /// When it ends.
    pub period_end: Option<DateTime<Utc>>,
    /// Whether it ends with the running period.
    pub ends_with_period: bool,
    /// When it is to end.
    pub cancel_at: Option<DateTime<Utc>>,
    /// When somebody asked for the end.
    pub canceled_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// When its trial ends or ended.
    pub trial_end: Option<DateTime<Utc>>,
    /// Whether collection is paused.
    pub pause: Option<Pause>,
    /// The card it is paid with; none for the customer's own.
    pub payment_method: Option<String>,
    /// `in_…`.
    pub latest_invoice: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

impl Read for Subscription {
    type Wire = wire::Subscription;

    fn livemode(wire: &wire::Subscription) -> Option<bool> {
        Some(wire.livemode)
    }

    fn read(wire: wire::Subscription) -> Option<Self> {
        let (start, end) = period(&wire);
        let items = wire.items.map(|items| items.data).unwrap_or_default();
        Some(Self {
            status: SubscriptionStatus::parse(&wire.status),
            customer: wire.customer.id().to_owned(),
            items: items.into_iter().map(item).collect::<Option<_>>()?,
            period_start: maybe_instant(start),
            period_end: maybe_instant(end),
            ends_with_period: wire.cancel_at_period_end,
            cancel_at: maybe_instant(wire.cancel_at),
            canceled_at: maybe_instant(wire.canceled_at),
            ended_at: maybe_instant(wire.ended_at),
            trial_end: maybe_instant(wire.trial_end),
            pause: wire.pause_collection.as_ref().map(read_pause),
            payment_method: name_of(wire.default_payment_method.as_ref()),
            latest_invoice: name_of(wire.latest_invoice.as_ref()),
            created: wire::instant(wire.created)?,
            id: wire.id,
        })
    }
}

/// The period of the item that ends first, and otherwise the subscription's own.
fn period(wire: &wire::Subscription) -> (Option<i64>, Option<i64>) {
    let items = wire.items.iter().flat_map(|items| &items.data);
    let first = items
        .filter(|item| item.current_period_end.is_some())
        .min_by_key(|item| item.current_period_end);
    match first {
        Some(item) => (item.current_period_start, item.current_period_end),
        None => (wire.current_period_start, wire.current_period_end),
    }
}

fn item(wire: wire::Item) -> Option<SubscriptionItem> {
    let price = match wire.price {
        Some(price) => Some(Price::read(price)?),
        None => None,
    };
    Some(SubscriptionItem {
        price,
        quantity: wire.quantity.unwrap_or(1),
    })
}

fn read_pause(wire: &wire::PauseCollection) -> Pause {
    let mut known = PauseBehavior::ALL.into_iter();
    Pause {
        behavior: known.find(|behavior| behavior.as_str() == wire.behavior),
        resumes_at: maybe_instant(wire.resumes_at),
    }
}

/// Which subscriptions of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// All that have not ended.
    #[default]
    Running,
    /// Those that have.
    Ended,
    /// All.
    All,
}

/// Which subscriptions are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubscriptionFilter<'a> {
    /// `cus_…`; none for everybody's.
    pub customer: Option<&'a str>,
    /// Running or not.
    pub which: Which,
}

const PATH: &str = "subscriptions";

impl StripeClient {
    /// Makes a subscription that Stripe runs. Its first payment may fail: then it is incomplete.
    pub async fn create_subscription(
        &self,
        idem_key: &str,
        new: NewSubscription<'_>,
    ) -> Result<Subscription, StripeError> {
        let body = Form::new()
            .text(&["customer"], new.customer)
            .text(&["items", "0", "price"], new.price)
            .maybe(&["default_payment_method"], new.payment_method)
            .text(&["off_session"], "true");
        let body = match new.trial_end {
            Some(end) => body.number(&["trial_end"], end.timestamp()),
            None => body,
        };
        let asked = Asked::post(&[PATH], Some(idem_key), body);
        self.object("create subscription", CallKind::Charge, asked)
            .await
    }

    /// Asks for one; one that has ended is still told.
    pub async fn subscription(&self, subscription: &str) -> Result<Subscription, StripeError> {
        self.one("read subscription", &[PATH, subscription]).await
    }

    /// A page of the subscriptions.
    pub async fn subscriptions(
        &self,
        filter: SubscriptionFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Subscription>, StripeError> {
        let status = match filter.which {
            Which::Running => None,
            Which::Ended => Some("canceled"),
            Which::All => Some("all"),
        };
        let query = Form::new()
            .maybe(&["customer"], filter.customer)
            .maybe(&["status"], status);
        self.list("list subscriptions", &[PATH], query, after, limit)
            .await
    }

    /// It ends with the running period.
    pub async fn cancel_subscription_at_period_end(
        &self,
        idem_key: &str,
        subscription: &str,
    ) -> Result<Subscription, StripeError> {
        let body = Form::new().text(&["cancel_at_period_end"], "true");
        self.change(
            "cancel at period end",
            &[PATH, subscription],
            idem_key,
            body,
        )
        .await
    }

    /// It goes on after all.
    pub async fn undo_subscription_cancel(
        &self,
        idem_key: &str,
        subscription: &str,
    ) -> Result<Subscription, StripeError> {
        let body = Form::new().text(&["cancel_at_period_end"], "false");
        self.change("undo cancel", &[PATH, subscription], idem_key, body)
            .await
    }

    /// It goes on after all, although its end was set as a date.
    pub async fn unset_subscription_end(
        &self,
        idem_key: &str,
        subscription: &str,
    ) -> Result<Subscription, StripeError> {
        let body = Form::new().unset(&["cancel_at"]);
        self.change("unset end", &[PATH, subscription], idem_key, body)
            .await
    }

    /// It ends now, without a refund. One that has ended before is "not found" although it can be read.
    pub async fn cancel_subscription_now(
        &self,
        subscription: &str,
    ) -> Result<Subscription, StripeError> {
        let asked = Asked::delete(&[PATH, subscription], Form::new());
        self.object("cancel now", CallKind::Change, asked).await
    }

    /// Its invoices are made and not collected.
    pub async fn pause_collection(
        &self,
        idem_key: &str,
        subscription: &str,
        behavior: PauseBehavior,
        resumes_at: Option<DateTime<Utc>>,
    ) -> Result<Subscription, StripeError> {
        let body = Form::new().text(&["pause_collection", "behavior"], behavior.as_str());
        let body = match resumes_at {
            Some(at) => body.number(&["pause_collection", "resumes_at"], at.timestamp()),
            None => body,
        };
        self.change("pause collection", &[PATH, subscription], idem_key, body)
            .await
    }

    /// They are collected again.
    pub async fn resume_collection(
        &self,
        idem_key: &str,
        subscription: &str,
    ) -> Result<Subscription, StripeError> {
        let body = Form::new().unset(&["pause_collection"]);
        self.change("resume collection", &[PATH, subscription], idem_key, body)
            .await
    }
}
