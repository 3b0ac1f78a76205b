//! A way down that takes its minute.

use anyhow::Result;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{MachineSpec, UserData, run};

/// For a machine with nothing to stop.
const DOWN_SECS: u64 = 30;

#[test]
#[ignore = "long: make test-long"]
fn planned_reboot_and_halt_from_the_serial_console() -> Result<()> {
    run(
        "shutdown-planned",
        &MachineSpec::default(),
        &UserData::key_only(),
        |machine| {
            machine.ssh.ok("sudo shutdown -r +1")?;
            let (mark, resets) = (machine.console.mark(), machine.qmp.count_events("RESET"));
            machine
                .qmp
                .wait_nth_event("RESET", resets, Deadline::secs(60 + DOWN_SECS))?;
            machine.wait_up_after(mark)?;
            machine.console.type_line("sudo halt")?;
            machine
                .console
                .wait_for_after(mark, "reboot: System halted", Deadline::secs(DOWN_SECS))
                .map(drop)
        },
    )
}
