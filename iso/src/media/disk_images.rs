//! The images of a disk with the system installed, in the formats of hypervisors and clouds. `ros install` makes the disk,
//! so it has the layout of every installed machine; its state grows at the first boot.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::build::artifact::Artifact;
use crate::build::command::{Log, argv};
use crate::build::effort::Effort;
use crate::build::files::{remove, write};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::media::{iso, ovf, user_images};

/// The size of the disk. Most of it is the empty state.
const DISK_SIZE: &str = "4G";
const DISK_BYTES: u64 = 4 << 30;
const SCRIPT: &str = include_str!("disk.sh");
/// The OS tree without a disk.
const ROOTFS: &str = "paddock-rootfs.tar.gz";
/// The name of the disk in Google's archive, and of the disk and its description in an appliance.
const GCE_DISK: &str = "disk.raw";
const APPLIANCE_DISK: &str = "paddock-disk1.vmdk";
const APPLIANCE: &str = "paddock.ovf";

/// What the disk is made of.
#[derive(Debug)]
pub(crate) struct DiskSources<'a> {
    /// The OS tree, with the installer in it.
    pub(crate) tree: &'a Artifact,
    pub(crate) tools: &'a Artifact,
    pub(crate) slot_image: &'a Artifact,
    /// For the state of the disk.
    pub(crate) user_images: &'a [Artifact],
    pub(crate) effort: Effort,
    /// The date of the boot files, in seconds since 1970.
    pub(crate) date: u64,
}

/// Makes the images in `dist/`; with `files` only these.
///
/// # Errors
/// A name in `files` is no image.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    sources: &DiskSources<'_>,
    files: &[String],
) -> Result<Vec<Artifact>> {
    let mut known = Format::ALL.map(Format::file).to_vec();
    known.push(ROOTFS);
    let unknown = files.iter().find(|file| !known.contains(&file.as_str()));
    if let Some(unknown) = unknown {
        bail!(
            "{unknown} is no image of a disk; there are {}",
            known.join(", ")
        );
    }
    let is_asked = |file: &str| files.is_empty() || files.iter().any(|asked| asked == file);
    let disk = make_disk(steps, folders, sources)?;
    let mut images = Vec::new();
    for format in Format::ALL {
        if !is_asked(format.file()) {
            continue;
        }
        let step = Step {
            name: &format!("disk/{}", format.file()),
            output: folders.dist.join(format.file()),
            key: Key::of_code(&[include_str!("disk_images.rs"), include_str!("ovf.rs")])
                .texts(&[&disk.key, sources.effort.zstd_level()]),
        };
        let level = sources.effort.zstd_level();
        images.push(steps.run(step, |to, log| format.write(&disk.path, to, level, log))?);
    }
    if !is_asked(ROOTFS) {
        return Ok(images);
    }
    let step = Step {
        name: "rootfs",
        output: folders.dist.join(ROOTFS),
        key: Key::of_code(&[include_str!("disk_images.rs")]).text(&sources.tree.key),
    };
    let tree = &sources.tree.path;
    images.push(steps.run(step, |to, log| {
        log.run(&argv![
            "tar",
            "--numeric-owner",
            "-czf",
            to,
            "-C",
            tree,
            "."
        ])
    })?);
    Ok(images)
}

/// Installs the system to `build/disk.raw`.
fn make_disk(steps: &Steps, folders: &Folders, sources: &DiskSources<'_>) -> Result<Artifact> {
    let step = Step {
        name: "disk",
        output: folders.build.join("disk.raw"),
        key: Key::of_code(&[
            include_str!("disk_images.rs"),
            include_str!("efi_image.rs"),
            include_str!("iso.rs"),
            include_str!("user_images.rs"),
            SCRIPT,
        ])
        .texts(&[&sources.tree.key, &sources.slot_image.key])
        .texts(&user_images::keys(sources.user_images)),
    };
    steps.run(step, |to, log| {
        let medium = folders.build.join("disk-medium");
        remove(&medium)?;
        fs::create_dir_all(&medium).context("making the folder of the medium")?;
        fs::hard_link(&sources.slot_image.path, medium.join("slot.img"))
            .context("adding the slot image")?;
        user_images::add(sources.user_images, &medium)?;
        let efi_image = medium.join("efi.img");
        iso::make_efi_image(&sources.tools.path, sources.date, &efi_image, log)?;
        log.run(&argv![
            "unshare",
            "--mount",
            "sh",
            "-euc",
            SCRIPT,
            "disk",
            &sources.tree.path,
            &medium,
            to,
            DISK_SIZE
        ])?;
        remove(&medium)
    })
}

