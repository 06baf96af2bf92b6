//! No list, search or figure of the first screen reads a large table from end to end: SQLite says so
//! itself. An index that is dropped or no longer fits its statement is seen here.

use chrono::{TimeZone, Utc};

use super::hits::Pick;
use super::list::{Asked, List};
use super::query::{Flavour, Query};
use super::{customers, failed, find, payments, renewals, subscriptions, unknowns};
use crate::domain::mode::Mode;
use crate::domain::money::{Currency, Money};
use crate::engine::queries::{Cursor, Filter, ListQuery, LocalDay, Order, SortBy, Toward};
use crate::store::{DatabaseUrl, NewDatabase, OpenOptions, SqlStore, create};

/// Tables that grow with the business.
const LARGE: [&str; 9] = [
    "payment",
    "attempt",
    "invoice",
    "evidence",
    "customer",
    "subscription",
    "audit",
    "subscription_change",
    "refund",
];
/// The names that statements give them.
const ALIASES: [(&str, &str); 10] = [
    ("p", "payment"),
    ("a", "attempt"),
    ("i", "invoice"),
    ("c", "customer"),
    ("s", "subscription"),
    ("x", "a table by its ids"),
    ("u", "attempt"),
    ("h", "attempt"),
    ("m", "payment_method"),
    ("t", "subscription_term"),
];

struct Bench {
    store: SqlStore,
    _directory: tempfile::TempDir,
}

async fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(directory.path().join("paydeck.db"));
    let new = NewDatabase {
        mode: Mode::Sim,
        zone: chrono_tz::Asia::Seoul,
        key_id: "k1",
        install_id: "ABCDEFGH",
        install_secret: "not a secret",
        at: Utc.with_ymd_and_hms(2026, 3, 1, 0, 0, 0).unwrap(),
    };
    create(&url, &new).await.unwrap();
    let store = SqlStore::open(&url, OpenOptions::read_only("tester")).await;
    Bench {
        store: store.unwrap(),
        _directory: directory,
    }
}

impl Bench {
    /// The lines of a plan that read a large table without looking anything up.
    async fn scans(&self, query: Query) -> Vec<String> {
        let mut scans = Vec::new();
        for row in self.store.fetch(query.explained()).await.unwrap() {
            let line = row.counts("plan").text("detail").unwrap();
            let mut words = line.split_whitespace();
            let is_scan = words.next() == Some("SCAN");
            let name = words.next().unwrap_or_default();
            let is_large = LARGE.contains(&name) || ALIASES.iter().any(|(alias, _)| *alias == name);
            // In the order of an index, with a limit: it ends with the page.
            let is_walk = line.contains("USING INDEX") || line.contains("USING COVERING INDEX");
            if is_scan && is_large && !is_walk {
                scans.push(line);
            }
        }
        scans
    }

    async fn lists_without_a_scan(&self, list: &List, asked: &ListQuery) {
        let (query, _) = list.page(&Asked::from(asked), Flavour::Sqlite).unwrap();
        let text = query.text().to_owned();
        let scans = self.scans(query).await;
        assert!(scans.is_empty(), "{}: {scans:?}\n{text}", list.name);
    }
}

fn asked(typed: &str, sort: Option<(SortBy, Order)>) -> [ListQuery; 3] {
    let first = ListQuery {
        filter: Filter::parse(typed).unwrap(),
        sort,
        ..ListQuery::first(50)
    };
    let cursor = Some(Cursor {
        number: 1,
        text: "x".into(),
        id: 1,
    });
    [
        first.clone(),
        ListQuery {
            cursor: cursor.clone(),
            ..first.clone()
        },
        ListQuery {
            cursor,
            toward: Toward::Earlier,
            ..first
        },
    ]
}

#[tokio::test]
async fn a_scan_is_noticed() {
    let bench = bench().await;
    let scan = Query::new("select p.id from payment p where p.mode = 'live' and p.version = 7");
    assert_eq!(bench.scans(scan).await.len(), 1);
}

