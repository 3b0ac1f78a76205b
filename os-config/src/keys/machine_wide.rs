//! Settings of a standard cloud-config that concern the machine as a whole: whom it trusts, what time it
//! is, who may log in how. Keys as cloud-init's documentation of its modules names them.

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// `ca_certs`: authorities that the machine trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaCerts {
    /// Trust these alone, and none of those that Debian ships.
    pub remove_defaults: bool,
    /// Each a certificate in PEM.
    pub trusted: Vec<String>,
}

/// `ntp`: where the time comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ntp {
    pub enabled: bool,
    pub servers: Vec<String>,
    pub pools: Vec<String>,
}

/// A password of `chpasswd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    pub user: String,
    pub password: String,
    /// As crypt(5) hashes it.
    pub is_hashed: bool,
}

pub(crate) fn ca_certs(reader: &mut Reader<'_>, findings: &mut Findings) -> CaCerts {
    let key = if reader.value("ca-certs").is_some() {
        "ca-certs"
    } else {
        "ca_certs"
    };
    let mut section = reader.section(key, findings);
    // The older spelling has hyphens here as well.
    let old = section.boolean("remove-defaults", findings);
    let certs = CaCerts {
        remove_defaults: section
            .boolean("remove_defaults", findings)
            .or(old)
            .unwrap_or(false),
        trusted: section.list("trusted", findings),
    };
    let path = section.path_of("trusted");
    section.finish(findings);
    for (i, text) in certs.trusted.iter().enumerate() {
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            let cut = Value::String(text.chars().take(30).collect());
            findings.mismatch::<()>(&format!("{path}[{i}]"), "a certificate in PEM", &cut);
        }
    }
    certs
}

pub(crate) fn ntp(reader: &mut Reader<'_>, findings: &mut Findings) -> Ntp {
    let mut section = reader.section("ntp", findings);
    let ntp = Ntp {
        enabled: section.boolean("enabled", findings).unwrap_or(true),
        servers: names(&mut section, "servers", findings),
        pools: names(&mut section, "pools", findings),
    };
    for key in ["config", "ntp_client", "peers", "allow"] {
        if section.ignore(key) {
            findings.no_effect(section.path_of(key), "chronyd keeps the time here");
        }
    }
    section.finish(findings);
    ntp
}

/// Names of hosts: they go into a file of chronyd's, a line each.
fn names(reader: &mut Reader<'_>, key: &'static str, findings: &mut Findings) -> Vec<String> {
    let mut names = reader.list(key, findings);
    let path = reader.path_of(key);
    names.retain(|name| {
        let fits = !name.is_empty()
            && name.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_')
            });
        if !fits {
            findings.mismatch::<()>(
                &path,
                "names or addresses of hosts",
                &Value::String(name.clone()),
            );
        }
        fits
    });
    names
}

/// `chpasswd`, and `password` for the machine's own user.
pub(crate) fn passwords(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<Password> {
    let mut passwords = Vec::new();
    if let Some(password) = reader.text("password", findings) {
        passwords.push(Password {
            user: "rancher".to_owned(),
            is_hashed: is_hash(&password),
            password,
        });
    }
    let mut section = reader.section("chpasswd", findings);
    if section.boolean("expire", findings) == Some(true) {
        findings.no_effect("chpasswd.expire", "passwords do not expire here");
    }
    let lines = match section.value("list") {
        Some(Value::String(text)) => text.lines().map(str::to_owned).collect(),
        _ => section.list("list", findings),
    };
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        match line.split_once(':') {
            Some((user, password)) if !user.is_empty() => passwords.push(Password {
                user: user.trim().to_owned(),
                password: password.to_owned(),
                is_hashed: is_hash(password),
            }),
            _ => drop(findings.mismatch::<()>("chpasswd.list", "user:password", &Value::Null)),
        }
    }
    for (i, item) in section.items("users", findings).into_iter().enumerate() {
        passwords.extend(password_of(item, &format!("chpasswd.users[{i}]"), findings));
    }
    section.finish(findings);
    passwords
}

