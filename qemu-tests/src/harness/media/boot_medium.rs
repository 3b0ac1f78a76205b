//! Finds the files that a machine boots from: the ISO, the netboot pair, or the ISO's own kernel, taken out of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::harness::paths;
use crate::harness::qemu::argv::Kernel;
use crate::harness::spawn::run_tool;
use crate::harness::spec::{BootMedium, VmSpec};

/// The kernel line of a netboot, which has no boot menu to take it from.
const NETBOOT_LINE: &str = "console=tty1 console=ttyS0 net.ifnames=0 rancher.autologin=ttyS0";

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
    let menu = dir.join("grub.cfg");
    let text = fs::read_to_string(&menu).with_context(|| format!("reading {}", menu.display()))?;
    Ok(Kernel {
        image: dir.join("vmlinuz"),
        initrd: dir.join("initrd"),
        line: kernel_line(&text)?,
    })
}

fn identity(iso: &Path) -> Result<String> {
    let data = fs::metadata(iso).with_context(|| format!("reading {}", iso.display()))?;
    let changed = data.modified().context("reading the ISO's time")?;
    Ok(format!("{} {} {changed:?}", iso.display(), data.len()))
}

fn extract(iso: &Path, dir: &Path) -> Result<()> {
    let iso = iso.to_string_lossy();
    for (inside, name) in [
        ("/boot/vmlinuz", "vmlinuz"),
        ("/boot/initrd", "initrd"),
        ("/boot/grub/grub.cfg", "grub.cfg"),
    ] {
        let extracted = dir.join(name);
        if extracted.exists() {
            fs::remove_file(&extracted)
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
    Ok(())
}

/// The kernel line of the menu's first entry.
fn kernel_line(menu: &str) -> Result<String> {
    let mut lines = menu.lines().map(str::trim);
    let Some(entry) = lines.find(|line| line.starts_with("linux ") || line.starts_with("linux\t"))
    else {
        bail!("the boot menu has no `linux` line");
    };
    let mut line = entry
        .split_whitespace()
        .skip(2)
        .collect::<Vec<_>>()
        .join(" ");
    for setting in menu
        .lines()
        .filter_map(|line| line.trim().strip_prefix("set "))
    {
        if let Some((name, value)) = setting.split_once('=') {
            let value = value.trim_matches(['"', '\'']);
            line = line
                .replace(&format!("${{{name}}}"), value)
                .replace(&format!("${name}"), value);
        }
    }
    ensure!(
        !line.contains('$'),
        "the boot menu's kernel line has a variable: {line}"
    );
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::{kernel_line, resolve};
    use crate::harness::spec::{BootMedium, VmSpec};

    #[test]
    fn the_first_entry_counts() {
        let menu = "set timeout=2\nset common=\"net.ifnames=0 rancher.autologin=tty1\"\n\
                    menuentry 'PaddockOS' {\n\tlinux /boot/vmlinuz console=ttyS0 ${common}\n\tinitrd /boot/initrd\n}\n\
                    menuentry 'debug' {\n\tlinux /boot/vmlinuz rancher.debug\n}\n";
        assert_eq!(
            kernel_line(menu).unwrap(),
            "console=ttyS0 net.ifnames=0 rancher.autologin=tty1"
        );
    }

    #[test]
    fn a_line_that_cannot_be_resolved_is_an_error() {
        assert!(kernel_line("linux /boot/vmlinuz $extra\n").is_err());
        assert!(kernel_line("set timeout=2\n").is_err());
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
