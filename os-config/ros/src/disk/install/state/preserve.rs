//! A state partition that stays (`-t noformat`): whether a disk has one that can, and the cloud-config that is laid into
//! it. `debugfs` writes the file at its place on the whole disk, because the partition table names no partition of the
//! system meanwhile, and nothing is mounted.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use disk::layout::Role;
use disk::partition_table::{self, GptPartition};
use disk::superblock::{self, PROBE_BYTES};
use host::paths::{CLOUD_CONFIG_FOLDER, CONF, below_root};
use os_config::atomic_file;

use crate::disk::install::state::filesystem::{LABEL, USER_CONFIG};
use crate::disk::install::target::Target;
use crate::subprocess::{last_line, run, try_all};

/// A state partition of a disk that an installation has made before.
#[derive(Clone, Debug)]
pub(in crate::disk::install) struct PreservedState {
    pub(in crate::disk::install) partition: GptPartition,
    /// Whether this module can write files into its filesystem.
    is_writable: bool,
}

impl PreservedState {
    /// Finds it on the disk of an installation.
    ///
    /// # Errors
    /// The disk has another layout, or no state filesystem in its place.
    pub(in crate::disk::install) fn find(target: &Target) -> Result<Self> {
        let disk = target.path.display();
        let mut device = File::open(&target.path).with_context(|| format!("reading {disk}"))?;
        let table = partition_table::read(&mut device, target.sector_bytes).unwrap_or_default();
        let state = partition_table::installed_state(&table, target.bytes, target.sector_bytes);
        let Some(partition) = state else {
            bail!(
                "-t noformat: {disk} has not the partitions that `ros install` makes, and a partition of another system \
                 leaves no room for them (hint: boot the ISO with that disk attached, and the machine has its data without \
                 an installation; or save the data, and install with -f)"
            );
        };
        let mut start = vec![0; PROBE_BYTES];
        device
            .read_exact_at(&mut start, partition.first_byte)
            .with_context(|| format!("reading the state of {disk}"))?;
        let found = superblock::recognise(&start);
        let found = found.filter(|found| found.label == LABEL);
        let found = found.with_context(|| {
            format!(
                "-t noformat: the partition {} of {disk} has no filesystem {LABEL}, so there is no state to keep (hint: \
                 install with -f)",
                Role::State.name()
            )
        })?;
        Ok(Self {
            partition: partition.clone(),
            is_writable: found.fstype == "ext4",
        })
    }

    /// Refuses a cloud-config that could not be written into the state.
    pub(in crate::disk::install) fn ensure_writable(&self) -> Result<()> {
        ensure!(
            self.is_writable,
            "-c: a cloud-config is written into a state of ext4 alone (hint: leave it out; the state has its own)"
        );
        try_all(&[["debugfs", "-V"], ["e2fsck", "-V"]]).context(
            "looking for debugfs and e2fsck in this console (hint: install e2fsprogs, or use the console default)",
        )
    }

    /// The state on the device, as the programs of ext4 take it.
    fn image(&self, device: &Path) -> String {
        format!("{}?offset={}", device.display(), self.partition.first_byte)
    }

    /// Repeats what the filesystem's journal holds, and mends small damage.
    pub(in crate::disk::install) fn check(&self, device: &Path) -> Result<()> {
        let output = Command::new("e2fsck")
            .args(["-p", &self.image(device)])
            .stdin(Stdio::null())
            .output()
            .context("starting e2fsck")?;
        // 1: mended.
        let is_sound = matches!(output.status.code(), Some(0 | 1));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(
            is_sound,
            "the state filesystem is damaged: {} (hint: mend it with e2fsck, or leave -c out)",
            last_line(said.trim())
        );
        Ok(())
    }

    /// Writes the cloud-config into the folder `directory` of the state. The filesystem is marked as not in order meanwhile:
    /// after a cut, the next check looks at all of it.
    pub(in crate::disk::install) fn seed(
        &self,
        device: &Path,
        directory: Option<&str>,
        cloud_config: &[u8],
    ) -> Result<()> {
        // Only root can look into the folder: the cloud-config may hold passwords.
        let folder = tempfile::tempdir().context("making a folder for the cloud-config")?;
        let source = folder.path().join(USER_CONFIG);
        atomic_file::replace(&source, cloud_config, 0o600).context("copying the cloud-config")?;
        let image = self.image(device);
        let configs = configs(directory);
        let missing = folders(&configs).filter(|folder| !has_folder(&image, folder));
        let missing: Vec<&str> = missing.collect();
        let requests = requests(&source.display().to_string(), &missing, &configs);
        run("debugfs", &["-w", "-R", "dirty", &image], None)?;
        run("debugfs", &["-w", "-f", "-", &image], Some(&requests))?;
        // It says nothing of a request that has failed.
        let read = Command::new("debugfs")
            .args(["-R", &format!("cat {configs}/{USER_CONFIG}"), &image])
            .stdin(Stdio::null())
            .output()
            .context("starting debugfs")?;
        ensure!(
            read.stdout == cloud_config,
            "the cloud-config could not be written into the state (hint: is it full?)"
        );
        run("debugfs", &["-w", "-R", "dirty -clean", &image], None)
    }
}

