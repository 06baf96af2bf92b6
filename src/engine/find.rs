//! From what a person typed to a row.

use crate::domain::ids::{IdError, IdQuery, Noun};

use super::Engine;
use super::ports::{Customers, Desk, Found, Store, StoreError};

/// Why a typed id is not one row.
#[derive(Debug, thiserror::Error)]
pub enum IdProblem {
    /// Nothing ends like that.
    #[error("no {} {typed:?}", noun.prefix())]
    NotFound {
        /// What was looked for.
        noun: Noun,
        /// What was typed.
        typed: String,
    },
    /// More than one ends like that.
    #[error("more than one {} ends with {typed:?}: give more characters", noun.prefix())]
    Ambiguous {
        /// What was looked for.
        noun: Noun,
        /// What was typed.
        typed: String,
    },
    /// It is not an id.
    #[error(transparent)]
    Bad(#[from] IdError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: Store> Engine<S> {
    /// The row id of what was typed: a whole id in any case, or a unique ending.
    pub async fn resolve_id(&self, noun: Noun, typed: &str) -> Result<i64, IdProblem> {
        let query = IdQuery::parse(noun, typed)?;
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let typed = typed.chars().take(40).collect();
        match tx.find_id(noun, &query).await? {
            Found::One(id) => Ok(id),
            Found::None => Err(IdProblem::NotFound { noun, typed }),
            Found::Many => Err(IdProblem::Ambiguous { noun, typed }),
        }
    }
}
