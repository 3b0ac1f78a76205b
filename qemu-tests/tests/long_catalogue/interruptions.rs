//! Extra engines, an engine for an old API, and switches of engines and consoles that are cut off.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{
    self, check_engine_version, check_no_switch_leftovers, start_idle_container,
    wait_containers_run,
};
use qemu_tests::fixtures::guest::{reboot, ros, ros_ok, trust_registry, write_definition};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::vm::BOOT_TIMEOUT_SECS;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// A file in the console's own tree.
const MARK: &str = "/usr/local/installed";

#[test]
#[ignore = "long: make test-long"]
fn a_further_engine() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("further-registry")?)?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("further-engine", &catalogue::spec(), &keys, |vm| {
        let registry = trust_registry(vm, &registry)?;
        start_idle_container(vm, &registry, "mine", "--restart always")?;
        create_and_use_engine(vm, &registry)?;
        reboot(vm)?;
        check_and_remove_engine(vm)
    })
}

#[test]
#[ignore = "long: make test-long"]
fn switches_that_are_cut_off() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("cut-off-registry")?)?;
    registry.push_catalogue("docker-28")?;
    registry.push_catalogue("console-debian")?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("cut-off", &catalogue::spec(), &keys, |vm| {
        let registry = trust_registry(vm, &registry)?;
        start_idle_container(vm, &registry, "mine", "--restart always")?;
        interrupt_pull(vm)?;
        cut_power_in_engine_switch(vm)?;
        interrupt_switch(vm)?;
        cut_power_in_console_switch(vm)
    })
}

/// An engine for agents of Rancher 1.6, which speak an API that newer engines refuse.
#[test]
#[ignore = "long: make test-long"]
fn an_engine_for_an_old_api() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("old-api-registry")?)?;
    registry.push_catalogue("docker-20.10")?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("old-api", &catalogue::spec(), &keys, |vm| {
        let registry = trust_registry(vm, &registry)?;
        let ask = "curl -s -o /tmp/answer -w '%{http_code}' --unix-socket /var/run/docker.sock http://x/v1.22/containers/json; cat /tmp/answer";
        let answer = vm.ssh.ok(ask)?;
        ensure!(
            answer.starts_with("400") && answer.contains("1.22 is too old"),
            "{answer}"
        );
        ros_ok(vm, "engine switch docker-20.10")?;
        check_engine_version(vm, "20.10.")?;
        start_idle_container(vm, &registry, "mine", "--restart always")?;
        let answer = vm.ssh.ok(ask)?;
        ensure!(
            answer.starts_with("200") && answer.contains("/mine"),
            "{answer}"
        );
        reboot(vm)?;
        wait_containers_run(vm, &["mine"])
    })
}

/// A console was enabled without a trial and does not answer: the boot starts the image's own console instead.
#[test]
#[ignore = "long: make test-long"]
fn a_console_that_does_not_answer_at_a_boot() -> Result<()> {
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    run("mute-console", &spec, &UserData::key_only(), |vm| {
        let file = write_definition(
            vm,
            "mute",
            "console: {image: paddock/console, command: 'false'}\n",
        )?;
        ros_ok(vm, &format!("console enable {file}"))?;
        let mark = vm.console.mark();
        vm.ssh.run_for(60, "sudo reboot").ok();
        // The time of a boot, and the boot's own time limit for the console.
        let deadline = Deadline::secs(BOOT_TIMEOUT_SECS + 180);
        vm.console
            .wait_line_after(mark, "the image's own is started", deadline)?;
        vm.wait_ssh(Deadline::secs(120))?;
        let list = ros_ok(vm, "console list")?;
        ensure!(
            list.contains("current  default") && list.contains(&format!("enabled  {file}")),
            "{list}"
        );
        let kept = vm
            .ssh
            .ok("sudo system-docker ps -a --format '{{.Names}}'")?;
        ensure!(kept.lines().any(|name| name == "console.failed"), "{kept}");
        // The next boot does not try the console again.
        reboot(vm)?;
        let status = ros(vm, "status")?;
        ensure!(
            status.status == 1 && status.stdout.contains("it did not answer"),
            "{status:?}"
        );
        // A switch to another console ends the report.
        ros_ok(vm, "console switch --force default")?;
        let status = ros(vm, "status")?;
        ensure!(status.stdout.contains("healthy    yes"), "{status:?}");
        Ok(())
    })
}

/// Ctrl-C during the pull of the image: nothing has changed, and the next switch pulls it again.
fn interrupt_pull(vm: &Vm) -> Result<()> {
    let before = ros_ok(vm, "engine list")?;
    vm.ssh
        .ok("sudo setsid --fork ros engine switch docker-28 >/tmp/switch 2>&1 </dev/null")?;
    vm.wait_until_ok("grep -q pulling /tmp/switch", Deadline::secs(60))?;
    vm.ssh.ok("sudo pkill -INT -f '^ros engine switch'")?;
    vm.wait_until_ok("! pgrep -f '^ros engine switch'", Deadline::secs(10))?;
    assert_eq!(ros_ok(vm, "engine list")?, before);
    let images = vm.ssh.ok("sudo system-docker images")?;
    ensure!(!images.contains("docker-28"), "it was over: {images}");
    Ok(())
}

