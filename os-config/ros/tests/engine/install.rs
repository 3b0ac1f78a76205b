//! An installation to a file that is cut off after each of its steps. A file ends the program between two steps, as a
//! killed program ends (`cut_point.rs`; the binary under test has the feature `cut-points`).
//!
//! The medium has a small image in place of the system, and the disk holds a filesystem of another system before.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::os::unix::fs::FileExt;
use std::process::Output;

use disk::partition_table;
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use host::block;

use crate::sandbox::{Sandbox, text};

const CUT_POINTS: &str = "/run/ros/cut-points";
const MEDIUM: &str = "/run/ros/medium/paddock";
const SLOT: &str = "/run/ros/slot";
const BOOT_FILES: &str = "/usr/share/ros/boot";
const DISK: &str = "/tmp/disk.img";
const CONFIG: &str = "/tmp/config.yml";
/// More steps than an installation has.
const MOST_STEPS: usize = 20;
/// The exit code of a program that was cut off.
const CUT: i32 = 137;

/// What a firmware finds on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DiskContent {
    OtherSystem,
    Nothing,
    System,
}

/// Starts a machine with a medium.
fn start_sandbox() -> Sandbox {
    let can_be_cut = cfg!(feature = "cut-points");
    assert!(
        can_be_cut,
        "this test needs the feature `cut-points`; run `make test-engine`"
    );
    let sandbox = Sandbox::start("hostname: test\n");
    sandbox.write(CONFIG, "#cloud-config\nhostname: new\n");
    sandbox.write("/tmp/slot/version", "1.2.3\n");
    sandbox.write(&format!("{MEDIUM}/images/mine.tar"), "images");
    for folder in [MEDIUM, BOOT_FILES] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    let slot = format!("{MEDIUM}/slot.img");
    sandbox.succeed(&["truncate", "--size=4M", &slot]);
    let options = ["mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-d"];
    sandbox.succeed(&[&options[..], &["/tmp/slot", &slot]].concat());
    let mut boot_image = vec![0; 512];
    boot_image[510..].copy_from_slice(&[0x55, 0xAA]);
    for (path, bytes) in [
        (format!("{MEDIUM}/efi.img"), efi_image()),
        (format!("{BOOT_FILES}/boot.img"), boot_image),
        (format!("{BOOT_FILES}/core.img"), vec![0x11; 200 << 10]),
        (format!("{BOOT_FILES}/mmx64.efi"), b"MokManager".to_vec()),
        (format!("{BOOT_FILES}/rot.pub"), b"key".to_vec()),
    ] {
        fs::write(sandbox.path(&path), bytes).unwrap();
    }
    sandbox
}

fn efi_image() -> Vec<u8> {
    let mut image = Cursor::new(vec![0; 4 << 20]);
    fatfs::format_volume(&mut image, FormatVolumeOptions::new()).unwrap();
    let filesystem = FileSystem::new(&mut image, FsOptions::new()).unwrap();
    let root = filesystem.root_dir();
    for folder in ["EFI", "EFI/BOOT"] {
        root.create_dir(folder).unwrap();
    }
    for name in ["BOOTX64.EFI", "grubx64.efi"] {
        let mut file = root.create_file(&format!("EFI/BOOT/{name}")).unwrap();
        file.write_all(name.as_bytes()).unwrap();
    }
    drop(root);
    filesystem.unmount().unwrap();
    image.into_inner()
}

/// Makes the disk anew, with a filesystem of another system.
fn make_disk(sandbox: &Sandbox) {
    let file = File::create(sandbox.path(DISK)).unwrap();
    file.set_len(3 << 30).unwrap();
    sandbox.succeed(&["mke2fs", "-q", "-F", "-t", "ext4", "-L", "OTHER", DISK]);
}

fn install(sandbox: &Sandbox, options: &[&str]) -> Output {
    sandbox.run(&[&["ros", "install", "-d", DISK], options].concat())
}

