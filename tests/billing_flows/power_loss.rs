//! The power goes while charges are out: SQLite keeps what was synced, and that is enough.
//!
//! At every commit the write-ahead log is synced before the engine goes on (`store::sqlite` asserts the settings). So when
//! a request leaves, what the file and its log hold at that moment is on the disk, and of what is written later any
//! beginning may be. Both files are copied right before each request; each copy is put together with every beginning of
//! what the log held at the next request, whole frames and torn ones. Each intent that had left is in each of them, and
//! the shipped engine settles such a copy without moving money.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Connection;
use tempfile::TempDir;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::PaymentId;
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::run::Decision;
use paydeck::engine::Request;
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, DeleteOutcome, Desk,
    IssueOutcome, Provider, ProviderError, RefundCall, RefundRequest, RegisterCall,
    TransactionSeen,
};
use paydeck::secret::Secret;
use paydeck::store::DatabaseUrl;

use crate::world::{Base, World, admin};

const SUBSCRIPTIONS: usize = 12;
const REFUNDS: usize = 6;
const HEADER: usize = 32;
const FRAME: usize = 4_096 + 24;
/// The log is cut at every so-manieth frame.
const FRAMES_APART: usize = 3;
/// The shipped engine settles every so-manieth copy.
const SETTLED_EVERY: usize = 12;

/// What was on the disk when a request left.
struct Copied {
    key: String,
    file: Vec<u8>,
    log: Vec<u8>,
}

/// A provider that copies the database's files before it is asked to move money.
struct Witness {
    inner: Arc<dyn Provider>,
    path: PathBuf,
    copied: Mutex<Vec<Copied>>,
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

async fn connection(path: &Path) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(30));
    sqlx::SqliteConnection::connect_with(&options)
        .await
        .expect("a connection")
}

impl Witness {
    async fn copies(&self, key: &str) {
        // Nobody writes meanwhile, so that the two files belong together.
        let mut held = connection(&self.path).await;
        sqlx::query("begin immediate")
            .execute(&mut held)
            .await
            .expect("held");
        let read = |path: &Path| std::fs::read(path).expect("a file");
        let copied = loop {
            let (file, log) = (read(&self.path), read(&log_of(&self.path)));
            if file == read(&self.path) {
                break Copied {
                    key: key.to_owned(),
                    file,
                    log,
                };
            }
        };
        sqlx::query("rollback")
            .execute(&mut held)
            .await
            .expect("let go");
        self.lock().push(copied);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Copied>> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Witness {
    fn name(&self) -> ProviderName {
        self.inner.name()
    }

    fn mode(&self) -> Mode {
        self.inner.mode()
    }

    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        self.inner.charge_body(request)
    }

    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        self.inner.refund_body(request)
    }

    fn charge<'a>(&'a self, desk: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            self.copies(call.idem_key).await;
            self.inner.charge(desk, call).await
        })
    }

    fn refund<'a>(&'a self, desk: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            self.copies(call.idem_key).await;
            self.inner.refund(desk, call).await
        })
    }

    fn confirm<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.inner.confirm(desk, call)
    }

    fn look_up_charge<'a>(
        &'a self,
        desk: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.inner.look_up_charge(desk, look)
    }

    fn look_up_payment<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        self.inner.look_up_payment(desk, provider_ref)
    }

    fn issue<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome> {
        self.inner.issue(desk, call)
    }

    fn delete_key<'a>(
        &'a self,
        desk: &'a mut Desk,
        key: &'a Secret,
    ) -> BoxFuture<'a, DeleteOutcome> {
        self.inner.delete_key(desk, key)
    }

    fn transactions<'a>(
        &'a self,
        desk: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>> {
        self.inner.transactions(desk, from, to, after, limit)
    }

    fn self_test<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.inner.self_test(desk)
    }
}

