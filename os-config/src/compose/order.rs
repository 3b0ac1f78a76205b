//! The order in which services start, by RancherOS's rules. `after` and `before` are wishes: a missing name or a circle
//! of wishes is ignored. `depends_on`, `links`, `volumes_from` and shared namespaces are needs: a missing
//! name or a circle of needs stops only the services that depend on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::compose::service::{Scope, Service};

/// The order, and the services that cannot start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Name → the names that have to be done first, without circles.
    pub dependencies: BTreeMap<String, BTreeSet<String>>,
    /// The same order as lists of names that can start together.
    pub waves: Vec<Vec<String>>,
    pub errors: Vec<OrderError>,
}

/// Services that cannot start, because of a circle or of a missing service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderError {
    Circle(Vec<String>),
    Missing { service: String, needs: String },
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Circle(names) => {
                write!(
                    f,
                    "services {} depend on each other in a circle; none of them is started",
                    names.join(", ")
                )
            }
            Self::Missing { service, needs } => {
                write!(
                    f,
                    "service {service} depends on {needs}, which does not exist; it is not started"
                )
            }
        }
    }
}

type Edges = BTreeMap<String, BTreeSet<String>>;

/// Orders services, of one scope or of both.
pub fn order(services: &BTreeMap<String, Service>) -> Order {
    let mut errors = Vec::new();
    let mut hard: Edges = BTreeMap::new();
    for (name, service) in services {
        let needs = needs(service);
        match needs.iter().find(|needed| !services.contains_key(*needed)) {
            Some(missing) => {
                errors.push(OrderError::Missing {
                    service: name.clone(),
                    needs: missing.clone(),
                });
            }
            None => drop(hard.insert(name.clone(), needs)),
        }
    }
    remove_circles(&mut hard, &mut errors);
    let mut edges = hard.clone();
    for (name, wished) in ordering_wishes(services, &hard) {
        add_unless_circle(&mut edges, &name, &wished);
    }
    let waves = start_waves(&edges);
    Order {
        dependencies: edges,
        waves,
        errors,
    }
}

/// The services in the order in which a machine that goes down stops them, as lists of names that stop together: a
/// service that others need stops after them. Wishes order starts alone: without them, the system's own services all
/// stop together. RancherOS stopped all services together.
pub fn stop_waves(services: &BTreeMap<String, Service>) -> Vec<Vec<String>> {
    let mut hard: Edges = services
        .iter()
        .map(|(name, service)| {
            let mut needs = needs(service);
            needs.retain(|needed| services.contains_key(needed));
            (name.clone(), needs)
        })
        .collect();
    // Such services were never started.
    remove_circles(&mut hard, &mut Vec::new());
    let mut waves = start_waves(&hard);
    waves.reverse();
    waves
}

/// The names of the services that a service needs.
pub(crate) fn needs(service: &Service) -> BTreeSet<String> {
    let of_links = service
        .links
        .iter()
        .map(|link| link.split(':').next().unwrap_or(link));
    let of_volumes = service
        .volumes_from
        .iter()
        .map(|name| name.split(':').next().unwrap_or(name));
    let of_namespaces = [&service.net, &service.ipc, &service.pid]
        .into_iter()
        .flatten()
        .filter_map(|mode| {
            mode.strip_prefix("container:")
                .or_else(|| mode.strip_prefix("service:"))
        });
    service
        .depends_on
        .iter()
        .map(String::as_str)
        .chain(of_links)
        .chain(of_volumes)
        .chain(of_namespaces)
        .map(str::to_owned)
        .collect()
}

/// Pairs of a service and a service that should be done before it, in the order of names.
fn ordering_wishes(services: &BTreeMap<String, Service>, kept: &Edges) -> Vec<(String, String)> {
    // RancherOS split cloud-init in two; its files name either part.
    let real = |name: &str| match name {
        "cloud-init-execute" | "cloud-init" => "cloud-init".to_owned(),
        other => other.to_owned(),
    };
    let mut found = Vec::new();
    for (name, service) in services {
        found.extend(
            service
                .after()
                .into_iter()
                .map(|other| (name.clone(), real(other))),
        );
        found.extend(
            service
                .before()
                .into_iter()
                .map(|other| (real(other), name.clone())),
        );
        // User services run in User Docker.
        if service.scope() == Scope::User && name != "docker" {
            found.push((name.clone(), "docker".to_owned()));
        }
        if service.log_driver.as_deref() == Some("syslog") {
            found.push((name.clone(), "syslog".to_owned()));
        }
    }
    found.retain(|(a, b)| kept.contains_key(a) && kept.contains_key(b));
    found
}

/// Removes services in circles and services that need a removed service.
fn remove_circles(edges: &mut Edges, errors: &mut Vec<OrderError>) {
    let circular: Vec<String> = edges
        .keys()
        .filter(|name| reaches(edges, name, name))
        .cloned()
        .collect();
    let mut left: BTreeSet<&String> = circular.iter().collect();
    while let Some(first) = left.pop_first() {
        let circle: Vec<String> = std::iter::once(first)
            .chain(
                left.iter()
                    .copied()
                    .filter(|other| reaches(edges, first, other) && reaches(edges, other, first)),
            )
            .cloned()
            .collect();
        left.retain(|name| !circle.contains(name));
        errors.push(OrderError::Circle(circle));
    }
    edges.retain(|name, _| !circular.contains(name));
    loop {
        let broken: Vec<(String, String)> = edges
            .iter()
            .filter_map(|(name, needs)| {
                let missing = needs.iter().find(|needed| !edges.contains_key(*needed))?;
                Some((name.clone(), missing.clone()))
            })
            .collect();
        if broken.is_empty() {
            return;
        }
        for (service, needs) in broken {
            edges.remove(&service);
            errors.push(OrderError::Missing { service, needs });
        }
    }
}

