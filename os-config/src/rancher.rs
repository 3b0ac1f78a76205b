//! Everything of a cloud-config that stands below `rancher`.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::compose::service::Service;
use crate::keys::agent::Agent;
use crate::keys::docker_daemon::{self, DaemonOptions};
use crate::keys::extra_engines::{self, ExtraEngine};
use crate::keys::logins::{self, Login};
use crate::keys::network::Network;
use crate::reader::{Findings, Reader, scalar, wrong};
use crate::yaml::scalar as plain;

/// Everything below `rancher`.
#[derive(Clone, Debug, Default)]
pub struct Rancher {
    pub agent: Option<Agent>,
    pub upgrade: Upgrade,
    /// Catalogues of services beside the image's own: address by name.
    pub repositories: BTreeMap<String, String>,
    pub force_console_rebuild: bool,
    pub hypervisor_service: bool,
    pub http_load_retries: Option<u32>,
    pub preload_wait: bool,
    /// Archives of images for User Docker, beside those in the folder for them.
    pub preload_images: Vec<String>,
    pub recovery: bool,
    /// Whether what containers print is shown while the machine boots.
    pub log: bool,
    pub console: String,
    pub services: BTreeMap<String, Service>,
    pub services_include: BTreeMap<String, bool>,
    pub registry_auths: BTreeMap<String, Login>,
    pub docker: DaemonOptions,
    /// User Dockers beside the first, by name.
    pub engines: BTreeMap<String, ExtraEngine>,
    pub system_docker: DaemonOptions,
    pub environment: BTreeMap<String, String>,
    pub sysctl: BTreeMap<String, String>,
    pub modules: Vec<String>,
    pub ssh: Ssh,
    pub state: State,
    pub datasources: Vec<String>,
    pub network: Network,
    /// Seconds.
    pub shutdown_timeout: u64,
    pub debug: bool,
    pub password: Option<String>,
    /// Terminals that log in by themselves.
    pub autologin: Vec<String>,
    pub disable: Vec<String>,
    pub restart_services: Vec<String>,
    pub resize_device: Option<String>,
    pub default_hostname: String,
    /// The name of the image's own engine.
    pub default_engine: String,
}

/// `rancher.upgrade`: where new versions are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// The list of versions.
    pub url: Option<String>,
    pub image: Option<String>,
    pub rollback: Option<String>,
    /// `none`, `download` or `auto`.
    pub policy: Option<String>,
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
    pub boot_dev: Option<String>,
    pub boot_fstype: Option<String>,
    pub cryptsetup: bool,
    pub lvm_scan: bool,
    pub mdadm_scan: bool,
    /// Runs before the state disk is looked for.
    pub script: Option<String>,
    pub autoformat: Vec<String>,
}

impl Rancher {
    pub(crate) fn read(mut r: Reader<'_>, f: &mut Findings) -> Self {
        // RancherOS's keys that have no effect here, so that they are not called unknown.
        for key in [
            "autoformat",
            "bootstrap",
            "bootstrap_docker",
            "cloud_init_services",
            "no_sharedroot",
            "rm_usr",
        ] {
            r.ignored(key);
        }
        let mut defaults = r.below("defaults", f);
        for key in ["network", "system_docker_logs"] {
            defaults.ignored(key);
        }
        let mut default_docker = defaults.below("docker", f);
        let default_engine = default_docker.text("engine", f).unwrap_or_default();
        default_docker.finish(f);
        let default_hostname = defaults
            .text("hostname", f)
            .unwrap_or_else(|| "paddock".to_owned());
        defaults.finish(f);
        let mut cloud_init = r.below("cloud_init", f);
        let datasources = cloud_init.list("datasources", f);
        cloud_init.finish(f);
        let mut network = r.below("network", f);
        let network_settings = Network::read(&mut network, f);
        network.finish(f);
        let services = services(&mut r, f);
        let rancher = Self {
            agent: Agent::read(&mut r, f),
            upgrade: upgrade(r.below("upgrade", f), f),
            repositories: repositories(&mut r, f),
            force_console_rebuild: r.boolean("force_console_rebuild", f).unwrap_or(false),
            hypervisor_service: r.boolean("hypervisor_service", f).unwrap_or(true),
            http_load_retries: r.number("http_load_retries", f),
            preload_wait: r.boolean("preload_wait", f).unwrap_or(false),
            preload_images: r.list("preload_images", f),
            recovery: r.boolean("recovery", f).unwrap_or(false),
            log: r.boolean("log", f).unwrap_or(false),
            console: r.text("console", f).unwrap_or_else(|| "default".to_owned()),
            services,
            services_include: switches(&mut r, "services_include", f),
            registry_auths: logins::logins(&mut r, f),
            docker: engine_at(&mut r, "docker", f),
            engines: extra_engines::engines(&mut r, f),
            system_docker: engine_at(&mut r, "system_docker", f),
            environment: r.map("environment", f),
            sysctl: sysctl(&mut r, f),
            modules: r.list("modules", f),
            ssh: ssh(r.below("ssh", f), f),
            state: state(r.below("state", f), f),
            datasources,
            network: network_settings,
            shutdown_timeout: r.number("shutdown_timeout", f).unwrap_or(60),
            debug: r.boolean("debug", f).unwrap_or(false),
            password: r.text("password", f),
            autologin: r.list("autologin", f),
            disable: r.list("disable", f),
            restart_services: r.list("restart_services", f),
            resize_device: r.text("resize_device", f),
            default_hostname,
            default_engine,
        };
        r.finish(f);
        rancher
    }
}

