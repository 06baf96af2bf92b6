//! A demo in a directory of its own, and both of its files opened to look at.

pub mod live;

use std::collections::BTreeMap;
use std::path::Path;

use paydeck::demo::{DemoOptions, Prepared, prepare};
use paydeck::locale::Lang;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};

/// The end of every story told here: a Saturday afternoon in Seoul.
pub const NOW: &str = "2026-11-21T05:03:00Z";

pub fn options(customers: u32, payments: Option<u32>, seed: u64) -> DemoOptions {
    DemoOptions {
        dir: std::path::PathBuf::new(),
        customers: Some(customers),
        payments,
        seed,
        now: NOW.parse().unwrap(),
        lang: Lang::Ko,
    }
}

pub struct Made {
    pub dir: tempfile::TempDir,
    pub options: DemoOptions,
    pub prepared: Prepared,
}

pub async fn demo(mut options: DemoOptions) -> Made {
    let dir = tempfile::tempdir().unwrap();
    options.dir = dir.path().to_owned();
    let prepared = prepare(options.clone()).await.expect("a demo");
    Made {
        dir,
        options,
        prepared,
    }
}

async fn rows(file: &Path, sql: &str) -> Vec<SqliteRow> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let query = sqlx::query(AssertSqlSafe(sql));
    let rows = query.fetch_all(&pool).await.expect(sql);
    pool.close().await;
    rows
}

fn first_column(rows: &[SqliteRow]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            row.try_get::<String, _>(0)
                .unwrap_or_else(|_| row.get_unchecked::<i64, _>(0).to_string())
        })
        .collect()
}

impl Made {
    pub async fn rows(&self, sql: &str) -> Vec<SqliteRow> {
        rows(&self.prepared.database, sql).await
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        first_column(&self.rows(sql).await)
    }

    pub async fn sandbox_texts(&self, sql: &str) -> Vec<String> {
        first_column(&rows(&self.prepared.sandbox_file, sql).await)
    }

    pub async fn text(&self, sql: &str) -> String {
        self.texts(sql).await.join(" ")
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0].get_unchecked(0)
    }

    pub async fn pairs(&self, sql: &str) -> BTreeMap<i64, String> {
        let rows = self.rows(sql).await;
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Every row of both files as text, without what the system's own chance made: the key and
    /// what is sealed or hashed with it.
    pub async fn dump(&self) -> Vec<String> {
        let mut all = dump(&self.prepared.database).await;
        all.extend(dump(&self.prepared.sandbox_file).await);
        all
    }
}

async fn dump(file: &Path) -> Vec<String> {
    const OF_CHANCE: [&str; 3] = ["sealed", "key_id", "key_hash"];
    let tables = "select name from sqlite_schema where type = 'table' and name not like 'sqlite%'
        and name not like 'customer_search%' and name <> '_sqlx_migrations' order by name";
    let mut lines = Vec::new();
    for table in first_column(&rows(file, tables).await) {
        let columns = format!("select name from pragma_table_info('{table}') order by cid");
        let shown: Vec<String> = first_column(&rows(file, &columns).await)
            .into_iter()
            .filter(|column| !OF_CHANCE.contains(&column.as_str()))
            .map(|column| format!("quote({column})"))
            .collect();
        let sql = format!(
            "select {} as line from {table} order by 1",
            shown.join(" || '|' || ")
        );
        let found = first_column(&rows(file, &sql).await);
        // The simulator's clock is told how far the machine's is from the end of the story.
        let is_made =
            |line: &String| !line.contains("'key_id'") && !line.contains("'clock_offset_us'");
        let found = found.into_iter().filter(is_made);
        lines.extend(found.map(|line| format!("{table} {line}")));
    }
    lines
}
