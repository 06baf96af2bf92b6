//! A wish in trouble: the process that carries it out dies at any wait, its answer is lost, another person wishes at any
//! wait of it, or a reconciler takes it over. Whatever happens it is executed at most once, what our books say of it is
//! what stands at Stripe, and nothing stays open.
//!
//! On SQLite every wait, every third where an answer is lost as well; on PostgreSQL every sixth. `CRASH_POINTS=all` takes each.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::pin::pin;

use chrono::TimeDelta;
use paydeck::domain::ids::SubscriptionId;
use paydeck::engine::{EngineSettings, Outcome, Refused, Request, VerbError};
use paydeck::provider::stripe::{EventFilter, PauseBehavior};
use serde_json::json;

use crate::fleet::{DiesAfter, until_waited};
use crate::shop::{BAD, GOOD, Mirrored, Shop};
use crate::world::{Base, admin};

/// No wish waits more often than this.
const MOST_WAITS: u32 = 300;
/// More than one sweep uses up.
const TARGETS: u32 = 110;
const OPEN: &str = "select count(*) from mirror_act where state in ('sent', 'unknown')";
const LEASES_END: &str =
    "update mirror_act set lease_until = 0, next_check_at = 0 where state in ('sent', 'unknown')";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Pause,
    EndLater,
    EndNow,
    Pay,
    Void,
    GiveUp,
}

impl Deed {
    /// Where it can be taken back at Stripe, so that the next one has the same target.
    const fn comes_back(self) -> bool {
        matches!(self, Self::Pause | Self::EndLater)
    }

    const fn needs_a_debt(self) -> bool {
        matches!(self, Self::Pay | Self::Void | Self::GiveUp)
    }

    const fn endpoint(self) -> &'static str {
        match self {
            Self::Pause | Self::EndLater => "stripe_subscription_update",
            Self::EndNow => "stripe_subscription_cancel",
            Self::Pay => "stripe_invoice_pay",
            Self::Void | Self::GiveUp => "stripe_invoice",
        }
    }

    /// What Stripe tells each time it executes one.
    const fn event(self) -> &'static str {
        match self {
            Self::Pause | Self::EndLater => "customer.subscription.updated",
            Self::EndNow => "customer.subscription.deleted",
            Self::Pay => "invoice.paid",
            Self::Void => "invoice.voided",
            Self::GiveUp => "invoice.marked_uncollectible",
        }
    }
}

struct Bench {
    shop: Shop,
    deed: Deed,
    targets: RefCell<Vec<Mirrored>>,
    /// About which nobody wishes anything.
    beside: Mirrored,
    used: Cell<u32>,
}

/// No lease ends by itself, however slow the machine is.
fn settings(settings: &mut EngineSettings) {
    settings.lease_s = 3_600;
    settings.breaker_after = u32::MAX;
}

async fn bench(base: Base, deed: Deed) -> Option<Bench> {
    let shop = Shop::open_tuned(base, settings).await?;
    let beside = shop.mirrored("beside").await;
    let mut targets = vec![shop.mirrored("one").await];
    if !deed.comes_back() {
        for number in 1..TARGETS {
            targets.push(shop.mirrored(&format!("more{number}")).await);
        }
    }
    if deed.needs_a_debt() {
        for one in &targets {
            let key = format!("bad{}", one.name);
            shop.pays_with(&one.customer, BAD, &key).await;
        }
        shop.a_month_later().await;
        for one in &targets {
            let key = format!("good{}", one.name);
            shop.pays_with(&one.customer, GOOD, &key).await;
        }
    }
    shop.pull().await;
    let bench = Bench {
        shop,
        deed,
        targets: RefCell::new(targets),
        beside,
        used: Cell::new(0),
    };
    bench.what_happened_is_read().await;
    Some(bench)
}

impl Bench {
    /// Events of the last minutes before the newest are read at each pull: these are older from here on.
    async fn what_happened_is_read(&self) {
        let w = &self.shop.world;
        w.set_time(w.clock_now() + TimeDelta::minutes(6)).await;
        let (stripe, name) = (&self.shop.stripe, &self.beside.name);
        let number = self.used.get();
        let (pause, resume) = (format!("pause{number}"), format!("resume{number}"));
        stripe
            .pause_collection(&pause, name, PauseBehavior::Void, None)
            .await
            .expect("something newer");
        stripe
            .resume_collection(&resume, name)
            .await
            .expect("as it was");
        self.shop.pull().await;
    }

