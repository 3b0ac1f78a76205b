//! The EFI system partition of the ISO: a FAT image with Debian's signed shim and GRUB.
//!
//! It is a file of the ISO, so the ISO holds the bytes once: the firmware starts it, and `ros install` copies both boot
//! loaders from it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::command::{Log, argv};
use crate::build::dates;
use crate::build::files::{remove, write};

/// The boot loaders: the file in the unpacked tools, and the file in the image. shim starts the GRUB beside it.
const BOOT_LOADERS: [(&str, &str); 2] = [
    ("usr/lib/shim/shimx64.efi.signed", "EFI/BOOT/BOOTX64.EFI"),
    (
        "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
        "EFI/BOOT/grubx64.efi",
    ),
];

/// The configuration that Debian's signed GRUB reads: it was built for this folder.
pub(crate) const GRUB_CFG: &str = "EFI/debian/grub.cfg";

const FOLDERS: [&str; 3] = ["EFI", "EFI/BOOT", "EFI/debian"];

/// The size of a cluster, in bytes and in sectors.
const CLUSTER: u64 = 2048;
const CLUSTER_SECTORS: &str = "4";
/// Room for the tables of FAT and for the folders, in KiB.
const TABLES_KIB: u64 = 40;
/// mkfs.vfat leaves less than a track unused at the end; a track of its own has this size in KiB.
const TRACK_KIB: u64 = 16;

/// The content of the image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EfiImage<'a> {
    /// The folder of the unpacked tools.
    pub(crate) tools: &'a Path,
    /// GRUB's configuration.
    pub(crate) grub_cfg: &'a str,
    /// The date of the files, in seconds since 1970.
    pub(crate) date: u64,
}

impl EfiImage<'_> {
    /// Writes the image to the new file `to`, no larger than its files need.
    pub(crate) fn make(&self, to: &Path, log: &Log) -> Result<()> {
        let grub_cfg = to.with_extension("cfg");
        write(&grub_cfg, self.grub_cfg)?;
        let mut files: Vec<(PathBuf, &str)> = BOOT_LOADERS
            .iter()
            .map(|(from, name)| (self.tools.join(from), *name))
            .collect();
        files.push((grub_cfg.clone(), GRUB_CFG));
        let sizes: Vec<u64> = files
            .iter()
            .map(|(from, _)| {
                let about = fs::metadata(from);
                Ok(about
                    .with_context(|| format!("reading {}", from.display()))?
                    .len())
            })
            .collect::<Result<_>>()?;
        log.run(&argv![
            "/sbin/mkfs.vfat",
            "-C",
            "-F",
            "12",
            "-s",
            CLUSTER_SECTORS,
            "-n",
            "EFI",
            "-i",
            "50414444",
            "--invariant",
            to,
            size_kib(&sizes).to_string()
        ])?;
        let mut folders = argv!["mmd", "-i", to];
        folders.extend(FOLDERS.map(|folder| format!("::{folder}").into()));
        log.run(&dates::at(self.date, folders))?;
        for (from, name) in files {
            let copy = argv!["mcopy", "-i", to, from, format!("::{name}")];
            log.run(&dates::at(self.date, copy))?;
        }
        remove(&grub_cfg)
    }
}

/// The size of an image for files of these sizes in bytes.
fn size_kib(sizes: &[u64]) -> u64 {
    let clusters: u64 = sizes.iter().map(|size| size.div_ceil(CLUSTER)).sum();
    (clusters * CLUSTER / 1024 + TABLES_KIB).next_multiple_of(TRACK_KIB)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{BOOT_LOADERS, EfiImage, size_kib};
    use crate::build::command::{Log, argv};
    use crate::build::files::write;

    /// Writes stand-ins for the boot loaders into the folder `tools`.
    fn write_boot_loaders(tools: &Path) {
        for (file, size) in BOOT_LOADERS.iter().zip([9000, 90_000]) {
            write(&tools.join(file.0), vec![1; size]).unwrap();
        }
    }

    #[test]
    fn two_builds_give_the_same_bytes_with_the_date_of_the_parts() {
        let temporary = tempfile::tempdir().unwrap();
        let tools = temporary.path().join("tools");
        let log = Log::create(temporary.path().join("log")).unwrap();
        write_boot_loaders(&tools);
        let image = EfiImage {
            tools: &tools,
            grub_cfg: "configfile\n",
            date: 1_700_000_000,
        };
        let (first, second) = (temporary.path().join("1"), temporary.path().join("2"));
        image.make(&first, &log).unwrap();
        log.run(&argv![
            "touch",
            "--date",
            "2027-02-02 02:02",
            tools.join(BOOT_LOADERS[0].0)
        ])
        .unwrap();
        image.make(&second, &log).unwrap();
        assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap());
        for folder in ["::EFI/BOOT", "::EFI/debian"] {
            let listed = log.output(&argv!["mdir", "-i", &first, folder]).unwrap();
            assert!(listed.contains("2023-11-14"), "{listed}");
        }
        let cfg = argv!["mtype", "-i", &first, "::EFI/debian/grub.cfg"];
        assert_eq!(log.output(&cfg).unwrap(), "configfile");
    }

    /// The tables and folders of the image take 30 KiB of [`super::TABLES_KIB`].
    #[test]
    fn the_image_is_as_large_as_its_files() {
        assert_eq!(size_kib(&[1_036_152, 2_684_352, 120]), 3680);
        assert_eq!(size_kib(&[1, 1, 1]), 48);
    }
}
