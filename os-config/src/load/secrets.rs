//! Values that an export leaves out: passwords always, keys and certificates unless the user asks for them.

use serde_yaml::{Mapping, Value};

/// Never exported: these values allow a login.
const PASSWORDS: [&[&str]; 4] = [
    &["rancher", "password"],
    &["rancher", "autologin"],
    &["rancher", "environment", "EXTRA_CMDLINE"],
    &["EXTRA_CMDLINE"],
];

/// Exported only on demand.
const KEYS: [&[&str]; 9] = [
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

/// Removes keys, certificates and tokens.
pub(crate) fn remove_keys(value: &mut Value) {
    for path in KEYS {
        remove(value, path);
    }
}

/// Removes the value at `path`; `*` stands for any key. A section that becomes empty goes too.
fn remove(value: &mut Value, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
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
