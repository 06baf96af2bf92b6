//! The person at the terminal: types, looks, waits and hangs up.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Generous, because the machine may be busy; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_mins(2);

/// How the child is started.
#[derive(Default)]
pub struct Start {
    environment: Vec<(&'static str, &'static str)>,
    shell: Option<&'static str>,
    job_control: Option<()>,
}

impl Start {
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Started by `sh -c script`, with the command as its arguments.
    pub fn through_a_shell(mut self, script: &'static str) -> Self {
        self.shell = Some(script);
        self
    }

    /// Started from an interactive shell, which stays around.
    pub fn under_job_control(mut self) -> Self {
        self.job_control = Some(());
        self
    }
}

/// How the child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Code(u32),
    Signal(String),
}

/// What has been seen so far.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    /// Everything each frame showed, because the next frame may hide it.
    history: String,
}

pub struct Person {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    directory: TempDir,
    pub settings_before: String,
}

fn nonzero(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a size")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the person has a watch: some things must happen within a second"
)]
fn now() -> Instant {
    Instant::now()
}

/// For tests whose subject is the passing of time, and between two looks at a process.
pub fn pause(time: Duration) {
    let until = now() + time;
    while let Some(left) = until
        .checked_duration_since(now())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}

impl Person {
    pub fn at(start: &Start) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize::default())
            .expect("a pseudo-terminal");
        let directory = tempfile::tempdir().expect("a directory");
        let made = std::process::Command::new("mkfifo")
            .arg(directory.path().join("answer"))
            .status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        let settings_before = format!("{:?}", pair.master.get_termios());
        let command = command(start, &directory);
        let child = pair.slave.spawn_command(command).expect("the child");
        drop(pair.slave);
        let seen = Arc::new((
            Mutex::new(Seen {
                parser: vt100::Parser::new(nonzero(24), nonzero(80), 0),
                bytes: Vec::new(),
                history: String::new(),
            }),
            Condvar::new(),
        ));
        let stop = Arc::new(AtomicBool::new(false));
        let source = pair.master.try_clone_reader().expect("a reader");
        let (sink, until) = (Arc::clone(&seen), Arc::clone(&stop));
        let reader = std::thread::spawn(move || look(source, &sink, &until));
        let mut person = Self {
            writer: Some(pair.master.take_writer().expect("a writer")),
            master: Some(pair.master),
            child,
            seen,
            stop,
            reader: Some(reader),
            directory,
            settings_before,
        };
        if start.job_control.is_some() {
            person.types("set -m; \"$CHILD\" child_program --exact --nocapture\n");
        }
        person
    }

    pub fn types(&mut self, text: &str) {
        let writer = self.writer.as_mut().expect("not hung up");
        writer.write_all(text.as_bytes()).expect("a write");
        writer.flush().expect("a write");
    }

    pub fn sends(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a signal");
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
        self.master
            .as_ref()
            .expect("not hung up")
            .resize(size)
            .expect("a resize");
    }

    /// Waits until the text is on the screen.
    pub fn sees(&mut self, text: &str) {
        self.waits(text, |seen| seen.parser.screen().contents().contains(text));
    }

    pub fn sees_the_main_screen(&mut self) {
        self.waits("the main screen", |seen| {
            !seen.parser.screen().alternate_screen()
        });
    }

    fn waits(&self, what: &str, met: impl Fn(&Seen) -> bool) {
        let (lock, changed) = &*self.seen;
        let seen = lock.lock().expect("the screen");
        let (seen, result) = changed
            .wait_timeout_while(seen, PATIENCE, |seen| !met(seen))
            .expect("the screen");
        assert!(
            !result.timed_out(),
            "did not see {what:?} but:\n{}",
            seen.parser.screen().contents()
        );
    }

    pub fn never_saw(&self, text: &str) {
        let seen = self.seen.0.lock().expect("the screen");
        assert!(!seen.history.contains(text), "saw {text:?}");
    }

    pub fn screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.0.lock().expect("the screen").parser.screen())
    }

    pub fn on_alternate_screen(&self) -> bool {
        self.screen(vt100::Screen::alternate_screen)
    }

    /// Everything the child wrote.
    pub fn written(&self) -> String {
        let seen = self.seen.0.lock().expect("the screen");
        String::from_utf8_lossy(&seen.bytes).into_owned()
    }

    pub fn settings(&self) -> String {
        let master = self.master.as_ref().expect("not hung up");
        format!("{:?}", master.get_termios())
    }

    /// Waits for the end and for everything written until then.
    pub fn sees_the_end(&mut self) -> Ended {
        self.sees_the_end_within(PATIENCE)
    }

    pub fn sees_the_end_within(&mut self, limit: Duration) -> Ended {
        let ended = self.exits_within(limit);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        ended
    }

    pub fn exits_within(&mut self, limit: Duration) -> Ended {
        let until = now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child") {
                return match status.signal() {
                    Some(signal) => Ended::Signal(signal.to_owned()),
                    None => Ended::Code(status.exit_code()),
                };
            }
            assert!(now() < until, "still running after {limit:?}");
            pause(Duration::from_millis(2));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child").is_none()
    }

    /// Closes the terminal. `key` makes the child paint once more, which lets go of our reader.
    pub fn hangs_up(&mut self, key: &str) {
        self.stop.store(true, Ordering::SeqCst);
        self.types(key);
        self.reader
            .take()
            .expect("a reader")
            .join()
            .expect("the reader");
        self.writer = None;
        self.master = None;
    }

    pub fn stops_reading(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// A thread of it waits for the terminal to take more.
    pub fn waits_until_the_child_is_stuck(&self) {
        let until = now() + PATIENCE;
        let mut before = self.processor_ticks();
        let mut quiet = 0;
        while quiet < 5 {
            assert!(now() < until, "the child never got stuck");
            pause(Duration::from_millis(40));
            let ticks = self.processor_ticks();
            quiet = if ticks == before { quiet + 1 } else { 0 };
            before = ticks;
        }
    }

    /// Where the child notes that its call was settled.
    pub fn marker(&self) -> PathBuf {
        self.directory.path().join("marker")
    }

    pub fn settles_the_call(&self) {
        std::fs::write(self.directory.path().join("answer"), "settled").expect("an answer");
    }

    /// Time on the processor, in the kernel's ticks of 10 ms.
    pub fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero()))
            .expect("the child's record");
        let after_name = stat.rsplit_once(')').expect("a name").1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
        ticks(11) + ticks(12)
    }

    /// How often its threads were put on the processor.
    pub fn context_switches(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid().as_raw_nonzero()))
            .expect("the child's threads");
        tasks
            .map(|task| {
                let status = task.expect("a thread").path().join("status");
                let status = std::fs::read_to_string(status).expect("its record");
                let line = status
                    .lines()
                    .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
                line.expect("a count")
                    .trim()
                    .parse::<u64>()
                    .expect("a number")
            })
            .sum()
    }

    fn pid(&self) -> Pid {
        let pid = self.child.process_id().expect("a process");
        Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid")
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Whatever a failed test left behind.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
        }
    }
}

