//! Values that an export leaves out: passwords always; keys, certificates, files and every value with the name of a
//! secret unless the user asks for them.

use serde_yaml::{Mapping, Value};

use crate::reader::secret_names::is_secret_name;

/// Never exported: these values allow a login.
const PASSWORDS: [&[&str]; 11] = [
    &["password"],
    &["chpasswd"],
    &["users", "*", "passwd"],
    &["users", "*", "hashed_passwd"],
    &["users", "*", "hashed-passwd"],
    &["users", "*", "plain_text_passwd"],
    &["users", "*", "plain-text-passwd"],
    &["rancher", "password"],
    &["rancher", "autologin"],
    &["rancher", "environment", "EXTRA_CMDLINE"],
    &["EXTRA_CMDLINE"],
];

/// Exported only on demand.
const KEYS: [&[&str]; 10] = [
    // A file may be a key, and half an entry would write an empty file.
    &["write_files"],
    // With its address or token, any machine can join.
    &["rancher", "agent"],
    &["rancher", "ssh"],
    &["rancher", "docker", "ca_key"],
    &["rancher", "docker", "ca_cert"],
    &["rancher", "docker", "server_key"],
    &["rancher", "docker", "server_cert"],
    &["rancher", "registry_auths"],
    &["rancher", "network", "wifi_networks", "*", "psk"],
    &["rancher", "network", "wifi_networks", "*", "password"],
];

/// Removes values that allow a login.
pub(crate) fn remove_passwords(value: &mut Value) {
    for path in PASSWORDS {
        remove(value, path);
    }
}

/// Removes keys, certificates, tokens, every value with the name of a secret, and logins in addresses.
pub(crate) fn remove_keys(value: &mut Value) {
    for path in KEYS {
        remove(value, path);
    }
    remove_named(value);
}

fn remove_named(value: &mut Value) {
    match value {
        Value::Mapping(map) => {
            map.retain(|key, value| !(is_text(value) && key.as_str().is_some_and(is_secret_name)));
            map.values_mut().for_each(remove_named);
        }
        Value::Sequence(items) => {
            // `NAME=value` of an environment.
            items.retain(|item| {
                let pair = item.as_str().and_then(|text| text.split_once('='));
                let is_name = |name: &str| !name.contains(char::is_whitespace);
                !pair.is_some_and(|(name, _)| is_name(name) && is_secret_name(name))
            });
            items.iter_mut().for_each(remove_named);
        }
        Value::String(text) => *text = without_login(text),
        _ => {}
    }
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_))
}

/// `http://name:password@host` without the name and the password.
fn without_login(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("://");
        let end = part.find(|c: char| matches!(c, '/' | '"' | '\'') || c.is_whitespace());
        let (host, rest) = part.split_at(end.unwrap_or(part.len()));
        out.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
        out.push_str(rest);
    }
    out
}

/// Removes the value at `path`; `*` stands for any key. A section that becomes empty goes too.
fn remove(value: &mut Value, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if let (Value::Sequence(items), true) = (&mut *value, *first == "*") {
        items.iter_mut().for_each(|item| remove(item, rest));
        return;
    }
    let Some(map) = value.as_mapping_mut() else {
        return;
    };
    if *first == "*" {
        for value in map.values_mut() {
            remove(value, rest);
        }
    } else if rest.is_empty() {
        map.remove(*first);
    } else if let Some(below) = map.get_mut(*first) {
        let was_empty = is_empty(below);
        remove(below, rest);
        if is_empty(below) && !was_empty {
            map.remove(*first);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_mapping().is_some_and(Mapping::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::{remove_keys, remove_passwords};

    #[test]
    fn secrets_are_removed_wherever_they_stand() {
        let text = "
            password: hunter2
            chpasswd: {list: 'a:hunter2'}
            users: [a, {name: b, plain_text_passwd: hunter2, passwd: hunter2, ssh_authorized_keys: [public]}]
            ssh_authorized_keys: [public]
            write_files: [{path: /k, content: hunter2}]
            rancher:
              environment: {DB_PASSWORD: hunter2, COLOUR: brown}
              network: {http_proxy: 'http://u:hunter2@h:3128/'}
              services:
                a: {image: i, environment: [API_TOKEN=hunter2, COLOUR=brown], secret_thing: hunter2}
        ";
        let mut value: Value = serde_yaml::from_str(text).unwrap();
        remove_passwords(&mut value);
        remove_keys(&mut value);
        let expected = "
            users: [a, {name: b, ssh_authorized_keys: [public]}]
            ssh_authorized_keys: [public]
            rancher:
              environment: {COLOUR: brown}
              network: {http_proxy: 'http://h:3128/'}
              services: {a: {image: i, environment: [COLOUR=brown]}}
        ";
        assert_eq!(value, serde_yaml::from_str::<Value>(expected).unwrap());
    }
}
