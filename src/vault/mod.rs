//! vault: to be filled.
