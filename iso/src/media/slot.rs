//! The slot image: one read-only filesystem with everything that a boot needs. The same file is on the ISO, in the slots
//! of a disk and in a release.
//!
//! The filesystem is ext2 without a journal: GRUB replays no journal, and reads neither the OS image's format nor erofs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use ring::digest::{Digest, SHA256, digest};

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::dates;
use crate::build::files::{remove, write};
use crate::build::folders::Folders;
use crate::build::key::{Key, hex};
use crate::build::step::{Step, Steps};
use crate::debian::grub;
use crate::debian::tools;
use crate::media::rot_signature::RotKey;

/// The kernel line of every boot, from an ISO as from a disk. GRUB's variables add what differs. `cryptomgr.notests`
/// leaves out the kernel's tests of its own ciphers, a tenth of an emulated boot: they guard against faults of a build or
/// of a driver for cipher hardware, and Debian's kernel builds have passed them. `slab_nomerge` and the two words behind
/// it harden the kernel, whatever its build has as default: caches of one size are not shared between kinds of objects,
/// so a fault in one kind reaches no other; fresh memory is zeroed, so it shows nothing of its last owner; each system
/// call starts at another place of the stack. `vsyscall=none` is left out: images from before 2012 crash with it.
pub(crate) const KERNEL_LINE: &str = "console=ttyS0,115200 console=tty0 net.ifnames=0 loglevel=3 panic=10 printk.devkmsg=on \
                           cryptomgr.notests slab_nomerge init_on_alloc=1 randomize_kstack_offset=on";

/// The words that the boot menu decides: `quiet` or nothing; the words of the machine or of the ISO; the words of the
/// menu's entry. The last three words tell PID 1 which slot GRUB has started, and where GRUB has counted the start.
const MENU_WORDS: &str =
    "$quiet $kernel_line $mode paddock.slot=$slot paddock.seq=$seq paddock.esp=$esp";

/// The files of the image, besides their signatures.
const KERNEL: &str = "vmlinuz";
const INITRD: &str = "initrd";
const OS_IMAGE: &str = "os.img";
const BOOT_ENTRY: &str = "entry.cfg";
const VERSION: &str = "version";

const LABEL: &str = "PADDOCK_SLOT";

/// Both are the same in all images: GRUB finds slots by their partitions, and two builds must give the same bytes.
const UUID: &str = "50414444-4f43-4b53-8c4f-540000000001";
const HASH_SEED: &str = "50414444-4f43-4b53-8c4f-540000000002";

/// The size of a block of the filesystem, in bytes.
const BLOCK: u64 = 4096;
/// The image's size is a multiple of so many blocks, which is 64 KiB. A larger unit would cost the ISO, which is not
/// compressed, half of it.
const SIZE_UNIT: u64 = 16;
/// Room for the files, for `lost+found` and for the inodes that ext2 keeps for itself.
const INODES: &str = "32";

/// The parts of the image, and the tools that make it.
#[derive(Debug)]
pub(crate) struct SlotParts<'a> {
    pub(crate) tools: &'a Artifact,
    pub(crate) kernel: &'a Artifact,
    pub(crate) initrd: &'a Artifact,
    /// The OS image with its digests behind it.
    pub(crate) os_image: &'a Artifact,
    /// The digest of the root of the digests, in hexadecimal.
    pub(crate) root_hash: &'a str,
    /// The build that initrd and OS image belong to.
    pub(crate) build_id: &'a str,
    /// The date of the filesystem and of its files, in seconds since 1970.
    pub(crate) date: u64,
}

/// Makes `build/slot.img`.
pub(crate) fn make(steps: &Steps, folders: &Folders, parts: &SlotParts<'_>) -> Result<Artifact> {
    let rot_key = RotKey::load()?;
    let step = Step {
        name: "slot image",
        output: folders.build.join("slot.img"),
        key: Key::of_code(&[
            include_str!("slot.rs"),
            include_str!("rot_signature.rs"),
            include_str!("../debian/grub.rs"),
            include_str!("../build/dates.rs"),
        ])
        .texts(&[
            env!("CARGO_PKG_VERSION"),
            &hex(&rot_key.public_file()?),
            &parts.tools.key,
            &parts.kernel.key,
            &parts.initrd.key,
            &parts.os_image.key,
            parts.build_id,
            &parts.date.to_string(),
        ]),
    };
    let tools = &parts.tools.path;
    steps.run(step, |to, log| {
        let tree = folders.build.join("slot-tree");
        remove(&tree)?;
        let sizes = fill(&tree, parts, &rot_key)?;
        grub::check_script(tools, &tree.join(BOOT_ENTRY), log)?;
        dates::limit(&tree, parts.date, log)?;
        let image = Filesystem {
            tree: &tree,
            blocks: count_blocks(&sizes),
            date: parts.date,
        };
        log.run(&image.command(tools::program(tools, "usr/sbin/mke2fs"), to))?;
        remove(&tree)
    })
}

