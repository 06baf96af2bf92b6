//! text: to be filled.
