//! Random transactions, and what a statement told.

use std::fmt;

use paydeck::domain::mirror::{WishState, WishVerb};
use paydeck::domain::states::{
    ApprovalState, AttemptState, InboxState, InvoiceState, SubscriptionState,
};
use paydeck::engine::ports::{Constraint, StoreError, Tx};
use paydeck::store::SqlTx;

use crate::memory::stage::Chance;
use crate::memory::store::MemTx;

/// One call of the port. Numbers choose among what was made so far.
#[derive(Debug, Clone)]
pub enum Op {
    Customer {
        name: u32,
        key: u32,
    },
    SaveCustomer {
        at: usize,
        stale: u32,
    },
    Method {
        customer: usize,
        name: u32,
        hash: u32,
    },
    ActiveMethod {
        customer: usize,
    },
    Product {
        name: u32,
        code: u32,
    },
    Plan {
        name: u32,
        code: u32,
        price: i64,
    },
    Subscribe {
        name: u32,
        customer: usize,
        state: SubscriptionState,
        exclusive: u32,
        quantity: u32,
        due: Option<i64>,
    },
    LockSubscription {
        at: usize,
    },
    SaveSubscription {
        at: usize,
        state: SubscriptionState,
        due: Option<i64>,
        cancel: Option<i64>,
        stale: u32,
    },
    Running {
        customer: usize,
    },
    ClaimDue {
        until: i64,
        limit: u32,
    },
    ClaimIncomplete {
        before: i64,
        limit: u32,
    },
    Invoice {
        name: u32,
        subscription: usize,
        owned: u32,
        period: u32,
        state: InvoiceState,
        amount: i64,
    },
    SaveInvoice {
        at: usize,
        state: InvoiceState,
        dunning: usize,
        next: Option<i64>,
        failed: u32,
        stale: u32,
    },
    Unpaid {
        subscription: usize,
    },
    FailedOf {
        customer: usize,
    },
    ClaimDunning {
        until: i64,
        limit: u32,
    },
    Attempt {
        name: u32,
        refund: u32,
        invoice: usize,
        payment: usize,
        number: u32,
        order: u32,
        key: u32,
        amount: i64,
        state: AttemptState,
        source: usize,
        at: i64,
        send_after: Option<i64>,
        leased: u32,
    },
    SaveAttempt {
        at: usize,
        state: AttemptState,
        evidence: u32,
        wrong_state: u32,
        wrong_epoch: u32,
        unfenced: u32,
        next: Option<i64>,
    },
    Evidence {
        at: usize,
    },
    Charges {
        invoice: usize,
    },
    Refunds {
        payment: usize,
    },
    ClaimOpen {
        now: i64,
        limit: u32,
        lease: i64,
    },
    Release {
        owner: u32,
        now: i64,
    },
    Owners,
    Payment {
        name: u32,
        invoice: usize,
        attempt: usize,
        reference: u32,
        amount: i64,
        duplicate: u32,
    },
    SavePayment {
        at: usize,
        refunded: i64,
        reserved: i64,
        stale: u32,
    },
    PaymentsOf {
        invoice: usize,
    },
    Refund {
        name: u32,
        payment: usize,
        transaction: u32,
        amount: i64,
    },
    Notice {
        key: u32,
    },
    Audit,
    Post {
        payment: usize,
        attempt: usize,
    },
    Day {
        day: u32,
    },
    Run {
        name: u32,
    },
    Item {
        run: usize,
        subscription: usize,
        invoice: Option<usize>,
        attempt: usize,
        decision: usize,
    },
    Decide {
        attempt: usize,
        decision: usize,
    },
    Totals {
        run: usize,
    },
    Ask {
        name: u32,
        payment: usize,
        target: u32,
        silent: u32,
        minutes: i64,
    },
    Decision {
        at: usize,
        state: ApprovalState,
        own: u32,
        minutes: i64,
    },
    WaitingOf {
        target: u32,
    },
    LookUps {
        at: usize,
    },
    Mirror {
        name: u32,
        customer: usize,
        state: SubscriptionState,
        reference: u32,
        due: Option<i64>,
    },
    MirrorOf {
        subscription: usize,
        reference: u32,
        stale: u32,
    },
    MirroredInvoice {
        name: u32,
        subscription: usize,
        reference: u32,
        period: u32,
    },
    Wish {
        subscription: usize,
        key: u32,
        verb: WishVerb,
    },
    WishLearnt {
        at: usize,
        state: WishState,
        wrong_epoch: u32,
        again: u32,
    },
    ClaimWishes {
        now: i64,
        limit: u32,
    },
    Event {
        key: u32,
        cursor: u32,
    },
    MoveEvents {
        to: InboxState,
        limit: u32,
    },
    /// From here on the transaction is about many rows.
    Foresee {
        what: Foreseen,
        until: i64,
        limit: u32,
        at: usize,
    },
}

