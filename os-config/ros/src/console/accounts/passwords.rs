//! Passwords: `chpasswd` of the cloud-config, and the password of `rancher` on the kernel line.

use anyhow::{Result, ensure};
use os_config::Config;

use crate::console::accounts::passwd::run_tool;

/// Sets the passwords of `chpasswd`, and the password of `rancher` where the kernel line has one. A password that cannot
/// be set keeps no other password from being changed.
pub(crate) fn set_passwords(config: &Config) -> Result<()> {
    let given = config
        .passwords
        .iter()
        .map(|given| (&given.user[..], &given.password[..], given.is_hashed));
    let of_line = of_rancher(config).map(|password| ("rancher", password, false));
    let failed = set_each(given.chain(of_line), |argv, line| {
        run_tool(argv, Some(line))
    });
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// Hands each user, password and whether it is hashed to `run`. Returns the failures, which name no password.
fn set_each<'a>(
    passwords: impl Iterator<Item = (&'a str, &'a str, bool)>,
    run: impl Fn(&[&str], &str) -> Result<()>,
) -> Vec<String> {
    let set = |(user, password, is_hashed): (&str, &str, bool)| {
        let argv: &[&str] = match is_hashed {
            true => &["chpasswd", "--encrypted"],
            false => &["chpasswd"],
        };
        let has_break = user.contains(['\n', '\0']) || password.contains(['\n', '\0']);
        ensure!(
            !password.is_empty() && !has_break,
            "the password is empty or has a line break"
        );
        run(argv, &format!("{user}:{password}\n"))
    };
    let failed = passwords.filter_map(|given| {
        let error = set(given).err()?;
        Some(format!("chpasswd: {}: {error:#}", given.0))
    });
    failed.collect()
}

/// The password of `rancher.password`, unless passwords are off.
pub(super) fn of_rancher(config: &Config) -> Option<&str> {
    let is_off = config.rancher.disable.iter().any(|word| word == "password");
    config.rancher.password.as_deref().filter(|_| !is_off)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use os_config::Config;

    use super::{of_rancher, set_each};

    #[test]
    fn the_password_of_rancher_can_be_off() {
        let mut config = Config::default();
        assert_eq!(of_rancher(&config), None);
        config.rancher.password = Some("moo".into());
        assert_eq!(of_rancher(&config), Some("moo"));
        config.rancher.disable = vec!["autologin".into(), "password".into()];
        assert_eq!(of_rancher(&config), None);
    }

    #[test]
    fn a_password_that_cannot_be_set_costs_itself() {
        let lines = RefCell::new(Vec::new());
        let given = [
            ("gone", "p", false),
            ("moo", "", false),
            ("cow", "a\nb", false),
            ("rancher", "$6$x", true),
        ];
        let failed = set_each(given.into_iter(), |argv, line| {
            anyhow::ensure!(!line.starts_with("gone:"), "no such user");
            lines
                .borrow_mut()
                .push(format!("{} {line}", argv.join(" ")));
            Ok(())
        });
        assert_eq!(*lines.borrow(), ["chpasswd --encrypted rancher:$6$x\n"]);
        assert_eq!(failed.len(), 3, "{failed:?}");
        assert!(failed[0].starts_with("chpasswd: gone: "));
    }
}
