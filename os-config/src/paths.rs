//! Paths of the configuration's own files, each with its writer and its readers. `host::paths` re-exports them beside
//! the paths of the running machine: they are here, because this crate reads below any root and imports no other crate.

/// The user's configuration, on the state filesystem. PID 1 makes the folder; `ros config`, `ros service`, `ros switch`
/// and the cloud-init service write below it; loading reads it. The cloud-init and network services mount it, as their
/// `service.yml` say.
pub const CONF: &str = "/var/lib/rancher/conf";
/// The folder below [`CONF`] with the cloud-configs that are merged by their names. PID 1 makes the folder; the
/// cloud-init service and users write; loading reads.
pub const CLOUD_CONFIG_FOLDER: &str = "cloud-config.d";
/// The stored cloud-config, the last of the files. `ros config`, `ros service`, `ros console` and `ros engine` replace
/// it; loading reads it.
pub const CLOUD_CONFIG: &str = "/var/lib/rancher/conf/cloud-config.yml";
/// The data source's metadata of the machine. The cloud-init service and `ros sysinit` replace it; loading reads it. Its
/// time is the time of the last answer, its instance-id tells which of several later answers is this machine's, and a
/// machine that has it is past its first boot.
pub const METADATA: &str = "/var/lib/rancher/conf/metadata";
/// Definitions that were fetched from repositories and addresses, on the state filesystem. PID 1 makes the folder;
/// `ros service`, `ros console` and `ros engine` write; loading reads.
pub const CACHE: &str = "/var/lib/rancher/cache";
/// The name of the service with the guest tools of the machine's hypervisor, in memory. `ros sysinit` writes it once the
/// service can be started; loading includes the service.
pub const GUEST_TOOLS: &str = "/run/ros/guest-tools";
/// The folder of User Docker's socket, in memory. PID 1 makes it; the container of User Docker mounts it, and each
/// extra engine mounts a folder of its own beside it (`/run/user-docker-NAME`).
pub const USER_DOCKER_RUN: &str = "/run/user-docker";

/// The path from a root: absolute paths replace the root in a join.
pub const fn below_root(path: &'static str) -> &'static str {
    match path.as_bytes() {
        [b'/', ..] => path.split_at(1).1,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::below_root;

    #[test]
    fn a_path_is_joined_to_a_root() {
        assert_eq!(below_root("/var/lib"), "var/lib");
        assert_eq!(below_root("var"), "var");
    }
}
