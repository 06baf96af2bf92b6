//! Subscriptions that Stripe schedules, behind the engine's port: read as a whole, asked for one change, and its events.
//!
//! A reading is several requests, none of which changes anything; whatever is missing of one is no reading. A wish is
//! one request under the caller's key.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::evidence::{Evidence, Proves, Refusal, Unusable};
use crate::domain::failure::FailureClass;
use crate::domain::mirror::{Collection, Heard, WishVerb};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::engine::ports::{
    BoxFuture, ChargeSeen, Desk, EventPage, EventSeen, InvoiceSeen, MirrorError, MirroredProvider,
    PayerSeen, PriceSeen, RefundSeen, SubscriptionSeen, WishCall,
};

use super::client::StripeClient;
use super::objects::{
    Charge, Event, EventFilter, Invoice, InvoiceStatus, Page, PauseBehavior, PayWith, StripeError,
    Subscription, SubscriptionFilter, SubscriptionStatus,
};

/// Rows of a page.
const PAGE: u32 = 100;
/// Most pages of one list that a reading takes: ten thousand rows.
const MAX_PAGES: u32 = 100;
/// The kinds of events that say something about a mirrored subscription, or that a customer has answered their bank. Stripe
/// takes twenty at most.
const KINDS: [&str; 20] = [
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "invoice.created",
    "invoice.finalized",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
];

impl MirroredProvider for StripeClient {
    fn name(&self) -> ProviderName {
        ProviderName::Stripe
    }

    fn mode(&self) -> Mode {
        self.money_mode()
    }

    fn keeps_events_days(&self) -> i64 {
        30
    }

    fn events_after<'a>(
        &'a self,
        _desk: &'a mut Desk,
        after: &'a str,
    ) -> BoxFuture<'a, Result<EventPage, MirrorError>> {
        let filter = EventFilter {
            kinds: &KINDS,
            newer_than: Some(after),
            ..EventFilter::default()
        };
        Box::pin(async move {
            let page = self.events(filter, PAGE).await.map_err(not_told)?;
            Ok(EventPage {
                events: page.items.into_iter().rev().map(event_seen).collect(),
                has_more: page.has_more,
            })
        })
    }

    fn newest_event<'a>(
        &'a self,
        _desk: &'a mut Desk,
    ) -> BoxFuture<'a, Result<Option<EventSeen>, MirrorError>> {
        let filter = EventFilter {
            kinds: &KINDS,
            ..EventFilter::default()
        };
        Box::pin(async move {
            let page = self.events(filter, 1).await.map_err(not_told)?;
            Ok(page.items.into_iter().next().map(event_seen))
        })
    }

    fn running<'a>(
        &'a self,
        _desk: &'a mut Desk,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(Vec<String>, bool), MirrorError>> {
        Box::pin(async move {
            let filter = SubscriptionFilter::default();
            let page = self.subscriptions(filter, after, PAGE).await;
            let page = page.map_err(not_told)?;
            let names = page.items.into_iter().map(|one| one.id).collect();
            Ok((names, page.has_more))
        })
    }

    fn read<'a>(
        &'a self,
        _desk: &'a mut Desk,
        subscription: &'a str,
    ) -> BoxFuture<'a, Result<SubscriptionSeen, MirrorError>> {
        Box::pin(self.read_whole(subscription))
    }

    fn wish<'a>(&'a self, _desk: &'a mut Desk, call: WishCall<'a>) -> BoxFuture<'a, Heard> {
        Box::pin(self.wish_once(call))
    }
}

