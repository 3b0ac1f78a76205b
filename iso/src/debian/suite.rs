//! The Debian release that PaddockOS is made of, and the mirrors and keys that this host has for it.

use std::path::Path;

use crate::build_host::{self, PackageSource};

/// The Debian release that PaddockOS is made of.
pub(crate) const SUITE: &str = "trixie";

/// The `deb` lines for [`SUITE`] from the mirrors that this Debian host itself uses. Empty on another
/// distribution and when apt names no mirror: mmdebstrap then uses its default.
pub(crate) fn deb_lines() -> Vec<String> {
    if build_host::os_release("ID") != "debian" {
        return Vec::new();
    }
    deb_lines_from(
        &build_host::sources(),
        &build_host::os_release("VERSION_CODENAME"),
    )
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
    use super::deb_lines_from;
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
