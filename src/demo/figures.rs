//! Daily takings as rows: what the read side adds up, day by day and plan by plan.

use chrono::NaiveDate;

use super::rows::{Row, WON};
use crate::store::Value;

/// A local day's takings of one plan; plan 0 is none. The table's other counts are computed from
/// the rows themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figure {
    pub(super) captured: (i64, i64),
    pub(super) refunded: (i64, i64),
}

pub(super) fn figure(day: NaiveDate, plan: i64, figure: &Figure) -> Row {
    vec![
        Value::from(day),
        Value::from(plan),
        Value::from(WON),
        Value::from(figure.captured.0),
        Value::from(figure.captured.1),
        Value::from(figure.refunded.0),
        Value::from(figure.refunded.1),
        Value::from(0_i64),
        Value::from(0_i64),
        Value::from(0_i64),
        Value::from(0_i64),
    ]
}
