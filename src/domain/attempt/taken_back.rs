//! When a refund that was done is looked at again: at some providers it may still come back, days after it succeeded.

use chrono::Duration;

/// For so many days.
pub const TAKEN_BACK_WITHIN_DAYS: i64 = 30;
/// For the first time after so many hours; then after as long again as it is old.
const FIRST_LOOK_H: i64 = 1;

/// How long after this look the next one comes, for a refund that is so old; none where nobody expects it back any more.
pub fn looked_back_after(age: Duration) -> Option<Duration> {
    let left = Duration::days(TAKEN_BACK_WITHIN_DAYS) - age;
    let first = Duration::hours(FIRST_LOOK_H);
    (left > Duration::zero()).then(|| age.min(left).max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_looked_at_again_ever_more_rarely_until_it_is_a_month_old() {
        let mut age = Duration::zero();
        let mut looks = Vec::new();
        while let Some(after) = looked_back_after(age) {
            age += after;
            looks.push(age.num_hours());
        }
        assert_eq!(looks, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 720]);
    }
}
