//! Twenty reboots in a row without a hang.

use anyhow::{Context, Result};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{MachineSpec, UserData, run};

const REBOOTS: usize = 20;

#[test]
#[ignore = "long: make test-long"]
fn twenty_in_a_row() -> Result<()> {
    let spec = MachineSpec {
        state_disk_mb: Some(1024),
        ..MachineSpec::default()
    };
    run("long-reboots", &spec, &UserData::key_only(), |machine| {
        for number in 0..REBOOTS {
            let (mark, resets) = (machine.console.mark(), machine.qmp.count_events("RESET"));
            // The session may die before its status is sent.
            machine.ssh.run_for(60, "sudo reboot").ok();
            machine
                .qmp
                .wait_nth_event("RESET", resets, Deadline::secs(30))
                .with_context(|| format!("reboot {number}"))?;
            let up = machine
                .wait_up_after(mark)
                .with_context(|| format!("reboot {number}"))?;
            println!("{number}: {up}");
        }
        Ok(())
    })
}
