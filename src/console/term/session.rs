//! The console's hold on the terminal.
//!
//! One per process. It takes the terminal, draws frames, steps aside for the shell and gives the terminal back.
//! Run it on the main thread: the thread that enters is the one whose panic restores the terminal. Invariant: after
//! [`TermSession::leave`], or once the terminal is gone, nothing is drawn.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ratatui::layout::{Rect, Size};
use ratatui::{Frame, Terminal};
use tokio::sync::mpsc;

use super::caps::{Caps, Multiplexer, Refusal};
use super::clipboard::{CopyError, CopyRoute, osc52};
use super::ending::{Cause, EndLimits, Ending};
use super::modes::{self, Modes, Switch};
use super::output::{Output, kernel_size, title_sequence};
use super::screen::{Screen, SizeSource};
use super::signals::{self, somebody_can_continue_us, stop_until_continued};
use super::watchdog::Watchdog;
use super::{panic, tty};
use crate::console::input::InputControl;

/// Signals and panics are rare; what does not fit is a repetition.
const NOTICES: usize = 16;

/// What happens around the console, apart from keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Stop drawing and give up what is not in flight. The process ends by itself once all calls are settled; who returns
    /// before that must have seen them settled, and ends with [`Cause::exit_code`].
    Quit(Cause),
    /// Somebody asked us to stop: call [`TermSession::suspend`].
    Suspend,
    /// We were stopped from outside and continue: call [`TermSession::resume`].
    Resumed,
    /// A task is dead; the console lives.
    WorkerPanicked { thread: String, location: String },
}

/// How to hold the terminal.
#[derive(Clone)]
pub struct TermOptions {
    pub caps: Caps,
    pub mouse: Switch,
    pub focus: Switch,
    pub kitty_keys: Switch,
    pub title: Switch,
    pub clipboard: Switch,
    /// Marks around each frame, so that it appears at once.
    pub synchronised: Switch,
    pub limits: EndLimits,
    /// Whether a provider call is in flight, which must be settled before the process may end.
    pub in_flight: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl TermOptions {
    /// Everything optional off, except synchronised frames.
    pub fn new(caps: Caps, in_flight: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        Self {
            caps,
            mouse: Switch::Off,
            focus: Switch::Off,
            kitty_keys: Switch::Off,
            title: Switch::Off,
            clipboard: Switch::Off,
            synchronised: Switch::On,
            limits: EndLimits::for_call_timeout(Duration::from_secs(70)),
            in_flight,
        }
    }

    const fn modes(&self) -> Modes {
        Modes {
            mouse: self.mouse,
            focus: self.focus,
            kitty_keys: self.kitty_keys,
            title: self.title,
        }
    }
}

impl fmt::Debug for TermOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TermOptions")
            .field("caps", &self.caps)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The terminal could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Use `--plain` or the command line here.
    #[error("no console here")]
    Refused(#[from] Refusal),
    #[error("terminal cannot be set up")]
    Terminal(#[source] io::Error),
    /// A signal or a hangup came first. A terminal that is still there is as it was found.
    #[error("ended before it began")]
    Ended(Cause),
}

impl From<io::Error> for EnterError {
    fn from(error: io::Error) -> Self {
        if tty::is_gone() || tty::is_hangup(&error) {
            Self::Ended(Cause::Hangup)
        } else {
            Self::Terminal(error)
        }
    }
}

/// A frame could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The terminal is gone or was given back: stop drawing; the process is ending.
    #[error("terminal is gone")]
    Gone,
    /// The screen may show half a frame: [`TermSession::repaint`] before the next one.
    #[error("terminal cannot be written")]
    Terminal(#[source] io::Error),
}

impl From<io::Error> for DrawError {
    fn from(error: io::Error) -> Self {
        if tty::is_gone() || tty::is_hangup(&error) || !modes::is_held() {
            Self::Gone
        } else {
            Self::Terminal(error)
        }
    }
}

/// What came of the wish to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspension {
    /// We were stopped and are back.
    Continued,
    /// Nobody could continue us, as under a forced SSH command.
    NobodyToContinue,
    /// A provider call would be stopped with us.
    CallInFlight,
}

/// The terminal, as long as it is ours.
#[derive(Debug)]
pub struct TermSession {
    terminal: Terminal<Screen<Output>>,
    options: TermOptions,
    ending: Ending,
    _watchdog: Watchdog,
}

impl TermSession {
    /// Takes the terminal; call it after color-eyre was installed.
    pub fn enter(options: TermOptions) -> Result<(Self, mpsc::Receiver<Notice>), EnterError> {
        if let Some(refusal) = options.caps.refusal {
            return Err(refusal.into());
        }
        let (notices, mut receiver) = mpsc::channel(NOTICES);
        let in_flight = Arc::clone(&options.in_flight);
        let ending = Ending::new(in_flight, options.limits, notices.clone());
        signals::spawn(ending.clone())?;
        let watchdog = Watchdog::spawn(ending.clone())?;
        panic::install(notices);
        // Colours are the theme's: left to itself, crossterm erases the selection where colours are off.
        crossterm::style::force_color_output(true);
        let screen = Screen::new(
            Output,
            SizeSource::Kernel(kernel_size),
            options.synchronised,
        );
        let terminal = Terminal::new(screen)?;
        if let Err(error) = modes::enter(options.modes()) {
            modes::leave();
            return Err(match receiver.try_recv() {
                Ok(Notice::Quit(cause)) => EnterError::Ended(cause),
                _ => error.into(),
            });
        }
        let session = Self {
            terminal,
            options,
            ending,
            _watchdog: watchdog,
        };
        Ok((session, receiver))
    }