fn password_of(item: &Value, path: &str, findings: &mut Findings) -> Option<Password> {
    let mut reader = Reader::new(item, path, findings);
    let (user, password) = (
        reader.text("name", findings),
        reader.text("password", findings),
    );
    let kind = reader
        .text("type", findings)
        .unwrap_or_else(|| "hash".to_owned());
    reader.finish(findings);
    match (user, password, kind.as_str()) {
        (Some(user), Some(password), "hash" | "text") => Some(Password {
            user,
            password,
            is_hashed: kind == "hash",
        }),
        (_, _, "RANDOM") => {
            findings.no_effect(path, "passwords are not made up here");
            None
        }
        // The value itself is none of a message's business.
        _ => findings.mismatch(path, "name, password, and type hash or text", &Value::Null),
    }
}

/// `$6$salt$…`, as cloud-init recognises it in `list`.
fn is_hash(password: &str) -> bool {
    let kinds = ["$1$", "$2a$", "$2y$", "$5$", "$6$", "$y$"];
    kinds.iter().any(|kind| password.starts_with(kind))
}

/// `disable_root` and `ssh_pwauth`; whether root may log in by key.
pub(crate) fn root_by_key(reader: &mut Reader<'_>, findings: &mut Findings) -> bool {
    if let Some(value) = reader.value("ssh_pwauth")
        && let Some(text) = scalar::text(value)
        && text != "unchanged"
        && reader.boolean("ssh_pwauth", findings) == Some(true)
    {
        findings.no_effect("ssh_pwauth", "nobody logs in over ssh with a password here");
    }
    reader.boolean("disable_root", findings) == Some(false)
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    #[test]
    fn certificates() {
        for key in ["ca_certs", "ca-certs"] {
            let (config, problems) = read(&format!(
                "{key}: {{remove_defaults: true, trusted: ['-----BEGIN CERTIFICATE-----']}}"
            ));
            assert_eq!(problems, [""; 0]);
            assert!(config.ca_certs.remove_defaults);
            assert_eq!(config.ca_certs.trusted.len(), 1);
        }
        let (_, problems) = read("ca_certs: {trusted: [/etc/my.pem]}");
        assert_eq!(
            problems,
            ["ca_certs.trusted[0]: expected a certificate in PEM, found \"/etc/my.pem\""]
        );
    }

    #[test]
    fn time_servers() {
        let (config, problems) =
            read("ntp: {servers: [10.0.0.1, ntp.lan], pools: ['a b'], ntp_client: ntpd}");
        assert_eq!(config.ntp.servers, ["10.0.0.1", "ntp.lan"]);
        assert!(config.ntp.enabled && config.ntp.pools.is_empty());
        assert_eq!(
            problems,
            [
                "ntp.pools: expected names or addresses of hosts, found \"a b\"",
                "ntp.ntp_client: chronyd keeps the time here; it has no effect"
            ]
        );
    }

    #[test]
    fn passwords() {
        let (config, problems) = read(
            "password: moo\nchpasswd:\n  expire: false\n  list: |\n    a:b:c\n    d:$6$x$y\n  users:\n  \
             - {name: e, password: f, type: text}\n  - {name: g, type: RANDOM}\n  - {name: h}\n",
        );
        let short: Vec<String> = config
            .passwords
            .iter()
            .map(|p| format!("{} {} {}", p.user, p.password, p.is_hashed))
            .collect();
        assert_eq!(
            short,
            [
                "rancher moo false",
                "a b:c false",
                "d $6$x$y true",
                "e f false"
            ]
        );
        assert_eq!(
            problems,
            [
                "chpasswd.users[1]: passwords are not made up here; it has no effect",
                "chpasswd.users[2]: expected name, password, and type hash or text, found nothing"
            ]
        );
    }

    #[test]
    fn who_may_log_in() {
        for (text, root, problems) in [
            ("disable_root: true", false, 0),
            ("disable_root: false", true, 0),
            ("ssh_pwauth: false", false, 0),
            ("ssh_pwauth: unchanged", false, 0),
            ("ssh_pwauth: yes", false, 1),
        ] {
            let (config, found) = read(text);
            assert_eq!(config.root_by_key, root, "{text}");
            assert_eq!(found.len(), problems, "{text}: {found:?}");
        }
    }
}
