//! `users` of a standard cloud-config: who can log in.
//!
//! Keys as cloud-init's documentation of "Users and Groups" names them, hyphens and underscores alike.

use serde_yaml::Value;

use crate::diagnostic::Severity;
use crate::reader::{Finding, Findings, Reader, scalar, wrong};

/// A user to be made, or to be given what is said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub name: String,
    /// The name in full.
    pub gecos: Option<String>,
    pub uid: Option<u32>,
    pub primary_group: Option<String>,
    /// Beside the primary one.
    pub groups: Vec<String>,
    pub home: Option<String>,
    pub no_create_home: bool,
    pub shell: Option<String>,
    pub system: bool,
    pub ssh_authorized_keys: Vec<String>,
    /// Rules of sudoers, without the user's name.
    pub sudo: Vec<String>,
    /// As crypt(5) hashes it.
    pub hashed_password: Option<String>,
    pub plain_password: Option<String>,
    /// Whether logging in with a password is impossible; cloud-init's default is yes.
    pub lock_password: bool,
}

/// The users that are named; `default` is the machine's own, which is there anyway.
pub(crate) fn users(r: &mut Reader<'_>, f: &mut Findings) -> Vec<User> {
    r.items("users", f)
        .into_iter()
        .enumerate()
        .filter_map(|(i, item)| user(item, &format!("users[{i}]"), f))
        .filter(|user| user.name != "default")
        .collect()
}

fn user(item: &Value, path: &str, f: &mut Findings) -> Option<User> {
    if let Some(name) = scalar(item) {
        return name_fits(&name, path, f).then(|| User {
            name,
            lock_password: true,
            ..User::default()
        });
    }
    let mut r = Reader::new(item, path, f);
    r.one_is_a_list = true;
    let name = r.text("name", f);
    let user = User {
        gecos: r.text("gecos", f),
        uid: r.number("uid", f),
        primary_group: either(&mut r, ["primary_group", "primary-group"], Reader::text, f),
        groups: comma_separated(r.list("groups", f)),
        home: r.text("homedir", f),
        no_create_home: either(
            &mut r,
            ["no_create_home", "no-create-home"],
            Reader::boolean,
            f,
        )
        .unwrap_or(false),
        shell: r.text("shell", f),
        system: r.boolean("system", f).unwrap_or(false),
        ssh_authorized_keys: keys(&mut r, f),
        sudo: sudo(&mut r, f),
        hashed_password: either(&mut r, ["passwd", "hashed_passwd"], Reader::text, f),
        plain_password: r.text("plain_text_passwd", f),
        lock_password: either(&mut r, ["lock_passwd", "lock-passwd"], Reader::boolean, f)
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
        if r.ignored(key) {
            f.push(Finding {
                path: format!("{path}.{key}"),
                message: "PaddockOS does not do this; it has no effect".to_owned(),
                severity: Severity::Warning,
            });
        }
    }
    r.finish(f);
    name_fits(&user.name, &format!("{path}.name"), f).then_some(user)
}

/// A group with members beside those whose own `groups` name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub members: Vec<String>,
}

/// `groups`: names, or a name with its members.
pub(crate) fn groups(r: &mut Reader<'_>, f: &mut Findings) -> Vec<Group> {
    let mut groups = Vec::new();
    for (i, item) in r.items("groups", f).into_iter().enumerate() {
        let path = format!("groups[{i}]");
        match item {
            Value::Mapping(entries) => {
                for (name, members) in entries {
                    let members = match members {
                        Value::Sequence(members) => members.iter().filter_map(scalar).collect(),
                        other => comma_separated(scalar(other).into_iter().collect()),
                    };
                    groups.extend(scalar(name).map(|name| Group { name, members }));
                }
            }
            _ => groups.extend(scalar(item).map(|name| Group {
                name,
                members: Vec::new(),
            })),
        }
        groups.retain(|group| name_fits(&group.name, &path, f));
    }
    groups
}

/// The first of two spellings that has a value.
fn either<'v, T>(
    r: &mut Reader<'v>,
    keys: [&'static str; 2],
    read: fn(&mut Reader<'v>, &'static str, &mut Findings) -> Option<T>,
    f: &mut Findings,
) -> Option<T> {
    let [first, second] = keys.map(|key| read(r, key, f));
    first.or(second)
}

fn keys(r: &mut Reader<'_>, f: &mut Findings) -> Vec<String> {
    let mut keys = r.list("ssh_authorized_keys", f);
    keys.extend(r.list("ssh-authorized-keys", f));
    keys
}

/// `false` and null ask for none.
fn sudo(r: &mut Reader<'_>, f: &mut Findings) -> Vec<String> {
    match r.raw("sudo") {
        Some(Value::Bool(false)) => Vec::new(),
        _ => {
            let mut rules = r.list("sudo", f);
            rules.retain(|rule| !rule.eq_ignore_ascii_case("false"));
            rules
        }
    }
}

/// Groups may stand in one text with commas between.
fn comma_separated(list: Vec<String>) -> Vec<String> {
    list.iter()
        .flat_map(|text| text.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// What useradd(8) of Debian takes: 32 letters, digits, `_` and `-`, no digit or hyphen first.
fn name_fits(name: &str, path: &str, f: &mut Findings) -> bool {
    const LONGEST: usize = 32;
    let fits = name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !fits {
        let value = Value::String(name.to_owned());
        wrong::<()>(f, path, "the name of a user", &value);
    }
    fits
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
    fn what_is_wrong_is_said() {
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
}
