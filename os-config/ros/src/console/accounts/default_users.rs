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

/// Makes the homes and adds the configured keys.
pub(crate) fn prepare(config: &Config) -> Result<()> {
    for account in &ACCOUNTS {
        let home = PathBuf::from("/home").join(account.name);
        let owner = (account.id, account.id);
        make_folder(&home, 0o755, owner)?;
        authorize(&home, &config.ssh_authorized_keys, owner)?;
    }
    if config.root_by_key {
        authorize(Path::new("/root"), &config.ssh_authorized_keys, (0, 0))?;
    }
    Ok(())
}
