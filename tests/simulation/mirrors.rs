//! A shop whose second provider schedules some subscriptions itself: they renew there, people act on them there and from
//! here, and what happened is told by events that come late, twice, out of order, or never.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Duration, Utc};

use paydeck::domain::ids::SubscriptionId;
use paydeck::domain::mode::Mode;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::{Interval, Unit};
use paydeck::engine::ports::{BoxFuture, EventSeen};
use paydeck::provider::stripe::line::{self, Line};
use paydeck::provider::stripe::{
    EventFilter, NewCustomer, NewPrice, NewProduct, NewSubscription, PauseBehavior, PayWith,
    StripeClient,
};

use crate::actors::{self, Surroundings};
use crate::case;
use crate::ledger::{Heard, Ledger};
use crate::memory::db::{Personality, SubscriptionRow, Tables};
use crate::memory::stage::{Chance, Reason, Stage, instant};
use crate::memory::store::Shared;
use crate::net::Net;
use crate::play::{Moves, Play};
use crate::reflect;
use crate::stripe::on_the_wire;
use crate::world::{
    Process, Template, World, at_once, make_customer, make_plan, person, subscribe,
};

const GOOD: &str = "pm_card_visa";
const BAD: &str = "pm_card_chargeCustomerFail";
const PRICE: i64 = 29_000;
/// Most looks at the mail of whoever receives events.
const MOST_DELIVERIES: usize = 5;

/// Carries requests without a network: what is done at the provider's own desk.
struct Desk {
    net: Arc<Net>,
    stage: Arc<Stage>,
}

impl Line for Desk {
    fn carry(&self, asked: line::Asked) -> BoxFuture<'_, line::Heard> {
        let now = self.stage.now();
        let asked = on_the_wire(&asked);
        let said = self.net.state().offline.carry_out(&asked, None, now);
        Box::pin(std::future::ready(Heard::Said(said).by_stripe()))
    }
}

/// The provider's own desk.
pub fn desk(net: &Arc<Net>, stage: &Arc<Stage>) -> StripeClient {
    let desk = Desk {
        net: Arc::clone(net),
        stage: Arc::clone(stage),
    };
    StripeClient::over(Arc::new(desk), Mode::Sim).expect("a desk")
}

/// A card that its customer pays with from now on.
async fn pays_with(desk: &StripeClient, customer: &str, card: &str, key: &str) {
    // A card that cannot be attached changes nothing.
    if let Ok(card) = desk.attach_payment_method(card, customer).await {
        let _set = desk
            .set_default_payment_method(key, customer, &card.id)
            .await;
    }
}

/// Somebody there subscribes to something there.
async fn begins(
    desk: &StripeClient,
    key: &str,
    price: &str,
    trial_end: Option<DateTime<Utc>>,
) -> (String, String) {
    let new = NewCustomer {
        customer_key: key,
        name: Some("김하나"),
        email: Some("hana@example.com"),
    };
    let customer = desk.create_customer(&format!("c{key}"), new).await;
    let customer = customer.expect("a customer").id;
    pays_with(desk, &customer, GOOD, &format!("d{key}")).await;
    let new = NewSubscription {
        customer: &customer,
        price,
        payment_method: None,
        trial_end,
    };
    let made = desk.create_subscription(&format!("s{key}"), new).await;
    (customer, made.expect("a subscription").id)
}

pub static ON_SCHEDULE: LazyLock<Template> = LazyLock::new(template);

