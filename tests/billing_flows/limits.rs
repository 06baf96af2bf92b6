//! What a person refunds alone: at once, on a day in all, and how often; whatever the currency.

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::PaymentId;
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::{
    EngineSettings, LimitOf, Outcome, RefundAlone, RefundLimits, Refused, Request, VerbError,
};

use crate::world::{World, on_each_tuned, won};

fn support(name: &str) -> Operator {
    Operator {
        person: name.into(),
        roles: vec![Role::Support],
        access: Access::ReadWrite,
        evidence: Vec::new(),
    }
}

fn refund(payment: PaymentId, amount: i64) -> Request {
    Request::Refund {
        payment,
        amount: RefundAmount::Partial(won(amount)),
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    }
}

fn ask(payment: PaymentId, amount: i64) -> Request {
    Request::AskRefund {
        payment,
        amount: RefundAmount::Partial(won(amount)),
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    }
}

async fn press(w: &World, person: &Operator, request: &Request) -> Result<Outcome, VerbError> {
    let plan = w.engine.plan(person, request).await?;
    w.engine.apply(person, request, &plan.fingerprint).await
}

fn limits(once: &[(Role, i64)], daily_multiple: u32, per_day: u32) -> impl Fn(&mut EngineSettings) {
    let once: Vec<_> = once
        .iter()
        .map(|(role, minor)| (*role, won(*minor)))
        .collect();
    move |settings| {
        settings.refund_alone = RefundAlone::Within(RefundLimits {
            once: once.clone(),
            daily_multiple,
            per_day,
        });
    }
}

/// Two payments of one shop: cancels of one payment keep a distance.
async fn two_payments(w: &World) -> (PaymentId, PaymentId) {
    w.subscriber("key-one").await;
    let first = w.last_payment().await;
    w.subscriber("key-two").await;
    (first, w.last_payment().await)
}

#[tokio::test]
async fn small_refunds_of_one_day_come_to_a_limit_too() {
    on_each_tuned(limits(&[(Role::Support, 5_000)], 1, 100), async |w| {
        let (first, second) = two_payments(&w).await;
        let lee = support("lee");
        press(&w, &lee, &refund(first, 3_000)).await.expect("within both limits");
        let above = press(&w, &lee, &refund(second, 3_000)).await;
        let needs = matches!(
            &above,
            Err(VerbError::Refused(Refused::NeedsApproval { limit, of: LimitOf::Day })) if *limit == won(5_000)
        );
        assert!(needs, "{above:?}");
        assert_eq!(w.executed().await, (2, 1));

        let asked = press(&w, &lee, &ask(second, 3_000)).await;
        assert!(matches!(asked, Ok(Outcome::Asked(_))), "{asked:?}");
        let colleague = press(&w, &support("park"), &refund(first, 3_000)).await;
        assert!(colleague.is_ok(), "a limit is one person's: {colleague:?}");
    })
    .await;
}

#[tokio::test]
async fn what_has_no_limit_is_never_refunded_alone() {
    for once in [&[][..], &[(Role::Finance, 900_000)]] {
        on_each_tuned(limits(once, 5, 100), async |w| {
            let (payment, _) = two_payments(&w).await;
            let refused = press(&w, &support("lee"), &refund(payment, 1)).await;
            let needs = matches!(
                &refused,
                Err(VerbError::Refused(Refused::NeedsApproval { limit, .. })) if limit.minor() == 0
            );
            assert!(needs, "{refused:?}");
            assert_eq!(w.executed().await, (2, 0));
        })
        .await;
    }
}

#[tokio::test]
async fn a_person_refunds_so_often_a_day_and_nobody_lifts_that() {
    on_each_tuned(limits(&[(Role::Support, 5_000)], 100, 1), async |w| {
        let (first, second) = two_payments(&w).await;
        let lee = support("lee");
        press(&w, &lee, &refund(first, 1_000))
            .await
            .expect("the first");
        for request in [refund(second, 1_000), ask(second, 6_000)] {
            let refused = press(&w, &lee, &request).await;
            let too_many = Err(VerbError::Refused(Refused::TooManyRefunds { most: 1 }));
            assert_eq!(
                format!("{refused:?}"),
                format!("{too_many:?}", too_many = too_many as Result<Outcome, _>)
            );
        }
        assert_eq!(w.executed().await, (2, 1));
    })
    .await;
}

#[tokio::test]
async fn nobody_ends_what_another_person_has_asked_for_by_asking_again() {
    on_each_tuned(limits(&[(Role::Support, 5_000)], 5, 100), async |w| {
        let (payment, _) = two_payments(&w).await;
        press(&w, &support("lee"), &ask(payment, 6_000))
            .await
            .expect("asked");
        let other = press(&w, &support("park"), &ask(payment, 7_000)).await;
        let is_asked = matches!(
            &other,
            Err(VerbError::Refused(Refused::AlreadyAsked { person, .. })) if person == "lee"
        );
        assert!(is_asked, "{other:?}");
        assert_eq!(
            w.number("select count(*) from approval where state = 'waiting'")
                .await,
            1
        );

        let own = press(&w, &support("lee"), &ask(payment, 7_000)).await;
        assert!(matches!(own, Ok(Outcome::Asked(_))), "{own:?}");
        assert_eq!(
            w.number("select count(*) from approval where state = 'void'")
                .await,
            1
        );
        assert_eq!(w.executed().await, (2, 0));
    })
    .await;
}
