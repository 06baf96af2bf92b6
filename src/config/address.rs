//! Which address of a provider goes with which mode.
//!
//! Modes live and test speak to the provider's own host and nowhere else, mode sim to this machine and nowhere else.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::error::Problem;
use super::settings::ProviderAddress;
use crate::domain::mode::{Mode, ProviderName};

/// The only address a provider has.
pub(super) const fn official(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Toss => "https://api.tosspayments.com",
        ProviderName::Stripe => "https://api.stripe.com",
    }
}

/// Modes live and test speak to the provider alone, mode sim to a simulator of this machine alone.
pub(super) fn address(
    provider: ProviderName,
    written: &str,
    mode: Mode,
    base: &Path,
) -> Result<ProviderAddress, Problem> {
    let address = parse_address(provider, written.trim(), base);
    match (mode, address) {
        (Mode::Sim, Some(ProviderAddress::Official)) => Err(Problem::NotTheSimulator),
        (Mode::Sim, None) if is_remote(written.trim()) => Err(Problem::NotTheSimulator),
        (Mode::Sim, Some(address)) => Ok(address),
        (Mode::Sim, None) => Err(Problem::NotAnAddress {
            official: official(provider),
        }),
        (Mode::Live | Mode::Test, Some(ProviderAddress::Official)) => Ok(ProviderAddress::Official),
        (Mode::Live | Mode::Test, _) => Err(Problem::NotTheProvider {
            mode,
            official: official(provider),
        }),
    }
}

fn is_remote(written: &str) -> bool {
    written.starts_with("https://") || written.starts_with("http://")
}

fn parse_address(provider: ProviderName, written: &str, base: &Path) -> Option<ProviderAddress> {
    if let Some(dir) = written.strip_prefix("sandbox:") {
        return (!dir.is_empty()).then(|| ProviderAddress::Sandbox {
            dir: base.join(dir),
        });
    }
    let url = written.strip_suffix('/').unwrap_or(written);
    if url == official(provider) {
        return Some(ProviderAddress::Official);
    }
    is_loopback(url.strip_prefix("http://")?).then(|| ProviderAddress::Loopback {
        url: url.to_owned(),
    })
}

/// `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`; a port is a must.
fn is_loopback(authority: &str) -> bool {
    if let Some(port) = authority.strip_prefix("localhost:") {
        return port.parse::<u16>().is_ok_and(|port| port != 0);
    }
    authority.parse::<SocketAddr>().is_ok_and(|socket| {
        socket.port() != 0
            && match socket.ip() {
                IpAddr::V4(ip) => ip.is_loopback(),
                IpAddr::V6(ip) => ip.is_loopback(),
            }
    })
}
