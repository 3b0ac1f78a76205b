//! Waits for the machine's default route, as RancherOS did for services that start behind the network.

use std::path::Path;
use std::time::{Duration, Instant};

/// RancherOS's limit.
const TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Waits until there is a default route, or the time is over.
pub(crate) async fn wait() {
    let began = Instant::now();
    while !exists(Path::new("/")) && began.elapsed() < TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn exists(root: &Path) -> bool {
    let read = |file| std::fs::read_to_string(root.join("proc/net").join(file)).unwrap_or_default();
    read("route").lines().any(is_default_v4) || read("ipv6_route").lines().any(is_default_v6)
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`: a destination and a mask of zeros.
fn is_default_v4(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000")
}

/// `destination length … flags link`: a destination of no length. The kernel has an entry of the loopback link that
/// refuses.
fn is_default_v6(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.get(1) == Some(&"00") && words.last().is_some_and(|link| *link != "lo")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::exists;

    const V4: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    const LOCAL_V4: &str = "eth0\t0002000A\t00000000\t0001\t0\t0\t1002\t00FFFFFF\t0\t0\t0\n";
    const DEFAULT_V4: &str = "eth0\t00000000\t0202000A\t0003\t0\t0\t1002\t00000000\t0\t0\t0\n";
    /// Half of all addresses, as VPNs write it.
    const HALF_V4: &str = "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
    const NOWHERE: &str = "00000000000000000000000000000000";

    #[test]
    fn default_routes_of_both_protocols_count() {
        let root = tempfile::tempdir().unwrap();
        let net = root.path().join("proc/net");
        fs::create_dir_all(&net).unwrap();
        assert!(!exists(root.path()));
        let v6 = |link: &str| {
            format!(
                "{NOWHERE} 00 {NOWHERE} 00 {NOWHERE} 00000400 00000001 00000000 00200200     {link}\n"
            )
        };
        for (v4, v6, expected) in [
            ("", String::new(), false),
            (LOCAL_V4, v6("lo"), false),
            (HALF_V4, v6("lo"), false),
            (DEFAULT_V4, v6("lo"), true),
            (LOCAL_V4, v6("eth0"), true),
        ] {
            fs::write(net.join("route"), format!("{V4}{v4}")).unwrap();
            fs::write(net.join("ipv6_route"), &v6).unwrap();
            assert_eq!(exists(root.path()), expected, "{v4} {v6}");
        }
    }
}
