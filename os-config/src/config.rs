//! The typed configuration that the rest of the system sees: types and their reading, no files.

use serde_yaml::Value;

use crate::defaults::DEFAULTS;
use crate::diagnostic::Diagnostic;
use crate::keys::ca_certs::{self, CaCerts};
use crate::keys::daemons::ntp::{self, Ntp};
use crate::keys::daemons::rsyslog::{self, Rsyslog};
use crate::keys::mounts::{self, Mount, Swap};
use crate::keys::passwords::{self, Password};
use crate::keys::ssh_keys;
use crate::keys::users::{self, Group, User};
use crate::keys::write_files::{self, WriteFile};
use crate::rancher::Rancher;
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// A whole cloud-config.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The first label of `fqdn` where no `hostname` is given.
    pub hostname: Option<String>,
    pub fqdn: Option<String>,
    /// As zoneinfo names it: `Europe/Berlin`.
    pub timezone: Option<String>,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub ssh_authorized_keys: Vec<String>,
    pub write_files: Vec<WriteFile>,
    pub runcmd: Vec<Command>,
    pub bootcmd: Vec<Command>,
    pub mounts: Vec<Mount>,
    pub swap: Option<Swap>,
    pub ca_certs: CaCerts,
    pub ntp: Ntp,
    pub rsyslog: Rsyslog,
    pub passwords: Vec<Password>,
    /// Whether root may log in over ssh with the keys of `ssh_authorized_keys`.
    pub root_by_key: bool,
    /// Whether the state filesystem grows with its disk (`growpart`, `resize_rootfs`); `None` if nothing is said of it.
    pub grow_state: Option<bool>,
    /// The consoles show it when the machine is up.
    pub final_message: Option<String>,
    pub rancher: Rancher,
}

/// A command: a text for the shell, or a list of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Shell(String),
    Exec(Vec<String>),
}

impl Config {
    /// The configuration of the image alone, without its services.
    pub fn of_image() -> Self {
        serde_yaml::from_str(DEFAULTS)
            .map_or_else(|_| Self::default(), |value| Self::read(&value).0)
    }

    /// Reads a merged value into the types. A wrong value is reported and counts as absent.
    pub(crate) fn read(value: &Value) -> (Self, Vec<Diagnostic>) {
        let mut findings = Findings::default();
        let config = Self::read_with_findings(value, &mut findings);
        (config, findings.list)
    }

    pub(crate) fn read_with_findings(value: &Value, findings: &mut Findings) -> Self {
        let mut reader = Reader::new(value, "", findings);
        let fqdn = hostname(&mut reader, "fqdn", LONGEST_FULL_NAME, findings);
        let first_label = fqdn.as_deref().and_then(|name| name.split('.').next());
        let mut config = Self {
            hostname: hostname(&mut reader, "hostname", LONGEST_HOSTNAME, findings)
                .or(first_label.map(str::to_owned)),
            timezone: timezone(&mut reader, findings),
            users: users::users(&mut reader, findings),
            groups: users::groups(&mut reader, findings),
            ssh_authorized_keys: ssh_keys::authorized_keys(
                &mut reader,
                "ssh_authorized_keys",
                findings,
            ),
            write_files: write_files::write_files(&mut reader, findings),
            runcmd: commands(&mut reader, "runcmd", findings),
            bootcmd: commands(&mut reader, "bootcmd", findings),
            mounts: mounts::mounts(&mut reader, findings),
            swap: mounts::swap(&mut reader, findings),
            ca_certs: ca_certs::ca_certs(&mut reader, findings),
            ntp: ntp::ntp(&mut reader, findings),
            rsyslog: rsyslog::rsyslog(&mut reader, findings),
            passwords: passwords::passwords(&mut reader, findings),
            root_by_key: users::root_login(&mut reader, findings),
            grow_state: mounts::grow_state(&mut reader, findings),
            final_message: reader.text("final_message", findings),
            rancher: Rancher::read(reader.section("rancher", findings), findings),
            fqdn,
        };
        reader.finish(findings);
        ntp::take_ntp_conf(&mut config.ntp, &config.write_files, findings);
        config
    }
}

/// The kernel's limit, in bytes.
const LONGEST_HOSTNAME: usize = 64;
/// DNS's limit, in bytes.
const LONGEST_FULL_NAME: usize = 253;

