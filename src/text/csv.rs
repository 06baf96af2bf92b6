//! Cells and rows of a CSV export (RFC 4180), safe to open in a spreadsheet.
//!
//! Text cells are sanitised and cannot become formulas; numbers stay numbers. Writing the file (mode,
//! no symlinks) is the caller's work. Invariant: a row is one line with exactly its cells.

use super::digits::decimal;
use super::shown::Shown;

/// Put first in the file when it is meant for a spreadsheet that guesses encodings.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One cell; what is not text is written bare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    Text(&'a str),
    Number(i64),
    /// Minor units with their exponent, written as a plain decimal.
    Amount {
        minor: i64,
        exponent: u8,
    },
    Empty,
}

/// Appends one row with its line end.
pub fn push_row(out: &mut String, cells: &[Cell<'_>]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_cell(out, *cell);
    }
    out.push_str("\r\n");
}

fn push_cell(out: &mut String, cell: Cell<'_>) {
    match cell {
        Cell::Text(raw) => push_text(out, raw),
        Cell::Number(number) => out.push_str(&number.to_string()),
        Cell::Amount { minor, exponent } => out.push_str(&decimal(minor, exponent)),
        Cell::Empty => {}
    }
}

fn push_text(out: &mut String, raw: &str) {
    let mut text = Shown::line(raw).into_string();
    if may_start_formula(raw) || may_start_formula(text.trim_start()) {
        text.insert(0, '\'');
    }
    let needs_quotes = text.contains([',', '"', ';', '\'']) || text.trim() != text;
    if needs_quotes {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&text);
    }
}

/// Leading characters from which a spreadsheet makes a formula, also in their full-width forms.
fn may_start_formula(text: &str) -> bool {
    text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠', '﹢', '﹣', '﹦', '﹫',
        '−',
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(cells: &[Cell<'_>]) -> String {
        let mut out = String::new();
        push_row(&mut out, cells);
        out
    }

    /// A strict reader of one row, to prove that cells come back as they went in.
    fn read(line: &str) -> Vec<String> {
        let mut cells = vec![String::new()];
        let mut quoted = false;
        let mut chars = line.trim_end_matches("\r\n").chars().peekable();
        while let Some(ch) = chars.next() {
            let cell = cells.last_mut().unwrap();
            match ch {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                _ => cell.push(ch),
            }
        }
        cells
    }

    #[test]
    fn s28_no_text_cell_can_become_a_formula() {
        for raw in [
            "=cmd", "+82", "-1", "@a", "\t=a", "\r=a", "\0=a", "＝a", "＋a", "－a", "＠a", " =a",
        ] {
            let cell = &read(&row(&[Cell::Text(raw)]))[0];
            assert!(cell.starts_with('\''), "{raw:?} became {cell:?}");
        }
    }

    #[test]
    fn s28_numbers_stay_numbers() {
        let cells = [
            Cell::Number(-5),
            Cell::Amount {
                minor: -29_000,
                exponent: 2,
            },
            Cell::Empty,
        ];
        assert_eq!(row(&cells), "-5,-290.00,\r\n");
    }

    #[test]
    fn quotes_and_commas_are_quoted() {
        assert_eq!(
            row(&[Cell::Text("a,b"), Cell::Text("say \"hi\"")]),
            "\"a,b\",\"say \"\"hi\"\"\"\r\n"
        );
        assert_eq!(row(&[Cell::Text("김서현")]), "김서현\r\n");
    }

    proptest! {
        #[test]
        fn s28_cells_come_back_as_they_are_shown(texts in prop::collection::vec(any::<String>(), 1..6)) {
            let cells: Vec<Cell<'_>> = texts.iter().map(|text| Cell::Text(text)).collect();
            let line = row(&cells);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let back = read(&line);
            prop_assert_eq!(back.len(), texts.len());
            for (text, cell) in texts.iter().zip(&back) {
                let shown = Shown::line(text).into_string();
                let neutralised = format!("'{shown}");
                prop_assert!(*cell == shown || *cell == neutralised);
            }
        }
    }
}
