//! Asking data sources over the network, for a bounded time altogether.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use cloud_init_rs::{Asking, Client, Data, Machine};
use host::problems;
use os_config::Config;

use super::{remember, save, wanted};

/// How long all questions together may take: with nothing saved there is nothing to go on with.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same where an earlier boot's answers can be used.
const PATIENCE_WITH_SAVED: Duration = Duration::from_secs(20);
/// Most services answer at once where they are; this one may not take all the time there is.
const EACH_BUT_LAST: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Asks the configured services until one knows the machine.
pub(super) fn over_network(config: &Config) -> Result<()> {
    let mut machine = Machine::read(Path::new("/"));
    let mut wanted = wanted(config, &machine);
    wanted.retain(|wanted| wanted.service.needs_network(&machine));
    if wanted.is_empty() {
        return Ok(());
    }
    let until = Instant::now() + patience();
    let mut failed = Vec::new();
    if let Err(reason) = wait_for_address(until) {
        failed.push(reason);
        wanted.clear();
    }
    machine.read_dhcp_servers(Path::new("/"));
    let count = wanted.len();
    for (index, wanted) in wanted.into_iter().enumerate() {
        let name = wanted.service.name();
        let mut left = until.saturating_duration_since(Instant::now());
        if index + 1 < count {
            left = left.min(EACH_BUT_LAST);
        }
        let http = Client::through(left, proxy(config, name));
        let asking = Asking {
            http: &http,
            machine: &machine,
            root: wanted.root,
        };
        match wanted.service.fetch(&asking) {
            Ok(Some(data)) => return take(config, name, &data, until),
            Ok(None) => failed.push(format!("{name} knows nothing of this machine")),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    problems::say(&format!("cloud-init: {}; {}", failed.join("; "), instead()));
    Ok(())
}

fn take(config: &Config, name: &str, data: &Data, until: Instant) -> Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let http = Client::through(left, proxy(config, "url"));
    println!("{name}: {}", save::save(data, Some(&http))?);
    remember(name)
}

/// Fetches what user-data from a disk includes.
pub(super) fn fetch_pending(config: &Config) -> Result<()> {
    let patience = patience();
    if let Err(reason) = wait_for_address(Instant::now() + patience) {
        problems::say(&format!("user-data: {reason}; {}", instead()));
        return Ok(());
    }
    let http = Client::through(patience, proxy(config, "url"));
    println!("user-data: {}", save::save_pending(&http)?);
    Ok(())
}

/// Services of a cloud are reached directly; plain addresses through the proxy, if there is one.
fn proxy<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    let network = &config.rancher.network;
    let proxy = network
        .https_proxy
        .as_deref()
        .or(network.http_proxy.as_deref());
    proxy.filter(|_| matches!(name, "url" | "cmdline"))
}

fn patience() -> Duration {
    if save::saved_at().is_some() {
        PATIENCE_WITH_SAVED
    } else {
        PATIENCE
    }
}

/// What holds in place of an answer.
fn instead() -> String {
    let age = save::saved_at().and_then(|time| SystemTime::now().duration_since(time).ok());
    match age.map(|age| age.as_secs()) {
        None => "nothing was saved before".to_owned(),
        Some(seconds @ 0..3600) => format!("what was saved {} minutes ago is used", seconds / 60),
        Some(seconds @ 3600..172_800) => {
            format!("what was saved {} hours ago is used", seconds / 3600)
        }
        Some(seconds) => format!("what was saved {} days ago is used", seconds / 86_400),
    }
}

/// Waits until a link of this machine has an address or a route.
fn wait_for_address(until: Instant) -> Result<(), String> {
    let has_link = || {
        let links = std::fs::read_dir("/sys/class/net").into_iter().flatten();
        links
            .flatten()
            .any(|link| link.path().join("device").exists())
    };
    while !has_address() {
        if Instant::now() >= until {
            let what = if has_link() {
                "address"
            } else {
                "network card"
            };
            return Err(format!("the machine has no {what}"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn has_address() -> bool {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    // A line for the names of the columns, then one per route.
    let has_route = read("/proc/net/route").lines().count() > 1;
    // Address, index, prefix length, scope: 00 is global.
    let has_global = read("/proc/net/if_inet6")
        .lines()
        .any(|line| line.split_ascii_whitespace().nth(3) == Some("00"));
    has_route || has_global
}
