//! dpkg's database: its place in a tree, and the packages that it lists.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

/// The status file below a root.
pub(crate) const STATUS: &str = "usr/lib/sysimage/dpkg/status";

/// Names and versions of the installed packages, from the text of the status file.
pub(crate) fn installed_packages(status: &str) -> Vec<(String, String)> {
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
        .filter_map(|stanza| Some((field(stanza, "Package")?, field(stanza, "Version")?)))
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
    use super::installed_packages;

    #[test]
    fn packages_and_versions_come_from_the_status_file() {
        let status = "\
Package: bash
Status: install ok installed
Version: 5.2

Package: gone
Status: deinstall ok config-files
Version: 1
";
        assert_eq!(
            installed_packages(status),
            [("bash".to_owned(), "5.2".to_owned())]
        );
    }
}
