//! demo: to be filled.
