//! The ISO: it boots from a CD and from a USB stick, by BIOS and by UEFI.
//!
//! UEFI runs Debian's signed shim and GRUB unchanged, which Secure Boot asks for; for BIOS this file makes a GRUB image.
//! Both take kernel and initrd out of the slot image, the same file that `ros install` writes to a disk.

use std::ffi::OsString;
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
use crate::debian::grub::{self, BIOS_FOLDER, BiosImage};
use crate::media::efi_image::{EfiImage, GRUB_CFG};
use crate::media::user_images;

/// The volume label by which init and GRUB find the medium.
const LABEL: &str = "PADDOCK";

/// The file that says what the medium is, as Debian's media have it.
const DISK_INFO: &str = ".disk/info";

/// The files of the ISO that programs look for.
const MENU: &str = "boot/grub/grub.cfg";
const BIOS_IMAGE: &str = "boot/grub/bios.img";
const EFI_IMAGE: &str = "paddock/efi.img";
const SLOT_IMAGE: &str = "paddock/slot.img";

/// The ISO's own words of the kernel line. `rancher.autologin` logs in on both consoles without a password: right for a
/// medium in the user's hands, wrong for an installed system.
const KERNEL_WORDS: &str = "rancher.autologin=tty1 rancher.autologin=ttyS0";

/// The GRUB image for BIOS, with the modules that the menu uses. The medium has no module files.
const BIOS_GRUB: BiosImage<'_> = BiosImage {
    format: "i386-pc-eltorito",
    prefix: "/boot/grub",
    modules: &[
        "biosdisk",
        "configfile",
        "echo",
        "ext2",
        "halt",
        "iso9660",
        "linux",
        "loopback",
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
    ],
};

/// The artifacts that go into the ISO, and the tools that make it.
#[derive(Debug)]
pub(crate) struct IsoParts<'a> {
    pub(crate) tools: &'a Artifact,
    pub(crate) slot_image: &'a Artifact,
    pub(crate) user_images: &'a [Artifact],
    /// The date of the volume and of its files, in seconds since 1970.
    pub(crate) date: u64,
}

/// Makes `dist/paddock.iso`.
pub(crate) fn make(steps: &Steps, folders: &Folders, parts: &IsoParts<'_>) -> Result<Artifact> {
    let step = Step {
        name: "ISO",
        output: folders.dist.join("paddock.iso"),
        key: Key::of_code(&[
            include_str!("iso.rs"),
            include_str!("efi_image.rs"),
            include_str!("user_images.rs"),
            include_str!("../debian/grub.rs"),
            include_str!("../build/dates.rs"),
        ])
        .texts(&[
            &parts.tools.key,
            &parts.slot_image.key,
            &parts.date.to_string(),
        ])
        .texts(&user_images::keys(parts.user_images)),
    };
    let tools = &parts.tools.path;
    steps.run(step, |to, log| {
        let tree = folders.build.join("iso-tree");
        remove(&tree)?;
        write(&tree.join(MENU), menu())?;
        grub::check_script(tools, &tree.join(MENU), log)?;
        write(&tree.join(DISK_INFO), "PaddockOS\n")?;
        fs::create_dir_all(tree.join("paddock")).context("making the ISO's tree")?;
        fs::hard_link(&parts.slot_image.path, tree.join(SLOT_IMAGE))
            .context("adding the slot image")?;
        user_images::add(parts.user_images, &tree.join("paddock"))?;
        grub::make_bios_image(tools, &BIOS_GRUB, &tree.join(BIOS_IMAGE), log)?;
        make_efi_image(tools, parts.date, &tree.join(EFI_IMAGE), log)?;
        // UEFI starts GRUB from the EFI image of a CD, and GRUB takes the CD itself for its device.
        write(&tree.join(GRUB_CFG), efi_configuration())?;
        log.run(&xorriso(parts, &tree, to))?;
        remove(&tree)
    })
}

/// Writes the EFI system partition of the ISO to the new file `to`.
pub(crate) fn make_efi_image(tools: &Path, date: u64, to: &Path, log: &Log) -> Result<()> {
    let efi_image = EfiImage {
        tools,
        grub_cfg: &efi_configuration(),
        date,
    };
    efi_image.make(to, log)
}

/// The configuration of GRUB on the EFI system partition: it goes on with the menu of the ISO, which BIOS reads too.
fn efi_configuration() -> String {
    format!(
        "search --no-floppy --set=root --label {LABEL}\n\
         set prefix=($root)/boot/grub\n\
         configfile ($root)/{MENU}\n"
    )
}

