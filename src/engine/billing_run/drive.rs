//! The loop of one run: claim, call, settle, at the same time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use chrono::{DateTime, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::domain::evidence::{Evidence, EvidenceSource, Proves};
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::run::Run;
use crate::domain::states::AttemptState;

use super::super::Engine;
use super::super::audit::Actor;
use super::super::breaker::Admission;
use super::super::charge::as_in_progress;
use super::super::ports::{
    BoxFuture, Desk, Foreseen, Invoices, Store, StoreError, Subscriptions, Tx,
};
use super::super::refusal::VerbError;
use super::super::send::{Outgoing, Returned, nothing_left};
use super::super::settle::Settled;
use super::super::two_steps::Named;
use super::bill::{Claiming, Step};
use super::stop::{Aside, Stop, Stops};
use super::{Progress, RunProgress};

/// At most so many answers are settled in one commit.
const SETTLE_BATCH: usize = 64;
/// No more calls begin while so many batches of answers are not in the books.
const MOST_BATCHES_BEHIND: usize = 2;

/// What the database has done for the run.
enum Chore {
    Claim(Result<Claimed, VerbError>),
    /// So many answers, and what became of them.
    Settle(usize, Result<Vec<Settled>, VerbError>),
    Name(Vec<Result<Outgoing, Box<Returned>>>),
}

/// What came back of one call.
enum Flown {
    Returned(Box<Returned>),
    /// Prepared: its name has to be stored before it goes on.
    Named(Box<Named>),
}

/// What moves a run on.
enum Event {
    Flown(Flown),
    Done(Chore),
    /// Nothing is out and nothing is being written.
    Idle,
}

struct Claimed {
    out: Vec<Outgoing>,
    decided: u64,
    /// Whose rows did not go out.
    held: Vec<ProviderName>,
    seen: u64,
    oldest: Option<DateTime<Utc>>,
}

pub(super) struct Drive<'e, S: Store> {
    engine: &'e Engine<S>,
    run: &'e Run,
    actor: Actor<'e>,
    due: u64,
    decided: u64,
    queue: VecDeque<Outgoing>,
    in_flight: FuturesUnordered<BoxFuture<'e, Flown>>,
    named: Vec<Named>,
    answered: Vec<Returned>,
    /// Transactions under way, beside each other where the database lets them.
    chores: FuturesUnordered<BoxFuture<'e, Chore>>,
    claiming: usize,
    settling: usize,
    naming: usize,
    is_exhausted: bool,
    charged: Vec<Money>,
    oldest: Option<DateTime<Utc>>,
    stops: Stops,
    /// Answers that are being written.
    written: usize,
    aside: Arc<Aside>,
}

impl<'e, S: Store> Drive<'e, S> {
    pub(super) fn new(engine: &'e Engine<S>, run: &'e Run, actor: Actor<'e>, due: u64) -> Self {
        Self {
            engine,
            run,
            actor,
            due,
            decided: 0,
            queue: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
            named: Vec::new(),
            answered: Vec::new(),
            chores: FuturesUnordered::new(),
            claiming: 0,
            settling: 0,
            naming: 0,
            is_exhausted: false,
            charged: Vec::new(),
            oldest: None,
            stops: Stops::default(),
            written: 0,
            aside: Arc::default(),
        }
    }

    pub(super) fn stop_reason(&self) -> Option<String> {
        self.stops.reason()
    }

    pub(super) fn charged(&self) -> Vec<Money> {
        self.charged.clone()
    }

    /// Whole days between the oldest due row and the run's time.
    pub(super) fn late_days(&self) -> i64 {
        self.oldest
            .map_or(0, |oldest| (self.run.until - oldest).num_days().max(0))
    }

    /// Claims, calls and settles until nothing is due and nothing is out.
    pub(super) async fn work_through(&mut self, progress: Progress<'_>) -> Result<(), VerbError> {
        let ended = self.work(progress).await;
        if ended.is_err() {
            self.keep_what_is_out().await;
        }
        ended
    }