/// One subscription of ours, due; and there one that is renewed in five minutes, one whose renewal is a draft for five more
/// minutes, one past due, and one whose trial ends in eight minutes. The first is of a customer of ours.
fn template() -> Template {
    let start: DateTime<Utc> = "2026-03-10T00:00:00Z".parse().expect("an instant");
    let now = start + Duration::days(33) + Duration::hours(2);
    let stage = Stage::calm(start);
    let shared = Shared::new(Arc::clone(&stage), Personality::Serial, Tables::default());
    let net = Net::new(&stage, Ledger::telling(1), 1);
    let mut world = World::begun(&stage, &shared, &net);
    let process = world.process();
    let plan = make_plan(&process);
    let at = |when: DateTime<Utc>| stage.lock().now = when.timestamp_micros();
    let desk = desk(&net, &stage);
    let mut names = Vec::new();
    at_once(async {
        let product = NewProduct {
            name: "Gold",
            plan_code: "gold",
        };
        let product = desk.create_product("p", product).await.expect("a product");
        let price = NewPrice {
            product: &product.id,
            amount: Money::new(PRICE, Currency::KRW),
            interval: Interval::try_new(Unit::Month, 1).ok(),
            lookup_key: None,
        };
        let price = desk.create_price("q", price).await.expect("a price").id;
        at(start + Duration::days(1));
        let (late, name) = begins(&desk, "late", &price, None).await;
        names.push(name);
        pays_with(&desk, &late, BAD, "bad").await;
        at(start + Duration::days(2) + Duration::minutes(65));
        names.push(begins(&desk, "draft", &price, None).await.1);
        at(start + Duration::days(2) + Duration::minutes(125));
        names.push(begins(&desk, "customer-0", &price, None).await.1);
        let ends = now + Duration::minutes(8);
        names.push(begins(&desk, "trial", &price, Some(ends)).await.1);
    });
    let customer = make_customer(&process, &world, 0);
    subscribe(&process, customer, plan);
    let kim = person("kim");
    for name in &names {
        at_once(process.engine.mirror_add(&kim, name, None)).expect("taken in");
    }
    for before in [
        Duration::days(20),
        Duration::hours(12),
        Duration::minutes(10),
    ] {
        at(now - before);
        at_once(process.engine.mirror_pull(&kim)).expect("pulled");
    }
    at(now);
    world.into_template()
}

/// The database forgets who schedules what.
pub fn forget_schedulers(world: &World) {
    let mut db = world.shared.db();
    for id in 1..=i64::try_from(db.tables.subscriptions.len()).unwrap_or(0) {
        let slot = db.tables.subscriptions.slot_mut(id).expect("a row");
        let row = slot.committed.take().expect("a subscription");
        let mut subscription = row.subscription.clone();
        subscription.scheduler = paydeck::domain::mirror::Scheduler::Paydeck;
        slot.committed = Some(Arc::new(SubscriptionRow {
            subscription,
            exclusive_key: row.exclusive_key,
        }));
    }
}

/// What becomes of events on their way.
#[derive(Debug, Default)]
pub struct Fates {
    /// So many in a thousand are never told.
    pub lost: u32,
    /// So many are told some minutes late.
    pub late: u32,
    /// So many are told again.
    pub twice: u32,
    /// When each is told from; none for one that never is.
    known: HashMap<String, Option<DateTime<Utc>>>,
    pub lost_ones: u32,
}

/// An event shows this much later than it happened, at the latest.
const LATEST_S: u64 = 240;

impl Fates {
    fn shows(&mut self, event: &EventSeen, now: DateTime<Utc>, chance: &mut Chance) -> bool {
        let fate = self.known.entry(event.id.clone()).or_insert_with(|| {
            if chance.per_mille(self.lost) {
                self.lost_ones += 1;
                return None;
            }
            let is_late = chance.per_mille(self.late);
            let late = if is_late { chance.next() % LATEST_S } else { 0 };
            Some(event.at + Duration::seconds(i64::try_from(late).unwrap_or(0)))
        });
        fate.is_some_and(|from| from <= now)
    }

    /// A page as it is told now.
    pub fn told(
        &mut self,
        page: Vec<EventSeen>,
        now: DateTime<Utc>,
        chance: &mut Chance,
    ) -> Vec<EventSeen> {
        let mut told = Vec::with_capacity(page.len());
        for event in page {
            if self.shows(&event, now, chance) {
                if chance.per_mille(self.twice) {
                    told.push(event.clone());
                }
                told.push(event);
            }
        }
        told
    }
}