/// The text of `entry.cfg`, which GRUB runs with `$sd`, the slot's device, and the variables of [`MENU_WORDS`].
///
/// One line: GRUB runs a damaged script line by line. A failure of `initrd` starts no kernel, and a failure of either
/// comes back to the menu, which tries the other slot.
pub(crate) fn boot_entry(root_hash: &str) -> String {
    format!(
        "if linux ($sd)/{KERNEL} {KERNEL_LINE} paddock.verity={root_hash} {MENU_WORDS}; \
         then if initrd ($sd)/{INITRD}; then boot; fi; fi\n"
    )
}

/// Writes the files of the image into `tree` and returns their sizes in bytes.
///
/// The files are copies: modes and dates of the parts stay as they are, and those of the image do not depend on them.
fn fill(tree: &Path, parts: &SlotParts<'_>, rot_key: &RotKey) -> Result<Vec<u64>> {
    let read = |part: &Artifact| {
        fs::read(&part.path).with_context(|| format!("reading {}", part.path.display()))
    };
    let mut sizes = Vec::new();
    let mut add = |name: &str, content: &[u8]| {
        let file = tree.join(name);
        write(&file, content)?;
        sizes.push(content.len() as u64);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))
            .with_context(|| format!("setting the mode of {}", file.display()))
    };
    let mut digests = Vec::new();
    for (name, content) in [
        (KERNEL, read(parts.kernel)?),
        (INITRD, read(parts.initrd)?),
        (BOOT_ENTRY, boot_entry(parts.root_hash).into_bytes()),
    ] {
        add(name, &content)?;
        add(&format!("{name}.sig"), &rot_key.sign(&content)?)?;
        digests.push((name, digest(&SHA256, &content)));
    }
    let os_image = read(parts.os_image)?;
    add(OS_IMAGE, &os_image)?;
    digests.push((OS_IMAGE, digest(&SHA256, &os_image)));
    add(VERSION, version(parts.build_id, &digests).as_bytes())?;
    Ok(sizes)
}

/// The text of the file `version`, with a line such as `os_img_sha256=` for each file.
fn version(build_id: &str, digests: &[(&str, Digest)]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("version={version}\nbuild_id={build_id}\n");
    for (name, digest) in digests {
        let key = name.replace('.', "_");
        text += &format!("{key}_sha256={}\n", hex(digest.as_ref()));
    }
    text
}

/// The size of a filesystem for files of these sizes, in blocks.
fn count_blocks(sizes: &[u64]) -> u64 {
    let content: u64 = sizes.iter().map(|size| size.div_ceil(BLOCK)).sum();
    // A block of addresses for 1024 blocks of a file, a few blocks for each 128 MiB, and the folders.
    (content + content / 768 + 32).next_multiple_of(SIZE_UNIT)
}

/// The filesystem of an image.
struct Filesystem<'a> {
    tree: &'a Path,
    blocks: u64,
    date: u64,
}

