//! This process as the owner of leases, `host:pid:start`, and which owners are gone.
//!
//! A process number is used again after a while; together with the time the process started it names
//! one process of one host for ever. About other hosts nothing is known, so nothing is released.

use std::fs;

/// This process.
pub fn this() -> String {
    let pid = std::process::id();
    format!("{}:{pid}:{}", host(), started(pid).unwrap_or_default())
}

/// The machine's name, as far as it may stand in an owner's name.
pub fn host() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let plain: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c))
        .collect();
    if plain.is_empty() {
        "host".to_owned()
    } else {
        plain
    }
}

/// Whether an owner was a process of this host that is gone. When in doubt it is not.
pub fn is_gone(owner: &str) -> bool {
    is_gone_on(owner, &host(), started)
}

fn is_gone_on(owner: &str, host: &str, started: impl Fn(u32) -> Option<u64>) -> bool {
    let mut parts = owner.rsplitn(3, ':');
    let (Some(start), Some(pid), Some(of_host)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Ok(start), Ok(pid)) = (start.parse::<u64>(), pid.parse::<u32>()) else {
        return false;
    };
    of_host == host && started(pid) != Some(start)
}

/// When a process of this host started, in ticks since the machine did; none when there is none.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_another_start_of_its_number_is_not() {
        let me = this();
        assert!(!is_gone(&me), "{me}");
        let earlier = format!("{}:{}:1", host(), std::process::id());
        assert!(is_gone(&earlier), "{earlier}");
    }

    #[test]
    fn nothing_is_known_about_other_hosts_and_other_names() {
        let nobody = |_| None;
        assert!(is_gone_on("here:7:9", "here", nobody));
        assert!(!is_gone_on("there:7:9", "here", nobody));
        assert!(!is_gone_on("reconciler", "here", nobody));
        assert!(!is_gone_on("here:7:9", "here", |_| Some(9)));
    }
}