/// What a transaction says it will work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreseen {
    Billing,
    Dunning,
    Settling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Commit,
    Drop,
}

#[derive(Debug, Clone)]
pub struct Script {
    pub transactions: Vec<(Vec<Op>, End)>,
}

/// What a statement told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Text(String),
    /// Refused by one of these rules: which of several a database names is its own affair.
    Refused(Vec<Constraint>),
}

impl Told {
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Refused(any_of), Self::Refused(named)) => {
                named.iter().all(|rule| any_of.contains(rule))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Refused(rules) => write!(f, "refused by {rules:?}"),
        }
    }
}

impl From<Result<String, StoreError>> for Told {
    fn from(result: Result<String, StoreError>) -> Self {
        match result {
            Ok(text) => Self::Text(text),
            Err(StoreError::Refused(rule)) => Self::Refused(vec![rule]),
            Err(StoreError::Stale { noun }) => Self::Text(format!("stale {noun:?}")),
            Err(StoreError::NotFound { noun }) => Self::Text(format!("no {noun:?}")),
            Err(StoreError::Other(_)) => Self::Text("failed".to_owned()),
            Err(other) => Self::Text(format!("unexpected: {other:?}")),
        }
    }
}

/// A transaction that says which rules its last statement would have broken.
pub trait Refusing: Tx {
    fn broken(&self) -> Vec<Constraint>;
}

impl Refusing for MemTx<'_> {
    fn broken(&self) -> Vec<Constraint> {
        self.refused_by.clone()
    }
}

impl Refusing for SqlTx<'_> {
    fn broken(&self) -> Vec<Constraint> {
        Vec::new()
    }
}

/// What every script stands on.
pub fn setup() -> Script {
    let mut ops = vec![
        Op::Product { name: 1, code: 1 },
        Op::Plan {
            name: 2,
            code: 1,
            price: 9_900,
        },
    ];
    for n in 0..3 {
        ops.push(Op::Customer {
            name: 10 + n,
            key: 10 + n,
        });
        ops.push(Op::Method {
            customer: usize::try_from(n).expect("small"),
            name: 20 + n,
            hash: 20 + n,
        });
    }
    Script {
        transactions: vec![(ops, End::Commit)],
    }
}

fn of<T: Copy>(chance: &mut Chance, among: &[T]) -> T {
    among[chance.below(among.len())]
}

fn number(chance: &mut Chance, below: usize) -> u32 {
    u32::try_from(chance.below(below)).expect("small")
}

fn seconds(chance: &mut Chance) -> i64 {
    i64::try_from(chance.below(2_000)).expect("small") - 1_000
}

fn maybe_seconds(chance: &mut Chance) -> Option<i64> {
    let s = seconds(chance);
    chance.per_mille(600).then_some(s)
}

fn yes(chance: &mut Chance, per_mille: u32) -> u32 {
    u32::from(chance.per_mille(per_mille))
}