    /// Draws one frame; only what changed is written, and an unchanged frame writes nothing.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> Result<(), DrawError> {
        if !modes::is_held() {
            return Err(DrawError::Gone);
        }
        self.terminal.draw(view)?;
        Ok(())
    }

    /// Makes the next frame paint everything, as after a resize or when something else wrote on the screen.
    pub fn repaint(&mut self) -> Result<(), DrawError> {
        let size = self.size()?;
        self.terminal
            .resize(Rect::new(0, 0, size.width, size.height))?;
        Ok(())
    }

    pub fn size(&self) -> Result<Size, DrawError> {
        Ok(kernel_size()?)
    }

    pub const fn caps(&self) -> &Caps {
        &self.options.caps
    }

    /// How many bytes have been written so far.
    pub fn bytes_written(&self) -> u64 {
        self.terminal.backend().written().load(Ordering::Relaxed)
    }

    /// The counter itself, for those who measure while the session draws.
    pub fn byte_counter(&self) -> Arc<AtomicU64> {
        self.terminal.backend().written()
    }

    /// Names the window, if the configuration wants that; controls and what could reorder text are left out.
    pub fn set_title(&mut self, title: &str) -> Result<(), DrawError> {
        if self.options.title == Switch::Off {
            return Ok(());
        }
        let sequence = title_sequence(title);
        self.terminal
            .backend_mut()
            .write_apart(sequence.as_bytes())?;
        Ok(())
    }

    /// How copying works here.
    pub const fn copy_route(&self) -> CopyRoute {
        match (self.options.clipboard, self.options.caps.multiplexer) {
            (Switch::Off, _) => CopyRoute::Off,
            (Switch::On, Multiplexer::Tmux) => CopyRoute::Tmux,
            (Switch::On, Multiplexer::None | Multiplexer::Screen) => CopyRoute::Terminal,
        }
    }

    /// Whether text may be sent to a clipboard at all.
    pub fn copies(&self) -> bool {
        self.options.clipboard == Switch::On
    }

    /// Sends text to the clipboard of the person's terminal, if that is the route.
    pub fn copy(&mut self, text: &str) -> Result<(), CopyError> {
        if self.copy_route() != CopyRoute::Terminal {
            return Err(CopyError::OtherRoute);
        }
        let sequence = osc52(text)?;
        self.terminal
            .backend_mut()
            .write_apart(&sequence)
            .map_err(CopyError::Terminal)
    }

    /// Steps aside for the shell and returns when the person comes back.
    pub fn suspend(&mut self, input: &InputControl) -> Result<Suspension, EnterError> {
        if !somebody_can_continue_us() {
            return Ok(Suspension::NobodyToContinue);
        }
        if self.ending.is_in_flight() {
            return Ok(Suspension::CallInFlight);
        }
        let _paused = input.pause();
        modes::leave();
        let stopped = stop_until_continued();
        self.resume()?;
        stopped?;
        Ok(Suspension::Continued)
    }

    /// Takes the terminal again after the process was stopped; the next frame paints everything.
    pub fn resume(&mut self) -> Result<(), EnterError> {
        modes::enter(self.options.modes())?;
        self.terminal.backend_mut().forget();
        let size = kernel_size()?;
        self.terminal
            .resize(Rect::new(0, 0, size.width, size.height))?;
        Ok(())
    }

    /// Gives the terminal back; any number of times, never fails, never prints.
    pub fn leave(&mut self) {
        modes::leave();
    }
}

impl Drop for TermSession {
    fn drop(&mut self) {
        self.leave();
    }
}