    /// What the next one is about; where it can be, it is as it was.
    async fn target(&self) -> Mirrored {
        let used = self.used.replace(self.used.get() + 1);
        if used % 10 == 9 {
            self.what_happened_is_read().await;
        }
        if !self.deed.comes_back() {
            return self.targets.borrow_mut().pop().expect("enough of them");
        }
        let one = self.targets.borrow()[0].clone();
        let key = format!("back{used}");
        let stripe = &self.shop.stripe;
        match self.deed {
            Deed::Pause => stripe.resume_collection(&key, &one.name).await,
            _ => stripe.undo_subscription_cancel(&key, &one.name).await,
        }
        .expect("as it was");
        self.shop.pull().await;
        one
    }

    async fn request(&self, of: &Mirrored) -> Request {
        let reason = || String::from("asked");
        let subscription = of.id;
        match self.deed {
            Deed::Pause => Request::Pause { subscription },
            Deed::EndLater => Request::CancelAtEnd {
                subscription,
                reason: reason(),
            },
            Deed::EndNow => Request::CancelNow {
                subscription,
                reason: reason(),
            },
            Deed::Pay => Request::Retry {
                invoice: self.shop.last_invoice(of).await,
            },
            Deed::Void => Request::VoidInvoice {
                invoice: self.shop.last_invoice(of).await,
                reason: reason(),
            },
            Deed::GiveUp => Request::GiveUpInvoice {
                invoice: self.shop.last_invoice(of).await,
                reason: reason(),
            },
        }
    }

    async fn newest_event(&self) -> String {
        let page = self.shop.stripe.events(EventFilter::default(), 1).await;
        page.expect("events").items.remove(0).id
    }

    /// How often it was executed since then.
    async fn executed_since(&self, event: &str) -> usize {
        let filter = EventFilter {
            kinds: &[self.deed.event()],
            newer_than: Some(event),
            ..EventFilter::default()
        };
        let page = self.shop.stripe.events(filter, 100).await;
        page.expect("events").items.len()
    }

    /// Every process that was at it has gone; until nothing is open.
    async fn settle(&self, at: &str) {
        let w = &self.shop.world;
        w.no_faults().await;
        w.nothing_is_under_way().await;
        for _ in 0..8 {
            w.execute(LEASES_END).await;
            self.shop.pull().await;
            if w.number(OPEN).await == 0 {
                return;
            }
        }
        let left = "select verb || ' ' || state || ' ' || send_count from mirror_act order by id desc limit 2";
        panic!("{at}: still open: {:?}", w.column(left).await);
    }

    /// The wishes about a subscription since this one.
    async fn wishes(&self, of: SubscriptionId, since: i64) -> Vec<String> {
        let sql = format!(
            "select state from mirror_act where subscription_id = {} and id > {since} order by id",
            of.0
        );
        self.shop.world.column(&sql).await
    }

    async fn last_wish(&self) -> i64 {
        let newest = "select coalesce(max(id), 0) from mirror_act";
        self.shop.world.ask(newest).await
    }

    /// One wish under trouble that the story brings. Gives whether it came to its end.
    async fn once(&self, at: &str, story: impl AsyncFn(&Mirrored, &Request, &str) -> bool) -> bool {
        let target = self.target().await;
        let request = self.request(&target).await;
        let w = &self.shop.world;
        let (event, wish) = (self.newest_event().await, self.last_wish().await);
        let plan = w.plan(&request).await.expect("a plan");
        let lived = story(&target, &request, &plan.fingerprint).await;
        self.settle(at).await;
        let executed = self.executed_since(&event).await;
        let wishes = self.wishes(target.id, wish).await;
        match (&wishes[..], executed) {
            ([], 0) => assert!(!lived, "{at}: it came to its end"),
            ([state], 1) if state == "done" => {}
            (wishes, executed) => panic!("{at}: {wishes:?}, executed {executed} times"),
        }
        lived
    }
}

fn steps(on_sqlite: u32) -> [(Base, u32); 2] {
    let is_whole = std::env::var("CRASH_POINTS").is_ok_and(|word| word == "all");
    let every = |step| if is_whole { 1 } else { step };
    [(Base::Sqlite, every(on_sqlite)), (Base::Postgres, every(6))]
}

/// On each database: does it after 0, 1, 2, ... waits, until it came to its end.
async fn sweep(name: &str, deed: Deed, at: impl AsyncFn(&Bench, u32, &str) -> bool) {
    sweep_each(1, name, deed, at).await;
}

