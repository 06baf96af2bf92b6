//! The machine's clock, read once: to tell how far the end of the story is from it.

use chrono::{DateTime, Utc};

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator's clock is an offset from the machine's"
)]
pub(super) fn machine_now() -> DateTime<Utc> {
    Utc::now()
}
