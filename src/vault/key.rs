//! The key-encryption key: 32 random bytes in a private file, written as base64 or hexadecimal digits.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::Generate;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::private_file;
use super::seal::VaultError;

pub(super) const KEY_LENGTH: usize = 32;
const LOOKUP_PURPOSE: &[u8] = b"paydeck lookup hash, version 1";

/// Names a key without telling it: the first bytes of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(super) [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) bytes: Zeroizing<[u8; KEY_LENGTH]>,
    /// Derived, so that a lookup hash says nothing that helps against a sealed text.
    lookup: Zeroizing<[u8; KEY_LENGTH]>,
}

impl Key {
    pub(super) fn new(bytes: Zeroizing<[u8; KEY_LENGTH]>) -> Self {
        let digest = Sha256::digest(bytes.as_slice());
        let id = KeyId([digest[0], digest[1], digest[2], digest[3]]);
        let lookup = Zeroizing::new(keyed_hash(&bytes, LOOKUP_PURPOSE));
        Self { id, bytes, lookup }
    }

    pub(super) fn load(path: &Path) -> Result<Self, VaultError> {
        let text = private_file::read(path)?;
        let bytes = decode(text.trim()).ok_or_else(|| VaultError::NotAKey {
            path: path.to_owned(),
        })?;
        Ok(Self::new(bytes))
    }

    pub(super) fn lookup_hash(&self, plain: &[u8]) -> [u8; 32] {
        keyed_hash(&self.lookup, plain)
    }
}

fn keyed_hash(key: &[u8; KEY_LENGTH], message: &[u8]) -> [u8; 32] {
    // HMAC pads a key that is shorter than the hash's block with zeros; done here, this cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_LENGTH].copy_from_slice(key);
    let mut hash = Hmac::<Sha256>::new((&*block).into());
    hash.update(message);
    hash.finalize().into_bytes().into()
}

fn decode(text: &str) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
    let bytes = Zeroizing::new(if text.len() == 2 * KEY_LENGTH {
        decode_hexadecimal(text)?
    } else {
        STANDARD.decode(text).ok()?
    });
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    if bytes.len() != KEY_LENGTH {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}

fn decode_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    digits?
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok())
        .collect()
}

/// Makes a new key file, readable by its owner alone. An existing file is never touched.
///
/// Whoever loses this file loses every stored billing key.
pub fn create_key_file(path: &Path) -> Result<KeyId, VaultError> {
    let not_created = |source| VaultError::NotCreated {
        path: path.to_owned(),
        source,
    };
    let bytes =
        Zeroizing::new(<[u8; KEY_LENGTH]>::try_generate().map_err(|_| VaultError::NoRandomness)?);
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(bytes.as_slice())));
    write_once(path, text.as_bytes()).map_err(not_created)?;
    Ok(Key::new(bytes).id)
}

fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    // The name has to survive a power cut as well as the content.
    match path.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_key_is_the_same_in_base64_and_in_hexadecimal_digits() {
        let bytes: Vec<u8> = (0..32).collect();
        let hexadecimal = "000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        assert_eq!(decode(hexadecimal).unwrap().to_vec(), bytes);
        assert_eq!(decode(&STANDARD.encode(&bytes)).unwrap().to_vec(), bytes);
    }

    #[test]
    fn what_is_not_32_bytes_is_no_key() {
        for text in [
            "",
            "abc",
            &STANDARD.encode([1; 31]),
            &STANDARD.encode([1; 33]),
            &"g".repeat(64),
            &"é".repeat(32),
        ] {
            assert!(decode(text).is_none(), "{text}");
        }
    }

    #[test]
    fn s14_a_created_key_file_is_private_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.key");
        let id = create_key_file(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o400);
        assert_eq!(Key::load(&path).unwrap().id, id);
        assert!(matches!(
            create_key_file(&path),
            Err(VaultError::NotCreated { .. })
        ));
        assert_eq!(Key::load(&path).unwrap().id, id);
    }

    #[test]
    fn the_keyed_hash_is_the_published_hmac_sha256() {
        // RFC 4231, test case 1, whose 20-byte key is padded with zeros to the same HMAC block.
        let mut key = [0; KEY_LENGTH];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(
            keyed_hash(&key, b"Hi There").to_vec(),
            decode_hexadecimal(expected).unwrap()
        );
    }

    #[test]
    fn the_key_id_is_the_beginning_of_the_keys_sha256() {
        // SHA-256 of 32 zero bytes.
        assert_eq!(
            Key::new(Zeroizing::new([0; KEY_LENGTH])).id.to_string(),
            "66687aad"
        );
    }
}
