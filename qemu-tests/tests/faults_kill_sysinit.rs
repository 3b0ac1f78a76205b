//! A service kills `ros sysinit` before each system container in turn: every boot completes.

use anyhow::{Context, Result};
use qemu_tests::fixtures::daemons::{SYSTEM_CONTAINERS, check_system_containers};
use qemu_tests::fixtures::guest::sysinit_killer;
use qemu_tests::{UserData, VmSpec, run};

#[test]
#[ignore = "long: make test-faults"]
fn before_every_container() -> Result<()> {
    for victim in SYSTEM_CONTAINERS {
        let user_data = UserData::config(&sysinit_killer(victim));
        run(
            &format!("faults-kill-before-{victim}"),
            &VmSpec::default(),
            &user_data,
            |vm| {
                assert_eq!(vm.ssh.ok("cat /run/killed-sysinit")?, "once");
                check_system_containers(vm)?;
                vm.ssh.ok("docker version").map(drop)
            },
        )
        .with_context(|| format!("killed before {victim}"))?;
    }
    Ok(())
}
