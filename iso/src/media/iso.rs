//! The ISO: it boots from a CD and from a USB stick, by BIOS and by UEFI.
//!
//! UEFI runs Debian's signed shim and GRUB unchanged, which Secure Boot asks for; for BIOS this file makes a GRUB image.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::{Log, argv};
use crate::build::dates;
use crate::build::files::{remove, write};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::tools;

/// The volume label by which init finds the medium.
const LABEL: &str = "PADDOCK";

/// The kernel line of every menu entry. `rancher.autologin` logs in on both consoles without a password:
/// right for a medium in the user's hands, wrong for an installed system. `cryptomgr.notests` leaves out the kernel's
/// tests of its own ciphers, a tenth of an emulated boot: they guard against faults of a build or of a driver for
/// cipher hardware, and Debian's kernel builds have passed them. The last three words harden the kernel, whatever its
/// build has as default: caches of one size are not shared between kinds of objects, so a fault in one kind reaches no
/// other; fresh memory is zeroed, so it shows nothing of its last owner; each system call starts at another place of
/// the stack. `vsyscall=none` is left out: images from before 2012 crash with it.
const KERNEL_LINE: &str = "console=ttyS0,115200 console=tty0 rancher.autologin=tty1 rancher.autologin=ttyS0 \
                           net.ifnames=0 loglevel=3 panic=10 printk.devkmsg=on cryptomgr.notests \
                           slab_nomerge init_on_alloc=1 randomize_kstack_offset=on";

/// The file by which Debian's signed CD GRUB recognises its medium.
const DISK_INFO: &str = ".disk/info";

/// The GRUB modules that the menu uses. The GRUB image contains them, so the medium has no module files.
const BIOS_MODULES: &[&str] = &[
    "biosdisk",
    "configfile",
    "echo",
    "halt",
    "iso9660",
    "linux",
    "ls",
    "minicmd",
    "normal",
    "part_gpt",
    "part_msdos",
    "reboot",
    "search",
    "search_label",
    "serial",
    "sleep",
    "terminal",
    "test",
    "vga_text",
];

/// Room for the EFI boot loaders and for FAT itself.
const EFI_KIB: u64 = 4 * 1024;

/// The artifacts that go into the ISO, and the tools that make it.
#[derive(Debug)]
pub(crate) struct IsoParts<'a> {
    pub(crate) tools: &'a Artifact,
    pub(crate) kernel: &'a Artifact,
    pub(crate) initrd: &'a Artifact,
    pub(crate) os_image: &'a Artifact,
    /// The date of the volume and of its files, in seconds since 1970.
    pub(crate) date: u64,
}

/// Makes `dist/paddock.iso`.
pub(crate) fn make(steps: &Steps, folders: &Folders, parts: &IsoParts<'_>) -> Result<Artifact> {
    let step = Step {
        name: "ISO",
        output: folders.dist.join("paddock.iso"),
        key: Key::of_code(&[include_str!("iso.rs"), include_str!("../build/dates.rs")]).texts(&[
            &parts.tools.key,
            &parts.kernel.key,
            &parts.initrd.key,
            &parts.os_image.key,
            &parts.date.to_string(),
        ]),
    };
    let tools = &parts.tools.path;
    steps.run(step, |to, log| {
        let tree = folders.build.join("iso-tree");
        remove(&tree)?;
        let grub = tree.join("boot/grub");
        write(&grub.join("grub.cfg"), menu())?;
        write(&tree.join(DISK_INFO), "PaddockOS\n")?;
        fs::create_dir_all(tree.join("paddock")).context("making the ISO's tree")?;
        for (from, name) in [
            (parts.kernel, "boot/vmlinuz"),
            (parts.initrd, "boot/initrd"),
            (parts.os_image, "paddock/os.img"),
        ] {
            fs::hard_link(&from.path, tree.join(name)).with_context(|| format!("adding {name}"))?;
        }
        bios_image(tools, &grub.join("bios.img"), log)?;
        let efi = folders.build.join("efi.img");
        efi_image(parts, &efi, log)?;
        log.run(&xorriso(parts, &tree, &efi, to))?;
        remove(&tree)
    })
}

