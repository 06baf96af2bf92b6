//! Customers, methods, plans, subscriptions, invoices: what is written comes back, and a stale
//! copy is refused.

use paydeck::domain::dunning::DunningState;
use paydeck::domain::failure::FailureClass;
use paydeck::domain::ids::{CustomerId, IdQuery, MethodId, Noun, PublicId};
use paydeck::domain::invoice::InvoiceKind;
use paydeck::domain::period::{Anchor, Interval, Unit};
use paydeck::domain::states::{InvoiceState, MethodState, SubscriptionState};
use paydeck::domain::subscription::{Change, ChangeCause, Term};
use paydeck::engine::ports::{
    Constraint, Customers, Desk, Exclusivity, Found, Invoices, NewCustomer, NewInvoice, NewPlan,
    NewSubscription, Plans, StoreError, Subscriptions, Tx,
};

use crate::bed::{Bed, begin, day};
use crate::on_both;
use crate::world::{Draft, committed, customer, date, id, krw, method, plan, world};

on_both!(
    a_customer_comes_back_and_a_stale_copy_is_refused,
    a_customer_key_and_a_code_exist_once,
    an_id_is_found_whole_or_by_its_ending,
    every_noun_with_an_id_can_be_found,
    a_method_keeps_its_sealed_key_and_moves_by_its_states,
    an_exchange_of_an_auth_key_is_finished_once,
    names_and_mail_are_found_by_a_part_of_them,
    a_plan_comes_back_and_a_stale_copy_is_refused,
    a_subscription_comes_back_with_every_field,
    one_running_subscription_per_product_where_it_is_asked_for,
    terms_begin_end_and_are_never_repeated,
    due_subscriptions_are_claimed_oldest_first,
    incomplete_subscriptions_are_claimed_by_age,
    an_invoice_comes_back_with_every_field,
    a_period_is_invoiced_once,
    due_dunning_is_claimed_oldest_first,
);

fn is_stale(outcome: &Result<(), StoreError>, noun: Noun) -> bool {
    matches!(outcome, Err(StoreError::Stale { noun: found }) if *found == noun)
}

async fn a_customer_comes_back_and_a_stale_copy_is_refused(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = customer(&mut tx).await;
    let mut row = tx.customer(made).await.expect("read");
    assert_eq!((row.name.as_str(), row.version), ("김서현", 1));
    assert_eq!(row.email, "Seohyun@Example.com");
    assert_eq!(row.created_at, day(1));

    let stale = row.clone();
    row.name = "김서연".to_owned();
    row.phone = "02-555-1234".to_owned();
    tx.save_customer(&row).await.expect("save");
    let read = tx.customer(made).await.expect("read");
    assert_eq!((read.name.as_str(), read.version), ("김서연", 2));
    assert!(matches!(
        tx.customer(CustomerId(made.0 + 1)).await,
        Err(StoreError::NotFound {
            noun: Noun::Customer
        })
    ));
    tx.insert_note(&row.public_id, "agent", "called", day(1))
        .await
        .expect("a note");
    assert!(is_stale(&tx.save_customer(&stale).await, Noun::Customer));
    assert!(
        tx.commit().await.is_err(),
        "a failed call ended the transaction"
    );

    let mut tx = begin(&store, &mut desk).await;
    assert!(matches!(
        tx.customer(made).await,
        Err(StoreError::NotFound { .. })
    ));
}

async fn a_customer_key_and_a_code_exist_once(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;

    let mut tx = begin(&store, &mut desk).await;
    let key = tx.customer(made.customer).await.expect("read").customer_key;
    let public_id = id(Noun::Customer);
    let twin = NewCustomer {
        public_id: &public_id,
        customer_key: &key,
        name: "",
        email: "",
        phone: "",
        at: day(1),
    };
    let refused = tx.insert_customer(&twin).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(Constraint::CustomerKey))),
        "{refused:?}"
    );
    drop(tx);

    let mut tx = begin(&store, &mut desk).await;
    let old = tx.plan(made.plan).await.expect("read");
    let public_id = id(Noun::Plan);
    let twin = NewPlan {
        public_id: &public_id,
        product_id: made.product,
        code: &old.code,
        name: "x",
        price: krw(100),
        interval: old.interval,
        tier: "",
        trial_days: 0,
        features: &[],
        at: day(1),
    };
    let refused = tx.insert_plan(&twin).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(Constraint::Code))),
        "{refused:?}"
    );
    drop(tx);

    let mut tx = begin(&store, &mut desk).await;
    let refused = tx
        .insert_product(&id(Noun::Product), &old.code, "x", day(1))
        .await;
    assert!(
        matches!(refused, Err(StoreError::Refused(Constraint::Code))),
        "{refused:?}"
    );
}

