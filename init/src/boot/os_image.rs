//! Finds the OS image and mounts it. The image is a file inside the initrd (netboot), a file in a slot image (a
//! partition of a disk, or a file on a medium), or a filesystem of its own on a device.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::boot::slot_table;
use crate::plan::mounts;
use host::block::verity::{self, VerifiedData};
use host::block::{self, Device, DeviceName};
use host::console;
use host::kernel_line;
use host::modules::Modules;
use host::paths::{MEDIUM, OS_IMAGE, SLOT};
use host::perform;
use host::perform::loop_device::{self, Access};
use host::perform::mount::mount_and_move;
use host::perform::unmount;
use host::proc::memory::Memory;
use host::process::deadline;
use host::slot::start::{self, SlotStart};
use os_config::bounded_file;

/// The OS image inside a netboot initrd.
const EMBEDDED: &str = "/os.img";
/// The slot image on a medium, from the medium's root.
const ON_MEDIUM: &str = "paddock/slot.img";
/// The OS image in a slot image.
const IN_SLOT: &str = "os.img";
/// The driver of a slot image's filesystem, ext2.
const SLOT_DRIVER: &str = "ext4";
/// The build that an initrd belongs to, and its OS image.
const BUILD_ID: &str = "build-id";
/// The memory that a machine needs beside a copy of the OS image.
const RESERVE: u64 = 256 << 20;
const DEFAULT_LABEL: &str = "LABEL=PADDOCK";
/// USB sticks and SAS controllers can take this long to show their disks.
const OS_IMAGE_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long a disk with the right GUID but without GRUB's last write is taken for a copy of the machine's own.
const COPY_TIMEOUT: Duration = Duration::from_secs(10);
/// The limit for each mount and look at a medium. A CD drive may have to spin up first.
const MEDIUM_TIMEOUT: Duration = Duration::from_secs(30);

/// What the kernel line says of the OS image in a slot.
#[derive(Clone, Copy)]
struct ImageOptions<'a> {
    /// Copy it to memory.
    to_ram: bool,
    /// The digest that it is checked by.
    root_hash: Option<&'a str>,
}

/// The device that the OS image is looked for on.
enum ImageLocation {
    /// The slot that GRUB has started.
    Slot(SlotStart),
    /// A medium, or a device with the image itself.
    Device(DeviceName),
}

impl ImageLocation {
    /// `paddock.image=` names another device than the slot, or than the default label.
    fn of_line(line: &str) -> Self {
        match (kernel_line::value(line, "paddock.image"), start::read(line)) {
            (Some(name), _) => Self::Device(DeviceName::parse(name)),
            (None, Some(start)) => Self::Slot(start),
            (None, None) => Self::Device(DeviceName::parse(DEFAULT_LABEL)),
        }
    }
}

impl fmt::Display for ImageLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(start) => write!(f, "slot {} of the disk with {}", start.slot, start.esp),
            Self::Device(name) => write!(f, "{name}"),
        }
    }
}

/// Mounts the OS image and returns where it was found.
///
/// The search goes on loading drivers, because a controller's disks appear only after the controller's driver.
pub(crate) fn find_and_mount(line: &str, modules: &mut Modules) -> Result<String> {
    // The module of the image's own filesystem is loaded when its type is known.
    for module in ["loop", "overlay"] {
        if let Err(error) = modules.load(module, "") {
            log::debug!("{error:#}");
        }
    }
    if Path::new(EMBEDDED).exists() {
        check_complete(Path::new(EMBEDDED))?;
        mount_file(Path::new(EMBEDDED), Access::Cached, None, modules)?;
        return Ok("inside the initrd".to_owned());
    }
    let wanted = ImageLocation::of_line(line);
    let options = ImageOptions {
        to_ram: kernel_line::is_on(line, "paddock.toram"),
        root_hash: kernel_line::value(line, "paddock.verity").and_then(verity::root_hash),
    };
    let started = Instant::now();
    let mut refused: Vec<(PathBuf, String)> = Vec::new();
    while started.elapsed() < OS_IMAGE_TIMEOUT {
        modules.load_for_hardware(Path::new("/"), |_| true);
        match &wanted {
            ImageLocation::Slot(start) => {
                // GRUB has read the slot, so there is no other to try.
                if let Some((mut environment, partition)) = slot_table::find(start)
                    && (slot_table::is_certain(&environment, start)
                        || started.elapsed() > COPY_TIMEOUT)
                {
                    slot_table::repair(&mut environment, start, line);
                    mount_slot(&partition, modules).and_then(|()| {
                        mount_os_file(&in_slot(), Access::Cached, options, modules)
                    })?;
                    return Ok(format!("slot {}, {}", start.slot, partition.display()));
                }
            }
            ImageLocation::Device(name) => {
                for device in block::find(Path::new("/"), name) {
                    if refused.iter().any(|(node, _)| *node == device.node) {
                        continue;
                    }
                    match mount_from(&device, options, modules) {
                        Ok(()) => return Ok(device.node.display().to_string()),
                        Err(error) => refused.push((device.node, format!("{error:#}"))),
                    }
                }
            }
        }
        sleep(POLL_INTERVAL);
    }
    Err(not_found(&wanted, &refused))
}

