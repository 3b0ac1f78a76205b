//! What the machine forwards between its links: without `rancher.network.forward` only what the engines' own rules allow.
//!
//! The machine forwards packets, because containers need it. Docker closes the chain FORWARD only if it finds forwarding
//! switched off, and rules of its own let containers through. An open chain would let every neighbour reach the
//! unpublished ports of containers, and use the machine as a router.

use std::path::Path;

use anyhow::{Context, Result};

use crate::subprocess;

const FORWARD_V4: &str = "/proc/sys/net/ipv4/ip_forward";
/// The programs of IPv4 and of IPv6.
const PROGRAMS: [&str; 2] = ["/usr/sbin/iptables", "/usr/sbin/ip6tables"];

/// Closes the chain FORWARD, or opens it for a router, and then switches IPv4's forwarding on. If the chain cannot be
/// closed, forwarding stays as it is: Docker finds it off and closes the chain itself.
pub(crate) fn set_policy(is_router: bool) -> Result<()> {
    for program in PROGRAMS {
        // A kernel without IPv6 forwards none.
        if program.ends_with("ip6tables") && !Path::new("/proc/sys/net/ipv6").exists() {
            continue;
        }
        subprocess::run(program, &arguments(is_router), None)
            .context("setting the policy of the chain FORWARD")?;
    }
    host::perform::run_step(&host::step::Step::Tell {
        path: FORWARD_V4.into(),
        content: "1".to_owned(),
    })
}

/// The arguments: wait for other programs that change rules, and set the policy.
fn arguments(is_router: bool) -> [&'static str; 5] {
    let target = if is_router { "ACCEPT" } else { "DROP" };
    ["--wait", "30", "--policy", "FORWARD", target]
}