async fn an_id_is_found_whole_or_by_its_ending(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let mut made = Vec::new();
    for ulid in [
        "01J0000000000000000000ABCD",
        "01J0000000000000000001ABCD",
        "01J0000000000000000002WXYZ",
    ] {
        let public_id = PublicId::new(Noun::Customer, ulid);
        let new = NewCustomer {
            public_id: &public_id,
            customer_key: ulid,
            name: "",
            email: "",
            phone: "",
            at: day(1),
        };
        made.push(tx.insert_customer(&new).await.expect("a customer"));
    }
    let cases = [
        ("cus_01j0000000000000000001abcd", Found::One(made[1].0)),
        ("1abcd0", Found::None),
        ("01ABCD", Found::One(made[1].0)),
        ("0000000000000000000ABCD", Found::One(made[0].0)),
        ("002wxyz", Found::One(made[2].0)),
    ];
    for (typed, expected) in cases {
        let query = IdQuery::parse(Noun::Customer, typed).expect(typed);
        assert_eq!(
            tx.find_id(Noun::Customer, &query).await.expect("find"),
            expected,
            "{typed}"
        );
    }
    let twin = PublicId::new(Noun::Customer, "01K0000000000000000001ABCD");
    let new = NewCustomer {
        public_id: &twin,
        customer_key: "twin",
        name: "",
        email: "",
        phone: "",
        at: day(1),
    };
    tx.insert_customer(&new).await.expect("a customer");
    let query = IdQuery::parse(Noun::Customer, "01ABCD").expect("an ending");
    assert_eq!(
        tx.find_id(Noun::Customer, &query).await.expect("find"),
        Found::Many
    );
}

async fn every_noun_with_an_id_can_be_found(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    world(&mut tx).await;
    for noun in Noun::ALL {
        for typed in ["01J0000000000000000000000Z", "00000Z"] {
            let query = IdQuery::parse(noun, typed).expect("an id");
            assert_eq!(
                tx.find_id(noun, &query).await.expect("find"),
                Found::None,
                "{noun:?}"
            );
        }
    }
}

async fn a_method_keeps_its_sealed_key_and_moves_by_its_states(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let owner = customer(&mut tx).await;
    assert_eq!(tx.active_method_of(owner).await.expect("none"), None);
    let first = method(&mut tx, owner, day(1)).await;
    let second = method(&mut tx, owner, day(2)).await;
    let row = tx.method(second).await.expect("read");
    assert_eq!(row.card.expiry, Some((2027, 4)));
    assert_eq!(
        (row.card.issuer.as_str(), row.card.last4().as_str()),
        ("61", "123*")
    );
    assert_eq!(tx.active_method_of(owner).await.expect("read"), Some(row));

    let key = tx.sealed_key(first).await.expect("read");
    assert_eq!(
        (key.sealed.as_slice(), key.key_id.as_str()),
        (&[0, 1, 255][..], "k1")
    );
    assert_eq!(
        tx.method_by_hash(&key.hash).await.expect("find"),
        Some(first)
    );
    assert_eq!(tx.method_by_hash("other").await.expect("find"), None);

    tx.move_method(second, MethodState::Active, MethodState::Deleted, day(3))
        .await
        .expect("move");
    assert_eq!(
        tx.method(second).await.expect("read").state,
        MethodState::Deleted
    );
    assert_eq!(
        tx.active_method_of(owner)
            .await
            .expect("read")
            .expect("one")
            .id,
        first
    );
    assert!(matches!(
        tx.sealed_key(MethodId(99)).await,
        Err(StoreError::NotFound { .. })
    ));
    let again = tx
        .move_method(second, MethodState::Active, MethodState::Replaced, day(3))
        .await;
    assert!(is_stale(&again, Noun::Method));
}

async fn an_exchange_of_an_auth_key_is_finished_once(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let owner = customer(&mut tx).await;
    let card = method(&mut tx, owner, day(1)).await;
    let issue = tx
        .insert_issue(owner, "hash", "agent", day(1))
        .await
        .expect("an issue");
    tx.finish_issue(issue, "issued", Some(card), None, day(1))
        .await
        .expect("finish");
    assert!(
        tx.finish_issue(issue, "refused", None, Some("X"), day(1))
            .await
            .is_err()
    );
}

