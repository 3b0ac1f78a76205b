//! A machine without a configuration, on a network where no server answers, still comes up with a console.

use anyhow::Result;
use qemu_tests::harness::vm::UP;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{Network, SeedKind, UserData, Vm, VmSpec};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn without_configuration_or_network() -> Result<()> {
    let spec = VmSpec {
        network: Network::Silent,
        seed: SeedKind::None,
        ..VmSpec::default()
    };
    let vm = Vm::start("console-silent", &spec, &UserData::key_only())?;
    let body = || {
        vm.console.wait_for(UP, Deadline::secs(120))?;
        let mark = vm.console.mark();
        vm.console
            .type_line("echo user=$(id -un) sum=$((40+2)) docker=$(docker ps -q | wc -l)")?;
        vm.console
            .wait_for_after(mark, "user=rancher sum=42 docker=0", Deadline::secs(60))?;
        vm.console
            .type_line("sudo system-docker ps --format '{{.Names}}' | sort | xargs echo list:")?;
        vm.console.wait_for_after(
            mark,
            "list: acpid console docker network ntp syslog udev",
            Deadline::secs(60),
        )?;
        Ok(())
    };
    let result = body();
    vm.finish(result)
}