/// Letters, digits, dots and hyphens.
fn hostname(
    reader: &mut Reader<'_>,
    key: &'static str,
    longest: usize,
    findings: &mut Findings,
) -> Option<String> {
    let name = reader.text(key, findings)?;
    let fits = name.len() <= longest
        && !name.starts_with(['-', '.'])
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if !fits {
        let value = Value::String(name.to_owned());
        findings.mismatch::<()>(
            key,
            &format!("up to {longest} letters, digits, hyphens and dots"),
            &value,
        );
    }
    fits.then_some(name)
}

/// A name of zoneinfo, which becomes a part of a path.
fn timezone(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<String> {
    let name = reader.text("timezone", findings)?;
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/');
    if !name.is_empty() && !name.starts_with('/') && name.bytes().all(is_part) {
        return Some(name);
    }
    findings.mismatch(
        "timezone",
        "a name such as Europe/Berlin",
        &Value::String(name),
    )
}

fn commands(reader: &mut Reader<'_>, key: &'static str, findings: &mut Findings) -> Vec<Command> {
    if let Some(value) = reader.value(key)
        && let Some(text) = scalar::text(value)
    {
        findings.single_value(&reader.path_of(key), value);
        return vec![Command::Shell(text)];
    }
    let base = reader.path_of(key);
    reader
        .items(key, findings)
        .into_iter()
        .enumerate()
        .filter_map(|(i, item)| command(item, &format!("{base}[{i}]"), findings))
        .collect()
}

/// A command; `None` for an empty entry, which cloud-init skips.
fn command(item: &Value, path: &str, findings: &mut Findings) -> Option<Command> {
    match item {
        Value::Null => None,
        Value::Sequence(words) if words.is_empty() => None,
        Value::Sequence(words) => {
            let argv: Option<Vec<String>> = words.iter().map(scalar::text).collect();
            argv.map(Command::Exec)
                .or_else(|| findings.mismatch(path, "a text or a list of texts", item))
        }
        Value::Mapping(_) => {
            let message = "expected a text or a list of texts, found keys with values: a colon with a blank behind it \
                           makes a key; put the whole command in quotes, or write it below `- |`";
            findings.error(path, message);
            None
        }
        _ => scalar::text(item)
            .filter(|text| !text.trim().is_empty())
            .map(Command::Shell),
    }
}

/// A document's configuration and its problems, as tests of single keys compare them.
#[cfg(test)]
pub(crate) fn read(text: &str) -> (Config, Vec<String>) {
    let (config, findings) = Config::read(&serde_yaml::from_str(text).unwrap());
    let messages = findings
        .iter()
        .map(|finding| format!("{}: {}", finding.key_path, finding.message));
    (config, messages.collect())
}

#[cfg(test)]
mod tests {
    use super::{Command, read};

    #[test]
    fn time_zones() {
        for (name, is_good) in [
            ("Europe/Berlin", true),
            ("Etc/GMT+2", true),
            ("../etc", false),
            ("a b", false),
            ("/x", false),
        ] {
            let (config, problems) = read(&format!("timezone: {name}"));
            assert_eq!(config.timezone.is_some(), is_good, "{name}: {problems:?}");
        }
    }

    #[test]
    fn empty_commands_are_skipped() {
        for key in ["runcmd", "bootcmd"] {
            let (config, problems) = read(&format!("{key}: [[], null, '', [touch, /a], 'echo x']"));
            let commands = [config.runcmd, config.bootcmd].concat();
            let touch = Command::Exec(vec!["touch".into(), "/a".into()]);
            assert_eq!(commands, [touch, Command::Shell("echo x".into())], "{key}");
            assert_eq!(problems, [""; 0], "{key}");
        }
    }

    #[test]
    fn a_colon_makes_a_key_of_a_command() {
        let (config, problems) = read("runcmd:\n- echo \"a: b\"\n- touch /b\n");
        assert_eq!(config.runcmd, [Command::Shell("touch /b".into())]);
        assert_eq!(
            problems,
            [
                "runcmd[0]: expected a text or a list of texts, found keys with values: a colon with a blank behind it \
                 makes a key; put the whole command in quotes, or write it below `- |`"
            ]
        );
    }
}