impl Script {
    pub fn random(chance: &mut Chance, seed: u64, script: usize) -> Self {
        let mut name =
            u32::try_from(script * 1_000).expect("small") + u32::try_from(seed % 7).expect("small");
        let transactions = (0..=chance.below(5))
            .map(|_| {
                let mut ops = Vec::new();
                if chance.per_mille(300) {
                    ops.push(foresee(chance));
                }
                ops.extend((0..=chance.below(9)).map(|_| {
                    name += 10;
                    // Now and then a name that was taken long ago.
                    let taken = name.saturating_sub(10 * number(chance, 40));
                    let name = if chance.per_mille(15) { taken } else { name };
                    op(chance, name)
                }));
                let end = if chance.per_mille(800) {
                    End::Commit
                } else {
                    End::Drop
                };
                (ops, end)
            })
            .collect();
        Self { transactions }
    }
}

fn foresee(c: &mut Chance) -> Op {
    Op::Foresee {
        what: of(
            c,
            &[Foreseen::Billing, Foreseen::Dunning, Foreseen::Settling],
        ),
        until: 1_000,
        limit: 2 + number(c, 3),
        at: c.below(99),
    }
}

#[expect(clippy::too_many_lines, reason = "one arm per call of the port")]
fn op(c: &mut Chance, name: u32) -> Op {
    match c.below(74) {
        0 => Op::Customer {
            name,
            key: if c.per_mille(300) { 10 } else { name },
        },
        1 => Op::SaveCustomer {
            at: c.below(9),
            stale: yes(c, 300),
        },
        2 => Op::Method {
            customer: c.below(9),
            name,
            hash: if c.per_mille(200) { 20 } else { name },
        },
        3 => Op::ActiveMethod {
            customer: c.below(9),
        },
        4 => Op::Plan {
            name,
            code: if c.per_mille(300) { 1 } else { name },
            price: if c.per_mille(200) { -1 } else { 100 },
        },
        5..=9 => Op::Subscribe {
            name,
            customer: c.below(9),
            state: of(c, SubscriptionState::ALL),
            exclusive: yes(c, 500),
            quantity: u32::from(!c.per_mille(60)),
            due: maybe_seconds(c),
        },
        10 => Op::LockSubscription { at: c.below(99) },
        11..=13 => Op::SaveSubscription {
            at: c.below(99),
            state: of(c, SubscriptionState::ALL),
            due: maybe_seconds(c),
            cancel: maybe_seconds(c),
            stale: yes(c, 200),
        },
        14 => Op::Running {
            customer: c.below(9),
        },
        15 | 16 => Op::ClaimDue {
            until: seconds(c),
            limit: number(c, 5),
        },
        17 => Op::ClaimIncomplete {
            before: seconds(c),
            limit: number(c, 5),
        },
        18..=21 => Op::Invoice {
            name,
            subscription: c.below(99),
            owned: yes(c, 800),
            period: number(c, 3),
            state: of(c, &[InvoiceState::Open, InvoiceState::Draft]),
            amount: if c.per_mille(60) { -1 } else { 9_900 },
        },
        22..=24 => Op::SaveInvoice {
            at: c.below(99),
            state: of(c, InvoiceState::ALL),
            dunning: c.below(4),
            next: maybe_seconds(c),
            failed: yes(c, 500),
            stale: yes(c, 200),
        },
        25 => Op::Unpaid {
            subscription: c.below(99),
        },
        26 => Op::FailedOf {
            customer: c.below(9),
        },
        27 => Op::ClaimDunning {
            until: seconds(c),
            limit: number(c, 5),
        },
        28..=34 => Op::Attempt {
            name,
            refund: yes(c, 350),
            invoice: c.below(99),
            payment: c.below(99),
            number: if c.per_mille(300) { 1 } else { name },
            order: if c.per_mille(150) { 1 } else { name },
            key: if c.per_mille(150) { 1 } else { name },
            amount: if c.per_mille(60) { 0 } else { 9_900 },
            state: of(
                c,
                &[
                    AttemptState::Ready,
                    AttemptState::Sent,
                    AttemptState::WaitingApproval,
                ],
            ),
            source: c.below(5),
            at: seconds(c),
            send_after: maybe_seconds(c),
            leased: yes(c, 500),
        },
        35..=41 => Op::SaveAttempt {
            at: c.below(99),
            state: of(c, AttemptState::ALL),
            evidence: yes(c, 500),
            wrong_state: yes(c, 120),
            wrong_epoch: yes(c, 120),
            unfenced: yes(c, 200),
            next: maybe_seconds(c),
        },
        42 => Op::Evidence { at: c.below(99) },
        43 => Op::Charges {
            invoice: c.below(99),
        },
        44 => Op::Refunds {
            payment: c.below(99),
        },
        45 | 46 => Op::ClaimOpen {
            now: seconds(c),
            limit: number(c, 5),
            lease: 100,
        },
        47 => Op::Release {
            owner: number(c, 2),
            now: seconds(c),
        },
        48 => Op::Owners,
        49 | 50 => Op::Payment {
            name,
            invoice: c.below(99),
            attempt: c.below(99),
            reference: if c.per_mille(200) { 1 } else { name },
            amount: if c.per_mille(60) { 0 } else { 9_900 },
            duplicate: yes(c, 200),
        },
        51 | 52 => Op::SavePayment {
            at: c.below(99),
            refunded: i64::from(number(c, 8)) * 2_000 - 1_000 * i64::from(yes(c, 100)) * 9,
            reserved: i64::from(number(c, 4)) * 2_000,
            stale: yes(c, 200),
        },
        53 => Op::PaymentsOf {
            invoice: c.below(99),
        },
        54 | 55 => Op::Refund {
            name,
            payment: c.below(99),
            transaction: number(c, 3),
            amount: i64::from(number(c, 5)) * 1_000,
        },
        56 => match c.below(4) {
            0 => Op::Notice { key: number(c, 6) },
            1 => Op::Audit,
            2 => Op::Post {
                payment: c.below(99),
                attempt: c.below(99),
            },
            _ => Op::Day {
                day: 1 + number(c, 20),
            },
        },
        57 => Op::Run { name },
        58 => Op::Item {
            run: c.below(9),
            subscription: c.below(99),
            invoice: Some(c.below(99)).filter(|_| c.per_mille(700)),
            attempt: c.below(99),
            decision: c.below(17),
        },
        59 => Op::WaitingOf {
            target: number(c, 4),
        },
        60 => Op::Ask {
            name,
            payment: c.below(99),
            target: number(c, 4),
            silent: yes(c, 60),
            minutes: i64::from(number(c, 34)),
        },
        61 => Op::Decision {
            at: c.below(9),
            state: of(c, ApprovalState::ALL),
            own: yes(c, 300),
            minutes: i64::from(number(c, 34)),
        },
        62 => Op::LookUps { at: c.below(99) },
        64 | 65 => Op::Mirror {
            name,
            customer: c.below(9),
            state: of(c, SubscriptionState::ALL),
            reference: if c.per_mille(200) { 1 } else { name },
            due: maybe_seconds(c),
        },
        66 => Op::MirrorOf {
            subscription: c.below(99),
            reference: number(c, 4),
            stale: yes(c, 200),
        },
        67 | 68 => Op::MirroredInvoice {
            name,
            subscription: c.below(99),
            reference: if c.per_mille(200) { 1 } else { name },
            period: number(c, 3),
        },
        69 => Op::Wish {
            subscription: c.below(99),
            key: if c.per_mille(200) { 1 } else { name },
            verb: of(c, &WishVerb::ALL),
        },
        70 => Op::WishLearnt {
            at: c.below(99),
            state: of(c, &WishState::ALL),
            wrong_epoch: yes(c, 200),
            again: yes(c, 300),
        },
        71 => Op::ClaimWishes {
            now: seconds(c),
            limit: number(c, 3),
        },
        72 => Op::Event {
            key: number(c, 40),
            cursor: yes(c, 300),
        },
        73 => Op::MoveEvents {
            to: of(
                c,
                &[
                    InboxState::Processed,
                    InboxState::Ignored,
                    InboxState::Failed,
                ],
            ),
            limit: number(c, 3),
        },
        _ => match c.below(2) {
            0 => Op::Decide {
                attempt: c.below(99),
                decision: c.below(16),
            },
            _ => Op::Totals { run: c.below(9) },
        },
    }
}