impl StripeClient {
    async fn read_whole(&self, name: &str) -> Result<SubscriptionSeen, MirrorError> {
        let subscription = self.subscription(name).await.map_err(not_told)?;
        let payer = self
            .customer(&subscription.customer)
            .await
            .map_err(not_told)?;
        let price = self.price_of(&subscription).await?;
        let invoices = self.invoices_of(name).await?;
        let mut tries = self.tries_of(&subscription.customer, &invoices).await?;
        let mut seen = Vec::with_capacity(invoices.len());
        for invoice in invoices {
            let charges = tries.remove(&invoice.id).unwrap_or_default();
            seen.push(self.invoice_seen(invoice, charges).await?);
        }
        seen.sort_by_key(|invoice| invoice.created);
        subscription_seen(
            subscription,
            PayerSeen {
                id: payer.id,
                customer_key: payer.customer_key,
                name: payer.name.unwrap_or_default(),
                email: payer.email.unwrap_or_default(),
            },
            price,
            seen,
        )
    }

    async fn price_of(&self, subscription: &Subscription) -> Result<(PriceSeen, u32), MirrorError> {
        let [item] = subscription.items.as_slice() else {
            return Err(MirrorError::NotMirrored("it has several prices, or none"));
        };
        let price = item.price.as_ref();
        let price = price.ok_or(MirrorError::NotMirrored("it has no price"))?;
        let (Some(unit), Some(interval), Some(product)) =
            (price.amount, price.interval, price.product.as_deref())
        else {
            return Err(MirrorError::NotMirrored(
                "its price has no amount per unit and interval",
            ));
        };
        let quantity = u32::try_from(item.quantity).ok().filter(|n| *n > 0);
        let quantity = quantity.ok_or(MirrorError::NotMirrored("its quantity is none"))?;
        let named = self.product(product).await.map_err(not_told)?;
        Ok((
            PriceSeen {
                id: price.id.clone(),
                product: product.to_owned(),
                product_name: named.name,
                unit,
                interval,
            },
            quantity,
        ))
    }

    async fn invoices_of(&self, subscription: &str) -> Result<Vec<Invoice>, MirrorError> {
        let mut all: Vec<Invoice> = Vec::new();
        for _ in 0..MAX_PAGES {
            let after = all.last().map(|invoice| invoice.id.clone());
            let page = self
                .invoices_with_payments(subscription, after.as_deref(), PAGE)
                .await
                .map_err(not_told)?;
            let is_last = is_last(&page);
            all.extend(page.items);
            if all.iter().any(|invoice| invoice.has_more_intents) {
                return Err(MirrorError::NotMirrored("an invoice has too many payments"));
            }
            if is_last {
                return Ok(all);
            }
        }
        Err(MirrorError::NotMirrored("it has too many invoices"))
    }