/// The same, on SQLite after so many more waits each time.
async fn sweep_each(
    on_sqlite: u32,
    name: &str,
    deed: Deed,
    at: impl AsyncFn(&Bench, u32, &str) -> bool,
) {
    let mut told = Vec::new();
    for (base, step) in steps(on_sqlite) {
        let Some(bench) = bench(base, deed).await else {
            continue;
        };
        let (mut waits, mut points) = (0, 0);
        loop {
            let place = format!("{name} ({deed:?}) on {base:?} after {waits} waits");
            let lived = at(&bench, waits, &place).await;
            points += 1;
            assert!(waits < MOST_WAITS, "{place}: it never ends");
            if lived {
                break;
            }
            waits += step;
        }
        let w = &bench.shop.world;
        w.books_are_straight().await;
        w.audit_is_intact().await;
        told.push(format!("{base:?} {points}"));
    }
    let line = format!("crash points of {name} ({deed:?}):  {}", told.join("  "));
    writeln!(std::io::stderr(), "{line}").expect("a line");
}

/// The process that carries it out dies at any wait.
async fn dies(deed: Deed, fault: Option<&'static str>) {
    let name = format!("a wish, answer {}", fault.unwrap_or("heard"));
    let step = if fault.is_some() { 3 } else { 1 };
    sweep_each(step, &name, deed, async |bench, waits, at| {
        let story = async |_: &Mirrored, request: &Request, fingerprint: &str| {
            let w = &bench.shop.world;
            if let Some(fault) = fault {
                w.fault(deed.endpoint(), json!(fault), 1).await;
            }
            let operator = admin();
            let applied = w.engine.apply(&operator, request, fingerprint);
            let lived = DiesAfter::new(applied, waits).await;
            lived.is_some_and(|outcome| outcome.is_ok())
        };
        bench.once(at, story).await
    })
    .await;
}

#[tokio::test]
async fn a_pause_that_dies_anywhere_is_made_once_or_not_at_all() {
    dies(Deed::Pause, None).await;
    dies(Deed::Pause, Some("lost_after_commit")).await;
    dies(Deed::Pause, Some("lost_before_commit")).await;
}

#[tokio::test]
async fn an_end_that_is_scheduled_and_dies_anywhere_is_scheduled_once_or_not_at_all() {
    dies(Deed::EndLater, None).await;
    dies(Deed::EndLater, Some("lost_after_commit")).await;
}

#[tokio::test]
async fn an_end_that_dies_anywhere_is_made_once_or_not_at_all() {
    dies(Deed::EndNow, None).await;
    dies(Deed::EndNow, Some("lost_after_commit")).await;
}

#[tokio::test]
async fn a_payment_that_dies_anywhere_is_taken_once_or_not_at_all() {
    dies(Deed::Pay, None).await;
    dies(Deed::Pay, Some("lost_after_commit")).await;
    dies(Deed::Pay, Some("lost_before_commit")).await;
}

#[tokio::test]
async fn a_debt_whose_withdrawal_dies_anywhere_is_withdrawn_once_or_not_at_all() {
    dies(Deed::Void, None).await;
    dies(Deed::Void, Some("lost_after_commit")).await;
}

#[tokio::test]
async fn a_debt_whose_giving_up_dies_anywhere_is_given_up_once_or_not_at_all() {
    dies(Deed::GiveUp, None).await;
    dies(Deed::GiveUp, Some("lost_after_commit")).await;
}

/// A wish whose request was lost is looked after by a pull that dies at any wait.
async fn looked_after(deed: Deed) {
    let name = "looking after a wish";
    // What was paid is read and booked in the same pull: more waits than there are targets.
    let step = if deed == Deed::Pay { 2 } else { 1 };
    sweep_each(step, name, deed, async |bench, waits, at| {
        let lived = Cell::new(false);
        let story = async |_: &Mirrored, request: &Request, fingerprint: &str| {
            let w = &bench.shop.world;
            w.fault(deed.endpoint(), json!("lost_before_commit"), 1)
                .await;
            let operator = admin();
            let outcome = w.engine.apply(&operator, request, fingerprint).await;
            assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
            w.execute(LEASES_END).await;
            let pulled = DiesAfter::new(w.engine.mirror_pull(&operator), waits).await;
            lived.set(pulled.is_some());
            true
        };
        bench.once(at, story).await;
        lived.get()
    })
    .await;
}

#[tokio::test]
async fn a_pull_that_dies_anywhere_while_it_looks_after_a_wish_loses_none_and_sends_none_twice() {
    looked_after(Deed::Pause).await;
    looked_after(Deed::Pay).await;
}

