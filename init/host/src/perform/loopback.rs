//! Switches `lo` on by ioctl: one flag does not need iproute2.
#![allow(unsafe_code)]

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::AsRawFd;

const SIOCGIFFLAGS: u16 = 0x8913;
const SIOCSIFFLAGS: u16 = 0x8914;
const IFF_UP: i16 = 1;

/// `struct ifreq` of linux/if.h with its `ifr_flags` member; 40 bytes on every 64-bit kernel.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

nix::ioctl_read_bad!(get_flags, SIOCGIFFLAGS, InterfaceRequest);
nix::ioctl_write_ptr_bad!(set_flags, SIOCSIFFLAGS, InterfaceRequest);

/// Switches the interface `lo` on.
pub(super) fn bring_up() -> Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .context("opening a socket for lo")?;
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: 0,
        rest: [0; 22],
    };
    for (to, from) in request.name.iter_mut().zip(b"lo") {
        *to = *from;
    }
    // SAFETY: the request is a whole `struct ifreq` that lives through both calls.
    unsafe { get_flags(socket.as_raw_fd(), &raw mut request) }
        .context("reading the flags of lo")?;
    request.flags |= IFF_UP;
    // SAFETY: as above; the kernel only reads it.
    unsafe { set_flags(socket.as_raw_fd(), &raw const request) }.context("bringing lo up")?;
    Ok(())
}
