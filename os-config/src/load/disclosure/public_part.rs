//! The part of a configuration that anybody may read: the values of public keys, and what the image says itself. All
//! other values are left out.

use serde_yaml::{Mapping, Value};

use crate::reader::public_keys::is_public;
use crate::yaml::scalar;

/// Sections of which a part would do harm: half an entry of `write_files` would write an empty file. With the address
/// or the token of `rancher.agent`, any machine can join.
const WHOLE_SECTIONS: [&[&str]; 3] = [
    &["write_files"],
    &["rancher", "agent"],
    &["rancher", "registry_auths"],
];
/// Options of mounts that name no secret. Options such as `password=…` are left out with their mount.
const MOUNT_OPTIONS: [&str; 16] = [
    "addr", "commit", "data", "dmask", "errors", "fmask", "gid", "mode", "nfsvers", "port",
    "proto", "size", "subvol", "uid", "umask", "vers",
];

/// A configuration, split by what anybody may read.
#[derive(Debug, Default)]
pub(crate) struct PublicPart {
    pub(crate) value: Value,
    /// Paths of the values that are left out, each path once.
    pub(crate) left_out: Vec<String>,
    /// The texts of these values.
    pub(crate) hidden: Vec<String>,
}

impl PublicPart {
    /// Splits `value`. What equals the `image`'s own value is public.
    pub(crate) fn split(value: &Value, image: &Value) -> Self {
        let mut part = Self::default();
        let mut path = Vec::new();
        let public = part.public_value(value, Some(image), &mut path);
        part.value = public.unwrap_or_else(|| Value::Mapping(Mapping::new()));
        part
    }

    fn public_value(
        &mut self,
        value: &Value,
        image: Option<&Value>,
        path: &mut Vec<String>,
    ) -> Option<Value> {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        if image == Some(value) && !keys.is_empty() {
            return Some(value.clone());
        }
        if WHOLE_SECTIONS.contains(&keys.as_slice()) {
            self.hide(value, path);
            return None;
        }
        match value {
            // A flag cannot hold a secret, whatever its key.
            Value::Null | Value::Bool(_) => Some(value.clone()),
            Value::String(text) if scalar::boolean(text).is_some() => Some(value.clone()),
            Value::Mapping(entries) => self.public_entries(entries, image, path),
            Value::Sequence(items) => self.public_items(items, path),
            Value::Number(_) if is_public(&keys) => Some(value.clone()),
            Value::String(text) if is_public(&keys) => {
                let shown = public_text(text);
                if shown.as_ref() != Some(text) {
                    self.hide(value, path);
                }
                shown.map(Value::String)
            }
            Value::Number(_) | Value::String(_) | Value::Tagged(_) => {
                self.hide(value, path);
                None
            }
        }
    }

    fn public_entries(
        &mut self,
        entries: &Mapping,
        image: Option<&Value>,
        path: &mut Vec<String>,
    ) -> Option<Value> {
        let told = self.left_out.len();
        let mut public = Mapping::new();
        for (key, value) in entries {
            let name = key.as_str().unwrap_or_default();
            path.push(name.to_owned());
            let below = image.and_then(|image| image.get(name));
            if let Some(value) = self.public_value(value, below, path) {
                public.insert(key.clone(), value);
            }
            path.pop();
        }
        if public.is_empty() && !entries.is_empty() && !path.is_empty() {
            // A section of the user's, such as `rancher.environment`, is named as a whole.
            if path.len() > 1 && entries.values().all(|value| !value.is_mapping()) {
                self.left_out.truncate(told);
                self.say(path);
            }
            return None;
        }
        Some(Value::Mapping(public))
    }

    fn public_items(&mut self, items: &[Value], path: &mut Vec<String>) -> Option<Value> {
        // Half a mount would be another mount.
        if path.as_slice() == ["mounts"] {
            let (public, hidden): (Vec<&Value>, Vec<&Value>) =
                items.iter().partition(|mount| is_public_mount(mount));
            hidden.iter().for_each(|mount| self.hide(mount, path));
            return Some(Value::Sequence(public.into_iter().cloned().collect()));
        }
        let mut public = Vec::new();
        for item in items {
            // `NAME=value` of variables and labels.
            let pair = item.as_str().and_then(|text| text.split_once('='));
            let names_itself = pair.is_some_and(|(name, value)| {
                let below: Vec<&str> = path.iter().map(String::as_str).chain([name]).collect();
                is_public(&below) && public_text(value).as_deref() == Some(value)
            });
            if names_itself {
                public.push(item.clone());
            } else {
                public.extend(self.public_value(item, None, path));
            }
        }
        (items.is_empty() || !public.is_empty()).then_some(Value::Sequence(public))
    }

