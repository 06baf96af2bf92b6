//! The goal of a wish: whether it stands there, why it makes no sense now, and what follows from it. Pure.

use crate::domain::invoice::Invoice;
use crate::domain::mirror::{Collection, Mirror, Wish, WishVerb};
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::Subscription;

use super::super::action::Effect;
use super::super::ports::SubscriptionSeen;
use super::super::refusal::Refused;

/// Whether what was wished stands there.
pub(super) fn is_reached(wish: &Wish, seen: &SubscriptionSeen) -> bool {
    let invoice = |state: InvoiceState| {
        let mut all = seen.invoices.iter();
        all.any(|one| one.id == wish.provider_ref && one.state == state)
    };
    match wish.verb {
        WishVerb::CancelNow => seen.state.is_ended(),
        WishVerb::CancelAtEnd => seen.cancel_at.is_some() || seen.state.is_ended(),
        WishVerb::UndoCancel => seen.cancel_at.is_none() && !seen.state.is_ended(),
        WishVerb::Pause => seen.collection != Collection::On,
        WishVerb::Resume => seen.collection == Collection::On,
        WishVerb::Pay => invoice(InvoiceState::Paid),
        WishVerb::Void => invoice(InvoiceState::Void),
        WishVerb::GiveUp => invoice(InvoiceState::Uncollectible),
    }
}

/// Why it makes no sense now.
pub(super) fn refuse(
    wish: WishVerb,
    subscription: &Subscription,
    mirror: &Mirror,
    invoice: Option<&Invoice>,
) -> Result<(), Refused> {
    let state = subscription.state;
    if let Some(invoice) = invoice {
        return match (wish, invoice.state) {
            (_, InvoiceState::Paid) => Err(Refused::AlreadyPaid),
            (WishVerb::Pay | WishVerb::Void, InvoiceState::Open | InvoiceState::Uncollectible)
            | (WishVerb::GiveUp, InvoiceState::Open) => Ok(()),
            _ => Err(Refused::NotChargeable),
        };
    }
    if state.is_ended() {
        return Err(Refused::SubscriptionState(state));
    }
    match wish {
        WishVerb::UndoCancel if subscription.cancel_at.is_none() => Err(Refused::NothingScheduled),
        WishVerb::CancelAtEnd if subscription.cancel_at.is_some() => Err(Refused::AlreadyScheduled),
        WishVerb::CancelAtEnd if state == SubscriptionState::Incomplete => {
            Err(Refused::SubscriptionState(state))
        }
        WishVerb::Pause if mirror.collection != Collection::On => Err(Refused::AlreadySo),
        WishVerb::Resume if mirror.collection == Collection::On => Err(Refused::AlreadySo),
        _ => Ok(()),
    }
}

/// What follows when it is done.
pub(super) fn effects(
    wish: WishVerb,
    subscription: &Subscription,
    invoice: Option<&Invoice>,
) -> Vec<Effect> {
    let state = |to| Effect::State {
        from: subscription.state,
        to,
    };
    let due = subscription.next_due_at;
    let next = |to| Effect::NextCharge { from: due, to };
    match (wish, invoice) {
        (WishVerb::CancelNow, _) => vec![state(SubscriptionState::Canceled), next(None)],
        (WishVerb::CancelAtEnd, _) => {
            let ends = due.into_iter().map(Effect::EndsAt);
            ends.chain([next(None)]).collect()
        }
        (WishVerb::UndoCancel, _) => vec![Effect::NextCharge {
            from: None,
            to: due,
        }],
        (WishVerb::Pause, _) => vec![state(SubscriptionState::Paused), Effect::CollectionStops],
        // Whether it is past due then is the provider's to say.
        (WishVerb::Resume, _) => vec![Effect::CollectionGoesOn],
        (WishVerb::Pay, Some(row)) => vec![Effect::InvoicePaid(row.public_id.clone())],
        (WishVerb::Void, _) => vec![Effect::InvoicesVoided(1)],
        (WishVerb::GiveUp, Some(row)) => vec![Effect::InvoiceGivenUp(row.public_id.clone())],
        (WishVerb::GiveUp | WishVerb::Pay, None) => Vec::new(),
    }
}
