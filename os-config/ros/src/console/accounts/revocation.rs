//! Users and passwords that were taken out of the cloud-config: a user's account expires, and a password of the
//! cloud-config's is removed. A password that somebody has changed since is the user's own and stays.
//!
//! A record beside the state tells what came from the cloud-config; `/etc` keeps users and passwords for years.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use os_config::{Config, atomic_file};
use serde::{Deserialize, Serialize};

use crate::console::accounts::passwd::{self, run_tool};
use crate::console::accounts::passwords;

const RECORD: &str = "/var/lib/rancher/accounts.json";
const SHADOW: &str = "/etc/shadow";
/// The users of the image, which no cloud-config makes.
const OF_IMAGE: [&str; 3] = ["root", "rancher", "docker"];

/// What came from the cloud-config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Users that the cloud-config has.
    users: BTreeSet<String>,
    /// Users that it had, whose accounts are expired.
    expired: BTreeSet<String>,
    /// User → hash of the cloud-config's password.
    passwords: BTreeMap<String, String>,
}

/// A change of an account.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Expire(String),
    Reopen(String),
    RemovePassword(String),
}

/// Closes what the cloud-config no longer has, opens again what it has again, and keeps the record for the next start.
pub(crate) fn revoke(config: &Config) -> Result<()> {
    let path = Path::new(RECORD);
    let text = atomic_file::read_or_empty(path).with_context(|| format!("reading {RECORD}"))?;
    // A damaged record is replaced: the next change of the cloud-config is seen.
    let old: Record = serde_json::from_slice(&text).unwrap_or_default();
    let hashes = read_hashes()?;
    let mut failed = Vec::new();
    for change in changes(&old, config, &hashes) {
        let result = apply(&change).with_context(|| format!("{change:?}"));
        failed.extend(result.err().map(|error| format!("{error:#}")));
    }
    let new = record(&old, config, &read_hashes()?);
    if new != old {
        let text = serde_json::to_vec(&new).context("writing the record of accounts")?;
        atomic_file::replace(path, &text, 0o600).with_context(|| format!("writing {RECORD}"))?;
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

fn changes(old: &Record, config: &Config, hashes: &BTreeMap<String, String>) -> Vec<Change> {
    let users = configured_users(config);
    let exists = |user: &&String| hashes.contains_key(*user);
    let expire = old.users.difference(&users).filter(exists).cloned();
    let reopen = old.expired.intersection(&users).filter(exists).cloned();
    let with_password = users_with_password(config);
    let unchanged = |user: &str, hash: &str| {
        let found = hashes.get(user).map(|found| found.trim_start_matches('!'));
        found == Some(hash)
    };
    let remove = old
        .passwords
        .iter()
        .filter(|(user, hash)| !with_password.contains(user.as_str()) && unchanged(user, hash))
        .map(|(user, _)| user.clone());
    expire
        .map(Change::Expire)
        .chain(reopen.map(Change::Reopen))
        .chain(remove.map(Change::RemovePassword))
        .collect()
}

fn record(old: &Record, config: &Config, hashes: &BTreeMap<String, String>) -> Record {
    let users = configured_users(config);
    let expired = old.users.union(&old.expired);
    let passwords = users_with_password(config).into_iter();
    Record {
        expired: expired
            .filter(|user| !users.contains(*user) && hashes.contains_key(*user))
            .cloned()
            .collect(),
        passwords: passwords
            .filter_map(|user| {
                let hash = hashes.get(user)?.trim_start_matches('!');
                hash.starts_with('$')
                    .then(|| (user.to_owned(), hash.to_owned()))
            })
            .collect(),
        users,
    }
}

fn configured_users(config: &Config) -> BTreeSet<String> {
    let names = config.users.iter().map(|user| user.name.clone());
    names
        .filter(|name| !OF_IMAGE.contains(&name.as_str()))
        .collect()
}

fn users_with_password(config: &Config) -> BTreeSet<&str> {
    let of_users = config
        .users
        .iter()
        .filter(|user| user.hashed_password.is_some() || user.plain_password.is_some())
        .map(|user| user.name.as_str());
    let of_line = passwords::of_rancher(config).map(|_| "rancher");
    let given = config.passwords.iter().map(|given| given.user.as_str());
    given.chain(of_users).chain(of_line).collect()
}

fn apply(change: &Change) -> Result<()> {
    match change {
        Change::Expire(user) => run_tool(&["usermod", "--expiredate", "1", user], None),
        Change::Reopen(user) => run_tool(&["usermod", "--expiredate", "", user], None),
        Change::RemovePassword(user) => run_tool(&["usermod", "--password", "*", user], None),
    }
}

/// User → hash of `/etc/shadow`.
fn read_hashes() -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(SHADOW).with_context(|| format!("reading {SHADOW}"))?;
    Ok(passwd::hashes(&text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use os_config::load::document;

    use super::{Change, Record, changes, record};

    fn hashes(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = list.iter();
        pairs
            .map(|(user, hash)| ((*user).to_owned(), (*hash).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_taken_out_is_closed_and_what_comes_back_opens() {
        let parse = |text: &str| document(text.as_bytes()).unwrap();
        let both =
            parse("users: [moo, {name: cow, passwd: $6$x}]\nchpasswd: {list: 'rancher:p'}\n");
        let found = hashes(&[("moo", "!"), ("cow", "!$6$x"), ("rancher", "$y$p")]);
        let first = record(&Record::default(), &both, &found);
        assert_eq!(changes(&first, &both, &found), []);
        let none = parse("hostname: x\n");
        assert_eq!(
            changes(&first, &none, &found),
            [
                Change::Expire("cow".into()),
                Change::Expire("moo".into()),
                Change::RemovePassword("cow".into()),
                Change::RemovePassword("rancher".into()),
            ]
        );
        let second = record(
            &first,
            &none,
            &hashes(&[("moo", "!"), ("cow", "*"), ("rancher", "*")]),
        );
        assert!(second.users.is_empty() && second.passwords.is_empty());
        assert_eq!(changes(&second, &none, &found), []);
        // Both came back.
        assert_eq!(
            changes(&second, &both, &found),
            [Change::Reopen("cow".into()), Change::Reopen("moo".into())]
        );
        assert!(record(&second, &both, &found).expired.is_empty());
    }

    #[test]
    fn a_changed_password_and_a_user_that_is_gone_are_left_alone() {
        let parse = |text: &str| document(text.as_bytes()).unwrap();
        let old = record(
            &Record::default(),
            &parse("users: [moo]\npassword: p\n"),
            &hashes(&[("moo", "!"), ("rancher", "$y$p")]),
        );
        let now = hashes(&[("rancher", "$y$own")]);
        assert_eq!(changes(&old, &parse("hostname: x\n"), &now), []);
        assert!(
            record(&old, &parse("hostname: x\n"), &now)
                .expired
                .is_empty()
        );
    }

    #[test]
    fn a_password_that_is_off_counts_as_taken_out() {
        let config = document(b"rancher: {password: p, disable: [password]}\n").unwrap();
        let old = Record {
            passwords: hashes(&[("rancher", "$y$p")]),
            ..Record::default()
        };
        assert_eq!(
            changes(&old, &config, &hashes(&[("rancher", "$y$p")])),
            [Change::RemovePassword("rancher".into())]
        );
    }
}
