//! The section `rancher` of a cloud-config. Larger subjects below it have files in `keys`.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::compose::service::Service;
use crate::diagnostic::quoted;
use crate::keys::agent::Agent;
use crate::keys::docker_daemon::{self, DaemonOptions};
use crate::keys::extra_engines::{self, ExtraEngine};
use crate::keys::logins::{self, Login};
use crate::keys::network::Network;
use crate::keys::ssh_keys;
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// Everything below `rancher`.
#[derive(Clone, Debug, Default)]
pub struct Rancher {
    pub agent: Option<Agent>,
    pub upgrade: Upgrade,
    /// Catalogues of services beside the image's own, by name.
    pub repositories: BTreeMap<String, Repository>,
    pub force_console_rebuild: bool,
    pub hypervisor_service: bool,
    /// Archives of images for User Docker, beside the archives in its preload folder.
    pub preload_images: Vec<String>,
    pub recovery: bool,
    pub console: String,
    pub services: BTreeMap<String, Service>,
    pub services_include: BTreeMap<String, bool>,
    pub registry_auths: BTreeMap<String, Login>,
    pub docker: DaemonOptions,
    /// Name → extra engine.
    pub engines: BTreeMap<String, ExtraEngine>,
    pub system_docker: DaemonOptions,
    pub environment: BTreeMap<String, String>,
    pub sysctl: BTreeMap<String, String>,
    pub modules: Vec<String>,
    pub ssh: Ssh,
    pub state: State,
    pub datasources: Vec<String>,
    pub cloud_init: CloudInit,
    pub network: Network,
    /// Seconds.
    pub shutdown_timeout: u64,
    pub debug: bool,
    pub password: Option<String>,
    /// Terminals that log in without a password.
    pub autologin: Vec<String>,
    pub disable: Vec<String>,
    pub restart_services: Vec<String>,
    pub resize_device: Option<String>,
    pub default_hostname: String,
    /// The name of the image's own engine.
    pub default_engine: String,
}

/// `rancher.upgrade`: where `ros` finds new versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Address of the list of versions.
    pub url: Option<String>,
    pub image: Option<String>,
    pub rollback: Option<String>,
    /// `none`, `download` or `auto`.
    pub policy: Option<String>,
}

/// `rancher.cloud_init` beside the data sources: who may configure the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudInit {
    /// Whether no data source and no vendor's disk counts any more.
    pub lock: bool,
    /// Whether user-data from an address without TLS is taken without a warning.
    pub insecure: bool,
    /// Whether USB disks and cards count after the first boot.
    pub removable: bool,
    /// The filesystems of disks with data.
    pub filesystems: Vec<String>,
}

impl CloudInit {
    fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Self {
        let mut filesystems = reader.list("filesystems", findings);
        if filesystems.is_empty() {
            filesystems = ["iso9660", "vfat", "9p"].map(str::to_owned).into();
        }
        Self {
            lock: reader.boolean("lock", findings).unwrap_or(false),
            insecure: reader.boolean("insecure", findings).unwrap_or(false),
            removable: reader.boolean("removable", findings).unwrap_or(false),
            filesystems,
        }
    }
}

/// An entry of `rancher.repositories`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    pub url: String,
    /// Whether definitions for System Docker may come from it without TLS.
    pub insecure: bool,
}

/// `rancher.ssh`.
#[derive(Clone, Debug, Default)]
pub struct Ssh {
    pub daemon: bool,
    pub port: Option<u16>,
    pub listen_address: Option<String>,
    /// `ed25519`, `ed25519-pub` … → text of the key.
    pub keys: BTreeMap<String, String>,
}

/// `rancher.state`: the state disk.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub dev: Option<String>,
    pub fstype: Option<String>,
    pub directory: Option<String>,
    pub wait: bool,
    pub required: bool,
    pub oem_dev: Option<String>,
    pub oem_fstype: Option<String>,
    pub cryptsetup: bool,
    pub lvm_scan: bool,
    pub mdadm_scan: bool,
    /// Runs before the search for the state disk.
    pub script: Option<String>,
    pub autoformat: Vec<String>,
}

