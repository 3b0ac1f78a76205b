//! A device that compares each block of another device with a tree of digests when the block is read for the first time:
//! the kernel's dm-verity. A block that differs cannot be read (dm-verity.rst, linux/dm-ioctl.h).
//!
//! The crate `devicemapper` is left out: its build needs libclang, for three requests to the kernel.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The size of a block of the data and of the tree, in bytes.
pub const BLOCK_BYTES: u64 = 4096;

const CONTROL: &str = "/dev/mapper/control";
const NAME: &[u8] = b"paddock-os-image";
const SECTOR_BYTES: u64 = 512;
/// The version of the interface; the kernel refuses another first number.
const VERSION: [u32; 3] = [4, 0, 0];
const READ_ONLY: u32 = 1;
const HASH_DIGITS: usize = 64;

/// `struct dm_ioctl`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_number: u32,
    padding: u32,
    device: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
}

/// `struct dm_target_spec`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Target {
    first_sector: u64,
    sectors: u64,
    status: i32,
    next: u32,
    kind: [u8; 16],
}

/// The longest parameters of a target here.
const PARAMETERS: usize = 512;

/// A request with one target behind its header.
#[repr(C)]
struct Request {
    header: Header,
    target: Target,
    parameters: [u8; PARAMETERS],
}

nix::ioctl_readwrite!(create_device, 0xfd, 3, Header);
nix::ioctl_readwrite!(remove_device, 0xfd, 4, Header);
nix::ioctl_readwrite!(resume_device, 0xfd, 6, Header);
nix::ioctl_readwrite!(load_table, 0xfd, 9, Header);

/// A device whose first blocks are data, with the tree of their digests behind them.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedData<'a> {
    pub node: &'a Path,
    pub blocks: u64,
    /// The digest of the tree's root, SHA-256 in hexadecimal.
    pub root_hash: &'a str,
}

/// The root hash in the value of a word of the kernel line; `None` if it is none.
pub fn root_hash(value: &str) -> Option<&str> {
    let is_hash = value.len() == HASH_DIGITS && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(value)
}

/// Makes the device that checks `data`, and returns its node. The modules `dm_mod` and `dm_verity` must be there.
///
/// # Errors
/// The kernel has no dm-verity, or cannot read the device. Damage shows only when a block is read.
pub fn open(data: VerifiedData<'_>) -> Result<PathBuf> {
    let control = open_control()?;
    let mut header = header(size_of::<Header>());
    // SAFETY: the header is a whole `struct dm_ioctl` without data behind it.
    unsafe { create_device(control.as_raw_fd(), &raw mut header) }
        .context("making the device that checks the OS image")?;
    let node = PathBuf::from(format!("/dev/dm-{}", minor(header.device)));
    if let Err(error) = start(&control, data) {
        let _ = remove(&control);
        return Err(error);
    }
    Ok(node)
}

/// Removes the device, which must not be mounted: another medium's image gets a device of the same name.
pub fn close() -> Result<()> {
    remove(&open_control()?)
}

fn open_control() -> Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).open(CONTROL);
    opened.with_context(|| format!("opening {CONTROL}"))
}

fn remove(control: &File) -> Result<()> {
    let mut header = header(size_of::<Header>());
    // SAFETY: the header is a whole `struct dm_ioctl` without data behind it.
    unsafe { remove_device(control.as_raw_fd(), &raw mut header) }
        .context("removing the device that checks the OS image")?;
    Ok(())
}

fn start(control: &File, data: VerifiedData<'_>) -> Result<()> {
    let mut request = table(data)?;
    // SAFETY: `data_size` of the header is the size of the whole request, which outlives the call.
    unsafe { load_table(control.as_raw_fd(), (&raw mut request).cast::<Header>()) }
        .with_context(|| format!("checking {} by its digests", data.node.display()))?;
    let mut header = header(size_of::<Header>());
    // SAFETY: the header is a whole `struct dm_ioctl` without data behind it.
    unsafe { resume_device(control.as_raw_fd(), &raw mut header) }
        .context("starting the device that checks the OS image")?;
    Ok(())
}

fn header(bytes: usize) -> Header {
    let mut name = [0; 128];
    for (to, from) in name.iter_mut().zip(NAME) {
        *to = *from;
    }
    Header {
        version: VERSION,
        data_size: u32::try_from(bytes).unwrap_or(u32::MAX),
        data_start: u32::try_from(size_of::<Header>()).unwrap_or(u32::MAX),
        target_count: 0,
        open_count: 0,
        flags: READ_ONLY,
        event_number: 0,
        padding: 0,
        device: 0,
        name,
        uuid: [0; 129],
        data: [0; 7],
    }
}

fn table(data: VerifiedData<'_>) -> Result<Request> {
    let text = parameters(data);
    anyhow::ensure!(
        text.len() < PARAMETERS,
        "the name of {} is too long",
        data.node.display()
    );
    let mut parameters = [0; PARAMETERS];
    for (to, from) in parameters.iter_mut().zip(text.as_bytes()) {
        *to = *from;
    }
    let mut kind = [0; 16];
    for (to, from) in kind.iter_mut().zip(b"verity") {
        *to = *from;
    }
    Ok(Request {
        header: Header {
            target_count: 1,
            ..header(size_of::<Request>())
        },
        target: Target {
            first_sector: 0,
            sectors: data.blocks * (BLOCK_BYTES / SECTOR_BYTES),
            status: 0,
            next: 0,
            kind,
        },
        parameters,
    })
}

/// The parameters of the target: the tree begins behind the data, has no head of its own and no salt; a block is checked
/// once.
fn parameters(data: VerifiedData<'_>) -> String {
    let VerifiedData {
        node,
        blocks,
        root_hash,
    } = data;
    let node = node.display();
    format!(
        "1 {node} {node} {BLOCK_BYTES} {BLOCK_BYTES} {blocks} {blocks} sha256 {root_hash} - 1 check_at_most_once"
    )
}

/// The minor number in the kernel's packed form of a device's numbers (`huge_encode_dev`).
fn minor(device: u64) -> u64 {
    (device & 0xff) | ((device >> 12) & 0xf_ff00)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Header, Request, Target, VerifiedData, minor, parameters, root_hash, table};

    #[test]
    fn sizes_are_the_kernels() {
        assert_eq!(size_of::<Header>(), 312);
        assert_eq!(size_of::<Target>(), 40);
        assert_eq!(size_of::<Request>(), 864);
    }

    #[test]
    fn a_table_names_device_blocks_and_root() {
        let data = VerifiedData {
            node: Path::new("/dev/loop1"),
            blocks: 1000,
            root_hash: "ab",
        };
        assert_eq!(
            parameters(data),
            "1 /dev/loop1 /dev/loop1 4096 4096 1000 1000 sha256 ab - 1 check_at_most_once"
        );
        let table = table(data).unwrap();
        assert_eq!((table.target.sectors, table.header.data_size), (8000, 864));
    }

    #[test]
    fn a_root_hash_has_64_digits() {
        let hash = "078c9531e0e2eeb99e114763ebb887aa608333a18cb18857d711fa7da9d1c4f5";
        assert_eq!(root_hash(hash), Some(hash));
        for value in ["no", "", &hash[1..], &hash.replace('7', "x")] {
            assert_eq!(root_hash(value), None, "{value}");
        }
    }

    #[test]
    fn a_minor_number_is_unpacked() {
        for (device, expected) in [(0xfe00, 0), (0xfe05, 5), (0x10_fe05, 0x105)] {
            assert_eq!(minor(device), expected, "{device:#x}");
        }
    }
}
