//! A service: the subset of compose that system and user containers are made from, in the spellings of
//! compose versions 1 to 3.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_yaml::Value;

use crate::compose::build::Build;
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// The label of a further container of a service that has several; the first one is the service itself.
pub const REPLICA_OF: &str = "io.rancher.os.replica-of";

/// In which engine a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    System,
    User,
}

/// One service. Texts are as in compose; only what needs parsing here is parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub image: String,
    /// How the image is made, if it is not pulled.
    pub build: Option<Build>,
    /// How many containers of it there are.
    pub scale: Option<u32>,
    pub command: Vec<String>,
    pub entrypoint: Vec<String>,
    /// `KEY=value`, or `KEY` to be looked up.
    pub environment: Vec<String>,
    /// Files with more of it, until they are read.
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
    /// To containers that are no services.
    pub external_links: Vec<String>,
    /// The containers of services that it names in `links`, `volumes_from` or for a namespace, where they are called
    /// otherwise than the services.
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
    /// Bytes, with what is swapped out; -1 is as much as there is.
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
    /// Which of the machine's CPUs: `0-2,4`.
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
    /// System Docker with the label `io.rancher.os.scope: system`, else User Docker.
    pub fn scope(&self) -> Scope {
        if self.label("scope") == Some("system") {
            Scope::System
        } else {
            Scope::User
        }
    }

    /// Whether dependants start as soon as it has been started, not when it has ended.
    pub fn detach(&self) -> bool {
        self.label("detach") != Some("false")
    }

    /// Whether its container is made and never started.
    pub fn createonly(&self) -> bool {
        self.label("createonly") == Some("true")
    }

    /// Whether the configuration is read again after it.
    pub fn reloadconfig(&self) -> bool {
        self.label("reloadconfig") == Some("true")
    }

    /// Names that are to start after it.
    pub fn before(&self) -> Vec<&str> {
        names(self.label("before"))
    }

    /// Names that it is to start after.
    pub fn after(&self) -> Vec<&str> {
        names(self.label("after"))
    }

    /// The name of its container, where the service itself is called `name`.
    pub fn container<'a>(&'a self, name: &'a str) -> &'a str {
        self.container_name.as_deref().unwrap_or(name)
    }

    /// The console that it is, if it is one.
    pub fn console(&self) -> Option<&str> {
        self.label("console")
    }

    /// When its container is made anew: `always`, `false`, or whenever it is another.
    pub fn rebuild(&self) -> Option<&str> {
        let label = self.labels.get("io.docker.compose.rebuild");
        label.map(String::as_str)
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .get(&format!("io.rancher.os.{name}"))
            .map(String::as_str)
    }

    /// Reads one service; problems are found below `path`.
    pub(crate) fn read(value: &Value, path: &str, findings: &mut Findings) -> Self {
        let mut reader = Reader::new(value, path, findings);
        reader.allows_single_values = true;
        let mut service = Self {
            image: reader.text("image", findings).unwrap_or_default(),
            build: Build::read(&mut reader, findings),
            scale: scale(&mut reader, findings),
            command: reader.words("command", findings),
            entrypoint: reader.words("entrypoint", findings),
            environment: environment(&mut reader, findings),
            env_file: reader.list("env_file", findings),
            labels: reader.map("labels", findings),
            volumes: volumes(&mut reader, findings),
            volumes_from: reader.list("volumes_from", findings),
            tmpfs: reader.list("tmpfs", findings),
            devices: reader.list("devices", findings),
            device_cgroup_rules: reader.list("device_cgroup_rules", findings),
            ports: ports(&mut reader, findings),
            expose: reader.list("expose", findings),
            depends_on: depends_on(&mut reader, findings),
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
            restart: restart(&mut reader, findings),
            stop_signal: reader.text("stop_signal", findings),
            stop_grace_period: duration(&mut reader, "stop_grace_period", findings),
            user: reader.text("user", findings),
            group_add: reader.list("group_add", findings),
            working_dir: reader.text("working_dir", findings),
            hostname: reader.text("hostname", findings),
            domainname: reader.text("domainname", findings),
            extra_hosts: reader.list("extra_hosts", findings),
            dns: reader.list("dns", findings),
            dns_search: reader.list("dns_search", findings),
            dns_opt: reader.list("dns_opt", findings),
            mem_limit: bytes(&mut reader, "mem_limit", findings),
            memswap_limit: bytes(&mut reader, "memswap_limit", findings),
            mem_reservation: bytes(&mut reader, "mem_reservation", findings),
            mem_swappiness: reader.number("mem_swappiness", findings),
            pids_limit: reader.number("pids_limit", findings),
            shm_size: bytes(&mut reader, "shm_size", findings),
            cpu_shares: reader.number("cpu_shares", findings),
            cpu_quota: reader.number("cpu_quota", findings),
            cpuset: reader.text("cpuset", findings),
            oom_score_adj: reader.number("oom_score_adj", findings),
            oom_kill_disable: reader
                .boolean("oom_kill_disable", findings)
                .unwrap_or(false),
            ulimits: ulimits(&mut reader, findings),
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
        logging(&mut service, &mut reader, findings);
        reader.finish(findings);
        service
    }
}

