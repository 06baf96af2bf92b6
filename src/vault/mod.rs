//! Sealing of billing keys, and what else must stay private on disk.
//!
//! A [`Vault`] holds the key-encryption key of one installation. It seals a text under a random key of
//! that row alone, and opens it only for the row, provider and mode it was sealed for. It stores nothing
//! and knows no table; it answers with bytes for the store and with a [`Secret`](crate::secret::Secret) for the length of one
//! call. Neither a key nor a plain text ever appears in an error or a `Debug` text.

mod key;
mod port;
pub mod private_file;
mod seal;

pub use key::{KeyId, create_key_file};
pub use private_file::PrivateFileError;
pub use seal::{LookupHash, SealContext, Sealed, Vault, VaultError};
