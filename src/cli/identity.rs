//! Who is acting: by an SSH key that sshd vouches for, or by this process's uid. Never by `$USER`.
//!
//! What the environment claims is kept as evidence and decides nothing. Whoever cannot be named looks
//! and changes nothing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::config::Person;
use crate::domain::mode::Mode;
use crate::domain::operator::{Access, Operator, Role};

/// What this process is, as far as the system says so, and what its environment claims.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub uid: u32,
    /// The account's name in the system's list.
    pub account: Option<String>,
    /// Fingerprints of the keys that sshd says were used; none when this is no such session.
    pub keys: Option<Vec<String>>,
    /// `$USER`, `$SSH_CONNECTION` and the terminal.
    pub claims: Vec<(&'static str, String)>,
}

impl Facts {
    /// Reads them.
    pub fn of_this_process() -> Self {
        let uid = rustix::process::getuid().as_raw();
        let keys = std::env::var_os("SSH_USER_AUTH").map(|path| keys_of(Path::new(&path), uid));
        let claims = [
            ("user", "USER"),
            ("logname", "LOGNAME"),
            ("ssh_connection", "SSH_CONNECTION"),
            ("tty", "SSH_TTY"),
        ]
        .into_iter()
        .filter_map(|(name, variable)| Some((name, std::env::var(variable).ok()?)))
        .map(|(name, value)| {
            (
                name,
                value.chars().filter(|c| !c.is_control()).take(80).collect(),
            )
        })
        .collect();
        Self {
            uid,
            account: account(uid),
            keys,
            claims,
        }
    }
}

/// Fingerprints in the file that sshd writes with `ExposeAuthInfo yes`; none when it is not sshd's.
fn keys_of(path: &Path, uid: u32) -> Vec<String> {
    let is_trusted = fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_file() && (found.uid() == 0 || found.uid() == uid) && found.mode() & 0o022 == 0
    });
    if !is_trusted {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(fingerprint).collect()
}

/// `publickey ssh-ed25519 AAAA…` → `SHA256:…`, as `ssh-keygen -lf` prints it.
fn fingerprint(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    if words.next()? != "publickey" {
        return None;
    }
    let blob = STANDARD.decode(words.nth(1)?).ok()?;
    Some(format!(
        "SHA256:{}",
        STANDARD_NO_PAD.encode(Sha256::digest(blob))
    ))
}

fn account(uid: u32) -> Option<String> {
    let list = fs::read_to_string("/etc/passwd").ok()?;
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// What a person asked for this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// As the roles say.
    AsRoles,
    /// Nothing is changed, whatever the roles say.
    ReadOnly,
}

