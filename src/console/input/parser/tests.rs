use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Vec<Token> {
    let mut parser = Parser::default();
    let mut out = Vec::new();
    parser.feed(bytes, &mut out);
    out
}

fn keys(bytes: &[u8]) -> Vec<KeyPress> {
    read(bytes)
        .into_iter()
        .map(|token| match token {
            Token::Key(press) => press,
            other => panic!("not a key: {other:?}"),
        })
        .collect()
}

#[test]
fn printable_characters_of_any_length_are_keys() {
    assert_eq!(
        keys("aZ ~가ㅎ🙂".as_bytes()),
        ['a', 'Z', ' ', '~', '가', 'ㅎ', '🙂'].map(KeyPress::char)
    );
}

#[test]
fn control_bytes_are_their_keys() {
    assert_eq!(
        keys(b"\r\t\x7f\x03\x1a\x00\x1f"),
        [
            KeyPress::plain(KeyCode::Enter),
            KeyPress::plain(KeyCode::Tab),
            KeyPress::plain(KeyCode::Backspace),
            KeyPress::ctrl('c'),
            KeyPress::ctrl('z'),
            KeyPress::ctrl(' '),
            KeyPress::ctrl('_'),
        ]
    );
}

#[test]
fn escape_before_a_character_is_alt() {
    assert_eq!(
        keys("\x1bb\x1b\x7f\x1b가".as_bytes()),
        [
            KeyPress::alt('b'),
            KeyPress::new(KeyCode::Backspace, KeyModifiers::ALT),
            KeyPress::alt('가'),
        ]
    );
}

