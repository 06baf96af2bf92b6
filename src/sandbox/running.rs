//! Starts a simulator in this process, and stops it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::clerk::Clerk;
use super::clock::SimClock;
use super::codes::Codes;
use super::connection::{Doorway, Line};
use super::control;
use super::error::SandboxError;
use super::idempotency::InFlight;
use super::ids::Ids;
use super::ledger::Book;
use super::lock::Lock;
use super::persist::File;
use super::requests::RequestLog;
use super::scripts::Scripts;
use super::server::{self, Desk};
use super::shared::Shared;
use super::stripe;
use super::switches::Switches;
use super::webhook;

/// The secret key that every simulator accepts unless it is told otherwise.
pub const SECRET_KEY: &str = "test_sk_paydeck000sandbox000key00000";
/// Keys of the provider's public documentation: an API key and a widget key.
pub const DOCUMENTATION_KEYS: [&str; 2] = [
    "test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R",
    "test_gsk_docs_OaPz8L5KdmQXkzRz3y47BMw6",
];

const JOBS: usize = 1_024;

#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where the file and the lock are; none: in memory.
    pub dir: Option<PathBuf>,
    /// A loopback address; port 0 picks one.
    pub listen: SocketAddr,
    pub switches: Switches,
    pub secret_keys: Vec<String>,
    pub stripe_secret_keys: Vec<String>,
    /// Of every call of the provider's interface.
    pub latency: Duration,
    /// Makes identifiers repeatable.
    pub seed: Option<u64>,
    pub merchant_id: String,
    /// The id of the account at Stripe whose books these are.
    pub stripe_account: String,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        let mut secret_keys = vec![SECRET_KEY.to_owned()];
        secret_keys.extend(DOCUMENTATION_KEYS.map(str::to_owned));
        Self {
            dir: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            switches: Switches::default(),
            secret_keys,
            stripe_secret_keys: vec![stripe::SECRET_KEY.to_owned()],
            latency: Duration::ZERO,
            seed: None,
            merchant_id: "tpaydeck".to_owned(),
            stripe_account: stripe::OWN_ID.to_owned(),
        }
    }
}

/// A simulator at work. Dropping it stops it too, less orderly than `shutdown`.
pub struct Running {
    addr: SocketAddr,
    dir: Option<PathBuf>,
    desk: Arc<Desk>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    clerk: JoinHandle<()>,
    webhooks: JoinHandle<()>,
    stripe: [JoinHandle<()>; 2],
    lock: Option<Lock>,
}

impl Running {
    /// What a client of the provider takes as its base URL, without `/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, cuts what is under way, closes the file and gives the directory free.
    pub async fn shutdown(mut self) {
        self.stop.take();
        self.desk.tasks.lock().await.shutdown().await;
        self.webhooks.abort();
        if tokio::time::timeout(Duration::from_secs(1), &mut self.serving)
            .await
            .is_err()
        {
            self.serving.abort();
        }
        self.clerk.abort();
        self.stripe.iter().for_each(JoinHandle::abort);
        self.desk.file.close().await;
        drop(self.lock.take());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
        self.clerk.abort();
        self.webhooks.abort();
        self.stripe.iter().for_each(JoinHandle::abort);
    }
}

