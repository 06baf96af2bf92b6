//! config: to be filled.