fn add_unless_circle(edges: &mut Edges, name: &str, wished: &str) {
    if name != wished
        && !reaches(edges, wished, name)
        && let Some(needs) = edges.get_mut(name)
    {
        needs.insert(wished.to_owned());
    }
}

/// Whether `from` waits, over any number of steps, for `to`.
fn reaches(edges: &Edges, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&String> = edges.get(from).into_iter().flatten().collect();
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            open.extend(edges.get(name).into_iter().flatten());
        }
    }
    false
}

fn start_waves(edges: &Edges) -> Vec<Vec<String>> {
    let mut waves: Vec<Vec<String>> = Vec::new();
    let mut done: BTreeSet<&String> = BTreeSet::new();
    while done.len() < edges.len() {
        let wave: Vec<&String> = edges
            .iter()
            .filter(|(name, needs)| {
                !done.contains(name) && needs.iter().all(|needed| done.contains(needed))
            })
            .map(|(name, _)| name)
            .collect();
        if wave.is_empty() {
            return waves;
        }
        waves.push(wave.iter().map(|name| (*name).clone()).collect());
        done.extend(wave);
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::{order, stop_waves};
    use crate::compose::service::Service;
    use std::collections::BTreeMap;

    fn services(yaml: &str) -> BTreeMap<String, Service> {
        let value: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
        let mut findings = crate::reader::findings::Findings::default();
        value
            .as_mapping()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().unwrap().to_owned(),
                    Service::read(value, "", &mut findings),
                )
            })
            .collect()
    }

    #[test]
    fn waves_and_errors() {
        const S: &str = "io.rancher.os.scope: system";
        for (name, yaml, waves, errors) in [
            (
                "after and before",
                format!(
                    "{{a: {{labels: {{{S}, io.rancher.os.after: b}}}}, b: {{labels: {{{S}}}}}, c: {{labels: {{{S}, io.rancher.os.before: b}}}}}}"
                ),
                "[[\"c\"], [\"b\"], [\"a\"]]",
                vec![],
            ),
            (
                "a circle of wishes is let go",
                format!(
                    "{{a: {{labels: {{{S}, io.rancher.os.after: b}}}}, b: {{labels: {{{S}, io.rancher.os.after: a}}}}}}"
                ),
                "[[\"b\"], [\"a\"]]",
                vec![],
            ),
            (
                "a hard circle stops its members only",
                format!(
                    "{{a: {{depends_on: [b], labels: {{{S}}}}}, b: {{links: ['a:x'], labels: {{{S}}}}}, c: {{labels: {{{S}, io.rancher.os.after: a}}}}, d: {{volumes_from: [a], labels: {{{S}}}}}}}"
                ),
                "[[\"c\"]]",
                vec![
                    "services a, b depend on each other in a circle; none of them is started",
                    "service d depends on a, which does not exist; it is not started",
                ],
            ),
            (
                "missing",
                format!(
                    "{{a: {{depends_on: [zz], labels: {{{S}}}}}, b: {{labels: {{{S}, io.rancher.os.after: zz}}}}}}"
                ),
                "[[\"b\"]]",
                vec!["service a depends on zz, which does not exist; it is not started"],
            ),
            (
                "the user's come after docker; cloud-init has two names",
                format!(
                    "{{web: {{}}, docker: {{labels: {{{S}, io.rancher.os.after: cloud-init-execute}}}}, cloud-init: {{labels: {{{S}}}}}}}"
                ),
                "[[\"cloud-init\"], [\"docker\"], [\"web\"]]",
                vec![],
            ),
            (
                "shared namespaces and the log",
                format!(
                    "{{a: {{net: 'container:c', labels: {{{S}}}}}, b: {{ipc: 'container:d', labels: {{{S}}}}}, c: {{labels: {{{S}}}}}, d: {{log_driver: syslog, labels: {{{S}}}}}, syslog: {{labels: {{{S}}}}}}}"
                ),
                "[[\"c\", \"syslog\"], [\"a\", \"d\"], [\"b\"]]",
                vec![],
            ),
        ] {
            let found = order(&services(&yaml));
            assert_eq!(format!("{:?}", found.waves), waves, "{name}");
            assert_eq!(
                found
                    .errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
                errors,
                "{name}"
            );
        }
    }

    #[test]
    fn a_stop_waits_for_needs_and_not_for_wishes() {
        let services = services(
            "network: {image: a}\n\
             console: {image: a, labels: {io.rancher.os.after: network}}\n\
             web: {image: a, depends_on: [db]}\n\
             db: {image: a, labels: {io.rancher.os.after: console}}\n\
             lost: {image: a, depends_on: [nothing]}\n\
             x: {image: a, depends_on: [y]}\n\
             y: {image: a, depends_on: [x]}\n",
        );
        let waves = stop_waves(&services);
        assert_eq!(
            waves,
            [vec!["web"], vec!["console", "db", "lost", "network"]]
        );
    }
}
