//! What several integration tests share: `mod support;` brings it in.
//!
//! It starts servers and makes files; it knows nothing of paydeck's own types, so that it can serve
//! a test of any layer. What a test takes from here is gone when the value is dropped.
#![allow(
    dead_code,
    reason = "every test crate compiles all of this and uses its part; `expect` would fail in a crate that uses everything"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

pub mod pg_proxy;
pub mod postgres;
pub mod sqlite;
