//! Commands of the plan, as values.

use std::fmt;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkCommand {
    argv: Vec<String>,
}

impl NetworkCommand {
    pub(crate) fn with(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.argv.extend(arguments);
        self
    }

    /// The program, then its arguments.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }
}

impl fmt::Display for NetworkCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.argv.join(" "))
    }
}

/// A call of `ip`, of iproute2.
pub(crate) fn ip(arguments: &[&str]) -> NetworkCommand {
    let argv = std::iter::once("ip").chain(arguments.iter().copied());
    NetworkCommand {
        argv: argv.map(str::to_owned).collect(),
    }
}

/// A line of the configuration, which a shell runs.
pub(crate) fn shell(line: &str) -> NetworkCommand {
    NetworkCommand {
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()],
    }
}
