//! The cloud-config of the new machine: read from a file or an address, and checked as `ros config validate` checks it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cloud_init_rs::Client;
use cloud_init_rs::user_data::{self, UserData, UserDataError};
use os_config::bounded_file;
use os_config::load::include::is_address;

use crate::cloud_init::includes;
use crate::config::{problems_of_part, report};

/// The limit for fetching it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Words of the kernel line that let a person log in.
const LOGIN_WORDS: [&str; 4] = [
    "rancher.password=",
    "rancher.autologin=",
    "cc.ssh_authorized_keys=",
    "cc.password=",
];

/// Reads a cloud-config and prints its problems.
///
/// # Errors
/// It cannot be read, it is no single cloud-config, or it has errors.
pub(super) fn read(root: &Path, place: &str) -> Result<Vec<u8>> {
    let bytes = match is_address(place) {
        true => fetch(root, place)?,
        // A shell's `<(…)` is a pipe.
        false => File::open(place)
            .and_then(bounded_file::all_of)
            .with_context(|| format!("reading {place}"))?,
    };
    ensure!(
        is_cloud_config(&bytes),
        "{place}: expected a cloud-config; scripts, archives and `#include` reach a machine by a data source alone"
    );
    let is_wrong = report(&problems_of_part(root, &bytes, place));
    ensure!(!is_wrong, "{place} has errors; nothing was changed");
    Ok(bytes)
}

fn fetch(root: &Path, url: &str) -> Result<Vec<u8>> {
    if let Some(warning) = includes::warning(url) {
        eprintln!("ros: warning: {warning}");
    }
    let config = os_config::load::load(root).config;
    let proxy = config.rancher.network.proxy_for(url);
    let answer = Client::with_proxy(REQUEST_TIMEOUT, proxy).get(url, &[])?;
    answer.with_context(|| format!("{url}: there is nothing (404)"))
}

/// Whether a text is one plain cloud-config: it lies on the disk as it is.
fn is_cloud_config(bytes: &[u8]) -> bool {
    let parts = user_data::parts(bytes);
    match (parts.usable.as_slice(), parts.refused.as_slice()) {
        ([UserData::CloudConfig(part)], []) => bytes.ends_with(part),
        // A text without the line `#cloud-config`; its own problems say whether it can be used.
        ([], [UserDataError::Unknown(_) | UserDataError::Binary] | []) => true,
        _ => false,
    }
}

/// Whether somebody can log in to a machine with this cloud-config and these words of the kernel line.
pub(super) fn has_login(cloud_config: Option<&[u8]>, kernel_words: &str) -> bool {
    let config = cloud_config.and_then(|bytes| os_config::load::document(bytes).ok());
    let is_in_config = config.is_some_and(|config| {
        let has_keys = !config.ssh_authorized_keys.is_empty() || !config.users.is_empty();
        let has_password = !config.passwords.is_empty() || config.rancher.password.is_some();
        has_keys || has_password || !config.rancher.autologin.is_empty()
    });
    is_in_config || LOGIN_WORDS.iter().any(|word| kernel_words.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{has_login, is_cloud_config, read};

    #[test]
    fn only_a_plain_cloud_config_lies_on_a_disk() {
        for (text, expected) in [
            ("#cloud-config\nhostname: a\n", true),
            ("hostname: a\n", true),
            ("", true),
            ("#!/bin/sh\ntrue\n", false),
            ("#include\nhttps://host/config\n", false),
            ("#compose\na: {image: x}\n", false),
            ("#cloud-config-archive\n- hostname: a\n", false),
        ] {
            assert_eq!(is_cloud_config(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn errors_end_the_installation_before_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yml");
        let place = file.to_str().unwrap();
        for (text, expected) in [
            ("#cloud-config\nhostname: a\n", None),
            ("#cloud-config\nhostname: [a\n", Some("has errors")),
            ("#!/bin/sh\n", Some("expected a cloud-config")),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read(folder.path(), place).err();
            let error = error.map(|error| error.to_string());
            assert_eq!(error.is_some(), expected.is_some(), "{text:?}: {error:?}");
            assert!(error.is_none_or(|error| error.contains(expected.unwrap())));
        }
        assert!(read(folder.path(), "/nonexistent").is_err());
    }

    #[test]
    fn a_machine_without_a_login_is_told() {
        for (config, words, expected) in [
            (None, "", false),
            (None, "console=ttyS0 rancher.autologin=tty1", true),
            (Some("hostname: a\n"), "", false),
            (
                Some("ssh_authorized_keys: [ssh-ed25519 AAAA me]\n"),
                "",
                true,
            ),
            (Some("rancher: {password: moo}\n"), "", true),
            (Some("users: [{name: me}]\n"), "", true),
        ] {
            let found = has_login(config.map(str::as_bytes), words);
            assert_eq!(found, expected, "{config:?} {words}");
        }
    }
}
