//! sshd of the console: its command line, from `rancher.ssh`, and its banner.
//!
//! Every setting is on the command line: a file can be missing, empty or cut off, and Debian's own settings let
//! passwords in and everybody. sshd runs with these settings or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::paths::SSH_BANNER;
use host::problems::{self, ProblemRecord};
use os_config::{Config, LoadedConfig, Ssh};

use crate::console::accounts::authorized_keys;
use crate::console::host_keys::HostKeys;

const SSHD: &str = "/usr/sbin/sshd";
const BANNER: &str =
    "PaddockOS: this boot has problems. Log in, and run `sudo ros config validate`.\n";
/// The settings of an earlier version, whose lists would be added to those of the command line.
const OLD_SETTINGS: &str = "/etc/ssh/sshd_config.d/10-ros.conf";
/// Host keys of this boot alone, in memory.
const KEYS_OF_BOOT: &str = "/run/ssh-host-keys";
/// The group of users of the cloud-config that may log in by key. Members of `docker` may too; they have the
/// rights of root.
pub(crate) const LOGIN_GROUP: &str = "ssh-login";

/// The algorithms that sshd offers: those without a known weakness, of which OpenSSH 7.4 of 2016 has one of each kind.
/// Left out of Debian's own: SHA-1, MACs over the plain text, MACs with short tags, and the curves of NIST.
const ALGORITHMS: &[(&str, &str)] = &[
    (
        "KexAlgorithms",
        "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
         curve25519-sha256@libssh.org,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512",
    ),
    (
        "Ciphers",
        "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr",
    ),
    (
        "MACs",
        "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,umac-128-etm@openssh.com",
    ),
];
const KEY_ALGORITHMS: &str = "ssh-ed25519,rsa-sha2-512,rsa-sha2-256";
/// Offered only with an ECDSA key in the configuration: its owner's clients know the machine by it.
const ECDSA_ALGORITHMS: &str = "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521";

/// Limits for connections before their login, which cost a process and megabytes each. With ten of them open, sshd drops
/// every third, and from thirty on every new connection. OpenSSH 9.8 and newer, such as this image's, refuses addresses with
/// failed logins for a while by itself (`PerSourcePenalties`); an older sshd of another console would end at that name.
const LIMITS: &[(&str, &str)] = &[
    ("LoginGraceTime", "60"),
    ("MaxStartups", "10:30:30"),
    ("MaxAuthTries", "6"),
];

/// Prepares host keys and banner. Returns the command line of sshd, or `None` if it must not run. Each failure is a text
/// in `failures`; none of them opens anything.
pub(crate) fn prepare(loaded: &LoadedConfig, failures: &mut Vec<String>) -> Option<Vec<String>> {
    let ssh = &loaded.config.rancher.ssh;
    if !ssh.daemon {
        return None;
    }
    // Without this folder sshd does not start.
    note(
        fs::create_dir_all("/run/sshd").context("making /run/sshd"),
        failures,
    );
    let removed = fs::remove_file(OLD_SETTINGS);
    if Path::new(OLD_SETTINGS).exists() {
        note(
            removed.with_context(|| format!("removing {OLD_SETTINGS}")),
            failures,
        );
    }
    let keys = HostKeys::of_machine(Path::new(KEYS_OF_BOOT)).prepare(&ssh.keys, failures);
    let banner = banner(loaded);
    // The file is in memory.
    let written = fs::write(SSH_BANNER, &banner).with_context(|| format!("writing {SSH_BANNER}"));
    let with_banner = written.is_ok() && !banner.is_empty();
    note(written, failures);
    let mut argv = command_line(&loaded.config, &keys);
    if with_banner {
        argv.extend(option("Banner", SSH_BANNER));
    }
    Some(argv)
}

fn note(result: Result<()>, failures: &mut Vec<String>) {
    if let Err(error) = result {
        failures.push(format!("{error:#}"));
    }
}

/// The command line, without the banner.
fn command_line(config: &Config, host_keys: &[PathBuf]) -> Vec<String> {
    let (root, root_group) = if config.root_by_key {
        ("prohibit-password", " root")
    } else {
        ("no", "")
    };
    let groups = format!("docker {LOGIN_GROUP}{root_group}");
    let mut argv = [SSHD, "-D", "-e"].map(str::to_owned).to_vec();
    let mut set = |key: &str, value: &str| argv.extend(option(key, value));
    set("PasswordAuthentication", "no");
    set("KbdInteractiveAuthentication", "no");
    set("PermitEmptyPasswords", "no");
    set("HostbasedAuthentication", "no");
    set("PermitRootLogin", root);
    set("AllowGroups", &groups);
    set("AuthorizedKeysFile", authorized_keys::FILES);
    for (key, value) in ALGORITHMS.iter().chain(LIMITS) {
        set(key, value);
    }
    set(
        "HostKeyAlgorithms",
        &if config.rancher.ssh.keys.contains_key("ecdsa") {
            format!("{KEY_ALGORITHMS},{ECDSA_ALGORITHMS}")
        } else {
            KEY_ALGORITHMS.to_owned()
        },
    );
    set("UseDNS", "no");
    set("ClientAliveInterval", "180");
    for file in host_keys {
        set("HostKey", &file.to_string_lossy());
    }
    for (key, value) in listening(&config.rancher.ssh) {
        set(key, &value);
    }
    argv
}