fn names_of(around: &Surroundings) -> Vec<(SubscriptionId, String, String)> {
    let db = around.shared.db();
    let rows = db.tables.mirrors.rows();
    rows.map(|(_, row)| {
        (
            row.subscription_id,
            row.provider_ref.clone(),
            row.provider_customer.clone(),
        )
    })
    .collect()
}

/// Somebody acts at the provider's own desk.
pub async fn at_their_desk(around: &Surroundings, chance: &mut Chance) {
    let names = names_of(around);
    if names.is_empty() {
        return;
    }
    let (_, name, customer) = &names[chance.below(names.len())];
    let invoices: Vec<String> = {
        let db = around.shared.db();
        let rows = db.tables.mirrored.rows();
        rows.map(|(_, row)| row.provider_ref.clone()).collect()
    };
    let invoice = &invoices[chance.below(invoices.len())];
    let desk = desk(&around.net, &around.stage);
    let key = format!("desk-{}", chance.next());
    let what = chance.below(10);
    around
        .net
        .state()
        .note(|| format!("        their desk: {what} {name} {invoice}"));
    // What makes no sense there is refused there.
    let _refused = match what {
        0 => desk
            .cancel_subscription_at_period_end(&key, name)
            .await
            .err(),
        1 => desk.undo_subscription_cancel(&key, name).await.err(),
        2 => desk.cancel_subscription_now(name).await.err(),
        3 => {
            let void = PauseBehavior::Void;
            desk.pause_collection(&key, name, void, None).await.err()
        }
        4 => desk.resume_collection(&key, name).await.err(),
        5 => desk
            .pay_invoice(&key, invoice, PayWith::Default)
            .await
            .err(),
        6 => desk.void_invoice(&key, invoice).await.err(),
        7 => desk.mark_invoice_uncollectible(&key, invoice).await.err(),
        other => {
            let card = if other == 8 { GOOD } else { BAD };
            pays_with(&desk, customer, card, &key).await;
            None
        }
    };
}

/// Pulls what happened and looks after wishes, every few seconds until the play is over.
pub async fn puller(process: Process, around: Surroundings, every_us: i64) {
    let operator = person("mirror");
    loop {
        // What could not be read now is read by the next pull.
        let _pulled = process.engine.mirror_pull(&operator).await;
        if around.is_over() {
            return;
        }
        let now = around.stage.lock().now;
        let at = now
            + if around.is_ending_now() {
                5_000_000
            } else {
                every_us
            };
        around.stage.wait(Reason::Until(at)).await;
    }
}

/// One pull of everything.
pub async fn pulls_once(process: Process) {
    let operator = person("mirror");
    let _pulled = process.engine.mirror_pull(&operator).await;
}

/// Events are delivered to our door: any of those that are kept there, in any order, again and again.
pub async fn deliveries(process: Process, around: Surroundings, mut chance: Chance) {
    let operator = person("mirror");
    for _ in 0..=chance.below(MOST_DELIVERIES) {
        let pause = i64::try_from(chance.below(120_000_000)).unwrap_or(0);
        let at = around.stage.lock().now + pause;
        around.stage.wait(Reason::Until(at)).await;
        let desk = desk(&around.net, &around.stage);
        let page = desk.events(EventFilter::default(), 20).await;
        let kept: Vec<EventSeen> = page.expect("events").items.into_iter().map(seen).collect();
        if kept.is_empty() {
            continue;
        }
        let some = 1 + chance.below(6);
        let delivered: Vec<EventSeen> = (0..some)
            .map(|_| kept[chance.below(kept.len())].clone())
            .collect();
        if process.engine.intake(&delivered).await.is_ok() {
            let _followed = process.engine.mirror_follow(&operator).await;
        }
    }
}

