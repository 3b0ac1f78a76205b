//! `ntp` of the cloud-config: the time servers of chronyd, and how it sets the clock, in a file of the ntp container.

use std::path::Path;

use anyhow::{Context, Result};
use host::facts;
use host::paths::TIME_SERVERS;
use os_config::{Ntp, atomic_file};

/// The default time servers of Debian's chronyd.
const DEFAULT_SERVERS: &str = "pool 2.debian.pool.ntp.org iburst\n";

/// Writes the file; chronyd reads it when it starts.
pub(crate) fn write(ntp: &Ntp) -> Result<()> {
    let text = text(ntp, facts::is_virtual_machine(Path::new("/")));
    atomic_file::replace(Path::new(TIME_SERVERS), text.as_bytes(), 0o644)
        .with_context(|| format!("writing {TIME_SERVERS}"))
}

fn text(ntp: &Ntp, is_virtual_machine: bool) -> String {
    // The clock of a virtual machine stands while the machine is suspended, at any time of its life. Another clock is set
    // in the first moments alone, and then made slower or faster.
    let updates = if is_virtual_machine { -1 } else { 3 };
    format!("makestep 1 {updates}\n{}", servers(ntp))
}

fn servers(ntp: &Ntp) -> String {
    if ntp.servers.is_empty() && ntp.pools.is_empty() {
        return DEFAULT_SERVERS.to_owned();
    }
    let servers = ntp
        .servers
        .iter()
        .map(|name| format!("server {name} iburst\n"));
    let pools = ntp.pools.iter().map(|name| format!("pool {name} iburst\n"));
    servers.chain(pools).collect()
}

#[cfg(test)]
mod tests {
    use super::text;
    use os_config::Ntp;

    #[test]
    fn servers_and_pools() {
        let ntp = Ntp {
            enabled: true,
            servers: vec!["10.0.0.1".into()],
            pools: vec!["pool.lan".into()],
        };
        assert_eq!(
            text(&ntp, false),
            "makestep 1 3\nserver 10.0.0.1 iburst\npool pool.lan iburst\n"
        );
        assert_eq!(
            text(&Ntp::default(), true),
            format!("makestep 1 -1\n{}", super::DEFAULT_SERVERS)
        );
    }
}
