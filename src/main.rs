//! Thin entry point: everything is in the library.

fn main() {}