/// Two persons confirm the same at once: the second begins at any wait of the first.
async fn two_persons(deed: Deed) {
    sweep("two persons at once", deed, async |bench, waits, at| {
        let other = bench.shop.world.another_engine("second").await;
        let lived = Cell::new(false);
        let story = async |_: &Mirrored, request: &Request, fingerprint: &str| {
            let w = &bench.shop.world;
            let operator = admin();
            let mut first = pin!(w.engine.apply(&operator, request, fingerprint));
            let ended = until_waited(first.as_mut(), waits).await;
            lived.set(ended.is_some());
            let second = other.apply(&operator, request, fingerprint);
            let (first, second) = match ended {
                Some(first) => (first, second.await),
                None => tokio::join!(first, second),
            };
            let both = [first, second];
            let done = |one: &&Result<Outcome, VerbError>| matches!(one, Ok(Outcome::Done(_)));
            assert_eq!(both.iter().filter(done).count(), 1, "{at}: {both:?}");
            let told = |one: &&Result<Outcome, VerbError>| {
                matches!(one, Err(VerbError::Stale | VerbError::Refused(_)))
            };
            assert_eq!(both.iter().filter(told).count(), 1, "{at}: {both:?}");
            true
        };
        bench.once(at, story).await;
        lived.get()
    })
    .await;
}

#[tokio::test]
async fn two_persons_who_wish_the_same_at_once_have_it_done_once() {
    two_persons(Deed::Pause).await;
    two_persons(Deed::Pay).await;
}

/// A reconciler believes that the process is gone, and looks after its wish at any wait of it.
async fn taken_over(deed: Deed) {
    sweep("taken over", deed, async |bench, waits, at| {
        let other = bench.shop.world.another_engine("second").await;
        let lived = Cell::new(false);
        let story = async |_: &Mirrored, request: &Request, fingerprint: &str| {
            let w = &bench.shop.world;
            let operator = admin();
            let mut first = pin!(w.engine.apply(&operator, request, fingerprint));
            let ended = until_waited(first.as_mut(), waits).await;
            lived.set(ended.is_some());
            let looked = async {
                w.execute(LEASES_END).await;
                other.mirror_pull(&operator).await.expect("pulled")
            };
            let first = match ended {
                Some(first) => {
                    looked.await;
                    first
                }
                None => tokio::join!(first, looked).0,
            };
            assert!(
                matches!(first, Ok(Outcome::Done(_) | Outcome::Unknown(_))),
                "{at}: whoever pressed is told what is known: {first:?}"
            );
            true
        };
        bench.once(at, story).await;
        lived.get()
    })
    .await;
}

#[tokio::test]
async fn a_wish_that_is_taken_over_while_it_is_out_is_executed_once_and_whoever_pressed_is_told() {
    taken_over(Deed::Pay).await;
    taken_over(Deed::EndNow).await;
    taken_over(Deed::Pause).await;
}

/// Two different wishes about one subscription: one holds its place, the other is refused and does nothing.
#[tokio::test]
async fn two_different_wishes_at_once_are_one_wish_and_a_refusal() {
    for (base, _) in steps(1) {
        let Some(bench) = bench(base, Deed::Pause).await else {
            continue;
        };
        let (w, one) = (&bench.shop.world, bench.target().await);
        let other = w.another_engine("second").await;
        let operator = admin();
        let pause = bench.request(&one).await;
        let end = Request::CancelNow {
            subscription: one.id,
            reason: "asked".into(),
        };
        let pause_plan = w.plan(&pause).await.expect("a plan");
        let end_plan = other.plan(&operator, &end).await.expect("a plan");
        let both = tokio::join!(
            w.engine.apply(&operator, &pause, &pause_plan.fingerprint),
            other.apply(&operator, &end, &end_plan.fingerprint),
        );
        let is_paused = match both {
            (Ok(Outcome::Done(_)), Err(VerbError::Stale | VerbError::Refused(_))) => true,
            (Err(VerbError::Stale | VerbError::Refused(_)), Ok(Outcome::Done(_))) => false,
            both => panic!("{both:?}"),
        };
        bench.settle("two different wishes").await;
        let there = bench.shop.stripe.subscription(&one.name).await;
        let there = there.expect("read");
        assert_eq!(
            (there.pause.is_some(), there.ended_at.is_some()),
            (is_paused, !is_paused)
        );
        if let Some(pause) = there.pause {
            assert_eq!(pause.behavior, Some(PauseBehavior::KeepAsDraft));
        }
        let again = w.plan(&pause).await;
        let expected = |error: &VerbError| match error {
            VerbError::Refused(Refused::AlreadySo) => is_paused,
            VerbError::Refused(Refused::SubscriptionState(_)) => !is_paused,
            _ => false,
        };
        assert!(again.as_ref().is_err_and(expected), "{again:?}");
    }
}