fn look(sandbox: &Sandbox) -> DiskContent {
    let path = sandbox.path(DISK);
    let mut disk = File::open(&path).unwrap();
    let label = block::read_superblock(&path).map(|found| found.label);
    match (partition_table::read(&mut disk, 512), label.as_deref()) {
        (Some(table), None) if table.len() == 5 => DiskContent::System,
        (None, Some("OTHER")) => DiskContent::OtherSystem,
        (None, None) => DiskContent::Nothing,
        other => panic!("the disk holds {other:?}"),
    }
}

/// The bytes of a file of the state filesystem.
fn read_state(sandbox: &Sandbox, file: &str) -> String {
    let mut disk = File::open(sandbox.path(DISK)).unwrap();
    let table = partition_table::read(&mut disk, 512).unwrap();
    let state = table.last().unwrap();
    let image = format!("{DISK}?offset={}", state.first_byte);
    sandbox.succeed(&["debugfs", "-R", &format!("cat {file}"), &image])
}

#[test]
#[ignore = "needs the OS image and root: make test-engine"]
fn an_installation_that_is_cut_off_leaves_the_other_system_or_an_empty_disk() {
    let sandbox = start_sandbox();
    let mut found = Vec::new();
    for done in 0..MOST_STEPS {
        make_disk(&sandbox);
        sandbox.write(CUT_POINTS, &format!("install {done}\n"));
        let output = install(&sandbox, &["-f", "-c", CONFIG]);
        found.push(look(&sandbox));
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.code(), Some(CUT), "{}", text(&output.stderr));
        fs::remove_file(sandbox.path(CUT_POINTS)).unwrap();
        // The same command makes up for it, and needs no -f where nothing is left.
        if look(&sandbox) == DiskContent::Nothing {
            let output = install(&sandbox, &["--yes", "-c", CONFIG]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert_eq!(look(&sandbox), DiskContent::System, "after a cut at {done}");
        }
    }
    assert_eq!(found[..3], [DiskContent::OtherSystem; 3]);
    assert_eq!(found[found.len() - 2..], [DiskContent::System; 2]);
    let between = &found[3..found.len() - 2];
    assert!(
        between.len() > 4 && between.iter().all(|found| *found == DiskContent::Nothing),
        "{found:?}"
    );
    let config = "/var/lib/rancher/conf/cloud-config.d/user_config.yml";
    assert_eq!(
        read_state(&sandbox, config),
        "#cloud-config\nhostname: new\n"
    );
    let archive = "/var/lib/rancher/preload/docker/mine.tar";
    assert_eq!(read_state(&sandbox, archive), "images");
}

