//! Asks data sources over the network, all together for a limited time.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use cloud_init_rs::{Client, Firmware, InstanceData, Query};
use host::problems::{self, ProblemRecord};
use os_config::Config;

use crate::cloud_init::includes::Includes;
use crate::cloud_init::selection::select;
use crate::cloud_init::{current_source, save};
use crate::network::links;

/// Limit for all requests together if no earlier boot has saved an answer: without an answer the machine has no
/// configuration from its cloud.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Limit for all requests together if an earlier boot has saved an answer.
const TOTAL_TIMEOUT_WITH_SAVED: Duration = Duration::from_secs(20);
/// Limit for each source but the last: a source answers at once in its own cloud, and a silent source must leave time
/// for the next.
const TIMEOUT_BUT_LAST: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Asks the configured sources until a source knows the machine.
pub(super) fn ask_network(config: &Config) -> Result<()> {
    let mut firmware = Firmware::read(Path::new("/"));
    let mut selected = select(config, &firmware);
    selected.retain(|selected| selected.source.needs_network(&firmware));
    if selected.is_empty() {
        return Ok(());
    }
    let until = Instant::now() + total_timeout();
    let mut failed = Vec::new();
    if let Err(reason) = wait_for_address(until) {
        failed.push(reason);
        selected.clear();
    }
    firmware.read_dhcp_servers(Path::new("/"));
    let count = selected.len();
    for (index, selected) in selected.into_iter().enumerate() {
        let name = selected.source.name();
        let mut left = until.saturating_duration_since(Instant::now());
        if index + 1 < count {
            left = left.min(TIMEOUT_BUT_LAST);
        }
        let http = Client::with_proxy(left, proxy(config, name));
        let query = Query {
            http: &http,
            firmware: &firmware,
            root: selected.root,
        };
        match selected.source.fetch(&query) {
            Ok(Some(data)) => return save_answer(config, name, &data, until),
            Ok(None) => failed.push(format!("{name} knows nothing of this machine")),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    let text = format!("cloud-init: {}; {}", failed.join("; "), fallback_notice());
    problems::report(&ProblemRecord::error(
        "cloud-init.datasource",
        "cloud-init",
        text,
    ));
    Ok(())
}

fn save_answer(config: &Config, name: &str, data: &InstanceData, until: Instant) -> Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let network = Includes::new(config, left, proxy(config, "url"));
    let address = data.user_data_address.as_deref();
    if let Some(warning) = address.and_then(|address| network.warning(address)) {
        save::report(save::USER_DATA, warning);
    }
    println!("{name}: {}", save::save(data, Some(&network))?);
    current_source::write(name)
}

/// Fetches the documents that user-data from a disk includes.
pub(super) fn fetch_pending(config: &Config) -> Result<()> {
    let timeout = total_timeout();
    if let Err(reason) = wait_for_address(Instant::now() + timeout) {
        save::report_document(save::USER_DATA, format!("{reason}; {}", fallback_notice()));
        return Ok(());
    }
    let network = Includes::new(config, timeout, proxy(config, "url"));
    println!("user-data: {}", save::save_pending(&network)?);
    Ok(())
}

/// The proxy for a source. Services of a cloud are reached directly, plain addresses through the machine's proxy.
fn proxy<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    let network = &config.rancher.network;
    let proxy = network
        .https_proxy
        .as_deref()
        .or(network.http_proxy.as_deref());
    proxy.filter(|_| matches!(name, "url" | "cmdline"))
}

fn total_timeout() -> Duration {
    if save::last_save_time().is_some() {
        TOTAL_TIMEOUT_WITH_SAVED
    } else {
        TOTAL_TIMEOUT
    }
}

/// The age of the saved answer, for the message that no source has answered.
fn fallback_notice() -> String {
    let age = save::last_save_time().and_then(|time| SystemTime::now().duration_since(time).ok());
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
    let root = Path::new("/");
    let has_link = || {
        let names = links::link_names(root);
        names.iter().any(|name| links::is_hardware(root, name))
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
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

fn has_address() -> bool {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    // A line with the names of the columns, then a line per route.
    let has_route = read("/proc/net/route").lines().count() > 1;
    // Address, index, prefix length, scope: 00 is global.
    let has_global = read("/proc/net/if_inet6")
        .lines()
        .any(|line| line.split_ascii_whitespace().nth(3) == Some("00"));
    has_route || has_global
}