impl Rancher {
    pub(crate) fn read(mut reader: Reader<'_>, findings: &mut Findings) -> Self {
        reader.legacy(&[
            "autoformat",
            "bootstrap",
            "bootstrap_docker",
            "cloud_init_services",
            "no_sharedroot",
            "rm_usr",
        ]);
        reader.early(&["recovery"]);
        reader.superfluous(
            "http_load_retries",
            "a boot tries until it has what it needs, and a command says at once what it did not get",
        );
        reader.superfluous(
            "log",
            "the consoles show the machine's own lines alone, and `system-docker logs NAME` what a container prints",
        );
        reader.superfluous("preload_wait", "what is preloaded is always waited for");
        let mut defaults = reader.section("defaults", findings);
        defaults.legacy(&["network", "system_docker_logs"]);
        let mut default_docker = defaults.section("docker", findings);
        let default_engine = default_docker.text("engine", findings).unwrap_or_default();
        default_docker.finish(findings);
        let default_hostname = defaults
            .text("hostname", findings)
            .unwrap_or_else(|| "paddock".to_owned());
        defaults.finish(findings);
        let mut cloud_init = reader.section("cloud_init", findings);
        let datasources = cloud_init.list("datasources", findings);
        let cloud_init_settings = CloudInit::read(&mut cloud_init, findings);
        cloud_init.finish(findings);
        let mut network = reader.section("network", findings);
        let network_settings = Network::read(&mut network, findings);
        network.finish(findings);
        let services = services(&mut reader, findings);
        let rancher = Self {
            agent: Agent::read(&mut reader, findings),
            upgrade: upgrade(reader.section("upgrade", findings), findings),
            repositories: repositories(&mut reader, findings),
            force_console_rebuild: reader
                .boolean("force_console_rebuild", findings)
                .unwrap_or(false),
            hypervisor_service: reader
                .boolean("hypervisor_service", findings)
                .unwrap_or(true),
            preload_images: reader.list("preload_images", findings),
            recovery: reader.boolean("recovery", findings).unwrap_or(false),
            console: reader
                .text("console", findings)
                .unwrap_or_else(|| "default".to_owned()),
            services,
            services_include: switches(&mut reader, "services_include", findings),
            registry_auths: logins::logins(&mut reader, findings),
            docker: daemon_options(&mut reader, "docker", findings),
            engines: extra_engines::engines(&mut reader, findings),
            system_docker: daemon_options(&mut reader, "system_docker", findings),
            environment: reader.map("environment", findings),
            sysctl: sysctl(&mut reader, findings),
            modules: reader.list("modules", findings),
            ssh: ssh(reader.section("ssh", findings), findings),
            state: state(reader.section("state", findings), findings),
            datasources,
            cloud_init: cloud_init_settings,
            network: network_settings,
            shutdown_timeout: reader.number("shutdown_timeout", findings).unwrap_or(60),
            debug: reader.boolean("debug", findings).unwrap_or(false),
            password: reader.text("password", findings),
            autologin: reader.list("autologin", findings),
            disable: reader.list("disable", findings),
            restart_services: reader.list("restart_services", findings),
            resize_device: absolute_path(&mut reader, "resize_device", findings),
            default_hostname,
            default_engine,
        };
        check_disable(&reader.path_of("disable"), &rancher.disable, findings);
        reader.finish(findings);
        rancher
    }
}

/// Warns of ways to log in that do not exist.
fn check_disable(path: &str, words: &[String], findings: &mut Findings) {
    for word in words {
        if !matches!(word.as_str(), "autologin" | "password") {
            let found = quoted(word);
            findings.warning(
                path,
                format!("expected password or autologin, found {found}"),
            );
        }
    }
}

fn services(reader: &mut Reader<'_>, findings: &mut Findings) -> BTreeMap<String, Service> {
    let base = reader.path_of("services");
    reader
        .entries("services", findings)
        .into_iter()
        .map(|(name, value)| {
            let path = format!("{base}.{name}");
            let service = Service::read(value, &path, findings);
            (name, service)
        })
        .collect()
}

