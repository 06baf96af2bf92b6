//! Subscriptions that a provider schedules, wishes about them and events, on any database, told in words that are the
//! same on all.

use chrono::Duration;

use paydeck::domain::ids::{
    CustomerId, InvoiceId, Noun, PlanId, ProductId, PublicId, SubscriptionId,
};
use paydeck::domain::invoice::InvoiceKind;
use paydeck::domain::mirror::{Collection, Mirror, WishId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::{Anchor, Interval, Unit};
use paydeck::domain::states::InvoiceState;
use paydeck::domain::subscription::Term;
use paydeck::engine::ports::{
    Claim, EventCursor, Exclusivity, NewEvent, NewInvoice, NewSubscription, NewWish, StoreError,
    Tx, WishLearnt,
};

use crate::base;
use crate::script::Op;
use crate::world::{World, pick, place};

type R<T> = Result<T, StoreError>;

const NOBODY: i64 = 999_999;

fn id(noun: Noun, name: u32) -> PublicId {
    PublicId::new(noun, &format!("{name:026}"))
}

fn day() -> chrono::NaiveDate {
    base().date_naive()
}

pub async fn perform<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    match op {
        Op::Mirror { .. } | Op::MirrorOf { .. } | Op::MirroredInvoice { .. } => {
            mirrored(tx, op, w).await
        }
        Op::Wish { .. } | Op::WishLearnt { .. } | Op::ClaimWishes { .. } => wishes(tx, op, w).await,
        _ => events(tx, op).await,
    }
}

fn mirror_named(reference: u32) -> Mirror {
    Mirror {
        subscription_id: SubscriptionId(0),
        provider_ref: format!("sub_{reference}"),
        provider_customer: format!("cus_{}", reference % 4),
        collection: Collection::On,
        resumes_at: None,
        read_at: base(),
        read_again_at: None,
        tries: 0,
        version: 0,
    }
}

async fn mirrored<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let nobody = SubscriptionId(NOBODY);
    match *op {
        Op::Mirror {
            name,
            customer,
            state,
            reference,
            due,
        } => {
            let new = NewSubscription {
                public_id: &id(Noun::Subscription, name),
                customer_id: pick(&w.customers, customer, CustomerId(NOBODY)),
                product_id: pick(&w.products, 0, ProductId(NOBODY)),
                plan_id: pick(&w.plans, 0, PlanId(NOBODY)),
                state,
                quantity: 1,
                method_id: None,
                mode: Mode::Sim,
                next_due_at: due.map(|s| base() + Duration::seconds(s)),
                trial_until: None,
                exclusivity: Exclusivity::Any,
                at: base(),
            };
            let made = tx.insert_mirrored(&new, &mirror_named(reference)).await?;
            w.subscriptions.push(made);
            tx.insert_term(&Term {
                subscription_id: made,
                term_no: 1,
                plan_id: pick(&w.plans, 0, PlanId(NOBODY)),
                anchor: Anchor {
                    date: day(),
                    zone: chrono_tz::Asia::Seoul,
                    interval: Interval {
                        unit: Unit::Month,
                        count: 1,
                    },
                },
                quantity: 1,
                price: Money::new(9_900, Currency::KRW),
                from_at: base(),
                to_at: None,
            })
            .await?;
            let row = tx.lock_subscription(made).await?;
            Ok(format!("{} {:?}", row.state, row.scheduler))
        }
        Op::MirrorOf {
            subscription,
            reference,
            stale,
        } => {
            let id = pick(&w.subscriptions, subscription, nobody);
            let found = tx.mirrored(&format!("sub_{reference}")).await?;
            let of = tx
                .mirrors_of_customer(&format!("cus_{reference}"))
                .await?
                .len();
            let after = tx.mirrors_after(id, 2).await?.len();
            let paid = tx.mirror_of_payment("1").await?;
            let whose = tx.customer_by_key("10").await?;
            // Marked twice: the earlier time stays.
            tx.mark_mirror(id, base() + Duration::seconds(i64::from(reference)))
                .await?;
            tx.mark_mirror(id, base() + Duration::seconds(2)).await?;
            let due = tx.mirrors_to_read(base() + Duration::seconds(1), 2).await?;
            let due: Vec<_> = due.iter().map(|id| place(&w.subscriptions, id)).collect();
            let mut told = format!(
                "{due:?} {:?} {of} {after} {:?} {}",
                found.and_then(|id| place(&w.subscriptions, &id)),
                paid.and_then(|id| place(&w.subscriptions, &id)),
                whose.is_some()
            );
            if let Some(mut mirror) = tx.mirror(id).await? {
                told.push_str(&format!(
                    " {} {:?} {} {:?} {}",
                    mirror.provider_ref,
                    mirror.collection,
                    mirror.version,
                    mirror.read_again_at,
                    mirror.tries
                ));
                mirror.has_trouble(base());
                mirror.version -= i64::from(stale);
                mirror.collection = Collection::Void;
                tx.save_mirror(&mirror).await?;
            }
            Ok(told)
        }
        Op::MirroredInvoice {
            name,
            subscription,
            reference,
            period,
        } => {
            let owner = pick(&w.subscriptions, subscription, nobody);
            let Some(customer) = w.customers.first().copied() else {
                return Ok("nobody".to_owned());
            };
            let new = NewInvoice {
                public_id: &id(Noun::Invoice, name),
                customer_id: customer,
                subscription_id: Some(owner),
                term_no: 1,
                period_index: period,
                kind: InvoiceKind::Renewal,
                state: InvoiceState::Open,
                amount: Money::new(9_900, Currency::KRW),
                description: "one",
                due_at: base(),
                period_from: day(),
                period_to: day(),
                at: base(),
            };
            let made = tx
                .insert_mirrored_invoice(&new, &format!("in_{reference}"))
                .await?;
            w.invoices.push(made);
            let all = tx.mirrored_invoices(owner).await?;
            Ok(format!("{:?}", all.last().map(|(_, name)| name)))
        }
        _ => Ok(String::new()),
    }
}

