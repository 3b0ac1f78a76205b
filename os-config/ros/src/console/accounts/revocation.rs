//! Users, passwords and memberships in groups that were taken out of the cloud-config: a user's account expires, a
//! password of the cloud-config's is removed, and a user leaves the group. A password that somebody has changed since is
//! the user's own and stays.
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
const GROUP: &str = "/etc/group";
/// The users of the image, which no cloud-config makes.
const OF_IMAGE: [&str; 3] = ["root", "rancher", "docker"];

/// What came from the cloud-config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    /// Users that the cloud-config has.
    users: BTreeSet<String>,
    /// Users that it had, whose accounts are expired.
    expired: BTreeSet<String>,
    /// User → hash of the cloud-config's password.
    passwords: BTreeMap<String, String>,
    /// User and group, for each membership that the cloud-config has.
    memberships: BTreeSet<(String, String)>,
}

/// A change of an account.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Expire(String),
    Reopen(String),
    RemovePassword(String),
    Leave { user: String, group: String },
}

/// Closes what the cloud-config no longer has, opens again what it has again, and keeps the record for the next start.
pub(crate) fn revoke(config: &Config) -> Result<()> {
    let path = Path::new(RECORD);
    let text = atomic_file::read_or_empty(path).with_context(|| format!("reading {RECORD}"))?;
    // A damaged record is replaced: the next change of the cloud-config is seen.
    let old: Record = serde_json::from_slice(&text).unwrap_or_default();
    let hashes = read_hashes()?;
    let mut failed = Vec::new();
    let mut undone = Vec::new();
    for change in changes(&old, config, &hashes) {
        if let Err(error) = apply(&change) {
            failed.push(format!("{change:?}: {error:#}"));
            undone.push(change);
        }
    }
    let new = with_undone(record(&old, config, &read_hashes()?), &old, undone);
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
    let memberships = configured_memberships(config);
    let left = old.memberships.difference(&memberships);
    let leave = left
        .filter(|(user, _)| hashes.contains_key(user))
        .cloned()
        .map(|(user, group)| Change::Leave { user, group });
    expire
        .map(Change::Expire)
        .chain(reopen.map(Change::Reopen))
        .chain(remove.map(Change::RemovePassword))
        .chain(leave)
        .collect()
}

/// The record with the changes that failed: the next start tries them again.
fn with_undone(mut record: Record, old: &Record, undone: Vec<Change>) -> Record {
    for change in undone {
        match change {
            Change::Expire(user) => {
                record.expired.remove(&user);
                record.users.insert(user);
            }
            Change::Reopen(user) => drop(record.expired.insert(user)),
            Change::RemovePassword(user) => {
                if let Some(hash) = old.passwords.get(&user) {
                    record.passwords.insert(user, hash.clone());
                }
            }
            Change::Leave { user, group } => drop(record.memberships.insert((user, group))),
        }
    }
    record
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
        memberships: configured_memberships(config),
        users,
    }
}

fn configured_users(config: &Config) -> BTreeSet<String> {
    let names = config.users.iter().map(|user| user.name.clone());
    names
        .filter(|name| !OF_IMAGE.contains(&name.as_str()))
        .collect()
}

/// User and group. The groups of the image's users are the image's. A user stays in the group that may log in over ssh:
/// each key of the cloud-config goes by itself, and a key that the user has added still opens the account.
fn configured_memberships(config: &Config) -> BTreeSet<(String, String)> {
    let of_users = config.users.iter().flat_map(|user| {
        let groups = user.groups.iter().cloned();
        groups.map(|group| (user.name.clone(), group))
    });
    let of_groups = config.groups.iter().flat_map(|group| {
        let members = group.members.iter();
        members.map(|member| (member.clone(), group.name.clone()))
    });
    of_users
        .chain(of_groups)
        .filter(|(user, _)| !OF_IMAGE.contains(&user.as_str()))
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
        Change::Leave { user, group } => {
            let text = fs::read_to_string(GROUP).with_context(|| format!("reading {GROUP}"))?;
            let others = passwd::groups_of(&text, user);
            let others: Vec<&str> = others.into_iter().filter(|name| name != group).collect();
            run_tool(&["usermod", "--groups", &others.join(","), user], None)
        }
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

    use super::{Change, Record, changes, record, with_undone};

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
    fn a_user_leaves_a_group_that_is_taken_out() {
        let parse = |text: &str| document(text.as_bytes()).unwrap();
        let found = hashes(&[("moo", "!"), ("cow", "!"), ("rancher", "!")]);
        let with_groups = parse(
            "users: [{name: moo, groups: [docker, herd], ssh_authorized_keys: [k]}, cow, {name: rancher, groups: [docker]}]\n\
             groups: [sudo: [cow]]\n",
        );
        let first = record(&Record::default(), &with_groups, &found);
        assert_eq!(changes(&first, &with_groups, &found), []);
        let leave = |user: &str, group: &str| Change::Leave {
            user: user.into(),
            group: group.into(),
        };
        let without = parse("users: [{name: moo, groups: [herd]}, cow, rancher]\n");
        assert_eq!(
            changes(&first, &without, &found),
            [leave("cow", "sudo"), leave("moo", "docker")]
        );
        let second = record(&first, &without, &found);
        assert_eq!(changes(&second, &without, &found), []);
        // A record of an earlier version has no memberships.
        let earlier = "{\"users\": [\"moo\"], \"expired\": [], \"passwords\": {}}";
        let earlier: Record = serde_json::from_str(earlier).unwrap();
        assert!(earlier.users.contains("moo"));
    }

    #[test]
    fn a_change_that_fails_is_tried_again() {
        let parse = |text: &str| document(text.as_bytes()).unwrap();
        let found = hashes(&[("moo", "$6$x")]);
        let before = parse("users: [{name: moo, passwd: $6$x, groups: [docker]}]\n");
        let none = parse("hostname: x\n");
        let first = record(&Record::default(), &before, &found);
        let wanted = changes(&first, &none, &found);
        assert_eq!(wanted.len(), 3);
        let undone = with_undone(record(&first, &none, &found), &first, wanted);
        assert_eq!(
            changes(&undone, &none, &found),
            changes(&first, &none, &found)
        );
        // An account that cannot be opened again.
        let closed = record(&first, &none, &found);
        let wanted = changes(&closed, &before, &found);
        let undone = with_undone(record(&closed, &before, &found), &closed, wanted);
        assert_eq!(
            changes(&undone, &before, &found),
            [Change::Reopen("moo".into())]
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