/// Starts a simulator and returns when it listens.
pub async fn start(options: SandboxOptions) -> Result<Running, SandboxError> {
    if !options.listen.ip().is_loopback() {
        return Err(SandboxError::NotLoopback {
            listen: options.listen,
        });
    }
    let codes = Codes::load()?;
    let mut lock = None;
    let file = match &options.dir {
        None => File::in_memory().await?,
        Some(dir) => {
            create_private_dir(dir)?;
            lock = Some(Lock::take(dir).await?);
            File::open(dir).await?
        }
    };
    let found = file.start().await?;
    let (doorway, addr) = bind(options.listen).await?;
    if let Some(lock) = &mut lock {
        lock.announce(&format!("http://{addr}"))?;
    }
    let shared = Arc::new(Shared {
        clock: SimClock::with_offset(found.clock_offset_us),
        codes,
        merchant_id: options.merchant_id,
        secret_keys: options.secret_keys,
        stripe_secret_keys: options.stripe_secret_keys,
        in_flight: InFlight::default(),
        latency_ms: AtomicU64::new(u64::try_from(options.latency.as_millis()).unwrap_or(u64::MAX)),
        switches: RwLock::new(options.switches),
        scripts: Mutex::new(Scripts::default()),
        requests: Mutex::new(RequestLog::default()),
        ids: Mutex::new(Ids::new(options.seed.map(|seed| !seed), found.starts)),
        webhooks: Mutex::new(found.webhooks),
        counted: Mutex::new(HashMap::new()),
    });
    let (jobs, inbox) = mpsc::channel(JOBS);
    let (notices, outbox) = mpsc::unbounded_channel();
    let clerk = Clerk {
        shared: Arc::clone(&shared),
        file: file.clone(),
        ids: Ids::new(options.seed, found.starts),
        book: Book::starting_after(found.last_card_id, found.last_payment_id),
        notices,
    };
    let clerk = tokio::spawn(clerk.run(inbox));
    let webhooks = tokio::spawn(webhook::deliver(Arc::clone(&shared), outbox));
    let opened = stripe::teller::open(&file.write, options.seed, found.starts).await?;
    let account = opened.named(options.stripe_account, format!("http://{addr}"));
    let (stripe, stripe_tasks) = open_stripe(&shared, &file, account);
    let desk = Arc::new(Desk {
        shared,
        file,
        clerk: jobs,
        stripe,
        tasks: tokio::sync::Mutex::new(JoinSet::new()),
    });
    let (stop, serving) = serve(doorway, Arc::clone(&desk));
    Ok(Running {
        addr,
        dir: options.dir,
        desk,
        stop: Some(stop),
        serving,
        clerk,
        webhooks,
        stripe: stripe_tasks,
        lock,
    })
}

async fn bind(listen: SocketAddr) -> Result<(Doorway, SocketAddr), SandboxError> {
    let failed = |source| SandboxError::Listen { listen, source };
    let doorway = Doorway::bind(listen).await.map_err(failed)?;
    let addr = doorway.listener.local_addr().map_err(failed)?;
    Ok((doorway, addr))
}

/// The other provider's teller and its deliveries, at work.
fn open_stripe(
    shared: &Arc<Shared>,
    file: &File,
    account: stripe::Account,
) -> (mpsc::Sender<stripe::teller::Errand>, [JoinHandle<()>; 2]) {
    let (errands, inbox) = mpsc::channel(JOBS);
    let (notices, outbox) = mpsc::unbounded_channel();
    let teller = stripe::teller::Teller {
        shared: Arc::clone(shared),
        pool: file.write.clone(),
        account,
        notices,
        last_told: 0,
    };
    let delivering = stripe::webhooks::deliver(Arc::clone(shared), outbox, errands.clone());
    let tasks = [tokio::spawn(teller.run(inbox)), tokio::spawn(delivering)];
    (errands, tasks)
}

fn serve(doorway: Doorway, desk: Arc<Desk>) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let router = control::routes()
        .fallback(server::provider)
        .with_state(desk);
    let service = router.into_make_service_with_connect_info::<Line>();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let until = async move {
            // Dropping the sender means the same as sending.
            drop(stopped.await);
        };
        if let Err(error) = axum::serve(doorway, service)
            .with_graceful_shutdown(until)
            .await
        {
            tracing::error!(%error, "the simulator stopped serving");
        }
    });
    (stop, serving)
}

fn create_private_dir(dir: &std::path::Path) -> Result<(), SandboxError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| SandboxError::Files {
            path: dir.to_owned(),
            source,
        })
}

/// One line of JSON that says where the simulator is and which secret keys it accepts.
pub fn ready_line(running: &Running) -> String {
    json!({
        "sandbox": "ready",
        "base_url": running.base_url(),
        "base_urls": { "toss": running.base_url(), "stripe": running.base_url() },
        "control_url": format!("{}/_sandbox", running.base_url()),
        "secret_keys": running.desk.shared.secret_keys,
        "stripe_secret_keys": running.desk.shared.stripe_secret_keys,
        "dir": running.dir,
        "pid": std::process::id(),
    })
    .to_string()
}
