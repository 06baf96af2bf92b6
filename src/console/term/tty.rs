//! Writes to the terminal, and the knowledge that it is gone.
//!
//! It writes to the descriptor, not through the standard library's locked and buffered stdout, so that a thread stuck
//! in a write cannot hold up the end of the process. Invariant: after [`mark_gone`] nothing is written any more.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::{stderr, stdin, stdout};

use super::monotonic_now;

static GONE: AtomicBool = AtomicBool::new(false);
static PEN: Mutex<()> = Mutex::new(());

/// From now on the terminal does not exist.
pub fn mark_gone() {
    GONE.store(true, Ordering::SeqCst);
}

pub fn is_gone() -> bool {
    GONE.load(Ordering::SeqCst)
}

/// Whether an error of the terminal means that it hung up.
pub fn is_hangup(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .map(Errno::from_raw_os_error)
        .is_some_and(|errno| matches!(errno, Errno::IO | Errno::PIPE | Errno::NXIO | Errno::BADF))
}

/// Looks, without waiting, whether the error stream can still be written; a report there would otherwise panic.
pub fn error_stream_is_dead() -> bool {
    let error_stream = stderr();
    let mut polled = [PollFd::new(&error_stream, PollFlags::empty())];
    let now = Timespec::default();
    match poll(&mut polled, Some(&now)) {
        Ok(0) => false,
        Ok(_) | Err(_) => true,
    }
}

/// Blocks until the terminal hangs up or `release` is closed; says which.
pub fn wait_for_hangup(release: impl std::os::fd::AsFd) -> Watched {
    let (input, output) = (stdin(), stdout());
    loop {
        let mut polled = [
            PollFd::new(&input, PollFlags::empty()),
            PollFd::new(&output, PollFlags::empty()),
            PollFd::new(&release, PollFlags::IN),
        ];
        match poll(&mut polled, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return Watched::HungUp,
        }
        if !polled[2].revents().is_empty() {
            return Watched::Released;
        }
        if !polled[0].revents().is_empty() || !polled[1].revents().is_empty() {
            return Watched::HungUp;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    HungUp,
    Released,
}

/// The right to write; one thread at a time.
pub fn pen() -> MutexGuard<'static, ()> {
    PEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to write, unless somebody is stuck with it for longer than `limit`.
pub fn pen_within(limit: Duration) -> Option<MutexGuard<'static, ()>> {
    let until = monotonic_now() + limit;
    loop {
        match PEN.try_lock() {
            Ok(pen) => return Some(pen),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if monotonic_now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Whether the terminal takes bytes within `limit`; a stopped or stalled one does not.
pub fn takes_bytes_within(limit: Duration) -> bool {
    let output = stdout();
    let mut polled = [PollFd::new(&output, PollFlags::OUT)];
    let Ok(timeout) = Timespec::try_from(limit) else {
        return false;
    };
    matches!(poll(&mut polled, Some(&timeout)), Ok(1)) && polled[0].revents() == PollFlags::OUT
}

/// Writes all of it, waiting as long as the terminal makes us wait. The caller holds the [`pen`].
pub fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        if is_gone() {
            return Err(Errno::IO.into());
        }
        match rustix::io::write(stdout(), bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Somebody who shares the terminal made it non-blocking.
            Err(Errno::AGAIN) => {
                takes_bytes_within(Duration::from_secs(1));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
