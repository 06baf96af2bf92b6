//! The play: one actor at a time goes on, whoever the dice choose; any may die at any wait.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::actors::Surroundings;
use crate::memory::stage::{Chance, Granted, Reason};
use crate::watch::Watch;
use crate::world::{Process, World};

type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An actor's bell: whether it has to be polled again.
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub struct Actor {
    pub name: &'static str,
    pub process: u64,
    part: Option<Part>,
    bell: Arc<Bell>,
    waker: Waker,
    pub turns: u32,
}

/// Who goes on next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Anybody.
    ByChance,
    /// Whoever waits longest.
    InTurn,
}

/// How wild the play is, while it is wild.
#[derive(Debug, Clone, Copy)]
pub struct Wildness {
    /// Deaths that may still happen, and how likely each step brings one.
    pub deaths: u32,
    pub death_per_mille: u32,
    /// How often a step takes time although somebody could go on.
    pub slow_per_mille: u32,
    /// How often a clock jumps.
    pub jump_per_mille: u32,
}

pub struct Play {
    pub world: World,
    pub watch: Watch,
    pub actors: Vec<Actor>,
    pub processes: Vec<Process>,
    pub around: Surroundings,
    chance: Chance,
    pub order: Order,
    pub wild: Wildness,
    pub deaths: u64,
    pub steps: u64,
    pub trace: Option<Vec<String>>,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The place with this number is granted.
    Grant(usize, Granted),
    /// The flight with this number comes a phase further.
    Fly(usize),
}

impl Play {
    pub fn new(world: World, seed: u64) -> Self {
        world.shared.db().log = Some(Vec::new());
        let around = Surroundings {
            stage: Arc::clone(&world.stage),
            shared: Arc::clone(&world.shared),
            net: Arc::clone(&world.net),
            host: Arc::clone(&world.host),
            is_ending: Arc::default(),
        };
        Self {
            watch: Watch::new(&world),
            world,
            actors: Vec::new(),
            processes: Vec::new(),
            around,
            chance: Chance::new(seed ^ 0x5151),
            order: Order::ByChance,
            wild: Wildness {
                deaths: 0,
                death_per_mille: 0,
                slow_per_mille: 0,
                jump_per_mille: 0,
            },
            deaths: 0,
            steps: 0,
            trace: None,
        }
    }

    pub fn process(&mut self) -> Process {
        let process = self.world.process();
        self.processes.push(process.clone());
        process
    }

    /// Brings an actor on and lets it go as far as its first wait.
    pub fn enter(
        &mut self,
        name: &'static str,
        process: &Process,
        part: impl Future<Output = ()> + Send + 'static,
    ) -> usize {
        let bell = Arc::new(Bell(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&bell));
        self.actors.push(Actor {
            name,
            process: process.id,
            part: Some(Box::pin(part)),
            bell,
            waker,
            turns: 0,
        });
        let at = self.actors.len() - 1;
        self.world.stage.lock().actor = at;
        self.poll(at);
        at
    }

    pub fn is_done(&self, at: usize) -> bool {
        self.actors[at].part.is_none()
    }

    fn poll(&mut self, at: usize) {
        let actor = &mut self.actors[at];
        loop {
            let Some(part) = &mut actor.part else { return };
            actor.bell.0.store(false, Ordering::Relaxed);
            let mut context = Context::from_waker(&actor.waker);
            if let Poll::Ready(()) = part.as_mut().poll(&mut context) {
                actor.part = None;
                return;
            }
            if !actor.bell.0.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let now = self.world.stage.now();
            trace.push(format!("{} {}", now.format("%H:%M:%S%.3f"), line()));
            let mut net = self.world.net.state();
            trace.extend(net.trace.iter_mut().flat_map(std::mem::take));
        }
    }

    /// Everything that can happen now.
    pub fn moves(&self, found: &mut Vec<Move>) {
        found.clear();
        let net = self.world.net.state();
        let state = self.world.stage.lock();
        for (at, place) in state.places.iter().enumerate() {
            let granted = match place.reason {
                Reason::Turn(_) => Some(Granted::Go),
                Reason::Until(until) => (until <= state.now).then_some(Granted::Go),
                Reason::Lock { since, in_vain_at } => {
                    if state.releases > since {
                        Some(Granted::Go)
                    } else {
                        (in_vain_at <= state.now).then_some(Granted::InVain)
                    }
                }
                Reason::Answer { call, in_vain_at } => {
                    if net.has_answer(call) {
                        Some(Granted::Go)
                    } else {
                        (in_vain_at <= state.now).then_some(Granted::InVain)
                    }
                }
            };
            found.extend(granted.map(|how| Move::Grant(at, how)));
        }
        for (at, flight) in net.flights.iter().enumerate() {
            if flight.at <= state.now {
                found.push(Move::Fly(at));
            }
        }
    }

    /// The next time at which something can happen.
    pub fn next_time(&self) -> Option<i64> {
        let net = self.world.net.state();
        let state = self.world.stage.lock();
        let waits = state.places.iter().filter_map(|place| match place.reason {
            Reason::Turn(_) => None,
            Reason::Until(at)
            | Reason::Lock { in_vain_at: at, .. }
            | Reason::Answer { in_vain_at: at, .. } => Some(at),
        });
        let flights = net.flights.iter().map(|flight| flight.at);
        waits.chain(flights).filter(|at| *at > state.now).min()
    }

