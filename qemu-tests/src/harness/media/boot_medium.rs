//! Finds the files that a machine boots from: the ISO, the netboot pair, or the ISO's own kernel, taken out of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::harness::paths;
use crate::harness::qemu::argv::{Kernel, PXE_SCRIPT};
use crate::harness::spawn::run_tool;
use crate::harness::spec::{BootMedium, VmSpec};

/// The kernel line of a netboot, which has no boot menu to take it from.
const NETBOOT_LINE: &str = "console=tty1 console=ttyS0 net.ifnames=0 rancher.autologin=ttyS0";

/// The files of the slot image that a boot needs, and the ISO's menu.
const KERNEL: &str = "vmlinuz";
const INITRD: &str = "initrd";
const BOOT_ENTRY: &str = "entry.cfg";
const MENU: &str = "grub.cfg";

/// The files that a machine boots from.
#[derive(Debug)]
pub struct BootFiles {
    /// The ISO; `None` for a boot medium without the ISO.
    pub iso: Option<PathBuf>,
    /// The kernel, if QEMU loads it.
    pub kernel: Option<Kernel>,
}

/// Finds the files for the boot medium of `spec`.
pub fn resolve(spec: &VmSpec) -> Result<BootFiles> {
    let has_kernel = matches!(spec.boot_medium, BootMedium::Direct | BootMedium::Netboot);
    ensure!(
        has_kernel || spec.append.is_empty(),
        "`append` needs a boot medium whose kernel QEMU loads, not {:?}",
        spec.boot_medium
    );
    match spec.boot_medium {
        BootMedium::Netboot => Ok(BootFiles {
            iso: None,
            kernel: Some(Kernel {
                image: match &spec.kernel {
                    Some(kernel) => kernel.clone(),
                    None => find_built("vmlinuz")?,
                },
                initrd: match &spec.initrd {
                    Some(initrd) => initrd.clone(),
                    None => find_built("initrd")?,
                },
                line: append_to_line(NETBOOT_LINE, &spec.append),
            }),
        }),
        BootMedium::Direct => {
            let iso = find_built("paddock.iso")?;
            let mut kernel = kernel_from_iso(&iso)?;
            kernel.line = append_to_line(&kernel.line, &spec.append);
            Ok(BootFiles {
                iso: Some(iso),
                kernel: Some(kernel),
            })
        }
        BootMedium::FirstDisk | BootMedium::LastDisk => Ok(BootFiles {
            iso: None,
            kernel: None,
        }),
        BootMedium::Pxe => {
            find_built(PXE_SCRIPT)?;
            Ok(BootFiles {
                iso: None,
                kernel: None,
            })
        }
        _ => Ok(BootFiles {
            iso: Some(find_built("paddock.iso")?),
            kernel: None,
        }),
    }
}

/// The ISO's small initrd. A machine with the boot medium [`BootMedium::Netboot`] and this initrd finds no OS image.
pub fn initrd_without_os() -> Result<PathBuf> {
    Ok(kernel_from_iso(&find_built("paddock.iso")?)?.initrd)
}

fn append_to_line(line: &str, append: &str) -> String {
    format!("{line} {append}").trim().to_owned()
}

fn find_built(name: &str) -> Result<PathBuf> {
    let path = paths::dist().join(name);
    ensure!(
        path.is_file(),
        "{} is not there (hint: make iso)",
        path.display()
    );
    Ok(path)
}

/// Takes kernel, small initrd and kernel line out of the ISO, once per ISO.
fn kernel_from_iso(iso: &Path) -> Result<Kernel> {
    let dir = paths::artifacts().join("from-iso");
    fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    // Another test program may begin at the same time. Closing the file unlocks it.
    let lock = dir.join("lock");
    let lock_file = File::create(&lock).with_context(|| format!("creating {}", lock.display()))?;
    lock_file
        .lock()
        .with_context(|| format!("locking {}", lock.display()))?;
    let stamp = dir.join("stamp");
    let identity = identity(iso)?;
    if fs::read_to_string(&stamp).ok().as_deref() != Some(&identity) {
        extract(iso, &dir)?;
        fs::write(&stamp, identity).with_context(|| format!("writing {}", stamp.display()))?;
    }
    let read = |name: &str| {
        let file = dir.join(name);
        fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
    };
    Ok(Kernel {
        image: dir.join(KERNEL),
        initrd: dir.join(INITRD),
        line: kernel_line(&read(MENU)?, &read(BOOT_ENTRY)?)?,
    })
}

