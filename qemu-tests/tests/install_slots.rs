//! Damaged slots and environment blocks: the machine starts from the other slot by itself and says why, and counts again
//! after a start without a count.

use std::path::Path;

use anyhow::{Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::guest::{problems, reboot};
use qemu_tests::fixtures::installation::{
    BlockDamage, SlotDamage, blank_disk, damage_blocks, damage_slot, install, installed, installer,
    power_off, slot_status,
};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::harness::spec::{DiskBus, Firmware};
use qemu_tests::{UserData, Vm, run};

const BUS: DiskBus = DiskBus::Virtio;

#[test]
#[ignore = "long: make test-install"]
fn damage_of_a_slot_or_of_a_block_costs_no_boot() -> Result<()> {
    let disk = blank_disk("install-slots-disk")?;
    run(
        "install-slots",
        &installer(&disk, BUS),
        &UserData::key_only(),
        |vm| install(vm, "/dev/vdc", "#cloud-config\nhostname: slots\n", ""),
    )?;
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
    ] {
        checks.run(name, || {
            boot_copy(
                &disk,
                name,
                firmware,
                |copy| damage_slot(copy, damage),
                |vm| {
                    let status = slot_status(vm)?;
                    ensure!(
                        status["running"] == "b" && status["first"] == "a",
                        "{status}"
                    );
                    let told = problems(vm)?.join("\n");
                    ensure!(
                        told.contains("slot b runs, though slot a is first"),
                        "{told}"
                    );
                    Ok(())
                },
            )
        });
    }
    for (name, damage) in [
        ("zeroed blocks", BlockDamage::BothZeroed),
        ("a torn block", BlockDamage::FirstTorn),
    ] {
        checks.run(name, || {
            let folder = name.replace(' ', "-");
            boot_copy(
                &disk,
                &folder,
                Firmware::Seabios,
                |copy| damage_blocks(copy, damage),
                |vm| {
                    assert_eq!(slot_status(vm)?["running"], "a");
                    reboot(vm)?;
                    let status = slot_status(vm)?;
                    ensure!(
                        status["seen"] == true && status["slots"]["a"]["left"] == 5,
                        "it does not count again: {status}"
                    );
                    let told = problems(vm)?;
                    ensure!(told.is_empty(), "{told:?}");
                    Ok(())
                },
            )
        });
    }
    checks.finish()
}

/// Boots a damaged copy of an installed disk.
fn boot_copy(
    disk: &Path,
    name: &str,
    firmware: Firmware,
    damage: impl FnOnce(&Path) -> Result<()>,
    body: impl FnOnce(&Vm) -> Result<()>,
) -> Result<()> {
    let copy = artifacts::fresh_dir(&format!("install-slots-{name}-disk"))?.join("disk.img");
    let paths = [disk.to_string_lossy(), copy.to_string_lossy()];
    run_tool("cp", &["--sparse=always", &paths[0], &paths[1]])?;
    damage(&copy)?;
    let spec = installed(&copy, BUS, firmware);
    let result = run(
        &format!("install-slots-{name}"),
        &spec,
        &UserData::key_only(),
        |vm| {
            body(vm)?;
            power_off(vm)
        },
    );
    // A copy is as large as the system.
    std::fs::remove_file(&copy).ok();
    result
}
