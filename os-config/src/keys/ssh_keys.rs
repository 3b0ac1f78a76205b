//! Keys of ssh, checked as sshd reads them: public keys that may log in, and the machine's own keys.

use base64::Engine as _;

use crate::diagnostic::quoted;
use crate::reader::Reader;
use crate::reader::findings::Findings;

/// The types of public keys that the sshd of Debian takes.
const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];
/// A certificate's type is the type of its key with these ends.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// The lines of a key that sshd is to take. Several keys may stand in one text, a line each. A private key is left out;
/// a line that sshd does not take gives a warning.
pub(crate) fn authorized_keys(
    reader: &mut Reader<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Vec<String> {
    let mut texts = reader.list(key, findings);
    let path = reader.path_of(key);
    let mut number = 0;
    texts.retain(|text| {
        let path = format!("{path}[{number}]");
        number += 1;
        if is_private_key(text) {
            findings.error(path, PRIVATE_KEY);
            return false;
        }
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(reason) = refusal(line) {
                findings.warning(
                    path.as_str(),
                    format!("sshd does not take this key: {reason}"),
                );
            }
        }
        true
    });
    texts
}

const PRIVATE_KEY: &str = "this is a private key, which stays on your own machine; expected the public key, one line of \
                           the file that ends with .pub";

/// Whether a text is or holds a private key in PEM.
pub(crate) fn is_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----") || text.trim_start().starts_with("PuTTY-User-Key-File")
}

/// Why sshd does not take a line of `authorized_keys`: options, type, key in base64, comment.
fn refusal(line: &str) -> Option<String> {
    let words = words(line);
    let kind = |word: &str| {
        let bare = word.strip_suffix(CERTIFICATE).unwrap_or(word);
        let bare = bare.strip_suffix("@openssh.com").unwrap_or(bare);
        TYPES
            .iter()
            .any(|known| known.strip_suffix("@openssh.com").unwrap_or(known) == bare)
    };
    let first = words.first()?;
    if first.starts_with("ssh-dss") {
        return Some("keys of the type ssh-dss are out of use".to_owned());
    }
    if ["gh:", "lp:", "github:", "gitlab:"]
        .iter()
        .any(|site| first.starts_with(site))
    {
        return Some(format!(
            "{} names keys of another site; give the keys themselves",
            quoted(first)
        ));
    }
    if line.starts_with("---- BEGIN SSH2") || line.starts_with("-----BEGIN") {
        return Some(
            "it is in another format; `ssh-keygen -i -f FILE` writes it as one line".to_owned(),
        );
    }
    let at = words.iter().take(2).position(|word| kind(word));
    let Some((kind, rest)) = at.and_then(|at| words.get(at..)?.split_first()) else {
        let shown: String = first.chars().take(30).collect();
        return Some(format!(
            "expected a type such as ssh-ed25519 or ssh-rsa first, found {}",
            quoted(&shown)
        ));
    };
    let Some(packed) = rest.first() else {
        return Some(format!("there is nothing behind {kind}"));
    };
    if blob_type(packed).as_deref() == Some(kind) {
        return None;
    }
    Some(format!(
        "what follows {kind} is no such key; it may be cut short or broken over lines"
    ))
}

/// Splits at blanks outside of quotes: options may have quotes with blanks.
fn words(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    line.split(move |c: char| {
        is_quoted ^= c == '"';
        !is_quoted && c.is_ascii_whitespace()
    })
    .filter(|word| !word.is_empty())
    .collect()
}

/// The type inside a key: a length of four bytes, then the name.
fn blob_type(packed: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed)
        .or_else(|_| base64::engine::general_purpose::STANDARD_NO_PAD.decode(packed))
        .ok()?;
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    // Behind the name comes the key itself.
    let name = rest.get(..length).filter(|_| rest.len() > length)?;
    String::from_utf8(name.to_vec()).ok()
}