/// Where sshd listens.
fn listening(ssh: &Ssh) -> Vec<(&'static str, String)> {
    let port = ssh.port.map(|port| ("Port", port.to_string()));
    let address = ssh
        .listen_address
        .clone()
        .filter(|address| !address.contains(char::is_whitespace))
        .map(|address| ("ListenAddress", address));
    port.into_iter().chain(address).collect()
}

fn option(key: &str, value: &str) -> [String; 2] {
    ["-o".to_owned(), format!("{key}={value}")]
}

/// The text that ssh shows before the login, if this boot has problems. Everybody on the network can read it, so it says
/// no more than that.
fn banner(loaded: &LoadedConfig) -> String {
    let of_configuration = loaded.problems.iter().map(ProblemRecord::from);
    let problems = problems::distinct(problems::list().into_iter().chain(of_configuration));
    if problems.is_empty() {
        return String::new();
    }
    BANNER.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{banner, command_line, prepare};
    use os_config::Config;
    use os_config::load::load;

    fn options(config: &Config) -> Vec<String> {
        let argv = command_line(config, &[PathBuf::from("/k")]);
        assert_eq!(argv[..3], ["/usr/sbin/sshd", "-D", "-e"]);
        argv[3..]
            .iter()
            .filter(|word| *word != "-o")
            .cloned()
            .collect()
    }

    #[test]
    fn the_command_line_closes_every_door() {
        let mut config = Config::default();
        for closed in [
            "PasswordAuthentication=no",
            "KbdInteractiveAuthentication=no",
            "PermitEmptyPasswords=no",
            "HostbasedAuthentication=no",
            "PermitRootLogin=no",
            "AllowGroups=docker ssh-login",
            "HostKey=/k",
            "LoginGraceTime=60",
            "MaxStartups=10:30:30",
            "MaxAuthTries=6",
        ] {
            assert!(
                options(&config).iter().any(|word| word == closed),
                "{closed}"
            );
        }
        config.root_by_key = true;
        let opened = options(&config);
        assert!(opened.contains(&"PermitRootLogin=prohibit-password".to_owned()));
        assert!(opened.contains(&"AllowGroups=docker ssh-login root".to_owned()));
    }

    #[test]
    fn only_sound_algorithms_are_offered() {
        let mut config = Config::default();
        let offered = |config: &Config, key: &str| -> Vec<String> {
            let found = options(config);
            let value = found
                .iter()
                .find_map(|word| word.strip_prefix(key))
                .unwrap();
            value.split(',').map(str::to_owned).collect()
        };
        // The second word is one that OpenSSH 7.4 has.
        for (key, known) in [
            ("KexAlgorithms=", "curve25519-sha256"),
            ("Ciphers=", "aes256-gcm@openssh.com"),
            ("MACs=", "hmac-sha2-256-etm@openssh.com"),
            ("HostKeyAlgorithms=", "ssh-ed25519"),
        ] {
            let algorithms = offered(&config, key);
            assert!(algorithms.iter().any(|word| word == known), "{key}{known}");
            for word in &algorithms {
                let is_weak = ["nistp", "sha1", "cbc", "group14", "umac-64"]
                    .iter()
                    .any(|weak| word.contains(weak));
                assert!(!is_weak && word != "ssh-rsa", "{key}{word}");
                assert!(key != "MACs=" || word.contains("-etm@"), "{word}");
            }
        }
        config
            .rancher
            .ssh
            .keys
            .insert("ecdsa".into(), "a key".into());
        let with_key = offered(&config, "HostKeyAlgorithms=");
        assert!(with_key.contains(&"ecdsa-sha2-nistp256".to_owned()));
    }

    #[test]
    fn the_banner_tells_of_problems_and_shows_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/lib/rancher/conf");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cloud-config.yml"), "runcmd: {moo: x}\n").unwrap();
        let shown = banner(&load(root.path()));
        assert!(shown.contains("sudo ros config validate"), "{shown}");
        assert!(
            !shown.contains("moo") && !shown.contains("runcmd"),
            "{shown}"
        );
    }

    #[test]
    fn it_can_be_off() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/lib/rancher/conf");
        std::fs::create_dir_all(&folder).unwrap();
        let text = "rancher: {ssh: {daemon: false}}\n";
        std::fs::write(folder.join("cloud-config.yml"), text).unwrap();
        let mut failures = Vec::new();
        assert_eq!(prepare(&load(root.path()), &mut failures), None);
        assert!(failures.is_empty(), "{failures:?}");
    }

    #[test]
    fn a_login_waits_for_no_name_server_and_dead_connections_end() {
        let found = options(&Config::default());
        for setting in ["UseDNS=no", "ClientAliveInterval=180"] {
            assert!(found.iter().any(|word| word == setting), "{setting}");
        }
    }

    #[test]
    fn it_listens_as_configured() {
        let mut config = Config::default();
        config.rancher.ssh.port = Some(2200);
        config.rancher.ssh.listen_address = Some("10.0.0.1".into());
        let found = options(&config);
        assert!(found.contains(&"Port=2200".to_owned()));
        assert!(found.contains(&"ListenAddress=10.0.0.1".to_owned()));
        config.rancher.ssh.listen_address = Some("x\nPermitRootLogin yes".into());
        assert!(!options(&config).concat().contains("PermitRootLogin yes"));
    }
}
