//! dpkg's database: where a tree has it, and which packages it lists.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

/// The status file below a root.
pub(crate) const STATUS: &str = "usr/lib/sysimage/dpkg/status";

/// Names and versions of what dpkg's status file says is installed.
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

/// Which packages are installed is a property of the tree under `/usr`, not of the machine: `/var`
/// is the machine's and outlives any image, so the database must not be in it.
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
