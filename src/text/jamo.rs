//! Hangul search keys: names and queries as jamo, and as initials.
//!
//! Stored columns and queries go through the same functions, so they meet whatever keyboard or file
//! system wrote them. Compound vowels and finals are split (ㅘ → ㅗㅏ, ㄳ → ㄱㅅ): every state of a
//! syllable being typed is then a prefix of the finished one. This is for finding, not for showing.

use super::shown::Shown;

const INITIALS: [char; 19] = [
    'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ',
    'ㅌ', 'ㅍ', 'ㅎ',
];
const VOWELS: [&str; 21] = [
    "ㅏ", "ㅐ", "ㅑ", "ㅒ", "ㅓ", "ㅔ", "ㅕ", "ㅖ", "ㅗ", "ㅗㅏ", "ㅗㅐ", "ㅗㅣ", "ㅛ", "ㅜ",
    "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", "ㅠ", "ㅡ", "ㅡㅣ", "ㅣ",
];
const FINALS: [&str; 28] = [
    "", "ㄱ", "ㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", "ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ",
    "ㄹㅌ", "ㄹㅍ", "ㄹㅎ", "ㅁ", "ㅂ", "ㅂㅅ", "ㅅ", "ㅆ", "ㅇ", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ",
    "ㅎ",
];
const SYLLABLES: u32 = 0xac00;
const PER_INITIAL: usize = 21 * 28;
const PER_VOWEL: usize = 28;

/// What a person typed into the find box, as the key to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needle {
    /// Consonants only: compare with the initials column.
    Initials(String),
    /// Digits of a phone number: compare with the phone digits column.
    Phone(String),
    /// Anything else: compare with the jamo column.
    Text(String),
}

/// Decides how to look for a query. Three digits or more, with nothing but separators beside them,
/// are a phone number.
pub fn needle(query: &str) -> Needle {
    let digits = phone_key(query);
    let is_phone = query
        .chars()
        .all(|ch| ch.is_ascii_digit() || " -+().".contains(ch));
    if is_phone && digits.len() >= 3 {
        Needle::Phone(digits)
    } else if is_initials_query(query) {
        Needle::Initials(initials(query))
    } else {
        Needle::Text(search_key(query))
    }
}

/// The column a name is found by: sanitised, lower case, single spaces, Hangul as jamo.
pub fn search_key(text: &str) -> String {
    let clean = Shown::line(text).into_string().to_lowercase();
    let words: Vec<&str> = clean.split_whitespace().collect();
    jamo(&words.join(" "))
}

/// The digits of a phone number as dialled inside Korea: separators go, `+82 10` becomes `010`.
pub fn phone_key(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("82") {
        Some(rest) if text.trim_start().starts_with('+') => {
            format!("0{}", rest.strip_prefix('0').unwrap_or(rest))
        }
        _ => digits,
    }
}

/// Takes Hangul apart into compatibility jamo (서현 → ㅅㅓㅎㅕㄴ); other characters stay.
pub fn jamo(text: &str) -> String {
    let mut parts = String::with_capacity(text.len() * 2);
    for ch in Shown::line(text).as_str().chars() {
        push_jamo(&mut parts, ch);
    }
    parts
}

/// The first consonants of a name (김서현 → ㄱㅅㅎ). Spaces go; other letters stay, in lower case.
pub fn initials(text: &str) -> String {
    let mut initials = String::new();
    for ch in Shown::line(text).as_str().chars() {
        if let Some((initial, _, _)) = syllable(ch) {
            initials.push(initial);
        } else if let Some(parts) = split_compound(ch) {
            initials.push_str(parts);
        } else if !ch.is_whitespace() {
            initials.extend(ch.to_lowercase());
        }
    }
    initials
}

/// True for a query of consonants only. Clusters count, because a Korean keyboard joins ㄱㅅ to ㄳ.
pub fn is_initials_query(query: &str) -> bool {
    let letters = initials(query);
    !letters.is_empty()
        && !query.chars().any(|ch| syllable(ch).is_some())
        && letters.chars().all(|ch| INITIALS.contains(&ch))
}

