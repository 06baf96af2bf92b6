//! The directory of a demo: private files, and the configuration that opens all of it.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::options::{DemoError, DemoOptions};
use crate::locale::Lang;
use crate::sandbox::{SECRET_KEY, stripe};

pub(super) const CONFIG: &str = "config.toml";
pub(super) const DATABASE: &str = "paydeck.db";
pub(super) const SANDBOX: &str = "sandbox.sqlite";
pub(super) const VAULT_KEY: &str = "vault.key";
const TOSS_KEY: &str = "toss.key";
const STRIPE_KEY: &str = "stripe.key";

/// Makes a directory that only its owner may enter. An empty one becomes such a directory; one that
/// holds something stays as it is.
pub(super) fn private_dir(path: &Path) -> Result<(), DemoError> {
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        if std::fs::read_dir(path)?.next().is_none() {
            std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
        }
        Ok(())
    };
    make().map_err(|source| DemoError::Files {
        path: path.to_owned(),
        source,
    })
}

/// The simulator's secret keys and the configuration, readable by their owner alone.
pub(super) fn write(dir: &Path, options: &DemoOptions) -> Result<(), DemoError> {
    private_file(&dir.join(TOSS_KEY), &format!("{SECRET_KEY}\n"))?;
    private_file(&dir.join(STRIPE_KEY), &format!("{}\n", stripe::SECRET_KEY))?;
    private_file(&dir.join(CONFIG), &text(options.lang))
}

fn private_file(path: &Path, content: &str) -> Result<(), DemoError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| DemoError::Files {
        path: path.to_owned(),
        source,
    })
}

fn text(lang: Lang) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let (shop, code) = match lang {
        Lang::Ko => ("데모 상점", "ko"),
        Lang::En => ("Demo shop", "en"),
    };
    format!(
        r#"# A demo: made-up data, and a simulator in the place of the payment provider. No money is real here.
# Paths start at this file's directory, so the directory may be moved.
mode = "sim"

[database]
url = "sqlite:{DATABASE}"

[provider.toss]
base_url = "sandbox:."
secret_key_file = "{TOSS_KEY}"

# Won goes to the one, every other currency to the other: the simulator stands in for both.
[provider.stripe]
secret_key_file = "{STRIPE_KEY}"

[vault]
key_file = "{VAULT_KEY}"

[billing]
zone = "Asia/Seoul"

# Whoever made the demo may do everything in it.
[people.demo]
uid = {uid}
roles = ["support", "oncall", "finance", "admin"]

[ui]
name = "{shop}"
lang = "{code}"
# Nobody in here exists.
mask_personal = false
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_one_that_the_program_takes() {
        let text: toml::Table = text(Lang::Ko).parse().unwrap();
        assert_eq!(text["mode"].as_str(), Some("sim"));
        assert_eq!(text["people"]["demo"]["roles"].as_array().unwrap().len(), 4);
    }
}