    /// The run is over and the database cannot be told: answers that come yet are kept on this host. Each call has a
    /// limit of its own.
    async fn keep_what_is_out(&mut self) {
        while let Some(flown) = self.in_flight.next().await {
            // What was only prepared took nothing, and nobody confirms it.
            if let Flown::Returned(returned) = flown {
                self.answered.push(*returned);
            }
        }
        for returned in self.answered.drain(..) {
            self.engine.keep_answer(&returned, EvidenceSource::Answer);
        }
        // Others that are settling keep their own where they fail.
        while self.chores.next().await.is_some() {}
    }

    async fn work(&mut self, progress: Progress<'_>) -> Result<(), VerbError> {
        loop {
            if self.aside.is_everybodys() {
                let providers = self.engine.parts.providers.iter();
                self.stops.books_refuse(providers.map(|p| p.name()));
            }
            self.start_calls();
            self.start_chores();
            progress(RunProgress {
                run: self.run.public_id.clone(),
                due: self.due,
                decided: self.decided,
                in_flight: self.in_flight.len(),
            });
            match self.next_event().await {
                Event::Flown(Flown::Returned(returned)) => self.take_answer(*returned),
                Event::Flown(Flown::Named(named)) => self.named.push(*named),
                Event::Done(Chore::Name(named)) => self.take_named(named),
                Event::Done(Chore::Claim(claimed)) => self.take_in(claimed?),
                Event::Done(Chore::Settle(answers, settled)) => {
                    self.settling -= 1;
                    self.written -= answers;
                    for one in settled? {
                        self.note(&one)?;
                    }
                }
                Event::Idle if self.queue.is_empty() => return Ok(()),
                Event::Idle => self.give_back().await?,
            }
        }
    }

    /// No call starts after an answer says that our key is refused: not once it is settled, but as soon as it is here. What
    /// is refused for a reason of its own leaves the others alone.
    fn take_answer(&mut self, returned: Returned) {
        let name = returned.attempt.provider;
        match &returned.report.evidence {
            Evidence::Refused(refusal) if refusal.proves == Proves::ConfigTrouble => {
                let provider = self.engine.provider(name);
                if provider.is_ok_and(|provider| !provider.refuses_everybody(refusal)) {
                    self.stops.refused_one(name);
                } else {
                    self.stops.hold(name, Stop::KeyRefused);
                }
            }
            Evidence::Refused(_) | Evidence::Seen(_) => self.stops.went_through(name),
            _ => {}
        }
        self.answered.push(returned);
    }

