//! What Stripe's own libraries would send again, and when, as a pure function. The client sends nothing
//! again by itself: its callers may, under the same key, and only where the attempt allows it.

use std::time::Duration;

/// What was heard of one try, as far as the rule asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// HTTP status; none where there was no whole answer.
    pub status: Option<u16>,
    /// `Stripe-Should-Retry`.
    pub advice: Option<bool>,
}

/// Longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(5);
/// Shortest.
const SHORTEST: Duration = Duration::from_millis(500);

/// Whether Stripe's libraries would send the same request again. Not after 429: whoever sends many slows
/// all of them down instead.
pub const fn would_send_again(heard: Try) -> bool {
    match (heard.advice, heard.status) {
        (Some(advice), Some(_)) => advice,
        (_, None) => true,
        (None, Some(status)) => status == 409 || status >= 500,
    }
}

/// How long they would wait before the `n`-th try after the first, from 1. `chance` is between 0 and 255
/// and spreads the tries of many senders over the upper half of the wait.
pub fn wait_before(n: u32, chance: u8) -> Duration {
    let doubled =
        SHORTEST.saturating_mul(1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX));
    let half = doubled.min(LONGEST) / 2;
    let spread = half.saturating_mul(u32::from(chance)) / u32::from(u8::MAX);
    half.saturating_add(spread).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides_and_then_the_status() {
        let again = |status, advice| would_send_again(Try { status, advice });
        assert!(again(None, None));
        assert!(again(Some(409), None));
        assert!(again(Some(500), None));
        assert!(again(Some(400), Some(true)));
        for status in [200, 400, 401, 402, 404, 429] {
            assert!(!again(Some(status), None), "{status}");
        }
        for status in [409, 500, 503] {
            assert!(!again(Some(status), Some(false)), "{status}");
        }
    }

    #[test]
    fn waits_grow_to_five_seconds_and_are_never_below_half_a_second() {
        let millis = |n, chance| wait_before(n, chance).as_millis();
        assert_eq!((millis(1, 0), millis(1, 255)), (500, 500));
        assert_eq!((millis(2, 0), millis(2, 255)), (500, 1_000));
        assert_eq!((millis(4, 0), millis(4, 255)), (2_000, 4_000));
        assert_eq!((millis(5, 255), millis(90, 255)), (5_000, 5_000));
    }
}
