//! A planned shutdown, which waits for a minute.

use anyhow::Result;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, VmSpec, run};

/// The time limit for a machine with nothing to stop.
const SHUTDOWN_TIMEOUT_SECS: u64 = 30;

#[test]
#[ignore = "long: make test-long"]
fn planned_reboot_and_halt_from_the_serial_console() -> Result<()> {
    run(
        "shutdown-planned",
        &VmSpec::default(),
        &UserData::key_only(),
        |vm| {
            vm.ssh.ok("sudo shutdown -r +1")?;
            let (mark, resets) = (vm.console.mark(), vm.qmp.count_events("RESET"));
            vm.qmp
                .wait_nth_event("RESET", resets, Deadline::secs(60 + SHUTDOWN_TIMEOUT_SECS))?;
            vm.wait_up_again(mark)?;
            vm.console.type_line("sudo halt")?;
            vm.console
                .wait_for_after(
                    mark,
                    "reboot: System halted",
                    Deadline::secs(SHUTDOWN_TIMEOUT_SECS),
                )
                .map(drop)
        },
    )
}