fn not_found(wanted: &ImageLocation, refused: &[(PathBuf, String)]) -> anyhow::Error {
    let seen: Vec<String> = block::devices(Path::new("/"))
        .iter()
        .map(|d| {
            format!(
                "{} ({} {:?})",
                d.node.display(),
                d.superblock.fstype,
                d.superblock.label
            )
        })
        .collect();
    let mut text = format!(
        "looking for the OS image on {wanted}: no such device in {} s",
        OS_IMAGE_TIMEOUT.as_secs()
    );
    for (node, why) in refused {
        text.push_str(&format!("; {}: {why}", node.display()));
    }
    if seen.is_empty() {
        text.push_str("; no disk at all was found");
    } else {
        text.push_str(&format!("; disks seen: {}", seen.join(", ")));
    }
    text.push_str(
        "\nhint: name the device with paddock.image=LABEL=…, UUID=… or /dev/… on the kernel line",
    );
    anyhow::anyhow!(text)
}

fn mount_from(device: &Device, options: ImageOptions<'_>, modules: &mut Modules) -> Result<()> {
    let fstype = device.superblock.fstype;
    let _ = modules.load(fstype, "");
    if matches!(fstype, "squashfs" | "erofs") {
        let copy = options.to_ram.then(|| copy_to_memory(&device.node));
        return match copy.flatten() {
            Some(copy) => mount_file(&copy, Access::Cached, None, modules),
            None => mount_image(&device.node, fstype),
        };
    }
    let medium = mounts::read_only(&device.node, MEDIUM, fstype);
    mount_and_move(MEDIUM_TIMEOUT, &medium)?;
    let file = Path::new(MEDIUM).join(ON_MEDIUM);
    let mounted = mount_slot_file(&file, modules)
        // The kernel keeps the compressed blocks once: below the slot image, as part of the medium's file.
        .and_then(|()| mount_os_file(&in_slot(), Access::Direct, options, modules));
    if mounted.is_err() {
        detach_medium();
    }
    mounted
}

/// The OS image in the slot that is mounted.
fn in_slot() -> PathBuf {
    Path::new(SLOT).join(IN_SLOT)
}

/// Mounts the file of a slot image.
fn mount_slot_file(file: &Path, modules: &mut Modules) -> Result<()> {
    let attached = {
        let file = file.to_owned();
        let name = format!("read {}", file.display());
        let attach = move || loop_device::attach(&file, Access::Cached);
        deadline::run(MEDIUM_TIMEOUT, &name, attach, drop)?
    };
    let (node, _handle) = attached;
    mount_slot(&node, modules)
}

fn mount_slot(node: &Path, modules: &mut Modules) -> Result<()> {
    let _ = modules.load(SLOT_DRIVER, "");
    mount_and_move(MEDIUM_TIMEOUT, &mounts::read_only(node, SLOT, SLOT_DRIVER))
}

