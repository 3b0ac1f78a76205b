//! Finds the OS image and mounts it. The image is a file inside the initrd (netboot), a file on a medium, or a
//! filesystem of its own on a device.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::plan::mounts;
use host::block::{self, Device, DeviceName};
use host::kernel_line;
use host::modules::Modules;
use host::paths::MEDIUM;
use host::perform;
use host::perform::{loop_device, unmount};

/// The OS image inside a netboot initrd.
const EMBEDDED: &str = "/os.img";
/// The OS image on a medium, from the medium's root.
const ON_MEDIUM: &str = "paddock/os.img";
const DEFAULT_LABEL: &str = "LABEL=PADDOCK";
/// USB sticks and SAS controllers can take this long to show their disks.
const OS_IMAGE_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Mounts the OS image and returns where it was found.
///
/// `paddock.image=` names another device than the default label. The search goes on loading drivers, because a
/// controller's disks appear only after the controller's driver.
pub(crate) fn find_and_mount(line: &str, modules: &mut Modules) -> Result<String> {
    // The module of the image's own filesystem is loaded when its type is known.
    for module in ["loop", "overlay"] {
        if let Err(error) = modules.load(module, "") {
            log::debug!("{error:#}");
        }
    }
    if Path::new(EMBEDDED).exists() {
        check_complete(Path::new(EMBEDDED))?;
        mount_file(Path::new(EMBEDDED), modules)?;
        return Ok("inside the initrd".to_owned());
    }
    let wanted =
        DeviceName::parse(kernel_line::value(line, "paddock.image").unwrap_or(DEFAULT_LABEL));
    let started = Instant::now();
    let mut refused: Vec<(PathBuf, String)> = Vec::new();
    while started.elapsed() < OS_IMAGE_TIMEOUT {
        modules.load_for_hardware(Path::new("/"), |_| true);
        for device in block::find(Path::new("/"), &wanted) {
            if refused.iter().any(|(node, _)| *node == device.node) {
                continue;
            }
            match mount_from(&device, modules) {
                Ok(()) => return Ok(device.node.display().to_string()),
                Err(error) => refused.push((device.node, format!("{error:#}"))),
            }
        }
        sleep(POLL_INTERVAL);
    }
    Err(not_found(&wanted, &refused))
}

fn not_found(wanted: &DeviceName, refused: &[(PathBuf, String)]) -> anyhow::Error {
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

fn mount_from(device: &Device, modules: &mut Modules) -> Result<()> {
    let fstype = device.superblock.fstype;
    let _ = modules.load(fstype, "");
    if matches!(fstype, "squashfs" | "erofs") {
        return mount_image(&device.node, fstype);
    }
    perform::run_step(&mounts::read_only(&device.node, MEDIUM, fstype))?;
    let file = Path::new(MEDIUM).join(ON_MEDIUM);
    let mounted = check_complete(&file).and_then(|()| mount_file(&file, modules));
    if mounted.is_err() {
        // The next device is mounted on the same folder.
        unmount::try_unmount(Path::new(MEDIUM));
    }
    mounted
}

fn mount_file(file: &Path, modules: &mut Modules) -> Result<()> {
    let found = block::read_superblock(file)
        .with_context(|| format!("reading {}: neither squashfs nor erofs", file.display()))?;
    let _ = modules.load(found.fstype, "");
    let (node, _handle) = loop_device::attach(file)?;
    mount_image(&node, found.fstype)
}

fn mount_image(node: &Path, fstype: &str) -> Result<()> {
    perform::run_plan(&mounts::os_image(node, fstype), |text| log::warn!("{text}"))
}

/// Refuses an image that is cut short: the kernel truncates a netboot image that does not fit into memory and
/// reports nothing.
fn check_complete(file: &Path) -> Result<()> {
    let bytes = std::fs::metadata(file)
        .with_context(|| format!("reading {}", file.display()))?
        .len();
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
