//! A service: the part of compose that system and user containers are made from, in the spellings of compose versions
//! 1 to 3.

mod labels;
mod lists;
mod quantities;
mod spellings;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_yaml::Value;

use crate::compose::build::Build;
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::path::key_path;

/// The label of a replica, with the name of its service. The service itself is the first container.
pub const REPLICA_OF: &str = "io.rancher.os.replica-of";

/// The engine that a service runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    System,
    User,
}

/// One service. Texts are as in compose, and mostly unparsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub image: String,
    /// The sources of an image that Docker builds instead of pulling it.
    pub build: Option<Build>,
    /// The number of its containers.
    pub scale: Option<u32>,
    pub command: Vec<String>,
    pub entrypoint: Vec<String>,
    /// `KEY=value`, or `KEY` or `KEY*` for values from `rancher.environment`.
    pub environment: Vec<String>,
    /// Files with more variables; empty after loading.
    pub env_file: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub volumes: Vec<String>,
    pub volumes_from: Vec<String>,
    pub tmpfs: Vec<String>,
    pub devices: Vec<String>,
    pub device_cgroup_rules: Vec<String>,
    pub ports: Vec<String>,
    pub expose: Vec<String>,
    pub depends_on: Vec<String>,
    pub links: Vec<String>,
    /// Links to containers that are no services.
    pub external_links: Vec<String>,
    /// Name of a service that it needs → name of that service's container, where the two differ.
    pub containers: BTreeMap<String, String>,
    pub net: Option<String>,
    pub pid: Option<String>,
    pub ipc: Option<String>,
    pub uts: Option<String>,
    /// `private` or `host`.
    pub cgroup: Option<String>,
    pub cgroup_parent: Option<String>,
    pub runtime: Option<String>,
    pub privileged: bool,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    pub read_only: bool,
    pub restart: Option<String>,
    pub stop_signal: Option<String>,
    pub stop_grace_period: Option<Duration>,
    pub user: Option<String>,
    pub group_add: Vec<String>,
    pub working_dir: Option<String>,
    pub hostname: Option<String>,
    pub domainname: Option<String>,
    pub extra_hosts: Vec<String>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    pub dns_opt: Vec<String>,
    pub log_driver: Option<String>,
    pub log_opt: BTreeMap<String, String>,
    /// Bytes.
    pub mem_limit: Option<i64>,
    /// Bytes of memory and swap; -1 means no limit.
    pub memswap_limit: Option<i64>,
    /// Bytes.
    pub mem_reservation: Option<i64>,
    /// Percent.
    pub mem_swappiness: Option<i64>,
    pub pids_limit: Option<i64>,
    /// Bytes.
    pub shm_size: Option<i64>,
    pub cpu_shares: Option<i64>,
    /// Microseconds in 100 ms.
    pub cpu_quota: Option<i64>,
    /// CPUs of the machine: `0-2,4`.
    pub cpuset: Option<String>,
    pub oom_score_adj: Option<i64>,
    pub oom_kill_disable: bool,
    /// Name → soft and hard limit.
    pub ulimits: BTreeMap<String, (i64, i64)>,
    pub sysctls: BTreeMap<String, String>,
    pub tty: bool,
    pub stdin_open: bool,
    pub init: bool,
    pub container_name: Option<String>,
}

impl Service {
    /// `System` with the label `io.rancher.os.scope: system`, else `User`.
    pub fn scope(&self) -> Scope {
        if self.label("scope") == Some("system") {
            Scope::System
        } else {
            Scope::User
        }
    }

    /// Whether dependants start when it has started, and not when it has ended.
    pub fn detach(&self) -> bool {
        self.label("detach") != Some("false")
    }

    /// Whether its container is created and never started.
    pub fn createonly(&self) -> bool {
        self.label("createonly") == Some("true")
    }

    /// Whether the configuration is loaded again after it.
    pub fn reloadconfig(&self) -> bool {
        self.label("reloadconfig") == Some("true")
    }

    /// Names of services that start after it.
    pub fn before(&self) -> Vec<&str> {
        names(self.label("before"))
    }

    /// Names of services that it starts after.
    pub fn after(&self) -> Vec<&str> {
        names(self.label("after"))
    }

    /// Whether it starts once there is a default route, as in RancherOS: it is behind the network alone. The asking of data
    /// sources waits by itself.
    pub fn waits_for_route(&self) -> bool {
        self.after() == ["network"] && !self.reloadconfig()
    }

    /// The name of its container; `name` is the name of the service.
    pub fn container<'a>(&'a self, name: &'a str) -> &'a str {
        self.container_name.as_deref().unwrap_or(name)
    }

    /// The name of the console; `None` for any other service.
    pub fn console(&self) -> Option<&str> {
        self.label("console")
    }