fn switches(
    reader: &mut Reader<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> BTreeMap<String, bool> {
    let base = reader.path_of(key);
    reader
        .entries(key, findings)
        .into_iter()
        .filter_map(|(name, value)| {
            let on = scalar::text(value)
                .and_then(|text| scalar::boolean(&text))
                .or_else(|| findings.mismatch(&format!("{base}.{name}"), "true or false", value))?;
            Some((name, on))
        })
        .collect()
}

fn daemon_options(
    reader: &mut Reader<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> DaemonOptions {
    let path = reader.path_of(key);
    reader
        .value(key)
        .map_or_else(DaemonOptions::default, |value| {
            docker_daemon::daemon_options(value, &path, findings)
        })
}

/// Keys may be nested (`net: {ipv4: …}`), because dots on a kernel line become levels.
fn sysctl(reader: &mut Reader<'_>, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    let base = reader.path_of("sysctl");
    let mut open: Vec<(String, &Value)> = reader.entries("sysctl", findings);
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Mapping(entries) => {
                open.extend(entries.iter().filter_map(|(key, value)| {
                    Some((format!("{name}.{}", scalar::text(key)?), value))
                }));
            }
            _ => match scalar::text(value) {
                Some(text) => drop(flat.insert(name, text)),
                None => drop(findings.mismatch::<()>(
                    &format!("{base}.{name}"),
                    "a text or a number",
                    value,
                )),
            },
        }
    }
    flat
}

fn absolute_path(
    reader: &mut Reader<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Option<String> {
    let text = reader.text(key, findings).filter(|text| !text.is_empty())?;
    if text.starts_with('/') {
        return Some(text);
    }
    findings.mismatch(
        &reader.path_of(key),
        "a path such as /dev/sda",
        &Value::String(text),
    )
}

fn upgrade(mut reader: Reader<'_>, findings: &mut Findings) -> Upgrade {
    reader.later(&["url", "image", "rollback", "policy"]);
    let upgrade = Upgrade {
        url: reader.text("url", findings),
        image: reader.text("image", findings),
        rollback: reader.text("rollback", findings),
        policy: reader.text("policy", findings),
    };
    let path = reader.path_of("policy");
    reader.finish(findings);
    let known = ["none", "download", "auto"];
    if let Some(policy) = upgrade
        .policy
        .as_ref()
        .filter(|policy| !known.contains(&policy.as_str()))
    {
        let found = Value::String(policy.clone());
        findings.mismatch::<()>(&path, "none, download or auto", &found);
    }
    upgrade
}

fn repositories(reader: &mut Reader<'_>, findings: &mut Findings) -> BTreeMap<String, Repository> {
    let base = reader.path_of("repositories");
    let entries = reader.entries("repositories", findings).into_iter();
    entries
        .filter_map(|(name, value)| {
            let mut section = Reader::new(value, &format!("{base}.{name}"), findings);
            let mut url = section.text("url", findings);
            let is_url =
                |text: &String| text.starts_with("http://") || text.starts_with("https://");
            if let Some(text) = url.take_if(|text| !is_url(text)) {
                let path = section.path_of("url");
                findings.mismatch::<()>(
                    &path,
                    "an address with http:// or https://",
                    &Value::String(text),
                );
            }
            let insecure = section.boolean("insecure", findings).unwrap_or(false);
            section.finish(findings);
            Some((
                name,
                Repository {
                    url: url?,
                    insecure,
                },
            ))
        })
        .collect()
}

fn ssh(mut reader: Reader<'_>, findings: &mut Findings) -> Ssh {
    let mut ssh = Ssh {
        daemon: reader.boolean("daemon", findings).unwrap_or(true),
        port: reader.number("port", findings),
        listen_address: reader.text("listen_address", findings),
        keys: reader.map("keys", findings),
    };
    let path = reader.path_of("port");
    if ssh.port == Some(0) {
        findings.mismatch::<()>(&path, "a port from 1 to 65535", &Value::from(0));
        ssh.port = None;
    }
    if let Some(address) = ssh.listen_address.take_if(|text| !is_host(text)) {
        let path = reader.path_of("listen_address");
        findings.mismatch::<()>(&path, "an address of this machine", &Value::String(address));
    }
    ssh_keys::check_host_keys(&reader.path_of("keys"), &ssh.keys, findings);
    reader.finish(findings);
    ssh
}

/// Whether a text can be an address or the name of a host.
fn is_host(text: &str) -> bool {
    let is_part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b':' | b'-' | b'%' | b'[' | b']' | b'*')
    };
    !text.is_empty() && text.bytes().all(is_part)
}

