//! A program in a pseudo-terminal of 80x24: keys go in, bytes come out, each with its time.
//!
//! A paint is over when nothing has come for a while; its time is that of its last byte, so waiting for the silence
//! costs the figure nothing.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use color_eyre::Result;
use color_eyre::eyre::{OptionExt as _, bail, eyre};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::watch::{now, pause};

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;
const PATIENCE: Duration = Duration::from_secs(20);
const AFTER_HOLDING: Duration = Duration::from_millis(150);

/// What has come so far.
struct Seen {
    parser: vt100::Parser,
    bytes: u64,
    last: Instant,
    has_ended: bool,
}

/// What a key did.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// From the key to the last byte.
    pub time: Duration,
    pub bytes: u64,
    /// Cells that look different now.
    pub cells: u64,
}

/// Text and looks of every cell.
type Cells = Vec<(String, vt100::Color, vt100::Color, bool)>;

pub struct Session {
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    began: Instant,
    _master: Box<dyn MasterPty + Send>,
}

impl Session {
    pub fn start(program: &str, arguments: &[&std::ffi::OsStr]) -> Result<Self> {
        let size = PtySize {
            rows: ROWS,
            cols: COLUMNS,
            ..PtySize::default()
        };
        let pair = native_pty_system()
            .openpty(size)
            .map_err(|error| eyre!("{error:#}"))?;
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        for inherited in ["NO_COLOR", "COLORTERM", "SSH_CONNECTION", "SSH_TTY", "TMUX"] {
            command.env_remove(inherited);
        }
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        let rows = NonZeroU16::new(ROWS).ok_or_eyre("a size")?;
        let columns = NonZeroU16::new(COLUMNS).ok_or_eyre("a size")?;
        let source = pair
            .master
            .try_clone_reader()
            .map_err(|error| eyre!("{error:#}"))?;
        let writer = pair
            .master
            .take_writer()
            .map_err(|error| eyre!("{error:#}"))?;
        let began = now();
        let child = pair
            .slave
            .spawn_command(command)
            .map_err(|error| eyre!("{error:#}"))?;
        drop(pair.slave);
        let seen = Arc::new((
            Mutex::new(Seen {
                parser: vt100::Parser::new(rows, columns, 0),
                bytes: 0,
                last: began,
                has_ended: false,
            }),
            Condvar::new(),
        ));
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || look(source, &sink));
        Ok(Self {
            writer,
            child,
            seen,
            began,
            _master: pair.master,
        })
    }

    pub fn pid(&self) -> Result<u32> {
        self.child.process_id().ok_or_eyre("the program has ended")
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn bytes(&self) -> u64 {
        self.seen().bytes
    }

    /// From the start until the text stood on the screen.
    pub fn time_until(&self, text: &str) -> Result<Duration> {
        let seen = self.wait(|seen| seen.parser.screen().contents().contains(text), text)?;
        Ok(seen.last.duration_since(self.began))
    }

    fn wait(&self, met: impl Fn(&Seen) -> bool, what: &str) -> Result<MutexGuard<'_, Seen>> {
        let (seen, waited) = self
            .seen
            .1
            .wait_timeout_while(self.seen(), PATIENCE, |seen| !met(seen) && !seen.has_ended)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() || !met(&seen) {
            bail!(
                "waited for {what:?} and saw:\n{}",
                seen.parser.screen().contents()
            );
        }
        Ok(seen)
    }

    /// Waits until nothing has come for so long.
    pub fn settle(&self, quiet: Duration) {
        let mut seen = self.seen();
        loop {
            let silent_for = seen.last.elapsed();
            let Some(left) = quiet.checked_sub(silent_for) else {
                return;
            };
            (seen, _) = self
                .seen
                .1
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn types(&mut self, keys: &str) -> Result<()> {
        self.writer.write_all(keys.as_bytes())?;
        Ok(self.writer.flush()?)
    }

    fn cells(&self) -> Cells {
        let seen = self.seen();
        let screen = seen.parser.screen();
        (0..ROWS)
            .flat_map(|y| (0..COLUMNS).map(move |x| (y, x)))
            .filter_map(|(y, x)| screen.cell(y, x))
            .map(|cell| {
                let text = cell.contents().replace(' ', "");
                (text, cell.fgcolor(), cell.bgcolor(), cell.inverse())
            })
            .collect()
    }

    /// Holds a key down: so many repeats, so far apart. Gives how long the screen went on after the last of them.
    pub fn hold(&mut self, key: &str, repeats: u32, apart: Duration) -> Result<Duration> {
        self.settle(apart);
        let began = now();
        for repeat in 1..=repeats {
            self.types(key)?;
            pause((apart * repeat).saturating_sub(began.elapsed()));
        }
        let released = now();
        self.settle(AFTER_HOLDING);
        let last = self.seen().last;
        // The last repeat came one interval before the key was released.
        Ok((last + apart).saturating_duration_since(released))
    }

    /// Presses a key and waits until it is painted.
    pub fn press(&mut self, key: &str, quiet: Duration) -> Result<Paint> {
        let cells = self.cells();
        let before = self.seen().bytes;
        let pressed = now();
        self.types(key)?;
        drop(self.wait(|seen| seen.bytes > before, key)?);
        self.settle(quiet);
        let changed = cells.iter().zip(self.cells()).filter(|(a, b)| *a != b);
        let changed = changed.count() as u64;
        let seen = self.seen();
        Ok(Paint {
            time: seen.last.duration_since(pressed),
            bytes: seen.bytes - before,
            cells: changed,
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It has nothing to save; one that has ended already cannot be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn look(mut source: Box<dyn Read + Send>, seen: &(Mutex<Seen>, Condvar)) {
    let mut bytes = [0; 65_536];
    loop {
        let count = source.read(&mut bytes).unwrap_or(0);
        let at = now();
        let mut state = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes += count as u64;
        state.last = at;
        state.has_ended = count == 0;
        state.parser.process(&bytes[..count]);
        drop(state);
        seen.1.notify_all();
        if count == 0 {
            return;
        }
    }
}
