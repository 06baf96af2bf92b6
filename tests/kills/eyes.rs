//! A look into the database beside the program, and a hand on it: to see how far a row is, and to keep everybody
//! from writing for a moment.

use std::path::Path;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::runtime::Runtime;

enum Line {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

pub struct Eyes {
    runtime: Runtime,
    /// Looks.
    line: Line,
    /// Holds the writers.
    hand: Line,
}

macro_rules! on {
    ($line:expr, $connection:ident => $work:expr) => {
        match $line {
            Line::Sqlite($connection) => $work,
            Line::Postgres($connection) => $work,
        }
    };
}

impl Eyes {
    pub fn on_file(path: &Path) -> Self {
        Self::open(async || {
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(path)
                .busy_timeout(Duration::from_secs(10));
            Line::Sqlite(
                SqliteConnection::connect_with(&options)
                    .await
                    .expect("open"),
            )
        })
    }

    pub fn on_server(url: &str) -> Self {
        Self::open(async || Line::Postgres(PgConnection::connect(url).await.expect("connect")))
    }

    fn open(line: impl AsyncFn() -> Line) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (looks, holds) = runtime.block_on(async { (line().await, line().await) });
        Self {
            runtime,
            line: looks,
            hand: holds,
        }
    }

    pub fn number(&mut self, sql: &'static str, given: i64) -> i64 {
        let Self { runtime, line, .. } = self;
        on!(line, connection => runtime
            .block_on(sqlx::query_scalar(sql).bind(given).fetch_one(connection))
            .expect("a number"))
    }

    pub fn texts(&mut self, sql: &'static str, given: i64) -> Vec<String> {
        let Self { runtime, line, .. } = self;
        on!(line, connection => runtime
            .block_on(sqlx::query_scalar(sql).bind(given).fetch_all(connection))
            .expect("texts"))
    }

    pub fn change(&mut self, sql: &'static str, given: i64) {
        let Self { runtime, line, .. } = self;
        on!(line, connection => runtime
            .block_on(sqlx::query(sql).bind(given).execute(connection))
            .map(drop)
            .expect("a change"));
    }

    /// Nobody else can write from here on; everybody can read.
    pub fn hold_writers(&mut self) {
        let sql = match &self.hand {
            Line::Sqlite(_) => "begin immediate",
            Line::Postgres(_) => "begin; lock table attempt in share row exclusive mode",
        };
        self.say(sql);
    }

    pub fn let_writers_go(&mut self) {
        self.say("rollback");
    }

    fn say(&mut self, sql: &'static str) {
        let Self { runtime, hand, .. } = self;
        on!(hand, connection => runtime
            .block_on(sqlx::raw_sql(sql).execute(connection))
            .map(drop)
            .expect("said"));
    }
}
