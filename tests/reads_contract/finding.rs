//! One box for everything.

use chrono::Duration;
use paydeck::engine::queries::{Hit, HitTarget, Reads};
use paydeck::store::SqlStore;

use crate::on_both;
use crate::world::{Bed, Rows, noon, set, ulid};

on_both!(
    every_kind_of_key_finds_its_row_first,
    hangul_is_found_by_part_and_by_initials,
    a_phone_number_is_found_however_it_is_typed,
    the_newest_payment_of_an_amount_comes_first,
    nothing_is_found_twice_and_nothing_by_nothing,
);

fn planted() -> Rows {
    let mut rows = Rows::basics();
    rows.card(1, 2, "4243", (2030, 1), set! {});
    rows.card(91, 3, "771*", (2030, 1), set! {});
    rows.card(2, 1, "1881", (2030, 1), set! {});
    rows.subscription(1, 1, (2, 27_000), "active", set! { method_id: 2_i64 });
    for id in 1..=40_i64 {
        rows.customer(
            100 + id,
            "박지우",
            &format!("user{id}@example.net"),
            &format!("010-3333-{id:04}"),
        );
        rows.payment(
            id,
            100 + id,
            4_900,
            noon(3) + Duration::minutes(id),
            set! {},
        );
    }
    rows.payment(
        500,
        1,
        27_000,
        noon(4),
        set! { plan_id: 2_i64, provider_ref: "tgen_20260304SEOHYUN" },
    );
    rows.invoice(900, 2, 777, "open", set! {});
    rows.attempt(
        900,
        900,
        2,
        777,
        set! { state: "unknown", settled_on: Option::<&str>::None },
    );
    rows
}

async fn first(store: &SqlStore, text: &str) -> Hit {
    let hits = store.find(text, 10).await.expect("a search");
    hits.into_iter()
        .next()
        .unwrap_or_else(|| panic!("{text:?} finds nothing"))
}

async fn every_kind_of_key_finds_its_row_first(bed: Bed) {
    let store = bed.with(&planted()).await;
    let of = |id: i64| ulid(id);
    let order = format!("pdabcdefgh-{}-1", of(500));
    let unpaid_order = format!("pdabcdefgh-{}-1", of(900));
    for (typed, matched, public_id) in [
        (format!("pay_{}", of(500)), "id", format!("pay_{}", of(500))),
        (
            format!("PAY_{}", of(500).to_lowercase()),
            "id",
            format!("pay_{}", of(500)),
        ),
        (
            format!("pay_…{}", &of(500)[18..]),
            "id",
            format!("pay_{}", of(500)),
        ),
        (
            format!("sub_{}", &of(1)[18..]),
            "id",
            format!("sub_{}", of(1)),
        ),
        (
            format!("cus_{}", &of(2)[18..]),
            "id",
            format!("cus_{}", of(2)),
        ),
        (
            format!("inv_{}", &of(900)[18..]),
            "id",
            format!("inv_{}", of(900)),
        ),
        (
            format!("att_{}", &of(900)[18..]),
            "id",
            format!("att_{}", of(900)),
        ),
        (
            format!("plan_{}", &of(2)[18..]),
            "id",
            format!("plan_{}", of(2)),
        ),
        (order.clone(), "order_id", format!("pay_{}", of(500))),
        (
            order[..order.len() - 2].to_owned(),
            "order_id",
            format!("pay_{}", of(500)),
        ),
        (unpaid_order, "order_id", format!("att_{}", of(900))),
        (
            "tgen_20260304SEOHYUN".to_owned(),
            "provider_ref",
            format!("pay_{}", of(500)),
        ),
        (
            "key-000002".to_owned(),
            "customer_key",
            format!("cus_{}", of(2)),
        ),
        (
            "seohyun@example.com".to_owned(),
            "email",
            format!("cus_{}", of(1)),
        ),
        ("SEOHYUN@exam".to_owned(), "email", format!("cus_{}", of(1))),
        ("eohyu".to_owned(), "email", format!("cus_{}", of(1))),
        ("50%@".to_owned(), "email", format!("cus_{}", of(3))),
        ("4243".to_owned(), "card", format!("cus_{}", of(2))),
        // The provider hides the last digit: three of the four that are read out decide.
        ("7714".to_owned(), "card", format!("cus_{}", of(3))),
        ("27,000".to_owned(), "amount", format!("pay_{}", of(500))),
        ("₩27000".to_owned(), "amount", format!("pay_{}", of(500))),
        ("27,000원".to_owned(), "amount", format!("pay_{}", of(500))),
        ("pro-year".to_owned(), "plan", format!("plan_{}", of(3))),
    ] {
        let hit = first(&store, &typed).await;
        assert_eq!(
            (hit.matched, hit.public_id.as_str()),
            (matched, public_id.as_str()),
            "{typed}"
        );
    }
    let paid = first(&store, "27,000").await;
    assert_eq!(
        (paid.customer.name.as_str(), paid.label.as_str()),
        ("김서현", "Plan pro")
    );
    assert_eq!(paid.amount.map(|amount| amount.minor()), Some(27_000));
    assert_eq!(first(&store, "4243").await.label, "****-****-****-4243");
}

async fn hangul_is_found_by_part_and_by_initials(bed: Bed) {
    let store = bed.with(&planted()).await;
    for typed in [
        "김서현",
        "서현",
        "ㄱㅅㅎ",
        "ㄱㅅ",
        "김서",
        "김ㅅ",
        "ㄳㅎ",
        "김",
    ] {
        let hit = first(&store, typed).await;
        assert_eq!(
            (hit.matched, hit.customer.name.as_str()),
            ("name", "김서현"),
            "{typed}"
        );
        assert_eq!(hit.label, "Plan pro", "{typed}");
    }
    assert_eq!(first(&store, "anna").await.customer.name, "Anna Kim");
    assert_eq!(first(&store, "na ki").await.customer.name, "Anna Kim");
}

async fn a_phone_number_is_found_however_it_is_typed(bed: Bed) {
    let store = bed.with(&planted()).await;
    for typed in [
        "010-1234-5678",
        "01012345678",
        "010-1234",
        "1234-5678",
        "5678",
        "1234",
        "+82 10-1234-5678",
    ] {
        let hit = first(&store, typed).await;
        assert_eq!(
            (hit.matched, hit.customer.name.as_str()),
            ("phone", "김서현"),
            "{typed}"
        );
    }
    assert_eq!(first(&store, "4242").await.customer.name, "이민준");
}

async fn the_newest_payment_of_an_amount_comes_first(bed: Bed) {
    let store = bed.with(&planted()).await;
    let hits = store.find("4,900", 10).await.expect("a search");
    assert_eq!(hits.len(), 10);
    let ids: Vec<HitTarget> = hits.iter().map(|hit| hit.target).collect();
    let newest = (31..=40)
        .rev()
        .map(|id| HitTarget::Payment(paydeck::domain::ids::PaymentId(id)));
    assert_eq!(ids, newest.collect::<Vec<_>>());
}

async fn nothing_is_found_twice_and_nothing_by_nothing(bed: Bed) {
    let store = bed.with(&planted()).await;
    let hits = store.find("서현", 10).await.expect("a search");
    assert_eq!(hits.len(), 1);
    for typed in [
        "",
        "   ",
        "nobody",
        "없는사람",
        "999999999",
        "pay_",
        "@",
        "-",
    ] {
        assert_eq!(
            store.find(typed, 10).await.expect("a search"),
            [],
            "{typed:?}"
        );
    }
}
