//! The life of an installed machine: reboots in place, its own words of the kernel line, the other slot and back, and both
//! resets.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::{problems, reboot, ros_ok};
use qemu_tests::fixtures::installation::{
    blank_disk, install, installed, installer, power_off, slot_status,
};
use qemu_tests::harness::spec::{DiskBus, Firmware};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, Vm, run};

const BUS: DiskBus = DiskBus::Virtio;
const CLOUD_CONFIG: &str = "#cloud-config\nhostname: farm\n\
     write_files: [{path: /opt/from-config, content: written}]\n";
const VOLUME_FILE: &str = "/var/lib/docker/volumes/kept/_data/file";

#[test]
#[ignore = "long: make test-install"]
fn a_machine_lives_on_its_disk() -> Result<()> {
    let disk = blank_disk("install-machine-disk")?;
    let key = UserData::key_only;
    run("install-machine", &installer(&disk, BUS), &key(), |vm| {
        install(vm, "/dev/vdc", CLOUD_CONFIG, "")
    })?;
    let spec = installed(&disk, BUS, Firmware::Seabios);
    run("installed-machine", &spec, &key(), |vm| {
        vm.ssh.ok(&format!(
            "docker volume create kept && echo data | sudo tee {VOLUME_FILE} && echo home >~/file"
        ))?;
        check(vm, "a")?;
        ros_ok(vm, "config boot --set 'paddock.example=moo loglevel=4'")?;
        reboot(vm)?;
        check(vm, "a")?;
        let line = vm.ssh.ok("cat /proc/cmdline")?;
        ensure!(line.contains("paddock.example=moo loglevel=4"), "{line}");
        for slot in ["b", "a", "b"] {
            ros_ok(vm, "os rollback")?;
            reboot(vm)?;
            check(vm, slot)?;
        }
        reset(vm, "--keep-data")?;
        ensure!(vm.ssh.ok("hostname")? != "farm", "the hostname has stayed");
        let data = vm
            .ssh
            .ok(&format!("sudo cat {VOLUME_FILE} && cat ~/file"))?;
        ensure!(data == "data\nhome", "{data}");
        reset(vm, "")?;
        let left = vm.ssh.ok("docker volume ls -q; ls ~")?;
        ensure!(left.is_empty(), "{left}");
        // The slots are no part of the state.
        let status = slot_status(vm)?;
        ensure!(status["running"] == "b", "{status}");
        power_off(vm)
    })
}

/// The slot runs and is first, its start has been given back, and configuration and data are there.
fn check(vm: &Vm, slot: &str) -> Result<()> {
    let status = slot_status(vm)?;
    ensure!(
        status["running"] == slot
            && status["first"] == slot
            && status["slots"][slot]["left"] == 5
            && status["seen"] == true,
        "{status}"
    );
    let seen = vm.ssh.ok(&format!(
        "hostname; cat /opt/from-config; sudo cat {VOLUME_FILE}; cat ~/file"
    ))?;
    ensure!(seen == "farm\nwrittendata\nhome", "{seen}");
    let told = problems(vm)?;
    ensure!(told.is_empty(), "{told:?}");
    Ok(())
}

fn reset(vm: &Vm, options: &str) -> Result<()> {
    let mark = vm.console.mark();
    // The machine may go down before the session gets its status.
    vm.ssh
        .run_for(60, &format!("sudo ros reset --yes {options}"))
        .ok();
    vm.qmp.wait_event("RESET", Deadline::secs(90))?;
    vm.wait_up_again(mark).map(drop)
}
