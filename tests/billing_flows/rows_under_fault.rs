//! What the feature list promises of charges, refunds, runs, dunning and the inbox of unknowns, each promise under each fault
//! of `assets/scenarios`: a table of rows by faults. What the fault must come to stands in its file; what the row adds to
//! that stands here. Rows that other tests play under faults are named beside the table in ARCHITECTURE.md.
//!
//! SQLite plays all of it, PostgreSQL every third fault of a row, in turn; `ROWS=all` plays all of it on both, and faults
//! that take seconds as well.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::Value;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{AttemptId, CustomerId, InvoiceId, PaymentId, SubscriptionId};
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::ports::Clock;
use paydeck::engine::queries::{ListQuery, Reads as _};
use paydeck::engine::{Engine, Outcome, Request, VerbError};
use paydeck::store::SqlStore;

use crate::crash_points::settings;
use crate::scenarios::{Action, Scenario, every_scenario};
use crate::world::{Base, PATIENT, World, admin, won};

const ATTEMPT: &str = "select state from attempt order by id desc limit 1";
const ORDER: &str = "select order_id from attempt order by id desc limit 1";
const ATTEMPTS: &str = "select count(*) from attempt";
const INVOICE: &str = "select state from invoice order by id desc limit 1";
const USED: &str = "select dunning_used from invoice order by id desc limit 1";
const MOVES: &str = "select count(*) from subscription_change";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    /// A plan sends nothing, applying it charges once.
    B01,
    /// While nobody knows, five presses charge nothing.
    B02,
    /// Looked up by a person; one attempt, one order id.
    B03,
    /// A plan from before is refused and sends nothing.
    B04,
    /// Parts of a payment up to its balance.
    B05,
    /// A refund with what becomes of the subscription.
    B06,
    /// Charged once, beside the subscription.
    B07,
    /// The rehearsal says what the run does.
    D01,
    /// Two processes run at once.
    D03,
    /// The run's log adds up.
    D05,
    /// A try of the schedule is used up by an answer alone.
    E01,
    /// What a person tries uses nothing up.
    E02,
    /// The inbox of unknowns.
    G01,
}

const ROWS: [Row; 13] = [
    Row::B01,
    Row::B02,
    Row::B03,
    Row::B04,
    Row::B05,
    Row::B06,
    Row::B07,
    Row::D01,
    Row::D03,
    Row::D05,
    Row::E01,
    Row::E02,
    Row::G01,
];

impl Row {
    const fn action(self) -> Action {
        match self {
            Self::B05 | Self::B06 => Action::Refund,
            _ => Action::Run,
        }
    }
}

/// One customer with a paid subscription, and the fault that is to strike.
struct Cell<'a> {
    w: &'a World,
    other: &'a Engine<SqlStore>,
    customer: CustomerId,
    subscription: SubscriptionId,
    scenario: &'a Scenario,
    at: String,
}

