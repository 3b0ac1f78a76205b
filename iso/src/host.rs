//! What the build host is: which distribution, which package mirrors, which user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::build::command::{argv, try_output};

/// The Debian release that PaddockOS is made of.
pub(crate) const SUITE: &str = "trixie";

/// Refuses to go on without root: making device nodes, owners and chroots needs it.
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

/// One line of `apt-get indextargets`: where the host gets a suite from.
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

fn parse_sources(text: &str) -> Vec<PackageSource> {
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

/// The `deb` lines for [`SUITE`] from the mirrors that this Debian host itself uses. None on another
/// distribution, or with an own configuration that does not tell: then mmdebstrap knows a default.
pub(crate) fn deb_lines() -> Vec<String> {
    if os_release("ID") != "debian" {
        return Vec::new();
    }
    deb_lines_from(&sources(), &os_release("VERSION_CODENAME"))
}

fn deb_lines_from(sources: &[PackageSource], codename: &str) -> Vec<String> {
    let uri_of = |suite: String| sources.iter().find(|s| s.suite == suite).map(|s| &s.uri);
    let Some(archive) = uri_of(codename.to_owned()) else {
        return Vec::new();
    };
    let Some(security) = uri_of(format!("{codename}-security")) else {
        return Vec::new();
    };
    vec![
        format!("deb {archive} {SUITE} main"),
        format!("deb {archive} {SUITE}-updates main"),
        format!("deb {security} {SUITE}-security main"),
    ]
}

/// Whether the host's keyring can check [`SUITE`]; mmdebstrap would stop with a bare apt error.
pub(crate) fn knows_suite() -> bool {
    ["gpg", "pgp", "asc"].iter().any(|ending| {
        Path::new("/usr/share/keyrings")
            .join(format!("debian-archive-{SUITE}-stable.{ending}"))
            .exists()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_come_from_the_hosts_own() {
        let listed = "\
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm-updates main
http://mirror.example/debian/ bookworm contrib
http://security.example/ bookworm-security main
garbage
";
        let sources = parse_sources(listed);
        assert_eq!(sources.len(), 3);
        let expected = [
            "deb http://mirror.example/debian/ trixie main",
            "deb http://mirror.example/debian/ trixie-updates main",
            "deb http://security.example/ trixie-security main",
        ];
        assert_eq!(deb_lines_from(&sources, "bookworm"), expected);
        assert!(deb_lines_from(&sources, "sid").is_empty());
        assert!(deb_lines_from(&sources[..2], "bookworm").is_empty());
    }
}
