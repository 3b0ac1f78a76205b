//! A container fills the state disk: logins, changes of the configuration, both engines' starts and removing images go
//! on working, and a container that could not start runs again once there is room.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::daemons::{Docker, check_system_containers, kill_daemon_and_wait};
use qemu_tests::fixtures::guest::{problems, reboot, ros_ok, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// Two looks at the disk, and time for a busy host.
const NOTICE_TIMEOUT_SECS: u64 = 120;
/// Writes zeros into a file until the disk is full; it ends with an error then.
const FILL: &str = "dd if=/dev/zero bs=1M of=";

#[test]
#[ignore = "long: make test-faults"]
fn a_full_disk_costs_neither_login_nor_engines() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("faults-full-registry")?)?;
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    // What each start of the console writes.
    let settings = UserData::config(
        "write_files: [{path: /etc/herd, content: moo, owner: rancher}]\n\
         rancher: {environment: {http_proxy: 'http://127.0.0.1:9'}}\n",
    );
    run("faults-full-disk", &spec, &settings, |vm| {
        let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
        vm.ssh.ok_for(180, &format!("docker pull {busybox}"))?;
        vm.ssh.ok_for(
            120,
            &format!(
                "docker run -d --restart unless-stopped --name keeper {busybox} sleep 1000000"
            ),
        )?;
        let mut checks = Checks::default();
        for (how, fill, empty) in [
            (
                "a layer",
                format!("docker run --name filler {busybox} {FILL}/fill"),
                "docker rm -f filler",
            ),
            (
                "a volume",
                format!("docker run --name filler -v full:/full {busybox} {FILL}/full/fill"),
                "docker rm -f filler && docker volume rm full",
            ),
            (
                "a privileged container",
                format!(
                    "docker run --name filler --privileged -v /var/lib/docker:/full {busybox} {FILL}/full/fill"
                ),
                "docker rm -f filler && sudo rm /var/lib/docker/fill",
            ),
        ] {
            vm.ssh.run_for(300, &fill)?;
            checks.run(&format!("{how}: the reserve is freed"), || {
                wait_for_problem(vm)
            });
            check_machine(vm, &mut checks, how);
            checks.run(&format!("{how}: making room"), || {
                // The privileged container sees the folder of the container `docker`.
                let empty = empty.replace("sudo rm", "sudo system-docker exec docker rm");
                vm.ssh.ok_for(120, &empty).map(drop)
            });
            checks.run(&format!("{how}: afterwards"), || check_after(vm));
        }
        checks.run("a reboot on a full disk", || {
            let fill = format!("docker run --name filler {busybox} {FILL}/fill");
            vm.ssh.run_for(300, &fill)?;
            wait_for_problem(vm)?;
            // The reserve is taken too.
            vm.ssh.run_for(
                300,
                &format!("docker run --name again {busybox} {FILL}/fill"),
            )?;
            reboot(vm)?;
            check_system_containers(vm)?;
            vm.ssh.ok_for(120, "docker rm -f filler again")?;
            check_after(vm)
        });
        checks.finish()
    })
}

fn wait_for_problem(vm: &Vm) -> Result<()> {
    vm.wait_until(
        "the full disk to be told",
        Deadline::secs(NOTICE_TIMEOUT_SECS),
        || {
            let told = problems(vm)?;
            ensure!(
                told.iter()
                    .any(|text| text.contains("the state disk is full")),
                "{told:?}"
            );
            Ok(())
        },
    )
}

fn check_machine(vm: &Vm, checks: &mut Checks, how: &str) {
    checks.run(&format!("{how}: a new login"), || {
        vm.ssh.hang_up();
        vm.wait_ssh(Deadline::secs(60))
    });
    checks.run(&format!("{how}: a change of the configuration"), || {
        ros_ok(vm, "config set rancher.environment.FULL moo")?;
        assert_eq!(
            ros_ok(vm, "config get rancher.environment.FULL")?.trim(),
            "moo"
        );
        Ok(())
    });
    for docker in [Docker::User, Docker::System] {
        checks.run(&format!("{how}: {docker:?} Docker starts again"), || {
            kill_daemon_and_wait(vm, docker, "dockerd")
        });
    }
    checks.run(&format!("{how}: a login after that"), || {
        vm.ssh.hang_up();
        vm.wait_ssh(Deadline::secs(60))?;
        check_system_containers(vm)
    });
}

/// With room again, nothing is told any more, and what ran before runs.
fn check_after(vm: &Vm) -> Result<()> {
    vm.wait_until(
        "the problem to be solved",
        Deadline::secs(NOTICE_TIMEOUT_SECS),
        || {
            let told = problems(vm)?;
            ensure!(told.is_empty(), "{told:?}");
            Ok(())
        },
    )?;
    vm.wait_until(
        "the container to run",
        Deadline::secs(NOTICE_TIMEOUT_SECS),
        || {
            let state = vm
                .ssh
                .ok("docker inspect -f '{{.State.Status}} {{.State.Error}}' keeper")?;
            ensure!(state.trim() == "running", "{state}");
            Ok(())
        },
    )
}
