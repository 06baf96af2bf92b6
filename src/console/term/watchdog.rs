//! Notices that the terminal hung up.
//!
//! A read or a write would notice too, but only when somebody reads or writes; this thread sleeps in the kernel until
//! the terminal is gone. Invariant: it ends when its [`Watchdog`] is dropped and never wakes for anything else.

use std::io;
use std::os::unix::net::UnixStream;

use super::ending::{Cause, Ending};
use super::tty::{Watched, mark_gone, wait_for_hangup};

/// Holds the thread; dropping it ends the watch.
#[derive(Debug)]
pub struct Watchdog {
    _release: UnixStream,
}

impl Watchdog {
    pub fn spawn(ending: Ending) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        std::thread::Builder::new()
            .name("hangup".to_owned())
            .spawn(move || match wait_for_hangup(&theirs) {
                Watched::HungUp => {
                    mark_gone();
                    ending.run(Cause::Hangup);
                }
                Watched::Released => {}
            })?;
        Ok(Self { _release: ours })
    }
}
