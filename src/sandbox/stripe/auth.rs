//! Who is asking: a secret key as a bearer, or as the user of HTTP Basic with an empty password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::problem::Problem;

/// The secret key that was sent, if it is accepted.
pub fn authenticate(header: Option<&[u8]>, accepted: &[String]) -> Result<String, Problem> {
    let sent = header
        .and_then(|header| std::str::from_utf8(header).ok())
        .and_then(key_of);
    match sent {
        None => Err(refused("You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.".to_owned())),
        Some(key) if accepted.contains(&key) => Ok(key),
        Some(key) => Err(refused(format!("Invalid API Key provided: {}", masked(&key)))),
    }
}

fn refused(message: String) -> Problem {
    Problem::new(401, "invalid_request_error", message)
}

fn key_of(header: &str) -> Option<String> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let key = decoded.split(':').next().unwrap_or_default();
    (!key.is_empty()).then(|| key.to_owned())
}

/// The beginning and the last four characters.
fn masked(key: &str) -> String {
    let shown: Vec<char> = key.chars().collect();
    if shown.len() < 12 {
        return "*".repeat(shown.len());
    }
    let (head, tail) = (&shown[..8], &shown[shown.len() - 4..]);
    let stars = "*".repeat(shown.len() - 12);
    format!(
        "{}{stars}{}",
        String::from_iter(head),
        String::from_iter(tail)
    )
}