    /// Every try to take the money of these invoices, by invoice, oldest first.
    async fn tries_of(
        &self,
        customer: &str,
        invoices: &[Invoice],
    ) -> Result<BTreeMap<String, Vec<Charge>>, MirrorError> {
        let pays = |intent: &str| {
            let paid = |invoice: &&Invoice| invoice.intents.iter().any(|one| one == intent);
            invoices.iter().find(paid).map(|invoice| invoice.id.clone())
        };
        let mut tries: BTreeMap<String, Vec<Charge>> = BTreeMap::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = self.charges(customer, after.as_deref(), PAGE).await;
            let page = page.map_err(not_told)?;
            let is_last = is_last(&page);
            after = page.items.last().map(|charge| charge.id.clone());
            for charge in page.items {
                if let Some(invoice) = charge.intent.as_deref().and_then(pays) {
                    tries.entry(invoice).or_default().insert(0, charge);
                }
            }
            if is_last {
                return Ok(tries);
            }
        }
        Err(MirrorError::NotMirrored(
            "its customer has too many charges",
        ))
    }

    async fn invoice_seen(
        &self,
        invoice: Invoice,
        charges: Vec<Charge>,
    ) -> Result<InvoiceSeen, MirrorError> {
        let mut seen = Vec::with_capacity(charges.len());
        for charge in charges {
            let Some(payment) = charge.intent.clone().filter(|_| !charge.is_pending) else {
                continue;
            };
            let refunds = if charge.is_refunded {
                self.refunds_seen(&payment, charge.amount).await?
            } else {
                Vec::new()
            };
            seen.push(ChargeSeen {
                id: charge.id,
                payment,
                amount: charge.amount,
                at: charge.created,
                refusal: charge.refusal,
                refunds,
                card_use: charge.card_use,
            });
        }
        let (_, period_end) = invoice.period;
        Ok(InvoiceSeen {
            state: match invoice.status {
                InvoiceStatus::Draft => InvoiceState::Draft,
                InvoiceStatus::Open => InvoiceState::Open,
                InvoiceStatus::Paid => InvoiceState::Paid,
                InvoiceStatus::Uncollectible => InvoiceState::Uncollectible,
                InvoiceStatus::Void => InvoiceState::Void,
                InvoiceStatus::Other => {
                    return Err(MirrorError::NotMirrored("an invoice's status is not known"));
                }
            },
            is_renewal: matches!(
                invoice.billing_reason.as_str(),
                "subscription_create" | "subscription_cycle"
            ),
            due: invoice.due,
            period_from: period_end.unwrap_or(invoice.created),
            next_attempt: invoice.next_attempt,
            created: invoice.created,
            paid_at: invoice.paid_at,
            charges: seen,
            id: invoice.id,
        })
    }

    /// What of a payment has gone back for good.
    async fn refunds_seen(
        &self,
        payment: &str,
        paid: Money,
    ) -> Result<Vec<RefundSeen>, MirrorError> {
        let Evidence::Seen(found) = self.find_payment(payment).await.evidence else {
            return Err(MirrorError::Later {
                operation: "read refunds",
            });
        };
        let done = found.cancels.into_iter().filter(|cancel| cancel.is_done);
        Ok(done
            .map(|cancel| RefundSeen {
                id: cancel.transaction_key,
                reason: cancel.reason,
                amount: Money::new(cancel.amount_minor, paid.currency()),
                at: cancel.at,
            })
            .collect())
    }

    async fn wish_once(&self, call: WishCall<'_>) -> Heard {
        let (key, about) = (call.idem_key, call.provider_ref);
        let answer = match call.verb {
            WishVerb::CancelNow => self.cancel_subscription_now(about).await.map(drop),
            WishVerb::CancelAtEnd => self
                .cancel_subscription_at_period_end(key, about)
                .await
                .map(drop),
            WishVerb::UndoCancel => return self.undo_end(key, about).await,
            WishVerb::Pause => self
                .pause_collection(key, about, PauseBehavior::KeepAsDraft, None)
                .await
                .map(drop),
            WishVerb::Resume => self.resume_collection(key, about).await.map(drop),
            WishVerb::Pay => self
                .pay_invoice(key, about, PayWith::Default)
                .await
                .map(drop),
            WishVerb::Void => self.void_invoice(key, about).await.map(drop),
            WishVerb::GiveUp => self.mark_invoice_uncollectible(key, about).await.map(drop),
        };
        answer.map_or_else(heard, |()| Heard::Taken)
    }

    /// An end with the running period is taken back by its flag. One that was set as a date, at Stripe's desk or where
    /// billing is flexible, stands after that, and is unset by its own name, under a key of its own.
    async fn undo_end(&self, key: &str, about: &str) -> Heard {
        let is_left = match self.undo_subscription_cancel(key, about).await {
            Ok(left) => left.cancel_at.is_some() && left.ended_at.is_none(),
            Err(error) => return heard(error),
        };
        if !is_left {
            return Heard::Taken;
        }
        let key = format!("{key}:date");
        match self.unset_subscription_end(&key, about).await {
            Ok(_) => Heard::Taken,
            Err(error) => match heard(error) {
                // The first of the two has left.
                Heard::NotSent => Heard::Nothing,
                heard => heard,
            },
        }
    }
}

fn is_last<T>(page: &Page<T>) -> bool {
    !page.has_more || page.items.is_empty()
}

fn event_seen(event: Event) -> EventSeen {
    EventSeen {
        id: event.id,
        kind: event.kind,
        at: event.created,
        shape: event.object_kind,
        object: event.object,
        subscription: event.subscription,
        payment: event.payment_intent,
        customer: event.customer,
    }
}

