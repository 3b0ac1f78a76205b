//! A machine without a configuration says how to get in.

use anyhow::Result;
use qemu_tests::harness::vm::UP;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{SeedKind, UserData, Vm, VmSpec};

#[test]
#[ignore = "long: make test-long"]
fn without_configuration_it_says_how_to_get_in() -> Result<()> {
    let spec = VmSpec {
        seed: SeedKind::None,
        ..VmSpec::default()
    };
    let vm = Vm::start("console-no-config", &spec, &UserData::key_only())?;
    let body = || {
        vm.console.wait_for(UP, Deadline::secs(120))?;
        let line = "ros: eth0 has address 10.0.2.15: ssh rancher@10.0.2.15";
        vm.console.wait_for(line, Deadline::secs(60)).map(drop)
    };
    let result = body();
    vm.finish(result)
}
