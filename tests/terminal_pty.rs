//! The terminal core in a real pseudo-terminal.
//!
//! This binary plays both sides: `child_program` is a small console that runs only when a test starts this binary again
//! with `PAYDECK_PTY_CHILD` set, and the other tests are the person at the terminal. Nothing waits for a fixed time:
//! each step waits for what must appear.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so"
)]

#[path = "support/pty_child.rs"]
mod pty_child;
#[path = "support/pty_person.rs"]
mod pty_person;

use std::time::Duration;

use pty_person::{Ended, Person, Start, pause};
use rustix::process::Signal;

/// An end that is asked for comes by then on a machine that does much else. How fast it is: `tests/hangups`.
const SOON: Duration = Duration::from_secs(10);

/// The program under test; without the variable it is a test that has nothing to do.
#[test]
fn child_program() {
    if std::env::var_os("PAYDECK_PTY_CHILD").is_some() {
        pty_child::run();
    }
}

#[test]
fn it_paints_and_quits_and_gives_the_terminal_back() {
    let mut person = Person::at(&Start::default());
    person.sees("ready 80x24");
    assert!(person.on_alternate_screen());
    assert_ne!(person.settings(), person.settings_before);
    person.types("q");
    assert_eq!(person.sees_the_end(), Ended::Code(0));
    assert!(!person.on_alternate_screen());
    assert!(!person.screen(vt100::Screen::bracketed_paste));
    assert!(!person.screen(vt100::Screen::hide_cursor));
    assert_eq!(person.settings(), person.settings_before);
}

#[test]
fn it_asks_the_terminal_nothing() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.resizes(100, 30);
    person.sees("resize 100x30");
    person.types("q");
    person.sees_the_end();
    let written = person.written();
    for question in [
        "\x1b[6n",
        "\x1b]11;?",
        "$p",
        "\x1b[c",
        "\x1b[>c",
        "\x1b[?u",
        "\x1b[>q",
    ] {
        assert!(!written.contains(question), "{question:?} was asked");
    }
}

#[test]
fn keys_arrive_in_every_shape() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    for (bytes, seen) in [
        ("j", "key Char('j')"),
        ("\x1b[A", "key Up"),
        ("\x1bOB", "key Down"),
        ("\x1b[5~", "key PageUp"),
        ("\x1bb", "alt Char('b')"),
        ("\x04", "ctrl Char('d')"),
        ("\r", "key Enter"),
        ("ㅓ", "key Char('ㅓ')"),
        ("\x1b", "key Esc"),
    ] {
        person.types(bytes);
        person.sees(seen);
    }
}

#[test]
fn an_escape_split_by_a_slow_link_stays_one_key() {
    let start = Start::default().with("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
    // A machine that stands still between the two halves makes the link slower than it is meant to be.
    assert!((0..3).any(|_| {
        let mut person = Person::at(&start);
        person.sees("ready");
        person.types("\x1b");
        pause(Duration::from_millis(20));
        person.types("[A.");
        person.sees("key Char('.')");
        !person.written().contains("key Esc") && person.written().contains("key Up")
    }));
}

#[test]
fn a_late_reply_of_the_terminal_presses_no_key() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?2026;2$y\x1b[?997;1n");
    person.types("\x1b]11;rgb:");
    person.types("ffff/ffff/ffff\x07k");
    person.sees("key Char('k')");
    for letter in ["r", ";", ":", "y", "n", "f", "0"] {
        person.never_saw(&format!("key Char('{letter}')"));
    }
}

#[test]
fn a_reply_torn_from_its_escape_is_a_burst_and_presses_no_key() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("\x1b");
    person.sees("key Esc");
    person.types("]11;rgb:0000/0000/0000");
    person.sees("burst 22");
    person.never_saw("key Char('r')");
}

#[test]
fn a_paste_with_a_q_does_not_quit() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("\x1b[200~q\ry\x1b[201~");
    person.sees("paste \"q\\ny\"");
    person.types("k");
    person.sees("key Char('k')");
}

#[test]
fn a_paste_without_brackets_is_a_burst() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("quit\r");
    person.sees("burst 5");
    person.never_saw("key Char('q')");
}

#[test]
fn a_resize_is_reported_and_repainted() {
    let mut person = Person::at(&Start::default());
    person.sees("ready 80x24");
    person.resizes(120, 40);
    person.sees("resize 120x40");
    person.sees("ready 120x40");
    person.resizes(40, 12);
    person.sees("ready 40x12");
}

#[test]
fn a_panic_of_a_worker_leaves_the_console_alone() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("W");
    person.sees("worker panicked");
    assert!(person.on_alternate_screen());
    assert!(!person.written().contains("deliberate"));
    person.types("j");
    person.sees("key Char('j')");
}

#[test]
fn a_panic_of_the_console_restores_the_terminal_and_is_reported() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("P");
    assert_eq!(person.sees_the_end(), Ended::Code(101));
    assert!(!person.on_alternate_screen());
    assert_eq!(person.settings(), person.settings_before);
    let written = person.written();
    let (before, after) = written.split_once("\x1b[?1049l").expect("it left");
    assert!(!before.contains("deliberate"));
    assert!(after.contains("deliberate"));
}

#[test]
fn signals_to_end_restore_the_terminal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut person = Person::at(&Start::default());
        person.sees("ready");
        person.sends(signal);
        assert_eq!(person.sees_the_end_within(SOON), Ended::Code(code));
        assert!(!person.on_alternate_screen(), "{signal:?}");
        assert_eq!(person.settings(), person.settings_before, "{signal:?}");
    }
}

