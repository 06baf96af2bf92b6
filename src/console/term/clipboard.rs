//! Copying through the terminal.
//!
//! Off unless the configuration turns it on. Outside tmux the text goes as OSC 52; inside tmux that is dropped by
//! default, so the text is handed to tmux itself. Nothing here can know whether a clipboard received it: people are
//! told "sent to the terminal". Invariant: text that does not fit is refused whole, never cut.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::monotonic_now;

/// Terminals drop longer OSC 52 sequences silently; this many base64 bytes are known to pass.
pub const COPY_LIMIT: usize = 74_994;
/// tmux answers at once or not at all.
const TMUX_LIMIT: Duration = Duration::from_secs(2);

/// How text gets to the person's clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyRoute {
    /// The configuration does not want it.
    Off,
    /// [`super::TermSession::copy`] writes it to the terminal.
    Terminal,
    /// [`load_tmux_buffer`] hands it to tmux.
    Tmux,
}

/// Nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("text does not go to the clipboard by this route")]
    OtherRoute,
    #[error("text is too long for the terminal's clipboard")]
    TooLong,
    #[error("terminal does not take the text")]
    Terminal(#[source] std::io::Error),
    #[error("tmux does not take the text")]
    Tmux(#[source] std::io::Error),
}

/// The sequence that asks the terminal to put `text` on its clipboard.
pub fn osc52(text: &str) -> Result<Vec<u8>, CopyError> {
    let encoded = STANDARD.encode(text);
    if encoded.len() > COPY_LIMIT {
        return Err(CopyError::TooLong);
    }
    Ok([b"\x1b]52;c;", encoded.as_bytes(), b"\x1b\\"].concat())
}

/// Hands `text` to tmux, which passes it to the outer terminal. Blocks for two seconds at most: call it from an effect.
pub fn load_tmux_buffer(text: &str) -> Result<(), CopyError> {
    pipe_into(
        Command::new("tmux").args(["load-buffer", "-w", "-"]),
        text,
        TMUX_LIMIT,
    )
    .map_err(CopyError::Tmux)
}

fn pipe_into(command: &mut Command, text: &str, limit: Duration) -> std::io::Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let written = match child.stdin.take() {
        Some(mut input) => input.write_all(text.as_bytes()),
        None => Err(std::io::ErrorKind::BrokenPipe.into()),
    };
    let until = monotonic_now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if monotonic_now() >= until {
            // It may have ended this very moment; either way it must be collected.
            let _ = child.kill();
            let _ = child.wait();
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    written?;
    if status.success() {
        Ok(())
    } else {
        Err(std::io::Error::other("ended with a failure"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_sequence_without_controls_inside() {
        assert_eq!(
            osc52("cus_9T4K").expect("short"),
            b"\x1b]52;c;Y3VzXzlUNEs=\x1b\\"
        );
        assert_eq!(
            osc52("\x1b]0;x\x07").expect("short"),
            b"\x1b]52;c;G10wO3gH\x1b\\"
        );
    }

    #[test]
    fn the_limit_counts_encoded_bytes() {
        assert!(osc52(&"x".repeat(56_244)).is_ok());
        assert!(matches!(
            osc52(&"x".repeat(56_247)),
            Err(CopyError::TooLong)
        ));
    }

    #[test]
    fn a_program_that_takes_the_text_succeeds_and_one_that_fails_does_not() {
        let limit = Duration::from_secs(20);
        let takes = ["-c", "test \"$(cat)\" = cus_9T4K"];
        let mut shell = Command::new("sh");
        assert!(pipe_into(shell.args(takes), "cus_9T4K", limit).is_ok());
        let mut shell = Command::new("sh");
        assert!(pipe_into(shell.args(takes), "other", limit).is_err());
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let mut shell = Command::new("sh");
        let hung = pipe_into(
            shell.args(["-c", "cat >/dev/null; exec sleep 600"]),
            "text",
            Duration::from_millis(50),
        );
        assert_eq!(
            hung.expect_err("it hangs").kind(),
            std::io::ErrorKind::TimedOut
        );
    }
}
