//! `users` and `groups` of a standard cloud-config, made by Debian's own tools in the console.
//!
//! Every boot runs this: users and groups that exist stay, and the settings of the cloud-config are applied again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use os_config::{Config, User, atomic_file};

use crate::console::accounts::passwd::{self, run_tool};
use crate::console::ssh_server::LOGIN_GROUP;

/// cloud-init's name of the file.
const SUDOERS: &str = "/etc/sudoers.d/90-cloud-init-users";
const SHELL: &str = "/bin/bash";

/// Makes groups and users. A failure does not end the loop; the error names every group and user that failed.
pub(crate) fn make_all(config: &Config) -> Result<()> {
    let mut failed = Vec::new();
    let mut collect = |what: String, result: Result<()>| {
        if let Err(error) = result {
            failed.push(format!("{what}: {error:#}"));
        }
    };
    for group in &config.groups {
        collect(format!("groups: {}", group.name), make_group(&group.name));
    }
    for user in &config.users {
        collect(format!("users: {}", user.name), make_user(user));
    }
    for group in &config.groups {
        for member in &group.members {
            let joined = run_tool(
                &["usermod", "--append", "--groups", &group.name, member],
                None,
            );
            collect(format!("groups: {}", group.name), joined);
        }
    }
    collect("users: sudo".to_owned(), write_sudoers(&config.users));
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

fn make_group(name: &str) -> Result<()> {
    run_tool(&["groupadd", "--force", name], None)
}

fn make_user(user: &User) -> Result<()> {
    for group in user.groups.iter().chain(&user.primary_group) {
        make_group(group)?;
    }
    let known = passwd::find(&user.name)?.is_some();
    let argv = if known {
        usermod_arguments(user)
    } else {
        useradd_arguments(user)
    };
    run_tool(&argv.iter().map(String::as_str).collect::<Vec<_>>(), None)?;
    set_password(user)?;
    passwd::find(&user.name)?.context("useradd made no entry in /etc/passwd")?;
    if user.ssh_authorized_keys.is_empty() {
        return Ok(());
    }
    make_group(LOGIN_GROUP)?;
    run_tool(
        &["usermod", "--append", "--groups", LOGIN_GROUP, &user.name],
        None,
    )
}

fn useradd_arguments(user: &User) -> Vec<String> {
    let mut argv = vec!["useradd".to_owned()];
    argv.push(if user.no_create_home || user.system {
        "--no-create-home".to_owned()
    } else {
        "--create-home".to_owned()
    });
    if user.system {
        argv.push("--system".to_owned());
    }
    let uid = user.uid.map(|uid| uid.to_string());
    let shell = Some(user.shell.clone().unwrap_or_else(|| SHELL.to_owned()));
    for (option, value) in [
        ("--uid", uid),
        ("--gid", user.primary_group.clone()),
        ("--home-dir", user.home.clone()),
        ("--shell", shell),
    ] {
        argv.extend(
            value
                .into_iter()
                .flat_map(|value| [option.to_owned(), value]),
        );
    }
    argv.extend(shared_arguments(user));
    argv.push(user.name.clone());
    argv
}

/// Changes of a user that exists: only settings that can change without removing anything.
fn usermod_arguments(user: &User) -> Vec<String> {
    let mut argv = vec!["usermod".to_owned()];
    if let Some(shell) = &user.shell {
        argv.extend(["--shell".to_owned(), shell.clone()]);
    }
    if !user.groups.is_empty() {
        argv.push("--append".to_owned());
    }
    argv.extend(shared_arguments(user));
    argv.push(user.name.clone());
    argv
}

fn shared_arguments(user: &User) -> Vec<String> {
    let mut argv = Vec::new();
    if let Some(text) = &user.gecos {
        argv.extend(["--comment".to_owned(), text.clone()]);
    }
    if !user.groups.is_empty() {
        argv.extend(["--groups".to_owned(), user.groups.join(",")]);
    }
    argv
}

fn set_password(user: &User) -> Result<()> {
    let given = match (&user.hashed_password, &user.plain_password) {
        (Some(hash), _) => Some((hash, vec!["chpasswd", "--encrypted"])),
        (None, Some(plain)) => Some((plain, vec!["chpasswd"])),
        (None, None) => None,
    };
    if let Some((password, argv)) = given {
        anyhow::ensure!(
            !password.is_empty() && !password.contains(['\n', '\0']),
            "the password is empty or has a line break"
        );
        run_tool(&argv, Some(&format!("{}:{password}\n", user.name)))?;
    }
    if user.lock_password {
        run_tool(&["usermod", "--lock", &user.name], None)?;
    }
    Ok(())
}

/// Writes the rules that sudo itself can read: a rule that it cannot read would end sudo for every user.
fn write_sudoers(users: &[User]) -> Result<()> {
    let (good, bad): (Vec<_>, Vec<_>) = rules(users).into_iter().partition(|rule| {
        run_tool(&["visudo", "--check", "--quiet", "--file", "-"], Some(rule)).is_ok()
    });
    replace_rules(Path::new(SUDOERS), &good.concat())?;
    anyhow::ensure!(
        bad.is_empty(),
        "left out, as sudo cannot read it: {}",
        bad.concat().trim_end().replace('\n', ", ")
    );
    Ok(())
}

/// Replaces the file with rules. A file that cannot be replaced is removed: it may hold rules that the cloud-config no
/// longer has.
fn replace_rules(file: &Path, rules: &str) -> Result<()> {
    let failed = || format!("writing {}", file.display());
    if fs::read(file).is_ok_and(|found| found == rules.as_bytes()) && !rules.is_empty() {
        return Ok(());
    }
    let written = match rules {
        "" => Ok(()),
        rules => atomic_file::replace(file, rules.as_bytes(), 0o440),
    };
    if written.is_err() || rules.is_empty() {
        match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", file.display()));
            }
            _ => {}
        }
    }
    written.with_context(failed)
}

