//! Host name, modules and sysctl as steps: PID 1 applies them at boot, `ros` once more when the data sources have
//! answered. Pure: configuration and facts in, plan out.

use std::path::{Path, PathBuf};

use os_config::Config;

use crate::facts::HostFacts;
use crate::paths::SHUTDOWN_TIMEOUT;
use crate::step::{Planned, Step, may};

/// Plans the host name, machine-id, time zone, modules and sysctl, and the file with the shutdown timeout.
pub fn plan(config: &Config, machine: &HostFacts, new_id: &str) -> Vec<Planned> {
    let mut plan = machine_names(config);
    // PID 1 reads the file when the machine goes down, because a data source may set the timeout after boot.
    plan.push(may(Step::Write {
        path: SHUTDOWN_TIMEOUT.into(),
        content: format!("{}\n", config.rancher.shutdown_timeout),
        mode: 0o644,
    }));
    if machine.machine_id.is_none() {
        plan.push(may(Step::Write {
            path: "/etc/machine-id".into(),
            content: format!("{new_id}\n"),
            mode: 0o444,
        }));
    }
    if let Some(zone) = &config.timezone {
        plan.push(may(Step::TimeZone(zone.clone())));
    }
    for entry in &config.rancher.modules {
        let (name, parameters) = entry
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((entry.trim(), ""));
        if !name.is_empty() {
            plan.push(may(Step::Module {
                name: name.to_owned(),
                parameters: parameters.trim().to_owned(),
            }));
        }
    }
    for (key, value) in &config.rancher.sysctl {
        plan.push(sysctl(key, value));
    }
    plan
}

/// Plans the names of the machine, for its kernel and its files.
pub fn machine_names(config: &Config) -> Vec<Planned> {
    let hostname = hostname(config);
    vec![
        may(Step::Hostname(hostname.clone())),
        may(Step::Write {
            path: "/etc/hostname".into(),
            content: format!("{hostname}\n"),
            mode: 0o644,
        }),
        may(Step::HostsEntry(host_names(config, &hostname))),
    ]
}

/// The host name that the configuration asks for, else the default of the image.
pub fn hostname(config: &Config) -> String {
    config
        .hostname
        .clone()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| config.rancher.default_hostname.clone())
}

/// The names for `/etc/hosts`: the full name first, as in hosts(5).
fn host_names(config: &Config, hostname: &str) -> String {
    match config.fqdn.as_deref() {
        Some(full) if full != hostname => format!("{full} {hostname}"),
        _ => hostname.to_owned(),
    }
}

/// A key as sysctl(8) writes it; `..` must not lead out of `/proc/sys`.
fn sysctl(key: &str, value: &str) -> Planned {
    let relative: PathBuf = key
        .replace('.', "/")
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    may(Step::Tell {
        path: Path::new("/proc/sys").join(relative),
        content: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{plan, sysctl};
    use crate::facts::HostFacts;
    use crate::step::Planned;
    use os_config::Config;

    fn lines(plan: &[Planned]) -> Vec<String> {
        plan.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_configuration_becomes_steps() {
        let mut config = Config {
            hostname: Some("box".into()),
            fqdn: Some("box.lan".into()),
            timezone: Some("Europe/Berlin".into()),
            ..Config::default()
        };
        config.rancher.modules = vec!["zram num_devices=2".into(), " ".into()];
        config
            .rancher
            .sysctl
            .insert("vm.swappiness".into(), "1".into());
        let known = HostFacts {
            machine_id: Some("0".repeat(32)),
            ..HostFacts::default()
        };
        assert_eq!(
            lines(&plan(&config, &known, "")),
            [
                "may  hostname box",
                "may  write /etc/hostname (0644)",
                "may  own names box.lan box",
                "may  write /run/ros/shutdown-timeout (0644)",
                "may  time zone Europe/Berlin",
                "may  module zram num_devices=2",
                "may  tell /proc/sys/vm/swappiness \"1\"",
            ]
        );
        let new = plan(&config, &HostFacts::default(), "f00");
        assert_eq!(lines(&new)[4], "may  write /etc/machine-id (0444)");
    }

    #[test]
    fn sysctl_keys_stay_below_proc_sys() {
        assert_eq!(
            sysctl("net/ipv4/conf/eth0.1/x", "1").to_string(),
            "may  tell /proc/sys/net/ipv4/conf/eth0/1/x \"1\""
        );
        assert_eq!(
            sysctl("../../etc/passwd", "x").to_string(),
            "may  tell /proc/sys/etc/passwd \"x\""
        );
    }
}
