//! The state filesystem of a new disk, with the cloud-config in it. `mke2fs` makes it at its place on the whole disk, so
//! that no partition table is needed yet, and fills it from a folder, so that nothing is mounted.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use disk::layout::Partition;
use host::paths::{CLOUD_CONFIG_FOLDER, CONF, below_root};
use os_config::atomic_file;

use crate::subprocess::{self, run};

/// RancherOS's label of the state filesystem.
pub(super) const LABEL: &str = "RANCHER_STATE";
/// RancherOS's name of the cloud-config of an installation.
pub(super) const USER_CONFIG: &str = "user_config.yml";
const PROGRAM: &str = "mke2fs";

/// Refuses a console without the programs: the busybox of small images has another mke2fs. `debugfs` writes the images of the
/// medium.
pub(in crate::disk::install) fn ensure_programs() -> Result<()> {
    subprocess::try_all(&[[PROGRAM, "-V"], ["debugfs", "-V"]]).context(
        "looking for mke2fs and debugfs in this console (hint: install e2fsprogs, or use the console default)",
    )
}

/// Makes the filesystem in `partition` of the disk or file `device`. Its files are in the folder `tree`, if that is given, or
/// else the cloud-config alone.
pub(in crate::disk::install) fn make(
    device: &Path,
    partition: &Partition,
    cloud_config: Option<&[u8]>,
    tree: Option<&Path>,
) -> Result<()> {
    // Only root can look into the folder: the cloud-config may hold passwords.
    let folder = tempfile::tempdir().context("making a folder for the files of the state")?;
    let tree = match tree {
        Some(tree) => tree.to_owned(),
        None => {
            let tree = folder.path().join("state");
            fill(&tree, cloud_config).context("writing the files of the state")?;
            tree
        }
    };
    let arguments = arguments(&tree, device, partition);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(PROGRAM, &arguments, None)
}

/// Lays the files as PID 1 expects them on `/state`.
pub(super) fn fill(tree: &Path, cloud_config: Option<&[u8]>) -> Result<()> {
    // The root of the filesystem gets the mode of this folder, and the umask cuts the mode of a new folder.
    DirBuilder::new().mode(0o755).create(tree)?;
    set_permissions(tree, Permissions::from_mode(0o755))?;
    let Some(cloud_config) = cloud_config else {
        return Ok(());
    };
    let conf = Path::new(below_root(CONF));
    make_folders(tree, conf)?;
    let configs = tree.join(conf).join(CLOUD_CONFIG_FOLDER);
    DirBuilder::new().mode(0o700).create(&configs)?;
    atomic_file::replace(&configs.join(USER_CONFIG), cloud_config, 0o600)?;
    Ok(())
}

/// Makes the folder `path` below `tree`, and those around it. Everybody can look into each, as PID 1 makes them.
pub(super) fn make_folders(tree: &Path, path: &Path) -> Result<()> {
    let mut folder = tree.to_owned();
    for part in path {
        folder.push(part);
        if !folder.is_dir() {
            DirBuilder::new().create(&folder)?;
            set_permissions(&folder, Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

fn arguments(tree: &Path, device: &Path, partition: &Partition) -> Vec<String> {
    // A discard of mke2fs may take no account of the offset: it would empty the slots.
    let extended = format!("offset={},nodiscard", partition.first_byte);
    let kib = format!("{}k", partition.bytes >> 10);
    let (tree, device) = (tree.display().to_string(), device.display().to_string());
    let fixed = ["-q", "-F", "-t", "ext4", "-L", LABEL].map(str::to_owned);
    let options = ["-E".to_owned(), extended, "-d".to_owned(), tree];
    [&fixed[..], &options, &[device, kib]].concat()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::path::Path;
    use std::process::Command;

    use disk::layout::{Partition, Role};

    use super::{arguments, fill, make, make_folders};
    use host::paths::below_root;

    const PARTITION: Partition = Partition {
        role: Role::State,
        first_byte: 8 << 20,
        bytes: 64 << 20,
    };

    #[test]
    fn the_place_is_on_the_whole_disk() {
        let line = arguments(Path::new("/tmp/x"), Path::new("/dev/sda"), &PARTITION).join(" ");
        assert_eq!(
            line,
            "-q -F -t ext4 -L RANCHER_STATE -E offset=8388608,nodiscard -d /tmp/x /dev/sda 65536k"
        );
    }

    #[test]
    fn the_filesystem_holds_the_cloud_config_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let [disk, alone] = ["disk", "alone"].map(|name| folder.path().join(name));
        let file = File::create_new(&disk).unwrap();
        file.write_all_at(&vec![0xEE; 80 << 20], 0).unwrap();
        make(&disk, &PARTITION, Some(b"hostname: a\n"), None).unwrap();
        let bytes = std::fs::read(&disk).unwrap();
        let (before, rest) = bytes.split_at(8 << 20);
        let (state, behind) = rest.split_at(64 << 20);
        assert!(before.iter().chain(behind).all(|byte| *byte == 0xEE));
        std::fs::write(&alone, state).unwrap();
        let debugfs = |request: &str| {
            let mut command = Command::new("debugfs");
            let output = command.args(["-R", request]).arg(&alone).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let configs = "/var/lib/rancher/conf/cloud-config.d";
        let file = format!("{configs}/user_config.yml");
        assert_eq!(debugfs(&format!("cat {file}")), "hostname: a\n");
        for (path, mode) in [
            ("/", "0755"),
            ("/var/lib", "0755"),
            (configs, "0700"),
            (&file, "0600"),
        ] {
            let stat = debugfs(&format!("stat {path}"));
            assert!(stat.contains(&format!("Mode:  {mode}")), "{path}: {stat}");
        }
        make(&disk, &PARTITION, None, None).unwrap();
        let tree = folder.path().join("tree");
        fill(&tree, Some(b"hostname: b\n")).unwrap();
        make_folders(&tree, Path::new("var/lib/rancher/preload/docker")).unwrap();
        let archive = "/var/lib/rancher/preload/docker/x.tar";
        std::fs::write(tree.join(below_root(archive)), "images").unwrap();
        make(&disk, &PARTITION, None, Some(&tree)).unwrap();
        let bytes = std::fs::read(&disk).unwrap();
        std::fs::write(&alone, &bytes[8 << 20..72 << 20]).unwrap();
        assert_eq!(debugfs(&format!("cat {archive}")), "images");
        assert_eq!(debugfs(&format!("cat {file}")), "hostname: b\n");
    }
}
