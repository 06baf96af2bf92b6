//! Every order of events of a small play: depth first, and no state twice.
//!
//! Actors cannot be copied, so a branch is reached by playing its beginning again. Where an actor stands follows from
//! what it has been told since it last knew nothing (`Marks`): each statement tells it the tables that it reads, each
//! answer its bytes. With the tables, the provider's books and what is on its way, that is the state. What a process
//! counts between its errands (troubled calls in a row, places in its audit chain) decides nothing in plays this short.
//!
//! Two things are left out, and nothing is lost by it. A move that touches nothing that anybody else can see or change
//! (`is_private`) is made at once: before or after the others' moves it leads to the same states. And a reconciler that
//! would find nothing is not asked: it would stand where it stood.
//!
//! Time passes when nobody can go on, and `leaps` times, by more than a lease and the patience of a client, while
//! somebody could and an attempt is open; not in the middle of such private moves.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use paydeck::domain::states::RunState;

use crate::memory::db::Personality;
use crate::memory::stage::{Granted, Place, Reason};
use crate::memory::tx_money::is_to_be_worked_on;
use crate::play::{Move, Play};
use crate::prints::{Prints, mix, print_of, shelves_of};
use crate::watch::{Law, Violation};

/// Longer than a lease (120 s) and than a client waits for an answer (70 s).
const LEAP_US: i64 = 130_000_000;
/// Everything has to come to rest in so long.
const REST_US: i64 = 40 * 60_000_000;

/// More steps than any schedule takes.
const MOST_STEPS: usize = 3_000;

/// Where actors say that they know nothing any more but this.
#[derive(Debug, Clone, Default)]
pub struct Marks(Arc<Mutex<Vec<u64>>>);

impl Marks {
    /// From here on the actor knows nothing but what this print is of.
    pub fn knows_only(&self, print: u64) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.push(print);
    }

    fn take(&self) -> Option<u64> {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = marks.last().copied();
        marks.clear();
        last
    }
}

/// A play at its beginning.
pub struct Opening {
    pub play: Play,
    pub marks: Marks,
    /// The actors that look again and again.
    pub reconcilers: Vec<usize>,
}

/// How far it is searched.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    pub leaps: u32,
    /// How often an actor that could go on has to wait for another; none: as often as can be.
    pub preemptions: Option<u8>,
    /// No more schedules than these.
    pub most: u64,
    pub order: Depth,
}

/// Which branches are followed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The deepest: few wait to be followed.
    First,
    /// Those that leave the usual order early: a mistake is met soon.
    Last,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub schedules: u64,
    pub states: usize,
    pub ends: u64,
    pub deepest: usize,
    pub is_finished: bool,
    pub broken: Option<(Vec<Violation>, Vec<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Make(Move),
    Leap,
}

/// What is known of a state besides the play itself.
#[derive(Debug, Clone, Default)]
struct Known {
    /// A print of what each actor was told since it last knew nothing.
    told: Vec<u64>,
    /// Whether it knows nothing but that.
    is_at_mark: Vec<bool>,
    /// A print of everything that the provider carried out.
    books: u64,
    leaps_left: u32,
    preemptions_left: u8,
    last: Option<usize>,
}

struct Job {
    path: Vec<u8>,
    known: Known,
}

struct Search<'s> {
    open: &'s (dyn Fn() -> Opening + Sync),
    reach: Reach,
    jobs: Mutex<(VecDeque<Job>, usize)>,
    more: Condvar,
    seen: Vec<Mutex<HashMap<u64, u8>>>,
    schedules: AtomicU64,
    ends: AtomicU64,
    deepest: AtomicUsize,
    is_over: AtomicBool,
    broken: Mutex<Option<(Vec<Violation>, Vec<u8>)>>,
}

