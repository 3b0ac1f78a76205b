//! A link as the planner sees it.

/// A link of the machine.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The kernel's name, such as `eth0`.
    pub name: String,
    /// The hardware address; empty for a link that the plan makes.
    pub mac: String,
    /// The bond or bridge that it is part of.
    pub master: Option<String>,
}

impl Link {
    /// A link that is not there yet.
    pub(crate) fn with_name(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// A link with a hardware address, for tests.
#[cfg(test)]
pub(crate) fn test_link(name: &str, mac: &str) -> Link {
    Link {
        mac: mac.to_owned(),
        ..Link::with_name(name)
    }
}
