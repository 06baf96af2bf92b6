//! The terminal user interface.
//!
//! So far its lower half: the terminal ([`term`]), what people do at it ([`input`]), and how things look ([`theme`],
//! [`overlay`]).

pub mod input;
pub mod overlay;
pub mod term;
pub mod theme;