async fn names_and_mail_are_found_by_a_part_of_them(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = customer(&mut tx).await;
    let mut row = tx.customer(made).await.expect("read");
    tx.commit().await.expect("commit");
    let mut raw = bed.raw().await;
    let hits = if bed.is_postgres() {
        "select count(*) from customer where name_jamo like '%ㅅㅓㅎㅕ%' and email_lower like '%hyun@ex%'"
    } else {
        "select count(*) from customer_search where name_jamo match '\"ㅅㅓㅎㅕ\"' and rowid in (select rowid from customer_search where email_lower match '\"hyun@ex\"')"
    };
    assert_eq!(raw.number(hits).await, 1);
    let keys = "select count(*) from customer where name_initials = 'ㄱㅅㅎ' and phone_digits = '01012345678' and email_lower = 'seohyun@example.com'";
    assert_eq!(raw.number(keys).await, 1);

    let mut tx = begin(&store, &mut desk).await;
    row.name = "박하늘".to_owned();
    tx.save_customer(&row).await.expect("save");
    tx.commit().await.expect("commit");
    assert_eq!(raw.number(hits).await, 0, "the search follows the name");
}

async fn a_plan_comes_back_and_a_stale_copy_is_refused(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let (product, made) = plan(&mut tx).await;
    let mut row = tx.plan(made).await.expect("read");
    assert_eq!(
        (row.product_id, row.price, row.trial_days),
        (product, krw(9_900), 7)
    );
    assert_eq!(row.features, ["무제한 \"검색\""]);
    assert!(row.active);
    assert_eq!(
        tx.plan_by_code(&row.code).await.expect("find"),
        Some(row.clone())
    );
    assert_eq!(tx.plan_by_code("none").await.expect("find"), None);
    let found = tx
        .product_by_code(&row.code)
        .await
        .expect("find")
        .expect("a product");
    assert_eq!((found.id, found.name.as_str()), (product, "구독"));
    assert_eq!(tx.product_by_code("none").await.expect("find"), None);

    let stale = row.clone();
    row.active = false;
    row.name = "옛 프로".to_owned();
    tx.save_plan(&row).await.expect("save");
    row.version = 2;
    assert_eq!(tx.plan(made).await.expect("read"), row);
    assert_eq!(tx.count_running_on(made).await.expect("count"), 0);
    assert!(is_stale(&tx.save_plan(&stale).await, Noun::Plan));
}

async fn a_subscription_comes_back_with_every_field(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    assert_eq!(tx.count_running_on(made.plan).await.expect("count"), 1);
    let running = tx.running_subscriptions_of(made.customer).await;
    assert_eq!(running.expect("read"), [made.subscription]);
    let mut row = tx.lock_subscription(made.subscription).await.expect("read");
    let first = (
        row.state,
        row.quantity,
        row.term_no,
        row.next_period,
        row.version,
    );
    assert_eq!(first, (SubscriptionState::Incomplete, 2, 1, 0, 1));
    assert_eq!(
        (row.next_due_at, row.method_id),
        (Some(day(1)), Some(made.method))
    );

    let stale = row.clone();
    row.state = SubscriptionState::Canceled;
    row.quantity = 3;
    row.method_id = None;
    row.term_no = 2;
    row.next_period = 5;
    row.next_due_at = None;
    row.paid_until = Some(day(2));
    row.trial_until = Some(day(3));
    row.cancel_at = Some(day(4));
    row.cancel_requested_at = Some(day(5));
    row.ended_at = Some(day(6));
    row.first_failed_at = Some(day(7));
    tx.save_subscription(&row).await.expect("save");
    row.version = 2;
    assert_eq!(
        tx.lock_subscription(made.subscription).await.expect("read"),
        row
    );
    assert_eq!(tx.count_running_on(made.plan).await.expect("count"), 0);
    assert!(is_stale(
        &tx.save_subscription(&stale).await,
        Noun::Subscription
    ));
}

async fn one_running_subscription_per_product_where_it_is_asked_for(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;
    let mut tx = begin(&store, &mut desk).await;
    let (one, two, three) = (
        id(Noun::Subscription),
        id(Noun::Subscription),
        id(Noun::Subscription),
    );
    let exclusive = |public_id| NewSubscription {
        exclusivity: Exclusivity::OnePerProduct,
        ..made.new_subscription(public_id)
    };
    let first = tx
        .insert_subscription(&exclusive(&one))
        .await
        .expect("the first");
    let mut row = tx.lock_subscription(first).await.expect("read");
    row.state = SubscriptionState::Expired;
    tx.save_subscription(&row).await.expect("end it");
    tx.insert_subscription(&exclusive(&two))
        .await
        .expect("the first has ended");
    let refused = tx.insert_subscription(&exclusive(&three)).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::Refused(Constraint::OneSubscription))
        ),
        "{refused:?}"
    );
}

