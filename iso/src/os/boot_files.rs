//! The files of an installation that no slot image holds: GRUB for BIOS, MokManager and the key against rot. `ros install`
//! writes them to a disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build::command::Log;
use crate::build::files::write;
use crate::debian::grub::{self, BIOS_FOLDER, BiosImage};

/// The folder in the OS root; PID 1 and `ros` know it as `host::paths::BOOT_FILES`.
const FOLDER: &str = "usr/share/ros/boot";

/// GRUB for BIOS with the modules that the menu of a disk uses. The prefix is the folder of `grub.cfg` on the EFI system
/// partition of whichever disk GRUB was started from.
const CORE: BiosImage<'_> = BiosImage {
    format: "i386-pc",
    prefix: "(,gpt2)/EFI/debian",
    modules: &[
        "biosdisk",
        "boot",
        "cat",
        "configfile",
        "echo",
        "ext2",
        "fat",
        "gcry_rsa",
        "gcry_sha1",
        "gcry_sha256",
        "gcry_sha512",
        "halt",
        "hashsum",
        "linux",
        "loadenv",
        "ls",
        "minicmd",
        "normal",
        "part_gpt",
        "part_msdos",
        "pgp",
        "probe",
        "reboot",
        "regexp",
        "search",
        "serial",
        "sleep",
        "terminal",
        "test",
        "true",
    ],
};

/// MokManager, which shim starts for the owner's own keys; shim takes only a signed one.
const MOK_MANAGER: &str = "usr/lib/shim/mmx64.efi.signed";

/// The sources of the files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BootFiles<'a> {
    /// The folder of the unpacked tools.
    pub(crate) tools: &'a Path,
    /// The public key with which GRUB checks the files of a slot, as OpenPGP writes it.
    pub(crate) rot_key: &'a [u8],
}

impl BootFiles<'_> {
    /// Writes the files into the OS root `root`.
    pub(crate) fn install(&self, root: &Path, log: &Log) -> Result<()> {
        let folder = root.join(FOLDER);
        let copies = [
            ("boot.img", self.tools.join(BIOS_FOLDER).join("boot.img")),
            ("mmx64.efi", self.tools.join(MOK_MANAGER)),
        ];
        for (name, from) in copies {
            let content = fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
            write(&folder.join(name), content)?;
        }
        write(&folder.join("rot.pub"), self.rot_key)?;
        grub::make_bios_image(self.tools, &CORE, &folder.join("core.img"), log)?;
        for name in ["boot.img", "core.img", "mmx64.efi", "rot.pub"] {
            let file = folder.join(name);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644))
                .with_context(|| format!("setting the mode of {}", file.display()))?;
        }
        Ok(())
    }
}
