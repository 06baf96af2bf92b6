//! Which characters never reach a screen, because they are invisible or change how others are read.
//!
//! It only classifies; `shown` decides what happens to a hidden character.

/// True for every character that is dropped from a line and marked in a detail view.
///
/// Besides controls and bidi marks these are characters without a picture of their own (zero-width,
/// fillers, tags, variation selectors), format characters that swallow their neighbours, and private
/// use and non-characters, whose picture is whatever the viewer's font makes of them.
pub(super) fn is_hidden(ch: char) -> bool {
    if ch.is_ascii() {
        return ch.is_ascii_control();
    }
    matches!(
        ch,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}'
    ) || u32::from(ch) & 0xfffe == 0xfffe
}

/// Conjoining vowels and finals that are left over after composition: archaic or orphaned, and every
/// terminal places them differently.
pub(super) fn is_stray_jamo(ch: char) -> bool {
    matches!(ch, '\u{1161}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}')
}

/// White space of any kind, and the braille blank that passes for it.
pub(super) fn is_blank(ch: char) -> bool {
    ch.is_whitespace() || ch == '\u{2800}'
}
