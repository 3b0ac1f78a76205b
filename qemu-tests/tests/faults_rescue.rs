//! A boot that cannot go on, with nobody at the machine: the rescue console reboots the machine, three times in a row at
//! most, and then waits for a person.

use std::path::Path;

use anyhow::Result;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::boot_medium::initrd_without_os;
use qemu_tests::harness::media::disk::make_state_disk;
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::harness::spec::{BootMedium, SeedKind};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, Vm, VmSpec};

/// The search for the OS image, on a busy host.
const RESCUE_TIMEOUT_SECS: u64 = 240;
/// Five minutes without a key, and the reboot.
const IDLE_TIMEOUT_SECS: u64 = 400;
/// The state disk's partition begins here.
const PARTITION_OFFSET: u32 = 1024 * 1024;

#[test]
#[ignore = "long: make test-faults"]
fn a_rescue_console_without_a_person_reboots_and_then_waits() -> Result<()> {
    let folder = artifacts::fresh_dir("faults-rescue-disk")?;
    let disk = make_state_disk(&folder, 256)?;
    count_reboots(&folder, &disk, 2)?;
    let spec = VmSpec {
        boot_medium: BootMedium::Netboot,
        initrd: Some(initrd_without_os()?),
        seed: SeedKind::None,
        disks: vec![disk],
        ..VmSpec::default()
    };
    let vm = Vm::start("faults-rescue", &spec, &UserData::key_only())?;
    let body = || {
        let rescue = "rescue console; leave it with `exit`";
        vm.console
            .wait_for(rescue, Deadline::secs(RESCUE_TIMEOUT_SECS))?;
        let opened = vm.age();
        vm.qmp
            .wait_event("RESET", Deadline::secs(IDLE_TIMEOUT_SECS))?;
        println!(
            "the machine rebooted {} s after the console had opened",
            (vm.age() - opened).as_secs()
        );
        let mark = vm.console.mark();
        vm.console
            .wait_for_after(mark, rescue, Deadline::secs(RESCUE_TIMEOUT_SECS))?;
        vm.console.wait_for_after(
            mark,
            "the machine has rebooted 3 times by itself; it waits now",
            Deadline::secs(IDLE_TIMEOUT_SECS),
        )?;
        let mark = vm.console.mark();
        vm.console.type_line("echo sum=$((40+2))")?;
        vm.console
            .wait_for_after(mark, "sum=42", Deadline::secs(60))?;
        Ok(())
    };
    let result = body();
    vm.finish_despite(&["rescue console"], result)
}

/// Writes the number of earlier reboots on the state disk.
fn count_reboots(folder: &Path, disk: &Path, count: u32) -> Result<()> {
    let text = folder.join("count");
    std::fs::write(&text, format!("{count}\n"))?;
    let partition = format!("{}?offset={PARTITION_OFFSET}", disk.display());
    for command in [
        "mkdir paddock".to_owned(),
        format!("write {} paddock/rescue-reboots", text.display()),
    ] {
        run_tool("debugfs", &["-w", "-R", &command, &partition])?;
    }
    Ok(())
}
