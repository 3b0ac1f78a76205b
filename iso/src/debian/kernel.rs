//! The two parts of Debian's kernel package: the kernel for the boot loader, and the modules that a
//! server or a virtual machine can need. The modules are stored uncompressed: the image compresses them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::command::{Log, argv};
use crate::build::files::{remove, sorted_entries, write};
use crate::debian::modules::{check_indispensable, unwanted_modules};

/// Downloads the kernel package. Installing it would run its hooks, which build an initramfs.
pub(crate) const DOWNLOAD_HOOK: &str = "\
package=$(chroot \"$1\" apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p'); \
mkdir \"$1\"/var/tmp/kernel; chmod 777 \"$1\"/var/tmp/kernel; \
chroot \"$1\" sh -c \"cd /var/tmp/kernel && apt-get download $package\"";

/// Moves the kernel that [`DOWNLOAD_HOOK`] left in `root` to `kernel` and its modules into `root`.
pub(crate) fn unpack(root: &Path, kernel: &Path, log: &Log) -> Result<()> {
    let downloads = root.join("var/tmp/kernel");
    let package = sorted_entries(&downloads)?
        .pop()
        .context("finding the downloaded kernel package")?;
    let unpacked = kernel.join("unpacked");
    fs::create_dir_all(kernel).with_context(|| format!("making {}", kernel.display()))?;
    log.run(&argv!["dpkg-deb", "-x", &package, &unpacked])?;
    let described = log.output(&argv![
        "dpkg-deb",
        "-W",
        "--showformat=${Package} ${Version}",
        &package
    ])?;
    write(&kernel.join("package"), &described)?;
    let name = described.split(' ').next().unwrap_or_default();
    let copyright = unpacked.join("usr/share/doc").join(name).join("copyright");
    fs::copy(&copyright, kernel.join("copyright")).context("keeping the kernel's licence")?;
    let release = name.trim_start_matches("linux-image-");
    fs::rename(
        unpacked.join(format!("boot/vmlinuz-{release}")),
        kernel.join("vmlinuz"),
    )
    .context("taking the kernel out of its package")?;
    fs::create_dir_all(root.join("usr/lib/modules")).context("making usr/lib/modules")?;
    log.run(&argv![
        "cp",
        "-a",
        modules_folder(&unpacked)?,
        root.join("usr/lib/modules")
    ])?;
    let modules = modules_folder(root)?;
    log.run(&argv!["chroot", root, "depmod", release])?;
    let index = fs::read_to_string(modules.join("modules.dep")).context("reading modules.dep")?;
    let unwanted = unwanted_modules(&index);
    check_indispensable(&index, &unwanted)?;
    for module in unwanted {
        remove(&modules.join(module))?;
    }
    let decompress = "find \"$0\" -name '*.ko.xz' -print0 | xargs -0 -r -P\"$(nproc)\" -n100 xz -d";
    log.run(&argv!["sh", "-euc", decompress, &modules])?;
    log.run(&argv!["chroot", root, "depmod", release])?;
    remove(&unpacked)?;
    remove(&downloads)
}

/// `usr/lib/modules/<release>` below `root`.
pub(crate) fn modules_folder(root: &Path) -> Result<PathBuf> {
    sorted_entries(&root.join("usr/lib/modules"))?
        .pop()
        .context("finding the kernel's modules")
}