/// Plays every schedule within reach, on every core.
pub fn search(open: &(dyn Fn() -> Opening + Sync), reach: Reach) -> Found {
    let first = Job {
        path: Vec::new(),
        known: Known::default(),
    };
    let search = Search {
        open,
        reach,
        jobs: Mutex::new((VecDeque::from([first]), 0)),
        more: Condvar::new(),
        seen: (0..64).map(|_| Mutex::default()).collect(),
        schedules: AtomicU64::new(0),
        ends: AtomicU64::new(0),
        deepest: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        broken: Mutex::new(None),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| search.work());
        }
    });
    let states = search.seen.iter().map(|part| lock(part).len()).sum();
    let broken = lock(&search.broken).take();
    Found {
        schedules: search.schedules.load(Ordering::Relaxed),
        states,
        ends: search.ends.load(Ordering::Relaxed),
        deepest: search.deepest.load(Ordering::Relaxed),
        is_finished: !search.is_over.load(Ordering::Relaxed),
        broken: broken.map(|(violations, path)| (violations, search.tell(&path))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread that fails ends the search.
struct StopsOthers<'s, 'o>(&'s Search<'o>);

impl Drop for StopsOthers<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.is_over.store(true, Ordering::Relaxed);
            self.0.more.notify_all();
        }
    }
}

