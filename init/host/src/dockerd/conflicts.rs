//! Settings that keep dockerd from starting, or its containers, though `dockerd --validate` accepts them. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use os_config::keys::mounts;

/// The storage drivers of a dockerd of Debian.
const STORAGE_DRIVERS: [&str; 5] = ["overlay2", "btrfs", "fuse-overlayfs", "vfs", "zfs"];
/// The options of the log drivers that write files. A driver of a plugin has options of its own.
const LOG_OPTIONS: [(&str, &[&str]); 3] = [
    (
        "json-file",
        &[
            "max-size",
            "max-file",
            "compress",
            "labels",
            "labels-regex",
            "env",
            "env-regex",
            "tag",
            "mode",
            "max-buffer-size",
        ],
    ),
    (
        "local",
        &[
            "max-size",
            "max-file",
            "compress",
            "mode",
            "max-buffer-size",
        ],
    ),
    ("none", &[]),
];

/// The log drivers that are part of dockerd.
const LOG_DRIVERS: [&str; 10] = [
    "json-file",
    "local",
    "none",
    "syslog",
    "journald",
    "gelf",
    "fluentd",
    "awslogs",
    "splunk",
    "gcplogs",
];

/// What conflicts depend on beside the settings.
#[derive(Clone, Debug, Default)]
pub(super) struct EngineFacts {
    /// Whether the engine has a container of its own, which has some folders of the machine.
    pub(super) is_user_docker: bool,
    /// The names of the groups; empty if they are not known.
    pub(super) groups: Vec<String>,
    /// Whether the engine has plugins, which may be log drivers.
    pub(super) has_plugins: bool,
}

/// The values of dockerd's settings, by the names of the flags.
pub(super) type Values = BTreeMap<String, Vec<String>>;

/// A value that is to be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// The name of the flag.
    pub(super) flag: &'static str,
    /// The value, of a setting with several; otherwise the whole setting.
    pub(super) value: Option<String>,
    pub(super) why: String,
}

fn whole(flag: &'static str, why: impl Into<String>) -> Conflict {
    Conflict {
        flag,
        value: None,
        why: why.into(),
    }
}

