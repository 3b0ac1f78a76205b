//! Expands short forms: variables, `rancher.debug`, agents, extra engines, replicas, volume containers. The merged
//! layers are expanded, because a single layer may hold only a part of a short form.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_yaml::Value;

use crate::compose::service::{self, Service};
use crate::compose::{env_file, order, references, volume_containers};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::keys::daemons::rsyslog;
use crate::keys::{agent, extra_engines};
use crate::load::environment::environment;
use crate::rancher::Rancher;
use crate::reader::findings::Findings;
use crate::substitute;
use crate::switchable::Switchable;
use crate::yaml::scalar::{self, Dialect};
use crate::yaml::tree::{Node, NodeKind};

type Services = BTreeMap<String, Service>;

/// More containers of one service are a typing error.
const LARGEST_SCALE: u32 = 100;

/// `rancher.debug` turns on the settings for more logs.
pub(crate) fn enable_debug_logs(tree: &mut Node) {
    let debug = tree
        .get_path(&["rancher", "debug"])
        .and_then(Node::scalar)
        .and_then(scalar::boolean);
    if debug == Some(true) {
        for path in [
            &["rancher", "log"][..],
            &["rancher", "docker", "debug"],
            &["rancher", "system_docker", "debug"],
        ] {
            tree.insert_path(path, Node::plain("true"));
        }
    }
}

/// Puts the variables of services into their definitions, and returns the variables.
pub(crate) fn substitute_environment(
    tree: &mut Node,
    root: &Path,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, String> {
    let rancher = Config::read(&tree.to_value(Dialect::Text)).0.rancher;
    let environment = environment(&rancher, root);
    let Some(services) = tree
        .get_mut("rancher")
        .and_then(|rancher| rancher.get_mut("services"))
    else {
        return environment;
    };
    let NodeKind::Map(entries) = &mut services.kind else {
        return environment;
    };
    for entry in entries {
        let mut missing = BTreeSet::new();
        entry
            .node
            .map_scalars(&mut |text| substitute::variables(text, &environment, &mut missing));
        let path = format!("rancher.services.{}", entry.key);
        problems.extend(missing.into_iter().map(|name| {
            let message = format!(
                "${name} is not in rancher.environment and counts as empty; write $$ for a dollar"
            );
            Diagnostic::warning(path.as_str(), message).in_file("configuration")
        }));
    }
    environment
}

/// Expands the short forms of a typed configuration; files with variables are below `root`.
pub(crate) fn expand_config(config: &mut Config, root: &Path) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    add_extra_engines(&mut config.rancher);
    add_agent(&mut config.rancher, &mut findings);
    let services = &mut config.rancher.services;
    rsyslog::add_to_service(&config.rsyslog, &mut config.write_files, services);
    references::check(services, &config.rancher.restart_services, &mut findings);
    volume_containers::expand(services, &mut findings);
    remove_services_without_image(services, &mut findings);
    read_env_files(services, root, &mut findings);
    add_replicas(services, &mut findings);
    set_container_names(services);
    findings.list
}

/// Adds the service of `rancher.agent`, unless a service has its name.
pub(crate) fn add_agent(rancher: &mut Rancher, findings: &mut Findings) {
    if let Some(agent) = rancher.agent.as_ref().filter(|agent| agent.check(findings)) {
        rancher
            .services
            .entry(agent::SERVICE.to_owned())
            .or_insert_with(|| agent.service());
    }
}

/// Adds the services of the extra engines.
pub(crate) fn add_extra_engines(rancher: &mut Rancher) {
    if let Some(user_docker) = rancher.services.get(Switchable::Engine.service()) {
        for (name, service) in extra_engines::services(&rancher.engines, user_docker) {
            rancher.services.entry(name).or_insert(service);
        }
    }
}

/// Adds a service `NAME-2` and so on for each replica of a service that is to have several containers.
fn add_replicas(services: &mut Services, findings: &mut Findings) {
    let scaled: Vec<(String, u32)> = services
        .iter_mut()
        // `scale` is removed, so that a change of it does not recreate a container.
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
            let mut replica = service.clone();
            let labels = &mut replica.labels;
            labels.insert(service::REPLICA_OF.to_owned(), name.clone());
            if let Some(container) = &mut replica.container_name {
                container.push_str(&format!("-{number}"));
            }
            match services.entry(format!("{name}-{number}")) {
                Entry::Vacant(vacant) => drop(vacant.insert(replica)),
                Entry::Occupied(occupied) => findings.error(
                    format!("rancher.services.{name}.scale"),
                    format!("there is a service {} already", occupied.key()),
                ),
            }
        }
    }
}

fn read_env_files(services: &mut Services, root: &Path, findings: &mut Findings) {
    for (name, service) in services {
        env_file::read_into(service, name, root, findings);
    }
}

/// Tells each service the container names of the services that it needs.
fn set_container_names(services: &mut Services) {
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

/// Removes services without an image. A single layer may leave the image out, because another layer names it.
fn remove_services_without_image(services: &mut Services, findings: &mut Findings) {
    services.retain(|name, service| {
        if service.image.is_empty() && service.build.is_some() {
            // libcompose named images like this in RancherOS.
            service.image = format!("os_{name}");
        }
        let stays = !service.image.is_empty();
        if !stays {
            let path = format!("rancher.services.{name}.image");
            findings.mismatch::<()>(&path, "the name of an image", &Value::Null);
        }
        stays
    });
}
