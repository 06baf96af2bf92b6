//! The demo's rows on either database, and a console that asks them.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use chrono_tz::Asia::Seoul;
use ratatui::layout::Size;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use paydeck::console::input::{InputEvent, KeyPress};
use paydeck::console::model::{Model, Now, Setting};
use paydeck::console::{Effect, Msg, answer, fault::Fault, keymap, update};
use paydeck::domain::mode::Mode;
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::locale::Lang;
use paydeck::store::bulk::BulkWriter;
use paydeck::store::{DatabaseUrl, NewDatabase, OpenOptions, SqlStore};

use crate::demo_support::{Made, NOW, demo, options};
use crate::support;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub fn over_sqlite(test: impl AsyncFnOnce(&DatabaseUrl)) {
    runtime().block_on(async {
        let made = demo(options(400, None, 11)).await;
        test(&DatabaseUrl::Sqlite(made.prepared.database.clone())).await;
    });
}

pub fn over_postgres(test: impl AsyncFnOnce(&DatabaseUrl)) {
    let Some(database) = support::postgres::database() else {
        return;
    };
    runtime().block_on(async {
        let made = demo(options(400, None, 11)).await;
        let url = DatabaseUrl::parse(&database.url).expect("the server's address");
        copy(&made, &url, &database.url).await;
        test(&url).await;
    });
}

pub async fn open(url: &DatabaseUrl) -> SqlStore {
    let options = OpenOptions::read_write("tester", "console-1");
    SqlStore::open(url, options).await.expect("open")
}

/// Every row of the demo, as it stands in the file.
async fn copy(made: &Made, url: &DatabaseUrl, address: &str) {
    let new = NewDatabase {
        mode: Mode::Sim,
        zone: Seoul,
        key_id: "k1",
        install_id: "ABCDEFGH",
        install_secret: "not a secret",
        at: NOW.parse().unwrap(),
    };
    let writer = BulkWriter::create(url, &new).await.expect("create");
    writer.finish().await.expect("finish");
    let mut server = PgConnection::connect(address).await.expect("connect");
    run(&mut server, "set session_replication_role = 'replica'").await;
    let tables = "select table_name::text from information_schema.tables \
        where table_schema = current_schema() and table_type = 'BASE TABLE' and table_name not like '\\_%'";
    for table in column(&mut server, tables).await {
        let columns = format!(
            "select column_name::text from information_schema.columns where table_schema = current_schema() \
             and table_name = '{table}' and is_generated = 'NEVER' order by ordinal_position"
        );
        let mut columns = column(&mut server, &columns).await;
        let of_file = format!("select name from pragma_table_info('{table}')");
        let of_file = made.texts(&of_file).await;
        columns.retain(|column| of_file.contains(column));
        let pairs: Vec<String> = columns
            .iter()
            .map(|c| {
                format!("'{c}', case typeof({c}) when 'blob' then '\\x' || hex({c}) else {c} end")
            })
            .collect();
        let rows = made
            .texts(&format!(
                "select json_object({}) from {table}",
                pairs.join(", ")
            ))
            .await;
        run(&mut server, &format!("delete from {table}")).await;
        let columns = columns.join(", ");
        let insert = format!(
            "insert into {table} ({columns}) overriding system value \
             select {columns} from jsonb_populate_recordset(null::{table}, $1::jsonb)"
        );
        for some in rows.chunks(500) {
            let json = format!("[{}]", some.join(","));
            let query = sqlx::query(AssertSqlSafe(insert.as_str())).bind(json);
            query.execute(&mut server).await.expect(&table);
        }
    }
    run(&mut server, "analyze").await;
    server.close().await.expect("close");
}

async fn run(server: &mut PgConnection, sql: &str) {
    let query = sqlx::query(AssertSqlSafe(sql));
    query.execute(server).await.expect(sql);
}

async fn column(server: &mut PgConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(server).await;
    let rows = rows.expect(sql);
    rows.iter().map(|row| row.get(0)).collect()
}

/// A console whose questions the database answers, one after the other.
pub struct Console {
    pub store: SqlStore,
    pub model: Model,
    ms: u64,
}

impl Console {
    pub async fn over(store: SqlStore) -> Self {
        let at: DateTime<Utc> = NOW.parse().unwrap();
        let setting = Setting {
            shop: String::new(),
            zone: Seoul,
            mode: Mode::Sim,
            lang: Lang::En,
            operator: Operator {
                person: "kim".to_owned(),
                roles: vec![Role::Admin],
                access: Access::ReadWrite,
                evidence: Vec::new(),
            },
            database: "demo".to_owned(),
            clipboard: paydeck::console::term::Switch::On,
            dunning_budget: 4,
        };
        let mut console = Self {
            store,
            model: Model::new(setting, Now { at, ms: 0 }, Size::new(120, 40)),
            ms: 0,
        };
        console.send(Msg::Version(1)).await;
        console.send(Msg::Started).await;
        console
    }

    pub async fn send(&mut self, msg: Msg) {
        let at: DateTime<Utc> = NOW.parse().unwrap();
        let mut waiting = VecDeque::from([msg]);
        while let Some(msg) = waiting.pop_front() {
            let effects = update(&mut self.model, msg, Now { at, ms: self.ms });
            for effect in effects {
                if let Effect::Load {
                    ticket, question, ..
                } = effect
                {
                    let answered = answer(&self.store, "kim", question).await;
                    waiting.push_back(match answered {
                        Ok(loaded) => Msg::Loaded {
                            ticket,
                            loaded: Box::new(loaded),
                        },
                        Err(error) => Msg::Failed {
                            ticket,
                            fault: Fault::from(&error),
                        },
                    });
                }
            }
        }
    }

    pub async fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let press: KeyPress = keymap::parse(key).unwrap_or_else(|| panic!("no key {key}"));
            self.send(Msg::Input(InputEvent::Key(press))).await;
            self.ms += 400;
            self.send(Msg::Tick).await;
        }
    }
}