/// Mounts the OS image in `file`, or a copy of it in memory.
fn mount_os_file(
    file: &Path,
    access: Access,
    options: ImageOptions<'_>,
    modules: &mut Modules,
) -> Result<()> {
    check_complete_in_time(file)?;
    let root_hash = options.root_hash;
    match options.to_ram.then(|| copy_to_memory(file)).flatten() {
        Some(copy) => {
            mount_file(&copy, Access::Cached, root_hash, modules)?;
            // The medium may go.
            detach_medium();
            Ok(())
        }
        None => mount_file(file, access, root_hash, modules),
    }
}

/// Unmounts the medium and the slot on it: the medium may go, or the next device is mounted on the same folders.
fn detach_medium() {
    for folder in [SLOT, MEDIUM] {
        unmount::detach_below(Path::new(folder));
    }
}

/// Copies an OS image to memory, so that its medium may go. Without enough memory the machine runs from the medium.
fn copy_to_memory(image: &Path) -> Option<PathBuf> {
    let copied = try_copy_to_memory(image);
    if let Err(error) = &copied {
        console::print_line(&format!(
            "ros: paddock.toram: {error:#}; the medium must stay"
        ));
    }
    copied.ok()
}

fn try_copy_to_memory(image: &Path) -> Result<PathBuf> {
    let reading = || format!("reading {}", image.display());
    let found = std::fs::metadata(image).with_context(reading)?;
    // Behind the filesystem in a file are its digests; behind a filesystem on a device is nothing of use.
    let bytes = match squashfs_bytes(image).filter(|_| !found.is_file()) {
        Some(bytes) => bytes,
        None => found.len(),
    };
    let bytes = whole_blocks(bytes);
    let free = Memory::read(Path::new("/")).available_kib << 10;
    anyhow::ensure!(
        bytes + RESERVE <= free,
        "the OS image has {} MB, and {} MB of memory are free",
        bytes >> 20,
        free >> 20
    );
    let (folder, step) = mounts::image_in_memory(bytes);
    perform::run_step(&step)?;
    let copy = folder.join("os.img");
    let mut source = File::open(image).with_context(reading)?.take(bytes);
    let mut file = File::create(&copy).with_context(|| format!("making {}", copy.display()))?;
    std::io::copy(&mut source, &mut file).with_context(reading)?;
    file.set_len(bytes)
        .with_context(|| format!("sizing {}", copy.display()))?;
    Ok(copy)
}

/// The size of a block device for so many bytes. A loop device leaves out the part of a block at the end of its file, and
/// the kernel refuses a squashfs that is longer than its device.
fn whole_blocks(bytes: u64) -> u64 {
    const BLOCK: u64 = 4096;
    bytes.next_multiple_of(BLOCK)
}

/// Mounts the OS image in `file`; with a root hash each block is checked when it is read.
fn mount_file(
    file: &Path,
    access: Access,
    root_hash: Option<&str>,
    modules: &mut Modules,
) -> Result<()> {
    let found = block::read_superblock(file)
        .with_context(|| format!("reading {}: neither squashfs nor erofs", file.display()))?;
    let _ = modules.load(found.fstype, "");
    let (node, _handle) = loop_device::attach(file, access)?;
    let node = match root_hash {
        Some(root_hash) => check_blocks(file, &node, root_hash, modules)?,
        None => node,
    };
    let mounted = mount_image(&node, found.fstype);
    if mounted.is_err()
        && root_hash.is_some()
        && let Err(error) = verity::close()
    {
        log::debug!("{error:#}");
    }
    mounted
}

/// Makes a device of the OS image in `file`, which `node` shows, that gives only blocks with the right digest.
fn check_blocks(
    file: &Path,
    node: &Path,
    root_hash: &str,
    modules: &mut Modules,
) -> Result<PathBuf> {
    const HINT: &str = "paddock.verity=no on the kernel line leaves the check out";
    let bytes = squashfs_bytes(file)
        .with_context(|| format!("{} has no digests (hint: {HINT})", file.display()))?;
    let data = VerifiedData {
        node,
        blocks: whole_blocks(bytes) / verity::BLOCK_BYTES,
        root_hash,
    };
    modules
        .load("dm-verity", "")
        .and_then(|()| verity::open(data))
        .with_context(|| format!("checking the OS image (hint: {HINT})"))
}

