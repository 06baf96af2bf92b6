//! Use cases over ports, one verb per file. Nothing here knows SQL, HTTP or a screen.

pub mod ports;
pub mod queries;
