//! Installations to files, with a small image in place of the system: the disk after each step, and the whole disk.

use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use disk::esp;
use disk::layout::Role;
use disk::slots::SlotTable;
use disk::superblock::{PROBE_BYTES, recognise};
use disk::window::Window;
use disk::{machine_line, partition_table};
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use host::block;
use host::paths::{BOOT_FILES, MEDIUM, below_root};

use crate::disk::install::perform::{Payload, Performer};
use crate::disk::install::plan::{InstallFacts, InstallPlan, PreservedFacts, plan};
use crate::disk::install::source::Source;
use crate::disk::install::state::preserve::PreservedState;
use crate::disk::install::target::Target;

const DISK_BYTES: u64 = 3 << 30;
const SLOT_BYTES: u64 = 2 << 20;
const BOOT_CODE: [u8; 3] = [0xEB, 0x63, 0x90];

/// A machine that was started from a medium, and the file that becomes a disk.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let medium = machine.root().join(below_root(MEDIUM)).join("paddock");
        let boot = machine.root().join(below_root(BOOT_FILES));
        for folder in [&medium, &boot] {
            fs::create_dir_all(folder).unwrap();
        }
        let slot = medium.join("slot.img");
        File::create(&slot).unwrap().set_len(SLOT_BYTES).unwrap();
        mke2fs(&["-t", "ext2", "-b", "4096", "-L", "SLOT"], &slot);
        fs::write(medium.join("efi.img"), efi_image()).unwrap();
        let mut boot_image = vec![0; 512];
        boot_image[..3].copy_from_slice(&BOOT_CODE);
        boot_image[510..].copy_from_slice(&[0x55, 0xAA]);
        for (name, bytes) in [
            ("boot.img", boot_image),
            ("core.img", vec![0x11; 200 << 10]),
            ("mmx64.efi", b"MokManager".to_vec()),
            ("rot.pub", b"key".to_vec()),
        ] {
            fs::write(boot.join(name), bytes).unwrap();
        }
        machine
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn disk(&self) -> PathBuf {
        self.root().join("disk.img")
    }

    /// Makes a disk with another system's filesystem.
    fn new_disk(&self) -> Target {
        let file = File::create(self.disk()).unwrap();
        file.set_len(DISK_BYTES).unwrap();
        mke2fs(&["-t", "ext4", "-L", "OLD"], &self.disk());
        Target::find(self.root(), &self.disk()).unwrap()
    }

    /// Performs the first steps of an installation, as many as `limit`. Returns the plan.
    fn install(&self, limit: usize) -> InstallPlan {
        let target = self.new_disk();
        self.install_to(&target, None, limit)
    }

    /// Installs to the disk as it is, and keeps the state. Returns the plan.
    fn install_beside_state(&self, limit: usize) -> InstallPlan {
        let target = Target::find(self.root(), &self.disk()).unwrap();
        let state = PreservedState::find(&target).unwrap();
        self.install_to(&target, Some(state), limit)
    }

    fn install_to(
        &self,
        target: &Target,
        preserved: Option<PreservedState>,
        limit: usize,
    ) -> InstallPlan {
        let payload = Payload {
            source: Source::find(self.root()).unwrap(),
            cloud_config: Some(b"hostname: new\n".to_vec()),
            kernel_line: machine_line::render("quiet console=ttyS0").unwrap(),
            preserved,
            images: None,
            medium_images: Vec::new(),
            state_folder: None,
        };
        let mut plan = plan(InstallFacts {
            disk_bytes: target.bytes,
            sector_bytes: target.sector_bytes,
            image_bytes: payload.source.slot_bytes,
            preserved: payload.preserved.as_ref().map(|state| PreservedFacts {
                bytes: state.partition.bytes,
                gets_cloud_config: true,
            }),
            archive_bytes: 0,
        })
        .unwrap();
        plan.steps.truncate(limit);
        let performed = Performer::new(target, &plan, &payload)
            .and_then(|mut performer| performer.perform_all());
        performed.unwrap();
        plan
    }
}

fn mke2fs(options: &[&str], file: &Path) {
    let mut command = Command::new("mke2fs");
    let made = command.args(["-q", "-F"]).args(options).arg(file).status();
    assert!(made.unwrap().success());
}

fn efi_image() -> Vec<u8> {
    let mut image = Cursor::new(vec![0; 4 << 20]);
    fatfs::format_volume(&mut image, FormatVolumeOptions::new()).unwrap();
    let filesystem = FileSystem::new(&mut image, FsOptions::new()).unwrap();
    let root = filesystem.root_dir();
    for folder in ["EFI", "EFI/BOOT"] {
        root.create_dir(folder).unwrap();
    }
    for path in [esp::SHIM, esp::GRUB] {
        let mut file = root.create_file(path).unwrap();
        file.write_all(path.as_bytes()).unwrap();
    }
    drop(root);
    filesystem.unmount().unwrap();
    image.into_inner()
}

#[test]
fn a_cut_leaves_the_old_disk_or_an_empty_one_or_the_new_one() {
    let machine = Fixture::new();
    let count = machine.install(usize::MAX).steps.len();
    for limit in 0..=count {
        machine.install(limit);
        let is_old = block::read_superblock(&machine.disk()).is_some_and(|sb| sb.label == "OLD");
        let mut disk = File::open(machine.disk()).unwrap();
        let partitions = partition_table::read(&mut disk, 512).map(|table| table.len());
        let expected = match limit {
            0..=2 => (true, None),
            _ if limit < count => (false, None),
            _ => (false, Some(5)),
        };
        assert_eq!((is_old, partitions), expected, "after {limit} steps");
        if expected == (false, None) {
            // Another installation begins as on an empty disk.
            let target = Target::find(machine.root(), &machine.disk()).unwrap();
            let found = super::contents::describe(machine.root(), &target).unwrap();
            assert_eq!(found, [""; 0], "after {limit} steps");
        }
    }
}

