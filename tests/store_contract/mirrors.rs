//! Subscriptions that a provider schedules: nobody has two schedulers, whoever writes it. Each rule refuses what it is
//! there for, and the same statement passes without it.

use paydeck::domain::ids::{Noun, SubscriptionId};
use paydeck::domain::mirror::{Collection, Mirror, WishVerb};
use paydeck::domain::mode::ProviderName;
use paydeck::engine::ports::{Attempts, Desk, EventCursor, Mirrors, NewWish, Subscriptions, Tx};

use crate::bed::{Bed, Raw, begin, day};
use crate::on_both;
use crate::rules::tried;
use crate::world::{Draft, id, world};

on_both!(
    nobody_has_two_schedulers,
    a_run_never_sees_what_its_provider_schedules,
    what_is_to_be_read_is_so_from_the_last_hint_on,
);

pub const INDEXES: [&str; 6] = [
    "subscription_provider_ref",
    "invoice_provider_ref",
    "mirror_subscription",
    "mirror_act_key",
    "mirror_act_open",
    "event_cursor_provider",
];
pub const TRIGGERS_IN_SQLITE: [&str; 11] = [
    "subscription_two_schedulers",
    "subscription_change_mirrored",
    "invoice_two_schedulers",
    "invoice_mirrored",
    "attempt_two_schedulers",
    "mirror_scheduler",
    "mirror_kept",
    "mirror_act_fixed",
    "mirror_act_final",
    "mirror_act_kept",
    "inbox_move",
];
pub const TRIGGERS_IN_POSTGRES: [&str; 12] = [
    "subscription_two_schedulers",
    "subscription_change_mirrored",
    "invoice_two_schedulers",
    "invoice_mirrored",
    "invoice_mirrored_dunning",
    "attempt_two_schedulers",
    "mirror_scheduler",
    "mirror_kept",
    "mirror_act_fixed",
    "mirror_act_final",
    "mirror_act_kept",
    "inbox_move",
];

const SUBSCRIPTION: &str = "insert into subscription (public_id, tail, customer_id, product_id, plan_id, state, quantity, mode, term_no, next_period, scheduler, provider_ref, created_at)
    select 'x', 'x', customer_id, product_id, plan_id, 'canceled', 1, mode, 1, 0,";
const INVOICE: &str = "insert into invoice (public_id, tail, customer_id, subscription_id, term_no, period_index, kind, state, amount_minor, currency, description, due_at, period_from, period_to, created_at, dunning, provider_ref)
    select 'x', 'x', customer_id, subscription_id, 1, 99, kind, 'open', 1, currency, '', 1, period_from, period_to, 1,";
const WISH: &str = "insert into mirror_act (subscription_id, verb, provider_ref, lease_owner, lease_until, first_sent_at, operator, reason, idem_key, state, settled_at)
    select subscription_id, verb, provider_ref, lease_owner, 1, 1, operator, reason,";

/// Rule, its table, and what it is there for.
fn rules() -> Vec<(&'static str, &'static str, String)> {
    let theirs = "from invoice where provider_ref is not null";
    vec![
        (
            "subscription_provider_ref",
            "",
            format!("{SUBSCRIPTION} 'stripe', provider_ref, 1 from subscription where provider_ref is not null"),
        ),
        (
            "invoice_provider_ref",
            "",
            format!("{INVOICE} 'idle', provider_ref {theirs}"),
        ),
        (
            "mirror_subscription",
            "",
            "insert into mirror (subscription_id, provider_customer, read_at) select subscription_id, 'c', 1 from mirror".to_owned(),
        ),
        (
            "mirror_act_key",
            "",
            format!("{WISH} idem_key, 'done', 1 from mirror_act"),
        ),
        (
            "mirror_act_open",
            "",
            format!("{WISH} 'other', 'unknown', null from mirror_act"),
        ),
        (
            "event_cursor_provider",
            "",
            "insert into event_cursor (provider, event_key, happened_at, pulled_at) values ('stripe', 'e', 1, 1)".to_owned(),
        ),
        (
            "subscription_two_schedulers",
            "subscription",
            "update subscription set scheduler = 'paydeck', provider_ref = null where provider_ref is not null".to_owned(),
        ),
        (
            "subscription_change_mirrored",
            "subscription_change",
            "insert into subscription_change (subscription_id, at, to_state, plan_id, price_minor, currency, quantity, discount_minor, cause, requested_by, requested_at)
            select id, 1, 'canceled', plan_id, 1, 'KRW', 1, 0, 'canceled_now', 'kim', 1 from subscription where provider_ref is not null".to_owned(),
        ),
        (
            "invoice_two_schedulers",
            "invoice",
            format!("{INVOICE} 'idle', null {theirs}"),
        ),
        (
            "invoice_mirrored",
            "invoice",
            "update invoice set dunning = 'scheduled' where provider_ref is not null".to_owned(),
        ),
        (
            "attempt_two_schedulers",
            "attempt",
            "insert into attempt (public_id, tail, kind, invoice_id, customer_id, attempt_no, source, provider, mode, order_id, idem_key, body, amount_minor, currency, also_cancel, state, operator, reason, created_at)
            select 'x', 'x', 'charge', (select max(id) from invoice where provider_ref is not null), customer_id, 99, source, provider, mode, 'x', 'x', body, amount_minor, currency, also_cancel, 'ready', operator, reason, created_at from attempt".to_owned(),
        ),
        (
            "mirror_scheduler",
            "mirror",
            "insert into mirror (subscription_id, provider_customer, read_at) select id, 'c', 1 from subscription where scheduler = 'paydeck'".to_owned(),
        ),
        ("mirror_kept", "mirror", "delete from mirror".to_owned()),
        (
            "mirror_act_fixed",
            "mirror_act",
            "update mirror_act set idem_key = 'z'".to_owned(),
        ),
        (
            "mirror_act_final",
            "mirror_act",
            "update mirror_act set state = 'done', settled_at = 1; update mirror_act set state = 'unknown', settled_at = null".to_owned(),
        ),
        ("mirror_act_kept", "mirror_act", "delete from mirror_act".to_owned()),
        (
            "inbox_move",
            "inbox",
            "update inbox set state = 'processed'; update inbox set state = 'received'".to_owned(),
        ),
    ]
}

