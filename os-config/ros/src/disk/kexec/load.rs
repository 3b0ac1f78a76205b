//! Gives the kernel the files of a slot for its next start by kexec. Only a request for it starts them: after any other
//! reboot they are forgotten.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::libc;

/// Files of a slot.
pub(crate) const KERNEL: &str = "vmlinuz";
const INITRD: &str = "initrd";
const BOOT_ENTRY: &str = "entry.cfg";
/// Whether the kernel takes no other kernel until its next start: `0` or `1`, missing if it never does.
const DISABLED: &str = "proc/sys/kernel/kexec_load_disabled";

/// Refuses a machine whose kernel takes no other kernel.
pub(crate) fn ensure_possible(root: &Path) -> Result<()> {
    let disabled = fs::read_to_string(root.join(DISABLED)).unwrap_or_default();
    ensure!(
        disabled.trim() == "0",
        "--kexec: the running kernel takes no other kernel, because kernel.kexec_load_disabled is set (hint: leave --kexec \
         out)"
    );
    Ok(())
}

/// The boot entry of the slot that is mounted on `slot`.
pub(crate) fn boot_entry(slot: &Path) -> Result<String> {
    let file = slot.join(BOOT_ENTRY);
    fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
}

/// Loads kernel and initrd of the slot that is mounted on `slot`. The kernel checks the signature of its successor where
/// Secure Boot is on.
pub(crate) fn load(slot: &Path, line: &str) -> Result<()> {
    let open = |name: &str| {
        let file = slot.join(name);
        File::open(&file).with_context(|| format!("opening {}", file.display()))
    };
    let (kernel, initrd) = (open(KERNEL)?, open(INITRD)?);
    let line = CString::new(line).context("a zero byte is in the kernel line")?;
    let flags: libc::c_ulong = 0;
    // SAFETY: both files are open, and the line ends with the zero byte that its length counts. The kernel reads them and
    // keeps none of them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel.as_raw_fd(),
            initrd.as_raw_fd(),
            line.as_bytes_with_nul().len(),
            line.as_ptr(),
            flags,
        )
    };
    Errno::result(result)
        .map(drop)
        .context("handing the kernel its successor (hint: leave --kexec out)")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DISABLED, boot_entry, ensure_possible, load};

    #[test]
    fn a_kernel_that_takes_no_other_is_known() {
        let root = tempfile::tempdir().unwrap();
        assert!(ensure_possible(root.path()).is_err());
        let file = root.path().join(DISABLED);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        for (text, is_possible) in [("0\n", true), ("1\n", false)] {
            fs::write(&file, text).unwrap();
            assert_eq!(ensure_possible(root.path()).is_ok(), is_possible);
        }
    }

    #[test]
    fn a_slot_without_files_is_refused() {
        let slot = tempfile::tempdir().unwrap();
        for error in [
            load(slot.path(), "quiet").unwrap_err(),
            boot_entry(slot.path()).map(drop).unwrap_err(),
        ] {
            assert!(format!("{error:#}").contains("No such file"), "{error:#}");
        }
    }
}
