//! The shipped client's other side over the network of the play: events and their fates, and the mistakes that can be made
//! with readings and wishes.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use paydeck::domain::mirror::Heard;
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::states::SubscriptionState;
use paydeck::engine::ports::{
    BoxFuture, Desk, EventPage, EventSeen, MirrorError, MirroredProvider, SubscriptionSeen,
    WishCall,
};

use crate::stripe::StripeProvider;
use crate::warp::{Warp, Wrong};

/// What a client that believes events remembers.
#[derive(Debug, Default)]
pub struct Believed {
    read: HashMap<String, SubscriptionSeen>,
    heard: HashMap<String, String>,
}

impl MirroredProvider for StripeProvider {
    fn name(&self) -> ProviderName {
        MirroredProvider::name(&self.client)
    }

    fn mode(&self) -> Mode {
        MirroredProvider::mode(&self.client)
    }

    fn keeps_events_days(&self) -> i64 {
        self.client.keeps_events_days()
    }

    fn events_after<'a>(
        &'a self,
        desk: &'a mut Desk,
        after: &'a str,
    ) -> BoxFuture<'a, Result<EventPage, MirrorError>> {
        Box::pin(async move {
            let page = self.client.events_after(desk, after).await?;
            let now = self.net.now();
            let mut state = self.net.state();
            let state = &mut *state;
            let events = state.fates.told(page.events, now, &mut state.chance);
            self.warp.hears(&events);
            Ok(EventPage {
                events,
                has_more: page.has_more,
            })
        })
    }

    fn newest_event<'a>(
        &'a self,
        desk: &'a mut Desk,
    ) -> BoxFuture<'a, Result<Option<EventSeen>, MirrorError>> {
        self.client.newest_event(desk)
    }

    fn running<'a>(
        &'a self,
        desk: &'a mut Desk,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(Vec<String>, bool), MirrorError>> {
        self.client.running(desk, after)
    }

    fn read<'a>(
        &'a self,
        desk: &'a mut Desk,
        subscription: &'a str,
    ) -> BoxFuture<'a, Result<SubscriptionSeen, MirrorError>> {
        Box::pin(async move {
            if let Some(believed) = self.warp.believed(subscription) {
                return Ok(believed);
            }
            let seen = self.client.read(desk, subscription).await?;
            self.warp.has_read(&seen);
            Ok(seen)
        })
    }

    fn wish<'a>(&'a self, desk: &'a mut Desk, call: WishCall<'a>) -> BoxFuture<'a, Heard> {
        Box::pin(async move {
            let key = self.warp.key_of_wish(call.idem_key);
            let call = WishCall {
                idem_key: &key,
                ..call
            };
            let heard = self.client.wish(desk, call).await;
            match (self.warp.wrong, heard) {
                (Wrong::WishSilenceIsNotSent, Heard::Nothing) => Heard::NotSent,
                (_, heard) => heard,
            }
        })
    }
}

impl Warp {
    /// The key that a wish goes out under.
    fn key_of_wish(&self, key: &str) -> String {
        if self.wrong != Wrong::WishUnderNewKeys {
            return key.to_owned();
        }
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        format!("{key}-{n}")
    }

    fn hears(&self, events: &[EventSeen]) {
        if self.wrong != Wrong::EventsAreBelieved {
            return;
        }
        let mut believed = self.books();
        for event in events {
            if let Some(name) = &event.subscription {
                believed.heard.insert(name.clone(), event.kind.clone());
            }
        }
    }

    fn has_read(&self, seen: &SubscriptionSeen) {
        if self.wrong == Wrong::EventsAreBelieved {
            self.books().read.insert(seen.id.clone(), seen.clone());
        }
    }

    /// What a subscription would look like if an event said all there is to know.
    fn believed(&self, name: &str) -> Option<SubscriptionSeen> {
        if self.wrong != Wrong::EventsAreBelieved {
            return None;
        }
        let books = self.books();
        let (read, heard) = (books.read.get(name)?, books.heard.get(name)?);
        let mut seen = read.clone();
        match heard.as_str() {
            "customer.subscription.deleted" => {
                seen.state = SubscriptionState::Canceled;
                seen.ended_at = seen.period_end;
            }
            "invoice.payment_failed" => seen.state = SubscriptionState::PastDue,
            "invoice.paid" => seen.state = SubscriptionState::Active,
            _ => {}
        }
        Some(seen)
    }
}
