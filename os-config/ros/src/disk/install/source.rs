//! What is installed: the slot image of the medium that the machine was started from, or the slot that it runs from.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use disk::layout::Role;
use disk::partition_table;
use disk::window::Window;
use host::block;
use host::paths::{MEDIUM, SLOT, below_root};
use host::proc::mount_table;

use crate::disk::install::boot_files::BootFiles;
use crate::disk::slot_image::{self, HEAD_BYTES, VERSION};

/// Files of a medium, from the medium's root.
const SLOT_IMAGE: &str = "paddock/slot.img";
const EFI_IMAGE: &str = "paddock/efi.img";

/// The content of a new disk, but for what its owner adds.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file or the partition with the slot image.
    pub(super) slot: PathBuf,
    pub(super) slot_bytes: u64,
    /// The folder with the files of the slot image.
    pub(super) files: PathBuf,
    pub(super) version: String,
    pub(super) boot: BootFiles,
}

impl Source {
    /// Finds it on the machine with its files below `root`.
    ///
    /// # Errors
    /// The machine was started over the network, its medium is gone, or files are missing.
    pub(super) fn find(root: &Path) -> Result<Self> {
        let medium = root.join(below_root(MEDIUM));
        let on_medium = medium.join(SLOT_IMAGE);
        let (slot, boot) = if on_medium.exists() {
            (
                on_medium,
                BootFiles::from_image(root, &medium.join(EFI_IMAGE))?,
            )
        } else if let Some(partition) = running_slot(root) {
            let boot = boot_files_beside(root, &partition)?;
            (partition, boot)
        } else {
            bail!(
                "this machine was started without a medium that can be installed (hint: start it from the ISO, without \
                 paddock.toram)"
            );
        };
        Ok(Self {
            slot_bytes: image_length(&slot)?,
            files: root.join(below_root(SLOT)),
            version: version(root),
            slot,
            boot,
        })
    }
}

/// The partition of the slot that the machine runs from.
fn running_slot(root: &Path) -> Option<PathBuf> {
    let mounts = mount_table::read(&root.join(below_root(mount_table::OF_INIT))).ok()?;
    let node = &mount_table::find(&mounts, Path::new(SLOT))?.source;
    let is_partition = block::partition_number(root, node).is_some();
    is_partition.then(|| node.clone())
}

/// Shim and GRUB from the EFI system partition on the disk of a slot.
fn boot_files_beside(root: &Path, slot: &Path) -> Result<BootFiles> {
    let name = block::disk_of(root, slot).context("looking for the disk of the running slot")?;
    let node = Path::new("/dev").join(name.replace('!', "/"));
    let reading = || format!("reading {}", node.display());
    let mut device = File::open(&node).with_context(reading)?;
    let table = partition_table::read(&mut device, block::sector_bytes(root, &name));
    let mut partitions = table.unwrap_or_default().into_iter();
    let esp = partitions.find(|partition| partition.number == Role::Esp.number());
    let esp = esp.with_context(|| format!("{} has no EFI system partition", node.display()))?;
    let window = Window::new(device, esp.first_byte, esp.bytes);
    BootFiles::from_partition(root, window).with_context(reading)
}

/// The length of the filesystem in a file or partition, which may be longer.
fn image_length(image: &Path) -> Result<u64> {
    let reading = || format!("reading {}", image.display());
    let mut file = File::open(image).with_context(reading)?;
    let mut head = vec![0; HEAD_BYTES];
    file.read_exact(&mut head).with_context(reading)?;
    let length = slot_image::length(&head)
        .with_context(|| format!("{} is no slot image", image.display()))?;
    let meta = file.metadata().with_context(reading)?;
    ensure!(
        !meta.is_file() || meta.len() >= length,
        "{} has {} bytes and should have {length} (hint: write the medium anew)",
        image.display(),
        meta.len()
    );
    Ok(length)
}

/// The version in the running slot, else the version of this program, which is in the same image.
fn version(root: &Path) -> String {
    let file = root.join(below_root(SLOT)).join(VERSION);
    let text = fs::read_to_string(file).unwrap_or_default();
    let version = slot_image::version(&text);
    version.unwrap_or(env!("CARGO_PKG_VERSION")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use host::paths::{MEDIUM, SLOT, below_root};

    use super::{Source, image_length, version};

    #[test]
    fn a_machine_without_a_medium_cannot_be_installed() {
        let root = tempfile::tempdir().unwrap();
        let error = Source::find(root.path()).unwrap_err().to_string();
        assert!(error.contains("start it from the ISO"), "{error}");
    }

    #[test]
    fn a_medium_without_boot_files_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let medium = root.path().join(below_root(MEDIUM)).join("paddock");
        fs::create_dir_all(&medium).unwrap();
        fs::write(medium.join("slot.img"), [1; 5000]).unwrap();
        let error = format!("{:#}", Source::find(root.path()).unwrap_err());
        assert!(error.contains("efi.img"), "{error}");
        let error = image_length(&medium.join("slot.img")).unwrap_err();
        assert!(error.to_string().ends_with("is no slot image"), "{error}");
        assert!(image_length(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn the_slot_says_its_version() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(version(root.path()), env!("CARGO_PKG_VERSION"));
        let slot = root.path().join(below_root(SLOT));
        fs::create_dir_all(&slot).unwrap();
        fs::write(slot.join("version"), "version=1.2.3\nbuild_id=abc\n").unwrap();
        assert_eq!(version(root.path()), "1.2.3");
    }
}
