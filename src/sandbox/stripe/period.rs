//! Periods of subscriptions: the k-th after the anchor, on the anchor's day of the month or the last one there is.

use chrono::{DateTime, Days, Months};
use serde_json::Value;

use super::json;

const DAY: i64 = 86_400;

/// When the k-th period after the anchor begins.
pub fn start(anchor: i64, price: &Value, k: i64) -> i64 {
    let recurring = &price["recurring"];
    let count = json::int(recurring, "interval_count").max(1) * k;
    let Some(from) = DateTime::from_timestamp(anchor, 0) else {
        return anchor;
    };
    let months = |count: i64| {
        let months = u32::try_from(count).unwrap_or(0);
        from.checked_add_months(Months::new(months))
            .map_or(anchor, |at| at.timestamp())
    };
    match json::text(recurring, "interval") {
        Some("day") => {
            let days = u64::try_from(count).unwrap_or(0);
            from.checked_add_days(Days::new(days))
                .map_or(anchor, |at| at.timestamp())
        }
        Some("week") => anchor + count * 7 * DAY,
        Some("year") => months(count * 12),
        _ => months(count),
    }
}

/// A part of an amount by time, half rounded away from zero.
pub fn share(amount: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let product = i128::from(amount) * i128::from(part);
    let whole = i128::from(whole);
    let half = if product < 0 { -whole / 2 } else { whole / 2 };
    i64::try_from((product + half) / whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_day_of_the_anchor_comes_back_after_a_short_month() {
        let price = json!({ "recurring": { "interval": "month", "interval_count": 1 } });
        let anchor = 1_769_853_600; // 2026-01-31 10:00
        let day = |k: i64| {
            DateTime::from_timestamp(start(anchor, &price, k), 0)
                .map(|at| at.format("%m-%d").to_string())
        };
        assert_eq!(day(1).as_deref(), Some("02-28"));
        assert_eq!(day(2).as_deref(), Some("03-31"));
        assert_eq!(day(3).as_deref(), Some("04-30"));
    }

    #[test]
    fn shares_add_up_and_round_to_the_nearest() {
        assert_eq!(share(1_000, 1, 2), 500);
        assert_eq!(share(-1_000, 1, 3), -333);
        assert_eq!(share(5, 1, 2), 3);
        assert_eq!(share(-5, 1, 2), -3);
    }
}