/// A power cut during a switch of consoles: the console is kept with the file that was written in it.
fn cut_power_in_console_switch(vm: &Vm) -> Result<()> {
    vm.ssh.ok(&format!("echo moo | sudo tee {MARK}"))?;
    ros_ok(vm, "console enable debian")?;
    ros_ok(vm, "console enable default")?;
    vm.ssh
        .ok("sudo setsid --fork ros console switch --force debian >/tmp/switch 2>&1 </dev/null")?;
    vm.wait_until("the old console's end", Deadline::secs(60), || {
        ensure!(vm.ssh.banner().is_err(), "it still answers");
        Ok(())
    })?;
    let mark = vm.console.mark();
    vm.qmp.command("system_reset", serde_json::json!({}))?;
    vm.wait_up_again(mark)?;
    assert_eq!(vm.ssh.ok(&format!("cat {MARK}"))?, "moo");
    let list = vm.ssh.ok("sudo ros console list")?;
    ensure!(list.contains("current  default"), "{list}");
    Ok(())
}

/// The extra engine has images, containers and a network of its own, and shares nothing with User Docker.
fn create_and_use_engine(vm: &Vm, registry: &str) -> Result<()> {
    let output = ros(vm, "engine create a/b")?;
    ensure!(
        output.status == 1 && output.stderr.contains("cannot be an engine's name"),
        "{output:?}"
    );
    let said = ros_ok(vm, "engine create blue")?;
    ensure!(said.contains("`docker-blue` talks to it"), "{said}");
    let output = ros(vm, "engine create blue")?;
    ensure!(
        output.status == 1 && output.stderr.contains("there is an engine blue already"),
        "{output:?}"
    );
    vm.ssh.ok_for(
        180,
        &format!(
            "docker-blue run -d --name inner --restart always {registry}/busybox sleep 100000"
        ),
    )?;
    let others = vm.ssh.ok("docker ps -a --format '{{.Names}}'")?;
    ensure!(!others.contains("inner"), "User Docker has it: {others}");
    vm.ssh
        .ok("docker-blue rm -f $(docker-blue ps -q) && docker ps -q | wc -l | grep -q 1")?;
    vm.ssh.ok(&format!(
        "docker-blue run -d --name inner --restart always {registry}/busybox sleep 100000"
    ))?;
    let list = ros_ok(vm, "engine list")?;
    ensure!(list.ends_with("enabled  blue"), "{list}");
    Ok(())
}

fn check_and_remove_engine(vm: &Vm) -> Result<()> {
    vm.wait_until(
        "the container of the further engine",
        Deadline::secs(90),
        || {
            let names = vm.ssh.ok("docker-blue ps --format '{{.Names}}'")?;
            ensure!(names == "inner", "{names}");
            Ok(())
        },
    )?;
    ros_ok(vm, "engine rm --force blue")?;
    let left = vm.ssh.run(
        "command -v docker-blue; sudo ls /var/lib/m-user-docker/blue; sudo system-docker inspect docker-blue; \
         sudo ros config get rancher.engines.blue",
    )?;
    assert_eq!(
        left.stdout.replace("[]", "").trim(),
        "",
        "it left something"
    );
    wait_containers_run(vm, &["mine"])
}

/// Starts a switch of engines in the background, and waits until it has set the old engine aside. The first switch pulls
/// the image before that.
fn begin_switch(vm: &Vm) -> Result<()> {
    // A shell would make a background job ignore Ctrl-C.
    vm.ssh
        .ok("sudo setsid --fork ros engine switch docker-28 >/tmp/switch 2>&1 </dev/null")?;
    vm.wait_until_ok(
        "sudo system-docker ps -a --format '{{.Names}}' | grep -x docker.old",
        Deadline::secs(300),
    )
    .map(drop)
}

/// A power cut in the middle of a switch: the machine comes up with the old engine.
fn cut_power_in_engine_switch(vm: &Vm) -> Result<()> {
    begin_switch(vm)?;
    let mark = vm.console.mark();
    vm.qmp.command("system_reset", serde_json::json!({}))?;
    vm.wait_up_again(mark)?;
    let list = ros_ok(vm, "engine list")?;
    ensure!(list.contains("current  docker-26"), "{list}");
    wait_containers_run(vm, &["mine"])?;
    check_no_switch_leftovers(vm)
}

/// Ctrl-C ends the command, and the switch completes without it.
fn interrupt_switch(vm: &Vm) -> Result<()> {
    begin_switch(vm)?;
    vm.ssh.ok("sudo pkill -INT -f '^ros engine switch'")?;
    vm.wait_until_ok("! pgrep -f '^ros engine switch'", Deadline::secs(10))?;
    let said = vm.ssh.ok("cat /tmp/switch")?;
    ensure!(!said.contains("docker-28 runs"), "it was over: {said}");
    vm.wait_until("the other engine", Deadline::secs(120), || {
        let list = ros_ok(vm, "engine list")?;
        ensure!(list.contains("current  docker-28"), "{list}");
        Ok(())
    })
}