impl Cell<'_> {
    async fn strike(&self) {
        for struck in &self.scenario.fault {
            let fault: Value = struck.fault.clone();
            self.w.fault(&struck.endpoint, fault, 1).await;
        }
    }

    /// Everything that can be learnt is learnt.
    async fn settle(&self) {
        for _ in 0..4 {
            self.w.expire_leases().await;
            self.w.reconcile().await;
        }
        self.w.no_faults().await;
        let state = self.w.text(ATTEMPT).await;
        assert_eq!(state, self.scenario.expect.attempt, "{}", self.at);
    }

    fn ends_well(&self) -> bool {
        self.scenario.expect.attempt == "succeeded"
    }

    async fn is_due(&self) {
        let (now, id) = (self.w.clock.now().timestamp_micros(), self.subscription.0);
        let due = format!("update subscription set next_due_at = {now} where id = {id}");
        self.w.change(&due).await;
    }

    /// A renewal that was declined today.
    async fn declined(&self) -> InvoiceId {
        self.is_due().await;
        let decline = serde_json::json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" });
        self.w.fault("charge", decline, 1).await;
        self.w.run().await;
        assert_eq!(self.w.text(INVOICE).await, "open", "{}", self.at);
        self.w.only_invoice().await
    }

    async fn is_refused(&self, process: &Engine<SqlStore>, request: &Request, plan: &str) {
        let again = process.apply(&admin(), request, plan).await;
        let is_refused = matches!(again, Err(VerbError::Stale | VerbError::Refused(_)));
        assert!(is_refused, "{}: {again:?}", self.at);
    }

    async fn retries(&self, row: Row) {
        let w = self.w;
        let retry = Request::Retry {
            invoice: self.declined().await,
        };
        let before = w.executed().await;
        let plan = w.plan(&retry).await.expect("a plan");
        assert_eq!(w.executed().await, before, "{}: a plan", self.at);
        self.strike().await;
        let applied = w.engine.apply(&admin(), &retry, &plan.fingerprint).await;
        let applied = applied.expect("an outcome");
        match row {
            Row::B02 if matches!(applied, Outcome::Unknown(_)) => {
                for process in [&*w.engine, self.other, &w.engine, self.other, &w.engine] {
                    let pressed = process.plan(&admin(), &retry).await;
                    let is_refused = matches!(pressed, Err(VerbError::Refused(_)));
                    assert!(is_refused, "{}: {pressed:?}", self.at);
                }
            }
            Row::B04 => {
                self.is_refused(self.other, &retry, &plan.fingerprint).await;
                self.is_refused(&w.engine, &retry, &plan.fingerprint).await;
            }
            _ => {}
        }
        self.settle().await;
        if row == Row::E02 {
            assert_eq!(w.number(USED).await, 0, "{}", self.at);
        }
        let state = if self.ends_well() { "paid" } else { "open" };
        assert_eq!(w.text(INVOICE).await, state, "{}", self.at);
    }

    async fn refunds(&self, amount: i64, also_cancel: AlsoCancel) -> Result<Outcome, VerbError> {
        let payment = "select max(id) from payment";
        let refund = Request::Refund {
            payment: PaymentId(self.w.number(payment).await),
            amount: RefundAmount::Partial(won(amount)),
            reason: "asked".into(),
            also_cancel,
        };
        self.w.act(refund).await
    }

    async fn refunds_in_parts(&self) {
        self.strike().await;
        self.refunds(3_000, AlsoCancel::No).await.expect("asked");
        self.settle().await;
        let (_, cancels) = self.w.executed().await;
        let second = self.refunds(3_000, AlsoCancel::No).await;
        assert!(
            matches!(second, Ok(Outcome::Done(_))),
            "{}: {second:?}",
            self.at
        );
        let left = if self.ends_well() { 3_900 } else { 6_900 };
        let third = self.refunds(left + 100, AlsoCancel::No).await;
        assert!(
            matches!(third, Err(VerbError::Amount(_))),
            "{}: {third:?}",
            self.at
        );
        assert_eq!(self.w.executed().await.1, cancels + 1, "{}", self.at);
    }

    async fn refunds_and_cancels(&self, nth: usize) {
        let also = [AlsoCancel::No, AlsoCancel::Now, AlsoCancel::AtPeriodEnd][nth % 3];
        self.strike().await;
        self.refunds(3_000, also).await.expect("asked");
        self.settle().await;
        let id = self.subscription.0;
        let state = format!(
            "select state || ' ' || case when cancel_at is null then 'goes on' else 'ends' end from subscription where id = {id}"
        );
        let state = &self.w.column(&state).await[0];
        let expected: &[&str] = match also {
            AlsoCancel::No => &["active goes on"],
            AlsoCancel::Now => &["canceled goes on", "canceled ends"],
            AlsoCancel::AtPeriodEnd => &["active ends"],
        };
        let is_expected = expected.contains(&state.as_str());
        assert!(is_expected || !self.ends_well(), "{}: {state}", self.at);
    }

    async fn is_charged_once_beside(&self) {
        let w = self.w;
        let moves = w.number(MOVES).await;
        self.strike().await;
        let once = Request::OneTime {
            customer: self.customer,
            amount: won(5_000),
            description: "추가 사용".into(),
        };
        w.act(once).await.expect("an outcome");
        self.settle().await;
        assert_eq!(
            w.number(MOVES).await,
            moves,
            "{}: no recurring revenue",
            self.at
        );
    }

    async fn runs(&self, row: Row) {
        let w = self.w;
        self.is_due().await;
        let preview = w
            .engine
            .preview_run(w.clock.now())
            .await
            .expect("a preview");
        let attempts = w.number(ATTEMPTS).await;
        self.strike().await;
        let (operator, now) = (admin(), w.clock.now());
        let mut quiet = |_| {};
        let run = w.engine.billing_run(&operator, now, &mut quiet);
        let summary = if row == Row::D03 {
            let mut silent = |_| {};
            let beside = self.other.billing_run(&operator, now, &mut silent);
            let (run, beside) = tokio::join!(run, beside);
            beside.expect("a run");
            run.expect("a run")
        } else {
            run.await.expect("a run")
        };
        assert_eq!(w.number(ATTEMPTS).await, attempts + 1, "{}", self.at);
        let order = w.text(ORDER).await;
        let is_unknown = w.text(ATTEMPT).await == "unknown";
        match row {
            Row::D01 => assert_eq!(Ok(preview.rows.len()), usize::try_from(summary.due)),
            Row::D05 => {
                let decided: u64 = summary.totals.iter().map(|(_, count)| count).sum();
                assert_eq!(decided + summary.undecided, summary.due, "{}", self.at);
            }
            Row::B03 if is_unknown => {
                let attempt = AttemptId(w.number("select max(id) from attempt").await);
                w.expire_leases().await;
                let looked = w.act(Request::ResolveUnknown { attempt }).await;
                assert!(looked.is_ok(), "{}: {looked:?}", self.at);
                let state = w.text(ATTEMPT).await;
                let is_true = state == "unknown" || state == self.scenario.expect.attempt;
                assert!(is_true, "{}: {state}", self.at);
            }
            Row::G01 => assert_eq!(self.is_listed().await, is_unknown, "{}", self.at),
            _ => {}
        }
        self.settle().await;
        assert_eq!(w.number(ATTEMPTS).await, attempts + 1, "{}", self.at);
        assert_eq!(w.text(ORDER).await, order, "{}: one order id", self.at);
        if row == Row::G01 {
            let is_unknown = self.scenario.expect.attempt == "unknown";
            assert_eq!(self.is_listed().await, is_unknown, "{}", self.at);
        }
    }

    /// Whether the newest attempt is in the inbox, to be looked at again.
    async fn is_listed(&self) -> bool {
        let newest = AttemptId(self.w.number("select max(id) from attempt").await);
        let page = self.w.engine.store().unknowns(&ListQuery::first(100)).await;
        let rows = page.expect("a list").rows;
        rows.iter().any(|row| row.id == newest)
    }

    async fn is_tried_by_the_schedule(&self) {
        let w = self.w;
        let invoice = self.declined().await;
        assert_eq!(w.number(USED).await, 0, "{}", self.at);
        let now = w.clock.now().timestamp_micros();
        let try_now = format!(
            "update invoice set next_attempt_at = {now} where id = {}",
            invoice.0
        );
        w.change(&try_now).await;
        self.strike().await;
        w.run().await;
        w.run().await;
        self.settle().await;
        let of_invoice = format!(
            "select count(*) from attempt where invoice_id = {}",
            invoice.0
        );
        assert_eq!(w.ask(&of_invoice).await, 2, "{}: one try", self.at);
        // Only the issuer's own no uses a try up: not one for good, and not one that the customer has to mend.
        let is_soft = self.scenario.title == "not enough money today";
        let is_paid = self.ends_well();
        let used = w.number(USED).await;
        assert!(is_paid || used == i64::from(is_soft), "{}: {used}", self.at);
    }

    async fn play(&self, row: Row, nth: usize) {
        let (charges, cancels) = self.w.executed().await;
        match row {
            Row::B01 | Row::B02 | Row::B04 | Row::E02 => self.retries(row).await,
            Row::B05 => self.refunds_in_parts().await,
            Row::B06 => self.refunds_and_cancels(nth).await,
            Row::B07 => self.is_charged_once_beside().await,
            Row::B03 | Row::D01 | Row::D03 | Row::D05 | Row::G01 => self.runs(row).await,
            Row::E01 => self.is_tried_by_the_schedule().await,
        }
        let (charges_then, cancels_then) = self.w.executed().await;
        let (expect, more) = (&self.scenario.expect, i64::from(row == Row::B05));
        let moved = (charges_then - charges, cancels_then - cancels - more);
        assert_eq!(moved, (expect.charges, expect.cancels), "{}", self.at);
        self.w.books_are_straight().await;
    }
}

