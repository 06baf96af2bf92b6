//! Where things are: the configuration file in force, and the usual places.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use super::error::CliError;
use crate::config::{self, Environment, Settings};

/// Where a file is looked for when nobody names one, in this order.
pub fn usual_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Ok(dir) = own_directory() {
        files.push(dir.join("config.toml"));
    }
    files.push(PathBuf::from("/etc/paydeck/config.toml"));
    files
}

/// `~/.config/paydeck`, or what `XDG_CONFIG_HOME` says.
pub fn own_directory() -> Result<PathBuf, CliError> {
    etcetera::choose_base_strategy()
        .map(|base| base.config_dir().join("paydeck"))
        .map_err(|_| CliError::Internal("no home directory".to_owned()))
}

/// The settings in force: the file named here, else by `PAYDECK_CONFIG`, else the first usual one;
/// the environment over it.
pub fn settings(named: Option<&Path>) -> Result<Settings, CliError> {
    let environment = config::process_environment();
    let is_named = named.is_some()
        || environment
            .get("PAYDECK_CONFIG")
            .is_some_and(|name| !name.is_empty());
    let usual = if is_named {
        None
    } else {
        usual_files().into_iter().find(|path| path.exists())
    };
    if !is_named && usual.is_none() && !says_anything(&environment) {
        return Err(CliError::NoConfiguration);
    }
    Ok(config::load(named.or(usual.as_deref()), &environment)?)
}

fn says_anything(environment: &Environment) -> bool {
    environment.keys().any(|name| name.starts_with("PAYDECK__"))
}
