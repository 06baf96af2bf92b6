//! A coded answer of "no". Its text and usual HTTP status are in the table of codes.

use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Cow<'static, str>,
    /// Only where it differs from the table, or the code is not in it.
    pub status: Option<u16>,
}

impl Refusal {
    pub fn code(code: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.into(),
            status: None,
        }
    }
}
