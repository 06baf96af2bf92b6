//! Cards and timelines.

use chrono::Duration;
use paydeck::domain::attempt::Source;
use paydeck::domain::ids::{AttemptId, CustomerId, InvoiceId, Noun, PaymentId, SubscriptionId};
use paydeck::engine::ports::StoreError;
use paydeck::engine::queries::{Reads, TimelineEvent};
use paydeck::store::bulk::Table;

use crate::on_both;
use crate::world::{Bed, Rows, date, noon, set, ulid};

on_both!(
    a_customer_card_holds_everything,
    a_subscription_card_holds_invoices_and_history,
    a_timeline_is_in_order,
    what_is_not_there_is_not_found,
);

async fn a_customer_card_holds_everything(bed: Bed) {
    let mut rows = Rows::basics();
    rows.card(1, 1, "1111", (2030, 1), set! { state: "replaced" });
    rows.card(2, 1, "2222", (2031, 7), set! {});
    rows.subscription(
        1,
        1,
        (2, 27_000),
        "active",
        set! { method_id: 2_i64, next_due_at: noon(20) },
    );
    rows.subscription(2, 1, (1, 9_900), "canceled", set! { method_id: 1_i64 });
    rows.subscription(3, 2, (1, 9_900), "active", set! {});
    for id in 1..=20_i64 {
        rows.payment(
            id,
            1,
            9_900,
            noon(3) + Duration::minutes(id),
            set! { refunded_minor: if id == 1 { 900_i64 } else { 0 } },
        );
    }
    rows.invoice(40, 1, 500, "open", set! { first_failed_at: noon(5) });
    rows.invoice(41, 1, 500, "open", set! {});
    rows.attempt(
        41,
        41,
        1,
        500,
        set! { state: "unknown", settled_on: Option::<&str>::None },
    );
    for (id, target) in [
        (1, format!("cus_{}", ulid(1))),
        (2, format!("pay_{}", ulid(2))),
        (3, format!("cus_{}", ulid(2))),
    ] {
        rows.put(Table::Note, &set! { id: id, target: target, author: "kim", body: format!("note {id}"), at: noon(4) + Duration::minutes(id) });
    }
    let store = bed.with(&rows).await;
    let card = store.customer_card(CustomerId(1)).await.expect("a card");
    assert_eq!(
        (card.customer.name.as_str(), card.customer.email.as_str()),
        ("김서현", "seohyun@example.com")
    );
    assert_eq!(
        card.subscriptions
            .iter()
            .map(|row| row.id.0)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        card.subscriptions[0].card.as_ref().unwrap().expiry,
        Some((2031, 7))
    );
    assert_eq!(
        card.methods
            .iter()
            .map(|method| method.id.0)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    assert_eq!((card.payments.len(), card.payments[0].id.0), (12, 20));
    assert_eq!(
        card.failures
            .iter()
            .map(|row| row.invoice_id.0)
            .collect::<Vec<_>>(),
        [40]
    );
    assert_eq!(
        card.unknowns.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        [41]
    );
    let notes: Vec<&str> = card.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(notes, ["note 2", "note 1"]);
    assert_eq!(card.lifetime[0].minor(), 20 * 9_900 - 900);
}

async fn a_subscription_card_holds_invoices_and_history(bed: Bed) {
    let mut rows = Rows::basics();
    rows.subscription(1, 1, (2, 27_000), "active", set! {});
    for id in 1..=30_i64 {
        rows.invoice(id, 1, 27_000, "paid", set! { subscription_id: 1_i64 });
        rows.put(Table::SubscriptionChange, &set! {
            id: id, subscription_id: 1_i64, at: noon(2) + Duration::hours(id), to_state: "active", plan_id: 2_i64,
            price_minor: 27_000_i64, currency: "KRW", cause: "activated", requested_by: "kim", requested_at: noon(2),
        });
    }
    let store = bed.with(&rows).await;
    let card = store
        .subscription_card(SubscriptionId(1))
        .await
        .expect("a card");
    assert_eq!(
        (card.row.plan_code.as_str(), card.row.amount.minor()),
        ("pro", 27_000)
    );
    assert_eq!((card.term.term_no, card.term.anchor.date), (1, date(1)));
    assert_eq!(
        (card.plan.code.as_str(), card.subscription.id.0),
        ("pro", 1)
    );
    assert_eq!((card.invoices.len(), card.invoices[0].id.0), (24, 30));
    assert_eq!(
        (card.changes.len(), card.changes[0].at),
        (30, noon(2) + Duration::hours(30))
    );
}

async fn a_timeline_is_in_order(bed: Bed) {
    let mut rows = Rows::basics();
    rows.payment(4, 1, 9_900, noon(9), set! { refunded_minor: 900_i64 });
    for (id, source, day) in [(101, "run", 3), (102, "dunning", 4), (103, "manual", 6)] {
        rows.attempt(id, 4, 1, 9_900, set! {
            state: "declined", source: source, attempt_no: id, created_at: noon(day),
            settled_at: noon(day) + Duration::seconds(2), settled_on: date(day), refusal_code: "REJECT_CARD_PAYMENT",
            refusal_class: "soft", refusal_proves: "not_executed", refusal_http_status: 403_i64,
        });
        rows.put(Table::Evidence, &set! {
            id: id, attempt_id: id, source: "answer", outcome: "refused", code: "REJECT_CARD_PAYMENT",
            http_status: 403_i64, trace_id: "t1", at: noon(day) + Duration::seconds(2),
        });
    }
    rows.refund(1, 4, 1, 900, noon(10));
    rows.audit(1, "kim", "retry", &format!("inv_{}", ulid(4)), noon(6));
    rows.audit(2, "kim", "refund", &format!("pay_{}", ulid(4)), noon(10));
    rows.audit(3, "kim", "note", "cus_OTHER", noon(10));
    let store = bed.with(&rows).await;
    let timeline = store.timeline(InvoiceId(4)).await.expect("a timeline");
    let told: Vec<String> = timeline
        .entries
        .iter()
        .map(|entry| match &entry.what {
            TimelineEvent::InvoiceMade => "made".to_owned(),
            TimelineEvent::Started(at) => {
                format!("started {}", timeline.attempts[*at].source.as_str())
            }
            TimelineEvent::Evidence {
                attempt,
                outcome,
                code,
                http_status,
                ..
            } => {
                let source = timeline.attempts[*attempt].source.as_str();
                format!(
                    "{source} {outcome} {} {}",
                    code.as_deref().unwrap_or("-"),
                    http_status.unwrap_or(0)
                )
            }
            TimelineEvent::Settled(at) => format!("settled {}", timeline.attempts[*at].state),
            TimelineEvent::Refunded {
                amount, operator, ..
            } => format!("refunded {amount} by {operator}"),
            TimelineEvent::Audit { person, verb, .. } => format!("{person} {verb}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "started run",
            "run refused REJECT_CARD_PAYMENT 403",
            "settled declined",
            "started dunning",
            "dunning refused REJECT_CARD_PAYMENT 403",
            "settled declined",
            "kim retry",
            "started manual",
            "manual refused REJECT_CARD_PAYMENT 403",
            "settled declined",
            "made",
            "started run",
            "settled succeeded",
            "kim refund",
            "refunded 900 KRW by kim",
        ]
    );
    assert_eq!(timeline.attempts.len(), 4);
    assert_eq!(
        (timeline.payments.len(), timeline.customer.name.as_str()),
        (1, "김서현")
    );
    assert_eq!(timeline.attempts[0].source, Source::Run);
    assert_eq!(
        store.invoice_of_payment(PaymentId(4)).await.expect("an id"),
        InvoiceId(4)
    );
    assert_eq!(
        store
            .invoice_of_attempt(AttemptId(102))
            .await
            .expect("an id"),
        InvoiceId(4)
    );
}

async fn what_is_not_there_is_not_found(bed: Bed) {
    let store = bed.with(&Rows::basics()).await;
    let missing = store.customer_card(CustomerId(77)).await.err();
    assert!(matches!(
        missing,
        Some(StoreError::NotFound {
            noun: Noun::Customer
        })
    ));
    let missing = store.timeline(InvoiceId(77)).await.err();
    assert!(matches!(
        missing,
        Some(StoreError::NotFound {
            noun: Noun::Invoice
        })
    ));
    let missing = store.subscription_card(SubscriptionId(77)).await.err();
    assert!(matches!(
        missing,
        Some(StoreError::NotFound {
            noun: Noun::Subscription
        })
    ));
    assert!(store.invoice_of_payment(PaymentId(77)).await.is_err());
}
