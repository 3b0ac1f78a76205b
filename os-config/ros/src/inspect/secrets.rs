//! The secrets of a configuration, and texts without them.

use os_config::{Config, is_secret_name};

const PLACEHOLDER: &str = "[removed]";
/// Shorter texts are kept: they occur in harmless words too.
const SHORTEST_SECRET: usize = 3;

/// The passwords, tokens and private keys of a configuration, the longest first.
pub(super) fn secrets(config: &Config) -> Vec<String> {
    let rancher = &config.rancher;
    let logins = rancher.registry_auths.values().map(|login| &login.password);
    let passwords = config.passwords.iter().map(|given| &given.password);
    let users = config
        .users
        .iter()
        .flat_map(|user| user.plain_password.iter().chain(&user.hashed_password));
    let agent = rancher.agent.iter();
    let agent = agent.flat_map(|agent| agent.token.iter().chain([&agent.url]));
    let keys = rancher
        .docker
        .ca_key
        .iter()
        .chain(&rancher.docker.server_key);
    let all = rancher
        .password
        .iter()
        .chain(logins)
        .chain(passwords)
        .chain(users)
        .chain(agent)
        .chain(keys)
        .chain(rancher.ssh.keys.values())
        .cloned()
        .chain(secrets_of_services(config));
    let mut secrets: Vec<String> = all
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
        .collect();
    // A shorter secret may be part of a longer secret.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// Values of variables with the name of a secret, and tokens on the command lines of services.
fn secrets_of_services(config: &Config) -> Vec<String> {
    let rancher = &config.rancher;
    let variables = rancher
        .environment
        .iter()
        .chain(&rancher.docker.environment)
        .chain(&rancher.system_docker.environment)
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let services = rancher.services.values();
    let of_services = services
        .clone()
        .flat_map(|service| &service.environment)
        .filter_map(|variable| variable.split_once('='));
    let secret = variables
        .chain(of_services)
        .filter(|(name, _)| is_secret_name(name));
    let mut found: Vec<String> = secret.map(|(_, value)| value.to_owned()).collect();
    for service in services {
        let words = &service.command;
        // The agent of Rancher 2 has an option; the agent of Rancher 1 has an address with a token in it.
        let pairs = words.iter().zip(words.iter().skip(1));
        let tokens = pairs.filter(|(option, _)| matches!(option.as_str(), "--token" | "-t"));
        found.extend(tokens.map(|(_, token)| token.clone()));
        found.extend(
            words
                .iter()
                .filter(|word| word.contains("/scripts/"))
                .cloned(),
        );
    }
    found
}

/// A text without these secrets, and without the logins in addresses.
pub(super) fn redact(text: &str, secrets: &[String]) -> String {
    let text = secrets.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.as_str(), PLACEHOLDER)
    });
    redact_logins(&text)
}

/// A text without the names and passwords in addresses: `http://name:password@host`.
fn redact_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("://");
        let host = part.find(|c: char| c == '/' || c == '"' || c == '\'' || c.is_whitespace());
        let (host, rest) = part.split_at(host.unwrap_or(part.len()));
        match host.rsplit_once('@') {
            Some((_, host)) => out.extend([PLACEHOLDER, "@", host]),
            None => out.push_str(host),
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{redact, redact_logins, secrets};
    use os_config::load::document;

    #[test]
    fn logins_are_removed_from_addresses() {
        for (text, expected) in [
            (
                "http_proxy: 'http://u:p@h:3128'",
                "http_proxy: 'http://[removed]@h:3128'",
            ),
            (
                "a https://u:p@x@h/y b@c http://h/u@v",
                "a https://[removed]@h/y b@c http://h/u@v",
            ),
            ("none://", "none://"),
        ] {
            assert_eq!(redact_logins(text), expected);
        }
    }

    #[test]
    fn secrets_are_removed_wherever_they_stand() {
        let text = "chpasswd: {users: [{name: a, password: hunter2, type: text}]}\nusers: [{name: b, plain_text_passwd: hunter22}]\n\
            rancher:\n  registry_auths: {r.lan: {username: c, password: swordfish}}\n  agent: {url: 'http://s/v1/scripts/T0KEN'}\n  password: x\n  environment: {DB_PASSWORD: cowcow, COLOUR: brown}\n\
            \x20 services: {a: {image: i, command: [--server, s, --token, t0ken], environment: {API_KEY: k3yk3y}}}\n";
        let config = document(text.as_bytes()).unwrap();
        let secrets = secrets(&config);
        let found = redact(
            "hunter22 hunter2 swordfish at http://s/v1/scripts/T0KEN, x brown cowcow k3yk3y t0ken",
            &secrets,
        );
        assert_eq!(
            found,
            "[removed] [removed] [removed] at [removed], x brown [removed] [removed] [removed]"
        );
    }
}