pub(super) fn push_jamo(parts: &mut String, ch: char) {
    if let Some((initial, vowel, last)) = syllable(ch) {
        parts.push(initial);
        parts.push_str(vowel);
        parts.push_str(last);
    } else if let Some(split) = split_compound(ch) {
        parts.push_str(split);
    } else {
        parts.push(lone_initial(ch).unwrap_or(ch));
    }
}

fn syllable(ch: char) -> Option<(char, &'static str, &'static str)> {
    let index = usize::try_from(u32::from(ch).checked_sub(SYLLABLES)?).ok()?;
    let initial = *INITIALS.get(index / PER_INITIAL)?;
    let vowel = VOWELS[index % PER_INITIAL / PER_VOWEL];
    Some((initial, vowel, FINALS[index % PER_VOWEL]))
}

/// A leading consonant that was left over when its syllable was composed.
fn lone_initial(ch: char) -> Option<char> {
    let index = u32::from(ch).checked_sub(0x1100)?;
    INITIALS.get(usize::try_from(index).ok()?).copied()
}

fn split_compound(ch: char) -> Option<&'static str> {
    Some(match ch {
        'ㄳ' => "ㄱㅅ",
        'ㄵ' => "ㄴㅈ",
        'ㄶ' => "ㄴㅎ",
        'ㄺ' => "ㄹㄱ",
        'ㄻ' => "ㄹㅁ",
        'ㄼ' => "ㄹㅂ",
        'ㄽ' => "ㄹㅅ",
        'ㄾ' => "ㄹㅌ",
        'ㄿ' => "ㄹㅍ",
        'ㅀ' => "ㄹㅎ",
        'ㅄ' => "ㅂㅅ",
        'ㅘ' => "ㅗㅏ",
        'ㅙ' => "ㅗㅐ",
        'ㅚ' => "ㅗㅣ",
        'ㅝ' => "ㅜㅓ",
        'ㅞ' => "ㅜㅔ",
        'ㅟ' => "ㅜㅣ",
        'ㅢ' => "ㅡㅣ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_found_by_jamo_and_by_initials() {
        assert_eq!(jamo("서현"), "ㅅㅓㅎㅕㄴ");
        assert_eq!(initials("김서현"), "ㄱㅅㅎ");
        assert_eq!(initials("김 Kim"), "ㄱkim");
        assert_eq!(search_key("  Acme\u{200b}  Corp."), "acme corp.");
    }

    #[test]
    fn the_first_and_the_last_syllable_come_apart() {
        assert_eq!(jamo("가힣"), "ㄱㅏㅎㅣㅎ");
        assert_eq!(jamo("괅넋"), "ㄱㅗㅏㄹㄱㄴㅓㄱㅅ");
        assert_eq!(jamo("\u{1112}"), "ㅎ");
    }

    #[test]
    fn every_state_of_a_syllable_being_typed_finds_the_name() {
        let name = search_key("관악");
        for typed in ["ㄱ", "고", "과", "관", "관ㅇ", "관아", "관악"] {
            assert!(name.starts_with(&search_key(typed)), "{typed}");
        }
    }

    #[test]
    fn decomposed_and_composed_names_have_one_key() {
        assert_eq!(search_key("\u{1100}\u{1175}\u{11b7}"), search_key("김"));
    }

    #[test]
    fn queries_are_told_apart() {
        assert_eq!(needle("ㄱㅅㅎ"), Needle::Initials("ㄱㅅㅎ".into()));
        assert_eq!(needle("ㄳㅎ"), Needle::Initials("ㄱㅅㅎ".into()));
        assert_eq!(needle("서현"), Needle::Text("ㅅㅓㅎㅕㄴ".into()));
        assert_eq!(needle("010-1234"), Needle::Phone("0101234".into()));
        assert_eq!(
            needle("+82 10-1234-5678"),
            Needle::Phone("01012345678".into())
        );
        assert_eq!(needle("ㅏ"), Needle::Text("ㅏ".into()));
        assert!(!is_initials_query(""));
        assert!(!is_initials_query("ㄱ김"));
    }

    proptest! {
        #[test]
        fn a_prefix_of_a_name_is_a_prefix_of_its_key(name in "[가-힣]{1,6}", cut in 0_usize..6) {
            let start: String = name.chars().take(cut).collect();
            prop_assert!(search_key(&name).starts_with(&search_key(&start)));
        }
    }
}
