//! Names of services in RancherOS's and BurmillaOS's catalogues that the catalogue here does not have: old
//! cloud-configs include them.

/// What became of such a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formerly {
    /// It has another name here.
    Renamed(&'static str),
    /// Nothing has to be added for it, and why.
    BuiltIn(&'static str),
    /// It is done in another way, and how.
    Otherwise(&'static str),
}

/// The name here of what may have had another before.
pub fn present(name: &str) -> &str {
    match formerly(name) {
        Some(Formerly::Renamed(name)) => name,
        _ => name,
    }
}

/// What became of a name; `None` if nothing is known of it.
pub fn formerly(name: &str) -> Option<Formerly> {
    Some(match name {
        "container-cron" => Formerly::Renamed("crontab"),
        "rancher-server-stable" => Formerly::Renamed("rancher-server"),
        "docker-compose" => Formerly::BuiltIn("`docker compose` is in the console"),
        "waagent" => Formerly::BuiltIn("a machine in Azure reports by itself that it is ready"),
        "rancher-agent" => Formerly::Otherwise("the key `rancher.agent` starts a Rancher agent"),
        "volume-efs" => Formerly::Otherwise("`volume-nfs` mounts EFS too"),
        "volume-cifs" => Formerly::Otherwise(
            "Docker itself mounts such volumes: `docker volume create --opt type=cifs --opt device=//SERVER/SHARE \
             --opt o=addr=SERVER,username=NAME,password=WORD VOLUME`",
        ),
        _ => return None,
    })
}
