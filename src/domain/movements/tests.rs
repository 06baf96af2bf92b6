use chrono::TimeZone;
use chrono_tz::Asia::Seoul;
use proptest::prelude::*;

use super::*;
use crate::domain::ids::PlanId;
use crate::domain::period::{Unit, day_start};

/// A row of history with the customer and the interval beside it.
struct Row {
    change: Change,
    customer: i64,
    interval: Interval,
    asked: Option<DateTime<Utc>>,
    failed: Option<DateTime<Utc>>,
}

const BASIC: (i64, Unit) = (9_900, Unit::Month);
const PRO: (i64, Unit) = (27_000, Unit::Quarter);
const ENT: (i64, Unit) = (198_000, Unit::Year);

fn day(month: u32, day: u32) -> DateTime<Utc> {
    Seoul
        .with_ymd_and_hms(2026, month, day, 12, 0, 0)
        .unwrap()
        .with_timezone(&Utc)
}

fn row(
    customer: i64,
    at: DateTime<Utc>,
    to: SubscriptionState,
    plan: (i64, Unit),
    cause: ChangeCause,
) -> Row {
    Row {
        change: Change {
            subscription_id: SubscriptionId(customer),
            at,
            from: None,
            to,
            plan_id: PlanId(1),
            price: Money::new(plan.0, Currency::KRW),
            quantity: 1,
            discount_minor: 0,
            cause,
            requested_by: "kim".into(),
            requested_at: at,
        },
        customer,
        interval: Interval::try_new(plan.1, 1).unwrap(),
        asked: None,
        failed: None,
    }
}

fn begins(customer: i64, at: DateTime<Utc>, plan: (i64, Unit)) -> Row {
    row(
        customer,
        at,
        SubscriptionState::Active,
        plan,
        ChangeCause::Activated,
    )
}

