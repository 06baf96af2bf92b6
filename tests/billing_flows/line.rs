//! A connection of the test's own to the world's database, kept between questions: a new one for each costs PostgreSQL a
//! process. It is taken while somebody asks, so that a question that is dropped in the middle takes its connection along.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use paydeck::store::DatabaseUrl;

use crate::world::World;

pub enum Line {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Line {
    async fn to(url: &DatabaseUrl) -> Self {
        match url {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(sqlite_connection(path).await),
            DatabaseUrl::Postgres(address) => {
                Self::Postgres(PgConnection::connect(address).await.expect("a connection"))
            }
        }
    }
}

/// The kept one, if there is any.
#[derive(Default)]
pub struct Kept(Mutex<Option<Line>>);

impl Kept {
    /// Connects and says one thing first.
    pub async fn to(url: &DatabaseUrl, first: &str) -> Self {
        let first = AssertSqlSafe(first.to_owned());
        let mut line = Line::to(url).await;
        match &mut line {
            Line::Sqlite(connection) => sqlx::query(first).execute(connection).await.map(drop),
            Line::Postgres(connection) => sqlx::query(first).execute(connection).await.map(drop),
        }
        .expect("said");
        Self(Mutex::new(Some(line)))
    }

    fn put(&self, line: Option<Line>) -> Option<Line> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *kept, line)
    }
}

/// Asks over the kept connection, whichever database it leads to.
macro_rules! over_the_line {
    ($world:expr, $connection:ident => $asked:expr) => {{
        let mut line = $world.line().await;
        let answer = match &mut line {
            $crate::line::Line::Sqlite($connection) => $asked,
            $crate::line::Line::Postgres($connection) => $asked,
        };
        $world.keep_line(line);
        answer
    }};
}

pub async fn sqlite_connection(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5));
    SqliteConnection::connect_with(&options)
        .await
        .expect("a connection")
}

impl World {
    pub async fn line(&self) -> Line {
        match self.kept_line.put(None) {
            Some(kept) => kept,
            None => Line::to(&self.url).await,
        }
    }

    pub fn keep_line(&self, line: Line) {
        self.kept_line.put(Some(line));
    }

    /// Nothing of the test is connected any more.
    pub async fn hang_up(&self) {
        match self.kept_line.put(None) {
            Some(Line::Sqlite(connection)) => drop(connection.close().await),
            Some(Line::Postgres(connection)) => drop(connection.close().await),
            None => {}
        }
    }

    /// What somebody who died had said to PostgreSQL is over: committed, or taken back. SQLite has one writer, behind whom
    /// everybody waits.
    pub async fn nothing_is_under_way(&self) {
        // A connection whose transaction was dropped may rest in it until it is used again: what it had said by then was
        // taken in long ago.
        const BUSY: &str = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and (state = 'active' or state like 'idle in transaction%' and clock_timestamp() - state_change < interval '20 ms')";
        let DatabaseUrl::Postgres(_) = &self.url else {
            return;
        };
        for _ in 0..20_000 {
            if self.number(BUSY).await == 0 {
                return;
            }
        }
        panic!("a transaction without anybody in it");
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        over_the_line!(self, connection => sqlx::query_scalar(sql).fetch_one(connection).await)
            .expect("a number")
    }

    pub async fn text(&self, sql: &'static str) -> String {
        over_the_line!(self, connection => sqlx::query_scalar(sql).fetch_one(connection).await)
            .expect("a text")
    }

    pub async fn execute(&self, sql: &'static str) {
        over_the_line!(self, connection => sqlx::query(sql).execute(connection).await.map(drop))
            .expect("executed");
    }

    /// The one number that a query gives.
    pub async fn ask(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        over_the_line!(self, connection => sqlx::query_scalar(sql).fetch_one(connection).await)
            .expect("a number")
    }

    /// The first column of every row.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        over_the_line!(self, connection => sqlx::query_scalar(sql).fetch_all(connection).await)
            .expect("texts")
    }

    pub async fn change(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        over_the_line!(self, connection => sqlx::query(sql).execute(connection).await.map(drop))
            .expect("changed");
    }
}
