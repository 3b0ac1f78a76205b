//! The two users of RancherOS, `rancher` and `docker`: their homes and keys.

use std::path::{Path, PathBuf};

use anyhow::Result;
use os_config::Config;

use crate::console::accounts::authorized_keys::{authorize, make_folder};

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

/// Makes the homes and adds the configured keys. A failure does not end the loop: a user must not keep the keys from
/// the others.
pub(crate) fn prepare(config: &Config) -> Result<()> {
    let mut results = Vec::new();
    for account in &ACCOUNTS {
        let home = PathBuf::from("/home").join(account.name);
        let owner = (account.id, account.id);
        let made = make_folder(&home, 0o755, owner);
        results.push(made.and_then(|()| authorize(&home, &config.ssh_authorized_keys, owner)));
    }
    if config.root_by_key {
        let root = Path::new("/root");
        results.push(authorize(root, &config.ssh_authorized_keys, (0, 0)));
    }
    let errors = results.into_iter().filter_map(Result::err);
    let failed: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}