/// Nothing of it is due or open in the next cell.
async fn put_away(w: &World) {
    for sql in [
        "update attempt set state = 'not_executed', next_check_at = null where state = 'unknown'",
        "update subscription set next_due_at = null",
        "update invoice set dunning = 'idle', next_attempt_at = null",
    ] {
        w.change(sql).await;
    }
}

fn is_whole() -> bool {
    std::env::var("ROWS").is_ok_and(|word| word == "all")
}

async fn table(base: Base) {
    let Some(mut w) = World::open(base, settings).await else {
        return;
    };
    w.without_rules_of_declaring().await;
    let other = w.another_engine("other").await;
    let scenarios = every_scenario();
    let mut played: BTreeMap<Row, usize> = BTreeMap::new();
    for (number, row) in ROWS.into_iter().enumerate() {
        let faults = scenarios.iter().filter(|(_, scenario)| {
            scenario.action == row.action()
                && !scenario.fault.is_empty()
                && (is_whole() || scenario.patience() == PATIENT)
        });
        for (nth, (name, scenario)) in faults.enumerate() {
            if base == Base::Postgres && !is_whole() && (nth + number) % 3 != 0 {
                continue;
            }
            if is_whole() {
                w.is_in_a_hurry(scenario.patience()).await;
            }
            let key = format!("{row:?}-{name}");
            let (customer, subscription) = w.subscriber(&key).await;
            let cell = Cell {
                w: &w,
                other: &other,
                customer,
                subscription,
                scenario,
                at: format!("{row:?} under {name} on {base:?}"),
            };
            cell.play(row, nth).await;
            put_away(&w).await;
            *played.entry(row).or_default() += 1;
        }
    }
    w.audit_is_intact().await;
    let cells: usize = played.values().sum();
    let line = format!("{base:?}: {cells} cells of rows by faults: {played:?}");
    writeln!(std::io::stderr(), "{line}").expect("a line");
    assert_eq!(played.len(), ROWS.len());
}

#[tokio::test]
async fn every_row_holds_under_every_fault_on_sqlite() {
    table(Base::Sqlite).await;
}

#[tokio::test]
async fn every_row_holds_under_faults_on_postgres() {
    table(Base::Postgres).await;
}
