//! The console's loop: takes messages, updates, carries effects out, draws.
//!
//! It sleeps until something happens, empties its queues before it draws, and draws only after something happened.
//! Run it on the main thread. Invariant: the terminal is given back before the program waits for anything else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::Timelike;
use tokio::sync::mpsc;

use super::effect::Effect;
use super::fault::Fault;
use super::input::{self, InputControl, InputEvent, InputOptions};
use super::model::{Life, Model, Now, Privacy, Setting, Tone};
use super::msg::Msg;
use super::runner::Runner;
use super::term::{
    Caps, Cause, ColorChoice, DrawError, EndLimits, EnterError, Link, Multiplexer, Notice,
    Suspension, Switch, TermOptions, TermSession, monotonic_now,
};
use super::theme::{Palette, Role, Theme};
use super::{update, view};
use crate::domain::operator::Operator;
use crate::engine::Engine;
use crate::engine::ports::Store;
use crate::engine::queries::Reads;
use crate::locale::Lang;

/// Answers that wait to be taken in.
const QUEUE: usize = 64;
/// Messages taken in before a frame is drawn in any case.
const BATCH: usize = 256;

/// How to open the console. Mode, zone and policies are the engine's.
#[derive(Debug, Clone)]
pub struct ConsoleOptions {
    /// Who is acting.
    pub operator: Operator,
    pub lang: Lang,
    /// The shop's name in the header; may be empty.
    pub shop: String,
    /// What the header calls the database.
    pub database: String,
    pub color: ColorChoice,
    pub palette: Palette,
    /// Single colours that replace the palette's.
    pub roles: Vec<(Role, ratatui::style::Color)>,
    /// Whether ids may be sent to the terminal's clipboard; none leaves it to where the console runs.
    pub clipboard: Option<Switch>,
    /// Whether the window gets a title.
    pub title: Switch,
    /// Whether personal data begins masked.
    pub privacy: Privacy,
    /// How long a call to the provider may take: a closing console waits this long and ten seconds more.
    pub call_timeout: Duration,
}

impl ConsoleOptions {
    /// The defaults for a person and a database.
    pub fn new(operator: Operator, lang: Lang, database: String) -> Self {
        Self {
            operator,
            lang,
            shop: String::new(),
            database,
            color: ColorChoice::Auto,
            palette: Palette::default(),
            roles: Vec::new(),
            clipboard: None,
            title: Switch::Off,
            privacy: Privacy::Masked,
            call_timeout: Duration::from_secs(70),
        }
    }
}

