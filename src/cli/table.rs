//! Records as an aligned table. Amounts and dates are never cut; names are, when the terminal is narrow.

use super::output::title;
use super::record::{Field, Record};
use super::view::View;
use crate::text::{Align, fit, width};

const GAP: usize = 2;
/// The least a cut column keeps.
const LEAST: usize = 6;

/// The columns of one list, with the widths seen so far.
pub struct Table {
    columns: &'static [&'static str],
    widths: Vec<usize>,
    /// Cells of the terminal; none when nobody looks.
    limit: Option<usize>,
    has_head: bool,
}

impl Table {
    pub fn new(columns: &'static [&'static str]) -> Self {
        use std::io::IsTerminal as _;
        let limit = std::io::stdout()
            .is_terminal()
            .then(|| crossterm::terminal::size().ok())
            .flatten()
            .map(|(columns, _)| usize::from(columns));
        Self::with_limit(columns, limit)
    }

    fn with_limit(columns: &'static [&'static str], limit: Option<usize>) -> Self {
        Self {
            columns,
            widths: vec![0; columns.len()],
            limit,
            has_head: false,
        }
    }

    /// The lines of one page; the head comes before the first.
    pub fn lines(&mut self, records: &[Record], view: &View) -> String {
        let titles: Vec<String> = self.columns.iter().map(|name| title(view, name)).collect();
        let rows: Vec<Vec<(String, Align)>> = records
            .iter()
            .map(|record| {
                self.columns
                    .iter()
                    .map(|name| cell(record, name, view))
                    .collect()
            })
            .collect();
        for (at, seen) in self.widths.iter_mut().enumerate() {
            let widest = rows
                .iter()
                .filter_map(|row| row.get(at))
                .map(|(text, _)| width(text))
                .max();
            *seen = (*seen).max(width(&titles[at])).max(widest.unwrap_or(0));
        }
        let widths = self.fitted(records);
        let mut text = String::new();
        if !self.has_head {
            self.has_head = true;
            let aligns = rows
                .first()
                .map(|row| row.iter().map(|(_, align)| *align).collect());
            let aligns: Vec<Align> = aligns.unwrap_or_else(|| vec![Align::Left; titles.len()]);
            let head: Vec<(String, Align)> = titles.into_iter().zip(aligns).collect();
            push_line(&mut text, &head, &widths);
        }
        for row in &rows {
            push_line(&mut text, row, &widths);
        }
        text
    }

    /// Widths that fit the terminal: columns of free text give way, widest first.
    fn fitted(&self, records: &[Record]) -> Vec<usize> {
        let mut widths = self.widths.clone();
        let Some(limit) = self.limit else {
            return widths;
        };
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            let widest = (0..widths.len())
                .filter(|at| widths[*at] > LEAST && self.may_cut(*at, records))
                .max_by_key(|at| widths[*at]);
            match widest {
                Some(at) => widths[at] -= 1,
                None => break,
            }
        }
        widths
    }

    fn may_cut(&self, at: usize, records: &[Record]) -> bool {
        records
            .first()
            .and_then(|record| record.get(self.columns[at]))
            .is_some_and(|field| matches!(field, Field::Text(_) | Field::Words(..)))
    }
}

fn cell(record: &Record, name: &str, view: &View) -> (String, Align) {
    let field = record.get(name);
    let align = match field {
        Some(
            Field::Money(_)
            | Field::Sums(_)
            | Field::Number(_)
            | Field::BasisPoints(_)
            | Field::Thousandths(_),
        ) => Align::Right,
        _ => Align::Left,
    };
    (
        field.map_or_else(String::new, |field| view.cell(field)),
        align,
    )
}

fn push_line(text: &mut String, cells: &[(String, Align)], widths: &[usize]) {
    let mut line = String::new();
    for (at, ((cell, align), cells)) in cells.iter().zip(widths).enumerate() {
        if at > 0 {
            line.push_str(&" ".repeat(GAP));
        }
        line.push_str(&fit(cell, *cells, *align));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Personal;
    use crate::domain::money::{Currency, Money};
    use crate::locale::{Lang, Locale};

    fn view() -> View {
        View {
            locale: Locale::get(Lang::En),
            zone: chrono_tz::Asia::Seoul,
            personal: Personal::Masked,
        }
    }

    fn rows() -> Vec<Record> {
        ["김서현", "Acme Corporation of the World"]
            .into_iter()
            .zip([9_900, 1_204_300])
            .map(|(name, minor)| {
                Record::of("payment")
                    .text("customer_name", name)
                    .money("captured", Money::new(minor, Currency::KRW))
            })
            .collect()
    }

    #[test]
    fn o06_columns_align_with_hangul_names() {
        let text = Table::with_limit(&["customer_name", "captured"], None).lines(&rows(), &view());
        let widths: Vec<usize> = text.lines().map(width).collect();
        assert_eq!(widths[1], widths[2], "{text}");
    }

    #[test]
    fn a_narrow_terminal_cuts_names_and_never_amounts() {
        let text =
            Table::with_limit(&["customer_name", "captured"], Some(24)).lines(&rows(), &view());
        assert!(text.lines().all(|line| width(line) <= 24), "{text}");
        assert!(text.contains("1,204,300") && text.contains(".."), "{text}");
    }

    #[test]
    fn the_head_comes_once() {
        let mut table = Table::with_limit(&["customer_name"], None);
        let first = table.lines(&rows(), &view());
        let second = table.lines(&rows(), &view());
        assert_eq!(first.lines().count(), 3);
        assert_eq!(second.lines().count(), 2);
    }
}
