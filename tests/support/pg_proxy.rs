//! A wire between a test and its PostgreSQL server that can be cut at a COMMIT, or at any message.
//!
//! It passes bytes on and looks only for the word COMMIT on its way to the server, or counts what is said. Cut before, the server never
//! hears of it and rolls back; cut after, the server has committed and nobody is told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

/// Where the wire is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The COMMIT does not reach the server.
    Before,
    /// The server's answer to it does not come back.
    After,
}

#[derive(Debug, Default)]
struct Knife {
    /// The next so many COMMITs pass, then one is cut.
    armed: Mutex<Option<(Cut, usize)>>,
    /// The same for whatever is said.
    armed_for_any: Mutex<Option<(Cut, usize)>>,
    cuts: AtomicUsize,
    is_down: AtomicBool,
    /// After a cut, nobody is let through.
    stays_down: AtomicBool,
}

/// A proxy of one test.
pub struct Proxy {
    /// The same database, through the wire.
    pub url: String,
    knife: Arc<Knife>,
    _tasks: JoinSet<()>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Proxy {
    pub async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let options: PgConnectOptions = url.parse().expect("an address");
        let person = url
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('@'))
            .map_or("postgres", |(person, _)| person);
        let name = options.get_database().expect("a database").to_owned();
        let knife = Arc::new(Knife::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, options, Arc::clone(&knife)));
        Self {
            url: format!("postgres://{person}@127.0.0.1:{port}/{name}?sslmode=disable"),
            knife,
            _tasks: tasks,
        }
    }

    /// Cuts the wire at the COMMIT after `passing` more; a later connection gets through.
    pub fn cut(&self, cut: Cut, passing: usize) {
        *self.armed() = Some((cut, passing));
    }

    /// Cuts the wire at whatever is said to the server after `passing` more.
    pub fn cut_at_any(&self, cut: Cut, passing: usize) {
        *lock(&self.knife.armed_for_any) = Some((cut, passing));
    }

    /// The same, and from then on nobody gets through until [`Self::mend`].
    pub fn cut_for_good(&self, cut: Cut, passing: usize) {
        self.knife.stays_down.store(true, Ordering::SeqCst);
        self.cut(cut, passing);
    }

    pub fn mend(&self) {
        self.knife.stays_down.store(false, Ordering::SeqCst);
        self.knife.is_down.store(false, Ordering::SeqCst);
        *self.armed() = None;
        *lock(&self.knife.armed_for_any) = None;
    }

    /// How often it was cut.
    pub fn cuts(&self) -> usize {
        self.knife.cuts.load(Ordering::SeqCst)
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Option<(Cut, usize)>> {
        lock(&self.knife.armed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, options: PgConnectOptions, knife: Arc<Knife>) {
    let mut wires = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while wires.try_join_next().is_some() {}
        if knife.is_down.load(Ordering::SeqCst) {
            continue;
        }
        let server: Box<dyn Stream> = match options.get_socket() {
            Some(directory) => {
                let socket = directory.join(format!(".s.PGSQL.{}", options.get_port()));
                Box::new(UnixStream::connect(socket).await.expect("the server"))
            }
            None => {
                let address = (options.get_host(), options.get_port());
                Box::new(TcpStream::connect(address).await.expect("the server"))
            }
        };
        wires.spawn(pass(client, server, Arc::clone(&knife)));
    }
}

/// Until one side ends or the wire is cut.
async fn pass(mut client: TcpStream, mut server: Box<dyn Stream>, knife: Arc<Knife>) {
    let (mut said, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            count = client.read(&mut said) => {
                let Ok(count @ 1..) = count else { return };
                let cut = knife.falls_on(&said[..count]);
                if cut == Some(Cut::Before) || server.write_all(&said[..count]).await.is_err() {
                    return;
                }
                if cut == Some(Cut::After) {
                    // Committed before anybody learns that the wire is cut.
                    let _answer = server.read(&mut answered).await;
                    return;
                }
            }
            count = server.read(&mut answered) => {
                let Ok(count @ 1..) = count else { return };
                if client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

impl Knife {
    fn falls_on(&self, said: &[u8]) -> Option<Cut> {
        if self.is_down.load(Ordering::SeqCst) {
            return Some(Cut::Before);
        }
        let falls = count_down(&self.armed_for_any).or_else(|| {
            let is_commit = said.windows(7).any(|word| word == b"COMMIT\0");
            is_commit.then(|| count_down(&self.armed)).flatten()
        });
        if falls.is_some() {
            self.cuts.fetch_add(1, Ordering::SeqCst);
            let stays = self.stays_down.load(Ordering::SeqCst);
            self.is_down.store(stays, Ordering::SeqCst);
        }
        falls
    }
}

/// One more has passed, or it is this one's turn.
fn count_down(armed: &Mutex<Option<(Cut, usize)>>) -> Option<Cut> {
    let mut armed = lock(armed);
    match *armed {
        Some((cut, 0)) => {
            *armed = None;
            Some(cut)
        }
        Some((cut, passing)) => {
            *armed = Some((cut, passing - 1));
            None
        }
        None => None,
    }
}
