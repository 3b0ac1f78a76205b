//! `chpasswd` and `password`: passwords of users. Keys as in cloud-init's documentation of "Set Passwords".

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;

/// A user's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    pub user: String,
    pub password: String,
    /// Whether `password` is a hash as of crypt(5).
    pub is_hashed: bool,
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
    for (i, line) in lines.iter().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match line.split_once(':') {
            Some((_, "R" | "RANDOM")) => findings.not_done("chpasswd.list", RANDOM),
            Some((user, password)) if !user.is_empty() => passwords.push(Password {
                user: user.trim().to_owned(),
                password: password.to_owned(),
                is_hashed: is_hash(password),
            }),
            // A message must not show the value.
            _ => findings.error(
                "chpasswd.list",
                format!("entry {}: expected user:password", i + 1),
            ),
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
    if kind == "hash" && password.as_ref().is_some_and(|text| !is_crypt(text)) {
        let message = "this is no hash as of crypt(5), such as $6$SALT$HASH, so that no password opens the user; \
                       `type: text` takes a plain password";
        findings.warning(format!("{path}.password"), message);
    }
    match (user, password, kind.as_str()) {
        (Some(user), Some(password), "hash" | "text") => Some(Password {
            user,
            password,
            is_hashed: kind == "hash",
        }),
        (_, _, "RANDOM") => {
            findings.not_done(path, RANDOM);
            None
        }
        // A message must not show the value.
        _ => findings.mismatch(path, "name, password, and type hash or text", &Value::Null),
    }
}

const RANDOM: &str = "nobody would know a random password: give one, or its hash";

/// Whether a text is a hash as of crypt(5), or one of the texts that lock a password.
pub(crate) fn is_crypt(text: &str) -> bool {
    const DES_LENGTH: usize = 13;
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    text.starts_with(['!', '*'])
        || text.starts_with('$') && text.matches('$').count() >= 3
        || text.len() == DES_LENGTH && text.bytes().all(is_digit)
}

/// Whether cloud-init takes a password of `list` as a hash: `$6$salt$…`.
fn is_hash(password: &str) -> bool {
    let kinds = [
        "$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$gy$", "$y$",
    ];
    kinds.iter().any(|kind| password.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use crate::config::read;

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
                "chpasswd.users[1]: PaddockOS does not do this, it has no effect; nobody would know a random password: give one, or its hash",
                "chpasswd.users[2]: expected name, password, and type hash or text, found nothing"
            ]
        );
        let (config, problems) =
            read("chpasswd: {list: ['a:R', 'b', 'c:RANDOM'], users: [{name: d, password: moo}]}");
        assert_eq!(config.passwords.len(), 1);
        assert_eq!(
            problems,
            [
                "chpasswd.list: PaddockOS does not do this, it has no effect; nobody would know a random password: give one, or its hash",
                "chpasswd.list: entry 2: expected user:password",
                "chpasswd.list: PaddockOS does not do this, it has no effect; nobody would know a random password: give one, or its hash",
                "chpasswd.users[0].password: this is no hash as of crypt(5), such as $6$SALT$HASH, so that no password \
                 opens the user; `type: text` takes a plain password"
            ]
        );
    }
}
