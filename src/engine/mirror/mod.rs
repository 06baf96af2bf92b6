//! Subscriptions that a provider schedules: taken in, read, followed by events, and acted on through the provider.
//!
//! One arrow for everything that may have changed: a hint (an event, a wish, a person's pull) names a subscription, the
//! provider is asked how it stands, and what was read is written. Readings are ordered by when they began, and a newer one
//! is never overwritten by an older. So it does not matter how often, in which order or how late hints come.
//! Nothing here charges anybody: an attempt of a mirrored invoice has no request, and the database refuses any other.

mod adopt;
mod books;
mod carry;
mod events;
mod goal;
mod inbox;
mod reading;
mod tend;
mod wish;

pub use adopt::Adopted;
pub use events::Pulled;
pub(in crate::engine) use wish::WishWork;
