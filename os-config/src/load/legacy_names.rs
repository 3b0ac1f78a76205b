//! Names of services in RancherOS's and BurmillaOS's catalogues that the catalogue here does not have: old
//! cloud-configs include them.

/// What became of such a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    /// It has another name here.
    Renamed(&'static str),
    /// Nothing has to be added for it, and why.
    BuiltIn(&'static str),
    /// It is done in another way, and how.
    Replaced(&'static str),
}

/// The name here of what may have had another before.
pub fn current_name(name: &str) -> &str {
    match legacy(name) {
        Some(Legacy::Renamed(name)) => name,
        _ => name,
    }
}

/// What became of a name; `None` if nothing is known of it.
pub fn legacy(name: &str) -> Option<Legacy> {
    Some(match name {
        "container-cron" => Legacy::Renamed("crontab"),
        "rancher-server-stable" => Legacy::Renamed("rancher-server"),
        "docker-compose" => Legacy::BuiltIn("`docker compose` is in the console"),
        "waagent" => Legacy::BuiltIn("a machine in Azure reports by itself that it is ready"),
        "rancher-agent" => Legacy::Replaced("the key `rancher.agent` starts a Rancher agent"),
        "volume-efs" => Legacy::Replaced("`volume-nfs` mounts EFS too"),
        "volume-cifs" => Legacy::Replaced(
            "Docker itself mounts such volumes: `docker volume create --opt type=cifs --opt device=//SERVER/SHARE \
             --opt o=addr=SERVER,username=NAME,password=WORD VOLUME`",
        ),
        _ => return None,
    })
}
