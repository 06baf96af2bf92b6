//! The few traits with several real implementations: [`Store`]/[`Tx`], [`Provider`], [`Clock`],
//! [`Ids`], [`KeyVault`], [`Spool`].
//!
//! A [`Desk`] is one worker's place. An open transaction and a call to a provider both borrow it
//! mutably, so calling out inside a transaction does not compile:
//!
//! ```compile_fail
//! use paydeck::engine::ports::{Desk, Provider, Store};
//! async fn forbidden<S: Store>(store: &S, provider: &dyn Provider, desk: &mut Desk) {
//!     let tx = store.begin(desk).await.unwrap();
//!     provider.look_up_payment(desk, "payment").await; // the desk is still lent to `tx`
//!     drop(tx);
//! }
//! ```

mod fees;
mod mirror;
mod mirrored_provider;
mod provider;
mod rows;
mod spool;
mod store;
mod store_error;
mod stored;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::customer::SealedKey;
use crate::domain::ids::{Noun, PublicId};
use crate::domain::mode::{Mode, ProviderName};
use crate::secret::Secret;

pub use fees::*;
pub use mirror::*;
pub use mirrored_provider::*;
pub use provider::*;
pub use rows::*;
pub use spool::*;
pub use store::*;
pub use store_error::*;

/// A boxed future, for ports that are chosen at run time.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Any error, kept as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One worker's place: at any time either a transaction or a call to a provider holds it.
#[derive(Debug, Default)]
pub struct Desk(());

impl Desk {
    /// A new place to work at.
    pub const fn new() -> Self {
        Self(())
    }
}

/// Business time. Everything that is due, late or new is judged by it.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
    /// Time that has passed on this machine since some beginning, also while it or this process slept, and whatever
    /// happens to business time. Only differences mean something.
    fn uptime(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now().timestamp_micros()).unwrap_or(0))
    }
    /// Ends at or after `at`.
    fn sleep_until(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()>;
    /// Takes over what another process did to the time: the simulator's may be moved.
    fn follow(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Where new ids come from.
pub trait Ids: Send + Sync {
    /// A new public id; sorts after those made before.
    fn public_id(&self, noun: Noun) -> PublicId;
    /// An unguessable text: customer keys, install secrets.
    fn random_text(&self) -> String;
}

/// Which row a sealed key belongs to. It opens for no other.
#[derive(Debug, Clone, Copy)]
pub struct SealedFor<'a> {
    /// The payment method's public id.
    pub method: &'a PublicId,
    /// Which provider.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
}

/// Why a billing key cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyVaultError {
    /// The ciphertext does not belong to this row, mode or key, or was changed.
    #[error("billing key of {method} cannot be opened")]
    Unreadable {
        /// Which method.
        method: String,
    },
    /// It was sealed with a key-encryption key we do not have.
    #[error("key {key_id} is not loaded")]
    UnknownKey {
        /// Which key.
        key_id: String,
    },
    /// Sealing failed.
    #[error("sealing failed")]
    Seal(#[source] BoxError),
}

/// Seals billing keys and opens one for the length of one call.
pub trait KeyVault: Send + Sync {
    /// Which key-encryption key seals now.
    fn key_id(&self) -> String;
    /// Seals `key` for one row.
    fn seal(&self, row: SealedFor<'_>, key: &Secret) -> Result<SealedKey, KeyVaultError>;
    /// Opens what was sealed for that row.
    fn open(&self, row: SealedFor<'_>, sealed: &SealedKey) -> Result<Secret, KeyVaultError>;
    /// Keyed hash of a billing key, to find it by equality.
    fn hash(&self, key: &Secret) -> String;
}