#[test]
fn sigterm_ends_a_console_that_is_stuck_in_a_write() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("L");
    person.sees("flooding");
    person.stops_reading();
    person.waits_until_the_child_is_stuck();
    person.sends(Signal::TERM);
    assert_eq!(person.exits_within(SOON), Ended::Code(143));
}

#[test]
fn a_call_in_flight_outlives_sigterm_but_not_the_terminal() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("F");
    person.sees("in flight");
    person.sends(Signal::TERM);
    person.sees_the_main_screen();
    assert!(person.is_running());
    let marker = person.marker();
    person.settles_the_call();
    assert_eq!(person.sees_the_end(), Ended::Code(143));
    assert_eq!(std::fs::read_to_string(marker).unwrap(), "settled");
}

#[test]
fn a_hangup_ends_an_idle_console() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.hangs_up("j");
    assert_eq!(person.exits_within(SOON), Ended::Code(129));
}

#[test]
fn a_hangup_is_noticed_where_the_hangup_signal_is_ignored() {
    let mut person = Person::at(&Start::default().through_a_shell("trap '' HUP; \"$@\"; exit $?"));
    person.sees("ready");
    person.hangs_up("j");
    assert_eq!(person.exits_within(SOON), Ended::Code(129));
}

#[test]
fn a_hangup_is_noticed_where_no_signal_comes() {
    // In a session of its own the terminal is not the controlling one, so the kernel sends nothing.
    let script = "trap '' HUP; setsid -w \"$@\"; exit $?";
    let mut person = Person::at(&Start::default().through_a_shell(script));
    person.sees("ready");
    person.hangs_up("j");
    assert_eq!(person.exits_within(SOON), Ended::Code(129));
}

#[test]
fn a_call_in_flight_outlives_a_hangup_without_burning_the_processor() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("F");
    person.sees("in flight");
    person.hangs_up("j");
    let is_calm = (0..3).any(|_| {
        let before = person.processor_ticks();
        pause(Duration::from_secs(2));
        assert!(person.is_running());
        // Of 10 ms each.
        person.processor_ticks() - before < 5
    });
    assert!(is_calm);
    let marker = person.marker();
    person.settles_the_call();
    assert_eq!(person.exits_within(SOON), Ended::Code(129));
    assert_eq!(std::fs::read_to_string(marker).unwrap(), "settled");
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_brings_the_console_back() {
    let mut person = Person::at(&Start::default().under_job_control());
    person.sees("ready");
    person.types("\x1a");
    person.sees_the_main_screen();
    person.sees("Stopped");
    person.types("fg\n");
    person.sees("ready 80x24");
    person.sees("continued");
    assert!(person.on_alternate_screen());
    person.types("j");
    person.sees("key Char('j')");
}

#[test]
fn ctrl_z_where_nobody_could_continue_is_refused() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("\x1a");
    person.sees("nobody to continue");
    person.types("j");
    person.sees("key Char('j')");
}

#[test]
fn ctrl_z_under_a_shell_without_job_control_is_refused() {
    let mut person = Person::at(&Start::default().through_a_shell("\"$@\"; exit $?"));
    person.sees("ready");
    person.types("\x1a");
    person.sees("nobody to continue");
}

#[test]
fn a_console_stopped_from_outside_takes_the_terminal_again() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.sends(Signal::STOP);
    person.sends(Signal::CONT);
    person.sees("resumed");
    person.types("j");
    person.sees("key Char('j')");
}

fn is_coloured(person: &mut Person) -> bool {
    person.screen(|screen| {
        let (rows, columns) = screen.size();
        let plain = |cell: &vt100::Cell| {
            cell.fgcolor() == vt100::Color::Default && cell.bgcolor() == vt100::Color::Default
        };
        (0..rows.get())
            .flat_map(|row| (0..columns.get()).map(move |column| (row, column)))
            .filter_map(|(row, column)| screen.cell(row, column))
            .any(|cell| !plain(cell))
    })
}

#[test]
fn without_colours_no_colour_is_written_and_the_selection_is_reversed() {
    let mut person = Person::at(&Start::default().with("NO_COLOR", "1"));
    person.sees("selected 김서현");
    let written = person.written();
    assert!(!written.contains("38;") && !written.contains("48;"));
    assert!(!is_coloured(&mut person));
    assert!(person.screen(|screen| screen.cell(1, 0).is_some_and(vt100::Cell::inverse)));
}

#[test]
fn with_colours_they_are_written() {
    let mut person = Person::at(&Start::default());
    person.sees("selected");
    assert!(is_coloured(&mut person));
}

#[test]
fn a_chosen_colour_level_stands_over_no_color() {
    let start = Start::default()
        .with("NO_COLOR", "1")
        .with("PAYDECK_PTY_COLOR", "16");
    let mut person = Person::at(&start);
    person.sees("selected");
    assert!(is_coloured(&mut person));
}

#[test]
fn an_idle_console_neither_writes_nor_wakes() {
    let mut person = Person::at(&Start::default());
    person.sees("ready");
    person.types("j");
    person.sees("key Char('j')");
    let bytes = person.written().len();
    let rests = (0..3).any(|_| {
        let wakes = person.context_switches();
        pause(Duration::from_secs(1));
        assert_eq!(person.written().len(), bytes);
        person.context_switches() - wakes <= 2
    });
    assert!(rests, "it wakes more than twice a second");
}

#[test]
fn the_terminal_is_refused_where_there_is_none() {
    let mut person = Person::at(&Start::default().with("TERM", "dumb"));
    person.sees("no console here");
    assert_eq!(person.sees_the_end(), Ended::Code(0));
    assert!(!person.written().contains("\x1b["));
}
