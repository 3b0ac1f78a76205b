//! `ros netconf`: reads the machine's links, plans the network and performs the plan.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use host::paths::DHCPCD_CONFIG;
use host::problems::{self, ProblemRecord};
use network::{Link, NetworkCommand, VirtualLinks, dhcpcd, resolv_conf};
use os_config::atomic_file;

use crate::network::links;

const RESOLV_CONF: &str = "/etc/resolv.conf";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let root = Path::new("/");
    let config = os_config::load::load(root).config;
    let network = &config.rancher.network;
    let hardware = links::hardware_links(root);
    let virtual_links = VirtualLinks::plan(network, &hardware, &links::link_names(root));
    for problem in &virtual_links.problems {
        const KEY: &str = "rancher.network.interfaces";
        let text = format!("{KEY}: {problem}");
        problems::report(&ProblemRecord::error("network.interfaces", KEY, text));
    }
    for command in network::plan(network, &hardware, &virtual_links) {
        if let Err(error) = execute(&command) {
            eprintln!("ros netconf: {error:#}");
        }
    }
    if let Some(text) = resolv_conf::text(network) {
        // The machine's file, which this container and others mount.
        atomic_file::overwrite(Path::new(RESOLV_CONF), text.as_bytes())
            .with_context(|| format!("writing {RESOLV_CONF}"))?;
    }
    let links: Vec<Link> = hardware.into_iter().chain(virtual_links.links).collect();
    let Some(text) = dhcpcd::config(network, &links) else {
        return park_forever();
    };
    // The file is in memory.
    std::fs::write(DHCPCD_CONFIG, text).with_context(|| format!("writing {DHCPCD_CONFIG}"))?;
    let error = Command::new("/usr/sbin/dhcpcd")
        .args(["--nobackground", "--config", DHCPCD_CONFIG])
        .exec();
    Err(error).context("starting dhcpcd")
}

/// Keeps the container running if all addresses are static: a service that ends counts as failed.
fn park_forever() -> Result<ExitCode> {
    loop {
        std::thread::park();
    }
}

fn execute(command: &NetworkCommand) -> Result<()> {
    let (program, arguments) = command
        .argv()
        .split_first()
        .context("the command is empty")?;
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("starting {program}"))?;
    anyhow::ensure!(status.success(), "{command} ended with {status}");
    Ok(())
}
