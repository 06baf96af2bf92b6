//! What must not be lost while the database is away, as files of this host.
//!
//! One file per entry, readable by its owner alone (0600 in a directory of 0700), durable before a call returns and
//! replaced as a whole. An entry holds no secret in the clear: billing keys are sealed as in their row. What the
//! entries mean is the engine's business.

mod entry;
mod files;

pub use files::{FileSpool, Lying};