/// Why the console ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// There is no terminal to open it on.
    #[error(transparent)]
    Enter(#[from] EnterError),
    #[error("input cannot be read")]
    Input(#[source] io::Error),
    #[error("terminal cannot be written")]
    Draw(#[source] io::Error),
}

/// Opens the console and returns when the person leaves, or says what ended it, once every call in flight is settled.
pub async fn run<S: Store + Reads>(
    engine: Arc<Engine<S>>,
    options: ConsoleOptions,
) -> Result<Option<Cause>, ConsoleError> {
    let (messages, inbox) = mpsc::channel(QUEUE);
    let runner = Runner::new(Arc::clone(&engine), options.operator.clone(), messages);
    let caps = Caps::detect(options.color);
    let limits = EndLimits::for_call_timeout(options.call_timeout);
    let busy = runner.busy();
    let clipboard = options.clipboard.unwrap_or_else(|| reachable(caps));
    let term = TermOptions {
        clipboard,
        title: options.title,
        limits,
        ..TermOptions::new(caps, Arc::new(move || busy.load(Ordering::SeqCst) > 0))
    };
    let mut theme = Theme::new(options.palette, &caps);
    for (role, color) in &options.roles {
        theme = theme.with(*role, *color);
    }
    let (session, notices) = match TermSession::enter(term) {
        Err(EnterError::Ended(cause)) => return Ok(Some(cause)),
        entered => entered?,
    };
    let patience = match caps.link {
        Link::Local => InputOptions::local(),
        Link::Ssh => InputOptions::ssh(),
    };
    let (keys, control) = input::spawn(patience).map_err(ConsoleError::Input)?;
    let began = monotonic_now();
    let settings = engine.settings();
    let setting = Setting {
        zone: settings.zone,
        mode: settings.mode,
        lang: options.lang,
        operator: options.operator,
        shop: options.shop,
        database: options.database,
        clipboard,
        dunning_budget: settings.dunning.budget(),
    };
    let size = session.size().unwrap_or_default();
    let now = Now {
        at: engine.now(),
        ms: 0,
    };
    let mut app = App {
        model: Model {
            privacy: options.privacy,
            ..Model::new(setting, now, size)
        },
        theme,
        engine,
        runner,
        session,
        control,
        began,
        ended_by: None,
    };
    let ended = app.live(keys, inbox, notices).await;
    app.session.leave();
    app.runner.record_left().await;
    app.runner.finish(limits.in_flight).await;
    match (app.ended_by, ended) {
        // What the terminal said after that is of no interest.
        (Some(cause), _) | (None, Err(ConsoleError::Enter(EnterError::Ended(cause)))) => {
            Ok(Some(cause))
        }
        (None, ended) => ended.map(|()| None),
    }
}

/// tmux takes text by itself and hands it on; over SSH nothing but the terminal reaches the person.
fn reachable(caps: Caps) -> Switch {
    match (caps.multiplexer, caps.link) {
        (Multiplexer::Tmux, _) | (_, Link::Ssh) => Switch::On,
        (Multiplexer::None | Multiplexer::Screen, Link::Local) => Switch::Off,
    }
}

struct App<S> {
    model: Model,
    theme: Theme,
    engine: Arc<Engine<S>>,
    runner: Runner<S>,
    session: TermSession,
    control: InputControl,
    began: Instant,
    /// The first signal or hangup that told it to end.
    ended_by: Option<Cause>,
}

impl<S: Store + Reads> App<S> {
    async fn live(
        &mut self,
        keys: mpsc::Receiver<InputEvent>,
        inbox: mpsc::Receiver<Msg>,
        mut notices: mpsc::Receiver<Notice>,
    ) -> Result<(), ConsoleError> {
        let ended = self.turns(keys, inbox, &mut notices).await;
        // A terminal that was given back looks like one that is gone; who asked for the end says which it was.
        while let Ok(notice) = notices.try_recv() {
            if let Notice::Quit(cause) = notice {
                self.ended_by = Some(cause);
            }
        }
        ended
    }

    async fn turns(
        &mut self,
        mut keys: mpsc::Receiver<InputEvent>,
        mut inbox: mpsc::Receiver<Msg>,
        notices: &mut mpsc::Receiver<Notice>,
    ) -> Result<(), ConsoleError> {
        self.set_title();
        self.handle(Msg::Started)?;
        self.runner.watch();
        self.runner.reconcile();
        self.draw()?;
        while self.model.life == Life::Running {
            let wake = tokio::time::sleep(self.until_wake());
            let message = tokio::select! {
                biased;
                Some(notice) = notices.recv() => Msg::Notice(notice),
                event = keys.recv() => Msg::Input(event.unwrap_or(InputEvent::InputLost)),
                Some(message) = inbox.recv() => message,
                () = wake => Msg::Tick,
            };
            self.handle(message)?;
            for _ in 0..BATCH {
                if self.model.life == Life::Leaving {
                    return Ok(());
                }
                let next = notices
                    .try_recv()
                    .map(Msg::Notice)
                    .or_else(|_| keys.try_recv().map(Msg::Input))
                    .or_else(|_| inbox.try_recv());
                match next {
                    Ok(message) => self.handle(message)?,
                    Err(_) => break,
                }
            }
            self.draw()?;
        }
        Ok(())
    }

    fn now(&self) -> Now {
        let elapsed = self.began.elapsed().as_millis();
        Now {
            at: self.engine.now(),
            ms: u64::try_from(elapsed).unwrap_or(u64::MAX),
        }
    }

    /// Until something moves by itself, or the minute in the header is over.
    fn until_wake(&self) -> Duration {
        let now = self.now();
        let minute = Duration::from_secs(u64::from(60 - now.at.second().min(59)));
        match self.model.next_wake_ms() {
            Some(at) => minute.min(Duration::from_millis(at.saturating_sub(now.ms))),
            None => minute,
        }
    }

    fn handle(&mut self, message: Msg) -> Result<(), ConsoleError> {
        if matches!(message, Msg::Input(_)) {
            self.runner.stir();
        }
        let ended_by = match &message {
            Msg::Notice(Notice::Quit(cause)) => Some(*cause),
            // Nobody can type any more; the watchdog may say the same a moment later.
            Msg::Input(InputEvent::InputLost) => Some(Cause::Hangup),
            _ => None,
        };
        self.ended_by = self.ended_by.or(ended_by);
        let now = self.now();
        for effect in update(&mut self.model, message, now) {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), ConsoleError> {
        match effect {
            Effect::Load {
                ticket,
                slot,
                question,
            } => self.runner.load(ticket, slot, question),
            Effect::Plan { ticket, asked } => self.runner.plan(ticket, asked),
            Effect::Apply {
                ticket,
                request,
                fingerprint,
            } => self.runner.apply(ticket, request, fingerprint),
            Effect::StartRun {
                ticket,
                until,
                fingerprint,
            } => self.runner.start_run(ticket, until, fingerprint),
            Effect::RecordReveal(place) => self.runner.record_reveal(place),
            Effect::AskLink { ticket, attempt } => self.runner.ask_link(ticket, attempt),
            Effect::SaveView(view) => self.runner.save_view(view),
            Effect::CountUnknown => self.runner.count_unknown(),
            Effect::AskAway => self.runner.ask_away(),
            Effect::RecordGreeted(attempts) => self.runner.record_greeted(attempts),
            Effect::Copy(text) => self.copy(text)?,
            Effect::Repaint => gone_is_fine(self.session.repaint())?,
            Effect::Suspend => self.suspend()?,
            Effect::Resume => self.session.resume()?,
            Effect::Leave => {}
        }
        Ok(())
    }

    fn copy(&mut self, text: String) -> Result<(), ConsoleError> {
        let through_tmux = self.session.caps().multiplexer == Multiplexer::Tmux;
        if through_tmux && self.session.copies() {
            self.runner.copy_through_tmux(text);
            return Ok(());
        }
        let sent = self.session.copy(&text);
        self.handle(Msg::Copied(sent.map(drop).map_err(|_| Fault::new("copy"))))
    }

    fn suspend(&mut self) -> Result<(), ConsoleError> {
        let key = match self.session.suspend(&self.control)? {
            Suspension::Continued => return Ok(()),
            Suspension::NobodyToContinue => "console.news.nobody_to_continue",
            Suspension::CallInFlight => "console.news.call_in_flight",
        };
        let text = self.model.locale().find(key).unwrap_or(key).to_owned();
        self.model.tell(Tone::Plain, text);
        Ok(())
    }

    fn set_title(&mut self) {
        let title = format!("paydeck [{}]", self.model.mode.banner());
        // A terminal that takes no title does without.
        let _ = self.session.set_title(&title);
    }

    fn draw(&mut self) -> Result<(), ConsoleError> {
        let (model, theme) = (&self.model, &self.theme);
        match self.session.draw(|frame| view::draw(model, theme, frame)) {
            Ok(()) => self.handle(Msg::Drawn),
            Err(DrawError::Gone) => self.handle(Msg::Notice(Notice::Quit(Cause::Hangup))),
            Err(DrawError::Terminal(error)) => Err(ConsoleError::Draw(error)),
        }
    }
}

/// A terminal that is gone ends the console by its own notice.
fn gone_is_fine(outcome: Result<(), DrawError>) -> Result<(), ConsoleError> {
    match outcome {
        Ok(()) | Err(DrawError::Gone) => Ok(()),
        Err(DrawError::Terminal(error)) => Err(ConsoleError::Draw(error)),
    }
}
