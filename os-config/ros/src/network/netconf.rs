//! `ros netconf`: reads the machine's links, plans the network and performs the plan.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host::paths::DHCPCD_CONFIG;
use host::problems::{self, ProblemRecord};
use network::{Link, NetworkCommand, VirtualLinks, dhcpcd, resolv_conf};
use os_config::{Network, atomic_file};

use crate::network::{address_announcer, links};

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// dhcpcd's hook adds it behind what DHCP says. Only this container has it.
const RESOLV_CONF_TAIL: &str = "/etc/resolv.conf.tail";
/// RancherOS's default of `dhcp_timeout`, in seconds.
const DHCP_TIMEOUT: u32 = 10;
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Wait until DHCP has answered, and run `post_cmds` alone.
    #[arg(long, hide = true)]
    after_dhcp: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    let network = &config.rancher.network;
    if args.after_dhcp {
        let (mut all, virtual_links) = read_links(network);
        all.extend(virtual_links.links);
        wait_for_addresses(network, &all)?;
        perform(&network::post_commands(network));
        return Ok(ExitCode::SUCCESS);
    }
    perform(&network::pre_commands(network));
    let (hardware, virtual_links) = read_links(network);
    perform(&network::plan(network, &hardware, &virtual_links));
    let conflicts = virtual_links.conflicts;
    let links: Vec<Link> = hardware.into_iter().chain(virtual_links.links).collect();
    for conflict in conflicts
        .iter()
        .chain(&network::absent_links(network, &links))
    {
        let text = format!("network: {conflict}");
        problems::report(&ProblemRecord::error("network.settings", "network", text));
    }
    let dhcp = dhcpcd::config(network, &links);
    // DHCP's servers stay in force beside a search list of the configuration.
    let has_servers = !network.dns.nameservers.is_empty();
    if let Some(text) = resolv_conf::text(network).filter(|_| has_servers || dhcp.is_none()) {
        // The machine's file, which this container and others mount.
        atomic_file::overwrite(Path::new(RESOLV_CONF), text.as_bytes())
            .with_context(|| format!("writing {RESOLV_CONF}"))?;
    }
    let Some(text) = dhcp else {
        perform(&network::post_commands(network));
        return park_forever();
    };
    let behind = resolv_conf::text_behind_dhcp(network);
    std::fs::write(RESOLV_CONF_TAIL, behind)
        .with_context(|| format!("writing {RESOLV_CONF_TAIL}"))?;
    // The file is in memory.
    std::fs::write(DHCPCD_CONFIG, text).with_context(|| format!("writing {DHCPCD_CONFIG}"))?;
    if !network.post_cmds.is_empty() {
        // dhcpcd takes this process's place and reaps the child.
        let child = Command::new("/proc/self/exe")
            .args(["netconf", "--after-dhcp"])
            .spawn();
        child.context("starting the commands of rancher.network.post_cmds")?;
    }
    let error = Command::new("/usr/sbin/dhcpcd")
        .args(["--nobackground", "--config", DHCPCD_CONFIG])
        .exec();
    Err(error).context("starting dhcpcd")
}

/// The links of hardware, and the plan of all other links with settings.
fn read_links(network: &Network) -> (Vec<Link>, VirtualLinks) {
    let root = Path::new("/");
    let hardware = links::hardware_links(root);
    let virtual_links = VirtualLinks::plan(network, &hardware, &links::all_links(root));
    (hardware, virtual_links)
}

/// Keeps the container running if all addresses are static: a service that ends counts as failed.
fn park_forever() -> Result<ExitCode> {
    loop {
        std::thread::park();
    }
}

