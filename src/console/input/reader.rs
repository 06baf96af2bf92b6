//! The thread that reads the terminal.
//!
//! It blocks in one `poll` on the terminal, the resize pipe and a wake-up pipe, with a timeout only while a sequence is
//! unfinished. Events go into a bounded channel; when the console is busy the thread waits, and the terminal's own
//! buffer fills. Invariant: it ends when the terminal is gone, when its [`InputControl`] is dropped or when nobody
//! receives, and it never spins.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc;

use super::InputEvent;
use super::burst::BurstGuard;
use super::gate::{Gate, Wish};
use super::parser::{Parser, Token, Waiting};
use super::resize::ResizePipe;
use crate::console::term::monotonic_now;

/// A full queue holds back the reader, not the memory.
const QUEUE: usize = 256;
const READ: usize = 4096;

/// How patient the reader is with what arrives in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputOptions {
    /// After a lone ESC.
    pub escape: Duration,
    /// From the beginning of a sequence to its last byte.
    pub sequence: Duration,
    /// Between two pieces of a bracketed paste.
    pub paste: Duration,
    /// After a burst, during which further keys belong to it.
    pub burst_tail: Duration,
}

impl InputOptions {
    /// A terminal on the same machine delivers a sequence in one piece.
    pub const fn local() -> Self {
        Self {
            escape: Duration::from_millis(25),
            sequence: Duration::from_secs(1),
            paste: Duration::from_secs(2),
            burst_tail: Duration::from_millis(50),
        }
    }

    /// Over SSH, pieces of one sequence may arrive a round trip apart.
    pub const fn ssh() -> Self {
        Self {
            escape: Duration::from_millis(100),
            burst_tail: Duration::from_millis(200),
            ..Self::local()
        }
    }

    const fn patience(&self, waiting: Waiting) -> Duration {
        match waiting {
            Waiting::Escape => self.escape,
            Waiting::Sequence => self.sequence,
            Waiting::Paste => self.paste,
        }
    }
}

/// Holds the reader; dropping it ends the thread.
#[derive(Debug)]
pub struct InputControl {
    wake: UnixStream,
    gate: Arc<Gate>,
}

impl InputControl {
    /// Keeps the reader off the terminal until the answer is dropped, so that a shell or an editor gets the keys.
    pub fn pause(&self) -> Paused<'_> {
        self.gate.set(Wish::Pause);
        // A full pipe wakes the reader as well as a byte more would.
        let _ = rustix::io::write(&self.wake, b"p");
        self.gate.wait_until_parked();
        Paused { gate: &self.gate }
    }
}

/// While it lives, the reader does not touch the terminal.
#[derive(Debug)]
pub struct Paused<'a> {
    gate: &'a Gate,
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.gate.set(Wish::Read);
    }
}

/// Starts reading the standard input.
pub fn spawn(options: InputOptions) -> io::Result<(mpsc::Receiver<InputEvent>, InputControl)> {
    let terminal = io::stdin().as_fd().try_clone_to_owned()?;
    spawn_on(terminal, options)
}

/// Starts reading `terminal`, which must already be in raw mode.
pub fn spawn_on(
    terminal: OwnedFd,
    options: InputOptions,
) -> io::Result<(mpsc::Receiver<InputEvent>, InputControl)> {
    let (events, receiver) = mpsc::channel(QUEUE);
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let gate = Arc::new(Gate::default());
    let mut reader = Reader {
        terminal,
        woken,
        resized: ResizePipe::open()?,
        gate: Arc::clone(&gate),
        options,
        events: events.clone(),
        parser: Parser::default(),
        guard: BurstGuard::new(options.burst_tail),
        deadline: None,
    };
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let end = catch_unwind(AssertUnwindSafe(|| reader.run()));
            if !matches!(end, Ok(End::Released)) {
                // Nobody may be listening any more, and then nobody misses it.
                let _ = events.blocking_send(InputEvent::InputLost);
            }
        })?;
    Ok((receiver, InputControl { wake, gate }))
}

/// Why the reader stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The terminal hung up or cannot be read.
    Lost,
    /// The console let go of its end.
    Released,
}

struct Reader {
    terminal: OwnedFd,
    woken: UnixStream,
    resized: ResizePipe,
    gate: Arc<Gate>,
    options: InputOptions,
    events: mpsc::Sender<InputEvent>,
    parser: Parser,
    guard: BurstGuard,
    /// What the parser waits for, and until when.
    deadline: Option<(Waiting, Instant)>,
}

/// Which of the three sources have something.
struct Ready {
    terminal: PollFlags,
    woken: PollFlags,
    resized: PollFlags,
}

