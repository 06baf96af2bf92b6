//! Domain values as rows of the bulk writer, in the order of its columns.

mod money;
mod nouns;
mod records;

use crate::domain::mode::{Mode, ProviderName};
use crate::store::Value;

pub(super) use money::*;
pub(super) use nouns::*;
pub(super) use records::*;

/// The values of one row.
pub(super) type Row = Vec<Value>;

macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$(crate::store::Value::from($value)),*] };
}
use row;

/// The only currency of the demo, as stored.
pub(super) const WON: &str = "KRW";
const PROVIDER: &str = ProviderName::Toss.as_str();
const MODE: &str = Mode::Sim.as_str();
