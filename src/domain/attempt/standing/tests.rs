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

#[test]
fn the_later_of_two_clocks_counts_and_only_the_simulations_own_in_a_simulation() {
    let behind = OweTimes {
        business: now() - Duration::hours(24),
        ..times(24)
    };
    assert!(may_stand_since(&unnamed(Mode::Live), behind).is_some());
    assert!(may_stand_since(&unnamed(Mode::Sim), behind).is_none());
}