async fn mirrored(bed: &Bed) -> Raw {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    let public_id = id(Noun::Subscription);
    let mut new = made.new_subscription(&public_id);
    new.next_due_at = Some(day(1));
    let mirror = Mirror {
        subscription_id: SubscriptionId(0),
        provider_ref: "sub_1".to_owned(),
        provider_customer: "cus_1".to_owned(),
        collection: Collection::On,
        resumes_at: None,
        read_at: day(1),
        read_again_at: None,
        tries: 0,
        version: 0,
    };
    let theirs = tx.insert_mirrored(&new, &mirror).await.expect("mirrored");
    let mut row = tx.lock_subscription(theirs).await.expect("read");
    row.state = paydeck::domain::states::SubscriptionState::Active;
    tx.save_subscription(&row).await.expect("active");
    let public_id = id(Noun::Invoice);
    let mut invoice = made.new_invoice(&public_id, 0);
    invoice.subscription_id = Some(theirs);
    tx.insert_mirrored_invoice(&invoice, "in_1")
        .await
        .expect("an invoice");
    let at = tx.db_now().await.expect("a clock");
    tx.insert_wish(&NewWish {
        subscription_id: theirs,
        invoice_id: None,
        verb: WishVerb::CancelAtEnd,
        provider_ref: "sub_1",
        idem_key: "k",
        lease_owner: "p",
        lease_until: at,
        operator: "kim",
        reason: "",
        at,
    })
    .await
    .expect("a wish");
    let cursor = EventCursor {
        event_key: "evt_1".to_owned(),
        happened_at: day(1),
        pulled_at: at,
    };
    tx.save_event_cursor(ProviderName::Stripe, &cursor)
        .await
        .expect("a cursor");
    tx.commit().await.expect("commit");
    store.close().await;
    let mut raw = bed.raw().await;
    raw.must("insert into inbox (provider, mode, event_key, kind, shape, body_sha256, received_at) values ('stripe', 'sim', 'evt_1', 'k', '', '', 1)").await;
    raw
}

async fn nobody_has_two_schedulers(bed: Bed) {
    let mut raw = mirrored(&bed).await;
    for (name, table, violation) in rules() {
        let without = match (table, bed.is_postgres()) {
            ("", _) => format!("drop index {name}"),
            (_, true) => format!("drop trigger {name} on {table}"),
            (_, false) => format!("drop trigger {name}"),
        };
        tried(&mut raw, name, "select 1", &without, &violation).await;
    }
    let dunned =
        format!("{INVOICE} 'scheduled', 'in_2' from invoice where provider_ref is not null");
    let nameless = format!(
        "{SUBSCRIPTION} 'paydeck', 'sub_9', 1 from subscription where provider_ref is null"
    );
    let unasked = "insert into mirror_act (subscription_id, verb, provider_ref, lease_owner, lease_until, first_sent_at, operator, reason, idem_key, state, settled_at)
        select subscription_id, 'pay', provider_ref, lease_owner, 1, 1, operator, reason, 'q', 'done', 1 from mirror_act";
    for refused in [dunned.as_str(), nameless.as_str(), unasked] {
        assert!(raw.run(refused).await.is_err(), "{refused}");
    }
}

async fn a_run_never_sees_what_its_provider_schedules(bed: Bed) {
    drop(mirrored(&bed).await);
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let later = day(28);
    let due = tx.claim_due_subscriptions(later, 100).await.expect("due");
    assert!(due.iter().all(|row| row.scheduler.is_ours()));
    let count = tx.count_due_subscriptions(later).await.expect("count");
    assert_eq!(count, u64::try_from(due.len()).expect("few"));
    let dunning = paydeck::engine::ports::Invoices::count_due_dunning(&mut tx, later);
    assert_eq!(dunning.await.expect("count"), 0);
}

/// A reading that began between two hints answers the first of them only.
async fn what_is_to_be_read_is_so_from_the_last_hint_on(bed: Bed) {
    drop(mirrored(&bed).await);
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let id = tx.mirrored("sub_1").await.expect("read").expect("known");
    for at in [day(9), day(2), day(3)] {
        tx.mark_mirror(id, at).await.expect("marked");
        let mirror = tx.mirror(id).await.expect("read").expect("mirrored");
        assert_eq!(mirror.read_again_at, Some(at));
    }
}