#[tokio::test]
async fn no_page_of_a_hot_list_scans_a_large_table() {
    let bench = bench().await;
    let lists: [(&List, &[&str]); 6] = [
        (
            &payments::PAYMENTS,
            &[
                "",
                "서현",
                "4242",
                "w8y0b2d",
                "amount:9900",
                "status:refunded",
                "plan:pro",
            ],
        ),
        (
            &subscriptions::SUBSCRIPTIONS,
            &["", "status:past_due", "plan:pro status:past_due", "서현"],
        ),
        (&subscriptions::RENEWALS, &["", "plan:pro"]),
        (&failed::FAILED, &["", "class:soft", "서현"]),
        (&unknowns::UNKNOWNS, &["", "status:sent"]),
        (
            &customers::CUSTOMERS,
            &["", "서현", "ㄱㅅㅎ", "010-1234", "a@b.co"],
        ),
    ];
    for (list, filters) in lists {
        for typed in filters {
            for query in asked(typed, None) {
                bench.lists_without_a_scan(list, &query).await;
            }
        }
    }
    for (sort, order) in [
        (SortBy::Amount, Order::Descending),
        (SortBy::Name, Order::Ascending),
    ] {
        for query in asked("", Some((sort, order))) {
            bench
                .lists_without_a_scan(&payments::PAYMENTS, &query)
                .await;
        }
    }
}

#[tokio::test]
async fn an_ordered_page_is_not_sorted() {
    let bench = bench().await;
    for query in asked("", None) {
        for list in [
            &payments::PAYMENTS,
            &customers::CUSTOMERS,
            &subscriptions::RENEWALS,
            &failed::FAILED,
        ] {
            let (page, _) = list.page(&Asked::from(&query), Flavour::Sqlite).unwrap();
            let rows = bench.store.fetch(page.explained()).await.unwrap();
            let lines: Vec<String> = rows
                .iter()
                .map(|row| row.counts("plan").text("detail").unwrap())
                .collect();
            // One sort is allowed: that of the picked rows, whichever way they were read.
            let sorts = lines
                .iter()
                .filter(|line| line.contains("TEMP B-TREE"))
                .count();
            assert!(sorts <= 1, "{}: {lines:?}", list.name);
        }
    }
}

#[tokio::test]
async fn no_search_scans_a_large_table() {
    let bench = bench().await;
    let won = [Money::new(9_900, Currency::KRW)];
    for typed in [
        "w8y0b2d",
        "pay_01KABCDE",
        "pdabcdefgh-01KA",
        "tgen_x",
        "key-1",
        "a@b.co",
        "4242",
        "010-1234",
        "9,900",
        "ㄱㅅㅎ",
        "서현",
        "김",
        "anna",
    ] {
        for pick in find::picks(typed, Flavour::Sqlite, 20, &won) {
            let query = Pick::query(&pick);
            let text = query.text().to_owned();
            let scans = bench.scans(query).await;
            assert!(
                scans.is_empty(),
                "{typed} as {}: {scans:?}\n{text}",
                pick.matched
            );
        }
    }
}

#[tokio::test]
async fn renewals_within_a_quarter_of_an_hour_are_picked_before_their_terms_are_read() {
    let bench = bench().await;
    let at = |minute| Utc.with_ymd_and_hms(2026, 3, 1, 0, minute, 0).unwrap();
    let rest_of_a_quarter = LocalDay {
        date: at(0).date_naive(),
        from: at(7),
        to: at(15),
    };
    let query = renewals::statement(&[rest_of_a_quarter], chrono_tz::Asia::Seoul);
    let rows = bench.store.fetch(query.explained()).await.unwrap();
    let plan: Vec<String> = rows
        .iter()
        .map(|row| row.counts("plan").text("detail").unwrap())
        .collect();
    let place = |what: &str| plan.iter().position(|line| line.contains(what));
    let picked = place("subscription_renewal (renews_at>? AND renews_at<?)");
    let terms = place("SEARCH t USING INDEX subscription_term_number");
    assert!(picked.is_some() && picked < terms, "{plan:#?}");
}
