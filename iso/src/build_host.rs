//! The build host: its distribution, its package mirrors, and the user of this process.

use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::{Result, ensure};

use crate::build::command::{argv, try_output};

/// Fails without root, which device nodes, owners of files and chroots need.
pub(crate) fn require_root() -> Result<()> {
    ensure!(
        is_root(),
        "building an OS tree needs root\nhint: `make` calls this program through sudo"
    );
    Ok(())
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

/// A key of `/etc/os-release`, e.g. `ID` or `VERSION_CODENAME`.
pub(crate) fn os_release(key: &str) -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .unwrap_or_default()
}

/// A line of `apt-get indextargets`: a suite, and the mirror from which the host gets it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PackageSource {
    pub(crate) uri: String,
    pub(crate) suite: String,
}

/// Every package source that apt is configured for on this host.
pub(crate) fn sources() -> Vec<PackageSource> {
    let format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
    let listed = try_output(&argv![
        "apt-get",
        "indextargets",
        "--format",
        format,
        "Created-By: Packages"
    ]);
    parse_sources(&listed.unwrap_or_default())
}

/// The sources of the component `main` in lines of an address, a suite and a component.
pub(crate) fn parse_sources(text: &str) -> Vec<PackageSource> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (uri, suite, component) = (words.next()?, words.next()?, words.next()?);
            (component == "main").then(|| PackageSource {
                uri: uri.to_owned(),
                suite: suite.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{PackageSource, parse_sources};

    #[test]
    fn sources_are_those_of_the_main_component() {
        let listed = "\
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm-updates main
http://mirror.example/debian/ bookworm contrib
http://security.example/ bookworm-security main
garbage
";
        let expected = [
            ("http://mirror.example/debian/", "bookworm"),
            ("http://mirror.example/debian/", "bookworm-updates"),
            ("http://security.example/", "bookworm-security"),
        ]
        .map(|(uri, suite)| PackageSource {
            uri: uri.to_owned(),
            suite: suite.to_owned(),
        });
        assert_eq!(parse_sources(listed), expected);
    }
}
