//! A container as an engine lists it, and the names of retired containers.
//!
//! A retired container is called `SERVICE.failed` or `SERVICE.failed-2`: it holds data, and belongs to no service.

use std::collections::BTreeMap;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};

const RETIRED_SUFFIX: &str = ".failed";

/// A container that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) id: String,
    /// `created`, `running`, `exited` …
    pub(crate) state: String,
    pub(crate) running: bool,
    /// `Up 5 minutes` and the like.
    pub(crate) status: String,
    /// Empty for a retired container.
    pub(crate) labels: BTreeMap<String, String>,
}

impl Container {
    /// A container from the engine's list; `None` without a name.
    pub(super) fn from_summary(summary: ContainerSummary) -> Option<Self> {
        let name = summary.names?.first()?.trim_start_matches('/').to_owned();
        let labels = match is_retired(&name) {
            true => BTreeMap::new(),
            false => summary.labels.unwrap_or_default().into_iter().collect(),
        };
        Some(Self {
            name,
            id: summary.id.unwrap_or_default(),
            running: summary.state == Some(ContainerSummaryStateEnum::RUNNING),
            state: summary
                .state
                .map(|state| state.to_string())
                .unwrap_or_default(),
            status: summary.status.unwrap_or_default(),
            labels,
        })
    }
}

/// The names for retired containers of a service, in the order in which they are taken.
pub(super) fn retired_names(service: &str) -> impl Iterator<Item = String> {
    let first = std::iter::once(format!("{service}{RETIRED_SUFFIX}"));
    first.chain((2..).map(move |number| format!("{service}{RETIRED_SUFFIX}-{number}")))
}

/// Whether a container of this name is retired. The engine still lists the service's labels on it.
pub(crate) fn is_retired(name: &str) -> bool {
    let Some((_, after)) = name.rsplit_once(RETIRED_SUFFIX) else {
        return false;
    };
    let is_number = |number: &str| number.parse::<u32>().is_ok();
    after.is_empty() || after.strip_prefix('-').is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::{is_retired, retired_names};

    #[test]
    fn names_of_retired_containers() {
        for name in retired_names("web").take(3) {
            assert!(is_retired(&name), "{name}");
        }
        for name in [
            "web",
            "failed",
            "web.failed-",
            "web.failed-x",
            "web.failed.log",
        ] {
            assert!(!is_retired(name), "{name}");
        }
    }
}
