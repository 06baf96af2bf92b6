//! A terminal with the real console on it, and the person who types, looks, resizes, sends signals and hangs up.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// Generous, because the machine may be busy; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_mins(5);

/// Who starts the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// The terminal itself, as sshd does.
    Terminal,
    /// Somebody who ignores the hangup signal, as `nohup` does.
    IgnoresHangup,
    /// An interactive shell with job control.
    Shell,
}

/// What became of a process when it had ended.
#[derive(Debug, Clone, Copy)]
pub struct Gone {
    pub after: Duration,
    /// On the processor since then.
    pub worked: Duration,
}

struct Seen {
    parser: vt100::Parser,
}

pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    settings_before: String,
    parent: Parent,
    pid: u32,
    has_painted: bool,
}

fn nonzero(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a size")
}

impl Terminal {
    pub fn open(config: &Path, parent: Parent) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize::default())
            .expect("a pseudo-terminal");
        let settings_before = format!("{:?}", pair.master.get_termios());
        let command = command(config, parent);
        let child = pair.slave.spawn_command(command).expect("start");
        drop(pair.slave);
        let parser = vt100::Parser::new(nonzero(24), nonzero(80), 0);
        let seen = Arc::new((Mutex::new(Seen { parser }), Condvar::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let source = pair.master.try_clone_reader().expect("a reader");
        let (sink, until) = (Arc::clone(&seen), Arc::clone(&stop));
        let reader = std::thread::spawn(move || look(source, &sink, &until));
        let pid = child.process_id().expect("a process");
        let mut terminal = Self {
            writer: Some(pair.master.take_writer().expect("a writer")),
            master: Some(pair.master),
            child,
            seen,
            stop,
            reader: Some(reader),
            settings_before,
            parent,
            pid,
            has_painted: false,
        };
        if parent == Parent::Shell {
            terminal.types("set -m; \"$PAYDECK\" --config \"$CONFIG\" --lang en console\n");
            terminal.pid = terminal.job();
        }
        terminal
    }

    /// The shell's only child.
    fn job(&self) -> u32 {
        let shell = self.pid;
        let path = format!("/proc/{shell}/task/{shell}/children");
        let started = Instant::now();
        loop {
            let children = std::fs::read_to_string(&path).expect("its children");
            if let Some(child) = children.split_whitespace().next() {
                return child.parse().expect("a number");
            }
            assert!(started.elapsed() < PATIENCE, "the shell started nothing");
            sleep(Duration::from_millis(5));
        }
    }

    pub fn types(&mut self, text: &str) {
        let writer = self.writer.as_mut().expect("not hung up");
        writer.write_all(text.as_bytes()).expect("a write");
        writer.flush().expect("a write");
    }

    pub fn sends(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid).expect("a number"));
        kill_process(pid.expect("a process"), signal).expect("a signal");
    }

    pub fn resizes(&mut self, cols: u16, rows: u16) {
        let size = PtySize {
            rows,
            cols,
            ..PtySize::default()
        };
        let mut seen = self.seen.0.lock().expect("the screen");
        seen.parser.set_size(nonzero(rows), nonzero(cols));
        drop(seen);
        let master = self.master.as_ref().expect("not hung up");
        master.resize(size).expect("a resize");
    }

    pub fn sees_it_painted(&mut self) {
        self.sees("the first screen", |text| text.contains("1 Over"));
        self.has_painted = true;
    }

    /// Waits until the screen is so.
    pub fn sees(&self, what: &str, met: impl Fn(&str) -> bool) {
        self.waits(what, |screen| met(&screen.contents()));
    }

    /// Whether the screen is so in time.
    pub fn sees_within(&self, limit: Duration, met: impl Fn(&str) -> bool) -> bool {
        let (lock, changed) = &*self.seen;
        let seen = lock.lock().expect("the screen");
        let waited = changed
            .wait_timeout_while(seen, limit, |seen| !met(&seen.parser.screen().contents()))
            .expect("the screen");
        !waited.1.timed_out()
    }

    fn waits(&self, what: &str, met: impl Fn(&vt100::Screen) -> bool) {
        let (lock, changed) = &*self.seen;
        let seen = lock.lock().expect("the screen");
        let (seen, result) = changed
            .wait_timeout_while(seen, PATIENCE, |seen| !met(seen.parser.screen()))
            .expect("the screen");
        assert!(
            !result.timed_out(),
            "did not see {what} but:\n{}",
            seen.parser.screen().contents()
        );
    }

    pub fn shows(&self, text: &str) -> bool {
        let seen = self.seen.0.lock().expect("the screen");
        seen.parser.screen().contents().contains(text)
    }

    /// Closes the terminal. A resize makes the console paint, which lets go of our reader's hold.
    pub fn hangs_up(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let reader = self.reader.take().expect("a reader");
        let mut wide = false;
        let mut poked = Instant::now() - Duration::from_secs(1);
        while !reader.is_finished() {
            if poked.elapsed() > Duration::from_millis(500) {
                wide = !wide;
                self.resizes(if wide { 90 } else { 80 }, 24);
                poked = Instant::now();
            }
            sleep(Duration::from_millis(1));
        }
        reader.join().expect("the reader");
        self.writer = None;
        self.master = None;
    }

    /// Time on the processor so far, and whether it is there at all.
    fn worked(&self) -> (Duration, bool) {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return (Duration::ZERO, false);
        };
        let after_name = stat.rsplit_once(')').expect("a name").1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
        let worked = Duration::from_millis((ticks(11) + ticks(12)) * 10);
        (worked, fields[0] != "Z")
    }

    pub fn is_there(&self) -> bool {
        self.worked().1
    }

    pub fn is_stopped(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).is_ok_and(|stat| {
            stat.rsplit_once(')')
                .is_some_and(|(_, rest)| rest.starts_with(" T"))
        })
    }

    /// Waits for its end.
    pub fn gone(&self, limit: Duration) -> Gone {
        let (before, _) = self.worked();
        let started = Instant::now();
        let mut last = before;
        loop {
            let (worked, is_there) = self.worked();
            last = last.max(worked);
            let gone = Gone {
                after: started.elapsed(),
                worked: last.saturating_sub(before),
            };
            if !is_there {
                return gone;
            }
            assert!(gone.after < limit, "still there after {gone:?}");
            sleep(Duration::from_millis(2));
        }
    }

    /// Whether this was its end: the signal's number as a shell reports it, said by itself or, before it listens to
    /// signals, by the system. A shell keeps the end of its job to itself.
    pub fn is_ended_by(&mut self, signal: Signal) {
        if self.parent == Parent::Shell {
            return;
        }
        let status = self.child.wait().expect("the child");
        let number = u32::try_from(signal.as_raw()).expect("a number");
        let is_as_said = match status.signal() {
            None => status.exit_code() == 128 + number,
            Some(_) => !self.has_painted,
        };
        assert!(is_as_said, "ended with {status:?}, not by {signal:?}");
    }

    /// The terminal is as it was before.
    pub fn is_given_back(&mut self) {
        if self.parent == Parent::Shell {
            self.waits("the shell's screen", |screen| !screen.alternate_screen());
            self.types("exit\n");
        }
        self.reader
            .take()
            .expect("a reader")
            .join()
            .expect("the reader");
        let seen = self.seen.0.lock().expect("the screen");
        let screen = seen.parser.screen();
        assert!(!screen.alternate_screen(), "still on the other screen");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        if self.parent == Parent::Terminal {
            assert!(!screen.bracketed_paste(), "pastes are still marked");
            let master = self.master.as_ref().expect("not hung up");
            let settings = format!("{:?}", master.get_termios());
            assert_eq!(settings, self.settings_before);
        }
    }

    /// Stopped by its shell and back again.
    pub fn comes_back(&mut self) {
        self.waits("the shell's screen", |screen| !screen.alternate_screen());
        self.types("fg\n");
        self.waits("the console", vt100::Screen::alternate_screen);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whatever a failed test left behind, and the shell.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _gone = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}

