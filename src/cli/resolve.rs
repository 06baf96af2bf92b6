//! From what a person typed to a row, without a write lock: reading works while somebody else writes.

use super::error::CliError;
use super::said::noun_name;
use crate::domain::ids::{IdQuery, Noun};
use crate::engine::ports::Found;
use crate::store::SqlStore;

/// The row id of what was typed: a whole id in any case, or a unique ending.
pub async fn id(store: &SqlStore, noun: Noun, typed: &str) -> Result<i64, CliError> {
    let query = IdQuery::parse(noun, typed)?;
    let what = noun_name(noun);
    match store.find_id(noun, &query).await? {
        Found::One(id) => Ok(id),
        Found::None => Err(CliError::NotFound {
            what,
            typed: typed.to_owned(),
        }),
        Found::Many => Err(CliError::Ambiguous {
            what,
            typed: typed.to_owned(),
        }),
    }
}

/// The noun an id's prefix names; none for a bare ending.
pub fn noun_of_prefix(typed: &str) -> Option<Noun> {
    let (prefix, _) = typed.trim().split_once('_')?;
    let prefix = prefix.to_ascii_lowercase();
    Noun::ALL.into_iter().find(|noun| noun.prefix() == prefix)
}