fn seen(event: paydeck::provider::stripe::Event) -> EventSeen {
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

impl Surroundings {
    /// Whether a wish is open that is looked at within a quarter of an hour, or an event waits.
    pub fn is_mirror_busy(&self) -> bool {
        const SOON_US: i64 = 900_000_000;
        let soon = instant(self.stage.lock().now + SOON_US);
        let db = self.shared.db();
        let mut wishes = db.tables.wishes.rows();
        wishes.any(|(_, wish)| {
            let due = wish.next_check_at.unwrap_or(wish.lease_until);
            wish.state.is_open() && due.max(wish.lease_until) <= soon
        })
    }
}

/// A fresh world on that schedule: some minutes before or after its renewals, with events that have their fates.
pub fn opened(seed: u64, personality: Personality, chance: &mut Chance) -> World {
    const MINUTE: i64 = 60_000_000;
    let world = World::of(&ON_SCHEDULE, seed, personality);
    let minutes = i64::try_from(chance.below(12)).unwrap_or(0);
    world.stage.lock().now += minutes * MINUTE;
    {
        let mut net = world.net.state();
        net.fates.lost = [0, 0, 0, 0, 100][chance.below(5)];
        net.fates.late = [0, 200, 600][chance.below(3)];
        net.fates.twice = [0, 300][chance.below(2)];
    }
    world
}

/// Whoever pulls, and where events are delivered.
pub fn cast(play: &mut Play, house: &mut Process, chance: &mut Chance) {
    for _ in 0..1 + chance.below(2) {
        if chance.per_mille(500) {
            *house = play.process();
        }
        let every = [10_000_000, 60_000_000, 300_000_000][chance.below(3)];
        let part = puller(house.clone(), play.around.clone(), every);
        play.enter("mirror", house, part);
    }
    if chance.per_mille(400) {
        let door = play.process();
        let dice = Chance::new(chance.next());
        let part = deliveries(door.clone(), play.around.clone(), dice);
        play.enter("door", &door, part);
    }
}

/// Nobody acts any more: the mirror shows what stands there within some hours, and after the end of the period where an
/// event never came; every wish has an end when its key is forgotten.
pub fn come_to_rest(play: &mut Play, moves: &mut Moves) {
    const HOURS: u32 = 54;
    const SOON: u32 = 5;
    /// After so many steps of three days every period has ended, and events are forgotten.
    const STEPS: u32 = 12;
    let house = play.process();
    let has_lost = play.world.net.state().fates.lost_ones > 0;
    play.world.net.state().fates.lost = 0;
    let mut is_equal = false;
    for hour in 0..HOURS {
        if !play.watch.found.is_empty() {
            return;
        }
        pulled(play, &house, moves);
        is_equal |= has_lost || reflect::differences(&play.world).is_empty();
        if !is_equal && hour >= SOON {
            play.watch.mirror_is_equal(&play.world);
            return;
        }
        let db = play.world.shared.db();
        let is_open = db
            .tables
            .wishes
            .rows()
            .any(|(_, wish)| wish.state.is_open());
        drop(db);
        if is_equal && !is_open {
            break;
        }
        play.world.stage.lock().now += 62 * 60_000_000;
    }
    for _ in 0..STEPS {
        if !has_lost || !play.watch.found.is_empty() {
            break;
        }
        play.world.stage.lock().now += 3 * 86_400_000_000;
        pulled(play, &house, moves);
    }
    if play.watch.found.is_empty() {
        play.watch.wishes_have_ended(&play.world);
        play.watch.mirror_is_equal(&play.world);
    }
}

fn pulled(play: &mut Play, house: &Process, moves: &mut Moves) {
    let part = pulls_once(house.clone());
    case::to_its_end(play, house, part, moves);
    let part = actors::looks_once(house.clone());
    case::to_its_end(play, house, part, moves);
    play.steps = 0;
}