/// The rules, a line each. A rule with a line break is left out: its second line would be a rule for any user.
fn rules(users: &[User]) -> Vec<String> {
    let rules = users
        .iter()
        .flat_map(|user| user.sudo.iter().map(|rule| (&user.name, rule.trim())));
    rules
        .filter(|(_, rule)| !rule.is_empty() && !rule.contains('\n'))
        .map(|(name, rule)| format!("{name} {rule}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{replace_rules, rules, useradd_arguments, usermod_arguments};
    use os_config::User;

    fn moo() -> User {
        User {
            name: "moo".into(),
            gecos: Some("Moo Cow".into()),
            uid: Some(1200),
            groups: vec!["docker".into(), "sudo".into()],
            sudo: vec!["ALL=(ALL) NOPASSWD:ALL".into(), "ALL=x\nroot ALL".into()],
            ..User::default()
        }
    }

    #[test]
    fn commands() {
        assert_eq!(
            useradd_arguments(&moo()).join(" "),
            "useradd --create-home --uid 1200 --shell /bin/bash --comment Moo Cow --groups docker,sudo moo"
        );
        assert_eq!(
            usermod_arguments(&moo()).join(" "),
            "usermod --append --comment Moo Cow --groups docker,sudo moo"
        );
        let system = User {
            name: "svc".into(),
            system: true,
            shell: Some("/usr/sbin/nologin".into()),
            ..User::default()
        };
        assert_eq!(
            useradd_arguments(&system).join(" "),
            "useradd --no-create-home --system --shell /usr/sbin/nologin svc"
        );
    }

    #[test]
    fn old_rules_do_not_outlive_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules");
        replace_rules(&file, "moo ALL\n").unwrap();
        replace_rules(&file, "").unwrap();
        assert!(!file.exists());
        replace_rules(&file, "").unwrap();
        // A rule that cannot be withdrawn is reported.
        std::fs::create_dir(&file).unwrap();
        assert!(replace_rules(&file, "").is_err());
        assert!(replace_rules(&file, "moo ALL\n").is_err());
    }

    #[test]
    fn a_rule_is_one_line() {
        assert_eq!(rules(&[moo()]), ["moo ALL=(ALL) NOPASSWD:ALL\n"]);
    }
}
