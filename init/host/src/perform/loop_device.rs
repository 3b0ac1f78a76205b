//! Makes a block device of a file, such as the OS image on a CD or in the initrd: a read-only loop device. Uses the
//! kernel's own interface (loop(4), `LOOP_CONFIGURE`), since losetup is not in the initrd.
//!
//! The crate `loopdev-3` is left out: its build needs libclang, for a few requests to the kernel.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use os_config::bounded_file;

const LOOP_CONFIGURE: u16 = 0x4C0A;
const LOOP_CTL_GET_FREE: u16 = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const LO_FLAGS_DIRECT_IO: u32 = 16;
/// Another process may take the free device between asking and configuring.
const TRIES: usize = 16;

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    sizelimit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

nix::ioctl_none_bad!(get_free, LOOP_CTL_GET_FREE);
nix::ioctl_write_ptr_bad!(configure, LOOP_CONFIGURE, LoopConfig);

/// How a loop device reads its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The kernel keeps what it has read of the file.
    Cached,
    /// The filesystem of the file does not keep it. A file on another loop device is kept there already. A filesystem
    /// that has no such access reads as with [`Access::Cached`].
    Direct,
}

/// Binds `file` to a free loop device, read-only; the device goes away with its last mount.
///
/// The returned handle keeps the device configured until it is mounted.
pub fn attach(file: &Path, access: Access) -> Result<(PathBuf, File)> {
    let backing =
        bounded_file::open(file).with_context(|| format!("opening {}", file.display()))?;
    let control = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/loop-control")
        .context("opening /dev/loop-control")?;
    for _ in 0..TRIES {
        // SAFETY: LOOP_CTL_GET_FREE takes no argument; the descriptor is open for the call.
        let number =
            unsafe { get_free(control.as_raw_fd()) }.context("asking for a free loop device")?;
        let node = PathBuf::from(format!("/dev/loop{number}"));
        let device = File::open(&node).with_context(|| format!("opening {}", node.display()))?;
        let config = read_only(&backing, access);
        // SAFETY: `config` is a whole `struct loop_config` and outlives the call; the kernel only reads it.
        match unsafe { configure(device.as_raw_fd(), &raw const config) } {
            Ok(_) => return Ok((node, device)),
            Err(Errno::EBUSY) => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("binding {} to {}", file.display(), node.display()));
            }
        }
    }
    anyhow::bail!(
        "binding {}: every loop device offered was taken at once",
        file.display()
    )
}

fn read_only(backing: &File, access: Access) -> LoopConfig {
    let direct = match access {
        Access::Cached => 0,
        Access::Direct => LO_FLAGS_DIRECT_IO,
    };
    LoopConfig {
        fd: backing.as_raw_fd().unsigned_abs(),
        block_size: 0,
        info: LoopInfo {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset: 0,
            sizelimit: 0,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | direct,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        },
        reserved: [0; 8],
    }
}

#[cfg(test)]
mod tests {
    use super::{LoopConfig, LoopInfo};

    #[test]
    fn sizes_are_the_kernels() {
        assert_eq!(size_of::<LoopInfo>(), 232);
        assert_eq!(size_of::<LoopConfig>(), 304);
    }
}
