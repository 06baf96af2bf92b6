//! Subcommands and wiring: the face that scripts and cron use, and the one that starts the console.
//!
//! `args` reads the command line, `open` and `wiring` put the parts together, `verbs` call the engine
//! and the read models, `records` give every row its field names, `output` prints them. Rules are the
//! engine's; exit codes are in `exit`, failures in `error`, what people read of them in `said`.

mod args;
mod audit;
mod clock;
mod csv_row;
mod error;
mod exit;
mod help;
mod identity;
mod ids;
mod open;
mod output;
mod permit;
mod places;
mod plan_text;
mod process;
mod record;
mod records;
mod requests;
mod resolve;
mod run;
mod said;
mod sim_clock;
mod table;
mod verbs;
mod view;
mod wiring;

pub use run::run;