    /// One step. False when nothing can ever happen again.
    pub fn step(&mut self, moves: &mut Moves) -> bool {
        self.steps += 1;
        self.moves(&mut moves.0);
        let is_slow =
            self.wild.slow_per_mille > 0 && self.chance.per_mille(self.wild.slow_per_mille);
        if moves.0.is_empty() || is_slow {
            match self.next_time() {
                Some(at) => self.world.stage.lock().now = at,
                None if moves.0.is_empty() => return false,
                None => {}
            }
            return true;
        }
        if self.wild.deaths > 0 && self.chance.per_mille(self.wild.death_per_mille) {
            self.wild.deaths -= 1;
            let alive: Vec<u64> = self
                .actors
                .iter()
                .filter(|actor| actor.part.is_some())
                .map(|actor| actor.process)
                .collect();
            if !alive.is_empty() {
                let process = alive[self.chance.below(alive.len())];
                self.kill(process);
                return true;
            }
        }
        if self.wild.jump_per_mille > 0 && self.chance.per_mille(self.wild.jump_per_mille) {
            self.jump();
        }
        let at = match self.order {
            Order::ByChance => self.chance.below(moves.0.len()),
            Order::InTurn => self.longest(&moves.0),
        };
        self.make(moves.0.swap_remove(at));
        true
    }

    /// Makes one move, and looks whether the laws still hold.
    pub fn make(&mut self, one: Move) {
        match one {
            Move::Fly(at) => {
                let now = self.world.stage.lock().now;
                self.world.net.state().fly(at, now);
                self.note(|| "flight".to_owned());
            }
            Move::Grant(at, how) => self.grant(at, how),
        }
        self.watch.look(&self.world);
    }

    /// Flights first, then the oldest wait.
    fn longest(&self, moves: &[Move]) -> usize {
        let state = self.world.stage.lock();
        let age = |one: &Move| match one {
            Move::Fly(_) => (0, 0),
            Move::Grant(at, _) => (1, state.places[*at].id),
        };
        (0..moves.len())
            .min_by_key(|at| age(&moves[*at]))
            .unwrap_or(0)
    }

    fn grant(&mut self, at: usize, how: Granted) {
        let place = self.world.stage.grant(at, how);
        self.actors[place.actor].turns += 1;
        if self.trace.is_some() {
            let name = self.actors[place.actor].name;
            let process = self.actors[place.actor].process;
            self.note(|| format!("{name}#{process}: {:?} {how:?}", place.reason));
        }
        self.poll(place.actor);
        if self.trace.is_some() {
            self.tell_commits();
        }
    }

    fn tell_commits(&mut self) {
        let mut lines = Vec::new();
        {
            let db = self.world.shared.db();
            for commit in db.log.iter().flatten() {
                for (id, (before, after)) in &commit.attempts {
                    let from = before
                        .as_ref()
                        .map_or("new", |row| row.attempt.state.as_str());
                    lines.push(format!(
                        "        committed: attempt {id} ({} of invoice {}) {from} > {} epoch {} sends {} next {:?}",
                        after.attempt.kind.as_str(),
                        after.attempt.invoice_id.0,
                        after.attempt.state,
                        after.attempt.lease_epoch,
                        after.attempt.send_count,
                        after.attempt.next_check_at.map(|at| at.format("%H:%M:%S").to_string()),
                    ));
                }
                for (id, (_, after)) in &commit.invoices {
                    lines.push(format!("        committed: invoice {id} {}", after.state));
                }
                for (id, (_, after)) in &commit.payments {
                    let p = &after.payment;
                    lines.push(format!(
                        "        committed: payment {id} refunded {} reserved {}",
                        p.refunded_minor, p.reserved_minor
                    ));
                }
            }
        }
        if let Some(trace) = &mut self.trace {
            trace.extend(lines);
        }
    }

    /// A process is gone, with everybody in it, at whatever they were doing.
    pub fn kill(&mut self, process: u64) {
        self.deaths += 1;
        self.note(|| format!("process #{process} dies"));
        for at in 0..self.actors.len() {
            if self.actors[at].process == process {
                self.world.stage.lock().actor = at;
                self.actors[at].part = None;
            }
        }
        self.world.shared.process_died(process);
        self.world.host.died(process);
        self.processes.retain(|other| other.id != process);
    }

    fn jump(&mut self) {
        const JUMPS: [i64; 6] = [-86_400, -600, 0, 0, 600, 86_400];
        let to = JUMPS[self.chance.below(JUMPS.len())] * 1_000_000;
        if self.processes.is_empty() {
            return;
        }
        let at = self.chance.below(self.processes.len());
        self.processes[at].skew.store(to, Ordering::Relaxed);
        let id = self.processes[at].id;
        self.note(|| format!("the clock of #{id} is off by {} s", to / 1_000_000));
    }

    /// No faults any more; clocks are right.
    pub fn calm_down(&mut self) {
        self.wild = Wildness {
            deaths: 0,
            death_per_mille: 0,
            slow_per_mille: 0,
            jump_per_mille: 0,
        };
        self.world.net.state().left = 0;
        self.world.net.state().script.clear();
        self.world.shared.db().trouble.left = 0;
        for process in &self.processes {
            process.skew.store(0, Ordering::Relaxed);
        }
        self.note(|| "no more faults".to_owned());
    }
}

/// Room for the moves of a step, used again by the next.
#[derive(Default)]
pub struct Moves(Vec<Move>);
