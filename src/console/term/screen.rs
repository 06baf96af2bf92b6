//! The ratatui backend.
//!
//! Cells are written by [`super::paint`], moved lines by [`super::scroll`], the cursor by crossterm; around both, a frame is collected and leaves in one write between
//! synchronised-output marks, an unchanged frame leaves no byte at all, every byte is counted, the size comes from the
//! kernel, and the cursor is never asked for. Invariant: no method waits for an answer of the terminal.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use super::modes::Switch;
use super::paint::paint;
use super::scroll::Shadow;

/// A full repaint of a large terminal fits without growing.
const FRAME: usize = 64 * 1024;
const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";

/// Where the size comes from.
#[derive(Debug, Clone, Copy)]
pub enum SizeSource {
    /// Asked of the kernel each time.
    Kernel(fn() -> io::Result<Size>),
    Fixed(Size),
}

fn ask(source: SizeSource) -> io::Result<Size> {
    match source {
        SizeSource::Kernel(ask) => ask(),
        SizeSource::Fixed(size) => Ok(size),
    }
}

/// Whether and where the hardware cursor shows, as far as the terminal was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    /// Also what a terminal is after [`super::modes::enter`].
    Hidden,
    /// Shown, but drawing has moved it since.
    Somewhere,
    At(Position),
}

/// Collects one frame and hands it to `W` as a whole.
#[derive(Debug)]
pub struct Screen<W: Write> {
    out: W,
    frame: Frame,
    size: SizeSource,
    cursor: Cursor,
    sync: Switch,
    shadow: Shadow,
    written: Arc<AtomicU64>,
}

/// The bytes of the frame under way. Its `flush` does nothing: crossterm flushes far too often.
#[derive(Debug)]
struct Frame(Vec<u8>);

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Screen<W> {
    /// For a terminal that is empty.
    pub fn new(out: W, size: SizeSource, sync: Switch) -> Self {
        let mut shadow = Shadow::default();
        if let Ok(size) = ask(size) {
            shadow.clear(size);
        }
        Self {
            out,
            frame: Frame(Vec::with_capacity(FRAME)),
            size,
            cursor: Cursor::Hidden,
            sync,
            shadow,
            written: Arc::new(AtomicU64::new(0)),
        }
    }

    /// How many bytes have gone to the terminal; the counter can be read from anywhere.
    pub fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }

    /// Where the bytes go, for those who look at what was sent.
    pub const fn sent(&self) -> &W {
        &self.out
    }

    /// Writes bytes that are no part of a frame, such as a title.
    pub fn write_apart(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.count(bytes.len());
        self.out.flush()
    }

    /// The terminal was in other hands: nothing of what we knew about it holds.
    pub fn forget(&mut self) {
        self.cursor = Cursor::Hidden;
        self.shadow.forget();
    }

    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    fn begin(&mut self) {
        if self.frame.0.is_empty() && self.sync == Switch::On {
            self.frame.0.extend_from_slice(SYNC_BEGIN);
        }
    }

    fn crossterm(&mut self) -> CrosstermBackend<&mut Frame> {
        self.begin();
        CrosstermBackend::new(&mut self.frame)
    }
}

