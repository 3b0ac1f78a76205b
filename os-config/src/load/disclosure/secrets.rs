//! Passwords: values that no export shows.

use serde_yaml::{Mapping, Value};

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

/// Removes values that allow a login. Returns the paths of the removed values.
pub(crate) fn remove_passwords(value: &mut Value) -> Vec<String> {
    let removed = PASSWORDS.iter().filter(|path| remove(value, path));
    removed
        .map(|path| path.join(".").replace(".*", ""))
        .collect()
}

/// Removes the value at `path`; `*` stands for any key. A section that becomes empty goes too. Returns whether there was
/// a value.
fn remove(value: &mut Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    match value {
        Value::Sequence(items) if *first == "*" => remove_from(items.iter_mut(), rest),
        Value::Mapping(map) if *first == "*" => remove_from(map.values_mut(), rest),
        Value::Mapping(map) if rest.is_empty() => map.remove(*first).is_some(),
        Value::Mapping(map) => {
            let Some(below) = map.get_mut(*first) else {
                return false;
            };
            let was_empty = is_empty(below);
            let removed = remove(below, rest);
            if is_empty(below) && !was_empty {
                map.remove(*first);
            }
            removed
        }
        _ => false,
    }
}

fn remove_from<'a>(values: impl Iterator<Item = &'a mut Value>, path: &[&str]) -> bool {
    values
        .filter_map(|value| remove(value, path).then_some(()))
        .count()
        > 0
}

fn is_empty(value: &Value) -> bool {
    value.as_mapping().is_some_and(Mapping::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::remove_passwords;

    #[test]
    fn passwords_are_removed_wherever_they_stand() {
        let text = "
            password: hunter2
            chpasswd: {list: 'a:hunter2'}
            users: [a, {name: b, plain_text_passwd: hunter2, passwd: hunter2, ssh_authorized_keys: [public]}]
            rancher: {autologin: [tty1]}
        ";
        let mut value: Value = serde_yaml::from_str(text).unwrap();
        let removed = remove_passwords(&mut value);
        assert_eq!(
            removed.join(" "),
            "password chpasswd users.passwd users.plain_text_passwd rancher.autologin"
        );
        let expected = "users: [a, {name: b, ssh_authorized_keys: [public]}]";
        assert_eq!(value, serde_yaml::from_str::<Value>(expected).unwrap());
    }
}
