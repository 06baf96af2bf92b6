//! The standard output as the terminal: frames, size and title.
//!
//! Invariant: nothing is written once the terminal was given back.

use std::io::{self, Write};

use ratatui::layout::Size;
use rustix::io::Errno;
use rustix::stdio::stdout;
use rustix::termios::tcgetwinsize;

use super::{modes, tty};

const TITLE_LIMIT: usize = 80;

/// The standard output as the place where frames go.
#[derive(Debug)]
pub struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _pen = tty::pen();
        // Looked at under the pen: whoever gives the terminal back takes it too.
        if !modes::is_held() {
            return Err(Errno::IO.into());
        }
        tty::write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Some terminals report no size; the classic one is then the best guess.
pub fn kernel_size() -> io::Result<Size> {
    let size = tcgetwinsize(stdout())?;
    if size.ws_col == 0 || size.ws_row == 0 {
        return Ok(Size::new(80, 24));
    }
    Ok(Size::new(size.ws_col, size.ws_row))
}

/// The sequence that names the window, without controls and without what could reorder text.
pub fn title_sequence(title: &str) -> String {
    let reorders = |c: char| matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let shown: String = title
        .chars()
        .filter(|&character| !character.is_control() && !reorders(character))
        .take(TITLE_LIMIT)
        .collect();
    format!("\x1b]2;{shown}\x1b\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_smuggle_a_sequence() {
        assert_eq!(
            title_sequence("paydeck \x1b]52;c;eA==\x07[LIVE]\u{9c}\u{202e} 실패 12"),
            "\x1b]2;paydeck ]52;c;eA==[LIVE] 실패 12\x1b\\"
        );
    }

    #[test]
    fn a_title_has_a_limit() {
        let sequence = title_sequence(&"가".repeat(500));
        assert_eq!(sequence.matches('가').count(), TITLE_LIMIT);
    }

    #[test]
    fn a_hung_up_terminal_is_not_an_ordinary_error() {
        assert!(tty::is_hangup(&Errno::IO.into()));
        assert!(!tty::is_hangup(&Errno::NOSPC.into()));
    }
}
