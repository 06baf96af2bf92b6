//! The console over real reads: the demo's rows in a file and on a server, questions answered by the database.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[expect(dead_code, reason = "the tests of the demo itself use the rest")]
#[path = "../demo_support/mod.rs"]
mod demo_support;
#[path = "../support/mod.rs"]
mod support;

mod figures;
mod house;
mod read_only;
mod selection;

/// Each test once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test]
            fn $name() {
                crate::house::over_sqlite(super::$name);
            })+
        }

        mod on_postgres {
            $(#[test]
            fn $name() {
                crate::house::over_postgres(super::$name);
            })+
        }
    };
}
pub(crate) use on_both;
