//! Damaged slots and environment blocks: the machine starts from the other slot by itself and says why, and counts again
//! after a start without a count.

use std::path::Path;

use anyhow::{Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::guest::{problems, reboot};
use qemu_tests::fixtures::installation::{
    built_disk, copy_disk, installed, power_off, slot_status,
};
use qemu_tests::fixtures::slot_damage::{BlockDamage, SlotDamage, damage_blocks, damage_slot};
use qemu_tests::harness::spec::{DiskBus, Firmware};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, Vm, run};

const BUS: DiskBus = DiskBus::Virtio;
/// The starts of a good slot that may fail in a row.
const STARTS: usize = 5;
/// From a reset to the next: firmware, boot loader, kernel, and its ten seconds after a panic.
const START_TIMEOUT_SECS: u64 = 180;

#[test]
#[ignore = "long: make test-install"]
fn damage_of_a_slot_or_of_a_block_costs_no_boot() -> Result<()> {
    let disk = built_disk("install-slots-disk")?;
    let mut checks = Checks::default();
    for (name, damage, firmware) in [
        ("filesystem", SlotDamage::Filesystem, Firmware::Seabios),
        ("kernel", SlotDamage::File("vmlinuz"), Firmware::Seabios),
        ("initrd", SlotDamage::File("initrd"), Firmware::Ovmf),
        (
            "entry",
            SlotDamage::File("entry.cfg"),
            Firmware::OvmfSecureBoot,
        ),
        (
            "missing initrd",
            SlotDamage::Missing("initrd"),
            Firmware::Seabios,
        ),
    ] {
        checks.run(name, || {
            boot_copy(
                &disk,
                name,
                firmware,
                |copy| damage_slot(copy, damage),
                |vm| check_other_slot(vm, "files of the slot are missing or damaged"),
            )
        });
    }
    let blocks: [(&str, BlockDamage, &[&str]); 4] = [
        ("zeroed blocks", BlockDamage::BothZeroed, &[]),
        ("a torn block", BlockDamage::FirstTorn, &[]),
        (
            "a short block",
            BlockDamage::FirstShort,
            &["a copy of the block that counts starts is missing or has another size"],
        ),
        ("read-only blocks", BlockDamage::ReadOnly, &[]),
    ];
    for (name, damage, expected) in blocks {
        checks.run(name, || {
            boot_copy(
                &disk,
                name,
                Firmware::Seabios,
                |copy| damage_blocks(copy, damage),
                |vm| {
                    assert_eq!(slot_status(vm)?["running"], "a");
                    reboot(vm)?;
                    let status = slot_status(vm)?;
                    ensure!(
                        status["seen"] == true && status["slots"]["a"]["left"] == STARTS,
                        "it does not count again: {status}"
                    );
                    check_problems(vm, expected)
                },
            )
        });
    }
    checks.run("missing blocks", || {
        boot_copy(
            &disk,
            "missing-blocks",
            Firmware::Ovmf,
            |copy| damage_blocks(copy, BlockDamage::BothMissing),
            |vm| {
                assert_eq!(slot_status(vm)?["running"], "a");
                let expected = ["could not count", "both environment blocks are missing"];
                check_problems(vm, &expected)
            },
        )
    });
    checks.finish()
}

#[test]
#[ignore = "long: make test-install"]
fn a_slot_whose_init_exits_is_left_after_its_starts() -> Result<()> {
    let disk = built_disk("install-slots-init-disk")?;
    damage_slot(&disk, SlotDamage::Init)?;
    let spec = installed(&disk, BUS, Firmware::Seabios);
    let vm = Vm::start("install-slots-init", &spec, &UserData::key_only())?;
    let body = || {
        // The boots of the loop are the machine's own.
        for start in 0..STARTS {
            vm.qmp
                .wait_nth_event("RESET", start, Deadline::secs(START_TIMEOUT_SECS))?;
        }
        vm.wait_up()?;
        check_other_slot(&vm, "its last starts did not come up")?;
        assert_eq!(slot_status(&vm)?["slots"]["a"]["left"], 0);
        power_off(&vm)
    };
    let result = body();
    std::fs::remove_file(&disk).ok();
    vm.finish_despite(&["Kernel panic", "Call Trace:"], result)
}

fn check_other_slot(vm: &Vm, reason: &str) -> Result<()> {
    let status = slot_status(vm)?;
    ensure!(
        status["running"] == "b" && status["first"] == "a",
        "{status}"
    );
    let told = problems(vm)?.join("\n");
    ensure!(
        told.contains("slot b runs, though slot a is first") && told.contains(reason),
        "{told}"
    );
    Ok(())
}

/// Fails unless each problem has its expected text, and no other is there.
fn check_problems(vm: &Vm, expected: &[&str]) -> Result<()> {
    let told = problems(vm)?;
    let all = expected
        .iter()
        .all(|text| told.iter().any(|problem| problem.contains(text)));
    ensure!(all && told.len() == expected.len(), "{told:?}");
    Ok(())
}

/// Boots a damaged copy of an installed disk.
fn boot_copy(
    disk: &Path,
    name: &str,
    firmware: Firmware,
    damage: impl FnOnce(&Path) -> Result<()>,
    body: impl FnOnce(&Vm) -> Result<()>,
) -> Result<()> {
    let machine = format!("install-slots-{}", name.replace(' ', "-"));
    let copy = copy_disk(disk, &format!("{machine}-disk"))?;
    damage(&copy)?;
    let spec = installed(&copy, BUS, firmware);
    let result = run(&machine, &spec, &UserData::key_only(), |vm| {
        body(vm)?;
        power_off(vm)
    });
    // A copy is as large as the system.
    std::fs::remove_file(&copy).ok();
    result
}
