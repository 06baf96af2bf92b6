//! `config.toml` and the environment, checked once and handed on as typed [`Settings`].
//!
//! [`load`] is the only function here that reads files, and nobody else has defaults: whoever holds
//! `Settings` holds values that fit together. Every key can be overridden by the environment as
//! `PAYDECK__SECTION__KEY`. What does not fit is an error that names file, line and key, and never
//! shows a secret.

mod address;
mod check;
mod document;
mod environment;
mod error;
mod load;
mod raw;
mod schema;
mod settings;
mod stripe;
mod toss;

pub use environment::{Environment, process_environment};
pub use error::{ConfigError, Place, Problem};
pub use load::load;
pub use settings::{
    Account, Billing, Clipboard, Color, Database, Language, Leases, Limits, Log, LogLevel, Mouse,
    Person, Personal, ProviderAddress, Settings, Timeouts, Ui, VaultFiles, Warning, WindowTitle,
};
pub use toss::KeyKind;