/// The conflicts of these values on a machine.
pub(super) fn find(values: &Values, machine: &EngineFacts) -> Vec<Conflict> {
    let mut found = Vec::new();
    // The last value counts, as on dockerd's command line.
    let last = |flag: &str| {
        values
            .get(flag)?
            .last()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    let all = |flag: &str| values.get(flag).into_iter().flatten();
    let is_off = |flag: &str| matches!(last(flag), Some("false" | "0"));
    let bridge = last("bridge");
    let bip = last("bip");
    if bridge.is_some() && bip.is_some() {
        found.push(whole(
            "bip",
            "`bridge` is set too, and dockerd gives an address to a bridge of its own alone",
        ));
    } else if let Some(bip) = bip
        && network(bip).is_none()
    {
        found.push(whole(
            "bip",
            format!("{bip} is no address with a prefix, such as 172.17.0.1/16"),
        ));
    }
    let bip = bip.filter(|_| bridge.is_none()).and_then(network);
    if let Some(text) = last("fixed-cidr") {
        match (network(text), bip) {
            (None, _) => found.push(whole(
                "fixed-cidr",
                format!("{text} is no network, such as 172.17.0.0/24"),
            )),
            (Some(fixed), Some(bip)) if fixed.1 < bip.1 || !holds(bip, fixed.0) => {
                found.push(whole(
                    "fixed-cidr",
                    format!("{text} is not in the network of `bip`"),
                ));
            }
            _ => {}
        }
    }
    if let Some(text) = last("default-gateway") {
        match (text.parse::<Ipv4Addr>(), bip) {
            (Err(_), _) => found.push(whole(
                "default-gateway",
                format!("{text} is no IPv4 address"),
            )),
            (Ok(gateway), Some(bip)) if !holds(bip, gateway) => found.push(whole(
                "default-gateway",
                format!("{text} is not in the network of `bip`"),
            )),
            _ => {}
        }
    }
    if let Some(text) = last("ip")
        && text.parse::<IpAddr>().is_err()
    {
        found.push(whole("ip", format!("{text} is no address")));
    }
    if is_off("iptables") && is_off("icc") {
        found.push(whole("icc", "`icc: false` needs `iptables`, which is off"));
    }
    if let Some(driver) = last("storage-driver")
        && !STORAGE_DRIVERS.contains(&driver)
    {
        found.push(whole(
            "storage-driver",
            format!("there is no storage driver {driver}; the usual one is overlay2"),
        ));
    }
    if let Some(folder) = last("data-root")
        && machine.is_user_docker
        && !mounts::is_shared(Path::new(folder))
    {
        found.push(whole(
            "data-root",
            format!(
                "User Docker's container has no folder {folder} of the machine, and would lose its data with the next \
                 version of it; it needs a folder below {}",
                mounts::SHARED_FOLDERS.join(", ")
            ),
        ));
    }
    let runtimes = all("add-runtime").map(|text| text.split('=').next().unwrap_or(text));
    if let Some(runtime) = last("default-runtime")
        && runtime != "runc"
        && !runtime.contains(['.', '/'])
        && !runtimes.into_iter().any(|known| known == runtime)
    {
        found.push(whole(
            "default-runtime",
            format!("there is no runtime {runtime}; `runtimes` names more than runc"),
        ));
    }
    if let Some(group) = last("group")
        && group.parse::<u32>().is_err()
        && !machine.groups.is_empty()
        && !machine.groups.iter().any(|known| known == group)
    {
        found.push(whole("group", format!("the machine has no group {group}")));
    }
    for option in all("exec-opt").filter(|text| *text == "native.cgroupdriver=systemd") {
        found.push(Conflict {
            flag: "exec-opt",
            value: Some(option.clone()),
            why: "this machine has no systemd, and no container would start".to_owned(),
        });
    }
    let driver = last("log-driver").unwrap_or("json-file");
    if !LOG_DRIVERS.contains(&driver) && !machine.has_plugins {
        found.push(whole(
            "log-driver",
            format!("there is no log driver {driver}, and no container would start"),
        ));
    }
    if let Some((_, known)) = LOG_OPTIONS.iter().find(|(name, _)| *name == driver) {
        for option in all("log-opt") {
            let name = option.split('=').next().unwrap_or(option);
            if !known.contains(&name) {
                found.push(Conflict {
                    flag: "log-opt",
                    value: Some(option.clone()),
                    why: format!("the log driver {driver} has no option {name}"),
                });
            }
        }
    }
    found
}

/// An IPv4 address and the length of its prefix.
fn network(text: &str) -> Option<(Ipv4Addr, u32)> {
    let (address, prefix) = text.split_once('/')?;
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
    Some((address.parse().ok()?, prefix))
}

fn holds((network, prefix): (Ipv4Addr, u32), address: Ipv4Addr) -> bool {
    let differing = network.to_bits() ^ address.to_bits();
    differing.leading_zeros() >= prefix
}

#[cfg(test)]
mod tests {
    use super::{EngineFacts, Values, find};

    #[test]
    fn settings_that_exclude_each_other_or_do_not_exist() {
        for (settings, expected) in [
            ("bridge=none bip=172.19.0.1/16", "bip"),
            ("bip=172.19.0.1/16", ""),
            ("bip=172.19.0.1", "bip"),
            ("bip=172.300.0.1/16", "bip"),
            ("bip=10.1.0.1/16 fixed-cidr=10.1.2.0/24", ""),
            ("bip=10.1.0.1/16 fixed-cidr=10.2.2.0/24", "fixed-cidr"),
            ("bip=10.1.0.1/24 fixed-cidr=10.1.0.0/16", "fixed-cidr"),
            ("fixed-cidr=here", "fixed-cidr"),
            ("bip=10.1.0.1/16 default-gateway=10.1.0.9", ""),
            (
                "bip=10.1.0.1/16 default-gateway=10.2.0.9",
                "default-gateway",
            ),
            ("ip=eth0", "ip"),
            ("iptables=false icc=false", "icc"),
            ("icc=false", ""),
            ("storage-driver=overlay", "storage-driver"),
            ("storage-driver=btrfs", ""),
            ("default-runtime=nvidia", "default-runtime"),
            ("default-runtime=nvidia add-runtime=nvidia=/usr/bin/x", ""),
            ("default-runtime=io.containerd.runsc.v1", ""),
            ("data-root=/storage/docker", "data-root"),
            ("data-root=/var/lib/docker", ""),
            ("data-root=/mnt/data", ""),
            ("data-root=/mntdata", "data-root"),
            ("group=docker", ""),
            ("group=dokcer", "group"),
            ("group=1101", ""),
            (
                "exec-opt=native.cgroupdriver=systemd",
                "exec-opt=native.cgroupdriver=systemd",
            ),
            ("exec-opt=native.cgroupdriver=cgroupfs", ""),
            (
                "log-opt=max-size=1m log-opt=max-sise=1m",
                "log-opt=max-sise=1m",
            ),
            ("log-driver=local log-opt=tag=x", "log-opt=tag=x"),
            ("log-driver=loki", "log-driver"),
            ("log-driver=syslog log-opt=tag=x", ""),
        ] {
            let mut values = Values::new();
            for setting in settings.split(' ') {
                let (flag, value) = setting.split_once('=').unwrap();
                values
                    .entry(flag.to_owned())
                    .or_default()
                    .push(value.to_owned());
            }
            let machine = EngineFacts {
                is_user_docker: true,
                groups: vec!["docker".to_owned()],
                has_plugins: false,
            };
            let with_plugins = EngineFacts {
                has_plugins: true,
                ..machine.clone()
            };
            if settings.contains("loki") {
                assert_eq!(find(&values, &with_plugins), [], "a plugin's driver");
            }
            if settings.contains("storage/docker") {
                let system = EngineFacts {
                    is_user_docker: false,
                    ..machine.clone()
                };
                assert_eq!(find(&values, &system), [], "System Docker has all folders");
            }
            let found = find(&values, &machine);
            let found: Vec<String> = found
                .into_iter()
                .map(|conflict| match conflict.value {
                    Some(value) => format!("{}={value}", conflict.flag),
                    None => conflict.flag.to_owned(),
                })
                .collect();
            assert_eq!(found.join(" "), expected, "{settings}");
        }
    }
}
