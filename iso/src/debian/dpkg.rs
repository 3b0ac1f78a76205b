//! dpkg's status file: which packages a tree has.

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
