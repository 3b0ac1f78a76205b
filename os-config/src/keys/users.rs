//! `users` and `groups` of a standard cloud-config, and whether root can log in.
//!
//! Keys as in cloud-init's documentation of "Users and Groups", with hyphens or underscores.

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// A user that the console makes, or changes if it exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub name: String,
    /// The full name.
    pub gecos: Option<String>,
    pub uid: Option<u32>,
    pub primary_group: Option<String>,
    /// Groups beside the primary group.
    pub groups: Vec<String>,
    pub home: Option<String>,
    pub no_create_home: bool,
    pub shell: Option<String>,
    pub system: bool,
    pub ssh_authorized_keys: Vec<String>,
    /// Rules of sudoers, without the user's name.
    pub sudo: Vec<String>,
    /// A hash as of crypt(5).
    pub hashed_password: Option<String>,
    pub plain_password: Option<String>,
    /// Whether logging in with a password is impossible; cloud-init's default is yes.
    pub lock_password: bool,
}

/// The named users, without `default`, which is the machine's own user and exists always.
pub(crate) fn users(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<User> {
    reader
        .items("users", findings)
        .into_iter()
        .enumerate()
        .filter_map(|(i, item)| user(item, &format!("users[{i}]"), findings))
        .filter(|user| user.name != "default")
        .collect()
}

fn user(item: &Value, path: &str, findings: &mut Findings) -> Option<User> {
    if let Some(name) = scalar::text(item) {
        return name_fits(&name, path, findings).then(|| User {
            name,
            lock_password: true,
            ..User::default()
        });
    }
    let mut reader = Reader::new(item, path, findings);
    reader.allows_single_values = true;
    let name = reader.text("name", findings);
    let user = User {
        gecos: reader.text("gecos", findings),
        uid: reader.number("uid", findings),
        primary_group: either(
            &mut reader,
            ["primary_group", "primary-group"],
            Reader::text,
            findings,
        ),
        groups: comma_separated(reader.list("groups", findings)),
        home: reader.text("homedir", findings),
        no_create_home: either(
            &mut reader,
            ["no_create_home", "no-create-home"],
            Reader::boolean,
            findings,
        )
        .unwrap_or(false),
        shell: reader.text("shell", findings),
        system: reader.boolean("system", findings).unwrap_or(false),
        ssh_authorized_keys: keys(&mut reader, findings),
        sudo: sudo(&mut reader, findings),
        hashed_password: either(
            &mut reader,
            ["passwd", "hashed_passwd"],
            Reader::text,
            findings,
        ),
        plain_password: reader.text("plain_text_passwd", findings),
        lock_password: either(
            &mut reader,
            ["lock_passwd", "lock-passwd"],
            Reader::boolean,
            findings,
        )
        .unwrap_or(true),
        name: name.unwrap_or_default(),
    };
    for key in [
        "expiredate",
        "inactive",
        "selinux_user",
        "snapuser",
        "ssh_import_id",
        "ssh_redirect_user",
        "no_user_group",
        "no_log_init",
    ] {
        if reader.accept_without_effect(key) {
            findings.no_effect(format!("{path}.{key}"), "PaddockOS does not do this");
        }
    }
    reader.finish(findings);
    name_fits(&user.name, &format!("{path}.name"), findings).then_some(user)
}

/// A group and its members. Users whose `groups` name it are members too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub members: Vec<String>,
}

