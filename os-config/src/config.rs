//! The typed configuration that the rest of the system sees.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use serde_yaml::Value;

use crate::compose::service;
use crate::compose::volume_containers;
use crate::compose::{env_file, order};
use crate::diagnostic::Severity;
use crate::keys::machine_wide::{self, CaCerts, Ntp, Password};
use crate::keys::mounts::{self, Mount, Swap};
use crate::keys::users::{self, Group, User};
use crate::keys::write_files::WriteFile;
use crate::keys::{agent, extra_engines};
use crate::load::Switchable;
use crate::rancher::Rancher;
use crate::reader::{Finding, Findings, Reader, scalar, taken_as_list, wrong};

/// A whole cloud-config.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The first label of `fqdn` where no `hostname` is given.
    pub hostname: Option<String>,
    pub fqdn: Option<String>,
    /// As zoneinfo names it: `Europe/Berlin`.
    pub timezone: Option<String>,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub ssh_authorized_keys: Vec<String>,
    pub write_files: Vec<WriteFile>,
    pub runcmd: Vec<Command>,
    pub bootcmd: Vec<Command>,
    pub mounts: Vec<Mount>,
    pub swap: Option<Swap>,
    pub ca_certs: CaCerts,
    pub ntp: Ntp,
    pub passwords: Vec<Password>,
    /// Whether root may log in over ssh with the keys of `ssh_authorized_keys`.
    pub root_by_key: bool,
    /// Whether the state filesystem grows with its disk (`growpart`, `resize_rootfs`).
    pub grow_state: bool,
    /// Said on the consoles when the machine is up.
    pub final_message: Option<String>,
    pub rancher: Rancher,
}

/// A command: for the shell, or word by word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Shell(String),
    Exec(Vec<String>),
}

impl Config {
    /// Types a merged value. Every wrong value is a finding and counts as not given.
    pub(crate) fn read(value: &Value) -> (Self, Vec<Finding>) {
        let mut findings = Findings::default();
        let config = Self::read_noting(value, &mut findings);
        (config, findings.list)
    }

    pub(crate) fn read_noting(value: &Value, f: &mut Findings) -> Self {
        let mut r = Reader::new(value, "", f);
        let fqdn = hostname(&mut r, "fqdn", LONGEST_FULL_NAME, f);
        let first_label = fqdn.as_deref().and_then(|name| name.split('.').next());
        let config = Self {
            hostname: hostname(&mut r, "hostname", LONGEST_HOSTNAME, f)
                .or(first_label.map(str::to_owned)),
            timezone: r.text("timezone", f),
            users: users::users(&mut r, f),
            groups: users::groups(&mut r, f),
            ssh_authorized_keys: r.list("ssh_authorized_keys", f),
            write_files: write_files(&mut r, f),
            runcmd: commands(&mut r, "runcmd", f),
            bootcmd: commands(&mut r, "bootcmd", f),
            mounts: mounts::mounts(&mut r, f),
            swap: mounts::swap(&mut r, f),
            ca_certs: machine_wide::ca_certs(&mut r, f),
            ntp: machine_wide::ntp(&mut r, f),
            passwords: machine_wide::passwords(&mut r, f),
            root_by_key: machine_wide::root_by_key(&mut r, f),
            grow_state: mounts::grows(&mut r, f),
            final_message: r.text("final_message", f),
            rancher: Rancher::read(r.below("rancher", f), f),
            fqdn,
        };
        r.finish(f);
        config
    }
}

impl Config {
    /// Makes the service that the short form of an agent stands for, unless there is one of its name.
    pub(crate) fn expand_agent(&mut self) -> Vec<Finding> {
        let mut findings = Findings::default();
        let rancher = &mut self.rancher;
        if let Some(agent) = rancher
            .agent
            .as_ref()
            .filter(|agent| agent.check(&mut findings))
        {
            rancher
                .services
                .entry(agent::SERVICE.to_owned())
                .or_insert_with(|| agent.service());
        }
        findings.list
    }

    /// Makes the services of the further engines.
    pub(crate) fn expand_engines(&mut self) {
        let rancher = &mut self.rancher;
        if let Some(user_docker) = rancher.services.get(Switchable::Engine.service()) {
            let further = extra_engines::services(&rancher.engines, user_docker);
            for (name, service) in further {
                rancher.services.entry(name).or_insert(service);
            }
        }
    }

    /// Makes the further containers of services that are to have several, as services `NAME-2` and so on.
    pub(crate) fn expand_scaled(&mut self) -> Vec<Finding> {
        let mut findings = Findings::default();
        let services = &mut self.rancher.services;
        let scaled: Vec<(String, u32)> = services
            .iter_mut()
            // How many there are is nothing that any one of them is made from.
            .filter_map(|(name, service)| Some((name.clone(), service.scale.take()?)))
            .collect();
        for (name, count) in scaled {
            if count == 0 {
                services.remove(&name);
            }
            let Some(service) = services.get(&name).cloned() else {
                continue;
            };
            for number in 2..=count.min(LARGEST_SCALE) {
                let mut further = service.clone();
                let labels = &mut further.labels;
                labels.insert(service::REPLICA_OF.to_owned(), name.clone());
                if let Some(container) = &mut further.container_name {
                    container.push_str(&format!("-{number}"));
                }
                let further_name = format!("{name}-{number}");
                match services.entry(further_name) {
                    Entry::Vacant(vacant) => drop(vacant.insert(further)),
                    Entry::Occupied(occupied) => findings.push(Finding {
                        path: format!("rancher.services.{name}.scale"),
                        message: format!("there is a service {} already", occupied.key()),
                        severity: Severity::Error,
                    }),
                }
            }
        }
        findings.list
    }

