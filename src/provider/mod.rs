//! provider: to be filled.