    fn hide(&mut self, value: &Value, path: &[String]) {
        self.say(path);
        collect_texts(value, &mut self.hidden);
    }

    fn say(&mut self, path: &[String]) {
        let path = path.join(".");
        if !self.left_out.contains(&path) {
            self.left_out.push(path);
        }
    }
}

/// The text of a public key without the login in an address. `None` where it looks like a secret all the same: several
/// lines, a private key, options of a key, or an address with a query.
fn public_text(text: &str) -> Option<String> {
    let has_query = text.contains("://") && text.contains(['?', '#']);
    let is_odd =
        text.contains(['\n', '\r']) || text.contains("PRIVATE KEY") || text.contains("=\"");
    (!is_odd && !has_query).then(|| without_login(text))
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

fn is_public_mount(mount: &Value) -> bool {
    let fields = mount.as_sequence().map(Vec::as_slice).unwrap_or_default();
    let mut texts = fields.iter().filter_map(Value::as_str);
    let options = fields.get(3).and_then(Value::as_str).unwrap_or_default();
    let is_harmless = |option: &str| match option.split_once('=') {
        Some((name, _)) => name.starts_with("x-systemd.") || MOUNT_OPTIONS.contains(&name),
        None => true,
    };
    options.split(',').all(is_harmless)
        && texts.all(|text| !text.contains('@') && public_text(text).as_deref() == Some(text))
}

fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Sequence(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Mapping(entries) => entries
            .values()
            .for_each(|value| collect_texts(value, texts)),
        Value::Tagged(tagged) => collect_texts(&tagged.value, texts),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::PublicPart;

    fn parts(text: &str, image: &str) -> PublicPart {
        let read = |text| serde_yaml::from_str::<Value>(text).unwrap();
        PublicPart::split(&read(text), &read(image))
    }

    #[test]
    fn public_values_are_shown_and_the_others_named() {
        for (text, public, left_out) in [
            (
                "{hostname: box, final_message: hunter2, something: true, other: hunter2, pin: 1234}",
                "{hostname: box, something: true}",
                "final_message other pin",
            ),
            (
                "{runcmd: [hunter2, [a, hunter2]], bootcmd: [hunter2]}",
                "{}",
                "bootcmd runcmd",
            ),
            (
                "users: [a, {name: b, gecos: hunter2, uid: 5, ssh_authorized_keys: [public]}]",
                "users: [a, {name: b, uid: 5, ssh_authorized_keys: [public]}]",
                "users.gecos",
            ),
            (
                "write_files: [{path: /k, append: true, content: hunter2}]",
                "{}",
                "write_files",
            ),
            (
                "rancher: {environment: {DB: hunter2, COLOUR: brown}, network: {http_proxy: 'http://u:hunter2@h:3128/'}}",
                "rancher: {network: {http_proxy: 'http://h:3128/'}}",
                "rancher.environment rancher.network.http_proxy",
            ),
            (
                "rancher: {services: {a: {image: i, command: [x, hunter2], environment: [A=hunter2], labels: [io.rancher.os.scope=system, b=hunter2]}}}",
                "rancher: {services: {a: {image: i, labels: [io.rancher.os.scope=system]}}}",
                "rancher.services.a.command rancher.services.a.environment rancher.services.a.labels",
            ),
            (
                "mounts: [[LABEL=D, /d, ext4, 'noatime,mode=700'], [//s/d, /e, cifs, 'password=hunter2'], ['u:hunter2@s', /f]]",
                "mounts: [[LABEL=D, /d, ext4, 'noatime,mode=700']]",
                "mounts",
            ),
            (
                "{ssh_authorized_keys: [ssh-ed25519 A me, 'command=\"hunter2\" ssh-ed25519 B', \"a\\nhunter2\"], hostname: 'https://h/?t=hunter2'}",
                "ssh_authorized_keys: [ssh-ed25519 A me]",
                "hostname ssh_authorized_keys",
            ),
        ] {
            let mut part = parts(text, "{}");
            let expected: Value = serde_yaml::from_str(public).unwrap();
            assert_eq!(part.value, expected, "{text}");
            part.left_out.sort();
            assert_eq!(part.left_out.join(" "), left_out, "{text}");
        }
    }

    #[test]
    fn the_images_own_values_are_public() {
        let image = "rancher: {environment: {A: b}, services: {a: {image: i, command: [x]}}}";
        let text = "rancher: {environment: {A: b, C: hunter2}, services: {a: {image: i, command: [x]}, b: {command: [x]}}}";
        let part = parts(text, image);
        let expected: Value = serde_yaml::from_str(image).unwrap();
        assert_eq!(part.value, expected);
        assert_eq!(
            part.left_out,
            ["rancher.environment.C", "rancher.services.b"]
        );
        assert_eq!(part.hidden, ["hunter2", "x"]);
    }
}