/// Reports names of `rancher.ssh.keys` that sshd has no file for, and private keys in the place of public keys.
pub(crate) fn check_host_keys(
    path: &str,
    keys: &std::collections::BTreeMap<String, String>,
    findings: &mut Findings,
) {
    for (name, text) in keys {
        let kind = name.strip_suffix("-pub").unwrap_or(name);
        // An item of a list without a value may be the key itself.
        let path = match text.is_empty() || name.contains(char::is_whitespace) {
            true => path.to_owned(),
            false => format!("{path}.{name}"),
        };
        if !matches!(kind, "rsa" | "dsa" | "ecdsa" | "ed25519") {
            let hint = match name.rsplit_once('_') {
                Some((kind, "private")) => format!("; cloud-init's {name} is {kind} here"),
                Some((kind, "public")) => format!("; cloud-init's {name} is {kind}-pub here"),
                _ => String::new(),
            };
            findings.error(
                path,
                format!("expected rsa, ecdsa or ed25519, with or without -pub{hint}"),
            );
        } else if name.ends_with("-pub") && is_private_key(text) {
            findings.error(
                path,
                format!("this is a private key, which belongs to {kind}"),
            );
        } else if !name.ends_with("-pub") && !is_private_key(text) {
            let message =
                "sshd takes no such key: expected a private key in PEM, with all its lines";
            findings.warning(path, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    const GOOD: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5";
    const PEM: &str =
        "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXk\\n-----END OPENSSH PRIVATE KEY-----";

    #[test]
    fn keys_that_sshd_takes() {
        let document = format!(
            "ssh_authorized_keys:\n- {GOOD} me@laptop\n- |\n  {GOOD}\n  # a comment\n\n  {GOOD} second\n\
             - 'command=\"echo a b\",no-pty {GOOD}'\n- 'restrict {GOOD}'\n"
        );
        let (config, problems) = read(&document);
        assert_eq!(problems, [""; 0]);
        assert_eq!(config.ssh_authorized_keys.len(), 4);
    }

    #[test]
    fn keys_that_sshd_does_not_take() {
        for (key, expected) in [
            (
                "ssh-dss AAAAB3NzaC1kc3M=",
                "keys of the type ssh-dss are out of use",
            ),
            (
                "ssh-rsa ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB",
                "what follows ssh-rsa is no such key; it may be cut short or broken over lines",
            ),
            (
                "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGk0",
                "what follows ssh-rsa is no such key; it may be cut short or broken over lines",
            ),
            ("ssh-rsa", "there is nothing behind ssh-rsa"),
            (
                "github:me",
                "\"github:me\" names keys of another site; give the keys themselves",
            ),
            (
                "gh:me",
                "\"gh:me\" names keys of another site; give the keys themselves",
            ),
            (
                "AAAAC3NzaC1lZDI1NTE5AAAAIGk0cGFkZG9ja29zZG9j",
                "expected a type such as ssh-ed25519 or ssh-rsa first, found \"AAAAC3NzaC1lZDI1NTE5AAAAIGk0cG\"",
            ),
            (
                "---- BEGIN SSH2 PUBLIC KEY ----",
                "it is in another format; `ssh-keygen -i -f FILE` writes it as one line",
            ),
        ] {
            let (config, problems) = read(&format!("ssh_authorized_keys: ['{key}']"));
            assert_eq!(config.ssh_authorized_keys, [key]);
            assert_eq!(
                problems,
                [format!(
                    "ssh_authorized_keys[0]: sshd does not take this key: {expected}"
                )],
                "{key}"
            );
        }
    }

    #[test]
    fn a_private_key_is_left_out_and_not_shown() {
        for document in [
            format!("ssh_authorized_keys: [\"{PEM}\", {GOOD}]"),
            format!("users: [{{name: a, ssh_authorized_keys: [\"{PEM}\", {GOOD}]}}]"),
            "ssh_authorized_keys: ['PuTTY-User-Key-File-2: ssh-rsa', a]".to_owned(),
        ] {
            let (config, problems) = read(&document);
            assert!(
                problems[0].contains("this is a private key"),
                "{problems:?}"
            );
            assert!(!problems[0].contains("b3Blbn"), "{problems:?}");
            let users = config
                .users
                .iter()
                .flat_map(|user| &user.ssh_authorized_keys);
            assert_eq!(config.ssh_authorized_keys.iter().chain(users).count(), 1);
        }
    }

    #[test]
    fn keys_of_the_machine() {
        let document = format!(
            "rancher: {{ssh: {{keys: {{ed25519: \"{PEM}\", ed25519-pub: '{GOOD}', rsa_private: \"{PEM}\", \
             ecdsa-pub: \"{PEM}\", rsa: text, ecdsa_public: x, x: y}}}}}}"
        );
        assert_eq!(
            read(&document).1,
            [
                "rancher.ssh.keys.ecdsa-pub: this is a private key, which belongs to ecdsa",
                "rancher.ssh.keys.ecdsa_public: expected rsa, ecdsa or ed25519, with or without -pub; cloud-init's \
                 ecdsa_public is ecdsa-pub here",
                "rancher.ssh.keys.rsa: sshd takes no such key: expected a private key in PEM, with all its lines",
                "rancher.ssh.keys.rsa_private: expected rsa, ecdsa or ed25519, with or without -pub; cloud-init's \
                 rsa_private is rsa here",
                "rancher.ssh.keys.x: expected rsa, ecdsa or ed25519, with or without -pub",
            ]
        );
    }
}