fn command(start: &Start, directory: &TempDir) -> CommandBuilder {
    let program = std::env::current_exe().expect("this program");
    let arguments = ["child_program", "--exact", "--nocapture"];
    let mut command = if start.job_control.is_some() {
        let mut shell = CommandBuilder::new("/bin/bash");
        shell.args(["--norc", "--noprofile", "-i"]);
        shell
    } else if let Some(script) = start.shell {
        let mut shell = CommandBuilder::new("/bin/sh");
        shell.args(["-c", script, "sh"]);
        shell.arg(&program);
        shell.args(arguments);
        shell
    } else {
        let mut plain = CommandBuilder::new(&program);
        plain.args(arguments);
        plain
    };
    for inherited in [
        "NO_COLOR",
        "COLORTERM",
        "SSH_CONNECTION",
        "SSH_TTY",
        "TMUX",
        "RUST_BACKTRACE",
    ] {
        command.env_remove(inherited);
    }
    command.env("CHILD", &program);
    command.env("PAYDECK_PTY_CHILD", directory.path());
    command.env("TERM", "xterm-256color");
    command.env("LC_ALL", "C.UTF-8");
    for (name, value) in &start.environment {
        command.env(name, value);
    }
    command
}

fn look(mut source: Box<dyn Read + Send>, seen: &(Mutex<Seen>, Condvar), stop: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(count) = source.read(&mut bytes) {
        if count == 0 {
            return;
        }
        let mut state = seen.0.lock().expect("the screen");
        state.bytes.extend_from_slice(&bytes[..count]);
        state.parser.process(&bytes[..count]);
        let contents = state.parser.screen().contents();
        state.history.push_str(&contents);
        drop(state);
        seen.1.notify_all();
        if stop.load(Ordering::SeqCst) {
            return;
        }
    }
}