async fn terms_begin_end_and_are_never_repeated(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let mut term = Term {
        subscription_id: made.subscription,
        term_no: 1,
        plan_id: made.plan,
        anchor: Anchor {
            date: date(31),
            zone: chrono_tz::Asia::Seoul,
            interval: Interval {
                unit: Unit::Quarter,
                count: 2,
            },
        },
        quantity: 2,
        price: krw(9_900),
        from_at: day(1),
        to_at: None,
    };
    tx.insert_term(&term).await.expect("a term");
    assert_eq!(tx.term(made.subscription, 1).await.expect("read"), term);
    tx.end_term(made.subscription, 1, day(9))
        .await
        .expect("end");
    term.to_at = Some(day(9));
    assert_eq!(tx.term(made.subscription, 1).await.expect("read"), term);
    let change = Change {
        subscription_id: made.subscription,
        at: day(1),
        from: None,
        to: SubscriptionState::Incomplete,
        plan_id: made.plan,
        price: krw(9_900),
        quantity: 2,
        discount_minor: 0,
        cause: ChangeCause::Created,
        requested_by: "agent".to_owned(),
        requested_at: day(1),
    };
    tx.insert_change(&change).await.expect("history");
    assert!(matches!(
        tx.term(made.subscription, 2).await,
        Err(StoreError::NotFound { .. })
    ));
    let again = tx.insert_term(&term).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
}

async fn due_subscriptions_are_claimed_oldest_first(bed: Bed) {
    use SubscriptionState::{Active, Canceled, PastDue, Trialing, Unpaid};
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let cases = [
        (Active, Some(5), None, true),
        (Active, Some(20), None, false),
        (Trialing, Some(3), None, true),
        (PastDue, Some(1), None, false),
        (PastDue, Some(1), Some(4), true),
        (Active, Some(20), Some(2), true),
        (Active, Some(6), Some(7), true),
        (Unpaid, Some(1), Some(1), false),
        (Canceled, Some(1), Some(1), false),
        (Active, None, None, false),
        (Active, Some(10), None, true),
    ];
    let mut expected = Vec::new();
    for (state, due, cancel, is_due) in cases {
        let public_id = id(Noun::Subscription);
        let made = tx
            .insert_subscription(&made.new_subscription(&public_id))
            .await
            .expect("one");
        let mut row = tx.lock_subscription(made).await.expect("read");
        row.state = state;
        row.next_due_at = due.map(day);
        row.cancel_at = cancel.map(day);
        tx.save_subscription(&row).await.expect("save");
        if is_due {
            let period = due.filter(|_| state != PastDue);
            expected.push((period.into_iter().chain(cancel).min(), made));
        }
    }
    expected.sort();
    let ids: Vec<_> = expected.iter().map(|(_, id)| *id).collect();
    assert_eq!(tx.count_due_subscriptions(day(10)).await.expect("count"), 6);
    let claimed = tx
        .claim_due_subscriptions(day(10), 50)
        .await
        .expect("claim");
    assert_eq!(claimed.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
    let first = tx.claim_due_subscriptions(day(10), 2).await.expect("claim");
    assert_eq!(first.iter().map(|row| row.id).collect::<Vec<_>>(), ids[..2]);
}

async fn incomplete_subscriptions_are_claimed_by_age(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let none = tx.claim_stale_incomplete(day(1), 5).await.expect("claim");
    assert!(none.is_empty(), "the instant itself is not before");
    let found = tx.claim_stale_incomplete(day(2), 5).await.expect("claim");
    assert_eq!(
        found.iter().map(|row| row.id).collect::<Vec<_>>(),
        [made.subscription]
    );
    // One whose charge is open takes nobody's place among those that may end.
    Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    let none = tx.claim_stale_incomplete(day(2), 5).await.expect("claim");
    assert!(none.is_empty(), "{none:?}");
}

async fn an_invoice_comes_back_with_every_field(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let mut row = tx.lock_invoice(made.invoice).await.expect("read");
    assert_eq!(
        (row.amount, row.description.as_str()),
        (krw(9_900), "프로 1개월")
    );
    assert_eq!((row.period_from, row.period_to), (date(1), date(31)));
    assert_eq!((row.dunning, row.version), (DunningState::Idle, 1));
    assert_eq!(
        tx.subscription_of_invoice(made.invoice)
            .await
            .expect("read"),
        Some(made.subscription)
    );

    let stale = row.clone();
    row.attempts = 2;
    row.dunning_used = 1;
    row.dunning = DunningState::Scheduled;
    row.next_attempt_at = Some(day(4));
    row.first_failed_at = Some(day(2));
    row.last_code = Some("REJECT_CARD_PAYMENT".to_owned());
    row.last_class = Some(FailureClass::Soft);
    row.paid_at = Some(day(5));
    row.state = InvoiceState::Uncollectible;
    tx.save_invoice(&row).await.expect("save");
    row.version = 2;
    assert_eq!(tx.lock_invoice(made.invoice).await.expect("read"), row);

    let second = made.another_invoice(&mut tx, 1).await;
    let mut paid = tx.lock_invoice(second).await.expect("read");
    let unpaid = tx
        .unpaid_invoices_of(made.subscription)
        .await
        .expect("read");
    assert_eq!(
        unpaid.iter().map(|row| row.id).collect::<Vec<_>>(),
        [made.invoice, second]
    );
    paid.state = InvoiceState::Paid;
    tx.save_invoice(&paid).await.expect("save");
    let unpaid = tx
        .unpaid_invoices_of(made.subscription)
        .await
        .expect("read");
    assert_eq!(unpaid.len(), 1);
    assert!(is_stale(&tx.save_invoice(&stale).await, Noun::Invoice));
}

async fn a_period_is_invoiced_once(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let made = committed(&store).await;
    let mut tx = begin(&store, &mut desk).await;
    let (one, two, three) = (id(Noun::Invoice), id(Noun::Invoice), id(Noun::Invoice));
    for public_id in [&one, &two] {
        let once = NewInvoice {
            subscription_id: None,
            kind: InvoiceKind::OneTime,
            ..made.new_invoice(public_id, 0)
        };
        tx.insert_invoice(&once)
            .await
            .expect("one-time invoices belong to no period");
    }
    let refused = tx.insert_invoice(&made.new_invoice(&three, 0)).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(Constraint::InvoicePeriod))),
        "{refused:?}"
    );
}

