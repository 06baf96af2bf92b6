//! One case: a small business, some people, some faults, then rest. Everything in it follows from its
//! seed.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use paydeck::domain::ids::{InvoiceId, SubscriptionId};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::states::InvoiceState;
use paydeck::engine::Request;
use paydeck::sandbox::{Fault, LookupAfterDecline, OrderReuse, Replay, Switches};

use crate::actors::{self, ERRANDS, Errand, ON_SCHEDULE};
use crate::links;
use crate::memory::db::Personality;
use crate::memory::flaw::{Flaw, Flaws};
use crate::memory::stage::Chance;
use crate::mirrors;
use crate::net::Trouble;
use crate::play::{Moves, Play, Wildness};
use crate::warp::{Warp, Wrong};
use crate::watch::Violation;
use crate::world::{MOST, Manners, Process, World};

const MINUTE: i64 = 60_000_000;
/// Faults go on for so long at most.
const WILD_MINUTES: i64 = 20;
/// Then everything has to come to rest in so long.
pub const REST_MINUTES: i64 = 30;
/// More steps than any case takes.
const MOST_STEPS: u64 = 60_000;

/// What is wrong with the product in this case: nothing, unless a mistake is planted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mistakes {
    pub flaws: Flaws,
    pub wrong: Wrong,
    pub has_no_reconciler: bool,
    /// What the host keeps is not there afterwards.
    pub host_forgets: bool,
    /// In every case it is a shop of this kind.
    pub shop: Option<Shop>,
}

/// What a case is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shop {
    Plain,
    /// Everybody's bank asks them.
    Asking,
    /// The provider schedules most subscriptions itself.
    OnSchedule,
}

impl Shop {
    /// A share of the second provider's cases each; `SIM_SHOP` makes all of them one kind.
    fn of(provider: ProviderName, mistakes: Mistakes, chance: &mut Chance) -> Self {
        static WANTED: LazyLock<Option<Shop>> =
            LazyLock::new(|| match std::env::var("SIM_SHOP").as_deref() {
                Ok("plain") => Some(Shop::Plain),
                Ok("asking") => Some(Shop::Asking),
                Ok("on_schedule") => Some(Shop::OnSchedule),
                _ => None,
            });
        let drawn = match chance.below(100) {
            0..1 => Self::OnSchedule,
            1..7 => Self::Asking,
            _ => Self::Plain,
        };
        match provider {
            ProviderName::Toss => Self::Plain,
            ProviderName::Stripe => mistakes.shop.or(*WANTED).unwrap_or(drawn),
        }
    }
}

/// What came of a case.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub violations: Vec<Violation>,
    pub sends: u64,
    pub faults: u64,
    pub steps: u64,
    /// Answers of customers at their links.
    pub answers: u64,
    /// Wishes that were written down.
    pub wishes: u64,
    pub trace: Vec<String>,
}

/// Whether the play is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    Silent,
    Aloud,
}

const NAMES: [&str; 3] = ["kim", "lee", "park"];

