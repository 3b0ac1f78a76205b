//! `netconsole=` of the kernel line: the kernel's messages, and the machine's own among them, to a host on the network. The
//! driver is a module here, and it takes the address of a link when it is loaded: it waits for that address.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use host::kernel_line;
use host::problems::{self, ProblemRecord};
use host::step::Step;

use crate::network::address_announcer::all_addresses;

const NAME: &str = "netconsole";
/// The kernel's default.
const DEFAULT_LINK: &str = "eth0";
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Loads the driver, if the kernel line names a host, once each link that it sends from has an address.
pub(crate) async fn load_when_connected() {
    let root = Path::new("/");
    let line = kernel_line::read(root);
    let Some(parameter) = kernel_line::value(&line, NAME) else {
        return;
    };
    // A restarted `ros sysinit` finds it loaded.
    if root.join("sys/module").join(NAME).exists() {
        return;
    }
    if let Err(error) = wait_for_links(&links(parameter)).await.and_then(|()| {
        host::perform::run_step(&Step::Module {
            name: NAME.to_owned(),
            parameters: format!("{NAME}={parameter}"),
        })
    }) {
        let text = format!("netconsole={parameter}: {error:#}");
        problems::report(&ProblemRecord::error(NAME, "kernel command line", text));
    }
}

async fn wait_for_links(links: &[&str]) -> Result<()> {
    loop {
        let addresses = all_addresses().await?;
        let has_address = |link: &&str| addresses.iter().any(|(name, _)| name == link);
        if links.iter().all(has_address) {
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The links of `[+][r][port]@[address]/[link],[port]@address/[mac]`, one for each host; a semicolon is between hosts.
fn links(parameter: &str) -> Vec<&str> {
    let hosts = parameter.split(';').filter(|host| !host.is_empty());
    hosts
        .map(|host| {
            let source = host.split(',').next().unwrap_or_default();
            let link = source.split_once('/').map(|(_, link)| link);
            link.filter(|link| !link.is_empty()).unwrap_or(DEFAULT_LINK)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::links;

    #[test]
    fn links_of_the_kernels_parameter() {
        for (parameter, expected) in [
            ("@/,@10.0.0.1/", &["eth0"][..]),
            ("@/eth1,@10.0.0.1/", &["eth1"]),
            (
                "+r4444@10.0.0.2/br0,9353@10.0.0.1/12:34:56:78:9a:bc",
                &["br0"],
            ),
            (
                "6665@fd00::2/eth2,@fd00::1/;@/,@10.0.0.1/",
                &["eth2", "eth0"],
            ),
            ("", &[]),
        ] {
            assert_eq!(links(parameter), expected, "{parameter}");
        }
    }
}
