//! A kernel that patches its code while another CPU runs that code, as when the first container gets its CPUs. This
//! tests the emulator, not the system.

use anyhow::{Result, ensure};
use qemu_tests::{UserData, VmSpec, run};

/// Switches a static key of the scheduler on and off, beside a loop of short programs.
const PATCH: &str = "sudo sh -c '\
    while :; do /bin/true; done & load=$!; \
    key=/proc/sys/kernel/sched_schedstats; count=0; \
    while [ $count -lt 3000 ]; do echo 1 >$key; echo 0 >$key; count=$((count + 1)); done; \
    kill $load; echo $count'";
const PATCH_TIMEOUT_SECS: u64 = 900;

fn patch_kernel(name: &str) -> Result<()> {
    run(name, &VmSpec::default(), &UserData::key_only(), |vm| {
        let said = vm.ssh.ok_for(PATCH_TIMEOUT_SECS, PATCH)?;
        ensure!(said.trim() == "3000", "{said}");
        Ok(())
    })
}

#[test]
#[ignore = "long: make test-long"]
fn three_thousand_times() -> Result<()> {
    patch_kernel("patching")
}

/// Runs beside the other test: the host should have fewer CPUs than both machines.
#[test]
#[ignore = "long: make test-long"]
fn three_thousand_times_beside_it() -> Result<()> {
    patch_kernel("patching-beside")
}
