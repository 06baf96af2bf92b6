//! Outbound clients of payment providers. Each implements `engine::ports::Provider`.
//!
//! Here lie transport and wire formats, and nothing that decides: every answer becomes evidence in
//! the domain's words, and what is not understood becomes "no answer". No client retries by itself,
//! follows a redirect or uses a proxy, and none names a URL or a key in an error or a log.

mod http;
pub mod stripe;
pub mod toss;
