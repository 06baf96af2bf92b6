//! Customers whose bank asks them (3-D Secure): their cards, and what they do at the link. They agree, refuse, think about it
//! or never come, at any time, also while whatever was sent for them is out.

use std::sync::Arc;

use paydeck::domain::attempt::Attempt;
use paydeck::domain::customer::SealedKey;
use paydeck::domain::ids::AttemptId;
use paydeck::domain::operator::Operator;

use crate::actors::{self, Surroundings};
use crate::case;
use crate::memory::db::MethodRow;
use crate::memory::stage::{Chance, Reason};
use crate::net::Net;
use crate::play::{Moves, Play};
use crate::world::{Process, World};

const MINUTE: i64 = 60_000_000;
/// Its bank asks each time; the last one until its owner has agreed once.
const ASKING: [&str; 3] = [
    "pm_card_authenticationRequired",
    "pm_card_authenticationRequired",
    "pm_card_authenticationRequiredOnSetup",
];
/// Looks of an hour each after which no link is open any more.
const HOURS: usize = 27;
/// Looks after the last answer.
const LAST_LOOKS: u32 = 4;

/// Everybody's card is one whose bank asks.
pub fn cards_ask(world: &World, chance: &mut Chance) {
    let now = world.stage.now();
    let mut net = world.net.state();
    let mut db = world.shared.db();
    for id in 1..=i64::try_from(db.tables.methods.len()).unwrap_or(0) {
        let card = ASKING[chance.below(ASKING.len())];
        let key = net.offline.register_asking(card, now);
        let key = key.expect("a card of the second provider");
        let slot = db.tables.methods.slot_mut(id).expect("a row");
        let row = slot.committed.take().expect("a card");
        slot.committed = Some(Arc::new(MethodRow {
            key: SealedKey {
                sealed: key.clone().into_bytes(),
                hash: key,
                ..row.key.clone()
            },
            ..MethodRow::clone(&row)
        }));
    }
}

impl Net {
    /// Some customer answers at a link that is open, if there is one.
    pub fn somebody_answers(&self, now: i64, chance: &mut Chance) {
        let mut state = self.state();
        let open = state.offline.links().to_vec();
        if open.is_empty() {
            return;
        }
        let link = &open[chance.below(open.len())];
        let agrees = chance.per_mille(700);
        let at = crate::memory::stage::instant(now);
        let was_open = state.offline.answer_at(link, agrees, at);
        let word = if agrees { "agrees" } else { "refuses" };
        state.note(|| {
            format!(
                "        the customer {word} at {} of {}: {was_open}",
                link.intent, link.order_id
            )
        });
    }
}

/// A customer who looks at his mail now and then.
pub async fn customer(around: Surroundings, mut chance: Chance) {
    const PAUSES: [i64; 5] = [0, 100_000, 2_000_000, 30_000_000, 200_000_000];
    for _ in 0..=chance.below(8) {
        let pause = PAUSES[chance.below(PAUSES.len())];
        let at = around.stage.lock().now + pause;
        around.stage.wait(Reason::Until(at)).await;
        let now = around.stage.lock().now;
        around.net.somebody_answers(now, &mut chance);
    }
}

/// A customer who agrees as soon as there is a link, for some minutes.
pub async fn agrees_at_once(around: Surroundings) {
    for _ in 0..40 {
        let at = around.stage.lock().now + 5_000_000;
        around.stage.wait(Reason::Until(at)).await;
        let open = around.net.state().offline.links().to_vec();
        let now = around.stage.now();
        for link in open {
            around.net.state().offline.answer_at(&link, true, now);
        }
    }
}

/// Somebody asks for the link of a charge that waits. It changes nothing.
pub async fn hands_on(
    process: &Process,
    around: &Surroundings,
    operator: &Operator,
    chance: &mut Chance,
) {
    let waiting: Vec<AttemptId> = {
        let db = around.shared.db();
        let rows = db.tables.attempts.rows();
        rows.filter(|(_, row)| row.attempt.asks_customer())
            .map(|(id, _)| AttemptId(id))
            .collect()
    };
    if waiting.is_empty() {
        return;
    }
    let attempt = waiting[chance.below(waiting.len())];
    let _link = process.engine.customer_link(operator, attempt).await;
}

fn is_anybody_asked(play: &Play) -> bool {
    let asks = |attempt: &Attempt| play.around.waits_at_link(attempt);
    let db = play.world.shared.db();
    db.tables.attempts.rows().any(|(_, row)| asks(&row.attempt))
}

fn is_anybody_waited_for(play: &Play) -> bool {
    let db = play.world.shared.db();
    db.tables
        .attempts
        .rows()
        .any(|(_, row)| row.attempt.asks_customer() && !row.attempt.needs_human)
}

/// Links that are still open are answered late, or closed after a day.
pub fn a_day_passes(play: &mut Play, moves: &mut Moves) {
    if !is_anybody_asked(play) {
        return;
    }
    let house = play.process();
    for hour in 0..HOURS {
        play.world.stage.lock().now += 62 * MINUTE;
        if !is_anybody_asked(play) {
            break;
        }
        let now = play.world.stage.lock().now;
        let mut dice = Chance::new(play.steps ^ u64::try_from(hour).unwrap_or(0));
        if dice.per_mille(40) {
            let net = Arc::clone(&play.world.net);
            net.somebody_answers(now, &mut dice);
        }
        let part = actors::looks_once(house.clone());
        case::to_its_end(play, &house, part, moves);
    }
    // Who answered last is heard of by the next look, or by one after it: a question that was out when the hours passed has
    // no answer.
    for _ in 0..LAST_LOOKS {
        play.world.stage.lock().now += 5 * MINUTE;
        let part = actors::looks_once(house.clone());
        case::to_its_end(play, &house, part, moves);
        if !is_anybody_waited_for(play) {
            break;
        }
    }
    if play.watch.found.is_empty() {
        play.watch.nobody_is_asked(&play.world);
    }
    if play.watch.found.is_empty() {
        play.watch.at_rest(&play.world);
    }
}