impl Reader {
    fn run(&mut self) -> End {
        loop {
            match self.turn() {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        let ready = self.wait()?;
        if !ready.woken.is_empty() {
            self.wake_up()?;
            // The terminal may have changed hands meanwhile: look again before reading it.
            return Ok(());
        }
        if !ready.resized.is_empty() {
            self.report_size()?;
        }
        if !ready.terminal.is_empty() {
            self.read()?;
        }
        self.expire()
    }

    /// Blocks until something is ready or the deadline passes.
    fn wait(&self) -> Result<Ready, End> {
        let mut polled = [
            PollFd::new(&self.terminal, PollFlags::IN),
            PollFd::new(&self.woken, PollFlags::IN),
            PollFd::new(&self.resized, PollFlags::IN),
        ];
        let timeout = self
            .deadline
            .map(|(_, at)| at.saturating_duration_since(monotonic_now()))
            .and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(End::Lost),
        }
        Ok(Ready {
            terminal: polled[0].revents(),
            woken: polled[1].revents(),
            resized: polled[2].revents(),
        })
    }

    fn wake_up(&mut self) -> Result<(), End> {
        let mut byte = [0; 16];
        match self.woken.read(&mut byte) {
            Ok(0) => return Err(End::Released),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(End::Released),
            Ok(_) | Err(_) => {}
        }
        self.gate.park_while_paused();
        Ok(())
    }

    fn report_size(&mut self) -> Result<(), End> {
        self.resized.drain();
        if let Ok(size) = rustix::termios::tcgetwinsize(&self.terminal) {
            self.send(vec![InputEvent::Resize(size.ws_col, size.ws_row)])?;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), End> {
        let mut bytes = [0; READ];
        let count = match rustix::io::read(&self.terminal, &mut bytes) {
            Ok(0) => return Err(End::Lost),
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok(()),
            Err(_) => return Err(End::Lost),
        };
        let at = monotonic_now();
        let mut tokens = Vec::new();
        self.parser.feed(&bytes[..count], &mut tokens);
        self.set_deadline(at);
        self.send_tokens(tokens, at)
    }

    /// A sequence is timed from its beginning, so that somebody who types cannot keep it open for ever.
    fn set_deadline(&mut self, at: Instant) {
        self.deadline = match (self.parser.waiting(), self.deadline) {
            (None, _) => None,
            (Some(Waiting::Sequence), Some((Waiting::Sequence, until))) => {
                Some((Waiting::Sequence, until))
            }
            (Some(waiting), _) => Some((waiting, at + self.options.patience(waiting))),
        };
    }

    fn expire(&mut self) -> Result<(), End> {
        let at = monotonic_now();
        if self.deadline.is_none_or(|(_, until)| at < until) {
            return Ok(());
        }
        self.deadline = None;
        let mut tokens = Vec::new();
        self.parser.expire(&mut tokens);
        self.send_tokens(tokens, at)
    }

    fn send_tokens(&mut self, tokens: Vec<Token>, at: Instant) -> Result<(), End> {
        let events = self.guard.group(tokens, at);
        self.send(events)
    }

    fn send(&self, events: Vec<InputEvent>) -> Result<(), End> {
        for event in events {
            self.events
                .blocking_send(event)
                .map_err(|_| End::Released)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::console::input::{KeyCode, KeyPress};

    fn terminal(options: InputOptions) -> (UnixStream, mpsc::Receiver<InputEvent>, InputControl) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let (events, control) = spawn_on(theirs.into(), options).expect("a reader");
        (ours, events, control)
    }

    #[test]
    fn an_escape_that_stays_alone_is_the_escape_key() {
        let (mut person, mut events, _control) = terminal(InputOptions::local());
        person.write_all(b"\x1b").expect("a write");
        assert_eq!(
            events.blocking_recv(),
            Some(InputEvent::Key(KeyPress::plain(KeyCode::Esc)))
        );
    }

    #[test]
    fn an_escape_split_from_its_arrow_is_joined_again() {
        let patient = InputOptions {
            escape: Duration::from_mins(1),
            ..InputOptions::ssh()
        };
        let (mut person, mut events, _control) = terminal(patient);
        for piece in [b"\x1b".as_slice(), b"[", b"A"] {
            person.write_all(piece).expect("a write");
        }
        assert_eq!(
            events.blocking_recv(),
            Some(InputEvent::Key(KeyPress::plain(KeyCode::Up)))
        );
    }

    #[test]
    fn the_end_of_the_terminal_is_reported_once_and_ends_the_reader() {
        let (person, mut events, _control) = terminal(InputOptions::local());
        drop(person);
        assert_eq!(events.blocking_recv(), Some(InputEvent::InputLost));
        assert_eq!(events.blocking_recv(), None);
    }

    #[test]
    fn letting_go_of_the_control_ends_the_reader() {
        let (_person, mut events, control) = terminal(InputOptions::local());
        drop(control);
        assert_eq!(events.blocking_recv(), None);
    }

    #[test]
    fn a_paused_reader_leaves_the_keys_to_others() {
        let (mut person, mut events, control) = terminal(InputOptions::local());
        let paused = control.pause();
        person.write_all(b"k").expect("a write");
        assert_eq!(events.try_recv(), Err(mpsc::error::TryRecvError::Empty));
        drop(paused);
        assert_eq!(
            events.blocking_recv(),
            Some(InputEvent::Key(KeyPress::char('k')))
        );
    }
}
