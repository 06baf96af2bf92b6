//! The vault as the engine knows it: one billing key per payment method.

use super::seal::{SealContext, Sealed, Vault, VaultError};
use crate::domain::customer::SealedKey;
use crate::engine::ports::{KeyVault, KeyVaultError, SealedFor};
use crate::secret::Secret;

const TABLE: &str = "payment_method";

fn context<'a>(row: &SealedFor<'a>) -> SealContext<'a> {
    SealContext {
        table: TABLE,
        row_id: row.method.as_str(),
        provider: row.provider,
        mode: row.mode,
    }
}

impl KeyVault for Vault {
    fn key_id(&self) -> String {
        Self::key_id(self).to_string()
    }

    fn seal(&self, row: SealedFor<'_>, key: &Secret) -> Result<SealedKey, KeyVaultError> {
        let sealed = self
            .seal_text(&context(&row), key.expose().as_bytes())
            .map_err(|error| KeyVaultError::Seal(Box::new(error)))?;
        Ok(SealedKey {
            sealed: sealed.into_bytes(),
            key_id: self.key_id().to_string(),
            hash: self.hash(key),
        })
    }

    fn open(&self, row: SealedFor<'_>, sealed: &SealedKey) -> Result<Secret, KeyVaultError> {
        let sealed = Sealed::from_stored(sealed.sealed.clone());
        self.open_text(&context(&row), &sealed)
            .map_err(|error| match error {
                VaultError::UnknownKey { wanted } => KeyVaultError::UnknownKey {
                    key_id: wanted.to_string(),
                },
                VaultError::KeyFile(_)
                | VaultError::NotAKey { .. }
                | VaultError::NotCreated { .. }
                | VaultError::Altered { .. }
                | VaultError::Malformed { .. }
                | VaultError::NoRandomness => KeyVaultError::Unreadable {
                    method: row.method.as_str().to_owned(),
                },
            })
    }

    fn hash(&self, key: &Secret) -> String {
        self.lookup_hash(key.expose().as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::PublicId;
    use crate::domain::mode::{Mode, ProviderName};
    use crate::vault::create_key_file;

    #[test]
    fn through_the_port_a_key_opens_in_its_row_alone_and_is_found_by_its_hash() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.key");
        create_key_file(&path).unwrap();
        let vault = Vault::load(&path).unwrap();
        let (here, there) = (
            method("pm_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            method("pm_01ARZ3NDEKTSV4RRFFQ69G5FAW"),
        );
        let row = |method| SealedFor {
            method,
            provider: ProviderName::Toss,
            mode: Mode::Sim,
        };
        let key = Secret::new("billing key");

        let sealed = KeyVault::seal(&vault, row(&here), &key).unwrap();

        assert_eq!(KeyVault::open(&vault, row(&here), &sealed).unwrap(), key);
        assert!(matches!(
            KeyVault::open(&vault, row(&there), &sealed),
            Err(KeyVaultError::Unreadable { .. })
        ));
        assert_eq!(sealed.hash, vault.hash(&key));
        assert_eq!(sealed.key_id, vault.key_id().to_string());
    }

    fn method(id: &str) -> PublicId {
        PublicId::from_stored(id.to_owned())
    }
}
