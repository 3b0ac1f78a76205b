//! The two users of RancherOS, `rancher` and `docker`: their homes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A login user. The ids are RancherOS's, so that files on old state disks keep their owners.
struct Account {
    name: &'static str,
    id: u32,
}

const ACCOUNTS: [Account; 2] = [
    Account {
        name: "rancher",
        id: 1100,
    },
    Account {
        name: "docker",
        id: 1101,
    },
];

/// Makes the homes. A failure does not end the loop: a user must not keep the other from a home.
pub(crate) fn prepare() -> Result<()> {
    let results = ACCOUNTS
        .iter()
        .map(|account| make_home(&PathBuf::from("/home").join(account.name), account.id));
    let errors: Vec<String> = results
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    anyhow::ensure!(errors.is_empty(), "{}", errors.join("; "));
    Ok(())
}

/// Makes a home if it is missing, and gives it to its user. The folder above it is root's, so a link is root's as well.
fn make_home(path: &Path, id: u32) -> Result<()> {
    if !path.is_dir() {
        fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("setting the mode of {}", path.display()))?;
    }
    chown(path, Some(id), Some(id))
        .with_context(|| format!("giving {} to its user", path.display()))
}