async fn wishes<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    match *op {
        Op::Wish {
            subscription,
            key,
            verb,
        } => {
            let (Some(_), Some(invoice)) = (w.subscriptions.first(), w.invoices.last().copied())
            else {
                return Ok("nothing to wish for".to_owned());
            };
            let owner = pick(&w.subscriptions, subscription, SubscriptionId(NOBODY));
            let open = tx.open_wish_of(owner).await?;
            let new = NewWish {
                subscription_id: owner,
                invoice_id: Some(invoice).filter(|_: &InvoiceId| verb.is_about_invoice()),
                verb,
                provider_ref: "sub_1",
                idem_key: &format!("k{key}"),
                lease_owner: "p1",
                lease_until: base() + Duration::seconds(10),
                operator: "kim",
                reason: "",
                at: base(),
            };
            let made = tx.insert_wish(&new).await?;
            w.wishes.push(made);
            Ok(format!("wished {:?}", open.map(|wish| wish.state)))
        }
        Op::WishLearnt {
            at,
            state,
            wrong_epoch,
            again,
        } => {
            let id = pick(&w.wishes, at, WishId(NOBODY));
            let wish = tx.lock_wish(id).await?;
            let epoch = wish.lease_epoch + i64::from(wrong_epoch);
            if again == 1 {
                tx.wish_sent(id, epoch).await?;
            }
            let learnt = WishLearnt {
                state,
                refusal: None,
                next_check_at: state.is_open().then(|| base() + Duration::seconds(5)),
                at: base(),
            };
            tx.wish_learnt(id, epoch, &learnt).await?;
            let wish = tx.lock_wish(id).await?;
            Ok(format!(
                "{:?} {} {:?}",
                wish.state, wish.send_count, wish.settled_at
            ))
        }
        Op::ClaimWishes { now, limit } => {
            let claim = Claim {
                owner: "p2",
                now: base() + Duration::seconds(now),
                lease_s: 100,
                limit,
            };
            let mut taken: Vec<(Option<usize>, i64)> = tx
                .claim_wishes(claim)
                .await?
                .iter()
                .map(|wish| (place(&w.wishes, &wish.id), wish.lease_epoch))
                .collect();
            taken.sort_unstable();
            Ok(format!("{taken:?}"))
        }
        _ => Ok(String::new()),
    }
}

async fn events<T: Tx>(tx: &mut T, op: &Op) -> R<String> {
    match *op {
        Op::Event { key, cursor } => {
            let key = format!("evt_{key}");
            let is_new = tx
                .insert_event(&NewEvent {
                    provider: ProviderName::Stripe,
                    mode: Mode::Sim,
                    event_key: &key,
                    kind: "invoice.paid",
                    shape: "invoice",
                    object: Some("in_1"),
                    subscription: Some("sub_1"),
                    payment: None,
                    customer: Some("cus_1"),
                    happened_at: base(),
                    at: base(),
                })
                .await?;
            let before = tx.event_cursor(ProviderName::Stripe).await?;
            if cursor == 1 {
                let cursor = EventCursor {
                    event_key: key,
                    happened_at: base(),
                    pulled_at: base(),
                };
                tx.save_event_cursor(ProviderName::Stripe, &cursor).await?;
            }
            Ok(format!("{is_new} {:?}", before.map(|c| c.event_key)))
        }
        Op::MoveEvents { to, limit } => {
            let waiting = tx.waiting_events(limit).await?;
            for event in &waiting {
                tx.move_event(event.id, to, Some("why"), base()).await?;
            }
            let told: Vec<_> = waiting
                .iter()
                .map(|event| (&event.kind, &event.subscription, &event.customer))
                .collect();
            Ok(format!("{told:?}"))
        }
        _ => Ok(String::new()),
    }
}