#[test]
#[ignore = "needs the OS image and root: make test-engine"]
fn an_installation_without_formatting_keeps_the_state() {
    let sandbox = start_sandbox();
    make_disk(&sandbox);
    let keep = ["--yes", "-t", "noformat", "-c", "/tmp/next.yml"];
    let output = install(&sandbox, &["--yes", "-t", "noformat"]);
    let said = text(&output.stderr);
    assert!(said.contains("has not the partitions"), "{said}");
    assert_eq!(look(&sandbox), DiskContent::OtherSystem);
    let output = install(&sandbox, &["-f", "-c", CONFIG]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    sandbox.write("/tmp/letter", "dear state\n");
    sandbox.write("/tmp/next.yml", "#cloud-config\nhostname: next\n");
    let mut disk = File::open(sandbox.path(DISK)).unwrap();
    let table = partition_table::read(&mut disk, 512).unwrap();
    let image = format!("{DISK}?offset={}", table[4].first_byte);
    let write = ["debugfs", "-w", "-R", "write /tmp/letter /letter", &image];
    sandbox.succeed(&write);
    for done in 0..MOST_STEPS {
        sandbox.write(CUT_POINTS, &format!("install {done}\n"));
        let output = install(&sandbox, &keep);
        assert_eq!(read_state(&sandbox, "/letter"), "dear state\n", "{done}");
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.code(), Some(CUT), "{}", text(&output.stderr));
        fs::remove_file(sandbox.path(CUT_POINTS)).unwrap();
        let output = install(&sandbox, &keep);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(look(&sandbox), DiskContent::System, "after a cut at {done}");
    }
    let config = "/var/lib/rancher/conf/cloud-config.d/user_config.yml";
    let expected = "#cloud-config\nhostname: next\n";
    assert_eq!(read_state(&sandbox, config), expected);
    let output = install(&sandbox, &[&keep[..], &["--statedir", "box"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(read_state(&sandbox, &format!("/box{config}")), expected);
    assert_eq!(read_state(&sandbox, "/letter"), "dear state\n");
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn the_images_of_services_are_taken_along() {
    let sandbox = start_sandbox();
    make_disk(&sandbox);
    sandbox.make_image("small");
    let services = |image: &str| {
        let text = format!(
            "#cloud-config\nrancher:\n  services:\n    barn:\n      image: {image}\n      \
             labels: {{io.rancher.os.scope: system}}\n"
        );
        sandbox.write("/tmp/services.yml", &text);
    };
    let take = ["-f", "-s", "-c", "/tmp/services.yml"];
    services("paddock.invalid/none");
    let output = install(&sandbox, &take);
    let said = text(&output.stderr);
    assert!(said.contains("is in no registry"), "{said}");
    assert_eq!(look(&sandbox), DiskContent::OtherSystem);
    services("small");
    let output = install(&sandbox, &take);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(look(&sandbox), DiskContent::System);
    let mut disk = File::open(sandbox.path(DISK)).unwrap();
    let table = partition_table::read(&mut disk, 512).unwrap();
    let image = format!("{DISK}?offset={}", table[4].first_byte);
    let archive = "/var/lib/rancher/preload/system-docker/installation.tar";
    let dump = format!("dump {archive} /tmp/found.tar");
    sandbox.succeed(&["debugfs", "-R", &dump, &image]);
    sandbox.docker(&["rmi", "small"]);
    let loaded = sandbox.docker(&["load", "--input", "/tmp/found.tar"]);
    assert!(loaded.contains("small"), "{loaded}");
}

#[test]
#[ignore = "needs the OS image and root: make test-engine"]
fn an_installation_refuses_what_it_should_not_overwrite() {
    let sandbox = start_sandbox();
    make_disk(&sandbox);
    sandbox.write("/tmp/wrong.yml", "#cloud-config\nhostname: [\n");
    for (options, expected) in [
        (&["--yes", "-c", CONFIG][..], "is not empty"),
        (&["-c", CONFIG], "standard input is no terminal"),
        (&["-f", "-c", "/tmp/wrong.yml"], "has errors"),
        (&["-f", "-c", "/tmp/none.yml"], "reading /tmp/none.yml"),
        (&["-f", "-t", "raid"], "makes no RAID"),
        (&["-f", "-a", "a\nb"], "--append"),
        (&["-f", "-i", "rancher/os:latest"], "the system that runs"),
    ] {
        let output = install(&sandbox, options);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{options:?}: {said}");
        assert!(said.contains(expected), "{options:?}: {said}");
        assert_eq!(look(&sandbox), DiskContent::OtherSystem, "{options:?}");
    }
    let output = install(&sandbox, &["--dry-run", "-c", CONFIG]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for expected in ["ext4 \"OTHER\"", "5 RANCHER_STATE", "write partition table"] {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(look(&sandbox), DiskContent::OtherSystem);
    // The medium gives back other bytes than it was made with.
    sandbox.write(&format!("{SLOT}/os.img"), "damaged");
    let digest = "0".repeat(64);
    sandbox.write(
        &format!("{SLOT}/version"),
        &format!("version=1.2.3\nos_img_sha256={digest}\n"),
    );
    let output = install(&sandbox, &["-f", "-c", CONFIG]);
    let said = text(&output.stderr);
    assert!(
        said.contains("os.img of the system is damaged") && said.contains("nothing was changed"),
        "{said}"
    );
    assert_eq!(look(&sandbox), DiskContent::OtherSystem);
    fs::remove_file(sandbox.path(&format!("{SLOT}/version"))).unwrap();
    let slot = sandbox.path(&format!("{MEDIUM}/slot.img"));
    let file = File::options().write(true).open(slot).unwrap();
    file.write_all_at(&[0; 4096], 0).unwrap();
    let output = install(&sandbox, &["-f", "-c", CONFIG]);
    assert!(text(&output.stderr).contains("is no slot image"));
    assert_eq!(look(&sandbox), DiskContent::OtherSystem);
}