fn menu() -> String {
    let entry = |name: &str, more: &str| {
        format!(
            "menuentry '{name}' {{\n\tlinux /boot/vmlinuz {KERNEL_LINE}{more}\n\tinitrd /boot/initrd\n}}\n"
        )
    };
    format!(
        "\
search --no-floppy --set=root --label {LABEL}
set timeout=2
set default=0
# UEFI firmware shows its console on the serial line by itself.
if [ \"$grub_platform\" = pc ]; then
\tserial --unit=0 --speed=115200
\tterminal_input console serial
\tterminal_output console serial
fi
{}{}{}",
        entry("PaddockOS", " quiet"),
        entry(
            "PaddockOS, debug (says everything it does)",
            " rancher.debug=true"
        ),
        entry(
            "PaddockOS, recovery (a shell before any service)",
            " quiet rancher.recovery=true"
        ),
    )
}

fn bios_image(tools: &Path, to: &Path, log: &Log) -> Result<()> {
    let mut argv = tools::program(tools, "usr/bin/grub-mkimage");
    argv.extend(argv![
        "--directory",
        tools.join("usr/lib/grub/i386-pc"),
        "--format=i386-pc-eltorito",
        "--prefix=/boot/grub",
        "--output",
        to,
    ]);
    argv.extend(BIOS_MODULES.iter().map(Into::into));
    log.run(&argv)
}

/// The EFI system partition: a FAT image with shim as the default loader and GRUB beside it.
fn efi_image(parts: &IsoParts<'_>, to: &Path, log: &Log) -> Result<()> {
    remove(to)?;
    log.run(&argv![
        "/sbin/mkfs.vfat",
        "-C",
        "-n",
        "EFI",
        "-i",
        "50414444",
        "--invariant",
        to,
        EFI_KIB.to_string()
    ])?;
    let folders = argv!["mmd", "-i", to, "::EFI", "::EFI/BOOT"];
    log.run(&dates::at(parts.date, folders))?;
    for (from, name) in [
        ("usr/lib/shim/shimx64.efi.signed", "BOOTX64.EFI"),
        (
            "usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed",
            "grubx64.efi",
        ),
    ] {
        let from = parts.tools.path.join(from);
        let copy = argv!["mcopy", "-i", to, from, format!("::EFI/BOOT/{name}")];
        log.run(&dates::at(parts.date, copy))?;
    }
    Ok(())
}

fn xorriso(parts: &IsoParts<'_>, tree: &Path, efi: &Path, to: &Path) -> Vec<std::ffi::OsString> {
    let mbr = parts
        .tools
        .path
        .join("usr/lib/grub/i386-pc/boot_hybrid.img");
    let argv = argv![
        "xorriso",
        "-as",
        "mkisofs",
        "-volid",
        LABEL,
        "-output",
        to,
        "-rational-rock",
        "-joliet",
        // BIOS: from CD by El Torito, from a stick by the boot sector; both find the same GRUB image.
        "-eltorito-boot",
        "boot/grub/bios.img",
        "-no-emul-boot",
        "-boot-load-size",
        "4",
        "-boot-info-table",
        "--grub2-boot-info",
        "--grub2-mbr",
        mbr,
        "--protective-msdos-label",
        // UEFI: the same partition is El Torito's image and, on a stick, the EFI system partition.
        "-append_partition",
        "2",
        "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        efi,
        "-appended_part_as_gpt",
        "-eltorito-alt-boot",
        "-e",
        "--interval:appended_partition_2:all::",
        "-no-emul-boot",
        "--set_all_file_dates",
        format!("={}", parts.date),
        tree,
    ];
    dates::at(parts.date, argv)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{IsoParts, efi_image, menu, xorriso};
    use crate::build::artifact::Artifact;
    use crate::build::command::{Log, argv};
    use crate::build::files::write;

    /// The date of the primary volume descriptor: sector 16, offset 813 (ECMA-119, 8.4.26).
    const VOLUME_CREATED: usize = 16 * 2048 + 813;

    #[test]
    fn two_builds_give_the_same_bytes() {
        let temporary = tempfile::tempdir().unwrap();
        let log = Log::create(temporary.path().join("log")).unwrap();
        let build = |name: &str, files: [&str; 2], day: &str| {
            let folder = temporary.path().join(name);
            let part = |path: PathBuf| Artifact {
                path,
                key: String::new(),
            };
            let (tools, other) = (part(folder.join("tools")), part(folder.join("other")));
            for (file, size) in [
                ("usr/lib/grub/i386-pc/boot_hybrid.img", 512),
                ("usr/lib/shim/shimx64.efi.signed", 9000),
                ("usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", 9000),
            ] {
                write(&tools.path.join(file), vec![1; size]).unwrap();
            }
            let tree = folder.join("tree");
            write(&tree.join("boot/grub/bios.img"), vec![2; 8192]).unwrap();
            for file in files {
                write(&tree.join(file), file).unwrap();
                log.run(&argv!["touch", "--date", day, tree.join(file)])
                    .unwrap();
            }
            let parts = IsoParts {
                tools: &tools,
                kernel: &other,
                initrd: &other,
                os_image: &other,
                date: 1_700_000_000,
            };
            let (efi, iso) = (folder.join("efi.img"), folder.join("iso"));
            efi_image(&parts, &efi, &log).unwrap();
            log.run(&xorriso(&parts, &tree, &efi, &iso)).unwrap();
            (fs::read(efi).unwrap(), fs::read(iso).unwrap())
        };
        let first = build("first", ["one", "paddock/two"], "2026-01-01");
        let second = build("second", ["paddock/two", "one"], "2027-02-02 02:02");
        assert!(first.0 == second.0, "the EFI system partition");
        assert!(first.1 == second.1, "the ISO");
        // Both were made in one second. Their own dates are those of the parts all the same.
        let efi = temporary.path().join("first/efi.img");
        let listed = log.output(&argv!["mdir", "-i", efi, "::EFI"]).unwrap();
        assert!(listed.contains("2023-11-14"), "{listed}");
        assert_eq!(&first.1[VOLUME_CREATED..VOLUME_CREATED + 8], b"20231114");
    }

    #[test]
    fn the_menu_has_three_ways_to_boot() {
        let menu = menu();
        let entries: Vec<&str> = menu
            .lines()
            .filter(|line| line.starts_with("menuentry"))
            .collect();
        assert_eq!(entries.len(), 3);
        assert!(menu.contains("rancher.debug=true\n") && menu.contains("rancher.recovery=true\n"));
        assert!(menu.contains("set timeout=2\n"));
        assert!(!menu.contains("  "), "the kernel line is one line: {menu}");
    }
}
