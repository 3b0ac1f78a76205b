//! Makes swap space of a device: the head that mkswap(8) writes, and the request of swapon(2). PID 1 starts no program for
//! it.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;

/// The size of a page, and of the head in the first page.
const PAGE_BYTES: usize = 4096;
/// The bytes of the head that are left to a boot loader.
const BOOT_BYTES: usize = 1024;
const VERSION: u32 = 1;
/// The end of the head.
const SIGNATURE: &[u8] = b"SWAPSPACE2";
/// `SWAP_FLAG_PREFER` of linux/swap.h: the other bits are a priority.
const WITH_PRIORITY: i32 = 0x8000;
/// Swap space without a priority has a negative number, and is used later.
const PRIORITY: i32 = 100;

/// Makes the whole of `device` swap space. What it held is lost.
pub(super) fn enable(device: &Path) -> Result<()> {
    write_head(device)
        .and_then(|()| begin_use(device))
        .with_context(|| format!("making swap space of {}", device.display()))
}

fn write_head(device: &Path) -> Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(device)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    file.write_all_at(&head(bytes)?, 0)?;
    file.sync_all()?;
    Ok(())
}

/// The head of swap space of so many bytes, `union swap_header` of linux/swap.h: version, number of the last page, no bad
/// pages, no UUID and no label.
fn head(bytes: u64) -> Result<Vec<u8>> {
    let last_page = (bytes / PAGE_BYTES as u64)
        .checked_sub(1)
        .and_then(|page| u32::try_from(page).ok())
        .with_context(|| format!("it has {bytes} bytes"))?;
    let mut head = vec![0_u8; BOOT_BYTES];
    head.extend(VERSION.to_ne_bytes());
    head.extend(last_page.to_ne_bytes());
    head.resize(PAGE_BYTES - SIGNATURE.len(), 0);
    head.extend(SIGNATURE);
    Ok(head)
}

fn begin_use(device: &Path) -> Result<()> {
    let path = CString::new(device.as_os_str().as_bytes())?;
    // SAFETY: the path is a string that ends with a zero and outlives the call; the kernel only reads it.
    let result = unsafe { libc::swapon(path.as_ptr(), WITH_PRIORITY | PRIORITY) };
    Errno::result(result).context("handing it to the kernel")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{PAGE_BYTES, head, write_head};

    #[test]
    fn a_head_is_mkswaps() {
        let head = head(64 << 20).unwrap();
        assert_eq!(head.len(), PAGE_BYTES);
        let number = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
        assert_eq!([number(1024), number(1028), number(1032)], [1, 16_383, 0]);
        assert_eq!(&head[4086..], b"SWAPSPACE2");
        let others = head[..1024].iter().chain(&head[1032..4086]);
        assert!(others.clone().all(|byte| *byte == 0));
    }

    #[test]
    fn a_device_without_a_page_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(write_head(file.path()).is_err());
        file.as_file().set_len(1 << 20).unwrap();
        write_head(file.path()).unwrap();
        let written = std::fs::read(file.path()).unwrap();
        assert_eq!(written.len(), 1 << 20);
        assert_eq!(written[..PAGE_BYTES], head(1 << 20).unwrap());
    }
}
