//! sandbox: to be filled.