/// The folder of the cloud-configs in the state.
fn configs(directory: Option<&str>) -> String {
    let conf = below_root(CONF);
    match directory {
        Some(directory) => format!("/{directory}/{conf}/{CLOUD_CONFIG_FOLDER}"),
        None => format!("/{conf}/{CLOUD_CONFIG_FOLDER}"),
    }
}

/// A folder and the folders that it is in, the outermost first.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').skip(1).map(|(end, _)| end);
    ends.chain([path.len()]).map(|end| path.split_at(end).0)
}

/// Whether the filesystem has a folder. `ls -p` of debugfs prints `/inode/mode/user/group/name/size/` for each name.
fn has_folder(image: &str, folder: &str) -> bool {
    let Some((parent, name)) = folder.rsplit_once('/') else {
        return true;
    };
    let listed = Command::new("debugfs")
        .args(["-R", &format!("ls -p {parent}/"), image])
        .stdin(Stdio::null())
        .output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    listed
        .lines()
        .any(|line| line.split('/').nth(5) == Some(name))
}

/// The requests to `debugfs` that make the folders that are `missing`, and lay the file `source` into `configs`. A folder
/// that is there is not made again: debugfs would leave an inode without a name. A request to remove a file that is
/// missing fails, and the next is performed.
fn requests(source: &str, missing: &[&str], configs: &str) -> String {
    let made = missing.iter().map(|folder| format!("mkdir {folder}\n"));
    let made: String = made.collect();
    format!(
        "{made}set_inode_field {configs} mode 040700\nrm {configs}/{USER_CONFIG}\n\
         write \"{source}\" {configs}/{USER_CONFIG}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::Command;

    use disk::partition_table::GptPartition;

    use super::{PreservedState, configs, folders, requests};

    const FIRST: u64 = 8 << 20;

    #[test]
    fn each_folder_is_made_before_the_file() {
        let conf = "/var/lib/rancher/conf/cloud-config.d";
        assert_eq!(configs(None), conf);
        assert_eq!(configs(Some("a/b")), format!("/a/b{conf}"));
        assert_eq!(
            folders("/a/b/c").collect::<Vec<_>>(),
            ["/a", "/a/b", "/a/b/c"]
        );
        assert_eq!(
            requests("/tmp/x", &["/a/b"], "/a/b"),
            "mkdir /a/b\nset_inode_field /a/b mode 040700\nrm /a/b/user_config.yml\n\
             write \"/tmp/x\" /a/b/user_config.yml\n"
        );
    }

    #[test]
    fn the_cloud_config_is_replaced_and_the_filesystem_stays_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        File::create(&disk).unwrap().set_len(80 << 20).unwrap();
        let state = PreservedState {
            partition: GptPartition {
                number: 5,
                name: "RANCHER_STATE".to_owned(),
                guid: String::new(),
                first_byte: FIRST,
                bytes: 64 << 20,
            },
            is_writable: true,
        };
        let image = state.image(&disk);
        let output = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let offset = format!("offset={FIRST}");
        let path = disk.to_str().unwrap();
        output(
            "mke2fs",
            &["-q", "-F", "-t", "ext4", "-E", &offset, path, "65536k"],
        );
        state.ensure_writable().unwrap();
        for (directory, text) in [
            (None, "hostname: a\n"),
            (None, "hostname: longer\n"),
            (Some("other/place"), "hostname: b\n"),
        ] {
            state.check(&disk).unwrap();
            state.seed(&disk, directory, text.as_bytes()).unwrap();
            let folder = configs(directory);
            let debugfs = |request: &str| {
                let request = format!("{request} {folder}/user_config.yml");
                output("debugfs", &["-R", &request, &image])
            };
            assert_eq!(debugfs("cat"), text);
            assert!(debugfs("stat").contains("Mode:  0600"));
            let stat = output("debugfs", &["-R", &format!("stat {folder}"), &image]);
            assert!(stat.contains("Mode:  0700"), "{stat}");
            let check = Command::new("e2fsck").args(["-f", "-n", &image]).status();
            assert!(check.unwrap().success(), "{text}");
        }
        let large = vec![b'#'; 70 << 20];
        let error = state.seed(&disk, None, &large).unwrap_err().to_string();
        assert!(error.contains("could not be written"), "{error}");
    }
}
