//! The tables, and what a transaction's end does to them.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use paydeck::domain::approval::Approval;
use paydeck::domain::attempt::Attempt;
use paydeck::domain::audit::AuditEntry;
use paydeck::domain::customer::{Customer, PaymentMethod, SealedKey};
use paydeck::domain::evidence::EvidenceSource;
use paydeck::domain::ids::{AttemptId, InvoiceId, MethodId, PaymentId, PlanId, PublicId, RunId};
use paydeck::domain::invoice::Invoice;
use paydeck::domain::mirror::{Mirror, Wish};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::payment::Payment;
use paydeck::domain::plan::{Plan, Product};
use paydeck::domain::run::{Run, RunItem};
use paydeck::domain::states::{InboxState, SubscriptionState};
use paydeck::domain::subscription::{Change, Subscription, Term};
use paydeck::engine::ports::{Account, BookedRefund, Constraint, EventCursor, InboxEvent};

use super::flaw::Flaws;
use super::table::{Changed, Kept, Table, TxNo};

/// Which database it is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    /// One writer at a time: SQLite.
    Serial,
    /// Row locks and waits: PostgreSQL.
    ReadCommitted,
}

#[derive(Debug, Clone)]
pub struct MethodRow {
    pub method: PaymentMethod,
    pub key: SealedKey,
    pub deleted_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub struct IssueRow {
    /// Of the auth key.
    pub hash: String,
    pub outcome: Option<String>,
    pub method: Option<MethodId>,
}

#[derive(Debug, Clone)]
pub struct SubscriptionRow {
    pub subscription: Subscription,
    pub exclusive_key: Option<(i64, i64)>,
}

impl SubscriptionRow {
    /// When a run must look at it.
    pub fn run_at(&self) -> Option<DateTime<Utc>> {
        let row = &self.subscription;
        if !row.scheduler.is_ours() {
            return None;
        }
        match row.state {
            SubscriptionState::Active | SubscriptionState::Trialing => {
                row.next_due_at.into_iter().chain(row.cancel_at).min()
            }
            SubscriptionState::PastDue => row.cancel_at,
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub attempt: Attempt,
    pub evidence_id: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct EvidenceRow {
    pub attempt_id: AttemptId,
    pub source: EvidenceSource,
    pub outcome: String,
    pub http_status: Option<u16>,
    pub code: Option<String>,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct PaymentRow {
    pub payment: Payment,
    pub plan_id: Option<PlanId>,
    pub method_id: Option<MethodId>,
}

#[derive(Debug, Clone)]
pub struct RefundRow {
    pub public_id: PublicId,
    pub payment_id: PaymentId,
    pub booked: BookedRefund,
}

#[derive(Debug, Clone)]
pub struct LedgerRow {
    pub payment_id: PaymentId,
    pub account: Account,
    pub amount_minor: i64,
}

#[derive(Debug, Clone)]
pub struct AuditRow {
    pub chain: Arc<str>,
    pub seq: i64,
    pub entry: AuditEntry,
}

#[derive(Debug, Clone)]
pub struct NoticeRow {
    pub kind: String,
    pub key: String,
    pub payload: String,
}

#[derive(Debug, Clone)]
pub struct NoteRow {
    pub target: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLeaseRow {
    pub run: RunId,
    pub until: Option<DateTime<Utc>>,
}

/// An invoice that its provider collects, with its name there.
#[derive(Debug, Clone)]
pub struct MirroredInvoice {
    pub invoice: InvoiceId,
    pub provider_ref: String,
}

#[derive(Debug, Clone)]
pub struct EventRow {
    pub event: InboxEvent,
    pub key: (ProviderName, String),
    pub state: InboxState,
    pub received_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct CursorRow {
    pub provider: ProviderName,
    pub cursor: EventCursor,
}

macro_rules! tables {
    ($($name:ident: $row:ty => $kind:ident),+ $(,)?) => {
        /// Which table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($kind),+ }

        /// Everything that is stored.
        #[derive(Debug, Clone, Default)]
        pub struct Tables { $(pub $name: Table<$row>),+ }

        impl Tables {
            fn settle_plain(&mut self, kind: Kind, id: i64, me: TxNo, kept: Kept) {
                match kind { $(Kind::$kind => { self.$name.settle(id, me, kept); }),+ }
            }
        }
    };
}

tables! {
    customers: Customer => Customer,
    methods: MethodRow => Method,
    notes: NoteRow => Note,
    issues: IssueRow => Issue,
    products: Product => Product,
    plans: Plan => Plan,
    subscriptions: SubscriptionRow => Subscription,
    terms: Term => Term,
    changes: Change => Change,
    invoices: Invoice => Invoice,
    attempts: AttemptRow => Attempt,
    evidence: EvidenceRow => Evidence,
    payments: PaymentRow => Payment,
    refunds: RefundRow => Refund,
    ledger: LedgerRow => Ledger,
    audits: AuditRow => Audit,
    notices: NoticeRow => Notice,
    days: NaiveDate => Day,
    runs: Run => Run,
    items: RunItem => Item,
    run_leases: RunLeaseRow => RunLease,
    approvals: Approval => Approval,
    mirrors: Mirror => Mirror,
    mirrored: MirroredInvoice => MirroredInvoice,
    wishes: Wish => Wish,
    events: EventRow => Event,
    cursors: CursorRow => Cursor,
}

/// What one commit made visible.
#[derive(Debug, Default)]
pub struct Committed {
    pub actor: usize,
    pub attempts: Vec<(i64, Changed<AttemptRow>)>,
    pub payments: Vec<(i64, Changed<PaymentRow>)>,
    pub invoices: Vec<(i64, Changed<Invoice>)>,
    pub subscriptions: Vec<(i64, Changed<SubscriptionRow>)>,
    pub audits: Vec<Arc<AuditRow>>,
    pub approvals: Vec<(i64, Changed<Approval>)>,
    pub wishes: Vec<(i64, Changed<Wish>)>,
    pub mirrors: Vec<(i64, Changed<Mirror>)>,
}

/// A transaction that was answered as committed and is not written yet.
#[derive(Debug)]
pub struct Lazy {
    pub process: u64,
    pub tx: TxNo,
    pub touched: Vec<(Kind, i64)>,
}

/// What may go wrong with the database from now on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// At each point, so many times in a thousand.
    pub per_mille: u32,
    /// So many more.
    pub left: u32,
    /// So many happened.
    pub happened: u64,
}

#[derive(Debug)]
pub struct Db {
    pub personality: Personality,
    pub tables: Tables,
    pub flaws: Flaws,
    pub trouble: Trouble,
    /// Commits nobody has looked at yet, where somebody does.
    pub log: Option<Vec<Committed>>,
    pub writer: Option<TxNo>,
    pub lazy: Vec<Lazy>,
    /// Every rule that was broken last.
    pub last_refused: Vec<Constraint>,
    /// Who does which statement, and whose each transaction is, where somebody wants to know.
    pub doings: Option<Doings>,
    /// Wishes that were never written, where that is the mistake.
    pub loose: Vec<Wish>,
    /// The account at the provider that was written down.
    pub account: Option<String>,
    /// Who waits for whom to end.
    waits: Vec<(TxNo, TxNo)>,
    /// Who was chosen to end a deadlock, and has not heard of it yet.
    victims: Vec<TxNo>,
    /// How many deadlocks were ended.
    pub deadlocks: u64,
    last_tx: TxNo,
}

/// What actors do to the database.
#[derive(Debug, Default)]
pub struct Doings {
    /// Statements nobody has looked at yet.
    pub statements: Vec<&'static str>,
    /// The actor of each transaction, from number 1.
    pub actors: Vec<usize>,
}

impl Db {
    pub fn new(personality: Personality, tables: Tables) -> Self {
        Self {
            personality,
            tables,
            flaws: Flaws::default(),
            trouble: Trouble::default(),
            log: None,
            writer: None,
            lazy: Vec::new(),
            last_refused: Vec::new(),
            doings: None,
            loose: Vec::new(),
            account: None,
            waits: Vec::new(),
            victims: Vec::new(),
            deadlocks: 0,
            last_tx: 0,
        }
    }

    pub fn next_tx(&mut self, actor: usize) -> TxNo {
        self.last_tx += 1;
        if let Some(doings) = &mut self.doings {
            let at = usize::try_from(self.last_tx).unwrap_or(usize::MAX);
            doings.actors.resize(at, actor);
        }
        self.last_tx
    }

    /// From here on `me` waits for `holder`. Where that closes a ring, whom else it waits for in the end: one of the ring
    /// has to give up.
    pub fn waits_for(&mut self, me: TxNo, holder: TxNo) -> Option<TxNo> {
        let next = |of: TxNo| self.waits.iter().find(|(waiter, _)| *waiter == of);
        let mut at = holder;
        for _ in 0..=self.waits.len() {
            match next(at) {
                Some((_, behind)) if *behind == me => {
                    self.deadlocks += 1;
                    return Some(at);
                }
                Some((_, behind)) => at = *behind,
                None => break,
            }
        }
        self.waits.push((me, holder));
        None
    }

    /// Somebody else of the ring gives up: `me` goes on waiting.
    pub fn gives_up(&mut self, other: TxNo, me: TxNo, holder: TxNo) {
        self.victims.push(other);
        self.waits.retain(|(waiter, _)| *waiter != other);
        self.waits.push((me, holder));
    }

    /// `me` waits no longer. True when it was chosen to give up.
    pub fn waits_no_longer(&mut self, me: TxNo) -> bool {
        self.waits.retain(|(waiter, _)| *waiter != me);
        let before = self.victims.len();
        self.victims.retain(|victim| *victim != me);
        self.victims.len() < before
    }

    /// Ends a transaction: what it touched becomes visible, or as it was.
    pub fn end(&mut self, me: TxNo, actor: usize, touched: &[(Kind, i64)], kept: Kept) {
        if self.writer == Some(me) {
            self.writer = None;
        }
        self.waits_no_longer(me);
        let Some(log) = &mut self.log else {
            for &(kind, id) in touched {
                self.tables.settle_plain(kind, id, me, kept);
            }
            return;
        };
        let mut done = Committed {
            actor,
            ..Committed::default()
        };
        let tables = &mut self.tables;
        for &(kind, id) in touched {
            match kind {
                Kind::Attempt => {
                    let changed = tables.attempts.settle(id, me, kept);
                    done.attempts.extend(changed.map(|changed| (id, changed)));
                }
                Kind::Payment => {
                    let changed = tables.payments.settle(id, me, kept);
                    done.payments.extend(changed.map(|changed| (id, changed)));
                }
                Kind::Invoice => {
                    let changed = tables.invoices.settle(id, me, kept);
                    done.invoices.extend(changed.map(|changed| (id, changed)));
                }
                Kind::Subscription => {
                    let changed = tables.subscriptions.settle(id, me, kept);
                    done.subscriptions
                        .extend(changed.map(|changed| (id, changed)));
                }
                Kind::Audit => {
                    let changed = tables.audits.settle(id, me, kept);
                    done.audits.extend(changed.map(|(_, row)| row));
                }
                Kind::Approval => {
                    let changed = tables.approvals.settle(id, me, kept);
                    done.approvals.extend(changed.map(|changed| (id, changed)));
                }
                Kind::Wish => {
                    let changed = tables.wishes.settle(id, me, kept);
                    done.wishes.extend(changed.map(|changed| (id, changed)));
                }
                Kind::Mirror => {
                    let changed = tables.mirrors.settle(id, me, kept);
                    done.mirrors.extend(changed.map(|changed| (id, changed)));
                }
                other => tables.settle_plain(other, id, me, kept),
            }
        }
        if kept == Kept::Yes {
            log.push(done);
        }
    }
}
