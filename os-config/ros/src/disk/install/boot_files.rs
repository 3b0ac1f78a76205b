//! The files that start an installed machine: shim and GRUB from the medium or from the machine's own disk, the others
//! from the OS root.

use std::fs;
use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use disk::boot_menu::grub_cfg;
use disk::esp;
use disk::slots::SlotTable;
use fatfs::{FileSystem, FsOptions};
use host::paths::{BOOT_FILES, below_root};

/// The most bytes of an image of an EFI system partition on a medium. It is read into memory.
const LARGEST_EFI_IMAGE: u64 = 64 << 20;

/// The content of the boot files.
#[derive(Clone, Debug, Default)]
pub(super) struct BootFiles {
    shim: Vec<u8>,
    grub: Vec<u8>,
    mok_manager: Vec<u8>,
    /// The key of the slots' signatures.
    rot_key: Vec<u8>,
    /// For the first sector of the disk.
    pub(super) boot_image: Vec<u8>,
    /// For the partition of BIOS.
    pub(super) core_image: Vec<u8>,
}

impl BootFiles {
    /// Reads them, with shim and GRUB from the image of an EFI system partition.
    pub(super) fn from_image(root: &Path, efi_image: &Path) -> Result<Self> {
        let reading = || format!("reading {}", efi_image.display());
        let bytes = fs::metadata(efi_image).with_context(reading)?.len();
        ensure!(
            bytes <= LARGEST_EFI_IMAGE,
            "{} is too large: {bytes} bytes",
            efi_image.display()
        );
        let image = fs::read(efi_image).with_context(reading)?;
        Self::from_partition(root, Cursor::new(image)).with_context(reading)
    }

    /// Reads them, with shim and GRUB from an EFI system partition. Nothing is written to it.
    pub(super) fn from_partition(root: &Path, partition: impl Read + Write + Seek) -> Result<Self> {
        let esp = FileSystem::new(partition, FsOptions::new())
            .context("looking for the filesystem of the boot loader")?;
        let from_esp = |path: &str| {
            let mut bytes = Vec::new();
            let mut file = esp.root_dir().open_file(path)?;
            file.read_to_end(&mut bytes)?;
            std::io::Result::Ok(bytes)
        };
        let from_esp = |path: &str| from_esp(path).with_context(|| format!("reading {path}"));
        let folder = root.join(below_root(BOOT_FILES));
        let from_root = |name: &str| {
            let file = folder.join(name);
            fs::read(&file).with_context(|| format!("reading {}", file.display()))
        };
        Ok(Self {
            shim: from_esp(esp::SHIM)?,
            grub: from_esp(esp::GRUB)?,
            mok_manager: from_root("mmx64.efi")?,
            rot_key: from_root("rot.pub")?,
            boot_image: from_root("boot.img")?,
            core_image: from_root("core.img")?,
        })
    }

    /// The files of the EFI system partition by their paths. `kernel_line` is the file with the machine's own words.
    pub(super) fn of_esp(&self, kernel_line: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let table = SlotTable::new().render();
        let [first, second] = esp::ENVIRONMENTS;
        vec![
            (esp::SHIM, self.shim.clone()),
            (esp::GRUB, self.grub.clone()),
            (esp::MOK_MANAGER, self.mok_manager.clone()),
            (esp::GRUB_CFG, grub_cfg().into_bytes()),
            (first, table.clone()),
            (second, table),
            (esp::KERNEL_LINE, kernel_line.to_vec()),
            (esp::ROT_KEY, self.rot_key.clone()),
        ]
    }
}
