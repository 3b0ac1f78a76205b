//! Machines of clouds, each beside the service that its data source asks.

use std::sync::OnceLock;

use anyhow::{Result, bail};

use crate::cloud::{Cloud, Request};
use crate::guest::problems;
use crate::machine::Machine;
use crate::seed::UserData;
use crate::spec::{MachineSpec, Network, SeedKind};

/// User-data that every cloud here gives: proves that it arrived, and with it the machine's addresses.
pub const USER_DATA: &str =
    "#cloud-config\nwrite_files:\n- path: /run/seen\n  content: \"$private_ipv4 $public_ipv4\"\n";
/// What such a machine may take, in seconds.
pub const TIME: u64 = 240;

/// Port 80 of the loopback, which all machines of clouds reach, each by the paths of its own.
fn service() -> Result<&'static Cloud> {
    static CLOUD: OnceLock<Result<Cloud>> = OnceLock::new();
    match CLOUD.get_or_init(|| Cloud::listen(80)) {
        Ok(cloud) => Ok(cloud),
        Err(error) => bail!("{error:#}"),
    }
}

/// A machine of a cloud, without any seed.
pub fn spec(smbios: &[&str]) -> MachineSpec {
    MachineSpec {
        seed: SeedKind::None,
        network: Network::Metadata,
        smbios: smbios.iter().map(|&table| table.into()).collect(),
        ..MachineSpec::default()
    }
}

/// Boots `spec` beside a service that answers below `paths` with what `respond` says, to whom the machine's key is
/// given.
pub fn boots(
    name: &str,
    paths: &[&str],
    spec: &MachineSpec,
    respond: impl Fn(&Request, &str) -> Option<String> + Send + Sync + 'static,
    body: impl FnOnce(&Machine, &Cloud) -> Result<()>,
) -> Result<()> {
    let cloud = service()?;
    cloud.fall_silent_below(paths);
    let machine = Machine::start(&format!("datasource-{name}"), spec, &UserData::key_only())?;
    let key = machine.ssh.public_key().to_owned();
    cloud.answer_below(paths, move |request| respond(request, &key));
    let result = machine.wait_up().and_then(|_| body(&machine, cloud));
    machine.finish(result)
}

/// The machine has the cloud's name, and its user-data with the addresses that the cloud gave.
pub fn knows(machine: &Machine, hostname: &str, seen: &str) -> Result<()> {
    assert_eq!(machine.ssh.ok("hostname")?, hostname);
    assert_eq!(machine.ssh.ok("cat /run/seen")?, seen);
    assert_eq!(problems(machine)?, [""; 0]);
    Ok(())
}

/// The body of a path.
pub fn of_table(table: &[(&str, &str)], path: &str) -> Option<String> {
    let known = table.iter().find(|(known, _)| *known == path);
    known.map(|(_, body)| (*body).to_owned())
}
