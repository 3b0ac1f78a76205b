//! Which keys and variables hold secrets, told by their names. Consoles, logs, exports and reports show no such value.

/// Parts of names of secrets.
const SECRET_WORDS: [&str; 7] = [
    "pass",
    "token",
    "secret",
    "key",
    "credential",
    "auth",
    "psk",
];
/// Names with such a part, whose values anybody may read.
const PUBLIC_NAMES: [&str; 5] = [
    "authorized_keys",
    "authorized-keys",
    "ssh_pwauth",
    "lock_passwd",
    "lock-passwd",
];

/// Whether a key or variable of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !PUBLIC_NAMES.iter().any(|public| name.ends_with(public))
        && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether the value at a path of the configuration may be a secret: a part of the path has the name of a secret, or the
/// value is the user's own text.
pub(crate) fn is_secret_path(path: &str) -> bool {
    const OWN_TEXTS: [&str; 3] = ["content", "runcmd", "bootcmd"];
    path.split(['.', '['])
        .any(|part| is_secret_name(part) || OWN_TEXTS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::{is_secret_name, is_secret_path};

    #[test]
    fn names_of_secrets() {
        for (name, expected) in [
            ("password", true),
            ("plain_text_passwd", true),
            ("DB_PASSWORD", true),
            ("API_KEY", true),
            ("registry_auths", true),
            ("ssh_authorized_keys", false),
            ("ssh-authorized-keys", false),
            ("ssh_pwauth", false),
            ("hostname", false),
        ] {
            assert_eq!(is_secret_name(name), expected, "{name}");
        }
    }

    #[test]
    fn paths_of_secrets() {
        for (path, expected) in [
            ("users[0].plain_text_passwd", true),
            ("rancher.environment.DB_PASSWORD", true),
            ("write_files[0].content", true),
            ("runcmd[2]", true),
            ("rancher.network.wifi_networks.home.psk", true),
            ("rancher.network.interfaces.eth0.dhcp", false),
            ("ssh_authorized_keys", false),
        ] {
            assert_eq!(is_secret_path(path), expected, "{path}");
        }
    }
}