fn identity(iso: &Path) -> Result<String> {
    let data = fs::metadata(iso).with_context(|| format!("reading {}", iso.display()))?;
    let changed = data.modified().context("reading the ISO's time")?;
    Ok(format!("{} {} {changed:?}", iso.display(), data.len()))
}

/// Takes the menu and the slot image out of the ISO, and the files of a boot out of the slot image.
fn extract(iso: &Path, dir: &Path) -> Result<()> {
    let iso = iso.to_string_lossy();
    let slot = dir.join("slot.img");
    for (inside, extracted) in [
        ("/boot/grub/grub.cfg", &dir.join(MENU)),
        ("/paddock/slot.img", &slot),
    ] {
        if extracted.exists() {
            fs::remove_file(extracted)
                .with_context(|| format!("removing {}", extracted.display()))?;
        }
        run_tool(
            "xorriso",
            &[
                "-osirrox",
                "on",
                "-indev",
                &iso,
                "-extract",
                inside,
                &extracted.to_string_lossy(),
            ],
        )?;
    }
    for name in [KERNEL, INITRD, BOOT_ENTRY] {
        let command = format!("dump /{name} {}", dir.join(name).display());
        run_tool("debugfs", &["-R", &command, &slot.to_string_lossy()])?;
    }
    fs::remove_file(&slot).with_context(|| format!("removing {}", slot.display()))
}

/// The kernel line of the menu's first entry: the slot's, with the variables that the menu sets before it.
fn kernel_line(menu: &str, boot_entry: &str) -> Result<String> {
    let words = boot_entry
        .split_once("/vmlinuz ")
        .and_then(|(_, rest)| rest.split_once(';'))
        .map(|(words, _)| words)
        .context("looking for the kernel line in the slot's boot entry")?;
    let end = menu.find("source (").unwrap_or(menu.len());
    let mut values = BTreeMap::new();
    for setting in menu
        .get(..end)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("set "))
    {
        if let Some((name, value)) = setting.split_once('=') {
            values.insert(name, value.trim_matches(['"', '\'']));
        }
    }
    let resolve = |word: &str| match word.split_once('$') {
        Some((before, name)) => {
            format!("{before}{}", values.get(name).copied().unwrap_or_default())
        }
        None => word.to_owned(),
    };
    let line: Vec<String> = words.split_whitespace().map(resolve).collect();
    let line = line.join(" ");
    ensure!(
        !line.contains('$'),
        "the boot menu's kernel line has a variable: {line}"
    );
    Ok(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::{kernel_line, resolve};
    use crate::harness::spec::{BootMedium, VmSpec};

    #[test]
    fn the_first_entry_counts() {
        let menu = "set timeout=2\nset slot=iso\nset kernel_line=\"rancher.autologin=tty1 rancher.autologin=ttyS0\"\n\
                    menuentry 'PaddockOS' {\n\tset quiet=quiet\n\tsource (slot)/entry.cfg\n}\n\
                    menuentry 'debug' {\n\tset mode=rancher.debug\n\tsource (slot)/entry.cfg\n}\n";
        let entry = "if linux ($sd)/vmlinuz console=ttyS0 $quiet $kernel_line $mode paddock.slot=$slot paddock.seq=$seq; \
                     then if initrd ($sd)/initrd; then boot; fi; fi\n";
        assert_eq!(
            kernel_line(menu, entry).unwrap(),
            "console=ttyS0 quiet rancher.autologin=tty1 rancher.autologin=ttyS0 paddock.slot=iso paddock.seq="
        );
        assert!(kernel_line(menu, "set timeout=2\n").is_err());
    }

    #[test]
    fn a_kernel_line_cannot_be_appended_to_a_menu() {
        let spec = VmSpec {
            boot_medium: BootMedium::IdeCd,
            append: "quiet".into(),
            ..VmSpec::default()
        };
        assert!(resolve(&spec).unwrap_err().to_string().contains("`append`"));
    }
}
