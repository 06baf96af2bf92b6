//! What people write into fields must not harm a screen; no size may either.

use proptest::prelude::*;

use paydeck::console::input::InputEvent;
use paydeck::console::model::Screen;
use paydeck::console::msg::Msg;
use paydeck::locale::Lang;

use super::rows::HOSTILE;
use super::stage::Stage;

const WAYS: [&str; 10] = [
    "2 enter",
    "3 enter",
    "5 enter",
    "6 f",
    "6 f enter enter enter enter",
    "5 r",
    "3 x",
    "8 E",
    "5 ?",
    "0 B",
];

#[test]
fn no_size_makes_any_screen_or_dialog_panic() {
    for way in Screen::ALL
        .iter()
        .map(|screen| screen.key().to_string())
        .chain(WAYS.map(str::to_owned))
    {
        let mut stage = Stage::new(80, 24, Lang::Ko);
        stage.press(&way);
        for width in 0..=50 {
            for height in 0..=20 {
                stage.send(Msg::Input(InputEvent::Resize(width, height)));
                let _drawn = stage.buffer();
            }
        }
        for (width, height) in [
            (79, 24),
            (80, 23),
            (115, 30),
            (116, 24),
            (300, 10),
            (60, 90),
        ] {
            stage.send(Msg::Input(InputEvent::Resize(width, height)));
            let _drawn = stage.buffer();
        }
    }
}

fn is_harmful(ch: char) -> bool {
    ch.is_control()
        || matches!(ch, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{3164}' | '\u{115f}' | '\u{1160}' | '\u{ffa0}')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_control_and_no_bidi_character_reaches_a_cell(
        text in prop_oneof![
            prop::collection::vec(prop::char::any(), 0..40).prop_map(|chars| chars.into_iter().collect::<String>()),
            prop::collection::vec(
                prop::sample::select(vec![
                    '\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{3164}',
                    '\u{301}', '\n', '\t', '김', '[', 'a',
                ]),
                1..60,
            ).prop_map(|chars| chars.into_iter().collect::<String>()),
        ],
    ) {
        HOSTILE.with_borrow_mut(|hostile| *hostile = Some(text.clone()));
        for (width, height) in [(80, 24), (120, 40)] {
            for way in Screen::ALL
                .iter()
                .map(|screen| screen.key().to_string())
                .chain(WAYS.map(str::to_owned))
            {
                let mut stage = Stage::new(width, height, Lang::Ko);
                stage.press("v");
                stage.press(&way);
                let buffer = stage.buffer();
                for cell in buffer.content() {
                    let bad = cell.symbol().chars().find(|ch| is_harmful(*ch));
                    prop_assert!(bad.is_none(), "{:?} at {way}", bad);
                }
            }
        }
        HOSTILE.with_borrow_mut(|hostile| *hostile = None);
    }
}

#[test]
fn amounts_stand_under_each_other_beside_names_of_any_width() {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut stage = Stage::new(width, height, Lang::Ko);
        stage.press("5");
        let buffer = stage.buffer();
        let amount_end = |y: u16| {
            let start = (0..width).find(|x| buffer[(*x, y)].symbol() == "₩")?;
            (start..width).find(|x| buffer[(*x, y)].symbol() == " ")
        };
        let ends: Vec<u16> = (4..11).filter_map(amount_end).collect();
        assert_eq!(ends.len(), 7);
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    }
}
