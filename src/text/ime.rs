//! The Korean two-set keyboard read as the Latin keys under the same fingers.
//!
//! With the Korean input method on, `j` arrives as ㅓ and `r`, `k` as 가. The keymap asks here before
//! it looks a key up. This never applies inside text fields, and a key found this way must still pass
//! its dialog before money moves.

use super::jamo::push_jamo;

/// The Latin keys that were pressed to type this Hangul character; `None` for any other character.
/// A composed syllable gives each of its keys in order (가 → r, k).
pub fn latin_keys(ch: char) -> Option<Vec<char>> {
    let mut parts = String::new();
    push_jamo(&mut parts, ch);
    parts.chars().map(latin_key).collect()
}

fn latin_key(jamo: char) -> Option<char> {
    Some(match jamo {
        'ㅂ' => 'q',
        'ㅈ' => 'w',
        'ㄷ' => 'e',
        'ㄱ' => 'r',
        'ㅅ' => 't',
        'ㅛ' => 'y',
        'ㅕ' => 'u',
        'ㅑ' => 'i',
        'ㅐ' => 'o',
        'ㅔ' => 'p',
        'ㅁ' => 'a',
        'ㄴ' => 's',
        'ㅇ' => 'd',
        'ㄹ' => 'f',
        'ㅎ' => 'g',
        'ㅗ' => 'h',
        'ㅓ' => 'j',
        'ㅏ' => 'k',
        'ㅣ' => 'l',
        'ㅋ' => 'z',
        'ㅌ' => 'x',
        'ㅊ' => 'c',
        'ㅍ' => 'v',
        'ㅠ' => 'b',
        'ㅜ' => 'n',
        'ㅡ' => 'm',
        'ㅃ' => 'Q',
        'ㅉ' => 'W',
        'ㄸ' => 'E',
        'ㄲ' => 'R',
        'ㅆ' => 'T',
        'ㅒ' => 'O',
        'ㅖ' => 'P',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn single_jamo_are_the_keys_under_the_same_fingers() {
        assert_eq!(latin_keys('ㅓ'), Some(vec!['j']));
        assert_eq!(latin_keys('ㅂ'), Some(vec!['q']));
        assert_eq!(latin_keys('ㅖ'), Some(vec!['P']));
        assert_eq!(latin_keys('j'), None);
        assert_eq!(latin_keys('₩'), None);
    }

    #[test]
    fn a_composed_syllable_gives_every_key_in_order() {
        assert_eq!(latin_keys('가'), Some(vec!['r', 'k']));
        assert_eq!(latin_keys('괅'), Some(vec!['r', 'h', 'k', 'f', 'r']));
        assert_eq!(latin_keys('ㅘ'), Some(vec!['h', 'k']));
    }

    #[test]
    fn all_letters_and_seven_shifted_ones_can_be_reached_once_each() {
        let keys: Vec<char> = ('ㄱ'..='ㅣ').filter_map(latin_key).collect();
        let distinct: BTreeSet<char> = keys.iter().copied().collect();
        assert_eq!(keys.len(), 33);
        assert_eq!(distinct.len(), 33);
        assert!(('a'..='z').all(|key| distinct.contains(&key)));
    }
}