fn state(mut reader: Reader<'_>, findings: &mut Findings) -> State {
    // Kernels feed themselves random numbers now.
    reader.legacy(&["formatzero", "rngd"]);
    // Files are on the state disk.
    reader.early(&[
        "autoformat",
        "dev",
        "directory",
        "fstype",
        "required",
        "script",
        "wait",
    ]);
    for key in ["boot_dev", "boot_fstype"] {
        reader.superfluous(
            key,
            "nothing is mounted on /boot: the boot loader's files are on the disk that it starts from, and `ros config boot` \
             and `ros os` change them there",
        );
    }
    reader.later(&["cryptsetup", "lvm_scan", "mdadm_scan", "oem_fstype"]);
    let state = State {
        dev: reader.text("dev", findings),
        fstype: reader.text("fstype", findings),
        directory: reader.text("directory", findings),
        wait: reader.boolean("wait", findings).unwrap_or(false),
        required: reader.boolean("required", findings).unwrap_or(false),
        oem_dev: reader.text("oem_dev", findings),
        oem_fstype: reader.text("oem_fstype", findings),
        cryptsetup: reader.boolean("cryptsetup", findings).unwrap_or(false),
        lvm_scan: reader.boolean("lvm_scan", findings).unwrap_or(false),
        mdadm_scan: reader.boolean("mdadm_scan", findings).unwrap_or(false),
        script: reader.text("script", findings),
        autoformat: reader.list("autoformat", findings),
    };
    reader.finish(findings);
    state
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    #[test]
    fn values_are_checked_as_what_they_are() {
        for (text, expected) in [
            (
                "disable: [debug, password]",
                "disable: expected password or autologin, found \"debug\"",
            ),
            (
                "ssh: {port: 0}",
                "ssh.port: expected a port from 1 to 65535, found 0",
            ),
            (
                "ssh: {port: 70000}",
                "ssh.port: expected a number from 0 to 65535, found 70000",
            ),
            (
                "ssh: {listen_address: a b}",
                "ssh.listen_address: expected an address of this machine, found \"a b\"",
            ),
            (
                "resize_device: sda",
                "resize_device: expected a path such as /dev/sda, found \"sda\"",
            ),
            (
                "repositories: {mine: {url: example.com}}",
                "repositories.mine.url: expected an address with http:// or https://, found a text",
            ),
            (
                "upgrade: {policy: always}",
                "upgrade.policy: expected none, download or auto, found \"always\"",
            ),
            (
                "services: {a: {image: x, net: hostt}}",
                "services.a.net: found \"hostt\"; did you mean `host`?",
            ),
            (
                "services: {a: {image: x, pid: hist}}",
                "services.a.pid: found \"hist\"; did you mean `host`?",
            ),
        ] {
            let (_, problems) = read(&format!("rancher:\n  {text}\n"));
            let expected = format!("rancher.{expected}");
            assert!(problems.contains(&expected), "{text}: {problems:?}");
        }
        for text in [
            "disable: [password, autologin]",
            "ssh: {port: 22, listen_address: 'fe80::1%eth0'}",
            "services: {a: {image: x, net: mynet, pid: host, ipc: 'container:b'}}",
            "repositories: {mine: {url: 'https://example.com/x'}}",
        ] {
            assert_eq!(read(&format!("rancher:\n  {text}\n")).1, [""; 0], "{text}");
        }
    }
}
