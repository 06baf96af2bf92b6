//! What a panic does to the terminal.
//!
//! The hook runs on whichever thread panics. A worker's panic is caught by its task, so it must leave the live screen
//! alone and print nothing; only a panic of the console's own thread gives the terminal back. Install it after
//! color-eyre: it runs that report last. Invariant: the hook never panics itself, in particular not on a dead terminal.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use tokio::sync::mpsc;

use super::session::Notice;
use super::{modes, tty};

/// Who is on screen, and whom to tell about workers.
struct Console {
    thread: ThreadId,
    notices: mpsc::Sender<Notice>,
}

static CONSOLE: Mutex<Option<Console>> = Mutex::new(None);
static INSTALLED: Once = Once::new();

/// Makes the current thread the one whose panic gives the terminal back.
pub fn install(notices: mpsc::Sender<Notice>) {
    let thread = thread::current().id();
    *CONSOLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Console { thread, notices });
    INSTALLED.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |panic| {
            if !is_of_a_worker(panic) {
                modes::leave();
                if !tty::is_gone() && !tty::error_stream_is_dead() {
                    report(panic);
                }
            }
        }));
    });
}

/// A worker's panic is logged and told; the text of the panic stays out, because it may quote data.
fn is_of_a_worker(panic: &PanicHookInfo<'_>) -> bool {
    if !modes::is_held() {
        return false;
    }
    let console = CONSOLE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(console) = console.as_ref() else {
        return false;
    };
    if console.thread == thread::current().id() {
        return false;
    }
    let name = thread::current().name().unwrap_or("unnamed").to_owned();
    let location = panic
        .location()
        .map_or_else(|| "unknown place".to_owned(), ToString::to_string);
    tracing::error!(thread = name, location, "a worker panicked");
    let _ = console.notices.try_send(Notice::WorkerPanicked {
        thread: name,
        location,
    });
    true
}
