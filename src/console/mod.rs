//! console: to be filled.
