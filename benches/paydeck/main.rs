//! What paydeck costs, beside the least that is possible, measured in the same run.
//!
//! `cargo bench` prints figures; nothing here passes or fails. `cargo bench -- --help` lists the options.
//! The machine may be busy: read the ratios, not the milliseconds, and repeat what looks odd.

mod bare_loop;
mod billing;
mod console;
mod data;
mod export;
mod figures;
mod floor_table;
mod options;
mod postgres;
mod process;
mod reads;
mod shop;
mod simulator;
mod terminal;
mod watch;

use color_eyre::Result;

use figures::Report;
use options::{Options, Part, Run};

fn main() -> Result<()> {
    color_eyre::install()?;
    match Options::read() {
        Run::MakeData(directory, payments) => data::make_here(&directory, payments),
        Run::FloorTable(database) => floor_table::run(&database),
        Run::BareLoop(job) => bare_loop::run(&job),
        Run::Measure(options) => measure(&options),
    }
}

fn measure(options: &Options) -> Result<()> {
    let mut report = Report::new(options.shape());
    report.begin()?;
    let needs_data = [Part::Data, Part::Console, Part::Reads, Part::Export];
    if needs_data.iter().any(|part| options.wants(*part)) {
        let data = data::make(options, &mut report)?;
        if options.wants(Part::Console) {
            console::measure(&data, &mut report)?;
        }
        if options.wants(Part::Reads) {
            let larger = options.larger.as_ref().map(|dir| dir.join("paydeck.db"));
            reads::measure(&data, larger.as_deref(), &mut report)?;
        }
        if options.wants(Part::Export) {
            export::measure(&data, &mut report)?;
        }
    }
    if options.wants(Part::Billing) {
        billing::measure(options, &mut report)?;
    }
    report.end()
}
