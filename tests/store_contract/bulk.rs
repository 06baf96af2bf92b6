//! What a bulk load leaves is a database like any other.

use paydeck::domain::ids::{CustomerId, IdQuery, Noun};
use paydeck::engine::ports::{Customers, Desk, Found, Tx};
use paydeck::store::Value;
use paydeck::store::bulk::{BulkWriter, Table};

use crate::bed::{Bed, begin, new_database};
use crate::world;

fn customer(id: i64) -> Vec<Value> {
    let ulid = format!("01J{id:023}");
    let tail: String = ulid.chars().rev().collect();
    let text = |text: &str| Value::from(text);
    vec![
        Value::from(id),
        Value::from(format!("cus_{ulid}")),
        Value::from(tail),
        Value::from(format!("key-{id}")),
        text("이름\twith a tab, \\N and a line\nbreak"),
        text("a@example.com"),
        text("010-1234-5678"),
        text("ㅇㅣㄹㅡㅁ"),
        text("ㅇㄹ"),
        text("a@example.com"),
        text("01012345678"),
        Value::from(1_i64),
        Value::I64(None),
        Value::from(1_i64),
    ]
}

async fn filled(bed: &Bed) {
    let mut writer = BulkWriter::create(&bed.url, &new_database())
        .await
        .expect("create");
    let rows = writer
        .insert_many(Table::Customer, (1..=1_000).map(customer))
        .await
        .expect("insert");
    assert_eq!(rows, 1_000);
    writer.finish().await.expect("finish");
}

async fn opened_like_any_other(bed: Bed) {
    filled(&bed).await;
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let query = IdQuery::parse(Noun::Customer, "000777").expect("an ending");
    let found = tx.find_id(Noun::Customer, &query).await.expect("find");
    assert_eq!(found, Found::One(777));
    let row = tx.customer(CustomerId(777)).await.expect("read");
    assert_eq!(row.name, "이름\twith a tab, \\N and a line\nbreak");
    let next = world::customer(&mut tx).await;
    assert_eq!(next, CustomerId(1_001), "ids go on behind the loaded ones");
    tx.commit().await.expect("commit");
}

#[tokio::test]
async fn sqlite_is_filled_and_then_opened() {
    opened_like_any_other(Bed::sqlite_empty()).await;
}

#[tokio::test]
async fn postgres_is_filled_and_then_opened() {
    if let Some(bed) = Bed::postgres_empty() {
        opened_like_any_other(bed).await;
    }
}

async fn refused_when_it_does_not_fit(bed: Bed) {
    let mut writer = BulkWriter::create(&bed.url, &new_database())
        .await
        .expect("create");
    let short = vec![Value::from(1_i64)];
    assert!(writer.insert_many(Table::Customer, [short]).await.is_err());
}

#[tokio::test]
async fn a_row_of_the_wrong_width_is_refused_by_sqlite() {
    refused_when_it_does_not_fit(Bed::sqlite_empty()).await;
}

#[tokio::test]
async fn a_row_of_the_wrong_width_is_refused_by_postgres() {
    if let Some(bed) = Bed::postgres_empty() {
        refused_when_it_does_not_fit(bed).await;
    }
}

/// The lists of columns are written by hand; every table has exactly those.
#[tokio::test]
async fn every_table_has_the_columns_of_the_bulk_load() {
    let bed = Bed::sqlite_empty().with_schema().await;
    let mut raw = bed.raw().await;
    for table in Table::ALL {
        let name = table.name();
        // A column of a later migration that may be null is left out.
        let query = format!(
            "select name from pragma_table_info('{name}') where not (cid >= {} and \"notnull\" = 0) order by cid",
            table.columns().len()
        );
        assert_eq!(raw.texts(&query).await, table.columns(), "{name}");
    }
}