fn report_of(rows: &mut [Row]) -> MrrReport {
    rows.sort_by_key(|row| row.change.at);
    let march = |m| day_start(chrono::NaiveDate::from_ymd_opt(2026, m, 1).unwrap(), Seoul);
    let mut movements = Movements::new(march(3), march(4));
    for row in rows.iter() {
        let taken = movements.apply(&MrrChange {
            change: &row.change,
            customer_id: CustomerId(row.customer),
            interval: row.interval,
            cancel_requested_at: row.asked,
            first_failed_at: row.failed,
        });
        taken.unwrap();
    }
    let mut reports = movements.finish().unwrap();
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

fn gold_1() -> Vec<Row> {
    use ChangeCause as C;
    use SubscriptionState as S;
    let february = day(2, 10);
    let mut rows: Vec<Row> = [(1, BASIC), (2, BASIC), (3, PRO), (5, BASIC), (6, BASIC)]
        .into_iter()
        .chain([(9, BASIC), (12, BASIC), (13, ENT)])
        .map(|(customer, plan)| begins(customer, february, plan))
        .collect();
    let mut discounted = begins(4, february, ENT);
    discounted.change.discount_minor = 19_800;
    rows.push(discounted);
    // c10 was here until January.
    rows.push(begins(10, day(1, 2), BASIC));
    rows.push(row(10, day(1, 20), S::Canceled, BASIC, C::CanceledNow));

    rows.push(row(2, day(3, 10), S::Active, ENT, C::PlanChanged));
    let mut asked = row(5, day(3, 20), S::Canceled, BASIC, C::CanceledAtEnd);
    asked.asked = Some(day(3, 5));
    rows.push(asked);
    rows.push(row(6, day(3, 8), S::PastDue, BASIC, C::PaymentFailed));
    let mut exhausted = row(6, day(3, 22), S::Unpaid, BASIC, C::DunningExhausted);
    exhausted.failed = Some(day(3, 8));
    rows.push(exhausted);
    rows.push(begins(7, day(3, 12), BASIC));
    rows.push(row(8, day(3, 25), S::Trialing, BASIC, C::TrialStarted));
    rows.push(row(9, day(3, 28), S::PastDue, BASIC, C::PaymentFailed));
    rows.push(begins(10, day(3, 15), BASIC));
    rows.push(begins(11, day(3, 3), BASIC));
    rows.push(row(11, day(3, 17), S::Canceled, BASIC, C::CanceledNow));
    rows.push(row(13, day(3, 18), S::Active, PRO, C::PlanChanged));
    rows.push(begins(14, day(3, 30), PRO));
    // April is not part of March.
    rows.push(row(1, day(4, 2), S::Canceled, BASIC, C::CanceledNow));
    rows
}

#[test]
fn gold_1_holds_to_the_won_and_to_the_basis_point() {
    let krw = |minor| Money::new(minor, Currency::KRW);
    let report = report_of(&mut gold_1());
    assert_eq!(
        report,
        MrrReport {
            currency: Currency::KRW,
            start: krw(99_750),
            new: krw(28_800),
            reactivation: krw(9_900),
            expansion: krw(6_600),
            contraction: krw(7_500),
            churn_voluntary: krw(19_800),
            churn_involuntary: krw(9_900),
            end: krw(107_850),
            at_risk: krw(9_900),
            at_risk_bp: Some(918),
            start_customers: 9,
            end_customers: 10,
            new_customers: 3,
            churned_customers: 3,
            arr: krw(1_294_200),
            arpu: Some(krw(10_785)),
            logo_churn_standard_bp: Some(2_222),
            logo_churn_stripe_bp: Some(2_500),
            gross_churn_bp: Some(2_737),
            net_churn_bp: Some(1_083),
            nrr_bp: Some(7_925),
            grr_bp: Some(7_263),
            quick_ratio_milli: Some(1_218),
        }
    );
}

#[test]
fn a_cancel_asked_before_the_first_failure_is_voluntary_whatever_ended_it() {
    let exhausted = |asked: u32| {
        let mut end = row(
            1,
            day(3, 22),
            SubscriptionState::Unpaid,
            BASIC,
            ChangeCause::DunningExhausted,
        );
        end.failed = Some(day(3, 8));
        end.asked = Some(day(3, asked));
        report_of(&mut [begins(1, day(2, 1), BASIC), end])
    };
    assert_eq!(exhausted(5).churn_voluntary.minor(), 9_900);
    assert_eq!(exhausted(12).churn_involuntary.minor(), 9_900);
}

#[test]
fn ending_one_of_two_subscriptions_is_a_contraction_and_no_logo_is_lost() {
    let mut second = begins(1, day(2, 2), PRO);
    second.change.subscription_id = SubscriptionId(100);
    let end = row(
        1,
        day(3, 9),
        SubscriptionState::Canceled,
        BASIC,
        ChangeCause::CanceledNow,
    );
    let report = report_of(&mut [begins(1, day(2, 1), BASIC), second, end]);
    assert_eq!(report.contraction.minor(), 9_900);
    assert_eq!(report.churned_customers, 0);
    assert_eq!(report.logo_churn_standard_bp, Some(0));
}

#[test]
fn rows_out_of_order_are_refused() {
    let mut movements = Movements::new(day(3, 1), day(4, 1));
    let rows = [begins(1, day(3, 9), BASIC), begins(2, day(3, 8), BASIC)];
    let taken: Vec<_> = rows
        .iter()
        .map(|row| {
            movements.apply(&MrrChange {
                change: &row.change,
                customer_id: CustomerId(row.customer),
                interval: row.interval,
                cancel_requested_at: None,
                first_failed_at: None,
            })
        })
        .collect();
    assert_eq!(taken, [Ok(()), Err(MovementError::OutOfOrder)]);
}

proptest! {
    #[test]
    fn whatever_happens_the_movements_add_up(
        steps in prop::collection::vec((0_i64..5, 0_usize..8, 0_usize..3, 0_usize..13), 1..60),
        from in 0_i64..60,
    ) {
        let start = day(3, 1);
        let mut movements = Movements::new(
            start + chrono::Duration::hours(from),
            start + chrono::Duration::hours(50),
        );
        for (hour, (subscription, state, plan, cause)) in (0_i64..).zip(steps) {
            let mut step = row(
                subscription,
                start + chrono::Duration::hours(hour),
                SubscriptionState::ALL[state],
                // Of a quarter's and a week's price no month is a whole number of won.
                [BASIC, (10_000, Unit::Quarter), (100, Unit::Week)][plan],
                ChangeCause::ALL[cause],
            );
            step.customer = subscription % 3;
            let taken = movements.apply(&MrrChange {
                change: &step.change,
                customer_id: CustomerId(step.customer),
                interval: step.interval,
                cancel_requested_at: None,
                first_failed_at: None,
            });
            prop_assert_eq!(taken, Ok(()));
        }
        for shown in movements.finish().expect("it adds up") {
            let after = shown.start.minor() + shown.new.minor() + shown.reactivation.minor()
                + shown.expansion.minor() - shown.contraction.minor()
                - shown.churn_voluntary.minor() - shown.churn_involuntary.minor();
            prop_assert_eq!(after, shown.end.minor(), "as it is shown, to the won");
        }
    }
}