/// Waits until every link with DHCP has an address, for as long as `dhcp_timeout` says.
fn wait_for_addresses(network: &Network, links: &[Link]) -> Result<()> {
    let seconds = network.dhcp_timeout.filter(|seconds| *seconds > 0);
    let timeout = Duration::from_secs(seconds.unwrap_or(DHCP_TIMEOUT).into());
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    while start.elapsed() < timeout {
        let addresses = runtime.block_on(address_announcer::all_addresses())?;
        let has_address = |link: &Link| addresses.iter().any(|(name, _)| *name == link.name);
        if dhcpcd::links(network, links)
            .iter()
            .all(|link| has_address(link))
        {
            return Ok(());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Runs commands in their order. A command that fails is a problem, and the others run.
fn perform(commands: &[NetworkCommand]) {
    for problem in failures(commands) {
        problems::report(&problem);
    }
}

/// Runs commands in their order, and gives a problem for each that fails, as soon as it fails.
fn failures(commands: &[NetworkCommand]) -> impl Iterator<Item = ProblemRecord> {
    commands.iter().filter_map(|command| {
        let error = execute(command).err()?;
        let text = format!("network: {error:#}");
        Some(ProblemRecord::error("network.command", "network", text))
    })
}

fn execute(command: &NetworkCommand) -> Result<()> {
    let (program, arguments) = command
        .argv()
        .split_first()
        .context("the command is empty")?;
    let mut process = Command::new(program);
    process.args(arguments);
    // A user's command may hold secrets, and what it starts may keep its output open: its key and its status say enough,
    // and the container's log has its output.
    if let Some(key) = command.origin() {
        let status = process
            .status()
            .with_context(|| format!("{key}: starting {program}"))?;
        anyhow::ensure!(
            status.success(),
            "{key}: the command ended with {status}; `system-docker logs network` has its output"
        );
        return Ok(());
    }
    let output = process
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.lines().next().unwrap_or("no reason given").trim();
    anyhow::ensure!(output.status.success(), "{command}: {reason}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::failures;
    use network::Link;
    use os_config::{Interface, Network};

    /// The problems of a user's commands, which run in a shell here as they do in the network's container.
    fn told(network: &Network) -> Vec<String> {
        let commands = network::post_commands(network);
        failures(&commands).map(|problem| problem.text).collect()
    }

    #[test]
    fn a_command_that_fails_is_told_by_its_key_and_the_others_run() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("net.sh");
        std::fs::write(&script, "#!/bin/sh\nexit 7\n").unwrap();
        let last = folder.path().join("last");
        let network = Network {
            post_cmds: vec![
                "true".to_owned(),
                // A secret of the command is no part of the problem.
                "TOKEN=secret; exit 3".to_owned(),
                format!("sh {}", script.display()),
                "/opt/is-in-the-console-alone post_up eth0".to_owned(),
                format!("touch {}", last.display()),
            ],
            ..Network::default()
        };
        let told = told(&network);
        let key = "network: rancher.network.post_cmds";
        let log = "`system-docker logs network` has its output";
        assert_eq!(
            told,
            [
                format!("{key}[1]: the command ended with exit status: 3; {log}"),
                format!("{key}[2]: the command ended with exit status: 7; {log}"),
                format!("{key}[3]: the command ended with exit status: 127; {log}"),
            ]
        );
        assert!(last.exists());
    }

    #[test]
    fn a_command_of_the_plan_that_fails_is_told_with_its_reason() {
        let mut network = Network::default();
        let interface = Interface {
            address: Some("10.1.0.2/24".into()),
            ..Interface::default()
        };
        // No machine has this link, so that nothing changes.
        const LINK: &str = "ros-test-none";
        network.interfaces.insert(LINK.into(), interface);
        let link = Link {
            name: LINK.into(),
            ..Link::default()
        };
        let commands = network::plan(&network, &[link], &network::VirtualLinks::default());
        let told: Vec<String> = failures(&commands).map(|problem| problem.text).collect();
        assert_eq!(told.len(), commands.len(), "{told:?}");
        for (text, command) in told.iter().zip(&commands) {
            assert!(text.starts_with("network: "), "{text}");
            assert!(
                text.contains(&command.to_string()) || text.contains("starting ip"),
                "{text}"
            );
        }
    }
}
