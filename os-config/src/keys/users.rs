//! `users` and `groups` of a standard cloud-config, and whether root can log in.
//!
//! Keys as in cloud-init's documentation of "Users and Groups", with hyphens or underscores.

use serde_yaml::Value;

use crate::keys::{passwords, ssh_keys};
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::path::item_path;
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

/// The named users, without `default`, which is the machine's own user and exists always: a list, names with commas
/// between, or settings by name.
pub(crate) fn users(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<User> {
    let mut users: Vec<User> = match reader.forms("users") {
        Some(Value::Mapping(entries)) if !entries.contains_key("name") => entries
            .iter()
            .filter_map(|(name, value)| named_user(&scalar::text(name)?, value, findings))
            .collect(),
        Some(value @ Value::Mapping(_)) => user(value, "users", findings).into_iter().collect(),
        Some(value) if scalar::text(value).is_some_and(|text| scalar::boolean(&text).is_some()) => {
            findings.mismatch::<()>("users", "a list of users", value);
            Vec::new()
        }
        Some(value) if scalar::text(value).is_some() => users_of_text(value, "users", findings),
        _ => {
            let items = reader.items("users", findings).into_iter().enumerate();
            items
                .flat_map(|(i, item)| {
                    let path = format!("users[{i}]");
                    match item {
                        // cloud-init takes a list inside of the list for names.
                        Value::Sequence(names) => names
                            .iter()
                            .flat_map(|name| users_of_text(name, &path, findings))
                            .collect(),
                        Value::Mapping(_) => user(item, &path, findings).into_iter().collect(),
                        _ => users_of_text(item, &path, findings),
                    }
                })
                .collect()
        }
    };
    users.retain(|user| user.name != "default");
    users
}

/// Users without settings, from their names with commas between.
fn users_of_text(value: &Value, path: &str, findings: &mut Findings) -> Vec<User> {
    let Some(names) = scalar::text(value) else {
        findings.mismatch::<()>(path, "the name of a user, or keys with values", value);
        return Vec::new();
    };
    let mut names = comma_separated(vec![names]);
    // A wrong name among several costs itself, and not the whole text.
    let is_single = names.len() == 1;
    let mut number = 0;
    names.retain(|name| {
        let path_of_name = item_path(path, number);
        number += 1;
        let path = if is_single {
            path
        } else {
            path_of_name.as_str()
        };
        name_fits(name, path, findings)
    });
    let user = |name| User {
        name,
        lock_password: true,
        ..User::default()
    };
    names.into_iter().map(user).collect()
}

/// An entry of users by name: settings, or `true` for a user without settings.
fn named_user(name: &str, value: &Value, findings: &mut Findings) -> Option<User> {
    let path = format!("users.{name}");
    match value {
        Value::Mapping(settings) => {
            let mut settings = settings.clone();
            settings.insert("name".into(), name.into());
            user(&Value::Mapping(settings), &path, findings)
        }
        _ => match scalar::text(value).and_then(|text| scalar::boolean(&text)) {
            Some(true) => users_of_text(&name.into(), &path, findings).pop(),
            Some(false) => None,
            None => findings.mismatch(&path, "keys with values, or true", value),
        },
    }
}

fn user(item: &Value, path: &str, findings: &mut Findings) -> Option<User> {
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
        groups: groups_of_user(&mut reader, findings),
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
        hashed_password: hash(&mut reader, findings),
        plain_password: either(
            &mut reader,
            ["plain_text_passwd", "plain-text-passwd"],
            Reader::text,
            findings,
        ),
        lock_password: either(
            &mut reader,
            ["lock_passwd", "lock-passwd"],
            Reader::boolean,
            findings,
        )
        .unwrap_or(true),
        name: name.unwrap_or_default(),
    };
    for key in NOT_DONE {
        if let Some(value) = reader.ignored(key)
            && scalar::text(value).and_then(|text| scalar::boolean(&text)) != Some(false)
        {
            let instead = match key {
                "ssh-import-id" | "ssh_import_id" => {
                    "give the keys themselves in `ssh_authorized_keys`"
                }
                _ => "",
            };
            findings.not_done(format!("{path}.{key}"), instead);
        }
    }
    // Groups are made where they are named.
    if reader.boolean("create_groups", findings) == Some(false) {
        findings.not_done(format!("{path}.create_groups"), "");
    }
    let is_snap_user = reader.ignored("snapuser").is_some();
    if is_snap_user {
        findings.not_done(format!("{path}.snapuser"), "");
    }
    reader.finish(findings);
    if is_snap_user && user.name.is_empty() {
        return None;
    }
    name_fits(&user.name, &format!("{path}.name"), findings).then_some(user)
}

/// Keys of cloud-init's users that PaddockOS does not do.
const NOT_DONE: [&str; 13] = [
    "doas",
    "expiredate",
    "inactive",
    "no-log-init",
    "no-user-group",
    "no_log_init",
    "no_user_group",
    "selinux-user",
    "selinux_user",
    "ssh-import-id",
    "ssh-redirect-user",
    "ssh_import_id",
    "ssh_redirect_user",
];

/// Groups beside the primary group: a list, names with commas between, or names as keys.
fn groups_of_user(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    match reader.forms("groups") {
        Some(Value::Mapping(entries)) => {
            comma_separated(entries.keys().filter_map(scalar::text).collect())
        }
        _ => comma_separated(reader.list("groups", findings)),
    }
}

