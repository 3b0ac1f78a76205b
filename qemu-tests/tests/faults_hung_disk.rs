//! The state disk stops answering: the machine goes down by its deadline all the same, and comes up without it.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::problems;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, Vm, VmSpec};
use serde_json::json;

/// `rancher.shutdown_timeout`, in seconds.
const SHUTDOWN_TIMEOUT_SECS: u64 = 30;
/// The time of the button's way to PID 1 and of the kernel's way down, on a busy host.
const MARGIN_SECS: u64 = 30;
/// The kernel's words about tasks that wait for the disk.
const EXPECTED: [&str; 3] = ["blocked for more than", "Call Trace:", "I/O error, dev"];

#[test]
#[ignore = "long: make test-faults"]
fn a_disk_that_hangs_holds_up_no_shutdown() -> Result<()> {
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    let settings = format!("rancher:\n  shutdown_timeout: {SHUTDOWN_TIMEOUT_SECS}\n");
    let vm = Vm::start("faults-hung-disk", &spec, &UserData::config(&settings))?;
    let result = vm.wait_up().and_then(|_| {
        stop_disk(&vm)?;
        // A process that writes waits for the disk from now on.
        vm.ssh
            .ok("(dd if=/dev/zero of=$HOME/waits bs=1M count=8 conv=fsync >/dev/null 2>&1 &)")?;
        vm.qmp.command("system_powerdown", json!({}))?;
        let began = vm.age();
        let limit = Deadline::secs(SHUTDOWN_TIMEOUT_SECS + MARGIN_SECS);
        assert_eq!(vm.wait_shutdown(limit)?, "guest-shutdown");
        let took = (vm.age() - began).as_secs();
        println!("the machine was off {took} s after the button");
        ensure!(
            vm.console.text().contains("ros: power-off"),
            "no shutdown of ours"
        );
        Ok(())
    });
    vm.finish_despite(&EXPECTED, result)
}

#[test]
#[ignore = "long: make test-faults"]
fn a_disk_that_hangs_from_the_start_holds_up_no_boot() -> Result<()> {
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    let vm = Vm::start("faults-hung-at-boot", &spec, &UserData::key_only())?;
    // The kernel looks for partitions while it loads the driver, so the driver waits for this disk.
    let result = stop_disk(&vm).and_then(|()| {
        vm.wait_up()?;
        let told = problems(&vm)?.join("\n");
        ensure!(told.contains("no answer in"), "{told}");
        let root = vm.ssh.ok("findmnt -no FSTYPE -T /home/rancher")?;
        assert_eq!(root, "tmpfs", "the home is on a disk that hangs");
        Ok(())
    });
    vm.finish_despite(&EXPECTED, result)
}

/// From now on no request to the state disk comes to its end: a byte a second.
fn stop_disk(vm: &Vm) -> Result<()> {
    let limits = json!({
        "device": "disk0", "bps": 1, "bps_rd": 0, "bps_wr": 0,
        "iops": 0, "iops_rd": 0, "iops_wr": 0,
    });
    vm.qmp.command("block_set_io_throttle", limits).map(drop)
}
