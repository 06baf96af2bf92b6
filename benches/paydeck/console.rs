//! The console in a pseudo-terminal of 80x24, beside a bare table over the same database.
//!
//! Both sit in the same kind of terminal and get the same keys in turns, so that a busy moment hits both.

use std::ffi::OsStr;
use std::time::Duration;

use color_eyre::Result;
use color_eyre::eyre::OptionExt as _;

use crate::data::Data;
use crate::figures::{Budget, Figure, Report};
use crate::process::{PAYDECK, status_mib, usage};
use crate::simulator::Simulator;
use crate::terminal::Session;
use crate::watch::{Readings, now, number, pause};

/// Longer than any paint takes, shorter than the console's look at what others wrote.
const QUIET: Duration = Duration::from_millis(40);
const LONG_QUIET: Duration = Duration::from_millis(400);
const STARTS: usize = 9;
const ROW_KEYS: usize = 120;
const PAGE_KEYS: usize = 40;
const HOLDS: usize = 12;
/// Repeats of a held key, as fast as a keyboard is set to at most.
const HELD: u32 = 40;
const REPEAT: Duration = Duration::from_millis(12);
const FILTERS: usize = 15;
const IDLE: Duration = Duration::from_secs(10);

pub fn measure(data: &Data, report: &mut Report) -> Result<()> {
    // The console of a demo finds its simulator running.
    let simulator = Simulator::over(&data.directory)?;
    first_paint(data, report)?;
    let mut console = open_console(data)?;
    let mut floor = open_floor(data)?;
    console.settle(LONG_QUIET);
    console.press("6", LONG_QUIET)?;
    keys(&mut console, &mut floor, report)?;
    filters(&mut console, &mut floor, report)?;
    idle(&console, report)?;
    memory(&console, &floor, report)?;
    drop((console, floor));
    drop(simulator);
    Ok(())
}

fn open_console(data: &Data) -> Result<Session> {
    let arguments = [
        "--config".as_ref(),
        data.config.as_os_str(),
        "console".as_ref(),
    ];
    Session::start(PAYDECK, &arguments)
}

fn open_floor(data: &Data) -> Result<Session> {
    let own = std::env::current_exe()?;
    let own = own
        .to_str()
        .ok_or_eyre("the path of this program is not text")?;
    let arguments: [&OsStr; 2] = ["--floor-table".as_ref(), data.database.as_os_str()];
    Session::start(own, &arguments)
}

/// From starting the program to figures and rows on the screen.
fn first_paint(data: &Data, report: &mut Report) -> Result<()> {
    let (mut ours, mut list, mut floor) = <(Readings, Readings, Readings)>::default();
    let mark = overview_mark(data)?;
    for _ in 0..STARTS {
        let mut console = open_console(data)?;
        ours.push_ms(console.time_until(&mark)?);
        console.settle(LONG_QUIET);
        list.push_ms(console.press("6", QUIET)?.time);
        drop(console);
        let bare = open_floor(data)?;
        floor.push_ms(bare.time_until("captured")?);
    }
    let figure = |name| Figure::times(name, &ours).over(&floor);
    report.add(&figure("first paint with figures").within(Budget::AtMost(60.0)))?;
    report.add(&figure("first paint, beside the floor").within(Budget::TimesFloor(6.0)))?;
    report.add(&Figure::times("payments opened from there", &list))
}

/// The number of active subscriptions: it stands on the first screen once its figures are there.
fn overview_mark(data: &Data) -> Result<String> {
    let count = crate::reads::count(
        &data.database,
        "select count(*) from subscription where state in ('active', 'past_due')",
    )?;
    Ok(paydeck::text::group_thousands(count))
}

fn keys(console: &mut Session, floor: &mut Session, report: &mut Report) -> Result<()> {
    let (mut ours, mut least) = <(Readings, Readings)>::default();
    let (mut bytes, mut least_bytes) = <(Readings, Readings)>::default();
    for at in 0..ROW_KEYS {
        // Down twice and up once: steps inside the window and steps that scroll.
        let key = if at % 3 == 2 { "k" } else { "j" };
        let paint = console.press(key, QUIET)?;
        ours.push_ms(paint.time);
        bytes.push(number(paint.bytes));
        let paint = floor.press(if at % 2 == 0 { "j" } else { "k" }, QUIET)?;
        least.push_ms(paint.time);
        least_bytes.push(number(paint.bytes));
    }
    let row = Figure::times("row key", &ours).over(&least);
    report.add(&row.within(Budget::TimesFloor(2.0)))?;
    let selection =
        Figure::new("bytes per row key", "B", bytes.median()).over_value(least_bytes.median());
    let scrolling = format!("largest {:.0} B", bytes.largest());
    report.add(&selection.within(Budget::AtMost(400.0)).note(scrolling))?;

    held_key(console, floor, report)?;
    pages(console, floor, report)
}

