//! The contract of the read side: the same tests on SQLite and PostgreSQL.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod cards;
mod figures;
mod finding;
mod lists;
mod world;

/// Each test once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::world::Bed::sqlite()).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(bed) = crate::world::Bed::postgres() {
                    super::$name(bed).await;
                }
            })+
        }
    };
}
pub(crate) use on_both;
