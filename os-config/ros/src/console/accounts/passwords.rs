//! Passwords: `chpasswd` of the cloud-config, and the password of `rancher` on the kernel line.

use anyhow::{Context, Result};
use os_config::Config;

use crate::console::accounts::passwd::run_tool;

/// Sets the passwords of `chpasswd`, and the password of `rancher` where the kernel line has one.
pub(crate) fn set_passwords(config: &Config) -> Result<()> {
    for given in &config.passwords {
        let argv: &[&str] = if given.is_hashed {
            &["chpasswd", "--encrypted"]
        } else {
            &["chpasswd"]
        };
        let (user, password) = (&given.user, &given.password);
        anyhow::ensure!(
            !password.is_empty() && !format!("{user}{password}").contains(['\n', '\0']),
            "chpasswd: {user}: the password is empty or has a line break"
        );
        run_tool(argv, Some(&format!("{user}:{password}\n")))
            .with_context(|| format!("chpasswd: {user}"))?;
    }
    let Some(password) = of_rancher(config) else {
        return Ok(());
    };
    anyhow::ensure!(
        !password.is_empty() && !password.contains(['\n', '\0']),
        "rancher.password is empty or has a line break"
    );
    run_tool(&["chpasswd"], Some(&format!("rancher:{password}\n")))
}

/// The password of `rancher.password`, unless passwords are off.
pub(super) fn of_rancher(config: &Config) -> Option<&str> {
    let is_off = config.rancher.disable.iter().any(|word| word == "password");
    config.rancher.password.as_deref().filter(|_| !is_off)
}
