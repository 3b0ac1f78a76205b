//! Twenty reboots in a row without a hang.

use anyhow::{Context, Result};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, VmSpec, run};

const REBOOTS: usize = 20;

#[test]
#[ignore = "long: make test-long"]
fn twenty_in_a_row() -> Result<()> {
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    run("long-reboots", &spec, &UserData::key_only(), |vm| {
        for number in 0..REBOOTS {
            let (mark, resets) = (vm.console.mark(), vm.qmp.count_events("RESET"));
            // The session may die before its status is sent.
            vm.ssh.run_for(60, "sudo reboot").ok();
            vm.qmp
                .wait_nth_event("RESET", resets, Deadline::secs(30))
                .with_context(|| format!("reboot {number}"))?;
            let up = vm
                .wait_up_again(mark)
                .with_context(|| format!("reboot {number}"))?;
            println!("{number}: {up}");
        }
        Ok(())
    })
}