/// What it means for a question.
fn not_told(error: StripeError) -> MirrorError {
    match error {
        StripeError::NotReached { operation }
        | StripeError::Unknown {
            operation,
            why: Unusable::TimedOut,
        } => MirrorError::Silent { operation },
        StripeError::TryLater { operation, .. } | StripeError::Unknown { operation, .. } => {
            MirrorError::Later { operation }
        }
        StripeError::NotFound { operation } => MirrorError::NotFound { operation },
        // A row that a list is to begin at, and that is kept no longer.
        StripeError::Refused { operation, refusal } if refusal.code == "resource_missing" => {
            MirrorError::NotFound { operation }
        }
        StripeError::Declined { operation, refusal }
        | StripeError::Refused { operation, refusal }
        | StripeError::KeyRefused { operation, refusal } => MirrorError::Refused {
            operation,
            code: refusal.code,
        },
    }
}

/// What it means for a wish.
fn heard(error: StripeError) -> Heard {
    match error {
        StripeError::NotReached { .. } => Heard::NotSent,
        StripeError::TryLater { .. } | StripeError::Unknown { .. } => Heard::Nothing,
        StripeError::Declined { refusal, .. } => Heard::Declined(refusal),
        StripeError::NotFound { .. } => Heard::Refused(Refusal {
            code: "resource_missing".to_owned(),
            class: FailureClass::Config,
            proves: Proves::NotExecuted,
            http_status: 404,
        }),
        StripeError::Refused { refusal, .. } | StripeError::KeyRefused { refusal, .. } => {
            Heard::Refused(refusal)
        }
    }
}

/// Where it stands in our words. One whose collection is paused is paused here: nothing is charged.
fn state_of(subscription: &Subscription) -> Result<SubscriptionState, MirrorError> {
    use SubscriptionStatus as Status;
    let is_paused = subscription.pause.is_some();
    Ok(match subscription.status {
        Status::Incomplete => SubscriptionState::Incomplete,
        Status::IncompleteExpired => SubscriptionState::Expired,
        Status::Canceled => SubscriptionState::Canceled,
        Status::Unpaid => SubscriptionState::Unpaid,
        Status::Paused => SubscriptionState::Paused,
        Status::Trialing | Status::Active | Status::PastDue if is_paused => {
            SubscriptionState::Paused
        }
        Status::Trialing => SubscriptionState::Trialing,
        Status::Active => SubscriptionState::Active,
        Status::PastDue => SubscriptionState::PastDue,
        Status::Other => return Err(MirrorError::NotMirrored("its status is not known")),
    })
}

fn subscription_seen(
    subscription: Subscription,
    payer: PayerSeen,
    (price, quantity): (PriceSeen, u32),
    invoices: Vec<InvoiceSeen>,
) -> Result<SubscriptionSeen, MirrorError> {
    let state = state_of(&subscription)?;
    let at_end: Option<DateTime<Utc>> = subscription
        .ends_with_period
        .then_some(subscription.period_end)
        .flatten();
    Ok(SubscriptionSeen {
        state,
        collection: subscription
            .pause
            .map_or(Collection::On, |pause| match pause.behavior {
                Some(PauseBehavior::Void) => Collection::Void,
                Some(PauseBehavior::KeepAsDraft) => Collection::KeepAsDraft,
                Some(PauseBehavior::MarkUncollectible) => Collection::MarkUncollectible,
                None => Collection::Other,
            }),
        resumes_at: subscription.pause.and_then(|pause| pause.resumes_at),
        payer,
        price,
        quantity,
        period_start: subscription.period_start,
        period_end: subscription.period_end,
        cancel_at: subscription.cancel_at.or(at_end),
        cancel_requested_at: subscription.canceled_at,
        ended_at: subscription.ended_at,
        trial_end: subscription.trial_end,
        created: subscription.created,
        invoices,
        id: subscription.id,
    })
}
