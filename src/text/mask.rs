//! Personal data as it shows by default: enough to recognise, too little to use.
//!
//! Revealing is an audited action of the console; nothing here can undo a mask. The result does not
//! tell the length of a hidden part where that would help a guess.

use unicode_segmentation::UnicodeSegmentation as _;

use super::shown::Shown;

/// `kim@example.com` → `k*@example.com`.
pub fn email(raw: &str) -> Shown {
    let clean = Shown::line(raw).into_string();
    let masked = match clean.rsplit_once('@') {
        Some((name, host)) if !name.is_empty() => format!("{}*@{host}", first(name)),
        _ => format!("{}*", first(&clean)),
    };
    Shown::line(&masked)
}

/// `010-1234-5678` → `****-5678`; fewer than eight digits show none.
pub fn phone(raw: &str) -> Shown {
    let digits: Vec<char> = raw.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 8 {
        return Shown::line("****");
    }
    let end: String = digits[digits.len() - 4..].iter().collect();
    Shown::line(&format!("****-{end}"))
}

/// 홍길동 → 홍*동, 홍길 → 홍*; names in letters keep the first of each word (`J* S*`).
pub fn name(raw: &str) -> Shown {
    let clean = Shown::line(raw).into_string();
    let masked: Vec<String> = clean.split_whitespace().map(name_word).collect();
    Shown::line(&masked.join(" "))
}

/// A card number as the provider gave it, already masked. Should a whole number ever arrive, only its
/// first six and last four digits stay.
pub fn card(given: &str) -> Shown {
    let clean = Shown::line(given);
    let digits = clean.as_str().chars().filter(char::is_ascii_digit).count();
    if digits < 12 {
        return clean;
    }
    let mut seen = 0;
    let cover = |ch: char| {
        if !ch.is_ascii_digit() {
            return ch;
        }
        seen += 1;
        if seen <= 6 || seen > digits - 4 {
            ch
        } else {
            '*'
        }
    };
    Shown::line(&clean.as_str().chars().map(cover).collect::<String>())
}

fn name_word(word: &str) -> String {
    let letters: Vec<&str> = word.graphemes(true).collect();
    let is_hangul = word
        .chars()
        .any(|ch| matches!(ch, '가'..='힣' | '一'..='鿿'));
    match letters.as_slice() {
        [] => String::new(),
        [_] => "*".to_owned(),
        [first, middle @ .., last] if is_hangul && !middle.is_empty() => {
            format!("{first}{}{last}", "*".repeat(middle.len()))
        }
        [first, ..] => format!("{first}*"),
    }
}

fn first(text: &str) -> &str {
    text.graphemes(true).next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_mail_addresses_keep_one_letter_and_the_host() {
        assert_eq!(email("kim@example.com").as_str(), "k*@example.com");
        assert_eq!(email("김서현@example.com").as_str(), "김*@example.com");
        assert_eq!(email("nonsense").as_str(), "n*");
        assert_eq!(email("@x").as_str(), "@*");
        assert_eq!(email("").as_str(), "*");
    }

    #[test]
    fn s15_phone_numbers_keep_their_last_four_digits() {
        assert_eq!(phone("010-1234-5678").as_str(), "****-5678");
        assert_eq!(phone("+82 10 1234 5678").as_str(), "****-5678");
        assert_eq!(phone("12345").as_str(), "****");
    }

    #[test]
    fn s15_names_keep_their_ends() {
        assert_eq!(name("홍길동").as_str(), "홍*동");
        assert_eq!(name("남궁민수").as_str(), "남**수");
        assert_eq!(name("홍길").as_str(), "홍*");
        assert_eq!(name("John Smith").as_str(), "J* S*");
        assert_eq!(name("홍").as_str(), "*");
        assert_eq!(name("").as_str(), "");
    }

    #[test]
    fn s15_a_masked_card_stays_and_a_whole_one_is_covered() {
        assert_eq!(card("4330-12**-****-123*").as_str(), "4330-12**-****-123*");
        assert_eq!(card("43301234****123*").as_str(), "43301234****123*");
        assert_eq!(card("4330-1234-5678-1234").as_str(), "4330-12**-****-1234");
    }
}