impl Filesystem<'_> {
    /// The command that makes the filesystem in the new file `to`, with mke2fs called `program`.
    fn command(&self, program: Vec<OsString>, to: &Path) -> Vec<OsString> {
        // Without a configuration: the host has another than the tools.
        let mut argv = argv!["MKE2FS_CONFIG=/dev/null"];
        argv.extend(program);
        argv.extend(argv![
            "-q",
            "-t",
            "ext2",
            "-b",
            BLOCK.to_string(),
            "-m",
            "0",
            "-N",
            INODES,
            "-I",
            "256",
            // GRUB 2.12 knows more features, but each is one more that can fail in a boot loader.
            "-O",
            "none,filetype,sparse_super,large_file",
            "-U",
            UUID,
            "-E",
            format!("hash_seed={HASH_SEED},root_owner=0:0"),
            "-L",
            LABEL,
            "-d",
            self.tree,
            to,
            self.blocks.to_string(),
        ]);
        dates::at(self.date, argv)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use ring::digest::{SHA256, digest};

    use super::{BLOCK, Filesystem, OS_IMAGE, SlotParts, boot_entry, count_blocks, fill, version};
    use crate::build::artifact::Artifact;
    use crate::build::command::{Log, argv};
    use crate::build::dates;
    use crate::build::files::write;
    use crate::build::key::hex;
    use crate::media::rot_signature::RotKey;

    const DATE: u64 = 1_700_000_000;
    const ROOT_HASH: &str = "078c95";
    const FILES: [&str; 8] = [
        "entry.cfg",
        "entry.cfg.sig",
        "initrd",
        "initrd.sig",
        "os.img",
        "version",
        "vmlinuz",
        "vmlinuz.sig",
    ];

    /// Makes the image of a kernel, an initrd and an OS image, files of `mode`, with the host's mke2fs.
    fn build(folder: &Path, mode: u32, os_image: &[u8]) -> PathBuf {
        let log = Log::create(folder.join("log")).unwrap();
        let part = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Artifact {
                path,
                key: String::new(),
            }
        };
        let parts = SlotParts {
            tools: &part("tools", b""),
            kernel: &part("kernel", &[1; 70_000]),
            initrd: &part("small-initrd", &[2; 5000]),
            os_image: &part("image", os_image),
            root_hash: ROOT_HASH,
            build_id: "abc",
            date: DATE,
        };
        let tree = folder.join("tree");
        let sizes = fill(&tree, &parts, &RotKey::load().unwrap()).unwrap();
        dates::limit(&tree, DATE, &log).unwrap();
        let filesystem = Filesystem {
            tree: &tree,
            blocks: count_blocks(&sizes),
            date: DATE,
        };
        let image = folder.join("slot.img");
        let mke2fs = argv![format!("E2FSPROGS_FAKE_TIME={DATE}"), "/sbin/mke2fs"];
        log.run(&filesystem.command(mke2fs, &image)).unwrap();
        set_change_times(folder, &image, &log);
        image
    }

    /// Sets the times of changes of inodes, which mke2fs before 1.47.1 copies whatever the date is; the tools are newer.
    fn set_change_times(folder: &Path, image: &Path, log: &Log) {
        let fields = FILES.iter().flat_map(|file| {
            [("ctime", format!("@{DATE}")), ("ctime_extra", "0".into())]
                .map(|(field, value)| format!("set_inode_field {file} {field} {value}\n"))
        });
        let script = folder.join("script");
        write(&script, fields.collect::<String>()).unwrap();
        log.run(&argv![
            "env",
            format!("E2FSPROGS_FAKE_TIME={DATE}"),
            "/sbin/debugfs",
            "-w",
            "-f",
            script,
            image
        ])
        .unwrap();
    }

    #[test]
    fn two_builds_of_the_same_parts_give_the_same_bytes() {
        let temporary = tempfile::tempdir().unwrap();
        let os_image: Vec<u8> = (0..6_000_000_u32).map(|n| (n % 251) as u8).collect();
        let build = |name: &str, mode: u32| {
            fs::read(build(&temporary.path().join(name), mode, &os_image)).unwrap()
        };
        let (first, second) = (build("first", 0o600), build("second", 0o644));
        assert!(first == second);
        assert_eq!(first.len() % (64 << 10), 0);
    }

    #[test]
    fn the_image_has_the_files_of_a_slot_and_passes_fsck() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let image = build(folder, 0o644, b"the OS");
        let log = Log::create(folder.join("check")).unwrap();
        log.run(&argv!["/sbin/e2fsck", "-f", "-n", &image]).unwrap();
        let ask = |request: &str| {
            log.output(&argv!["/sbin/debugfs", "-R", request, &image])
                .unwrap()
        };
        // Inode, mode, user, group, size, date, name; `-p` separates them with slashes.
        let listed = ask("ls -p /");
        let mut files: Vec<&str> = listed
            .lines()
            .filter_map(|line| {
                let fields: Vec<&str> = line.split('/').collect();
                (fields.get(2) == Some(&"100644")).then(|| fields[5])
            })
            .collect();
        files.sort_unstable();
        assert_eq!(files, FILES, "{listed}");
        let version = ask("cat version");
        let entry = boot_entry(ROOT_HASH);
        for (name, content) in [("os_img", &b"the OS"[..]), ("entry_cfg", entry.as_bytes())] {
            let digest = digest(&SHA256, content);
            let line = format!("{name}_sha256={}", hex(digest.as_ref()));
            assert!(
                version.lines().any(|found| found == line),
                "{name}: {version}"
            );
        }
        assert_eq!(ask("cat entry.cfg"), boot_entry(ROOT_HASH).trim());
        let superblock = ask("show_super_stats -h");
        for line in [
            "Filesystem volume name:   PADDOCK_SLOT",
            "Filesystem features:      filetype sparse_super large_file",
        ] {
            assert!(superblock.contains(line), "{line}: {superblock}");
        }
    }

    #[test]
    fn the_size_leaves_room_for_addresses_and_groups() {
        for (mebibytes, expected_kib) in [(0, 128), (1, 1152), (165, 169_344), (500, 512_832)] {
            let blocks = count_blocks(&[mebibytes << 20]);
            assert_eq!(blocks * BLOCK / 1024, expected_kib, "{mebibytes} MiB");
        }
    }

    #[test]
    fn the_version_names_version_build_and_os_image() {
        assert_eq!(
            version("abc", &[(OS_IMAGE, digest(&SHA256, b""))]),
            format!(
                "version={}\nbuild_id=abc\nos_img_sha256=\
                 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
                env!("CARGO_PKG_VERSION")
            )
        );
    }

    /// GRUB runs a damaged script line by line, and a slot whose initrd is missing must not start its kernel.
    #[test]
    fn the_boot_entry_is_one_line_that_boots_only_with_an_initrd() {
        let entry = boot_entry(ROOT_HASH);
        assert_eq!(entry.matches('\n').count(), 1);
        assert!(!entry.contains("  "), "{entry}");
        let (start, end) = entry.split_once("; then if initrd ").unwrap();
        assert!(start.starts_with("if linux ($sd)/vmlinuz console=ttyS0,115200 "));
        assert!(start.ends_with(
            " $quiet $kernel_line $mode paddock.slot=$slot paddock.seq=$seq paddock.esp=$esp"
        ));
        assert_eq!(end, "($sd)/initrd; then boot; fi; fi\n");
        assert!(!entry.contains("autologin") && !entry.contains(" quiet"));
    }
}