    /// Puts the machine's folders in the place of RancherOS's volume containers.
    pub(crate) fn expand_volume_containers(&mut self) -> Vec<Finding> {
        let mut findings = Findings::default();
        volume_containers::expand(&mut self.rancher.services, &mut findings);
        findings.list
    }

    /// Reads the files of variables that services name.
    pub(crate) fn read_env_files(&mut self, root: &Path) -> Vec<Finding> {
        let mut findings = Findings::default();
        for (name, service) in &mut self.rancher.services {
            env_file::read_into(service, name, root, &mut findings);
        }
        findings.list
    }

    /// Has each service know what the containers are called of those that it names.
    pub(crate) fn name_containers(&mut self) {
        let services = &mut self.rancher.services;
        let containers: BTreeMap<String, String> = services
            .iter()
            .filter_map(|(name, service)| Some((name.clone(), service.container_name.clone()?)))
            .collect();
        for service in services.values_mut() {
            let needed = order::needs(service).into_iter();
            service.containers = needed
                .filter_map(|name| containers.get(&name).map(|found| (name, found.clone())))
                .collect();
        }
    }

    /// Takes out services that have no image when all layers are together; a layer by itself may say
    /// anything less about one.
    pub(crate) fn take_out_services_without_image(&mut self) -> Vec<Finding> {
        let mut findings = Findings::default();
        self.rancher.services.retain(|name, service| {
            if service.image.is_empty() && service.build.is_some() {
                // As libcompose named them in RancherOS.
                service.image = format!("os_{name}");
            }
            let stays = !service.image.is_empty();
            if !stays {
                let path = format!("rancher.services.{name}.image");
                wrong::<()>(&mut findings, &path, "the name of an image", &Value::Null);
            }
            stays
        });
        findings.list
    }
}

/// More containers of one service are a slip of the pen.
const LARGEST_SCALE: u32 = 100;
/// The kernel's limit.
const LONGEST_HOSTNAME: usize = 64;
/// DNS's limit.
const LONGEST_FULL_NAME: usize = 253;

/// Letters, digits, dots and hyphens.
fn hostname(
    r: &mut Reader<'_>,
    key: &'static str,
    longest: usize,
    f: &mut Findings,
) -> Option<String> {
    let name = r.text(key, f)?;
    let fits = name.len() <= longest
        && !name.starts_with(['-', '.'])
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if !fits {
        let value = Value::String(name.to_owned());
        wrong::<()>(
            f,
            key,
            &format!("up to {longest} letters, digits, hyphens and dots"),
            &value,
        );
    }
    fits.then_some(name)
}

fn write_files(r: &mut Reader<'_>, f: &mut Findings) -> Vec<WriteFile> {
    let base = r.path_of("write_files");
    r.items("write_files", f)
        .into_iter()
        .enumerate()
        .filter_map(|(i, item)| {
            let path = format!("{base}[{i}]");
            let mut below = Reader::new(item, &path, f);
            let file = WriteFile::read(&mut below, f);
            below.finish(f);
            if !file.path.starts_with('/') {
                return wrong(
                    f,
                    &format!("{path}.path"),
                    "an absolute path",
                    &Value::String(file.path),
                );
            }
            // Without one of its keys it would be another file.
            if let Err(error) = file.check() {
                f.push(Finding {
                    path,
                    message: error.to_string(),
                    severity: Severity::Error,
                });
                return None;
            }
            Some(file)
        })
        .collect()
}

fn commands(r: &mut Reader<'_>, key: &'static str, f: &mut Findings) -> Vec<Command> {
    if let Some(value) = r.raw(key)
        && let Some(text) = scalar(value)
    {
        taken_as_list(f, &r.path_of(key), value);
        return vec![Command::Shell(text)];
    }
    let base = r.path_of(key);
    r.items(key, f)
        .into_iter()
        .enumerate()
        .filter_map(|(i, item)| match item {
            Value::Sequence(words) => {
                let argv: Option<Vec<String>> = words.iter().map(scalar).collect();
                argv.map(Command::Exec).or_else(|| {
                    wrong(
                        f,
                        &format!("{base}[{i}]"),
                        "a text or a list of texts",
                        item,
                    )
                })
            }
            _ => scalar(item).map(Command::Shell).or_else(|| {
                wrong(
                    f,
                    &format!("{base}[{i}]"),
                    "a text or a list of texts",
                    item,
                )
            }),
        })
        .collect()
}

/// A document's configuration and its problems, as tests of single keys compare them.
#[cfg(test)]
pub(crate) fn read(text: &str) -> (Config, Vec<String>) {
    let (config, findings) = Config::read(&serde_yaml::from_str(text).unwrap());
    let messages = findings
        .iter()
        .map(|finding| format!("{}: {}", finding.path, finding.message));
    (config, messages.collect())
}