/// The menu. Each entry gives the variables of the slot's `entry.cfg` their values and runs it.
fn menu() -> String {
    let entry = |name: &str, quiet: &str, mode: &str| {
        format!(
            "menuentry '{name}' {{\n\tset quiet={quiet}\n\tset mode={mode}\n\tsource ($sd)/entry.cfg\n}}\n"
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
else
\t# For a TPM, GRUB reads each file as a whole before its use. For a loop device this is the whole slot image: a minute
\t# from a remote drive, and its size in memory. The menu itself has been measured; Secure Boot does not depend on it.
\tif rmmod tpm; then true; fi
fi
loopback slot ($root)/{SLOT_IMAGE}
set sd=slot
set slot=iso
set kernel_line=\"{KERNEL_WORDS}\"
{}{}{}",
        entry("PaddockOS", "quiet", ""),
        entry(
            "PaddockOS, debug (says everything it does)",
            "",
            "rancher.debug=true"
        ),
        entry(
            "PaddockOS, recovery (a shell before any service)",
            "quiet",
            "rancher.recovery=true"
        ),
    )
}

fn xorriso(parts: &IsoParts<'_>, tree: &Path, to: &Path) -> Vec<OsString> {
    let mbr = parts.tools.path.join(BIOS_FOLDER).join("boot_hybrid.img");
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
        // The padding is for CDs that are burnt track at once; the backup of the partition table is an end too.
        "-no-pad",
        // BIOS: from CD by El Torito, from a stick by the boot sector; both find the same GRUB image.
        "-eltorito-boot",
        BIOS_IMAGE,
        "-no-emul-boot",
        "-boot-load-size",
        "4",
        "-boot-info-table",
        "--grub2-boot-info",
        "--grub2-mbr",
        mbr,
        "--protective-msdos-label",
        // UEFI: the same file is El Torito's image and, on a stick, the EFI system partition.
        "-eltorito-alt-boot",
        "-e",
        EFI_IMAGE,
        "-no-emul-boot",
        "-efi-boot-part",
        "--efi-boot-image",
        "--set_all_file_dates",
        format!("={}", parts.date),
        tree,
    ];
    dates::at(parts.date, argv)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{
        BIOS_IMAGE, EFI_IMAGE, IsoParts, KERNEL_WORDS, MENU, efi_configuration, menu, xorriso,
    };
    use crate::build::artifact::Artifact;
    use crate::build::command::{Log, argv};
    use crate::build::files::write;
    use crate::media::slot::boot_entry;

    /// The date of the primary volume descriptor: sector 16, offset 813 (ECMA-119, 8.4.26).
    const VOLUME_CREATED: usize = 16 * 2048 + 813;
    const SECTOR: usize = 512;
    /// The type of an EFI system partition, as a partition table stores it.
    const EFI_SYSTEM: [u8; 16] = [
        0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9,
        0x3b,
    ];

    /// Makes an ISO in `folder` of `files` with dates of `day`.
    fn build(folder: &Path, files: [&str; 2], day: &str) -> Vec<u8> {
        let log = Log::create(folder.join("log")).unwrap();
        let part = |path: PathBuf| Artifact {
            path,
            key: String::new(),
        };
        let (tools, slot_image) = (part(folder.join("tools")), part(folder.join("slot")));
        let mbr = "usr/lib/grub/i386-pc/boot_hybrid.img";
        write(&tools.path.join(mbr), vec![1; 512]).unwrap();
        let tree = folder.join("tree");
        write(&tree.join(BIOS_IMAGE), vec![2; 8192]).unwrap();
        write(&tree.join(EFI_IMAGE), efi_image()).unwrap();
        for file in files {
            write(&tree.join(file), file).unwrap();
            log.run(&argv!["touch", "--date", day, tree.join(file)])
                .unwrap();
        }
        let parts = IsoParts {
            tools: &tools,
            slot_image: &slot_image,
            user_images: &[],
            date: 1_700_000_000,
        };
        let iso = folder.join("iso");
        log.run(&xorriso(&parts, &tree, &iso)).unwrap();
        fs::read(iso).unwrap()
    }

    fn efi_image() -> Vec<u8> {
        (0..20_u32 << 10).map(|n| (n / 7 % 256) as u8).collect()
    }

    #[test]
    fn two_builds_give_the_same_bytes() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = |name: &str| temporary.path().join(name);
        let first = build(&folder("first"), ["one", "paddock/two"], "2026-01-01");
        let second = build(
            &folder("second"),
            ["paddock/two", "one"],
            "2027-02-02 02:02",
        );
        assert!(first == second);
        // Both were made in one second. Their own dates are those of the parts all the same.
        assert_eq!(&first[VOLUME_CREATED..VOLUME_CREATED + 8], b"20231114");
    }

    /// A stick has the image as a partition, a CD as El Torito's image, and `ros install` finds it as a file.
    #[test]
    fn the_efi_image_is_on_the_iso_once_as_file_and_as_partition() {
        let temporary = tempfile::tempdir().unwrap();
        let iso = build(temporary.path(), ["one", "two"], "2026-01-01");
        let image = efi_image();
        let copies: Vec<usize> = (0..iso.len() / SECTOR)
            .filter(|sector| iso[sector * SECTOR..].starts_with(&image))
            .collect();
        let &[start] = &copies[..] else {
            panic!("the image begins at the sectors {copies:?}");
        };
        let number = |at: usize| u64::from_le_bytes(iso[at..at + 8].try_into().unwrap()) as usize;
        assert_eq!(&iso[SECTOR..SECTOR + 8], b"EFI PART");
        let entries = number(SECTOR + 72) * SECTOR;
        let partition = (0..128)
            .map(|n| entries + n * 128)
            .find(|at| iso[*at..].starts_with(&EFI_SYSTEM))
            .unwrap();
        let (first, last) = (number(partition + 32), number(partition + 40));
        assert_eq!((first, last + 1 - first), (start, image.len() / SECTOR));
        let log = Log::create(temporary.path().join("log")).unwrap();
        let path = temporary.path().join("iso");
        let report = argv!["xorriso", "-indev", path, "-report_el_torito", "plain"];
        let report = log.output(&report).unwrap();
        let paths: Vec<&str> = report
            .lines()
            .filter_map(|line| line.strip_prefix("El Torito img path :"))
            .filter_map(|line| line.split_whitespace().last())
            .collect();
        let expected = [BIOS_IMAGE, EFI_IMAGE].map(|path| format!("/{path}"));
        assert_eq!(paths, expected, "{report}");
    }

    #[test]
    fn grub_of_uefi_goes_on_with_the_menu_of_bios() {
        assert_eq!(
            efi_configuration(),
            "search --no-floppy --set=root --label PADDOCK\n\
             set prefix=($root)/boot/grub\n\
             configfile ($root)/boot/grub/grub.cfg\n"
        );
        assert_eq!(MENU, "boot/grub/grub.cfg");
    }

    #[test]
    fn the_menu_has_three_ways_to_boot() {
        let menu = menu();
        assert!(menu.contains("set timeout=2\n"));
        assert!(menu.contains("loopback slot ($root)/paddock/slot.img\n"));
        let common = "console=ttyS0,115200 console=tty0 net.ifnames=0 loglevel=3 panic=10 printk.devkmsg=on \
             cryptomgr.notests slab_nomerge init_on_alloc=1 randomize_kstack_offset=on paddock.verity=078c95";
        let slot = "paddock.slot=iso paddock.seq= paddock.esp=";
        let lines: Vec<String> = kernel_lines(&menu).collect();
        assert_eq!(
            lines,
            [
                format!("{common} quiet {KERNEL_WORDS} {slot}"),
                format!("{common} {KERNEL_WORDS} rancher.debug=true {slot}"),
                format!("{common} quiet {KERNEL_WORDS} rancher.recovery=true {slot}"),
            ]
        );
    }

    /// The kernel lines of the menu's entries, expanded as GRUB does: an unset variable is nothing.
    fn kernel_lines(menu: &str) -> impl Iterator<Item = String> {
        let mut parts = menu.split("menuentry ");
        let common = parts.next().unwrap();
        parts.map(|entry| {
            assert!(entry.contains("\n\tsource ($sd)/entry.cfg\n}\n"), "{entry}");
            let variables: BTreeMap<&str, &str> = common
                .lines()
                .chain(entry.lines())
                .filter_map(|line| line.trim().strip_prefix("set ")?.split_once('='))
                .collect();
            let boot = boot_entry("078c95");
            let line = boot.strip_prefix("if linux ($sd)/vmlinuz ").unwrap();
            let (line, _) = line.split_once(';').unwrap();
            let words = line.split(' ').map(|word| match word.split_once('$') {
                None => word.to_owned(),
                Some((start, name)) => {
                    let value = variables.get(name).copied().unwrap_or_default();
                    format!("{start}{}", value.trim_matches('"'))
                }
            });
            let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
            words.join(" ")
        })
    }
}
