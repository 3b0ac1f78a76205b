//! `rancher.registry_auths`: logins for the registries of images.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::path::key_path;

/// A login at a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
}

/// Registry → login: a name and a password, or both in `auth` as in Docker's own file.
pub(crate) fn logins(reader: &mut Reader<'_>, findings: &mut Findings) -> BTreeMap<String, Login> {
    let base = reader.path_of("registry_auths");
    let entries = reader.entries("registry_auths", findings).into_iter();
    entries
        .filter_map(|(registry, value)| {
            let path = format!("{base}.{registry}");
            Some((host(&registry).to_owned(), login(value, &path, findings)?))
        })
        .collect()
}

fn login(value: &Value, path: &str, findings: &mut Findings) -> Option<Login> {
    let mut reader = Reader::new(value, path, findings);
    let (username, password) = (
        reader.text("username", findings),
        reader.text("password", findings),
    );
    let auth = reader.text("auth", findings);
    // Registries have no use for it: a name and a password log in.
    reader.met("email");
    reader.finish(findings);
    let of_auth = auth.as_deref().and_then(decode_auth);
    if let (Some(username), Some(password)) = (username, password) {
        let login = Login { username, password };
        if auth.is_some() && of_auth.as_ref() != Some(&login) {
            let message = "it says another login than username and password, which count; leave one of them out";
            findings.warning(key_path(path, "auth"), message);
        }
        return Some(login);
    }
    // A message must not show the value.
    let expected = "username and password, or auth with both in base64";
    of_auth.or_else(|| findings.mismatch(path, expected, &Value::Null))
}

fn decode_auth(auth: &str) -> Option<Login> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(auth.trim())
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Login {
        username: username.to_owned(),
        password: password.to_owned(),
    })
}

/// The host of a registry. `https://index.docker.io/v1/` stands for Docker's own, whose images name no host.
fn host(registry: &str) -> &str {
    let bare = registry
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or(bare);
    if matches!(host, "index.docker.io" | "registry-1.docker.io") {
        HUB
    } else {
        host
    }
}

const HUB: &str = "docker.io";

/// The registry that an image comes from.
pub fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

#[cfg(test)]
mod tests {
    use super::registry_of;
    use crate::config::Config;

    #[test]
    fn logins_by_registry() {
        let text = "rancher:\n  registry_auths:\n    https://index.docker.io/v1/: {auth: dXNlcjpwYXNzOndvcmQ=}\n    \
            10.0.2.2:5000: {username: cow, password: moo, email: x}\n    bad.lan: {username: cow}\n";
        let (config, findings) = Config::read(&serde_yaml::from_str(text).unwrap());
        let short: Vec<String> = config
            .rancher
            .registry_auths
            .iter()
            .map(|(registry, login)| format!("{registry} {} {}", login.username, login.password))
            .collect();
        assert_eq!(short, ["10.0.2.2:5000 cow moo", "docker.io user pass:word"]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .message
                .starts_with("expected username and password")
        );
    }

    #[test]
    fn of_two_logins_the_plain_one_counts() {
        for (auth, is_said) in [("dXNlcjpwYXNzOndvcmQ=", true), ("Y293Om1vbw==", false)] {
            let text = format!(
                "rancher: {{registry_auths: {{a.lan: {{username: cow, password: moo, auth: {auth}}}}}}}"
            );
            let (config, problems) = crate::config::read(&text);
            assert_eq!(config.rancher.registry_auths["a.lan"].username, "cow");
            let found = problems
                .iter()
                .any(|problem| problem.starts_with("rancher.registry_auths.a.lan.auth: "));
            assert_eq!(found, is_said, "{problems:?}");
        }
    }

    #[test]
    fn registries_of_images() {
        for (image, expected) in [
            ("nginx", "docker.io"),
            ("rancher/agent:v1", "docker.io"),
            ("10.0.2.2:5000/a", "10.0.2.2:5000"),
            ("ghcr.io/a/b@sha256:0", "ghcr.io"),
            ("localhost/a", "localhost"),
        ] {
            assert_eq!(registry_of(image), expected, "{image}");
        }
    }
}
