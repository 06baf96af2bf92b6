//! domain: to be filled.
