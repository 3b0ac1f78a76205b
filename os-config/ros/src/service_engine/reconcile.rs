//! Decides how a container becomes the container that its service describes. Pure.

use std::fmt;

use os_config::Switchable;
use os_config::compose::service::Service;

use crate::docker::Container;
use crate::service_engine::container_body::{LABEL_HASH, LABEL_SERVICE};
use crate::service_engine::marks::Marks;

/// An action on a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    Start,
    Create { start: bool },
    Recreate { start: bool },
}

/// Compares a service with the container of its name.
pub(crate) fn action(
    service: &Service,
    hash: &str,
    existing: Option<&Container>,
    marks: Marks,
) -> Action {
    let start = !service.createonly();
    let Some(existing) = existing else {
        return if marks.done {
            Action::Nothing
        } else {
            Action::Create { start }
        };
    };
    let same = is_same(service, hash, existing);
    match (same, existing.running) {
        _ if marks.done || marks.stopped => Action::Nothing,
        (false, _) => Action::Recreate { start },
        (true, true) => Action::Nothing,
        (true, false) if start => Action::Start,
        (true, false) => Action::Nothing,
    }
}

/// Whether a container matches its service. RancherOS's label `io.docker.compose.rebuild` decides: with `false` a
/// changed definition or image does not count, but another console does; with `always` a container lives for one boot.
fn is_same(service: &Service, hash: &str, existing: &Container) -> bool {
    let label = |name| existing.labels.get(name).map(String::as_str);
    match service.rebuild() {
        Some("false") => is_kept(service, existing),
        Some("always") if !existing.running => false,
        _ => label(LABEL_HASH) == Some(hash),
    }
}

/// Whether the container is kept as it is, because its service is never rebuilt.
pub(crate) fn is_kept(service: &Service, existing: &Container) -> bool {
    let label = |name: &str| existing.labels.get(name).map(String::as_str);
    service.rebuild() == Some("false")
        && label(LABEL_SERVICE).is_some()
        && label(Switchable::Console.label()) == service.console()
}

/// Containers whose service is no longer in the configuration.
pub(crate) fn orphans(existing: &[Container], is_known: impl Fn(&str) -> bool) -> Vec<&str> {
    existing
        .iter()
        .filter(|container| {
            container
                .labels
                .get(LABEL_SERVICE)
                .is_some_and(|service| !is_known(service))
        })
        .map(|container| container.name.as_str())
        .collect()
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Start => "start",
            Self::Create { start: true } => "create and start",
            Self::Create { start: false } => "create",
            Self::Recreate { start: true } => "remove, create and start",
            Self::Recreate { start: false } => "remove and create",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, action, orphans};
    use crate::docker::Container;
    use crate::service_engine::marks::Marks;
    use os_config::compose::service::Service;

    fn existing(hash: &str, running: bool) -> Container {
        Container {
            name: "s".into(),
            running,
            labels: [
                (super::LABEL_HASH.to_owned(), hash.to_owned()),
                (super::LABEL_SERVICE.to_owned(), "s".to_owned()),
            ]
            .into(),
            ..Container::default()
        }
    }

    #[test]
    fn actions() {
        let plain = Service::default();
        let mut createonly = Service::default();
        createonly
            .labels
            .insert("io.rancher.os.createonly".into(), "true".into());
        let none = Marks::default();
        let done = Marks {
            done: true,
            stopped: false,
        };
        let stopped = Marks {
            done: false,
            stopped: true,
        };
        for (name, service, found, past, expected) in [
            ("absent", &plain, None, none, Action::Create { start: true }),
            (
                "absent, create only",
                &createonly,
                None,
                none,
                Action::Create { start: false },
            ),
            (
                "running",
                &plain,
                Some(existing("h", true)),
                none,
                Action::Nothing,
            ),
            (
                "left from the last boot",
                &plain,
                Some(existing("h", false)),
                none,
                Action::Start,
            ),
            (
                "changed",
                &plain,
                Some(existing("x", true)),
                none,
                Action::Recreate { start: true },
            ),
            (
                "created",
                &createonly,
                Some(existing("h", false)),
                none,
                Action::Nothing,
            ),
            (
                "done",
                &plain,
                Some(existing("h", false)),
                done,
                Action::Nothing,
            ),
            (
                "stopped by hand",
                &plain,
                Some(existing("h", false)),
                stopped,
                Action::Nothing,
            ),
        ] {
            assert_eq!(
                action(service, "h", found.as_ref(), past),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn labels_say_when_a_container_is_made_anew() {
        let console = |name: &str, rebuild: Option<&str>| {
            let mut service = Service::default();
            let mut label = |key: &str, value: &str| {
                service.labels.insert(key.to_owned(), value.to_owned());
            };
            label("io.rancher.os.console", name);
            if let Some(rebuild) = rebuild {
                label("io.docker.compose.rebuild", rebuild);
            }
            service
        };
        let of = |name: &str, running| {
            let mut found = existing("x", running);
            let label = "io.rancher.os.console".to_owned();
            found.labels.insert(label, name.to_owned());
            found
        };
        let anew = Action::Recreate { start: true };
        for (name, service, found, expected) in [
            ("changed", console("a", None), of("a", false), anew),
            (
                "changed, kept",
                console("a", Some("false")),
                of("a", false),
                Action::Start,
            ),
            (
                "another, kept",
                console("b", Some("false")),
                of("a", false),
                anew,
            ),
            (
                "each boot's own",
                console("a", Some("always")),
                of("a", false),
                anew,
            ),
        ] {
            let found = action(&service, "h", Some(&found), Marks::default());
            assert_eq!(found, expected, "{name}");
        }
        let mut found = of("a", true);
        found
            .labels
            .insert(super::LABEL_HASH.to_owned(), "h".to_owned());
        let service = console("a", Some("always"));
        assert_eq!(
            action(&service, "h", Some(&found), Marks::default()),
            Action::Nothing
        );
    }

    #[test]
    fn only_containers_of_vanished_services_are_orphans() {
        let mut foreign = existing("h", true);
        foreign.name = "foreign".into();
        foreign.labels.clear();
        let list = [existing("h", true), foreign];
        assert_eq!(orphans(&list, |_| false), ["s"]);
        assert!(orphans(&list, |name| name == "s").is_empty());
    }
}