impl Search<'_> {
    fn work(&self) {
        let _others_stop_too = StopsOthers(self);
        let prints = Prints::of_beginning(&(self.open)().play.world.shared.db());
        let mut branch = Branch::new(prints);
        while let Some(job) = self.next_job() {
            let count = self.schedules.fetch_add(1, Ordering::Relaxed);
            if count >= self.reach.most {
                self.is_over.store(true, Ordering::Relaxed);
            } else {
                self.follow(&mut branch, job);
            }
            lock(&self.jobs).1 -= 1;
            self.more.notify_all();
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        loop {
            if self.is_over.load(Ordering::Relaxed) {
                return None;
            }
            let job = match self.reach.order {
                Depth::First => jobs.0.pop_back(),
                Depth::Last => jobs.0.pop_front(),
            };
            if let Some(job) = job {
                jobs.1 += 1;
                return Some(job);
            }
            if jobs.1 == 0 {
                return None;
            }
            jobs = self.more.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Plays the beginning of a branch again, then on from there; what else could have been done becomes a job.
    fn follow(&self, branch: &mut Branch, job: Job) {
        let mut at = branch.begin((self.open)(), self.reach);
        let mut path = job.path;
        let mut steps = 0;
        if let Some((&last, before)) = path.split_last() {
            at.is_new = false;
            for &choice in before {
                branch.go_to_fork(&mut at);
                branch.choose(&mut at, usize::from(choice));
            }
            branch.go_to_fork(&mut at);
            at.known = job.known;
            at.is_new = true;
            branch.choose(&mut at, usize::from(last));
        }
        loop {
            steps += 1;
            if steps > MOST_STEPS {
                at.opening.play.watch.found.push(Violation {
                    law: Law::NothingStuck,
                    what: "it never comes to rest".to_owned(),
                });
            }
            if !at.opening.play.watch.found.is_empty() {
                break;
            }
            branch.options(&mut at);
            match branch.found.len() {
                0 => {
                    if !branch.pass_time(&mut at) {
                        self.ends.fetch_add(1, Ordering::Relaxed);
                        let play = &mut at.opening.play;
                        play.watch.at_rest(&play.world);
                        break;
                    }
                }
                1 => branch.choose(&mut at, 0),
                several => {
                    if !self.is_first_visit(branch, &at) {
                        break;
                    }
                    let mut jobs = lock(&self.jobs);
                    for other in (1..several).rev() {
                        let mut path = path.clone();
                        path.push(u8::try_from(other).unwrap_or(u8::MAX));
                        let known = at.known.clone();
                        jobs.0.push_back(Job { path, known });
                    }
                    drop(jobs);
                    self.more.notify_all();
                    path.push(0);
                    branch.choose(&mut at, 0);
                }
            }
        }
        self.deepest
            .fetch_max(path.len() + steps, Ordering::Relaxed);
        let found = std::mem::take(&mut at.opening.play.watch.found);
        if !found.is_empty() {
            lock(&self.broken).get_or_insert((found, path));
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// Whether nobody was here before with as much left to do.
    fn is_first_visit(&self, branch: &mut Branch, at: &At) -> bool {
        let print = branch.print(at);
        let part = usize::try_from(print % 64).unwrap_or(0);
        let mut seen = lock(&self.seen[part]);
        let left = at.known.preemptions_left;
        match seen.get_mut(&print) {
            Some(before) if *before >= left => false,
            Some(before) => {
                *before = left;
                true
            }
            None => {
                seen.insert(print, left);
                true
            }
        }
    }

    /// What happens on a path, line by line.
    fn tell(&self, path: &[u8]) -> Vec<String> {
        let mut opening = (self.open)();
        opening.play.trace = Some(Vec::new());
        opening.play.world.net.state().trace = Some(Vec::new());
        let mut branch = Branch::new(Prints::default());
        let mut at = branch.begin(opening, self.reach);
        for &choice in path {
            branch.go_to_fork(&mut at);
            branch.choose(&mut at, usize::from(choice));
        }
        for _ in 0..MOST_STEPS {
            branch.options(&mut at);
            let is_going_on = match branch.found.len() {
                0 => branch.pass_time(&mut at),
                1 => {
                    branch.choose(&mut at, 0);
                    true
                }
                _ => false,
            };
            if !is_going_on || !at.opening.play.watch.found.is_empty() {
                break;
            }
        }
        at.opening.play.trace.take().unwrap_or_default()
    }
}

/// A play under way.
struct At {
    opening: Opening,
    known: Known,
    started: i64,
    /// Nobody was here before: prints are taken.
    is_new: bool,
}

/// What a thread needs for one branch after the other.
struct Branch {
    prints: Prints,
    moves: Vec<Move>,
    found: Vec<Choice>,
}

/// Whether nothing that the move does can be seen by another actor or be changed by one.
fn is_private(reason: &Reason, is_serial: bool) -> bool {
    match reason {
        Reason::Turn("committed") => true,
        // One writer at a time: until it has committed, the others can only wait for it.
        Reason::Turn("commit") => is_serial,
        Reason::Turn("begin") => !is_serial,
        // Rows that nobody changes in these plays, rows that nobody reads, and the time, which stands still meanwhile.
        Reason::Turn(statement) => matches!(
            *statement,
            "db now"
                | "audit"
                | "chain end"
                | "post"
                | "insert evidence"
                | "customer"
                | "method"
                | "active method"
                | "active methods"
                | "methods"
                | "sealed key"
                | "term"
                | "plan"
        ),
        Reason::Answer { .. } => true,
        Reason::Until(_) | Reason::Lock { .. } => false,
    }
}

impl Branch {
    fn new(prints: Prints) -> Self {
        Self {
            prints,
            moves: Vec::new(),
            found: Vec::new(),
        }
    }

    fn begin(&mut self, opening: Opening, reach: Reach) -> At {
        self.prints.begin();
        let actors = opening.play.actors.len();
        opening.marks.take();
        let started = opening.play.world.stage.lock().now;
        At {
            known: Known {
                told: vec![0; actors],
                is_at_mark: vec![true; actors],
                leaps_left: reach.leaps,
                preemptions_left: reach.preemptions.unwrap_or(u8::MAX),
                ..Known::default()
            },
            started,
            is_new: true,
            opening,
        }
    }

    /// Goes on to the next fork of a play that was here before.
    fn go_to_fork(&mut self, at: &mut At) {
        loop {
            self.options(at);
            match self.found.len() {
                0 => assert!(self.pass_time(at), "a play goes as it went before"),
                1 => self.choose(at, 0),
                _ => return,
            }
        }
    }

    /// What can happen now: one move alone where nothing is lost by it.
    fn options(&mut self, at: &mut At) {
        let play = &at.opening.play;
        play.moves(&mut self.moves);
        self.found.clear();
        let is_anything_open = play.around.is_anything_open();
        let state = play.world.stage.lock();
        let net = play.world.net.state();
        let db = play.world.shared.db();
        let is_serial = db.personality == Personality::Serial;
        let is_pending =
            |place: &Place| !matches!(place.reason, Reason::Until(to) if to > state.now);
        let has_work = || {
            let now = crate::memory::stage::instant(state.now);
            let leases = !db.flaws.has(crate::memory::flaw::Flaw::Leases);
            let mut attempts = db.tables.attempts.slots().iter();
            let mut leased = db.tables.run_leases.rows();
            attempts.any(|slot| {
                let row = slot.committed.as_ref().filter(|_| slot.locked_by.is_none());
                row.is_some_and(|row| is_to_be_worked_on(&row.attempt, now, leases))
            }) || leased.any(|(_, row)| {
                row.until.is_some_and(|until| until <= now)
                    && db
                        .tables
                        .runs
                        .committed(row.run.0)
                        .is_some_and(|run| run.state == RunState::Running)
            })
        };
        for one in &self.moves {
            match *one {
                Move::Fly(flight) if net.is_asking_in_private(flight) => {
                    self.found.clear();
                    self.found.push(Choice::Make(*one));
                    return;
                }
                Move::Fly(_) => self.found.push(Choice::Make(*one)),
                Move::Grant(place, how) => {
                    let place = &state.places[place];
                    let own = state
                        .places
                        .iter()
                        .filter(|other| other.actor == place.actor && is_pending(other));
                    if how == Granted::Go
                        && is_private(&place.reason, is_serial)
                        && own.count() == 1
                    {
                        let looks_in_vain = at.opening.reconcilers.contains(&place.actor)
                            && at.known.is_at_mark[place.actor]
                            && !has_work();
                        if looks_in_vain {
                            continue;
                        }
                        self.found.clear();
                        self.found.push(Choice::Make(*one));
                        return;
                    }
                    let looks_in_vain = place.reason == Reason::Turn("begin")
                        && at.opening.reconcilers.contains(&place.actor)
                        && at.known.is_at_mark[place.actor]
                        && !has_work();
                    if !looks_in_vain {
                        self.found.push(Choice::Make(*one));
                    }
                }
            }
        }
        if self.found.is_empty() {
            return;
        }
        let of = |choice: &Choice| match choice {
            Choice::Make(Move::Grant(place, _)) => Some(state.places[*place].actor),
            _ => None,
        };
        let could_go_on =
            at.known.last.is_some() && self.found.iter().any(|choice| of(choice) == at.known.last);
        if could_go_on && at.known.preemptions_left == 0 {
            self.found
                .retain(|choice| of(choice).is_none_or(|actor| Some(actor) == at.known.last));
        }
        if at.known.leaps_left > 0 && is_anything_open {
            self.found.push(Choice::Leap);
        }
    }

    /// Makes one of the moves that were found.
    fn choose(&mut self, at: &mut At, which: usize) {
        let is_fork = self.found.len() > 1;
        match self.found[which] {
            Choice::Leap => {
                at.known.leaps_left -= 1;
                at.opening.play.world.stage.lock().now += LEAP_US;
            }
            Choice::Make(one) => self.make(at, one, is_fork),
        }
    }

    fn make(&mut self, at: &mut At, one: Move, is_fork: bool) {
        match one {
            Move::Fly(flight) => {
                if at.is_new {
                    let net = at.opening.play.world.net.state();
                    if let Some(moved) = net.about_to_move_money(flight) {
                        let now = at.opening.play.world.stage.lock().now;
                        at.known.books = mix(at.known.books, (moved, now));
                    }
                }
                at.opening.play.make(one);
            }
            Move::Grant(place, how) => self.grant(at, (place, how), is_fork),
        }
    }

    fn grant(&mut self, at: &mut At, (place, how): (usize, Granted), is_fork: bool) {
        let (actor, reason, now) = {
            let state = at.opening.play.world.stage.lock();
            let place = &state.places[place];
            (place.actor, place.reason, state.now)
        };
        if is_fork && at.known.last.is_some_and(|last| last != actor) {
            let is_preempted = self.found.iter().any(|choice| match choice {
                Choice::Make(Move::Grant(other, _)) => {
                    let state = at.opening.play.world.stage.lock();
                    Some(state.places[*other].actor) == at.known.last
                }
                _ => false,
            });
            if is_preempted && at.known.preemptions_left != u8::MAX {
                at.known.preemptions_left -= 1;
            }
        }
        at.known.last = Some(actor);
        at.known.is_at_mark[actor] = false;
        let answer = match reason {
            Reason::Answer { call, .. } if at.is_new => {
                at.opening.play.world.net.state().print_of_answer(call)
            }
            _ => 0,
        };
        at.opening.play.make(Move::Grant(place, how));
        let marked = at.opening.marks.take();
        let db = &mut at.opening.play.world.shared.db();
        let statements = db
            .doings
            .as_mut()
            .map(|doings| std::mem::take(&mut doings.statements))
            .unwrap_or_default();
        if let Some(mark) = marked {
            at.known.told[actor] = mark;
            at.known.is_at_mark[actor] = true;
            return;
        }
        if !at.is_new {
            return;
        }
        let what = match reason {
            Reason::Turn(what) => print_of(&what),
            Reason::Until(_) => 1,
            Reason::Lock { .. } => 2,
            Reason::Answer { .. } => 3,
        };
        let mut told = mix(
            at.known.told[actor],
            (what, how == Granted::Go, now, answer),
        );
        if matches!(reason, Reason::Lock { .. }) {
            told = mix(told, self.prints.all(db));
        }
        let mut read = 0_u16;
        for shelf in statements
            .iter()
            .flat_map(|statement| shelves_of(statement))
        {
            if read & (1 << *shelf as u8) == 0 {
                read |= 1 << *shelf as u8;
                told = mix(told, self.prints.shelf(db, *shelf));
            }
        }
        at.known.told[actor] = told;
    }

    /// Nobody can go on: time passes. False when everything is at rest, or late.
    fn pass_time(&mut self, at: &mut At) -> bool {
        let play = &mut at.opening.play;
        let is_anybody_busy = (0..play.actors.len())
            .any(|one| !at.opening.reconcilers.contains(&one) && !play.is_done(one));
        let is_open = play.around.is_anything_open();
        let now = play.world.stage.lock().now;
        if !is_anybody_busy && !is_open {
            return false;
        }
        if now > at.started + REST_US {
            return false;
        }
        let next = play.next_time();
        let due = is_open.then(|| play.around.next_due().max(now + 1_000_000));
        let Some(to) = next.into_iter().chain(due).min() else {
            play.watch.found.push(Violation {
                law: Law::NothingStuck,
                what: "somebody waits for nothing".to_owned(),
            });
            return false;
        };
        play.world.stage.lock().now = to;
        true
    }

    /// A print of the state: with the same print everything goes on alike.
    fn print(&mut self, at: &At) -> u64 {
        let play = &at.opening.play;
        let state = play.world.stage.lock();
        let net = play.world.net.state();
        let db = play.world.shared.db();
        let waiting = |call: u64| {
            let mut places = state.places.iter();
            places
                .find(|place| matches!(place.reason, Reason::Answer { call: of, .. } if of == call))
                .map_or(0, |place| 1 + u64::try_from(place.actor).unwrap_or(0))
        };
        let mut places: Vec<u64> = state
            .places
            .iter()
            .map(|place| {
                let what = match place.reason {
                    Reason::Turn(what) => print_of(&what),
                    Reason::Until(to) => mix(1, to),
                    Reason::Lock { since, in_vain_at } => {
                        mix(2, (state.releases > since, in_vain_at))
                    }
                    Reason::Answer { in_vain_at, .. } => mix(3, in_vain_at),
                };
                mix(what, place.actor)
            })
            .collect();
        places.sort_unstable();
        let mut print = self.prints.all(&db);
        print = mix(print, (state.now, &at.known.told, &at.known.is_at_mark));
        print = mix(print, (at.known.books, at.known.leaps_left, places));
        if self.is_bounded(at) {
            print = mix(print, at.known.last);
        }
        mix(print, net.print(waiting))
    }

    const fn is_bounded(&self, at: &At) -> bool {
        at.known.preemptions_left != u8::MAX
    }
}
