//! When an answer that decides nothing has come back to the same key for so long that a person is called.
//!
//! A server error or a 429 may be what the provider keeps under the key: then no send ever brings another answer. It
//! proves nothing all the same; nothing is concluded here but that somebody has to ask the provider.

use chrono::{DateTime, Duration, Utc};

/// After so many re-sends at least,
pub const SAME_AFTER_RESENDS: u32 = 5;
/// and so many hours.
pub const SAME_FOR_H: i64 = 24;

/// What one send of an attempt was answered with, from the evidence that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerSeen {
    /// When it was asked for, in database time.
    pub at: DateTime<Utc>,
    /// HTTP status; none where there was no whole answer.
    pub http_status: Option<u16>,
    /// The provider's code.
    pub code: Option<String>,
}

/// Whether the newest answers are one and the same server error or 429, to the first of them and to at least
/// [`SAME_AFTER_RESENDS`] re-sends, over at least [`SAME_FOR_H`] hours. Sends without an answer say nothing.
pub fn is_the_same_for_long(answers: &[AnswerSeen]) -> bool {
    let mut heard = answers.iter().rev().filter(|a| a.http_status.is_some());
    let Some(newest) = heard.next() else {
        return false;
    };
    let is_undecided = matches!(newest.http_status, Some(429 | 500..=599));
    let same = heard
        .take_while(|a| a.http_status == newest.http_status && a.code == newest.code)
        .map(|a| a.at);
    let (count, oldest) = same.fold((0, newest.at), |(count, oldest), at| {
        (count + 1, oldest.min(at))
    });
    is_undecided && count >= SAME_AFTER_RESENDS && newest.at - oldest >= Duration::hours(SAME_FOR_H)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn answers(of: &[(i64, Option<u16>, &str)]) -> Vec<AnswerSeen> {
        let start = Utc.with_ymd_and_hms(2026, 11, 1, 0, 0, 0).unwrap();
        let answer = |(hour, http_status, code): &(i64, Option<u16>, &str)| AnswerSeen {
            at: start + Duration::hours(*hour),
            http_status: *http_status,
            code: (!code.is_empty()).then(|| (*code).to_owned()),
        };
        of.iter().map(answer).collect()
    }

    #[test]
    fn the_same_server_error_to_five_re_sends_over_a_day_calls_a_person() {
        for (status, code) in [(500, "X"), (503, ""), (429, "")] {
            let said = Some(status);
            let hours = [0, 1, 2, 3, 12, 24].map(|hour| (hour, said, code));
            assert!(is_the_same_for_long(&answers(&hours)), "{status}");
            assert!(
                !is_the_same_for_long(&answers(&hours[1..])),
                "four re-sends"
            );
        }
        let soon = [0, 1, 2, 3, 12, 23].map(|hour| (hour, Some(500), "X"));
        assert!(!is_the_same_for_long(&answers(&soon)));
    }

    #[test]
    fn another_answer_begins_anew_and_no_answer_says_nothing() {
        let mut all = [0, 1, 2, 3, 12, 24].map(|hour| (hour, Some(500), "X"));
        all[4] = (12, Some(500), "Y");
        assert!(!is_the_same_for_long(&answers(&all)));
        all[4] = (12, Some(502), "X");
        assert!(!is_the_same_for_long(&answers(&all)));
        let mut with_silence = all.to_vec();
        with_silence[4] = (12, Some(500), "X");
        with_silence.insert(3, (3, None, ""));
        assert!(is_the_same_for_long(&answers(&with_silence)));
        assert!(!is_the_same_for_long(&[]));
    }

    #[test]
    fn refusals_and_answers_that_decide_are_other_rules() {
        for status in [200, 400, 401, 403, 404, 409] {
            let all = [0, 1, 2, 3, 12, 48].map(|hour| (hour, Some(status), "X"));
            assert!(!is_the_same_for_long(&answers(&all)), "{status}");
        }
    }
}
