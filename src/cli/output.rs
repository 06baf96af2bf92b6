//! Standard output and standard error of one command: rows, cards and messages, as JSON or for people.
//!
//! Everything here is made safe before it comes (see `record`); nothing is coloured or moved about
//! with escape sequences unless the stream is a terminal. A reader that went away ends the output
//! quietly and changes no exit code.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};

use super::args::ColorArg;
use super::record::{Field, Record};
use super::table::Table;
use super::view::View;
use crate::text::{pad_right, width};

/// What standard output carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    Json,
}

/// Whether a stream may carry colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Colour,
}

impl Paint {
    /// What a person asked for, what `NO_COLOR` says, and what the stream is.
    pub fn choose(wish: ColorArg, no_color: bool, is_terminal: bool) -> Self {
        match wish {
            ColorArg::Always => Self::Colour,
            ColorArg::Auto if is_terminal && !no_color => Self::Colour,
            ColorArg::Auto | ColorArg::Never => Self::Plain,
        }
    }
}

/// The two streams.
pub struct Output {
    pub format: Format,
    pub view: View,
    paint_messages: Paint,
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
}

impl Output {
    pub fn new(format: Format, view: View, color: ColorArg) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            format,
            view,
            paint_messages: Paint::choose(color, no_color, io::stderr().is_terminal()),
            stdout: Box::new(io::BufWriter::new(io::stdout())),
            stderr: Box::new(io::stderr()),
        }
    }

    /// One object on its own line; for people its fields, one to a line.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(record),
            Format::Human => {
                let text = card(record, &self.view, 0);
                self.print(&text)
            }
        }
    }

    /// Rows of a list. `table` remembers widths from page to page.
    pub fn rows(&mut self, table: &mut Table, records: &[Record]) -> io::Result<()> {
        match self.format {
            Format::Json => records.iter().try_for_each(|record| self.json(record)),
            Format::Human => {
                let text = table.lines(records, &self.view);
                self.print(&text)
            }
        }
    }

    /// Exactly one object on its own line, whatever the format.
    pub fn json(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_string(record).map_err(io::Error::other)?;
        line.push('\n');
        self.print(&line)
    }

    /// Text of our own on standard output.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        self.stdout.write_all(text.as_bytes())
    }

    /// Hands everything over to the reader, for what must be seen at once.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// A message for the person beside the output.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.stdout.flush()?;
        writeln!(self.stderr, "{text}")
    }

    /// A question: the answer is typed on the same line.
    pub fn ask(&mut self, text: &str) -> io::Result<()> {
        self.stdout.flush()?;
        write!(self.stderr, "{text} ")?;
        self.stderr.flush()
    }

    /// What went wrong and what to do next; with `--json` as one object.
    pub fn failure(&mut self, record: &Record, what: &str, next: &str) -> io::Result<()> {
        self.stdout.flush()?;
        if self.format == Format::Json {
            let line = serde_json::to_string(record).map_err(io::Error::other)?;
            return writeln!(self.stderr, "{line}");
        }
        let (on, off) = match self.paint_messages {
            Paint::Colour => ("\u{1b}[1;31m", "\u{1b}[0m"),
            Paint::Plain => ("", ""),
        };
        writeln!(self.stderr, "{on}paydeck:{off} {what}")?;
        if next.is_empty() {
            return Ok(());
        }
        writeln!(self.stderr, "         {next}")
    }
}

/// A record as lines of `name  value`; nested records are indented below their name.
fn card(record: &Record, view: &View, indent: usize) -> String {
    let titles: Vec<String> = record
        .fields()
        .iter()
        .map(|(name, _)| title(view, name))
        .collect();
    let cells = titles.iter().map(width).max().unwrap_or(0);
    // Writing to a String cannot fail.
    let mut text = String::new();
    for ((name, field), title) in record.fields().iter().zip(&titles) {
        if *name == "object" {
            continue;
        }
        let lead = " ".repeat(indent);
        match field {
            Field::Record(None) => {}
            Field::Record(Some(inner)) => {
                let _ = writeln!(text, "{lead}{title}");
                text.push_str(&card(inner, view, indent + 2));
            }
            Field::Records(inner) => {
                for one in inner {
                    let _ = writeln!(text, "{lead}{title}");
                    text.push_str(&card(one, view, indent + 2));
                }
            }
            plain => {
                let value = view.whole(plain);
                if !value.is_empty() {
                    let _ = writeln!(text, "{lead}{}  {value}", pad_right(title, cells));
                }
            }
        }
    }
    text
}

/// The title of a column; the name itself where the locale has none.
pub fn title(view: &View, name: &str) -> String {
    let key = format!("cli.column.{name}");
    view.locale
        .find(&key)
        .map_or_else(|| name.replace('_', " "), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_carries_no_colour_unless_asked() {
        assert_eq!(Paint::choose(ColorArg::Auto, false, false), Paint::Plain);
        assert_eq!(Paint::choose(ColorArg::Auto, true, true), Paint::Plain);
        assert_eq!(Paint::choose(ColorArg::Auto, false, true), Paint::Colour);
        assert_eq!(Paint::choose(ColorArg::Always, true, false), Paint::Colour);
    }
}
