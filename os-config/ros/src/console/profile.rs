//! What a login's shell reads of `rancher.environment`: proxies and more folders for `PATH`, in RancherOS's files.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::{Context, Result};
use nix::unistd::Group;
use os_config::{Config, atomic_file};

/// The folder of scripts that `/etc/profile` reads.
const FOLDER: &str = "/etc/profile.d";
const PROXIES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];
/// The users that may read the password of a proxy: they are root's equals already.
const TRUSTED_GROUP: &str = "docker";

/// Writes the files, or removes them if there is nothing to say.
pub(super) fn write(config: &Config) -> Result<()> {
    let environment = &config.rancher.environment;
    replace("proxy.sh", &proxies(environment))?;
    replace("path.sh", &search_path(environment))
}

fn replace(name: &str, text: &str) -> Result<()> {
    let file = Path::new(FOLDER).join(name);
    let result = if text.is_empty() {
        fs::remove_file(&file).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    } else if has_password(text) {
        // A shell passes over a file that it may not read.
        atomic_file::replace(&file, text.as_bytes(), 0o640).and_then(|()| {
            let group = Group::from_name(TRUSTED_GROUP).ok().flatten();
            chown(&file, None, group.map(|group| group.gid.as_raw()))
        })
    } else {
        atomic_file::replace(&file, text.as_bytes(), 0o644)
    };
    result.with_context(|| format!("writing {}", file.display()))
}

/// Whether an address in the text names a user.
fn has_password(text: &str) -> bool {
    text.contains('@')
}

/// Exports every spelling of the proxies.
fn proxies(environment: &BTreeMap<String, String>) -> String {
    environment
        .iter()
        .filter(|(name, value)| {
            PROXIES.contains(&name.to_lowercase().as_str()) && !value.is_empty()
        })
        .map(|(name, value)| format!("export {name}={}\n", shell_words::quote(value)))
        .collect()
}

/// Appends the folders of `PATH` or `path`, a list with commas as in RancherOS or with colons as in a shell.
fn search_path(environment: &BTreeMap<String, String>) -> String {
    let folders: Vec<&str> = ["PATH", "path"]
        .iter()
        .filter_map(|name| environment.get(*name))
        .flat_map(|list| list.split([',', ':']))
        .map(str::trim)
        .filter(|folder| folder.starts_with('/'))
        .collect();
    if folders.is_empty() {
        return String::new();
    }
    let folders = folders.join(":");
    format!("export PATH=\"$PATH\":{}\n", shell_words::quote(&folders))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{has_password, proxies, search_path};

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        pairs.collect()
    }

    #[test]
    fn proxies_are_exported_and_cannot_hold_commands() {
        let found = proxies(&environment(&[
            ("A", "b"),
            ("HTTP_PROXY", "http://h:3128"),
            ("http_proxy", "http://u:$(reboot)'@h"),
            ("no_proxy", ""),
        ]));
        assert_eq!(
            found,
            "export HTTP_PROXY=http://h:3128\nexport http_proxy='http://u:$(reboot)'\\''@h'\n"
        );
        assert!(has_password(&found));
        assert_eq!(proxies(&environment(&[("A", "b")])), "");
    }

    #[test]
    fn folders_of_the_search_path() {
        let found = search_path(&environment(&[("PATH", "/opt/bin, /opt/a b,moo")]));
        assert_eq!(found, "export PATH=\"$PATH\":'/opt/bin:/opt/a b'\n");
        assert_eq!(search_path(&environment(&[("PATH", "")])), "");
    }
}
