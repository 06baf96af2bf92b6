//! The last gate before the log file: one event stays one line, and known forms of secrets are cut out.
//!
//! It is a net below the rule that secrets are not logged, not a replacement for it.

use std::fmt::Write;

/// A key begins with its kind, which may stay; what follows is the secret.
const KEY_PREFIXES: &[&str] = &[
    "live_sk_",
    "test_sk_",
    "test_ak_",
    "live_gsk_",
    "test_gsk_",
    "Basic ",
    "Bearer ",
];
/// The provider's path that holds a billing key.
const BILLING_PATH: &str = "/v1/billing/";
/// Below that path, and no billing key.
const ISSUE: &str = "authorizations";
const CUT: &str = "***";

/// One line of JSON, ending in a line break, fit for a file that people read in a terminal.
pub(super) fn guarded(event: &str) -> String {
    let body = event.strip_suffix('\n').unwrap_or(event);
    let mut line = escaped(&without_secrets(body));
    line.push('\n');
    line
}

fn without_secrets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (shown, hidden) = secret_at(rest).unwrap_or((first.len_utf8(), 0));
        kept.push_str(&rest[..shown]);
        if hidden > 0 {
            kept.push_str(CUT);
        }
        rest = &rest[shown + hidden..];
    }
    kept
}

/// How many bytes from here may be shown and how many after them may not; `None` when no secret begins.
fn secret_at(text: &str) -> Option<(usize, usize)> {
    if let Some(prefix) = KEY_PREFIXES
        .iter()
        .find(|prefix| text.starts_with(**prefix))
    {
        let hidden = length_while(&text[prefix.len()..], |c| {
            c.is_ascii_alphanumeric() || "_-+/=.".contains(c)
        });
        return (hidden > 0).then_some((prefix.len(), hidden));
    }
    if let Some(behind) = text.strip_prefix(BILLING_PATH) {
        let hidden = length_while(behind, |c| {
            c.is_ascii_alphanumeric() || "_-+=%.~".contains(c)
        });
        return (hidden > 0 && !behind.starts_with(ISSUE)).then_some((BILLING_PATH.len(), hidden));
    }
    password_at(text)
}

/// `://user:password@host`
fn password_at(text: &str) -> Option<(usize, usize)> {
    let authority = text.strip_prefix("://")?;
    let authority =
        &authority[..length_while(authority, |c| !c.is_whitespace() && !"/?#\"".contains(c))];
    let user_info = &authority[..authority.rfind('@')?];
    let user = user_info.find(':')?;
    let hidden = user_info.len() - user - 1;
    (hidden > 0).then_some(("://".len() + user + 1, hidden))
}

fn length_while(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// JSON escapes only what is below a space; a terminal also acts on the rest of these.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(c);
        }
    }
    line
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s30_control_characters_stay_on_one_line_and_harmless() {
        let line = guarded("{\"name\":\"a\r\nb\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{e0041}\"}\n");
        assert_eq!(
            line,
            "{\"name\":\"a\\u000d\\u000ab\\u001b[2J\\u009b31m\\u007f\\u202e\\udb40\\udc41\"}\n"
        );
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read["name"],
            "a\r\nb\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{e0041}"
        );
    }

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        let event = "{\"message\":\"김서현 님, 2 of 3: Basic, task_sk, https://example.net/a:b@c /v1/billing/authorizations/issue\"}\n";
        assert_eq!(guarded(event), event);
        assert_eq!(guarded(""), "\n");
    }

    #[test]
    fn s17_known_forms_of_secrets_are_cut_out() {
        for (event, expected) in [
            ("key live_sk_canary1 end", "key live_sk_*** end"),
            ("\"test_sk_canary-1_x\"", "\"test_sk_***\""),
            (
                "authorization: Basic Y2FuYXJ5Og==",
                "authorization: Basic ***",
            ),
            (
                "POST https://api.tosspayments.com/v1/billing/Z_canary-= failed",
                "POST https://api.tosspayments.com/v1/billing/*** failed",
            ),
            (
                "postgres://paydeck:can@ry@db/paydeck",
                "postgres://paydeck:***@db/paydeck",
            ),
            ("live_sk_canary live_sk_canary", "live_sk_*** live_sk_***"),
        ] {
            assert_eq!(guarded(event), format!("{expected}\n"));
        }
    }
}
