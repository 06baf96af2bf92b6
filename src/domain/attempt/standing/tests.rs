use chrono::TimeZone;

use super::*;
use crate::domain::attempt::learn::tests::attempt;
use crate::domain::mode::ProviderName;
use crate::domain::states::AttemptState;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 5, 0, 0).unwrap()
}

fn unnamed(mode: Mode) -> Attempt {
    Attempt {
        provider: ProviderName::Stripe,
        mode,
        first_sent_at: Some(now()),
        ..attempt(AttemptKind::Charge, AttemptState::Sent)
    }
}

fn times(debt_h: i64) -> OweTimes {
    OweTimes {
        owed_since: now() - Duration::hours(debt_h),
        business: now(),
        database: now(),
    }
}

#[test]
fn it_is_looked_for_where_debt_or_send_is_older_than_a_key() {
    for mode in [Mode::Live, Mode::Test, Mode::Sim] {
        let fresh = unnamed(mode);
        assert_eq!(may_stand_since(&fresh, times(22)), None);
        let since = now() - Duration::hours(23 + 48);
        assert_eq!(may_stand_since(&fresh, times(23)), Some(since));
        let sent_yesterday = Attempt {
            first_sent_at: Some(now() - Duration::hours(23)),
            ..fresh.clone()
        };
        assert!(may_stand_since(&sent_yesterday, times(0)).is_some());
        let named = Attempt {
            provider_ref: Some("pi_1".into()),
            ..fresh.clone()
        };
        assert_eq!(may_stand_since(&named, times(500)), None);
        let in_one_step = Attempt {
            provider: ProviderName::Toss,
            ..fresh
        };
        assert_eq!(may_stand_since(&in_one_step, times(500)), None);
    }
}

fn row(no: u32, status: SeenStatus, card: CardOf) -> Standing {
    Standing {
        provider_ref: format!("pi_{no}_{}", status.as_str()),
        order_id: format!("pd7QK2-INV1-{no}"),
        status,
        card,
        is_given_back: false,
    }
}

fn stands(rows: &[(u32, SeenStatus)]) -> Stands {
    let rows: Vec<_> = rows
        .iter()
        .map(|(no, s)| row(*no, *s, CardOf::Ours))
        .collect();
    standing_of("pd7QK2-INV1-1", &rows, OtherTries::Count)
}

#[test]
fn of_several_under_one_name_the_one_that_took_money_speaks() {
    use SeenStatus::{Canceled, Captured, Failed, NotStarted, Pending};
    let ours = |status| Stands::Ours(row(1, status, CardOf::Ours));
    assert_eq!(stands(&[]), Stands::Nothing { ended: 0 });
    assert_eq!(stands(&[(1, Canceled)]), Stands::Nothing { ended: 1 });
    let all = [(1, NotStarted), (1, Captured), (1, Canceled)];
    assert_eq!(stands(&all), ours(Captured));
    assert_eq!(stands(&[(1, Canceled), (1, NotStarted)]), ours(NotStarted));
    assert_eq!(stands(&[(1, Failed), (1, NotStarted)]), ours(NotStarted));
    assert_eq!(stands(&[(1, Failed)]), ours(Failed));
    assert_eq!(stands(&[(1, Failed), (1, Pending)]), ours(Pending));
    assert_eq!(stands(&[(1, Captured), (1, Captured)]), Stands::Twice);
}

#[test]
fn another_try_that_may_hold_money_counts_before_what_takes_none() {
    use SeenStatus::{Canceled, Captured, Failed, NeedsCustomer, NotStarted, Other, Pending};
    for status in [Captured, Pending, NeedsCustomer, Other] {
        let another = Stands::Another(row(2, status, CardOf::Ours));
        assert_eq!(stands(&[(2, status)]), another, "{status:?}");
        for ours in [Canceled, Failed, NotStarted] {
            assert_eq!(stands(&[(1, ours), (2, status)]), another, "{status:?}");
        }
        // What took our money is ours, whatever else there is.
        let taken = Stands::Ours(row(1, Captured, CardOf::Ours));
        assert_eq!(stands(&[(2, status), (1, Captured)]), taken);
        let rows = [row(2, status, CardOf::Ours)];
        let own = standing_of("pd7QK2-INV1-1", &rows, OtherTries::SayNothing);
        assert_eq!(own, Stands::Nothing { ended: 0 });
    }
    for status in [Canceled, Failed, NotStarted] {
        assert_eq!(stands(&[(2, status)]), Stands::Nothing { ended: 0 });
    }
}

#[test]
fn what_was_given_back_whole_stands_in_nobodys_way_and_says_what_became_of_its_own_name() {
    let back = |no| Standing {
        is_given_back: true,
        ..row(no, SeenStatus::Captured, CardOf::Another)
    };
    let of = |rows: &[Standing]| standing_of("pd7QK2-INV1-1", rows, OtherTries::Count);
    assert_eq!(of(&[back(2)]), Stands::Nothing { ended: 0 });
    assert_eq!(of(&[back(1)]), Stands::Ours(back(1)));
    assert_eq!(of(&[back(1), back(2)]), Stands::Ours(back(1)));
    let taken = row(1, SeenStatus::Captured, CardOf::Ours);
    assert_eq!(of(&[back(1), taken.clone()]), Stands::Ours(taken));
    let other = row(2, SeenStatus::Captured, CardOf::Ours);
    assert_eq!(of(&[back(1), other.clone()]), Stands::Another(other));
    let prepared = row(1, SeenStatus::NotStarted, CardOf::Ours);
    assert_eq!(of(&[back(1), prepared.clone()]), Stands::Ours(prepared));
}

#[test]
fn what_takes_nothing_yet_is_ours_only_with_our_card() {
    let other = row(1, SeenStatus::NotStarted, CardOf::Another);
    let of = |rows: &[Standing]| standing_of("pd7QK2-INV1-1", rows, OtherTries::Count);
    let canceled = row(1, SeenStatus::Canceled, CardOf::Another);
    assert_eq!(
        of(&[other.clone(), canceled]),
        Stands::OfAnotherCard {
            standing: other.clone(),
            ended: 1
        }
    );
    let ours = row(1, SeenStatus::NotStarted, CardOf::Ours);
    assert_eq!(of(&[other, ours.clone()]), Stands::Ours(ours));
    let captured = row(1, SeenStatus::Captured, CardOf::Another);
    assert_eq!(of(std::slice::from_ref(&captured)), Stands::Ours(captured));
}

#[test]
fn the_later_of_two_clocks_counts_and_only_the_simulations_own_in_a_simulation() {
    let behind = OweTimes {
        business: now() - Duration::hours(24),
        ..times(24)
    };
    assert!(may_stand_since(&unnamed(Mode::Live), behind).is_some());
    assert!(may_stand_since(&unnamed(Mode::Sim), behind).is_none());
}