    /// Calls first: answers that are there already are settled together.
    async fn next_event(&mut self) -> Event {
        std::future::poll_fn(|cx| {
            if let Poll::Ready(Some(flown)) = self.in_flight.poll_next_unpin(cx) {
                return Poll::Ready(Event::Flown(flown));
            }
            match self.chores.poll_next_unpin(cx) {
                Poll::Ready(Some(chore)) => Poll::Ready(Event::Done(chore)),
                Poll::Ready(None) if self.in_flight.is_empty() => Poll::Ready(Event::Idle),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn concurrency(&self) -> usize {
        self.engine.parts.settings.concurrency.max(1)
    }

    /// Rows are claimed ahead of the calls, so that a free place never waits for the database: as
    /// many as are out at once, so that each leaves well before its lease ends.
    fn wants_more(&self) -> bool {
        !self.is_exhausted && !self.is_stopped() && self.queue.len() < self.concurrency()
    }

    /// Whether nothing new is begun: nothing more goes to any provider there is.
    fn is_stopped(&self) -> bool {
        let providers = &self.engine.parts.providers;
        let is_stopped = |name| self.stops.of(name).is_some();
        !providers.is_empty() && providers.iter().all(|p| is_stopped(p.name()))
    }

    /// What is named goes on where its first step was the probe; everything else is let through or held.
    fn admission(&self, outgoing: &Outgoing) -> Admission {
        match (self.stops.of(outgoing.attempt.provider), outgoing.admitted) {
            (Some(stop), _) if stop.is_for_good() => Admission::Held,
            (_, Admission::Probe) => Admission::Probe,
            (_, Admission::Free | Admission::Held) => {
                let breaker = self.engine.breaker(outgoing.attempt.provider);
                breaker.admit(self.engine.now())
            }
        }
    }

    /// Whether the books keep up with the answers. Where they refused the last one, nobody is charged on trust: no more
    /// is out and unwritten than may be out.
    fn books_keep_up(&self) -> bool {
        let behind = self.answered.len() + self.written;
        if self.aside.is_any() {
            behind + self.in_flight.len() < self.concurrency()
        } else {
            behind < MOST_BATCHES_BEHIND * SETTLE_BATCH.max(self.concurrency())
        }
    }

    fn start_calls(&mut self) {
        while self.in_flight.len() < self.concurrency() && self.books_keep_up() {
            let Some(mut outgoing) = self.queue.pop_front() else {
                return;
            };
            let provider = outgoing.attempt.provider;
            outgoing.admitted = self.admission(&outgoing);
            match outgoing.admitted {
                Admission::Free => self.stops.let_go(provider),
                Admission::Probe => {}
                Admission::Held => {
                    self.stops.hold(provider, Stop::Held);
                    if self.is_stopped() {
                        self.queue.push_front(outgoing);
                        return;
                    }
                    self.stops.count(provider);
                    self.answered.push(unsent(outgoing));
                    continue;
                }
            }
            let engine = self.engine;
            self.in_flight.push(Box::pin(async move {
                if !outgoing.needs_preparing() {
                    return Flown::Returned(Box::new(engine.call_once(outgoing).await));
                }
                match engine.prepare_at_provider(outgoing).await {
                    Ok(named) => Flown::Named(Box::new(named)),
                    Err(returned) => Flown::Returned(returned),
                }
            }));
        }
    }

    /// As many transactions as the database takes side by side: some claim, the others settle.
    fn start_chores(&mut self) {
        let lanes = self.engine.parts.store.writers().max(1);
        let claimers = lanes.div_ceil(2);
        while self.claiming < claimers && self.wants_more() {
            self.claiming += 1;
            let share = self.concurrency().div_ceil(claimers).min(SETTLE_BATCH);
            let limit = u32::try_from(share).unwrap_or(1);
            let (engine, run, actor) = (self.engine, self.run, self.actor);
            let claim = Claiming {
                run,
                stops: self.stops,
            };
            self.chores.push(Box::pin(async move {
                Chore::Claim(engine.claim_batch(claim, actor, limit).await)
            }));
        }
        if !self.named.is_empty() && self.naming == 0 {
            // What is prepared waits for nothing else: as many as there are share a commit.
            let rest = self.named.split_off(self.named.len().min(SETTLE_BATCH));
            let batch = std::mem::replace(&mut self.named, rest);
            let engine = self.engine;
            self.naming += 1;
            self.chores.push(Box::pin(async move {
                Chore::Name(engine.name_together(batch).await)
            }));
        }
        // A further lane is worth its commit only for a fair share of the answers.
        let worth_a_lane = self.concurrency().div_ceil(lanes).min(SETTLE_BATCH);
        while !self.answered.is_empty()
            && self.settling < lanes
            && (self.settling == 0 || self.answered.len() >= worth_a_lane)
        {
            let rest = self
                .answered
                .split_off(self.answered.len().min(SETTLE_BATCH));
            let batch = std::mem::replace(&mut self.answered, rest);
            let (engine, actor) = (self.engine, self.actor);
            let aside = Arc::clone(&self.aside);
            self.settling += 1;
            self.written += batch.len();
            self.chores.push(Box::pin(async move {
                let settled = engine.settle_batch(&batch, &aside, actor).await;
                Chore::Settle(batch.len(), settled)
            }));
        }
    }

    fn take_in(&mut self, claimed: Claimed) {
        self.claiming -= 1;
        self.is_exhausted = claimed.seen == 0;
        self.decided += claimed.decided;
        self.oldest = self.oldest.into_iter().chain(claimed.oldest).min();
        for provider in claimed.held {
            self.stops.count(provider);
        }
        self.queue.extend(claimed.out);
    }

    /// What has its name goes on before anything new begins.
    fn take_named(&mut self, named: Vec<Result<Outgoing, Box<Returned>>>) {
        self.naming -= 1;
        for one in named {
            match one {
                Ok(outgoing) => self.queue.push_front(outgoing),
                Err(returned) => self.answered.push(*returned),
            }
        }
    }

    fn note(&mut self, settled: &Settled) -> Result<(), VerbError> {
        self.decided += 1;
        let (AttemptState::Succeeded, Some(amount)) = (settled.state, settled.receipt.amount)
        else {
            return Ok(());
        };
        match self
            .charged
            .iter_mut()
            .find(|sum| sum.currency() == amount.currency())
        {
            Some(sum) => {
                *sum = sum
                    .checked_add(amount)
                    .map_err(|e| VerbError::Range(e.to_string()))?;
            }
            None => self.charged.push(amount),
        }
        Ok(())
    }

    /// Rows that were claimed and never sent become ready again: nothing of them has left.
    async fn give_back(&mut self) -> Result<(), VerbError> {
        for outgoing in &self.queue {
            self.stops.count(outgoing.attempt.provider);
        }
        let unsent: Vec<Returned> = self.queue.drain(..).map(unsent).collect();
        for batch in unsent.chunks(SETTLE_BATCH) {
            let given = self
                .engine
                .settle_batch(batch, &self.aside, self.actor)
                .await?;
            self.decided += u64::try_from(given.len()).unwrap_or(0);
        }
        Ok(())
    }
}

/// Nothing of it has left.
fn unsent(outgoing: Outgoing) -> Returned {
    Returned {
        attempt: outgoing.attempt,
        report: nothing_left(),
        asked: None,
    }
}

impl<S: Store> Engine<S> {
    /// Claims due rows and bills each, in one commit. Tries again while the database is busy, and
    /// row by row where it refuses them together.
    async fn claim_batch(
        &self,
        claim: Claiming<'_>,
        actor: Actor<'_>,
        limit: u32,
    ) -> Result<Claimed, VerbError> {
        let mut wait_ms = 5;
        for _ in 0..12 {
            match self.claim_batch_once(claim, actor, limit).await {
                Err(VerbError::Store(StoreError::Busy(_))) => {
                    self.pause_ms(wait_ms).await;
                    wait_ms *= 2;
                }
                Err(
                    VerbError::Stale
                    | VerbError::Store(StoreError::Refused(_) | StoreError::Stale { .. }),
                ) => break,
                other => return other,
            }
        }
        self.claim_batch_once(claim, actor, 1).await
    }

    async fn claim_batch_once(
        &self,
        claim: Claiming<'_>,
        actor: Actor<'_>,
        limit: u32,
    ) -> Result<Claimed, VerbError> {
        let until = claim.run.until;
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let mut claimed = Claimed {
            out: Vec::new(),
            decided: 0,
            held: Vec::new(),
            seen: 0,
            oldest: None,
        };
        let due = tx.claim_due_subscriptions(until, limit).await?;
        tx.foresee(Foreseen::Billing(&due)).await?;
        for subscription in due {
            let since = subscription
                .next_due_at
                .into_iter()
                .chain(subscription.cancel_at)
                .min();
            claimed.oldest = claimed.oldest.into_iter().chain(since).min();
            let step = self
                .bill_subscription(&mut tx, claim, actor, subscription)
                .await?;
            claimed.take(step);
        }
        if claimed.seen == 0 {
            let due = tx.claim_due_dunning(until, limit).await?;
            tx.foresee(Foreseen::Dunning(&due)).await?;
            for invoice in due {
                let step = self.bill_dunning(&mut tx, claim, actor, invoice.id).await?;
                claimed.take(step);
            }
        }
        if claimed.seen == 0 {
            self.expire_incomplete(&mut tx, actor, limit).await?;
        }
        tx.commit().await.map_err(as_in_progress)?;
        Ok(claimed)
    }
}

impl Claimed {
    fn take(&mut self, step: Step) {
        self.seen += 1;
        match step {
            Step::Send(outgoing) => self.out.push(*outgoing),
            Step::Decided => self.decided += 1,
            Step::Held(provider) => {
                self.decided += 1;
                self.held.push(provider);
            }
        }
    }
}
