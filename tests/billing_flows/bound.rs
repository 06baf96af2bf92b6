//! Answers that stay bound to a key, sends that are too late to leave, and evidence that is written late.

use chrono::TimeDelta;
use serde_json::json;

use paydeck::engine::{Outcome, Request};

use crate::world::{World, on_each};

const A_DAY_OF_THE_SAME: &str = "insert into evidence (attempt_id, source, outcome, http_status, code, elapsed_ms, at)
    select e.attempt_id, e.source, e.outcome, e.http_status, e.code, 1, e.at - n.h * 3600000000
    from evidence e cross join (select 20 as h union all select 21 union all select 22 union all select 23 union all select 25) n
    where e.source = 'answer' and e.attempt_id = (select id from attempt where state = 'unknown')";
const SENT_SIX_TIMES: &str = "update attempt set send_count = 6, first_sent_at = first_sent_at - 93600000000 where state = 'unknown'";
const CALLED: &str = "select count(*) from attempt where needs_human = 1 and state = 'unknown'";
const PAGED: &str = "select count(*) from outbox where kind = 'page' and key like '%same_answer'";

/// A renewal that is answered with the same error as often as it is sent.
async fn answered_with(w: &World, status: u16, code: &str) {
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    let error = json!({ "kind": "http_error", "status": status, "code": code });
    w.always("charge", error).await;
    w.run().await;
}

#[tokio::test]
async fn the_same_server_error_to_every_re_send_of_a_day_calls_a_person_once_and_concludes_nothing()
{
    for (status, code) in [
        (500, "FAILED_INTERNAL_SYSTEM_PROCESSING"),
        (429, "TOO_MANY_REQUESTS"),
    ] {
        on_each(async |w| {
            answered_with(&w, status, code).await;
            w.expire_leases().await;
            w.reconcile().await;
            assert_eq!((w.number(CALLED).await, w.number(PAGED).await), (0, 0), "{status}: too soon");
            w.execute(A_DAY_OF_THE_SAME).await;
            w.execute(SENT_SIX_TIMES).await;
            for _ in 0..2 {
                // The breaker lets one call through again.
                w.set_time(w.clock_now() + TimeDelta::seconds(61)).await;
                w.expire_leases().await;
                w.reconcile().await;
                assert_eq!((w.number(CALLED).await, w.number(PAGED).await), (1, 1), "{status}");
            }
            assert_eq!(w.number("select count(*) from attempt where state = 'unknown' and next_check_at is not null").await, 1);
            assert_eq!(w.text("select state from subscription").await, "active", "nothing is concluded");
            assert_eq!(w.executed().await.0, 1);
            w.books_are_straight().await;
        })
        .await;
    }
}

#[tokio::test]
async fn what_stood_still_past_its_lease_before_the_call_does_not_leave() {
    on_each(async |w| {
        let (_, _subscription) = w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.clock.stand_still_for(121_000_000);
        w.run().await;
        assert_eq!(w.executed().await, (1, 0), "nothing left");
        assert_eq!(
            w.text("select state from attempt order by id desc limit 1")
                .await,
            "ready"
        );
        w.clock.stand_still_for(0);
        w.execute("update attempt set next_check_at = 0 where state = 'ready'")
            .await;
        w.expire_leases().await;
        w.reconcile().await;
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_look_up_is_dated_when_it_was_asked_not_when_it_was_written() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        w.run().await;
        w.execute("update attempt set first_sent_at = first_sent_at - 3600000000 where state = 'unknown'").await;
        let attempt = paydeck::domain::ids::AttemptId(w.number("select max(id) from attempt").await);
        w.clock.stand_still_for(600_000_000);
        let asked = w.act(Request::ResolveUnknown { attempt }).await.expect("asked");
        assert!(matches!(asked, Outcome::Unknown(_)), "{asked:?}");
        let late = "select (a.lease_until - e.at) / 1000000 from attempt a join evidence e on e.attempt_id = a.id where e.source = 'look_up'";
        assert!(w.number(late).await >= 600, "{}", w.number(late).await);
    })
    .await;
}