/// The format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// QEMU, libvirt, Proxmox, OpenStack.
    Qcow2,
    /// A raw disk for `zstd -d … >/dev/sda`.
    RawZstd,
    /// VMware.
    Vmdk,
    /// VirtualBox.
    Vdi,
    /// Hyper-V.
    Vhdx,
    /// Azure, which takes no other.
    Vhd,
    /// Google's cloud.
    Gce,
    /// VirtualBox and VMware: a machine with the disk.
    Ova,
}

impl Format {
    const ALL: [Self; 8] = [
        Self::Qcow2,
        Self::RawZstd,
        Self::Vmdk,
        Self::Vdi,
        Self::Vhdx,
        Self::Vhd,
        Self::Gce,
        Self::Ova,
    ];

    fn file(self) -> &'static str {
        match self {
            Self::Qcow2 => "paddock.qcow2",
            Self::RawZstd => "paddock.raw.zst",
            Self::Vmdk => "paddock.vmdk",
            Self::Vdi => "paddock.vdi",
            Self::Vhdx => "paddock.vhdx",
            Self::Vhd => "paddock.vhd",
            Self::Gce => "paddock-gce.tar.gz",
            Self::Ova => "paddock.ova",
        }
    }

    /// Writes `disk` to the new file `to`.
    fn write(self, disk: &Path, to: &Path, level: &str, log: &Log) -> Result<()> {
        match self {
            Self::Qcow2 => log.run(&convert(
                disk,
                to,
                &["qcow2", "-c", "-o", "compression_type=zstd"],
            )),
            Self::RawZstd => log.run(&argv![
                "zstd",
                "-q",
                "-T0",
                format!("-{level}"),
                disk,
                "-o",
                to
            ]),
            Self::Vmdk => log.run(&convert(
                disk,
                to,
                &["vmdk", "-o", "subformat=streamOptimized"],
            )),
            Self::Vdi => log.run(&convert(disk, to, &["vdi"])),
            Self::Vhdx => log.run(&convert(disk, to, &["vhdx", "-o", "subformat=dynamic"])),
            // Without `force_size` qemu-img rounds the size to what old disks could have.
            Self::Vhd => log.run(&convert(
                disk,
                to,
                &["vpc", "-o", "subformat=fixed,force_size=on"],
            )),
            Self::Gce => in_folder(to, |folder| {
                fs::hard_link(disk, folder.join(GCE_DISK)).context("adding the disk")?;
                log.run(&argv![
                    "tar",
                    "--format=oldgnu",
                    "-Sczf",
                    to,
                    "-C",
                    folder,
                    GCE_DISK
                ])
            }),
            Self::Ova => in_folder(to, |folder| {
                let vmdk = folder.join(APPLIANCE_DISK);
                Self::Vmdk.write(disk, &vmdk, level, log)?;
                let bytes = fs::metadata(&vmdk)
                    .context("reading the appliance's disk")?
                    .len();
                let text = ovf::describe(APPLIANCE_DISK, bytes, DISK_BYTES);
                write(&folder.join(APPLIANCE), text)?;
                // The description must be the first file.
                log.run(&argv![
                    "tar",
                    "--format=ustar",
                    "--owner=0",
                    "--group=0",
                    "-cf",
                    to,
                    "-C",
                    folder,
                    APPLIANCE,
                    APPLIANCE_DISK
                ])
            }),
        }
    }
}

fn convert(disk: &Path, to: &Path, format: &[&str]) -> Vec<OsString> {
    let mut argv = argv!["qemu-img", "convert", "-f", "raw", "-O"];
    argv.extend(format.iter().map(Into::into));
    argv.extend(argv![disk, to]);
    argv
}

/// Runs `work` with a folder beside the file `to`, which it removes afterwards.
fn in_folder(to: &Path, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = to.with_extension("parts");
    remove(&folder)?;
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    work(&folder)?;
    remove(&folder)
}
