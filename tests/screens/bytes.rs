//! How many bytes a key costs on the wire, through the backend that the terminal gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ratatui::Terminal;
use ratatui::layout::Size;

use paydeck::console::input::{InputEvent, KeyPress};
use paydeck::console::model::Screen as Place;
use paydeck::console::msg::Msg;
use paydeck::console::term::{ColorLevel, Screen, SizeSource, Switch};
use paydeck::console::theme::Theme;
use paydeck::console::view;
use paydeck::locale::Lang;

use super::stage::{Stage, theme};

/// The ceiling of a move of the selection on a classic terminal.
const MOVE: u64 = 400;

struct Wire {
    terminal: Terminal<Screen<Vec<u8>>>,
    written: Arc<AtomicU64>,
    theme: Theme,
}

impl Wire {
    fn new(width: u16, height: u16, color: ColorLevel) -> Self {
        let size = SizeSource::Fixed(Size::new(width, height));
        let screen = Screen::new(Vec::new(), size, Switch::On);
        let written = screen.written();
        Self {
            terminal: Terminal::new(screen).unwrap(),
            written,
            theme: theme(color),
        }
    }

    /// Draws a frame and says how many bytes it took.
    fn draw(&mut self, stage: &Stage) -> u64 {
        let before = self.written.load(Ordering::Relaxed);
        self.terminal
            .draw(|frame| view::draw(&stage.model, &self.theme, frame))
            .unwrap();
        self.written.load(Ordering::Relaxed) - before
    }
}

fn key(stage: &mut Stage, ch: char) {
    stage.send(Msg::Input(InputEvent::Key(KeyPress::char(ch))));
}

const LISTS: [Place; 9] = [
    Place::Customers,
    Place::Subscriptions,
    Place::Renewals,
    Place::Failed,
    Place::Payments,
    Place::Plans,
    Place::Unknown,
    Place::Runs,
    Place::Activity,
];

#[test]
fn moving_the_selection_stays_below_its_ceiling_on_every_list() {
    for lang in Lang::ALL {
        for color in [ColorLevel::Ansi16, ColorLevel::TrueColor, ColorLevel::Mono] {
            let mut wire = Wire::new(80, 24, color);
            let mut stage = Stage::new(80, 24, lang);
            for screen in LISTS {
                stage.press(&screen.key().to_string());
                wire.draw(&stage);
                // Within one screen, so that nothing scrolls.
                let rows = stage.model.visit().lines().0.min(8);
                for ch in std::iter::repeat_n('j', rows - 1).chain(['k']) {
                    key(&mut stage, ch);
                    let bytes = wire.draw(&stage);
                    assert!(
                        bytes <= MOVE,
                        "{bytes} bytes for {ch} on {} in {} {color:?}",
                        screen.id(),
                        lang.code()
                    );
                }
            }
        }
    }
}

#[test]
fn a_held_key_costs_no_more_on_average_though_it_scrolls() {
    let mut wire = Wire::new(80, 24, ColorLevel::Ansi16);
    let mut stage = Stage::new(80, 24, Lang::Ko);
    for screen in [Place::Customers, Place::Subscriptions, Place::Payments] {
        stage.press(&screen.key().to_string());
        wire.draw(&stage);
        let moves = 60;
        let total: u64 = (0..moves)
            .map(|_| {
                key(&mut stage, 'j');
                let bytes = wire.draw(&stage);
                // Also a step that scrolls: the lines that only move are moved by the terminal.
                assert!(bytes <= MOVE, "{bytes} bytes on {}", screen.id());
                bytes
            })
            .sum();
        assert!(
            total / moves <= MOVE,
            "{} on {}",
            total / moves,
            screen.id()
        );
    }
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut wire = Wire::new(width, height, ColorLevel::Ansi16);
        let mut stage = Stage::new(width, height, Lang::Ko);
        for screen in Place::ALL {
            stage.press(&screen.key().to_string());
            wire.draw(&stage);
            assert_eq!(wire.draw(&stage), 0, "{}", screen.id());
            // An unchanged refresh: the same rows come again.
            stage.send(Msg::Version(2));
            stage.send(Msg::Version(1));
            stage.send(Msg::Tick);
            assert_eq!(wire.draw(&stage), 0, "refresh of {}", screen.id());
        }
    }
}

#[test]
fn nothing_moves_by_itself_on_a_screen_at_rest() {
    let mut stage = Stage::new(120, 40, Lang::Ko);
    for screen in Place::ALL {
        stage.press(&screen.key().to_string());
        assert_eq!(stage.model.next_wake_ms(), None, "{}", screen.id());
    }
}

#[test]
fn without_colours_nothing_is_coloured_and_the_selection_is_still_reversed() {
    for way in ["5", "6 f", "5 r", "2 enter", "?"] {
        let mut wire = Wire::new(80, 24, ColorLevel::Mono);
        let mut stage = Stage::new(80, 24, Lang::Ko);
        stage.press(way);
        wire.draw(&stage);
        let bytes = wire.terminal.backend().sent().to_vec();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("38;") && !text.contains("48;"), "{way}");
        assert!(text.contains("\x1b[7m") || text.contains(";7m"), "{way}");
    }
}
