//! The thread that receives signals.
//!
//! It is separate from the console's loop, because that may be stuck in a write when a signal comes. Stopping is the
//! console's own act, so that the terminal is given back first. Invariant: signals never touch the model; they become
//! a [`Notice`] or the end of the process.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, getpgrp, getpid, getppid, getsid, kill_current_process_group};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::ending::{Cause, Ending};
use super::session::Notice;

/// How often the process was continued.
static CONTINUED: Mutex<u64> = Mutex::new(0);
static CONTINUED_AGAIN: Condvar = Condvar::new();
/// We stopped ourselves, so the console already knows what to do when it continues.
static STOPPED_BY_US: AtomicBool = AtomicBool::new(false);

/// Starts receiving. The thread lives as long as the process: signals without a receiver would be ignored for ever,
/// and a process that lingers after the console closed must still hear SIGTERM.
pub fn spawn(ending: Ending) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                receive(signal, &ending);
            }
        })?;
    Ok(())
}

fn receive(signal: i32, ending: &Ending) {
    match signal {
        SIGHUP => ending.run(Cause::Hangup),
        SIGINT => ending.run(Cause::Interrupted),
        SIGQUIT => ending.run(Cause::Quit),
        SIGTERM => ending.run(Cause::Terminated),
        SIGTSTP => ending.tell(Notice::Suspend),
        SIGCONT => {
            *CONTINUED.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            CONTINUED_AGAIN.notify_all();
            if !STOPPED_BY_US.swap(false, Ordering::SeqCst) {
                ending.tell(Notice::Resumed);
            }
        }
        _ => {}
    }
}

/// Whether somebody is there who could continue a stopped process: a shell with job control in our session.
///
/// Started by `sshd` or a service manager there is nobody, and a stopped console would stay stopped for ever.
pub fn somebody_can_continue_us() -> bool {
    let session = getsid(None);
    let parent = getppid();
    let ours = |pid| getsid(Some(pid)).ok() == session.ok();
    let leads_session = session.is_ok_and(|leader| leader == getpid() || leader == getpgrp());
    !leads_session && parent.is_some_and(ours)
}

/// Stops the whole job and returns when it is continued. The terminal must have been given back.
pub fn stop_until_continued() -> io::Result<()> {
    /// A stop that did not come is not waited for; time spent stopped does not matter, the signal ends the wait.
    const LIMIT: Duration = Duration::from_secs(2);
    let seen = CONTINUED.lock().unwrap_or_else(PoisonError::into_inner);
    let before = *seen;
    STOPPED_BY_US.store(true, Ordering::SeqCst);
    // Not SIGTSTP, which we catch; the group, because a wrapper that goes on would keep the shell waiting.
    kill_current_process_group(Signal::STOP)?;
    let _seen = CONTINUED_AGAIN.wait_timeout_while(seen, LIMIT, |count| *count == before);
    Ok(())
}
