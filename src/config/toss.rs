//! Which secret key of Toss Payments goes with which mode.
//!
//! Test and live share the host: the key alone selects the environment. So the key's prefix has to
//! agree with the configuration's mode, or a test would take real money.

use std::fmt;

use super::error::Problem;
use crate::domain::mode::Mode;
use crate::secret::Secret;

/// What a text of the provider's developer centre is, as far as its beginning tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Secret,
    /// The secret key of 2021 and 2022; test only.
    LegacySecret,
    Client,
    WidgetClient,
    WidgetSecret,
    /// 64 hexadecimal digits: it verifies events and encrypts payouts.
    Security,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret | Self::LegacySecret => "secret key",
            Self::Client => "client key",
            Self::WidgetClient => "widget's client key",
            Self::WidgetSecret => "widget's secret key",
            Self::Security => "security key",
        })
    }
}

const PREFIXES: &[(&str, &str, KeyKind)] = &[
    ("test_sk_", "test", KeyKind::Secret),
    ("live_sk_", "live", KeyKind::Secret),
    ("test_ak_", "test", KeyKind::LegacySecret),
    ("test_ck_", "test", KeyKind::Client),
    ("live_ck_", "live", KeyKind::Client),
    ("test_gck_", "test", KeyKind::WidgetClient),
    ("live_gck_", "live", KeyKind::WidgetClient),
    ("test_gsk_", "test", KeyKind::WidgetSecret),
    ("live_gsk_", "live", KeyKind::WidgetSecret),
];

/// The key without what an editor may have put around it, and what kind it is.
pub(super) fn secret_key(written: &str, mode: Mode) -> Result<(Secret, KeyKind), Problem> {
    let key = written.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if key.is_empty() {
        return Err(Problem::Empty);
    }
    if key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Problem::KeyOfOtherKind {
            found: KeyKind::Security,
        });
    }
    let Some((prefix, key_mode, found)) =
        PREFIXES.iter().find(|(prefix, ..)| key.starts_with(prefix))
    else {
        return Err(Problem::NotAKey);
    };
    let (key_mode, found) = (*key_mode, *found);
    if !matches!(found, KeyKind::Secret | KeyKind::LegacySecret) {
        return Err(Problem::KeyOfOtherKind { found });
    }
    if (key_mode == "live") != (mode == Mode::Live) {
        return Err(Problem::KeyOfOtherMode {
            found,
            key_mode,
            mode,
        });
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.len() == prefix.len() || !key.chars().all(is_plain) {
        return Err(Problem::NotAKey);
    }
    Ok((Secret::new(key), found))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::settings::ProviderAddress;
    use super::*;
    use crate::domain::mode::ProviderName;

    fn address(written: &str, mode: Mode, base: &Path) -> Result<ProviderAddress, Problem> {
        super::super::address::address(ProviderName::Toss, written, mode, base)
    }

    const MODES: [Mode; 3] = [Mode::Live, Mode::Test, Mode::Sim];

    fn accepted(key: &str) -> Vec<Mode> {
        MODES
            .into_iter()
            .filter(|mode| secret_key(key, *mode).is_ok())
            .collect()
    }

    #[test]
    fn s08_a_secret_key_works_in_its_own_mode_alone() {
        assert_eq!(accepted("live_sk_abc"), [Mode::Live]);
        assert_eq!(accepted("test_sk_abc"), [Mode::Test, Mode::Sim]);
        assert_eq!(accepted("test_ak_abc"), [Mode::Test, Mode::Sim]);
        for other in [
            "test_ck_a",
            "live_ck_a",
            "test_gck_a",
            "live_gck_a",
            "test_gsk_a",
            "live_gsk_a",
            "sk_live_a",
        ] {
            assert_eq!(accepted(other), [], "{other}");
        }
        assert_eq!(accepted(&"ab".repeat(32)), []);
        for broken in [
            "live_sk_",
            "live_sk_a b",
            "live_sk_a:",
            "live_sk_a\nb",
            "live_sk_가",
        ] {
            assert_eq!(accepted(broken), [], "{broken}");
        }
    }

    #[test]
    fn s40_the_simulators_mode_never_takes_a_live_key() {
        let refused = secret_key("live_sk_abc", Mode::Sim).unwrap_err();
        assert_eq!(
            refused,
            Problem::KeyOfOtherMode {
                found: KeyKind::Secret,
                key_mode: "live",
                mode: Mode::Sim
            }
        );
    }

    #[test]
    fn byte_order_marks_and_white_space_around_a_key_are_dropped() {
        let (key, _) = secret_key("\u{feff}  test_sk_abc\r\n", Mode::Test).unwrap();
        assert_eq!(key.expose(), "test_sk_abc");
    }

    #[test]
    fn s26_live_and_test_speak_to_the_provider_alone() {
        let base = Path::new("/etc/paydeck");
        for mode in [Mode::Live, Mode::Test] {
            assert_eq!(
                address("https://api.tosspayments.com/", mode, base),
                Ok(ProviderAddress::Official)
            );
            for other in [
                "http://api.tosspayments.com",
                "https://api.tosspayments.com.example.net",
                "https://api.tosspayments.com@example.net",
                "https://api.tosspayments.com:8443",
                "https://example.net",
                "http://127.0.0.1:8080",
                "sandbox:demo",
                "",
            ] {
                assert_eq!(
                    address(other, mode, base),
                    Err(Problem::NotTheProvider {
                        mode,
                        official: "https://api.tosspayments.com"
                    }),
                    "{other}"
                );
            }
        }
    }

    #[test]
    fn s40_the_simulators_mode_never_leaves_the_machine() {
        let base = Path::new("/srv/demo");
        for remote in [
            "https://api.tosspayments.com",
            "https://127.0.0.1:1",
            "http://example.net:80",
            "http://10.0.0.1:80",
            "http://127.0.0.1.example.net:80",
            "http://127.0.0.1:80@example.net:80",
            "http://127.0.0.1",
        ] {
            assert_eq!(
                address(remote, Mode::Sim, base),
                Err(Problem::NotTheSimulator),
                "{remote}"
            );
        }
        for local in [
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://localhost:8080/",
        ] {
            let url = local.trim_end_matches('/').to_owned();
            assert_eq!(
                address(local, Mode::Sim, base),
                Ok(ProviderAddress::Loopback { url })
            );
        }
        let sandbox = |dir: &str| Ok(ProviderAddress::Sandbox { dir: dir.into() });
        assert_eq!(
            address("sandbox:sim", Mode::Sim, base),
            sandbox("/srv/demo/sim")
        );
        assert_eq!(
            address("sandbox:/var/sim", Mode::Sim, base),
            sandbox("/var/sim")
        );
        assert_eq!(
            address("sandbox:", Mode::Sim, base),
            Err(Problem::NotAnAddress {
                official: "https://api.tosspayments.com"
            })
        );
    }
}