#[test]
fn arrows_and_function_keys_come_in_every_dialect() {
    let cases: [(&[u8], KeyCode); 20] = [
        (b"\x1b[A", KeyCode::Up),
        (b"\x1bOB", KeyCode::Down),
        (b"\x1b[C", KeyCode::Right),
        (b"\x1bOD", KeyCode::Left),
        (b"\x1b[H", KeyCode::Home),
        (b"\x1b[1~", KeyCode::Home),
        (b"\x1b[7~", KeyCode::Home),
        (b"\x1bOF", KeyCode::End),
        (b"\x1b[4~", KeyCode::End),
        (b"\x1b[5~", KeyCode::PageUp),
        (b"\x1b[6~", KeyCode::PageDown),
        (b"\x1b[3~", KeyCode::Delete),
        (b"\x1b[2~", KeyCode::Insert),
        (b"\x1b[Z", KeyCode::BackTab),
        (b"\x1bOP", KeyCode::F(1)),
        (b"\x1b[[A", KeyCode::F(1)),
        (b"\x1bOR", KeyCode::F(3)),
        (b"\x1b[15~", KeyCode::F(5)),
        (b"\x1b[24~", KeyCode::F(12)),
        (b"\x1bOM", KeyCode::Enter),
    ];
    for (bytes, code) in cases {
        assert_eq!(
            keys(bytes),
            [KeyPress::plain(code)],
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn modifiers_are_read() {
    assert_eq!(
        keys(b"\x1b[1;5C\x1b[3;2~\x1bO3A\x1b[1;2Z"),
        [
            KeyPress::new(KeyCode::Right, KeyModifiers::CONTROL),
            KeyPress::new(KeyCode::Delete, KeyModifiers::SHIFT),
            KeyPress::new(KeyCode::Up, KeyModifiers::ALT),
            KeyPress::plain(KeyCode::BackTab),
        ]
    );
}

#[test]
fn kitty_keys_are_read_and_releases_are_not_keys() {
    assert_eq!(
        keys(b"\x1b[97u\x1b[97;2u\x1b[49:33;2u\x1b[27u\x1b[97;1:3u\x1b[1;1:3A\x1b[57441;2u"),
        [
            KeyPress::char('a'),
            KeyPress::char('A'),
            KeyPress::char('!'),
            KeyPress::plain(KeyCode::Esc),
        ]
    );
}

#[test]
fn replies_of_the_terminal_are_never_keys() {
    let replies: [&[u8]; 12] = [
        b"\x1b]11;rgb:0000/0000/0000\x07",
        b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
        b"\x1bP>|terminal 1.0\x1b\\",
        b"\x1b_Gi=1;OK\x1b\\",
        b"\x1b[?2026;2$y",
        b"\x1b[?997;1n",
        b"\x1b[?62;22c",
        b"\x1b[>0;276;0c",
        b"\x1b[24;80R",
        b"\x1b[1;5R",
        b"\x1b[8;24;80t",
        b"\x1b[?1u",
    ];
    for reply in replies {
        assert_eq!(
            keys(&[reply, b"k"].concat()),
            [KeyPress::char('k')],
            "{}",
            reply.escape_ascii()
        );
    }
}

#[test]
fn mouse_reports_are_never_keys() {
    assert_eq!(
        keys(b"\x1b[<0;0;0M\x1b[<0;10;20m\x1b[M ryk"),
        [KeyPress::char('k')]
    );
}

#[test]
fn a_paste_is_text_and_never_keys() {
    assert_eq!(
        read(b"\x1b[200~q\r\ny\r\x1b[A\x1b[20\x1b[201~j"),
        [
            Token::Paste("q\ny\n\x1b[A\x1b[20".to_owned()),
            Token::Key(KeyPress::char('j')),
        ]
    );
}

#[test]
fn a_stray_end_of_paste_is_nothing() {
    assert_eq!(keys(b"\x1b[201~j"), [KeyPress::char('j')]);
}

#[test]
fn a_huge_paste_is_cut_and_still_ends() {
    let mut bytes = b"\x1b[200~".to_vec();
    bytes.resize(PASTE_LIMIT * 2, b'x');
    bytes.extend_from_slice(b"\x1b[201~j");
    let tokens = read(&bytes);
    assert_eq!(tokens.len(), 2);
    assert!(matches!(&tokens[0], Token::Paste(text) if text.len() == PASTE_LIMIT));
}

#[test]
fn focus_is_reported() {
    assert_eq!(
        read(b"\x1b[I\x1b[O"),
        [Token::FocusGained, Token::FocusLost]
    );
}

#[test]
fn a_lone_escape_is_a_key_only_after_the_wait() {
    let mut parser = Parser::default();
    let mut out = Vec::new();
    parser.feed(b"\x1b", &mut out);
    assert_eq!(out, []);
    assert_eq!(parser.waiting(), Some(Waiting::Escape));
    parser.expire(&mut out);
    assert_eq!(out, [Token::Key(KeyPress::plain(KeyCode::Esc))]);
    assert_eq!(parser.waiting(), None);
}

#[test]
fn an_unfinished_sequence_is_dropped_whole() {
    for start in [b"\x1b[1;".as_slice(), b"\x1b]11;rgb", b"\x1bO", b"\xea\xb0"] {
        let mut parser = Parser::default();
        let mut out = Vec::new();
        parser.feed(start, &mut out);
        assert_eq!(parser.waiting(), Some(Waiting::Sequence));
        parser.expire(&mut out);
        parser.feed(b"k", &mut out);
        assert_eq!(out, [Token::Key(KeyPress::char('k'))]);
    }
}

#[test]
fn a_paste_without_end_is_handed_over_when_it_expires() {
    let mut parser = Parser::default();
    let mut out = Vec::new();
    parser.feed(b"\x1b[200~cus_", &mut out);
    assert_eq!(parser.waiting(), Some(Waiting::Paste));
    parser.expire(&mut out);
    assert_eq!(out, [Token::Paste("cus_".to_owned())]);
}

#[test]
fn broken_characters_do_not_swallow_what_follows() {
    assert_eq!(
        keys(b"\xea\xb0a\xffb\xc2\x9bc\xed\xa0\x80d"),
        ['a', 'b', 'c', 'd'].map(KeyPress::char)
    );
}

/// Bytes as hostile as they come: mostly the ones that steer the machine.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => Just(0x1b_u8),
        4 => prop::sample::select(b"[]O?<>;:$~0123456789RuMPZAI\\\x07\x18".to_vec()),
        3 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..200)
}

proptest! {
    #[test]
    fn no_input_makes_it_panic_and_no_key_holds_a_control(bytes in hostile()) {
        let mut parser = Parser::default();
        let mut out = Vec::new();
        parser.feed(&bytes, &mut out);
        parser.expire(&mut out);
        prop_assert_eq!(parser.waiting(), None);
        for token in out {
            if let Token::Key(KeyPress { code: KeyCode::Char(character), .. }) = token {
                prop_assert!(!character.is_control());
            }
        }
    }

    #[test]
    fn chunking_does_not_change_the_events(bytes in hostile(), cuts in prop::collection::vec(1..9_usize, 1..60)) {
        let mut parser = Parser::default();
        let mut out = Vec::new();
        let mut rest = bytes.as_slice();
        let mut cuts = cuts.iter().cycle();
        while let Some(cut) = cuts.next().filter(|_| !rest.is_empty()) {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            parser.feed(now, &mut out);
            rest = later;
        }
        prop_assert_eq!(out, read(&bytes));
    }
}
