//! dpkg's database: its place in a tree, and the packages that it lists.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

/// The status file below a root.
pub(crate) const STATUS: &str = "usr/lib/sysimage/dpkg/status";

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The source package and its version, with a blank between.
    pub(crate) source: String,
}

/// The installed packages, from the text of the status file.
pub(crate) fn installed_packages(status: &str) -> Vec<Package> {
    let field = |stanza: &str, name: &str| {
        stanza
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .map(str::to_owned)
    };
    status
        .split("\n\n")
        .filter(|stanza| {
            field(stanza, "Status").is_some_and(|status| status.ends_with(" installed"))
        })
        .filter_map(|stanza| {
            let (name, version) = (field(stanza, "Package")?, field(stanza, "Version")?);
            // Without the field, both have one name; without a version in it, one version.
            let source = field(stanza, "Source").unwrap_or_else(|| name.clone());
            let source = match source.split_once(" (") {
                Some((source, of_source)) => {
                    format!("{source} {}", of_source.trim_end_matches(')'))
                }
                None => format!("{source} {version}"),
            };
            Some(Package {
                name,
                version,
                source,
            })
        })
        .collect()
}

/// Moves the database from `/var` to `/usr`: it describes the tree, and must change with the image.
/// `/var` belongs to the machine and outlives any image.
pub(crate) fn move_database(root: &Path) -> Result<()> {
    let (from, to) = (
        root.join("var/lib/dpkg"),
        root.join("usr/lib/sysimage/dpkg"),
    );
    fs::create_dir_all(root.join("usr/lib/sysimage")).context("making usr/lib/sysimage")?;
    fs::rename(&from, &to).context("moving the package database")?;
    symlink("../../usr/lib/sysimage/dpkg", &from).context("linking the package database")
}

#[cfg(test)]
mod tests {
    use super::{Package, installed_packages};

    #[test]
    fn packages_and_versions_come_from_the_status_file() {
        let status = "\
Package: bash
Status: install ok installed
Version: 5.2

Package: libc6
Status: install ok installed
Source: glibc
Version: 2.41-12

Package: runc
Status: install ok installed
Source: runc (1.1.15-2)
Version: 1.1.15-2+b4

Package: gone
Status: deinstall ok config-files
Version: 1
";
        assert_eq!(
            installed_packages(status),
            [
                ("bash", "5.2", "bash 5.2"),
                ("libc6", "2.41-12", "glibc 2.41-12"),
                ("runc", "1.1.15-2+b4", "runc 1.1.15-2"),
            ]
            .map(|(name, version, source)| Package {
                name: name.to_owned(),
                version: version.to_owned(),
                source: source.to_owned(),
            })
        );
    }
}
