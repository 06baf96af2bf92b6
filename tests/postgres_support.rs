//! The private PostgreSQL that other tests stand on: it is what they take it for.

mod support;

use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn each_test_gets_an_empty_database_of_its_own() {
    let Some(first) = support::postgres::database() else {
        return;
    };
    let Some(second) = support::postgres::database() else {
        return;
    };
    let mut in_first = PgConnection::connect(&first.url).await.expect("connect");
    let mut in_second = PgConnection::connect(&second.url).await.expect("connect");

    sqlx::query("create table only_here (id bigint)")
        .execute(&mut in_first)
        .await
        .expect("create");

    let seen: i64 =
        sqlx::query_scalar("select count(*) from pg_tables where tablename = 'only_here'")
            .fetch_one(&mut in_second)
            .await
            .expect("count");
    assert_eq!(seen, 0);
}

#[tokio::test]
async fn a_dropped_database_is_gone_although_someone_is_connected() {
    let Some(gone) = support::postgres::database() else {
        return;
    };
    let url = gone.url.clone();
    let mut connected = PgConnection::connect(&url).await.expect("connect");

    drop(gone);

    assert!(
        sqlx::query("select 1")
            .execute(&mut connected)
            .await
            .is_err()
    );
    assert!(PgConnection::connect(&url).await.is_err());
}

#[tokio::test]
async fn hangul_is_stored_and_compared_as_utf8() {
    let Some(database) = support::postgres::database() else {
        return;
    };
    let mut connection = PgConnection::connect(&database.url).await.expect("connect");

    let (encoding, locale): (String, String) = sqlx::query_as(
        "select pg_encoding_to_char(encoding), datctype from pg_database where datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .expect("read");

    assert_eq!((encoding.as_str(), locale.as_str()), ("UTF8", "C.UTF-8"));
}