fn of(chance: &mut Chance, among: &[u32]) -> u32 {
    among[chance.below(among.len())]
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Whether an answer is bound to its key.
fn kept(chance: &mut Chance, share: u32) -> Replay {
    match chance.per_mille(share) {
        true => Replay::Replayed,
        false => Replay::Forgotten,
    }
}

fn switches(chance: &mut Chance) -> Switches {
    Switches {
        lookup_after_decline: if chance.per_mille(500) {
            LookupAfterDecline::Aborted
        } else {
            LookupAfterDecline::NotFound
        },
        order_reuse_after_decline: if chance.per_mille(500) {
            OrderReuse::Allowed
        } else {
            OrderReuse::Refused
        },
        cancel_gap_ms: of(chance, &[0, 1_000]),
        server_error_replay: kept(chance, 200),
        rate_limit_replay: kept(chance, 200),
        stripe_server_error_replay: kept(chance, 900),
        ..Switches::default()
    }
}

fn set_up(provider: ProviderName, seed: u64, mistakes: Mistakes, chance: &mut Chance) -> Play {
    let personality = if chance.per_mille(500) {
        Personality::Serial
    } else {
        Personality::ReadCommitted
    };
    let shop = Shop::of(provider, mistakes, chance);
    let subscriptions = 1 + chance.below(MOST);
    let mut world = match shop {
        Shop::OnSchedule => mirrors::opened(seed, personality, chance),
        Shop::Plain | Shop::Asking => World::new(provider, seed, subscriptions, personality),
    };
    world.warp = Warp::new(mistakes.wrong);
    world.manners = Manners {
        refund_alone: chance.per_mille(400).then_some(2_000),
        looks_seldom: false,
    };
    if mistakes.host_forgets {
        world.host.forgets_everything();
    }
    {
        let mut net = world.net.state();
        net.per_mille = of(chance, &[100, 300, 600]);
        net.left = number(chance.below(8));
        net.offline.switch(switches(chance));
        let mut db = world.shared.db();
        db.flaws = mistakes.flaws;
        db.trouble.per_mille = of(chance, &[0, 0, 10, 40]);
        db.trouble.left = number(chance.below(4));
    }
    if shop == Shop::Asking {
        links::cards_ask(&world, chance);
    }
    if mistakes.flaws.has(Flaw::Scheduler) {
        mirrors::forget_schedulers(&world);
    }
    let mut play = Play::new(world, chance.next());
    play.wild = Wildness {
        deaths: number(chance.below(3)),
        death_per_mille: of(chance, &[2, 10]),
        slow_per_mille: of(chance, &[0, 5, 30]),
        jump_per_mille: of(chance, &[0, 0, 5]),
    };
    play
}

/// What people do about a charge that nobody can find.
const ABOUT_OLD: [Errand; 6] = [
    Errand::AskNotExecuted,
    Errand::AskNotExecuted,
    Errand::Grant,
    Errand::Grant,
    Errand::Reject,
    Errand::Resolve,
];

/// A charge that never arrived, of a subscription that ended meanwhile, and a day of looking for it.
fn long_ago(play: &mut Play, moves: &mut Moves) {
    play.world.manners.looks_seldom = true;
    let (wild, trouble) = (play.wild, play.world.shared.db().trouble);
    let left = play.world.net.state().left;
    play.calm_down();
    let never = Trouble::Wire(Fault::LostBeforeCommit);
    play.world.net.state().script.push_back(Some(never));
    let owed = {
        let db = play.world.shared.db();
        let mut rows = db.tables.invoices.rows();
        rows.find(|(_, row)| row.state == InvoiceState::Open)
            .map(|(id, _)| InvoiceId(id))
    };
    let charge = owed.map(|invoice| Request::Charge { invoice });
    let end = Request::CancelNow {
        subscription: SubscriptionId(1),
        reason: "asked".to_owned(),
    };
    let house = play.process();
    for request in charge.into_iter().chain([end]) {
        let part = actors::presses(house.clone(), request);
        to_its_end(play, &house, part, moves);
    }
    for _ in 0..27 {
        play.world.stage.lock().now += 62 * MINUTE;
        let part = actors::looks_once(house.clone());
        to_its_end(play, &house, part, moves);
    }
    play.wild = wild;
    play.world.net.state().left = left;
    play.world.shared.db().trouble = trouble;
    play.steps = 0;
}

/// The provider is away for longer than it may remember a key, from the middle of whatever is under way.
fn day_without_provider(play: &mut Play, moves: &mut Moves) {
    play.calm_down();
    play.world.net.state().is_away = true;
    let house = play.process();
    for _ in 0..25 {
        play.world.stage.lock().now += 62 * MINUTE;
        let part = actors::looks_once(house.clone());
        to_its_end(play, &house, part, moves);
    }
    play.world.net.state().is_away = false;
    play.steps = 0;
}

/// Lets one actor act alone.
pub fn to_its_end(
    play: &mut Play,
    house: &Process,
    part: impl Future<Output = ()> + Send + 'static,
    moves: &mut Moves,
) {
    let at = play.enter("before", house, part);
    while !play.is_done(at) && play.watch.found.is_empty() && play.step(moves) {}
}

/// People, runs, reconcilers. Some share a process.
fn cast(play: &mut Play, mistakes: Mistakes, is_old: bool, chance: &mut Chance) {
    let mut house = play.process();
    if !mistakes.has_no_reconciler && chance.per_mille(800) {
        let part = actors::reconciler(house.clone(), play.around.clone());
        play.enter("reconciler", &house, part);
    }
    let tells = play.world.net.state().offline.tells();
    if tells {
        mirrors::cast(play, &mut house, chance);
    }
    let mut last: Option<Vec<Errand>> = None;
    for name in NAMES.iter().take(chance.below(4)) {
        if chance.per_mille(600) {
            house = play.process();
        }
        let among: &[Errand] = match (is_old, tells) {
            (true, _) => &ABOUT_OLD,
            (false, true) => &ON_SCHEDULE,
            (false, false) => &ERRANDS,
        };
        let mut errands: Vec<Errand> = (0..=chance.below(3))
            .map(|_| among[chance.below(among.len())])
            .collect();
        // Two people who are told the same want the same.
        if let Some(last) = last.filter(|_| chance.per_mille(400)) {
            errands = last;
        }
        last = Some(errands.clone());
        let dice = Chance::new(chance.next());
        let part = actors::operator(house.clone(), play.around.clone(), name, errands, dice);
        play.enter(name, &house, part);
    }
    if play.world.net.state().offline.has_asking_cards() && chance.per_mille(800) {
        // He has no part in any process of ours.
        let him = play.world.process();
        let dice = Chance::new(chance.next());
        let part = links::customer(play.around.clone(), dice);
        play.enter("customer", &him, part);
    }
    for _ in 0..chance.below(3) {
        if chance.per_mille(700) {
            house = play.process();
        }
        let pause = i64::try_from(chance.below(40_000_000)).unwrap_or(0);
        let part = actors::billing_run(house.clone(), play.around.clone(), pause);
        play.enter("run", &house, part);
    }
}

fn is_anybody_busy(play: &Play) -> bool {
    (0..play.actors.len())
        .any(|at| !play.is_done(at) && !matches!(play.actors[at].name, "reconciler" | "mirror"))
}

/// Plays one case to its end.
pub fn play(provider: ProviderName, seed: u64, mistakes: Mistakes, telling: Telling) -> Told {
    let mut chance = Chance::new(seed);
    let mut play = set_up(provider, seed, mistakes, &mut chance);
    if telling == Telling::Aloud {
        play.trace = Some(Vec::new());
        play.world.net.state().trace = Some(Vec::new());
    }
    let mut moves = Moves::default();
    let is_old = chance.per_mille(15);
    if is_old {
        long_ago(&mut play, &mut moves);
    }
    cast(&mut play, mistakes, is_old, &mut chance);
    let started = play.world.stage.lock().now;
    let until_away = chance.per_mille(10).then(|| chance.next() % 300);
    let is_wild = |play: &Play| {
        until_away.is_none_or(|steps| play.steps < steps)
            && play.world.stage.lock().now < started + WILD_MINUTES * MINUTE
            && play.steps < 4_000
    };
    while is_wild(&play) && is_anybody_busy(&play) && play.watch.found.is_empty() {
        if !play.step(&mut moves) {
            break;
        }
    }
    if until_away.is_some() && play.watch.found.is_empty() {
        day_without_provider(&mut play, &mut moves);
    }
    // A little longer, so that reconcilers meet faults too.
    let until = play.world.stage.lock().now + 3 * MINUTE;
    while play.world.stage.lock().now < until
        && play.steps < 4_000
        && (play.around.is_anything_open() || play.around.is_mirror_busy())
        && play.watch.found.is_empty()
    {
        if !play.step(&mut moves) {
            break;
        }
    }
    rest(&mut play, mistakes, &mut moves);
    told(play)
}

/// No faults any more but those that are still to come: everything comes to rest.
pub fn rest_after(play: &mut Play, script: VecDeque<Option<Trouble>>, moves: &mut Moves) {
    play.calm_down();
    play.world.net.state().script = script;
    come_to_rest(play, Mistakes::default(), moves);
}

/// No faults any more: everything comes to rest, and the books are compared.
fn rest(play: &mut Play, mistakes: Mistakes, moves: &mut Moves) {
    play.calm_down();
    come_to_rest(play, mistakes, moves);
}

fn come_to_rest(play: &mut Play, mistakes: Mistakes, moves: &mut Moves) {
    if !mistakes.has_no_reconciler {
        let house = play.process();
        let part = actors::reconciler(house.clone(), play.around.clone());
        play.enter("reconciler", &house, part);
    }
    if play.world.net.state().offline.tells() {
        let house = play.process();
        let part = mirrors::puller(house.clone(), play.around.clone(), 5_000_000);
        play.enter("mirror", &house, part);
    }
    // Where looks are an hour apart, one more of them has to pass.
    let minutes = REST_MINUTES
        + if play.world.manners.looks_seldom {
            180
        } else {
            0
        };
    let deadline = play.world.stage.lock().now + minutes * MINUTE;
    while play.watch.found.is_empty() && play.steps < MOST_STEPS {
        let is_late = play.world.stage.lock().now > deadline;
        let is_busy = is_anybody_busy(play) || play.world.net.state().is_anything_flying();
        if !is_busy {
            play.around.is_ending.store(true, Ordering::Relaxed);
        }
        let is_over = !is_busy && play.around.is_at_rest();
        if is_late || is_over || !play.step(moves) {
            break;
        }
    }
    if play.world.net.state().offline.tells() {
        mirrors::come_to_rest(play, moves);
    }
    if play.watch.found.is_empty() {
        play.watch.at_rest(&play.world);
    }
    if play.watch.found.is_empty() && !mistakes.has_no_reconciler {
        links::a_day_passes(play, moves);
    }
    let is_anything_behind_an_error = !play.world.net.state().dead_keys.is_empty();
    if play.watch.found.is_empty() && is_anything_behind_an_error && !mistakes.has_no_reconciler {
        let house = play.process();
        // Others may take it up in between and be cut short: a day between two answers takes some hours more.
        for _ in 0..36 {
            play.world.stage.lock().now += 62 * MINUTE;
            let part = actors::looks_once(house.clone());
            to_its_end(play, &house, part, moves);
        }
        if play.watch.found.is_empty() {
            play.watch.a_day_later(&play.world);
        }
    }
}

pub fn told(mut play: Play) -> Told {
    let net = play.world.net.state();
    let troubles = net.troubles + play.world.shared.db().trouble.happened + play.deaths;
    Told {
        answers: net.offline.answers(),
        wishes: play.world.shared.db().tables.wishes.len() as u64,
        violations: std::mem::take(&mut play.watch.found),
        sends: net.sends,
        faults: troubles,
        steps: play.steps,
        trace: play.trace.take().unwrap_or_default(),
    }
}
