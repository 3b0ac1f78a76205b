//! Prints on the consoles every new address that the machine can be reached at.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::watch::Sender;

use crate::network::links;

/// Announces every global address of a hardware interface, now and later, and tells `changes` of each. Ends only with an
/// error.
pub(crate) async fn announce_all(changes: Sender<()>) -> Result<()> {
    let mut said: Vec<String> = Vec::new();
    // `ip monitor` prints changes only, so the present addresses are read once it listens.
    let mut monitor = Command::new("/usr/sbin/ip")
        .args(["-o", "monitor", "address"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting ip monitor")?;
    let output = monitor.stdout.take().context("reading ip monitor")?;
    for (link, address) in current_addresses().await? {
        announce(&link, &address, &mut said);
    }
    changes.send_replace(());
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.context("reading ip monitor")? {
        if let Some((link, address)) = parse_on_hardware(&line) {
            announce(link, address, &mut said);
            changes.send_replace(());
        }
    }
    anyhow::bail!("ip monitor ended")
}

fn announce(link: &str, address: &str, said: &mut Vec<String>) {
    let text = format!("ros: {link} has address {address}: ssh rancher@{address}");
    if !said.contains(&text) {
        host::console::print_line(&text);
        said.push(text);
    }
}

/// The present global addresses of hardware and of links on it, each behind the name of its link.
pub(crate) async fn current_addresses() -> Result<Vec<(String, String)>> {
    let mut addresses = all_addresses().await?;
    addresses.retain(|(link, _)| links::rests_on_hardware(Path::new("/"), link));
    Ok(addresses)
}

/// The present global addresses of all links, each behind the name of its link.
pub(super) async fn all_addresses() -> Result<Vec<(String, String)>> {
    let output = Command::new("/usr/sbin/ip")
        .args(["-o", "address"])
        .output()
        .await
        .context("asking for addresses")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().filter_map(parse);
    Ok(found
        .map(|(link, address)| (link.to_owned(), address.to_owned()))
        .collect())
}

/// As [`parse`], for hardware and links on it only.
fn parse_on_hardware(line: &str) -> Option<(&str, &str)> {
    parse(line).filter(|(link, _)| links::rests_on_hardware(Path::new("/"), link))
}

/// Link and address of a line of `ip -o address`; `None` for deletions, and for addresses that are not global.
fn parse(line: &str) -> Option<(&str, &str)> {
    if line.contains("Deleted") || !line.contains("scope global") {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let link = words.find(|word| !word.ends_with(':'))?;
    let family = words.next()?;
    let address = words.next()?.split('/').next()?;
    (family == "inet" || (family == "inet6" && !line.contains("temporary")))
        .then_some((link, address))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_of_ip() {
        for (line, expected) in [
            (
                "2: eth0    inet 10.0.2.15/24 brd 10.0.2.255 scope global eth0\\       valid_lft forever",
                Some(("eth0", "10.0.2.15")),
            ),
            ("2: eth0    inet6 fec0::5/64 scope site dynamic \\ ", None),
            (
                "2: eth0    inet6 2001:db8::5/64 scope global dynamic \\ ",
                Some(("eth0", "2001:db8::5")),
            ),
            (
                "Deleted 2: eth0    inet 10.0.2.15/24 scope global eth0",
                None,
            ),
            ("1: lo    inet 127.0.0.1/8 scope host lo", None),
            ("", None),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
