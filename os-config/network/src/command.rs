//! Commands of the plan, as values.

use std::fmt;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkCommand {
    argv: Vec<String>,
    origin: Option<String>,
}

impl NetworkCommand {
    pub(crate) fn with<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.argv.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// The key of the configuration with a command of the user's, which may hold secrets; `None` for a command of the
    /// plan.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
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

/// A call of `ip`, of iproute2. A name of a link stands behind `dev` or `name`: `ip` takes the name `b` alone for its
/// word `broadcast`.
pub(crate) fn ip(arguments: &[&str]) -> NetworkCommand {
    let argv = std::iter::once("ip").chain(arguments.iter().copied());
    NetworkCommand {
        argv: argv.map(str::to_owned).collect(),
        origin: None,
    }
}

/// A line of the configuration, which a shell runs. `origin` is its key.
fn shell(line: &str, origin: String) -> NetworkCommand {
    NetworkCommand {
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()],
        origin: Some(origin),
    }
}

/// Lines of the configuration for a shell, each with its place in the list `key`.
pub(crate) fn shells<'a>(
    lines: &'a [String],
    key: &'a str,
) -> impl Iterator<Item = NetworkCommand> + 'a {
    let numbered = lines.iter().enumerate();
    numbered.map(move |(index, line)| shell(line, format!("{key}[{index}]")))
}

/// The lines of a link's `pre_up` or `post_up`, in which `$iface` is the link's name.
pub(crate) fn hooks(lines: &[String], key: &str, link: &str) -> Vec<NetworkCommand> {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| line.replace("$iface", link))
        .collect();
    let key = format!("rancher.network.interfaces: {link}: {key}");
    shells(&lines, &key).collect()
}
