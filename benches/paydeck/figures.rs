//! Figures beside their floors and budgets, as a table or as JSON lines.
//!
//! Each figure is printed when it is known, so that a run that is broken off has told what it found.

use std::io::{self, Write};

use color_eyre::Result;
use serde_json::json;

use crate::watch::Readings;

/// How figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Table,
    JsonLines,
}

/// What a figure may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// At most so many of its own unit.
    AtMost(f64),
    /// At most so many times the floor.
    TimesFloor(f64),
    /// At least so much of the floor, which is the most that is possible.
    ShareOfFloor(f64),
    /// Nothing is promised.
    None,
}

/// One measured thing.
#[derive(Debug, Clone)]
pub struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
    p95: Option<f64>,
    floor: Option<f64>,
    floor_p95: Option<f64>,
    budget: Budget,
    note: String,
}

impl Figure {
    pub fn new(name: &str, unit: &'static str, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            value,
            p95: None,
            floor: None,
            floor_p95: None,
            budget: Budget::None,
            note: String::new(),
        }
    }

    /// The median of readings in milliseconds, with the 95th of a hundred beside it.
    pub fn times(name: &str, readings: &Readings) -> Self {
        Self {
            p95: Some(readings.p95()),
            ..Self::new(name, "ms", readings.median())
        }
    }

    pub fn over(self, floor: &Readings) -> Self {
        Self {
            floor_p95: Some(floor.p95()),
            ..self.over_value(floor.median())
        }
    }

    pub fn over_value(self, floor: f64) -> Self {
        Self {
            floor: Some(floor),
            ..self
        }
    }

    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    pub fn note(self, note: impl Into<String>) -> Self {
        Self {
            note: note.into(),
            ..self
        }
    }

    fn ratio(&self) -> Option<f64> {
        let floor = self.floor.filter(|floor| *floor > 0.0)?;
        Some(self.value / floor)
    }

    /// Whether the budget is kept; none without one.
    fn is_met(&self) -> Option<bool> {
        match self.budget {
            Budget::AtMost(most) => Some(self.value <= most),
            Budget::TimesFloor(most) => self.ratio().map(|ratio| ratio <= most),
            Budget::ShareOfFloor(least) => self.ratio().map(|ratio| ratio >= least),
            Budget::None => None,
        }
    }

    fn budget_text(&self) -> String {
        match self.budget {
            Budget::AtMost(most) => format!("<= {} {}", plain(most), self.unit),
            Budget::TimesFloor(most) => format!("<= {most:.1}x"),
            Budget::ShareOfFloor(least) => format!(">= {least:.2}x"),
            Budget::None => String::new(),
        }
    }

    fn row(&self) -> String {
        let with_p95 = |value: f64, p95: Option<f64>| match p95 {
            Some(p95) => format!("{} / {}", plain(value), plain(p95)),
            None => plain(value),
        };
        let floor = self.floor.map(|floor| with_p95(floor, self.floor_p95));
        let ratio = self.ratio().map(|ratio| format!("{ratio:.2}"));
        let met = self.is_met().map(|met| if met { "met" } else { "MISSED" });
        format!(
            "{:<34} {:>19} {:<6} {:>17} {:>7} {:>12}  {:<6}  {}",
            self.name,
            with_p95(self.value, self.p95),
            self.unit,
            floor.unwrap_or_default(),
            ratio.unwrap_or_default(),
            self.budget_text(),
            met.unwrap_or_default(),
            self.note
        )
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "p95": self.p95,
            "floor": self.floor,
            "floor_p95": self.floor_p95,
            "ratio": self.ratio(),
            "budget": self.budget_text(),
            "met": self.is_met(),
            "note": self.note,
        })
    }
}

/// As many decimals as mean something.
fn plain(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Where figures go.
pub struct Report {
    shape: Shape,
    missed: Vec<String>,
}

impl Report {
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            missed: Vec::new(),
        }
    }

    pub fn begin(&self) -> Result<()> {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        match self.shape {
            Shape::JsonLines => Ok(()),
            Shape::Table => self.line(&format!(
                "{cores} cores; value and floor are medians, after the slash the 95th of a hundred\n{:<34} {:>19} {:<6} {:>17} {:>7} {:>12}",
                "what", "value", "unit", "floor", "ratio", "budget"
            )),
        }
    }

    pub fn add(&mut self, figure: &Figure) -> Result<()> {
        if figure.is_met() == Some(false) {
            self.missed.push(figure.name.clone());
        }
        match self.shape {
            Shape::JsonLines => self.line(&figure.json().to_string()),
            Shape::Table => self.line(&figure.row()),
        }
    }

    /// Something a reader has to know: what was left out, and why.
    pub fn remark(&self, text: &str) -> Result<()> {
        match self.shape {
            Shape::JsonLines => self.line(&json!({ "remark": text }).to_string()),
            Shape::Table => self.line(&format!("# {text}")),
        }
    }

    pub fn end(&self) -> Result<()> {
        if self.missed.is_empty() {
            self.remark("every budget was met")
        } else {
            self.remark(&format!("missed: {}", self.missed.join(", ")))
        }
    }

    fn line(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", text.trim_end())?;
        Ok(out.flush()?)
    }
}
