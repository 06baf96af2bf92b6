//! Envelope encryption: each text under a random key of its own, that key under the installation's.
//!
//! Both layers are XChaCha20-Poly1305 and authenticate where the text belongs, so a sealed text moved
//! to another row, provider or mode does not open. Rotation re-wraps the inner key and leaves the
//! sealed text itself as it is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::key::{KEY_LENGTH, Key, KeyId};
use super::private_file::PrivateFileError;
use crate::domain::mode::{Mode, ProviderName};
use crate::secret::Secret;

/// `version ‖ key id ‖ wrapping nonce ‖ wrapped key ‖ nonce ‖ sealed text`
const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const WRAP_AT: usize = 1 + 4;
const WRAPPED_AT: usize = WRAP_AT + NONCE;
const NONCE_AT: usize = WRAPPED_AT + KEY_LENGTH + TAG;
const TEXT_AT: usize = NONCE_AT + NONCE;
const SHORTEST: usize = TEXT_AT + TAG;

/// Split by what a person has to do; trying again never helps, except after [`VaultError::NoRandomness`].
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("key file not taken")]
    KeyFile(#[from] PrivateFileError),
    #[error("{}: is not a key of 32 bytes in base64 or hexadecimal digits", path.display())]
    NotAKey { path: PathBuf },
    #[error("{}: key file not created", path.display())]
    NotCreated {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Sealed under a key that was not loaded, as after a restore with the wrong key file.
    #[error("sealed under key {wanted}, which is not loaded")]
    UnknownKey { wanted: KeyId },
    /// Changed, or moved from another row, provider or mode.
    #[error("{table} {row_id}: sealed text does not belong here or was changed")]
    Altered { table: &'static str, row_id: String },
    #[error("{table} {row_id}: not a sealed text")]
    Malformed { table: &'static str, row_id: String },
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// Where a sealed text belongs. It is authenticated, not stored.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    pub table: &'static str,
    /// The row's public id: it is known before the row is inserted and never changes.
    pub row_id: &'a str,
    pub provider: ProviderName,
    pub mode: Mode,
}

impl SealContext<'_> {
    /// Each part with its length before it, so that no two places read the same.
    fn authenticated(&self, layer: &str, key: &[u8]) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            layer.as_bytes(),
            self.table.as_bytes(),
            self.row_id.as_bytes(),
            self.provider.as_str().as_bytes(),
            self.mode.as_str().as_bytes(),
            key,
        ];
        let mut bytes = vec![VERSION];
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    fn altered(&self) -> VaultError {
        VaultError::Altered {
            table: self.table,
            row_id: self.row_id.to_owned(),
        }
    }
}

/// A sealed text, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes what was stored; whether it can be opened shows when it is.
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Finds a text by equality without storing it: HMAC-SHA256 under a derived key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookupHash([u8; 32]);

impl LookupHash {
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Hexadecimal digits, as it is stored.
impl fmt::Display for LookupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LookupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupHash(…)")
    }
}

/// The keys of one installation: one that seals, and those that still open while rows are re-wrapped.
pub struct Vault {
    current: Key,
    previous: Vec<Key>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.current.id)
    }
}

impl Vault {
    pub fn load(key_file: &Path) -> Result<Self, VaultError> {
        Self::load_rotating(key_file, &[])
    }

    /// During a rotation: seals under `key_file`, opens under any.
    pub fn load_rotating(key_file: &Path, previous: &[PathBuf]) -> Result<Self, VaultError> {
        let current = Key::load(key_file)?;
        let previous = previous
            .iter()
            .map(|path| Key::load(path))
            .collect::<Result<_, _>>()?;
        Ok(Self { current, previous })
    }

    /// The key that seals; the database remembers it, so that a wrong key file is noticed at start.
    pub fn key_id(&self) -> KeyId {
        self.current.id
    }

    pub fn seal_text(&self, row: &SealContext<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        self.seal_with(row, plain, &Chance::draw()?)
    }

    pub fn open_text(&self, row: &SealContext<'_>, sealed: &Sealed) -> Result<Secret, VaultError> {
        let parts = Parts::of(row, sealed)?;
        let row_key = self.unwrap(row, &parts)?;
        let payload = Payload {
            msg: parts.text,
            aad: &row.authenticated("text", &[]),
        };
        let plain = cipher(&row_key)
            .decrypt(&nonce(parts.nonce), payload)
            .map_err(|_| row.altered())?;
        let plain = Zeroizing::new(plain);
        match std::str::from_utf8(&plain) {
            Ok(text) => Ok(Secret::new(text)),
            Err(_) => Err(VaultError::Malformed {
                table: row.table,
                row_id: row.row_id.to_owned(),
            }),
        }
    }

    /// Wraps the row's own key under the current key; the sealed text does not change.
    pub fn rewrap(&self, row: &SealContext<'_>, sealed: &Sealed) -> Result<Sealed, VaultError> {
        let parts = Parts::of(row, sealed)?;
        let row_key = self.unwrap(row, &parts)?;
        let wrap_nonce = <[u8; NONCE]>::try_generate().map_err(|_| VaultError::NoRandomness)?;
        let mut bytes = self.wrap(row, &row_key, &wrap_nonce)?;
        bytes.extend_from_slice(&sealed.0[NONCE_AT..]);
        Ok(Sealed(bytes))
    }