/// The person, the roles, and what supports it.
pub fn resolve(people: &[Person], mode: Mode, facts: &Facts, session: Session) -> Operator {
    let (person, roles, named_by) = name(people, mode, facts);
    let is_named = !roles.is_empty();
    let access = if session == Session::ReadOnly || !is_named {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let mut evidence = vec![
        ("uid".to_owned(), facts.uid.to_string()),
        ("named_by".to_owned(), named_by.to_owned()),
    ];
    for key in facts.keys.iter().flatten() {
        evidence.push(("ssh_key".to_owned(), key.clone()));
    }
    for (name, claim) in &facts.claims {
        evidence.push((format!("claim_{name}"), claim.clone()));
    }
    Operator {
        person,
        roles: if is_named { roles } else { vec![Role::Viewer] },
        access,
        evidence,
    }
}

fn name(people: &[Person], mode: Mode, facts: &Facts) -> (String, Vec<Role>, &'static str) {
    let account = || {
        facts
            .account
            .clone()
            .unwrap_or_else(|| format!("uid{}", facts.uid))
    };
    if let Some(keys) = &facts.keys {
        // One service account for everybody: the uid says nothing about the person here.
        let by_key = people
            .iter()
            .find(|person| person.keys.iter().any(|key| keys.contains(key)));
        return match by_key {
            Some(person) => (person.name.clone(), person.roles.clone(), "ssh_key"),
            None => (account(), Vec::new(), "nobody"),
        };
    }
    match people
        .iter()
        .find(|person| person.uids.contains(&facts.uid))
    {
        Some(person) => (person.name.clone(), person.roles.clone(), "uid"),
        None if mode == Mode::Sim && people.is_empty() => {
            (account(), vec![Role::Admin], "simulator")
        }
        None => (account(), Vec::new(), "nobody"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";

    fn kim() -> Person {
        Person {
            name: "kim".into(),
            uids: vec![1_001, 2_001],
            keys: Vec::new(),
            roles: vec![Role::Support],
        }
    }

    fn facts(uid: u32) -> Facts {
        Facts {
            uid,
            account: Some("someone".into()),
            ..Facts::default()
        }
    }

    #[test]
    fn s1_a_uid_names_a_person_and_claims_do_not() {
        let claims = vec![
            ("user", "root".to_owned()),
            ("ssh_connection", "10.0.0.1 1 10.0.0.2 22".to_owned()),
        ];
        let named = resolve(
            &[kim()],
            Mode::Live,
            &Facts {
                claims,
                ..facts(1_001)
            },
            Session::AsRoles,
        );
        assert_eq!(
            (named.person.as_str(), named.access),
            ("kim", Access::ReadWrite)
        );
        assert!(
            named
                .evidence
                .contains(&("claim_user".into(), "root".into()))
        );
        let other = resolve(&[kim()], Mode::Live, &facts(1_002), Session::AsRoles);
        assert_eq!(
            (other.roles.as_slice(), other.access),
            (&[Role::Viewer][..], Access::ReadOnly)
        );
    }

    #[test]
    fn s2_two_keys_on_one_account_are_two_people_and_an_unknown_key_is_nobody() {
        let print = fingerprint(&format!("publickey ssh-ed25519 {KEY}")).unwrap();
        let lee = Person {
            name: "lee".into(),
            uids: Vec::new(),
            keys: vec![print.clone()],
            roles: vec![Role::Oncall],
        };
        let people = [kim(), lee];
        let with = |keys: &[&str]| {
            let keys = Some(keys.iter().map(|key| (*key).to_owned()).collect());
            resolve(
                &people,
                Mode::Live,
                &Facts {
                    keys,
                    ..facts(1_001)
                },
                Session::AsRoles,
            )
        };
        assert_eq!(with(&[&print]).person, "lee");
        // The service account's own uid belongs to kim, and must not stand in for an unknown key.
        assert_eq!(with(&["SHA256:other"]).access, Access::ReadOnly);
        assert_eq!(with(&[]).access, Access::ReadOnly);
    }

    #[test]
    fn s2_a_file_that_others_could_write_names_nobody() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth");
        fs::write(&path, format!("publickey ssh-ed25519 {KEY}\n")).unwrap();
        let me = rustix::process::getuid().as_raw();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(keys_of(&path, me).len(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(keys_of(&path, me).is_empty());
        assert!(keys_of(&dir.path().join("none"), me).is_empty());
    }

    #[test]
    fn the_simulator_needs_no_list_of_people_and_live_does() {
        let admin = resolve(&[], Mode::Sim, &facts(7), Session::AsRoles);
        assert_eq!(
            (admin.person.as_str(), admin.roles.as_slice()),
            ("someone", &[Role::Admin][..])
        );
        assert_eq!(
            resolve(&[], Mode::Sim, &facts(7), Session::ReadOnly).access,
            Access::ReadOnly
        );
        assert_eq!(
            resolve(&[], Mode::Live, &facts(7), Session::AsRoles).access,
            Access::ReadOnly
        );
        assert_eq!(
            resolve(&[kim()], Mode::Sim, &facts(7), Session::AsRoles).access,
            Access::ReadOnly
        );
    }
}
