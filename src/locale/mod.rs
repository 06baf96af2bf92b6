//! locale: to be filled.
