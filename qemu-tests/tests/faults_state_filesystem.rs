//! The filesystem of the state disk meets an error, or the disk stops answering for a while: the machine says so.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::problems;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, Vm, VmSpec};
use serde_json::json;

/// What the kernel and programs say about a filesystem that has ended itself, and about tasks that wait for a disk.
const EXPECTED: [&str; 4] = [
    "EXT4-fs error",
    "I/O error, dev",
    "blocked for more than",
    "Call Trace:",
];

fn spec() -> VmSpec {
    VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    }
}

#[test]
#[ignore = "long: make test-faults"]
fn an_error_of_the_state_filesystem_is_said_and_checked_by_the_next_boot() -> Result<()> {
    let vm = Vm::start("faults-state-filesystem", &spec(), &UserData::key_only())?;
    let result = vm.wait_up().and_then(|_| {
        let mark = vm.console.mark();
        // The filesystem ends itself, so the session may too.
        vm.ssh
            .run_for(
                30,
                "echo broken | sudo tee $(sudo sh -c 'ls /sys/fs/ext4/*/trigger_fs_error')",
            )
            .ok();
        vm.console
            .wait_for_after(mark, "takes no writes any more", Deadline::secs(60))?;
        let mark = vm.console.mark();
        vm.qmp.command("system_reset", json!({}))?;
        vm.wait_up_again(mark)?;
        let told = problems(&vm)?.join("\n");
        // The error is recorded. Whether there is something to mend depends on what was being written.
        ensure!(told.contains("e2fsck"), "{told}");
        vm.ssh.ok("echo moo >~/file && sync").map(drop)
    });
    vm.finish_despite(&EXPECTED, result)
}

#[test]
#[ignore = "long: make test-faults"]
fn a_disk_that_stops_answering_is_said_until_it_answers() -> Result<()> {
    let vm = Vm::start("faults-silent-disk", &spec(), &UserData::key_only())?;
    let result = vm.wait_up().and_then(|_| {
        let mark = vm.console.mark();
        set_speed(&vm, 1)?;
        // The writes of a process that does not wait for them.
        vm.ssh
            .ok("(dd if=/dev/zero of=$HOME/waits bs=1M count=8 conv=fsync >/dev/null 2>&1 &)")?;
        vm.console
            .wait_for_after(mark, "does not answer", Deadline::secs(240))?;
        set_speed(&vm, 0)?;
        vm.wait_until("the end of the problem", Deadline::secs(120), || {
            let told = problems(&vm)?;
            ensure!(told.is_empty(), "{told:?}");
            Ok(())
        })
    });
    vm.finish_despite(&EXPECTED, result)
}

/// The speed of the state disk in bytes a second; 0 is no limit.
fn set_speed(vm: &Vm, bytes: u64) -> Result<()> {
    let limits = json!({
        "device": "disk0", "bps": bytes, "bps_rd": 0, "bps_wr": 0,
        "iops": 0, "iops_rd": 0, "iops_wr": 0,
    });
    vm.qmp.command("block_set_io_throttle", limits).map(drop)
}