/// Compose's `deploy.replicas`, and its older `scale`.
fn scale(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<u32> {
    let mut deploy = reader.section("deploy", findings);
    let replicas = deploy.number("replicas", findings);
    deploy.finish(findings);
    reader.number("scale", findings).or(replicas)
}

fn names(label: Option<&str>) -> Vec<&str> {
    label
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

fn environment(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    match reader.value("environment") {
        Some(Value::Mapping(entries)) => {
            // A key without a value is looked up, as a bare name in a list is.
            let bare = entries
                .iter()
                .filter(|(_, value)| value.is_null())
                .filter_map(|(key, _)| scalar::text(key));
            let bare: Vec<String> = bare.collect();
            let pair = |(key, value): (String, String)| {
                if bare.contains(&key) {
                    key
                } else {
                    format!("{key}={value}")
                }
            };
            reader
                .map("environment", findings)
                .into_iter()
                .map(pair)
                .collect()
        }
        _ => reader.list("environment", findings),
    }
}

/// Short texts, or compose's long form, which becomes a short text. Whatever is relative has no folder here; what is
/// in a file of its own has one, and was made whole with it.
fn volumes(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let form = Form {
        expected: "a folder's whole path or a volume's name before the colon, of type bind or volume (a tmpfs belongs below `tmpfs`)",
        is_usable: |text| !text.starts_with(['.', '~']),
    };
    long_or_short(reader, "volumes", &form, findings, |entry, findings| {
        let source = entry.text("source", findings);
        let target = entry.text("target", findings)?;
        let read_only = entry.boolean("read_only", findings).unwrap_or(false);
        let kind = entry.text("type", findings);
        if !matches!(kind.as_deref(), None | Some("bind" | "volume")) {
            return None;
        }
        let source = source
            .map(|source| format!("{source}:"))
            .unwrap_or_default();
        Some(format!(
            "{source}{target}{}",
            if read_only { ":ro" } else { "" }
        ))
    })
}

fn ports(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let form = Form {
        expected: "[[address:]published:]port[/protocol], with ranges of the same length",
        // A variable is put in when all files are together.
        is_usable: |text| text.contains('$') || crate::compose::ports::parse(text).is_some(),
    };
    long_or_short(reader, "ports", &form, findings, |entry, findings| {
        let target = entry.text("target", findings)?;
        let address = entry.text("host_ip", findings);
        let published = entry
            .text("published", findings)
            .or_else(|| address.as_ref().map(|_| String::new()))
            .map(|port| format!("{port}:"))
            .unwrap_or_default();
        let address = address
            .map(|ip| match ip.contains(':') {
                true => format!("[{ip}]:"),
                false => format!("{ip}:"),
            })
            .unwrap_or_default();
        let protocol = entry
            .text("protocol", findings)
            .map(|name| format!("/{name}"))
            .unwrap_or_default();
        entry.ignore("mode");
        Some(format!("{address}{published}{target}{protocol}"))
    })
}

/// What the entries of a list are to be like.
struct Form {
    expected: &'static str,
    is_usable: fn(&str) -> bool,
}

fn long_or_short(
    reader: &mut Reader<'_>,
    key: &'static str,
    form: &Form,
    findings: &mut Findings,
    long: impl Fn(&mut Reader<'_>, &mut Findings) -> Option<String>,
) -> Vec<String> {
    let path = reader.path_of(key);
    let Some(Value::Sequence(items)) = reader.value(key) else {
        let mut list = reader.list(key, findings);
        list.retain(|text| {
            let is_usable = (form.is_usable)(text);
            if !is_usable {
                let found = Value::String(text.clone());
                findings.mismatch::<()>(&path, form.expected, &found);
            }
            is_usable
        });
        return list;
    };
    let mut out = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let text = if item.is_mapping() {
            let mut entry = Reader::new(item, &path, findings);
            let text = long(&mut entry, findings);
            entry.finish(findings);
            text
        } else {
            scalar::text(item)
        };
        match text.filter(|text| (form.is_usable)(text)) {
            Some(text) => out.push(text),
            None => drop(findings.mismatch::<()>(&path, form.expected, item)),
        }
    }
    out
}

/// Names, or compose's long form with a condition for each, of which there is only one here: it was started.
fn depends_on(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let path = reader.path_of("depends_on");
    let Some(Value::Mapping(entries)) = reader.value("depends_on") else {
        return reader.list("depends_on", findings);
    };
    let names = entries.iter().filter_map(|(name, how)| {
        let name = scalar::text(name)?;
        let condition = how.get("condition").and_then(scalar::text);
        if condition.is_some_and(|condition| condition != "service_started") {
            findings.warning(
                format!("{path}.{name}.condition"),
                "it is only waited for until it was started, not for its health or its end",
            );
        }
        Some(name)
    });
    names.collect()
}

fn restart(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<String> {
    let value = reader.value("restart")?;
    // YAML 1.1 reads an unquoted `no` as false.
    let text = match scalar::text(value).unwrap_or_default().as_str() {
        "false" => "no".to_owned(),
        text => text.to_owned(),
    };
    let (name, count) = text.split_once(':').unwrap_or((&text, "0"));
    let known = matches!(name, "no" | "always" | "unless-stopped" | "on-failure")
        && count.parse::<u32>().is_ok();
    if known {
        return Some(text);
    }
    findings.mismatch(
        &reader.path_of("restart"),
        "no, always, unless-stopped or on-failure[:times]",
        value,
    )
}

fn duration(
    reader: &mut Reader<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Option<Duration> {
    let value = reader.value(key)?;
    scalar::text(value)
        .and_then(|text| parse_duration(&text))
        .or_else(|| findings.mismatch(&reader.path_of(key), "a time such as 10s or 1m30s", value))
}

/// `1m30s`, `10s`, `500ms`, or plain seconds.
fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = number.parse().ok()?;
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total)
}

fn bytes(reader: &mut Reader<'_>, key: &'static str, findings: &mut Findings) -> Option<i64> {
    let value = reader.value(key)?;
    scalar::text(value)
        .and_then(|text| parse_bytes(&text))
        .or_else(|| findings.mismatch(&reader.path_of(key), "a size such as 64m", value))
}

fn parse_bytes(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches('b').trim_end_matches('i');
    let (digits, factor) = match number.chars().last()? {
        'k' => (number.get(..number.len() - 1)?, 1 << 10),
        'm' => (number.get(..number.len() - 1)?, 1 << 20),
        'g' => (number.get(..number.len() - 1)?, 1 << 30),
        _ => (number, 1),
    };
    digits.trim().parse::<i64>().ok()?.checked_mul(factor)
}

fn ulimits(reader: &mut Reader<'_>, findings: &mut Findings) -> BTreeMap<String, (i64, i64)> {
    let path = reader.path_of("ulimits");
    reader
        .entries("ulimits", findings)
        .into_iter()
        .filter_map(|(name, value)| {
            let path = format!("{path}.{name}");
            if let Some(both) = scalar::text(value).and_then(|text| text.parse().ok()) {
                return Some((name, (both, both)));
            }
            let mut section = Reader::new(value, &path, findings);
            let soft = section.number("soft", findings)?;
            let hard = section.number("hard", findings)?;
            section.finish(findings);
            Some((name, (soft, hard)))
        })
        .collect()
}

/// Version 1 has `log_driver` and `log_opt`, later ones `logging`.
fn logging(service: &mut Service, reader: &mut Reader<'_>, findings: &mut Findings) {
    service.log_driver = reader.text("log_driver", findings);
    service.log_opt = reader.map("log_opt", findings);
    let mut section = reader.section("logging", findings);
    if let Some(driver) = section.text("driver", findings) {
        service.log_driver = Some(driver);
    }
    service.log_opt.extend(section.map("options", findings));
    section.finish(findings);
}

#[cfg(test)]
mod tests;