/// What the disk may hold when the power goes after this request left: all of the log so far, and any beginning of what
/// was written until the next left.
fn logs_after(at: usize, all: &[Copied]) -> Vec<Vec<u8>> {
    let synced = &all[at].log;
    let mut logs = vec![synced.clone()];
    let Some(next) = all.get(at + 1) else {
        return logs;
    };
    // Once the log has begun anew, its beginning is no later state of this one.
    if next.file != all[at].file || !next.log.starts_with(synced) {
        return logs;
    }
    let mut end = synced.len().max(HEADER) + FRAME;
    while end <= next.log.len() {
        logs.push(next.log[..end - FRAME / 2].to_vec());
        logs.push(next.log[..end].to_vec());
        end += FRAMES_APART * FRAME;
    }
    logs
}

/// Every request that had left is written down as sent.
async fn holds_every_intent(path: &Path, left: &[Copied]) {
    let mut found = connection(path).await;
    let sent: Vec<String> = sqlx::query_scalar("select idem_key from attempt where send_count > 0")
        .fetch_all(&mut found)
        .await
        .expect("attempts");
    for one in left {
        assert!(sent.contains(&one.key), "an intent is lost: {}", one.key);
    }
}

/// The shipped engine opens what is left and settles it; no money moves.
async fn settles(w: &World, path: &Path) {
    let before = w.executed().await;
    let mut found = connection(path).await;
    sqlx::query("update attempt set lease_until = 0, next_check_at = 0, created_at = 0 where state in ('ready', 'sent', 'unknown')")
        .execute(&mut found)
        .await
        .expect("leases");
    let address = format!("sqlite:{}", path.display());
    let engine = w.engine_at(&address, "after the power came back").await;
    while engine
        .reconcile_once(&admin())
        .await
        .expect("looked")
        .claimed
        > 0
    {}
    let open = "select count(*) from attempt where state in ('ready', 'sent', 'unknown')";
    let open: i64 = sqlx::query_scalar(open)
        .fetch_one(&mut found)
        .await
        .expect("a number");
    assert_eq!(open, 0);
    assert_eq!(w.executed().await, before);
    let unpaid = "select count(*) from attempt a where a.kind = 'charge' and a.send_count > 0 and not exists (select 1 from payment p where p.attempt_id = a.id)";
    let unpaid: i64 = sqlx::query_scalar(unpaid)
        .fetch_one(&mut found)
        .await
        .expect("a number");
    assert_eq!(unpaid, 0, "what was taken is in the books");
    engine.store().close().await;
}

#[tokio::test]
async fn what_was_synced_when_a_request_left_holds_its_intent() {
    let w = World::open(Base::Sqlite, |settings| settings.concurrency = 4)
        .await
        .expect("SQLite");
    let (_, subscription) = w.subscriber("key-one").await;
    w.many_like(subscription, SUBSCRIPTIONS).await;
    w.advance_days(31).await;
    let DatabaseUrl::Sqlite(path) = &w.url else {
        return;
    };
    let witness = Arc::new(Witness {
        inner: Arc::clone(&w.provider),
        path: path.clone(),
        copied: Mutex::default(),
    });
    let provider: Arc<dyn Provider> = witness.clone();
    let engine = w.engine_with("witnessed", &provider).await;
    engine
        .billing_run(&admin(), w.clock_now(), &mut |_| {})
        .await
        .expect("a run");
    for payment in 1..=REFUNDS {
        let refund = Request::Refund {
            payment: PaymentId(i64::try_from(payment).expect("small")),
            amount: RefundAmount::Full,
            reason: "asked".into(),
            also_cancel: AlsoCancel::No,
        };
        let plan = engine.plan(&admin(), &refund).await.expect("a plan");
        let done = engine.apply(&admin(), &refund, &plan.fingerprint).await;
        done.expect("refunded");
    }
    let copied = std::mem::take(&mut *witness.lock());
    assert_eq!(copied.len(), SUBSCRIPTIONS + 1 + REFUNDS);
    let mut points = 0;
    for at in 0..copied.len() {
        for log in logs_after(at, &copied) {
            let place = TempDir::with_prefix("paydeck-power-").expect("a directory");
            let file = place.path().join("paydeck.db");
            std::fs::write(&file, &copied[at].file).expect("a file");
            std::fs::write(log_of(&file), &log).expect("a log");
            holds_every_intent(&file, &copied[..=at]).await;
            if points % SETTLED_EVERY == 0 {
                settles(&w, &file).await;
            }
            points += 1;
        }
    }
    println!("{points} beginnings of the log");
    assert!(points >= 200, "{points}");
    w.books_are_straight().await;
}