/// How long the screen goes on after a key that was held down is released.
fn held_key(console: &mut Session, floor: &mut Session, report: &mut Report) -> Result<()> {
    let (mut ours, mut least) = <(Readings, Readings)>::default();
    for at in 0..HOLDS {
        let key = if at % 2 == 0 { "j" } else { "k" };
        ours.push_ms(console.hold(key, HELD, REPEAT)?);
        least.push_ms(floor.hold(key, HELD, REPEAT)?);
    }
    let held = Figure::times("held key: lag", &ours).over(&least);
    report.add(&held.within(Budget::TimesFloor(3.0)))
}

fn pages(console: &mut Session, floor: &mut Session, report: &mut Report) -> Result<()> {
    let (mut ours, mut least) = <(Readings, Readings)>::default();
    let (mut bytes, mut each, mut least_each) = <(Readings, Readings, Readings)>::default();
    for _ in 0..PAGE_KEYS {
        let paint = console.press("\x1b[6~", QUIET)?;
        ours.push_ms(paint.time);
        bytes.push(number(paint.bytes));
        each.push(number(paint.bytes) / number(paint.cells.max(1)));
        let paint = floor.press("\x1b[6~", QUIET)?;
        least.push_ms(paint.time);
        least_each.push(number(paint.bytes) / number(paint.cells.max(1)));
    }
    let page = Figure::times("page key", &ours).over(&least);
    report.add(&page.within(Budget::TimesFloor(1.5)))?;
    let each = Figure::new("page: bytes per changed cell", "B", each.median())
        .over_value(least_each.median());
    let note = format!("{:.0} B per page", bytes.median());
    report.add(&each.within(Budget::TimesFloor(1.1)).note(note))
}

/// From the Enter that applies a typed filter to its rows.
fn filters(console: &mut Session, floor: &mut Session, report: &mut Report) -> Result<()> {
    let (mut ours, mut least) = <(Readings, Readings)>::default();
    for _ in 0..FILTERS {
        console.press("/", QUIET)?;
        console.press("status:refunded", LONG_QUIET)?;
        ours.push_ms(console.press("\r", QUIET)?.time);
        console.press("\x1b", LONG_QUIET)?;
        floor.press("\x1b[6~", QUIET)?;
        least.push_ms(floor.press("/", QUIET)?.time);
    }
    let figure = Figure::times("status filter to rows", &ours).over(&least);
    report.add(&figure.within(Budget::TimesFloor(3.0)))
}

fn idle(console: &Session, report: &mut Report) -> Result<()> {
    console.settle(LONG_QUIET);
    let (pid, bytes) = (console.pid()?, console.bytes());
    let before = usage(pid)?;
    let began = now();
    pause(IDLE);
    let seconds = began.elapsed().as_secs_f64();
    let after = usage(pid)?;
    let bytes = number(console.bytes() - bytes);
    let cpu = number(after.cpu_ns - before.cpu_ns) / seconds / 1e9 * 100.0;
    let wake_ups = number(after.wake_ups - before.wake_ups) / seconds;
    let idle =
        |name, unit, value, most| Figure::new(name, unit, value).within(Budget::AtMost(most));
    report.add(&idle("idle: bytes", "B", bytes, 0.0).note(format!("in {seconds:.0} s")))?;
    report.add(&idle("idle: processor", "%", cpu, 0.1))?;
    report.add(&idle("idle: wake-ups a second", "", wake_ups, 2.0))
}

fn memory(console: &Session, floor: &Session, report: &mut Report) -> Result<()> {
    let resident = status_mib(console.pid()?, "VmRSS")?;
    let own = status_mib(console.pid()?, "RssAnon")?;
    let least = status_mib(floor.pid()?, "VmRSS")?;
    let figure = Figure::new("resident memory", "MiB", resident).over_value(least);
    report.add(
        &figure
            .within(Budget::AtMost(40.0))
            .note(format!("{own:.1} MiB of it its own")),
    )
}
