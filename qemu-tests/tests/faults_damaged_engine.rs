//! A power cut damages a database of System Docker: the machine comes up with new data and says so, and User Docker's
//! data is there.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::problems;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::disk::make_state_disk;
use qemu_tests::{UserData, VmSpec, run};

/// The namespaces of PID 1: the console does not see System Docker's data.
const ON_HOST: &str = "sudo nsenter --target 1 --mount --";
const DATABASE: &str =
    "/state/paddock/system-docker/containerd/io.containerd.metadata.v1.bolt/meta.db";

#[test]
#[ignore = "long: make test-faults"]
fn a_damaged_database_costs_no_login_and_no_data() -> Result<()> {
    let spec = VmSpec {
        disks: vec![make_state_disk(
            &artifacts::fresh_dir("damaged-engine-disk")?,
            1024,
        )?],
        ..VmSpec::default()
    };
    run(
        "faults-damaged-engine",
        &spec,
        &UserData::key_only(),
        |vm| {
            // PID 1 stays in memory when its medium goes.
            let locked = vm.ssh.ok("grep VmLck /proc/1/status")?;
            ensure!(!locked.contains(" 0 kB"), "{locked}");
            vm.ssh.ok("docker volume create kept")?;
            vm.ssh.ok(&format!(
                "{ON_HOST} sh -c 'echo no database >{DATABASE} && sync'"
            ))?;
            let mark = vm.console.mark();
            vm.qmp.command("system_reset", serde_json::json!({}))?;
            vm.wait_up_again(mark)?;
            let told = problems(vm)?;
            ensure!(
                told.iter()
                    .any(|text| text.contains("its data is set aside")),
                "{told:?}"
            );
            vm.ssh.ok(&format!(
                "{ON_HOST} test -e {}",
                DATABASE.replace("system-docker/", "system-docker.damaged/")
            ))?;
            let volumes = vm.ssh.ok("docker volume ls --quiet")?;
            ensure!(volumes.contains("kept"), "{volumes}");
            Ok(())
        },
    )
}