/// A hash as of crypt(5), with a warning for another text.
fn hash(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<String> {
    let mut found = None;
    for key in ["hashed-passwd", "hashed_passwd", "passwd"] {
        let text = reader.text(key, findings);
        if text.as_ref().is_some_and(|text| !passwords::is_crypt(text)) {
            findings.warning(reader.path_of(key), NO_HASH);
        }
        found = text.or(found);
    }
    found
}

const NO_HASH: &str = "this is no hash as of crypt(5), such as $6$SALT$HASH, so that no password opens the user; \
                       `plain_text_passwd` takes a plain password";

/// A group and its members. Users whose `groups` name it are members too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub members: Vec<String>,
}

/// `groups`: names with commas between, names with their members, or a list of both.
pub(crate) fn groups(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<Group> {
    match reader.forms("groups") {
        Some(value) if !value.is_sequence() => groups_of(value, "groups", findings),
        _ => {
            let items = reader.items("groups", findings).into_iter().enumerate();
            items
                .flat_map(|(i, item)| groups_of(item, &format!("groups[{i}]"), findings))
                .collect()
        }
    }
}

fn groups_of(value: &Value, path: &str, findings: &mut Findings) -> Vec<Group> {
    let mut groups: Vec<Group> = match value {
        Value::Mapping(entries) => entries
            .iter()
            .filter_map(|(name, members)| {
                let name = scalar::text(name)?;
                let members = match members {
                    Value::Sequence(members) => members.iter().filter_map(scalar::text).collect(),
                    other => scalar::text(other).into_iter().collect(),
                };
                Some(Group {
                    name,
                    members: comma_separated(members),
                })
            })
            .collect(),
        _ => match scalar::text(value) {
            Some(names) => comma_separated(vec![names])
                .into_iter()
                .map(|name| Group {
                    name,
                    members: Vec::new(),
                })
                .collect(),
            None => findings
                .mismatch(
                    path,
                    "the name of a group, or a name with its members",
                    value,
                )
                .unwrap_or_default(),
        },
    };
    groups.retain(|group| name_fits(&group.name, path, findings));
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
    let mut keys = ssh_keys::authorized_keys(reader, "ssh_authorized_keys", findings);
    keys.extend(ssh_keys::authorized_keys(
        reader,
        "ssh-authorized-keys",
        findings,
    ));
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
        findings.mismatch::<()>(
            path,
            "a name of letters, digits, hyphens and underscores",
            &value,
        );
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
        let why =
            "nobody logs in over ssh with a password here, but with a key of `ssh_authorized_keys`";
        findings.no_effect("ssh_pwauth", why);
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
             sudo: ALL=(ALL) NOPASSWD:ALL\n  lock_passwd: false\n  passwd: $6$x$y\n  ssh-authorized-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5]\n- {name: sys, system: true, sudo: false, homedir: /srv}\n",
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
                ssh_authorized_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5".into()],
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
            read("users:\n- {nmae: x}\n- 'a b'\n- [[x]]\n- {name: ok, ssh_import_id: [gh:x]}\n");
        assert_eq!(users.len(), 1);
        assert_eq!(
            problems,
            [
                "users[0].nmae: unknown key, it has no effect; did you mean `name`?",
                "users[0].name: expected a name of letters, digits, hyphens and underscores, found \"\"",
                "users[1]: expected a name of letters, digits, hyphens and underscores, found \"a b\"",
                "users[2]: expected the name of a user, or keys with values, found a list of 1",
                "users[3].ssh_import_id: PaddockOS does not do this, it has no effect; give the keys themselves in `ssh_authorized_keys`",
            ]
        );
    }

    #[test]
    fn users_and_groups_in_every_form() {
        for (text, expected) in [
            ("users: 'alice, bob'", "alice bob"),
            ("users: alice", "alice"),
            ("users: {name: bob, gecos: Bob}", "bob"),
            (
                "users: {bob: {gecos: Bob}, eve: true, no: false}",
                "bob eve",
            ),
            ("users: [default, [alice, bob], 'c, d']", "alice bob c d"),
            ("users: [{name: a, groups: {docker: null}}]", "a:docker"),
            (
                "users: [{name: a, groups: 'docker, sudo', sudo: null}]",
                "a:docker+sudo",
            ),
            ("users: [{snapuser: a@example.com}]", ""),
            ("groups: 'docker, sudo'", "docker= sudo="),
            ("groups: {a: [b], c: 'd, e'}", "a=b c=d+e"),
            ("groups: ['a, b', {c: }]", "a= b= c="),
        ] {
            let (config, problems) = config::read(text);
            let users = config.users.iter().map(|user| match user.groups.join("+") {
                groups if groups.is_empty() => user.name.clone(),
                groups => format!("{}:{groups}", user.name),
            });
            let groups = config.groups.iter();
            let groups = groups.map(|group| format!("{}={}", group.name, group.members.join("+")));
            let found: Vec<String> = users.chain(groups).collect();
            assert_eq!(found.join(" "), expected, "{text}");
            let errors: Vec<&String> = problems
                .iter()
                .filter(|it| !it.contains("does not do"))
                .collect();
            assert_eq!(errors, [""; 0], "{text}");
        }
    }

    #[test]
    fn a_plain_password_is_no_hash() {
        let (users, problems) =
            read("users: [{name: a, passwd: moo}, {name: b, hashed_passwd: '!'}]");
        assert_eq!(users[0].hashed_password.as_deref(), Some("moo"));
        assert_eq!(users[1].hashed_password.as_deref(), Some("!"));
        assert_eq!(problems, [format!("users[0].passwd: {}", super::NO_HASH)]);
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