/// The identifiers of the partitions of a disk.
fn guids(disk: &Path) -> Vec<String> {
    let mut disk = File::open(disk).unwrap();
    let table = partition_table::read(&mut disk, 512).unwrap();
    table.into_iter().map(|partition| partition.guid).collect()
}

#[test]
fn a_state_stays_in_every_cut_and_the_rest_is_new() {
    let machine = Fixture::new();
    let layout = machine.install(usize::MAX).layout;
    let first = guids(&machine.disk());
    let place = layout.partition(Role::State).first_byte;
    let open = || File::options().read(true).write(true).open(machine.disk());
    let read = |bytes, place| {
        let mut found = vec![0; bytes];
        open().unwrap().read_exact_at(&mut found, place).unwrap();
        found
    };
    let uuid = recognise(&read(PROBE_BYTES, place)).unwrap().uuid;
    let count = machine.install_beside_state(usize::MAX).steps.len();
    assert_ne!(guids(&machine.disk())[1], first[1]);
    for limit in 0..=count {
        // Each cut is made up for by the whole installation of the next round.
        machine.install_beside_state(usize::MAX);
        machine.install_beside_state(limit);
        let mut disk = open().unwrap();
        let table = partition_table::read(&mut disk, 512).unwrap();
        let expected = if (4..count).contains(&limit) { 1 } else { 5 };
        assert_eq!(table.len(), expected, "after {limit} steps");
        let state = table.last().unwrap();
        assert_eq!((&state.guid, state.first_byte), (&first[4], place));
        let found = recognise(&read(PROBE_BYTES, place)).unwrap();
        assert_eq!(
            (found.label.as_str(), &found.uuid),
            ("RANCHER_STATE", &uuid)
        );
        let start = read(3, 0);
        let code: [u8; 3] = if expected == 1 {
            [0xCD, 0x18, 0xF4]
        } else {
            BOOT_CODE
        };
        assert_eq!(start, code, "after {limit} steps");
    }
}

#[test]
fn only_a_state_that_an_installation_has_made_stays() {
    let machine = Fixture::new();
    let refusal = |target: &Target| PreservedState::find(target).unwrap_err().to_string();
    let target = machine.new_disk();
    assert!(refusal(&target).contains("has its data without an installation"));
    let layout = machine.install(usize::MAX).layout;
    let target = Target::find(machine.root(), &machine.disk()).unwrap();
    PreservedState::find(&target).unwrap();
    let disk = File::options().write(true).open(machine.disk()).unwrap();
    let state = layout.partition(Role::State).first_byte;
    disk.write_all_at(&vec![0; PROBE_BYTES], state).unwrap();
    assert!(refusal(&target).contains("no filesystem RANCHER_STATE"));
}

#[test]
fn a_new_disk_has_slots_boot_files_and_state() {
    let machine = Fixture::new();
    let layout = machine.install(usize::MAX).layout;
    let mut disk = File::open(machine.disk()).unwrap();
    let read = |role, bytes| {
        let mut found = vec![0; bytes];
        let place = layout.partition(role).first_byte;
        disk.read_exact_at(&mut found, place).unwrap();
        found
    };
    let image = fs::read(machine.root().join("run/ros/medium/paddock/slot.img")).unwrap();
    for role in [Role::SlotA, Role::SlotB] {
        assert!(read(role, image.len()) == image, "{}", role.name());
    }
    let state = recognise(&read(Role::State, PROBE_BYTES)).unwrap();
    assert_eq!(
        (state.fstype, state.label.as_str()),
        ("ext4", "RANCHER_STATE")
    );
    assert_eq!(read(Role::BiosBoot, 1), [0x11]);
    let mut sector = [0; 512];
    disk.read_exact_at(&mut sector, 0).unwrap();
    assert_eq!(
        (&sector[..3], &sector[510..]),
        (&BOOT_CODE[..], &[0x55, 0xAA][..])
    );
    let table = partition_table::read(&mut disk, 512).unwrap();
    let names: Vec<&str> = table
        .iter()
        .map(|partition| partition.name.as_str())
        .collect();
    assert_eq!(names, Role::ALL.map(Role::name));
    let partition = layout.partition(Role::Esp);
    let disk = File::options()
        .read(true)
        .write(true)
        .open(machine.disk())
        .unwrap();
    let window = Window::new(disk, partition.first_byte, partition.bytes);
    let filesystem = FileSystem::new(window, FsOptions::new()).unwrap();
    let read = |path: &str| {
        let mut bytes = Vec::new();
        let mut file = filesystem.root_dir().open_file(path).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    for path in [esp::SHIM, esp::GRUB] {
        assert_eq!(read(path), path.as_bytes());
    }
    assert_eq!(read(esp::MOK_MANAGER), b"MokManager");
    assert_eq!(read(esp::ROT_KEY), b"key");
    assert_eq!(
        machine_line::parse(&read(esp::KERNEL_LINE)).as_deref(),
        Some("quiet console=ttyS0")
    );
    for path in esp::ENVIRONMENTS {
        assert_eq!(SlotTable::parse(&read(path)), Some(SlotTable::new()));
    }
}

#[test]
fn the_partitions_of_a_disk_are_shown() {
    let machine = Fixture::new();
    machine.install(usize::MAX);
    let target = Target::find(machine.root(), &machine.disk()).unwrap();
    let lines = super::contents::describe(machine.root(), &target).unwrap();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[2], "partition 3 \"PADDOCK_A\": 0.5 GB");
}
