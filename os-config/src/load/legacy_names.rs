//! Names of services in RancherOS's and BurmillaOS's catalogues that this catalogue lacks. Old cloud-configs include
//! them.

/// The replacement for a service with a legacy name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    /// The service has this name here.
    Renamed(&'static str),
    /// The system has it built in; the text says how.
    BuiltIn(&'static str),
    /// Another way replaces it; the text says which.
    Replaced(&'static str),
}

/// The current name of a service.
pub fn current_name(name: &str) -> &str {
    match legacy(name) {
        Some(Legacy::Renamed(name)) => name,
        _ => name,
    }
}

/// The replacement for a service; `None` for a name that is not a legacy name.
pub fn legacy(name: &str) -> Option<Legacy> {
    Some(match name {
        "container-cron" => Legacy::Renamed("crontab"),
        "rancher-server-stable" => Legacy::Renamed("rancher-server"),
        "docker-compose" => Legacy::BuiltIn("`docker compose` is in the console"),
        "waagent" => Legacy::BuiltIn("a machine in Azure reports by itself that it is ready"),
        "amazon-metadata" => Legacy::BuiltIn("the data source `ec2` reads Amazon's metadata"),
        "pingan-amc" => Legacy::Replaced(
            "the maker's own image runs as a service: write its definition yourself",
        ),
        "hyperv-vm-tools" => Legacy::Replaced(
            "Hyper-V's drivers are in the kernel; a container can run its daemons: write its definition yourself",
        ),
        "nvidia-driver" => Legacy::Replaced(
            "PaddockOS has neither the driver nor what builds it: a machine with another system takes the card",
        ),
        "rancher-agent" => Legacy::Replaced("the key `rancher.agent` starts a Rancher agent"),
        "volume-efs" => Legacy::Replaced("`volume-nfs` mounts EFS too"),
        "volume-cifs" => Legacy::Replaced(
            "Docker itself mounts such volumes: `docker volume create --opt type=cifs --opt device=//SERVER/SHARE \
             --opt o=addr=SERVER,username=NAME,password=WORD VOLUME`",
        ),
        _ => return None,
    })
}