/// A copy of an hour ago is put back, and the scheduler runs as if nothing had been.
#[tokio::test]
async fn after_an_older_snapshot_was_put_back_a_run_charges_nobody_again() {
    let w = World::open(Base::Sqlite, |_| {}).await.expect("a world");
    let (_, pattern) = w.subscriber("key-one").await;
    w.many_like(pattern, 7).await;
    let snapshot = w.spool_dir().with_file_name("snapshot.db");
    let Some(original) = w.address().strip_prefix("sqlite:").map(PathBuf::from) else {
        panic!("a file")
    };
    let mut raw = connection(&original).await;
    let copy = format!("vacuum into '{}'", snapshot.display());
    sqlx::query(sqlx::AssertSqlSafe(copy))
        .execute(&mut raw)
        .await
        .expect("a copy");

    w.advance_days(31).await;
    w.run().await;
    assert_eq!(w.executed().await, (1 + 8, 0));

    let restored = w
        .engine_at(&format!("sqlite:{}", snapshot.display()), "restored")
        .await;
    let summary = restored
        .billing_run(&admin(), restored.now(), &mut |_| {})
        .await
        .expect("a run");
    assert_eq!(w.executed().await, (1 + 8, 0), "nobody is charged twice");
    let charged = summary
        .totals
        .iter()
        .find(|(decision, _)| *decision == Decision::Done);
    assert_eq!(
        charged.map(|(_, count)| *count),
        Some(8),
        "the provider says what was paid: {summary:?}"
    );
}

/// The same on PostgreSQL: what the run after it sends has the same order ids and keys, byte for byte.
#[tokio::test]
async fn after_an_older_copy_of_postgres_was_put_back_the_same_requests_go_out_and_nobody_is_charged_again()
 {
    const SENT: &str = "select order_id || ' ' || idem_key || ' ' || encode(body, 'hex') from attempt where source = 'run' order by 1";
    let Some(mut w) = World::open(Base::Postgres, |_| {}).await else {
        return;
    };
    let (_, pattern) = w.subscriber("key-one").await;
    w.many_like(pattern, 7).await;
    let copy = w.snapshot().await.expect("a copy");

    w.advance_days(31).await;
    w.run().await;
    assert_eq!(w.executed().await, (1 + 8, 0));
    let sent = w.column(SENT).await;
    let payment = w.last_payment().await;
    w.done(Request::Refund {
        payment,
        amount: RefundAmount::Full,
        reason: "asked".into(),
        also_cancel: AlsoCancel::No,
    })
    .await;
    let was_paid = "select count(*) from payment";
    assert_eq!(w.number(was_paid).await, 1 + 8);

    let gone = w.put_back(&copy).await;
    assert_eq!(w.number(was_paid).await, 1, "nobody here knows of the run");
    let again = w.run().await;
    w.settle_everything().await;
    assert_eq!(w.executed().await, (1 + 8, 1), "nobody is charged twice");
    assert_eq!(
        w.column(SENT).await,
        sent,
        "the same order ids, keys and bytes"
    );
    assert_eq!(again.due, 8);
    assert_eq!(w.number(was_paid).await, 1 + 8);
    w.audit_is_intact().await;
    drop(gone);
}