/// Mounts an image of this build. Nothing stays mounted of another: the next device has the same folders.
fn mount_image(node: &Path, fstype: &str) -> Result<()> {
    // The plan finds its first mount done.
    mount_and_move(MEDIUM_TIMEOUT, &mounts::read_only(node, OS_IMAGE, fstype))?;
    let plan = mounts::os_image(node, fstype);
    let mounted = perform::run_plan(&plan, |text| log::warn!("{text}"))
        .and_then(|()| check_build(Path::new("/"), Path::new(OS_IMAGE)));
    if mounted.is_err() {
        for folder in mounts::os_image_folders() {
            unmount::detach_below(Path::new(folder));
        }
    }
    mounted
}

/// Refuses an image of another build: it has no drivers for this kernel, and its programs expect another init.
fn check_build(initrd: &Path, image: &Path) -> Result<()> {
    // An initrd that was made by hand has none.
    let Ok(wanted) = std::fs::read_to_string(initrd.join(BUILD_ID)) else {
        return Ok(());
    };
    let found = bounded_file::text(&image.join(BUILD_ID)).unwrap_or_default();
    anyhow::ensure!(
        found == wanted,
        "its OS image is of another version than kernel and initrd"
    );
    Ok(())
}

/// [`check_complete`] with a limit: a medium can stop answering at any block.
fn check_complete_in_time(file: &Path) -> Result<()> {
    let (name, checked) = (format!("read {}", file.display()), file.to_owned());
    deadline::run(
        MEDIUM_TIMEOUT,
        &name,
        move || check_complete(&checked),
        drop,
    )
}

/// Refuses a file that is no regular file, and an image that is cut short: the kernel truncates a netboot image that does
/// not fit into memory and reports nothing.
fn check_complete(file: &Path) -> Result<()> {
    let reading = || format!("reading {}", file.display());
    let opened = bounded_file::open(file).with_context(reading)?;
    let bytes = opened.metadata().with_context(reading)?.len();
    let wanted = squashfs_bytes(file).unwrap_or(0);
    let mib = 1 << 20;
    anyhow::ensure!(
        wanted <= bytes,
        "{} is cut short at {} of {} MB: this machine has too little memory, it needs {} MB to boot this way",
        file.display(),
        bytes / mib,
        wanted / mib,
        (wanted * 2) / mib + 256,
    );
    Ok(())
}

/// `bytes_used` of a squashfs superblock, offset 40.
fn squashfs_bytes(file: &Path) -> Option<u64> {
    use std::os::unix::fs::FileExt;
    let mut head = [0_u8; 48];
    std::fs::File::open(file)
        .ok()?
        .read_exact_at(&mut head, 0)
        .ok()?;
    if !head.starts_with(b"hsqs") {
        return None;
    }
    Some(u64::from_le_bytes(head.get(40..48)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{check_build, check_complete, whole_blocks};
    use std::fs;

    #[test]
    fn a_pipe_is_no_image() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("os.img");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = format!("{:#}", check_complete(&pipe).unwrap_err());
        assert!(error.ends_with("it is no regular file"), "{error}");
    }

    #[test]
    fn a_copy_of_an_image_fills_its_last_block() {
        for (bytes, expected) in [(8192, 8192), (8193, 12288), (12287, 12288)] {
            assert_eq!(whole_blocks(bytes), expected);
        }
    }

    #[test]
    fn an_image_of_another_build_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (initrd, image) = (folder.path().join("initrd"), folder.path().join("image"));
        for (of_initrd, of_image, expected) in [
            (Some("one"), Some("one"), true),
            (Some("one"), Some("two"), false),
            (Some("one"), None, false),
            (None, Some("two"), true),
        ] {
            for (place, id) in [(&initrd, of_initrd), (&image, of_image)] {
                let _ = fs::remove_dir_all(place);
                fs::create_dir(place).unwrap();
                if let Some(id) = id {
                    fs::write(place.join("build-id"), id).unwrap();
                }
            }
            let checked = check_build(&initrd, &image);
            assert_eq!(checked.is_ok(), expected, "{of_initrd:?} {of_image:?}");
        }
    }
}