/// `groups`: names, or names with members.
pub(crate) fn groups(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<Group> {
    let mut groups = Vec::new();
    for (i, item) in reader.items("groups", findings).into_iter().enumerate() {
        let path = format!("groups[{i}]");
        match item {
            Value::Mapping(entries) => {
                for (name, members) in entries {
                    let members = match members {
                        Value::Sequence(members) => {
                            members.iter().filter_map(scalar::text).collect()
                        }
                        other => comma_separated(scalar::text(other).into_iter().collect()),
                    };
                    groups.extend(scalar::text(name).map(|name| Group { name, members }));
                }
            }
            _ => groups.extend(scalar::text(item).map(|name| Group {
                name,
                members: Vec::new(),
            })),
        }
        groups.retain(|group| name_fits(&group.name, &path, findings));
    }
    groups
}

/// The value of the first key, or else the value of the second key, which is another spelling.
fn either<'v, T>(
    reader: &mut Reader<'v>,
    keys: [&'static str; 2],
    read: fn(&mut Reader<'v>, &'static str, &mut Findings) -> Option<T>,
    findings: &mut Findings,
) -> Option<T> {
    let [first, second] = keys.map(|key| read(reader, key, findings));
    first.or(second)
}

fn keys(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let mut keys = reader.list("ssh_authorized_keys", findings);
    keys.extend(reader.list("ssh-authorized-keys", findings));
    keys
}

/// Rules of sudoers; `false` and null mean no rule.
fn sudo(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    match reader.value("sudo") {
        Some(Value::Bool(false)) => Vec::new(),
        _ => {
            let mut rules = reader.list("sudo", findings);
            rules.retain(|rule| !rule.eq_ignore_ascii_case("false"));
            rules
        }
    }
}

/// Splits texts at commas.
fn comma_separated(list: Vec<String>) -> Vec<String> {
    list.iter()
        .flat_map(|text| text.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Debian's useradd(8) accepts 32 letters, digits, `_` and `-`; the first is no digit and no hyphen.
fn name_fits(name: &str, path: &str, findings: &mut Findings) -> bool {
    const LONGEST: usize = 32;
    let fits = name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !fits {
        let value = Value::String(name.to_owned());
        findings.mismatch::<()>(path, "the name of a user", &value);
    }
    fits
}

/// Reads `disable_root` and `ssh_pwauth`: whether root may log in over ssh with a key.
pub(crate) fn root_login(reader: &mut Reader<'_>, findings: &mut Findings) -> bool {
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
    use super::User;
    use crate::config::{self, Config};

    fn read(text: &str) -> (Vec<User>, Vec<String>) {
        let (config, problems) = config::read(text);
        (config.users, problems)
    }

    #[test]
    fn users_of_the_documentation() {
        let (users, problems) = read(
            "users:\n- default\n- joe\n- name: moo\n  gecos: Moo Cow\n  groups: docker, sudo\n  shell: /bin/bash\n  uid: '1200'\n  \
             sudo: ALL=(ALL) NOPASSWD:ALL\n  lock_passwd: false\n  passwd: $6$x$y\n  ssh-authorized-keys: [ssh-ed25519 A]\n- {name: sys, system: true, sudo: false, homedir: /srv}\n",
        );
        assert_eq!(problems, [""; 0]);
        let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["joe", "moo", "sys"]);
        assert!(users[0].lock_password && users[2].lock_password);
        assert_eq!(
            users[1],
            User {
                name: "moo".into(),
                gecos: Some("Moo Cow".into()),
                uid: Some(1200),
                groups: vec!["docker".into(), "sudo".into()],
                shell: Some("/bin/bash".into()),
                ssh_authorized_keys: vec!["ssh-ed25519 A".into()],
                sudo: vec!["ALL=(ALL) NOPASSWD:ALL".into()],
                hashed_password: Some("$6$x$y".into()),
                ..User::default()
            }
        );
        let (config, findings) = Config::read(
            &serde_yaml::from_str("groups: [docker, cloud: [joe, moo], a: x]\nfqdn: box.lan")
                .unwrap(),
        );
        assert_eq!(findings, []);
        let groups: Vec<String> = config
            .groups
            .iter()
            .map(|group| format!("{}={}", group.name, group.members.join("+")))
            .collect();
        assert_eq!(groups, ["docker=", "cloud=joe+moo", "a=x"]);
        assert_eq!(config.hostname.as_deref(), Some("box"));
        assert_eq!(
            (users[2].sudo.len(), users[2].home.as_deref()),
            (0, Some("/srv"))
        );
    }

    #[test]
    fn wrong_users_are_reported() {
        let (users, problems) =
            read("users:\n- {nmae: x}\n- 'a b'\n- [x]\n- {name: ok, ssh_import_id: [gh:x]}\n");
        assert_eq!(users.len(), 1);
        assert_eq!(
            problems,
            [
                "users[0].nmae: unknown key, it has no effect; did you mean `name`?",
                "users[0].name: expected the name of a user, found \"\"",
                "users[1]: expected the name of a user, found \"a b\"",
                "users[2]: expected keys with values, found a list of 1",
                "users[2].name: expected the name of a user, found \"\"",
                "users[3].ssh_import_id: PaddockOS does not do this; it has no effect",
            ]
        );
    }

    #[test]
    fn root_logs_in_by_key_alone() {
        for (text, root, problems) in [
            ("disable_root: true", false, 0),
            ("disable_root: false", true, 0),
            ("ssh_pwauth: false", false, 0),
            ("ssh_pwauth: unchanged", false, 0),
            ("ssh_pwauth: yes", false, 1),
        ] {
            let (config, found) = config::read(text);
            assert_eq!(config.root_by_key, root, "{text}");
            assert_eq!(found.len(), problems, "{text}: {found:?}");
        }
    }
}
