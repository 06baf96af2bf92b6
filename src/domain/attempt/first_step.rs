//! When the first of two steps is tried again. It moves no money, so the attempt waits as `ready`.

/// A person is called when the first step has failed for so long.
pub const CALLS_AFTER_MIN: i64 = 15;
const FIRST_S: i64 = 30;
const LONGEST_S: i64 = 900;
const DAY_S: i64 = 86_400;

/// Seconds until the first step is tried again after it came to nothing `sends` times: twice as long each time, up to a
/// quarter of an hour, and no sooner than the provider asked for.
pub fn first_step_delay_s(sends: u32, retry_after_s: Option<u64>) -> i64 {
    let doublings = sends.saturating_sub(1).min(7);
    let planned = (FIRST_S << doublings).min(LONGEST_S);
    let asked = retry_after_s.map_or(0, |s| i64::try_from(s).unwrap_or(DAY_S).min(DAY_S));
    planned.max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_quarter_of_an_hour_and_the_provider_may_ask_for_more()
    {
        let waits: Vec<i64> = (0..10).map(|n| first_step_delay_s(n, None)).collect();
        assert_eq!(waits, [30, 30, 60, 120, 240, 480, 900, 900, 900, 900]);
        assert_eq!(first_step_delay_s(1, Some(7)), 30);
        assert_eq!(first_step_delay_s(1, Some(600)), 600);
        assert_eq!(first_step_delay_s(u32::MAX, Some(u64::MAX)), 86_400);
    }
}