fn services(r: &mut Reader<'_>, f: &mut Findings) -> BTreeMap<String, Service> {
    let base = r.path_of("services");
    r.entries("services", f)
        .into_iter()
        .map(|(name, value)| {
            let path = format!("{base}.{name}");
            let service = Service::read(value, &path, f);
            (name, service)
        })
        .collect()
}

fn switches(r: &mut Reader<'_>, key: &'static str, f: &mut Findings) -> BTreeMap<String, bool> {
    let base = r.path_of(key);
    r.entries(key, f)
        .into_iter()
        .filter_map(|(name, value)| {
            let on = scalar(value)
                .and_then(|text| plain::boolean(&text))
                .or_else(|| wrong(f, &format!("{base}.{name}"), "true or false", value))?;
            Some((name, on))
        })
        .collect()
}

fn engine_at(r: &mut Reader<'_>, key: &'static str, f: &mut Findings) -> DaemonOptions {
    let path = r.path_of(key);
    r.raw(key).map_or_else(DaemonOptions::default, |value| {
        docker_daemon::read_at(value, &path, f)
    })
}

/// Keys may be nested (`net: {ipv4: …}`), which is what dots on a kernel line become.
fn sysctl(r: &mut Reader<'_>, f: &mut Findings) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    let base = r.path_of("sysctl");
    let mut open: Vec<(String, &Value)> = r.entries("sysctl", f);
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Mapping(entries) => {
                open.extend(
                    entries.iter().filter_map(|(key, value)| {
                        Some((format!("{name}.{}", scalar(key)?), value))
                    }),
                );
            }
            _ => match scalar(value) {
                Some(text) => drop(flat.insert(name, text)),
                None => drop(wrong::<()>(
                    f,
                    &format!("{base}.{name}"),
                    "a text or a number",
                    value,
                )),
            },
        }
    }
    flat
}

fn upgrade(mut r: Reader<'_>, f: &mut Findings) -> Upgrade {
    let upgrade = Upgrade {
        url: r.text("url", f),
        image: r.text("image", f),
        rollback: r.text("rollback", f),
        policy: r.text("policy", f),
    };
    let path = r.path_of("policy");
    r.finish(f);
    let known = ["none", "download", "auto"];
    if let Some(policy) = upgrade
        .policy
        .as_ref()
        .filter(|policy| !known.contains(&policy.as_str()))
    {
        let found = Value::String(policy.clone());
        wrong::<()>(f, &path, "none, download or auto", &found);
    }
    upgrade
}

fn repositories(r: &mut Reader<'_>, f: &mut Findings) -> BTreeMap<String, String> {
    let base = r.path_of("repositories");
    let entries = r.entries("repositories", f).into_iter();
    entries
        .filter_map(|(name, value)| {
            let mut below = Reader::new(value, &format!("{base}.{name}"), f);
            let url = below.text("url", f);
            below.finish(f);
            Some((name, url?))
        })
        .collect()
}

fn ssh(mut r: Reader<'_>, f: &mut Findings) -> Ssh {
    let ssh = Ssh {
        daemon: r.boolean("daemon", f).unwrap_or(true),
        port: r.number("port", f),
        listen_address: r.text("listen_address", f),
        keys: r.map("keys", f),
    };
    r.finish(f);
    ssh
}

fn state(mut r: Reader<'_>, f: &mut Findings) -> State {
    for key in ["formatzero", "rngd"] {
        r.ignored(key);
    }
    let state = State {
        dev: r.text("dev", f),
        fstype: r.text("fstype", f),
        directory: r.text("directory", f),
        wait: r.boolean("wait", f).unwrap_or(false),
        required: r.boolean("required", f).unwrap_or(false),
        oem_dev: r.text("oem_dev", f),
        oem_fstype: r.text("oem_fstype", f),
        boot_dev: r.text("boot_dev", f),
        boot_fstype: r.text("boot_fstype", f),
        cryptsetup: r.boolean("cryptsetup", f).unwrap_or(false),
        lvm_scan: r.boolean("lvm_scan", f).unwrap_or(false),
        mdadm_scan: r.boolean("mdadm_scan", f).unwrap_or(false),
        script: r.text("script", f),
        autoformat: r.list("autoformat", f),
    };
    r.finish(f);
    state
}