    /// When its container is recreated: `always`, `false`, or by default after a change of the service.
    pub fn rebuild(&self) -> Option<&str> {
        let label = self.labels.get("io.docker.compose.rebuild");
        label.map(String::as_str)
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .get(&format!("io.rancher.os.{name}"))
            .map(String::as_str)
    }

    /// Reads one service, which stands at `path`.
    pub(crate) fn read(value: &Value, path: &str, findings: &mut Findings) -> Self {
        let mut reader = Reader::new(value, path, findings);
        reader.allows_single_values = true;
        let mut service = Self {
            image: reader.text("image", findings).unwrap_or_default(),
            build: Build::read(&mut reader, findings),
            scale: spellings::scale(&mut reader, findings),
            command: reader.command("command", findings),
            entrypoint: reader.command("entrypoint", findings),
            environment: spellings::environment(&mut reader, findings),
            env_file: reader.list("env_file", findings),
            labels: reader.map("labels", findings),
            volumes: lists::volumes(&mut reader, findings),
            volumes_from: reader.list("volumes_from", findings),
            tmpfs: reader.list("tmpfs", findings),
            devices: reader.list("devices", findings),
            device_cgroup_rules: reader.list("device_cgroup_rules", findings),
            ports: lists::ports(&mut reader, findings),
            expose: reader.list("expose", findings),
            depends_on: lists::depends_on(&mut reader, findings),
            links: reader.list("links", findings),
            external_links: reader.list("external_links", findings),
            pid: reader.text("pid", findings),
            ipc: reader.text("ipc", findings),
            uts: reader.text("uts", findings),
            cgroup: reader.text("cgroup", findings),
            cgroup_parent: reader.text("cgroup_parent", findings),
            runtime: reader.text("runtime", findings),
            privileged: reader.boolean("privileged", findings).unwrap_or(false),
            cap_add: reader.list("cap_add", findings),
            cap_drop: reader.list("cap_drop", findings),
            security_opt: reader.list("security_opt", findings),
            read_only: reader.boolean("read_only", findings).unwrap_or(false),
            restart: spellings::restart(&mut reader, findings),
            stop_signal: reader.text("stop_signal", findings),
            stop_grace_period: quantities::duration(&mut reader, "stop_grace_period", findings),
            user: reader.text("user", findings),
            group_add: reader.list("group_add", findings),
            working_dir: reader.text("working_dir", findings),
            hostname: reader.text("hostname", findings),
            domainname: reader.text("domainname", findings),
            extra_hosts: reader.list("extra_hosts", findings),
            dns: reader.list("dns", findings),
            dns_search: reader.list("dns_search", findings),
            dns_opt: reader.list("dns_opt", findings),
            mem_limit: quantities::bytes(&mut reader, "mem_limit", findings),
            memswap_limit: quantities::bytes(&mut reader, "memswap_limit", findings),
            mem_reservation: quantities::bytes(&mut reader, "mem_reservation", findings),
            mem_swappiness: reader.number("mem_swappiness", findings),
            pids_limit: reader.number("pids_limit", findings),
            shm_size: quantities::bytes(&mut reader, "shm_size", findings),
            cpu_shares: reader.number("cpu_shares", findings),
            cpu_quota: reader.number("cpu_quota", findings),
            cpuset: reader.text("cpuset", findings),
            oom_score_adj: reader.number("oom_score_adj", findings),
            oom_kill_disable: reader
                .boolean("oom_kill_disable", findings)
                .unwrap_or(false),
            ulimits: spellings::ulimits(&mut reader, findings),
            sysctls: reader.map("sysctls", findings),
            tty: reader.boolean("tty", findings).unwrap_or(false),
            stdin_open: reader.boolean("stdin_open", findings).unwrap_or(false),
            init: reader.boolean("init", findings).unwrap_or(false),
            container_name: reader.text("container_name", findings),
            ..Self::default()
        };
        service.net = reader
            .text("net", findings)
            .or_else(|| reader.text("network_mode", findings));
        labels::check(path, &service.labels, findings);
        let is_system = service.scope() == Scope::System;
        if is_system && !service.ports.is_empty() && service.net.is_none() {
            let message = "it has no effect: System Docker has no network of its own; with `net: host` the service has the \
                machine's ports";
            findings.warning(key_path(path, "ports"), message);
        }
        for (key, mode) in [
            ("net", &service.net),
            ("pid", &service.pid),
            ("ipc", &service.ipc),
        ] {
            spellings::check_namespace(key, mode.as_deref(), path, findings);
        }
        (service.log_driver, service.log_opt) = spellings::logging(&mut reader, findings);
        reader.finish(findings);
        service
    }
}

fn names(label: Option<&str>) -> Vec<&str> {
    label
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests;
