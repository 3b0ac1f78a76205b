//! The life of an installed machine: reboots in place, its own words of the kernel line, the other slot and back, both
//! resets, and the recovery of the boot menu.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::daemons::{Docker, start_times};
use qemu_tests::fixtures::guest::{problems, reboot, ros_ok};
use qemu_tests::fixtures::installation::{
    blank_disk, built_disk, install, installed, installer, power_off, slot_status,
};
use qemu_tests::harness::spec::{DiskBus, Firmware};
use qemu_tests::harness::vm::BOOT_TIMEOUT_SECS;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{UserData, Vm, run};

const BUS: DiskBus = DiskBus::Virtio;
const CLOUD_CONFIG: &str = "#cloud-config\nhostname: farm\n\
     ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f farmer]\n\
     write_files: [{path: /opt/from-config, content: written}]\n\
     rancher: {services: {herd: {image: paddock/base, command: sleep infinity, \
     labels: {io.rancher.os.scope: system}}}}\n";
const KEYS: &str = "/run/ssh-keys/rancher";
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
        reboot(vm)?;
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
        let keys = vm.ssh.ok(&format!("sudo cat {KEYS}"))?;
        ensure!(!keys.contains("farmer"), "{keys}");
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
    let keys = vm.ssh.ok(&format!("sudo cat {KEYS}"))?;
    ensure!(keys.contains("farmer"), "{keys}");
    ensure!(
        start_times(vm, Docker::System)?.contains_key("herd"),
        "the service does not run"
    );
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

#[test]
#[ignore = "long: make test-install"]
fn recovery_of_the_menu_opens_a_shell_and_counts_nothing() -> Result<()> {
    let disk = built_disk("install-recovery-disk")?;
    let spec = installed(&disk, BUS, Firmware::Seabios);
    let vm = Vm::start("install-recovery", &spec, &UserData::key_only())?;
    let body = || {
        choose_recovery_of_b(&vm)?;
        let rescue = "rescue console; leave it with `exit`";
        vm.console
            .wait_for(rescue, Deadline::secs(BOOT_TIMEOUT_SECS))?;
        // Its shell prints a prompt as soon as it reads.
        let mark = vm.console.mark();
        vm.console.type_line("")?;
        vm.console.wait_for_after(mark, "# ", Deadline::secs(60))?;
        let state = "[ -e /state/paddock ] || echo unmounted=$((40+2))";
        vm.console.type_line(state)?;
        vm.console
            .wait_for_after(mark, "unmounted=42", Deadline::secs(60))?;
        vm.console.type_line("exit")?;
        vm.wait_up()?;
        let status = slot_status(&vm)?;
        let slots = &status["slots"];
        ensure!(
            status["running"] == "b" && slots["a"]["left"] == 5 && slots["b"]["left"] == 5,
            "{status}"
        );
        let told = problems(&vm)?;
        ensure!(told.is_empty(), "{told:?}");
        power_off(&vm)
    };
    let result = body();
    std::fs::remove_file(&disk).ok();
    vm.finish_despite(&["rescue console"], result)
}

/// Goes down the boot menu to its last entry. Under a BIOS the menu is on the serial line too, and reads the keyboard
/// alone. A key stops the countdown.
fn choose_recovery_of_b(vm: &Vm) -> Result<()> {
    let last = "recovery (a shell before any service), slot B";
    vm.console.wait_for(last, Deadline::secs(120))?;
    for title in ["the other slot", "service), slot A", last] {
        let mark = vm.console.mark();
        vm.qmp.press_key("down")?;
        vm.console.wait_for_after(mark, title, Deadline::secs(60))?;
    }
    vm.qmp.press_key("ret")
}
