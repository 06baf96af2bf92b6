use proptest::prelude::*;
use unicode_normalization::is_nfc;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::*;

/// Characters that attacks are made of, more often than chance would give them.
fn hostile() -> impl Strategy<Value = String> {
    let spice = prop::sample::select(vec![
        '\u{1b}',
        '\u{7}',
        '\u{0}',
        '\u{9b}',
        '\u{7f}',
        '\u{202e}',
        '\u{2066}',
        '\u{200f}',
        '\u{200d}',
        '\u{feff}',
        '\u{ad}',
        '\u{3164}',
        '\u{1160}',
        '\u{ffa0}',
        '\u{e0041}',
        '\u{fe0f}',
        '\u{301}',
        '\u{338}',
        '\u{1100}',
        '\u{1161}',
        '\u{11a8}',
        '\u{a8}',
        '가',
        'a',
        ' ',
        '>',
        '\n',
        '\t',
        '\u{9c7}',
        '\u{9be}',
        '\u{644}',
        '\u{627}',
        '👩',
        '🏽',
        '🇰',
    ]);
    prop::collection::vec(prop_oneof![3 => spice, 1 => any::<char>()], 0..40)
        .prop_map(|chars| chars.into_iter().collect())
}

fn is_forbidden(ch: char) -> bool {
    ch.is_control()
        || matches!(ch, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}')
        || matches!(
            ch,
            '\u{61c}' | '\u{feff}' | '\u{ad}' | '\u{3164}' | '\u{ffa0}' | '\u{115f}'
        )
        || matches!(ch, '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

proptest! {
    #[test]
    fn s20_no_control_or_bidi_character_survives(raw in hostile()) {
        for shown in [Shown::line(&raw), Shown::detail(&raw)] {
            prop_assert!(!shown.as_str().chars().any(is_forbidden), "{:?}", shown);
        }
    }

    #[test]
    fn s20_a_shown_text_is_composed_and_sanitising_it_again_changes_nothing(raw in hostile()) {
        for shown in [Shown::line(&raw), Shown::detail(&raw)] {
            prop_assert!(is_nfc(shown.as_str()), "{:?}", shown);
            let again = Shown::line(shown.as_str());
            prop_assert_eq!(again.as_str(), shown.as_str());
            prop_assert!(!again.is_altered());
        }
    }

    #[test]
    fn the_known_width_is_the_unicode_width_of_its_graphemes(raw in hostile()) {
        let shown = Shown::line(&raw);
        let cells: usize = shown.as_str().graphemes(true).map(unicode_width::UnicodeWidthStr::width).sum();
        prop_assert_eq!(shown.width(), cells);
        prop_assert!(shown.as_str().width() <= shown.width());
    }

    #[test]
    fn marks_never_pile_up(raw in hostile()) {
        let mut run = 0;
        for ch in Shown::line(&raw).as_str().chars() {
            run = if is_combining_mark(ch) { run + 1 } else { 0 };
            prop_assert!(run <= 2);
        }
    }
}

#[test]
fn s20_an_escape_sequence_loses_its_teeth_and_shows_in_detail() {
    let raw = "김\u{1b}]52;c;aGk=\u{7}서현";
    assert_eq!(Shown::line(raw).as_str(), "김]52;c;aGk=서현");
    assert!(Shown::line(raw).is_altered());
    assert_eq!(
        Shown::detail(raw).as_str(),
        "김<U+001B>]52;c;aGk=<U+0007>서현"
    );
}

#[test]
fn s20_every_listed_kind_is_dropped_and_marked() {
    let kinds = [
        '\u{0}',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{61c}',
        '\u{200e}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{200b}',
        '\u{200d}',
        '\u{feff}',
        '\u{e0001}',
        '\u{e007f}',
        '\u{fe0f}',
        '\u{e0100}',
        '\u{ad}',
        '\u{115f}',
        '\u{1160}',
        '\u{3164}',
        '\u{ffa0}',
        '\u{e000}',
        '\u{ffff}',
        '\u{fff9}',
    ];
    for ch in kinds {
        let raw = format!("a{ch}b");
        let line = Shown::line(&raw).into_string();
        assert!(line == "ab" || line == "a b", "{ch:?} became {line:?}");
        let detail = Shown::detail(&raw).into_string();
        assert_eq!(detail, format!("a<U+{:04X}>b", u32::from(ch)));
    }
}

#[test]
fn s21_a_name_cannot_turn_the_line_around() {
    let name = Shown::line("Refund OK: 0 won\u{202e}");
    assert_eq!(name.as_str(), "Refund OK: 0 won");
    assert!(Shown::line("p\u{430}ypal").mixes_look_alikes());
    assert!(!Shown::line("김서현 Kim").mixes_look_alikes());
}

#[test]
fn decomposed_hangul_is_composed_and_two_cells_a_syllable() {
    let shown = Shown::line("\u{1100}\u{1175}\u{11b7}");
    assert_eq!(shown.as_str(), "김");
    assert_eq!(shown.width(), 2);
    assert!(!shown.is_altered());
}

#[test]
fn line_breaks_and_tabs_become_spaces_in_a_line() {
    let shown = Shown::line("a\tb\nc\u{3000}d");
    assert_eq!(shown.as_str(), "a b c d");
    assert!(!shown.is_altered());
}

#[test]
fn a_mark_without_a_base_is_dropped_and_a_third_mark_too() {
    assert_eq!(Shown::line("\u{301}a").as_str(), "a");
    assert_eq!(
        Shown::line("x\u{316}\u{317}\u{318}\u{319}y").as_str(),
        "x\u{316}\u{317}y"
    );
    assert_eq!(
        Shown::detail("a\u{200b}\u{338}").as_str(),
        "a<U+200B><U+0338>"
    );
}

#[test]
fn a_mark_behind_a_lost_jamo_never_moves_to_the_letter_before_it() {
    assert_eq!(Shown::line("\u{a8}\u{1161}\u{301}").as_str(), "\u{a8}");
    assert_eq!(Shown::line("e\u{1161}\u{301}").as_str(), "e");
}