impl<W: Write> Backend for Screen<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let content: Vec<_> = content.collect();
        // An unchanged frame writes nothing at all.
        if content.is_empty() {
            return Ok(());
        }
        if self.cursor != Cursor::Hidden {
            self.cursor = Cursor::Somewhere;
        }
        self.begin();
        match self.shadow.take_in(&mut self.frame, &content)? {
            Some(left) => paint(
                &mut self.frame,
                left.iter().map(|(x, y, cell)| (*x, *y, cell)),
            ),
            None => paint(&mut self.frame, content.into_iter()),
        }
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor == Cursor::Hidden {
            return Ok(());
        }
        self.cursor = Cursor::Hidden;
        self.crossterm().hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor != Cursor::Hidden {
            return Ok(());
        }
        self.cursor = Cursor::Somewhere;
        self.crossterm().show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the terminal is never asked for its cursor",
        ))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor == Cursor::At(position) {
            return Ok(());
        }
        if self.cursor != Cursor::Hidden {
            self.cursor = Cursor::At(position);
        }
        self.crossterm().set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        match (region, self.size()) {
            (ClearType::All, Ok(size)) => self.shadow.clear(size),
            _ => self.shadow.forget(),
        }
        self.crossterm().clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        ask(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: self.size()?,
            pixels: Size::ZERO,
        })
    }

    /// Ends the frame: everything collected leaves in one write.
    fn flush(&mut self) -> io::Result<()> {
        if self.frame.0.is_empty() {
            return Ok(());
        }
        if self.sync == Switch::On {
            self.frame.0.extend_from_slice(SYNC_END);
        }
        let outcome = self.out.write_all(&self.frame.0);
        self.count(self.frame.0.len());
        self.frame.0.clear();
        outcome?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::widgets::Paragraph;

    use super::*;

    /// Remembers each write separately.
    #[derive(Debug, Default)]
    struct Writes(Vec<Vec<u8>>);

    impl Write for &mut Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn draw(terminal: &mut Terminal<Screen<&mut Writes>>, text: &str, caret: Option<Position>) {
        terminal
            .draw(|frame| {
                frame.render_widget(Paragraph::new(text), frame.area());
                if let Some(caret) = caret {
                    frame.set_cursor_position(caret);
                }
            })
            .expect("a frame");
    }

    fn terminal(writes: &mut Writes) -> Terminal<Screen<&mut Writes>> {
        let size = SizeSource::Fixed(Size::new(20, 4));
        Terminal::new(Screen::new(writes, size, Switch::On)).expect("a terminal")
    }

    #[test]
    fn a_frame_is_one_write_between_sync_marks() {
        let mut writes = Writes::default();
        let mut terminal = terminal(&mut writes);
        draw(&mut terminal, "김서현 9,900", Some(Position::new(2, 1)));
        let written = terminal.backend().written();
        drop(terminal);
        // The second write is ratatui hiding or showing the cursor when the terminal is dropped.
        let first = &writes.0[0];
        assert!(first.starts_with(SYNC_BEGIN) && first.ends_with(SYNC_END));
        assert!(String::from_utf8_lossy(first).contains("김"));
        assert_eq!(
            written.load(Ordering::Relaxed),
            u64::try_from(writes.0.iter().map(Vec::len).sum::<usize>()).expect("few bytes")
        );
    }

    #[test]
    fn an_unchanged_frame_writes_nothing() {
        for caret in [None, Some(Position::new(3, 2))] {
            let mut writes = Writes::default();
            let mut terminal = terminal(&mut writes);
            draw(&mut terminal, "same", caret);
            let before = terminal.backend().written().load(Ordering::Relaxed);
            draw(&mut terminal, "same", caret);
            assert_eq!(terminal.backend().written().load(Ordering::Relaxed), before);
        }
    }

    #[test]
    fn the_caret_returns_to_its_place_after_cells_were_drawn() {
        let mut writes = Writes::default();
        let mut terminal = terminal(&mut writes);
        draw(&mut terminal, "one", Some(Position::new(5, 1)));
        draw(&mut terminal, "two", Some(Position::new(5, 1)));
        drop(terminal);
        assert!(String::from_utf8_lossy(&writes.0[1]).contains("\x1b[2;6H"));
    }

    #[test]
    fn resizing_repaints_without_asking_the_terminal() {
        let mut writes = Writes::default();
        let mut terminal = terminal(&mut writes);
        draw(&mut terminal, "text", None);
        let area = ratatui::layout::Rect::new(0, 0, 20, 4);
        terminal.resize(area).expect("a resize");
        draw(&mut terminal, "text", None);
        drop(terminal);
        let all = writes.0.concat();
        let all = String::from_utf8_lossy(&all);
        assert_eq!(all.matches("text").count(), 2);
        assert!(!all.contains("\x1b[6n"));
    }
}
