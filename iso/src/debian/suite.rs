//! The Debian release that PaddockOS is made of, and the mirrors and keys that this host has for it.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::build::command::{argv, try_output};
use crate::build_host::{self, PackageSource};

/// The Debian release that PaddockOS is made of.
pub(crate) const SUITE: &str = "trixie";

/// The suites of which the catalogue has engines: Debian 12, with its updates of security, and testing.
const OTHER_SUITES: [&str; 3] = ["bookworm", "bookworm-security", "testing"];

/// The keys of Debian's archive on the build host.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Debian's archives, in this order: its packages, and its updates of security.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirrors {
    packages: String,
    security: String,
}

impl Mirrors {
    /// The mirrors that this Debian host itself uses. On another distribution, and when apt names no mirror, those that
    /// mmdebstrap uses by default.
    fn of_host() -> Option<&'static Self> {
        static MIRRORS: OnceLock<Option<Mirrors>> = OnceLock::new();
        let find = || {
            let codename = build_host::os_release("VERSION_CODENAME");
            (build_host::os_release("ID") == "debian")
                .then(|| Self::from_sources(&build_host::sources(), &codename))
                .flatten()
                .or_else(|| Self::from_sources(&default_sources()?, SUITE))
        };
        MIRRORS.get_or_init(find).as_ref()
    }

    fn from_sources(sources: &[PackageSource], codename: &str) -> Option<Self> {
        let uri_of = |suite: &str| {
            let source = sources.iter().find(|source| source.suite == suite)?;
            Some(source.uri.clone())
        };
        Some(Self {
            packages: uri_of(codename)?,
            security: uri_of(&format!("{codename}-security"))?,
        })
    }

    fn deb_line(&self, suite: &str) -> String {
        let mirror = if suite.ends_with("-security") {
            &self.security
        } else {
            &self.packages
        };
        format!("deb {mirror} {suite} main")
    }
}

/// The sources that mmdebstrap writes when it is given none.
fn default_sources() -> Option<Vec<PackageSource>> {
    let folder = tempfile::tempdir().ok()?;
    let file = folder.path().join("sources");
    // The hook ends mmdebstrap before it fetches anything, so its status says nothing.
    let hook = format!(
        "--setup-hook=cat \"$1\"/etc/apt/sources.list > '{}'; exit 1",
        file.display()
    );
    let root = folder.path().join("root");
    try_output(&argv![
        "mmdebstrap",
        "--mode=root",
        "--variant=custom",
        hook,
        SUITE,
        root
    ]);
    let text = fs::read_to_string(file).ok()?;
    Some(build_host::parse_sources(&text.replace("deb ", "")))
}

/// The `deb` lines for [`SUITE`]; none if no mirror is known.
pub(crate) fn deb_lines() -> Vec<String> {
    lines(["", "-updates", "-security"].map(|part| format!("{SUITE}{part}")))
}

/// The `deb` lines for the other suites of the catalogue. Dockerfiles write the same lines.
pub(crate) fn other_deb_lines() -> Vec<String> {
    lines(OTHER_SUITES.map(str::to_owned))
}

fn lines(suites: [String; 3]) -> Vec<String> {
    Mirrors::of_host()
        .map(|mirrors| suites.map(|suite| mirrors.deb_line(&suite)).into())
        .unwrap_or_default()
}

/// Whether the host's keyring can check [`SUITE`]; without the key, mmdebstrap stops with a bare apt error.
pub(crate) fn knows_suite() -> bool {
    ["gpg", "pgp", "asc"].iter().any(|ending| {
        Path::new("/usr/share/keyrings")
            .join(format!("debian-archive-{SUITE}-stable.{ending}"))
            .exists()
    })
}

#[cfg(test)]
mod tests {
    use super::Mirrors;
    use crate::build_host::PackageSource;

    #[test]
    fn mirrors_come_from_the_hosts_own() {
        let sources = [
            ("http://mirror.example/debian/", "bookworm"),
            ("http://mirror.example/debian/", "bookworm-updates"),
            ("http://security.example/", "bookworm-security"),
        ]
        .map(|(uri, suite)| PackageSource {
            uri: uri.to_owned(),
            suite: suite.to_owned(),
        });
        let mirrors = Mirrors::from_sources(&sources, "bookworm").unwrap();
        for (suite, expected) in [
            ("trixie", "deb http://mirror.example/debian/ trixie main"),
            (
                "trixie-security",
                "deb http://security.example/ trixie-security main",
            ),
        ] {
            assert_eq!(mirrors.deb_line(suite), expected);
        }
        assert_eq!(Mirrors::from_sources(&sources, "sid"), None);
        assert_eq!(Mirrors::from_sources(&sources[..2], "bookworm"), None);
    }
}