    /// Whether the key of this id is loaded, as the current one or as one being rotated out.
    pub fn knows(&self, key_id: &str) -> bool {
        self.keys().any(|key| key.id.to_string() == key_id)
    }

    /// Whether [`Vault::rewrap`] would change the key this is sealed under.
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.0.get(1..WRAP_AT) == Some(&self.current.id.0)
    }

    /// What to store beside the sealed text.
    pub fn lookup_hash(&self, plain: &[u8]) -> LookupHash {
        LookupHash(self.current.lookup_hash(plain))
    }

    /// What to search for: under the current key first, then under those being rotated out.
    pub fn lookup_hashes(&self, plain: &[u8]) -> Vec<LookupHash> {
        self.keys()
            .map(|key| LookupHash(key.lookup_hash(plain)))
            .collect()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    fn seal_with(
        &self,
        row: &SealContext<'_>,
        plain: &[u8],
        chance: &Chance,
    ) -> Result<Sealed, VaultError> {
        let mut bytes = self.wrap(row, &chance.row_key, &chance.wrap_nonce)?;
        let payload = Payload {
            msg: plain,
            aad: &row.authenticated("text", &[]),
        };
        let text = cipher(&chance.row_key)
            .encrypt(&nonce(&chance.nonce), payload)
            .map_err(|_| row.altered())?;
        bytes.extend_from_slice(&chance.nonce);
        bytes.extend_from_slice(&text);
        Ok(Sealed(bytes))
    }

    fn wrap(
        &self,
        row: &SealContext<'_>,
        row_key: &[u8; KEY_LENGTH],
        wrap_nonce: &[u8; NONCE],
    ) -> Result<Vec<u8>, VaultError> {
        let payload = Payload {
            msg: row_key,
            aad: &row.authenticated("key", &self.current.id.0),
        };
        let wrapped = cipher(&self.current.bytes)
            .encrypt(&nonce(wrap_nonce), payload)
            .map_err(|_| row.altered())?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.current.id.0);
        bytes.extend_from_slice(wrap_nonce);
        bytes.extend_from_slice(&wrapped);
        Ok(bytes)
    }

    fn unwrap(
        &self,
        row: &SealContext<'_>,
        parts: &Parts<'_>,
    ) -> Result<Zeroizing<[u8; KEY_LENGTH]>, VaultError> {
        let key = self
            .keys()
            .find(|key| key.id == parts.key_id)
            .ok_or(VaultError::UnknownKey {
                wanted: parts.key_id,
            })?;
        let payload = Payload {
            msg: parts.wrapped,
            aad: &row.authenticated("key", &key.id.0),
        };
        let plain = cipher(&key.bytes)
            .decrypt(&nonce(parts.wrap_nonce), payload)
            .map_err(|_| row.altered())?;
        let plain = Zeroizing::new(plain);
        let mut row_key = Zeroizing::new([0; KEY_LENGTH]);
        row_key.copy_from_slice(&plain);
        Ok(row_key)
    }
}

fn cipher(key: &[u8; KEY_LENGTH]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn nonce(bytes: &[u8; NONCE]) -> XNonce {
    XNonce::from(*bytes)
}

struct Chance {
    row_key: Zeroizing<[u8; KEY_LENGTH]>,
    wrap_nonce: [u8; NONCE],
    nonce: [u8; NONCE],
}

impl Chance {
    fn draw() -> Result<Self, VaultError> {
        Ok(Self {
            row_key: Zeroizing::new(
                <[u8; KEY_LENGTH]>::try_generate().map_err(|_| VaultError::NoRandomness)?,
            ),
            wrap_nonce: <[u8; NONCE]>::try_generate().map_err(|_| VaultError::NoRandomness)?,
            nonce: <[u8; NONCE]>::try_generate().map_err(|_| VaultError::NoRandomness)?,
        })
    }
}

struct Parts<'a> {
    key_id: KeyId,
    wrap_nonce: &'a [u8; NONCE],
    wrapped: &'a [u8],
    nonce: &'a [u8; NONCE],
    text: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(row: &SealContext<'_>, sealed: &'a Sealed) -> Result<Self, VaultError> {
        Self::split(&sealed.0).ok_or_else(|| VaultError::Malformed {
            table: row.table,
            row_id: row.row_id.to_owned(),
        })
    }

    fn split(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() < SHORTEST || bytes[0] != VERSION {
            return None;
        }
        Some(Self {
            key_id: KeyId(bytes[1..WRAP_AT].try_into().ok()?),
            wrap_nonce: bytes[WRAP_AT..WRAPPED_AT].try_into().ok()?,
            wrapped: &bytes[WRAPPED_AT..NONCE_AT],
            nonce: bytes[NONCE_AT..TEXT_AT].try_into().ok()?,
            text: &bytes[TEXT_AT..],
        })
    }
}

#[cfg(test)]
mod tests;
