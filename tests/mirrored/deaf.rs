//! A provider that never answers about one subscription, and tells everything else.

use std::future::ready;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use paydeck::domain::mirror::Heard;
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, DeleteOutcome, Desk,
    EventPage, EventSeen, IssueOutcome, MirrorError, MirroredProvider, Provider, ProviderError,
    RefundCall, RefundRequest, RegisterCall, SubscriptionSeen, TransactionSeen, WishCall,
};
use paydeck::engine::{Outcome, Pulled, Request, VerbError};
use paydeck::secret::Secret;
use serde_json::json;

use crate::shop::{Mirrored, Shop, on_each};
use crate::world::admin;

/// The real client, for which a question about this one is never answered in time.
struct Deaf {
    client: Arc<dyn Provider>,
    about: String,
}

impl Deaf {
    fn theirs(&self) -> &dyn MirroredProvider {
        self.client.mirrored().expect("it schedules")
    }
}

impl MirroredProvider for Deaf {
    fn name(&self) -> ProviderName {
        self.theirs().name()
    }
    fn mode(&self) -> Mode {
        self.theirs().mode()
    }
    fn keeps_events_days(&self) -> i64 {
        self.theirs().keeps_events_days()
    }
    fn events_after<'a>(
        &'a self,
        desk: &'a mut Desk,
        after: &'a str,
    ) -> BoxFuture<'a, Result<EventPage, MirrorError>> {
        self.theirs().events_after(desk, after)
    }
    fn newest_event<'a>(
        &'a self,
        desk: &'a mut Desk,
    ) -> BoxFuture<'a, Result<Option<EventSeen>, MirrorError>> {
        self.theirs().newest_event(desk)
    }
    fn running<'a>(
        &'a self,
        desk: &'a mut Desk,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(Vec<String>, bool), MirrorError>> {
        self.theirs().running(desk, after)
    }
    fn read<'a>(
        &'a self,
        desk: &'a mut Desk,
        subscription: &'a str,
    ) -> BoxFuture<'a, Result<SubscriptionSeen, MirrorError>> {
        if subscription == self.about {
            let operation = "read subscription";
            return Box::pin(ready(Err(MirrorError::Silent { operation })));
        }
        self.theirs().read(desk, subscription)
    }
    fn wish<'a>(&'a self, desk: &'a mut Desk, call: WishCall<'a>) -> BoxFuture<'a, Heard> {
        self.theirs().wish(desk, call)
    }
}

impl Provider for Deaf {
    fn name(&self) -> ProviderName {
        self.client.name()
    }
    fn mode(&self) -> Mode {
        self.client.mode()
    }
    fn account(&self) -> Option<String> {
        self.client.account()
    }
    fn mirrored(&self) -> Option<&dyn MirroredProvider> {
        Some(self)
    }
    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        self.client.charge_body(request)
    }
    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        self.client.refund_body(request)
    }
    fn charge<'a>(&'a self, desk: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        self.client.charge(desk, call)
    }
    fn refund<'a>(&'a self, desk: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        self.client.refund(desk, call)
    }
    fn confirm<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.client.confirm(desk, call)
    }
    fn look_up_charge<'a>(
        &'a self,
        desk: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.client.look_up_charge(desk, look)
    }
    fn look_up_payment<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        self.client.look_up_payment(desk, provider_ref)
    }
    fn issue<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome> {
        self.client.issue(desk, call)
    }
    fn delete_key<'a>(
        &'a self,
        desk: &'a mut Desk,
        billing_key: &'a Secret,
    ) -> BoxFuture<'a, DeleteOutcome> {
        self.client.delete_key(desk, billing_key)
    }
    fn transactions<'a>(
        &'a self,
        desk: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>> {
        self.client.transactions(desk, from, to, after, limit)
    }
    fn self_test<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.client.self_test(desk)
    }
}

async fn ends(shop: &Shop, one: &Mirrored) -> bool {
    let sql = format!(
        "select count(*) from subscription where id = {} and cancel_at is not null",
        one.id.0
    );
    shop.world.ask(&sql).await == 1
}

#[tokio::test]
async fn silence_about_one_subscription_and_its_wish_holds_up_nobody_else() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let others = [shop.mirrored("two").await, shop.mirrored("three").await];
        shop.pull().await;
        let lost = json!("lost_before_commit");
        shop.world
            .fault("stripe_subscription_update", lost, 1)
            .await;
        let end = Request::CancelAtEnd {
            subscription: one.id,
            reason: String::new(),
        };
        let outcome = shop.world.act(end).await;
        assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
        for other in &others {
            let ending = shop
                .stripe
                .cancel_subscription_at_period_end(&other.name, &other.name);
            ending.await.expect("ending");
        }
        // Its wish is looked after first, and it is the first that is to be read.
        shop.world
            .change("update mirror_act set lease_until = 0, next_check_at = 0")
            .await;
        let first = format!(
            "update mirror set read_again_at = 0 where subscription_id = {}",
            one.id.0
        );
        shop.world.change(&first).await;
        let deaf: Arc<dyn Provider> = Arc::new(Deaf {
            client: Arc::clone(&shop.world.provider),
            about: one.name.clone(),
        });
        let engine = shop.world.engine_with("deaf", &deaf).await;
        let mut done = Pulled::default();
        let pulled = engine.mirror_pull_into(&admin(), &mut done).await;
        assert!(matches!(pulled, Err(VerbError::Provider(_))), "{pulled:?}");
        assert!(done.taken_in >= 2, "{done:?}");
        assert_eq!((done.left, done.read), (1, 2), "{done:?}");
        for other in &others {
            assert!(ends(&shop, other).await);
        }
        assert!(!ends(&shop, &one).await);
    })
    .await;
}