fn command(config: &Path, parent: Parent) -> CommandBuilder {
    let program = env!("CARGO_BIN_EXE_paydeck");
    let mut command = match parent {
        Parent::Terminal => CommandBuilder::new(program),
        Parent::IgnoresHangup => {
            let mut shell = CommandBuilder::new("/bin/sh");
            shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh", program]);
            shell
        }
        Parent::Shell => {
            let mut shell = CommandBuilder::new("/bin/bash");
            shell.args(["--norc", "--noprofile", "-i"]);
            shell
        }
    };
    if parent != Parent::Shell {
        command.arg("--config");
        command.arg(config);
        command.args(["--lang", "en", "console"]);
    }
    command.env_clear();
    command.env("PAYDECK", program);
    command.env("CONFIG", config);
    command.env("HOME", config.parent().expect("a directory"));
    command.env("PATH", "/usr/bin:/bin");
    command.env("TERM", "xterm-256color");
    command.env("LC_ALL", "C.UTF-8");
    command
}

fn look(mut source: Box<dyn Read + Send>, seen: &(Mutex<Seen>, Condvar), stop: &AtomicBool) {
    let mut bytes = [0; 8_192];
    while let Ok(count @ 1..) = source.read(&mut bytes) {
        let mut state = seen.0.lock().expect("the screen");
        state.parser.process(&bytes[..count]);
        drop(state);
        seen.1.notify_all();
        if stop.load(Ordering::SeqCst) {
            return;
        }
    }
}