async fn due_dunning_is_claimed_oldest_first(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let cases = [
        (DunningState::Scheduled, Some(6)),
        (DunningState::Scheduled, Some(4)),
        (DunningState::AwaitingCard, None),
        (DunningState::Scheduled, Some(20)),
        (DunningState::Exhausted, Some(1)),
    ];
    let mut ids = Vec::new();
    for (index, (dunning, next)) in (1_u32..).zip(cases) {
        let made = made.another_invoice(&mut tx, index).await;
        let mut row = tx.lock_invoice(made).await.expect("read");
        row.dunning = dunning;
        row.next_attempt_at = next.map(day);
        tx.save_invoice(&row).await.expect("save");
        ids.push(made);
    }
    assert_eq!(tx.count_due_dunning(day(6)).await.expect("count"), 2);
    let claimed = tx.claim_due_dunning(day(6), 9).await.expect("claim");
    assert_eq!(
        claimed.iter().map(|row| row.id).collect::<Vec<_>>(),
        [ids[1], ids[0]]
    );
    assert_eq!(
        tx.claim_due_dunning(day(6), 1).await.expect("claim").len(),
        1
    );

    let mut row = tx.lock_invoice(ids[2]).await.expect("read");
    row.first_failed_at = Some(day(2));
    tx.save_invoice(&row).await.expect("save");
    let failed = tx.failed_invoices_of_customer(made.customer).await;
    assert_eq!(failed.expect("read"), [ids[2]]);

    let public_id = id(Noun::Invoice);
    let once = NewInvoice {
        subscription_id: None,
        kind: InvoiceKind::OneTime,
        ..made.new_invoice(&public_id, 0)
    };
    let once = tx.insert_invoice(&once).await.expect("one-time");
    let mut row = tx.lock_invoice(once).await.expect("read");
    row.dunning = DunningState::Scheduled;
    row.next_attempt_at = Some(day(1));
    tx.save_invoice(&row).await.expect("save");
    let count = tx.count_due_dunning(day(6)).await.expect("count");
    assert_eq!(count, 2, "people retry those");
    let claimed = tx.claim_due_dunning(day(6), 9).await.expect("claim");
    assert_eq!(claimed.len(), 2);
}
