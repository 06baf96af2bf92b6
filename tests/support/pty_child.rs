//! A small console on the terminal core, which shows on screen what happened to it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use paydeck::console::input::{self, InputControl, InputEvent, InputOptions, KeyCode, KeyPress};
use paydeck::console::term::{
    Caps, ColorChoice, EnterError, Link, Notice, Suspension, TermOptions, TermSession,
};
use paydeck::console::theme::{Palette, Role, Theme};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Paragraph;
use tokio::sync::mpsc;

/// How it goes on after an event.
enum Next {
    Go,
    End,
}

struct Child {
    session: TermSession,
    control: InputControl,
    theme: Theme,
    in_flight: Arc<AtomicBool>,
    log: Vec<String>,
    frames_to_flood: u64,
}

pub fn run() {
    color_eyre::install().expect("color-eyre");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(console());
}

async fn console() {
    let in_flight = Arc::new(AtomicBool::new(false));
    let look = Arc::clone(&in_flight);
    let choice = std::env::var("PAYDECK_PTY_COLOR").unwrap_or_else(|_| "auto".to_owned());
    let caps = Caps::detect(choice.parse::<ColorChoice>().expect("a choice"));
    let options = TermOptions::new(caps, Arc::new(move || look.load(Ordering::SeqCst)));
    let (session, mut notices) = match TermSession::enter(options) {
        Ok(entered) => entered,
        Err(EnterError::Refused(refusal)) => {
            writeln!(std::io::stdout(), "no console here: {refusal}").expect("a line");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let patience = match caps.link {
        Link::Local => InputOptions::local(),
        Link::Ssh => InputOptions::ssh(),
    };
    let (mut events, control) = input::spawn(patience).expect("a reader");
    let mut child = Child {
        session,
        control,
        theme: Theme::new(Palette::Terminal, &caps),
        in_flight,
        log: Vec::new(),
        frames_to_flood: 0,
    };
    child.paint();
    while let Next::Go = child.turn(&mut events, &mut notices).await {}
    drop(child);
}

impl Child {
    async fn turn(
        &mut self,
        events: &mut mpsc::Receiver<InputEvent>,
        notices: &mut mpsc::Receiver<Notice>,
    ) -> Next {
        let next = tokio::select! {
            Some(event) = events.recv() => self.event(event),
            Some(notice) = notices.recv() => self.notice(notice).await,
            else => Next::End,
        };
        self.paint();
        next
    }

    fn say(&mut self, line: impl Into<String>) {
        self.log.push(line.into());
        // The newest lines are enough, and they must fit the smallest screen.
        let extra = self.log.len().saturating_sub(8);
        self.log.drain(..extra);
    }

    fn event(&mut self, event: InputEvent) -> Next {
        match event {
            InputEvent::Key(press) => return self.key(press),
            InputEvent::Burst(burst) => self.say(format!("burst {}", burst.keys.len())),
            InputEvent::Paste(text) => self.say(format!("paste {text:?}")),
            InputEvent::Resize(width, height) => self.say(format!("resize {width}x{height}")),
            InputEvent::FocusGained | InputEvent::FocusLost => {}
            InputEvent::InputLost => self.say("input lost"),
        }
        Next::Go
    }

    fn key(&mut self, press: KeyPress) -> Next {
        let kind = match press {
            _ if press == KeyPress::ctrl(press_char(press)) => "ctrl",
            _ if press == KeyPress::alt(press_char(press)) => "alt",
            _ => "key",
        };
        self.say(format!("{kind} {:?}", press.code));
        if press == KeyPress::ctrl('z') {
            self.suspend();
        }
        match press.code {
            KeyCode::Char('q') => return Next::End,
            KeyCode::Char('P') => panic!("deliberate, on the console"),
            KeyCode::Char('W') => {
                tokio::spawn(async { panic!("deliberate, in a worker") });
            }
            KeyCode::Char('F') => self.fly(),
            KeyCode::Char('L') => {
                self.say("flooding");
                self.paint();
                self.frames_to_flood = 1_000_000;
                self.flood();
            }
            _ => {}
        }
        Next::Go
    }

    async fn notice(&mut self, notice: Notice) -> Next {
        match notice {
            Notice::Quit(_) => {
                self.session.leave();
                // What is in flight decides when the process ends, not this loop.
                std::future::pending::<()>().await;
            }
            Notice::Suspend => self.suspend(),
            Notice::Resumed => {
                self.session.resume().expect("the terminal again");
                self.say("resumed");
            }
            Notice::WorkerPanicked { .. } => self.say("worker panicked"),
        }
        Next::Go
    }

    fn suspend(&mut self) {
        match self.session.suspend(&self.control).expect("the terminal") {
            Suspension::Continued => self.say("continued"),
            Suspension::NobodyToContinue => self.say("nobody to continue"),
            Suspension::CallInFlight => self.say("call in flight"),
        }
    }

    /// Pretends that a provider call is in flight until the test makes the file `answer` appear.
    fn fly(&mut self) {
        self.in_flight.store(true, Ordering::SeqCst);
        self.say("in flight");
        let in_flight = Arc::clone(&self.in_flight);
        let directory = PathBuf::from(std::env::var_os("PAYDECK_PTY_CHILD").expect("a directory"));
        std::thread::spawn(move || {
            // A pipe: opening it waits in the kernel until the answer is there.
            let answer = std::fs::read_to_string(directory.join("answer")).expect("an answer");
            std::fs::write(directory.join("marker"), answer).expect("a marker");
            in_flight.store(false, Ordering::SeqCst);
        });
    }

    fn flood(&mut self) {
        while self.frames_to_flood > 0 {
            self.frames_to_flood -= 1;
            if self.session.repaint().is_err() {
                return;
            }
            self.paint();
        }
    }

    fn paint(&mut self) {
        let (log, theme) = (&self.log, &self.theme);
        // The end of the terminal is told by a notice; there is nothing to do about it here.
        let _ = self.session.draw(|frame| view(frame, log, theme));
    }
}

fn view(frame: &mut Frame<'_>, log: &[String], theme: &Theme) {
    let area = frame.area();
    let lines = [
        (
            Role::Accent,
            format!("ready {}x{}", area.width, area.height),
        ),
        (Role::Selection, "selected 김서현".to_owned()),
        (Role::NeedsPerson, log.join("\n")),
    ];
    let mut y = 0;
    for (role, text) in lines {
        let height = u16::try_from(text.lines().count()).expect("few lines");
        let place = Rect::new(0, y, area.width, height).intersection(area);
        frame.render_widget(Paragraph::new(text).style(theme.style(role)), place);
        y += height;
    }
}

const fn press_char(press: KeyPress) -> char {
    match press.code {
        KeyCode::Char(character) => character,
        _ => '\0',
    }
}
