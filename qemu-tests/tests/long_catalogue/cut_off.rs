//! Further engines, and switches of engines and consoles that are cut off.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{
    self, containers_run, engine_is, nothing_left_of_a_switch, start_idle,
};
use qemu_tests::fixtures::guest::{define, reboot, ros, ros_ok, trust};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::machine::BOOT_SECS;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::services::registry::Registry;
use qemu_tests::{Machine, MachineSpec, UserData, run};

/// What is only in the console's own tree.
const MARK: &str = "/usr/local/installed";

#[test]
#[ignore = "long: make test-long"]
fn a_further_engine() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("further-registry")?)?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("further-engine", &catalogue::spec(), &keys, |machine| {
        let registry = trust(machine, &registry)?;
        start_idle(machine, &registry, "mine", "--restart always")?;
        made_and_used(machine, &registry)?;
        reboot(machine)?;
        there_and_removed(machine)
    })
}

#[test]
#[ignore = "long: make test-long"]
fn switches_that_are_cut_off() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("cut-off-registry")?)?;
    registry.push_catalogue("docker-28")?;
    registry.push_catalogue("console-debian")?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("cut-off", &catalogue::spec(), &keys, |machine| {
        let registry = trust(machine, &registry)?;
        start_idle(machine, &registry, "mine", "--restart always")?;
        an_interrupted_pull(machine)?;
        a_power_cut(machine)?;
        interrupted(machine)?;
        a_console_without_power(machine)
    })
}

/// An engine for agents of Rancher 1.6, which speak an API that newer ones refuse.
#[test]
#[ignore = "long: make test-long"]
fn an_engine_for_an_old_api() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("old-api-registry")?)?;
    registry.push_catalogue("docker-20.10")?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("old-api", &catalogue::spec(), &keys, |machine| {
        let registry = trust(machine, &registry)?;
        let ask = "curl -s -o /tmp/answer -w '%{http_code}' --unix-socket /var/run/docker.sock http://x/v1.22/containers/json; cat /tmp/answer";
        let answer = machine.ssh.ok(ask)?;
        ensure!(
            answer.starts_with("400") && answer.contains("1.22 is too old"),
            "{answer}"
        );
        ros_ok(machine, "engine switch docker-20.10")?;
        engine_is(machine, "20.10.")?;
        start_idle(machine, &registry, "mine", "--restart always")?;
        let answer = machine.ssh.ok(ask)?;
        ensure!(
            answer.starts_with("200") && answer.contains("/mine"),
            "{answer}"
        );
        reboot(machine)?;
        containers_run(machine, &["mine"])
    })
}

/// One that was enabled without being tried: nobody is locked out for longer than it takes to notice.
#[test]
#[ignore = "long: make test-long"]
fn a_console_that_does_not_answer_at_a_boot() -> Result<()> {
    let spec = MachineSpec {
        state_disk_mb: Some(1024),
        ..MachineSpec::default()
    };
    run("mute-console", &spec, &UserData::key_only(), |machine| {
        let file = define(
            machine,
            "mute",
            "console: {image: paddock/console, command: 'false'}\n",
        )?;
        ros_ok(machine, &format!("console enable {file}"))?;
        let mark = machine.console.mark();
        machine.ssh.run_for(60, "sudo reboot").ok();
        // A boot, and its patience with the console.
        let deadline = Deadline::secs(BOOT_SECS + 180);
        machine
            .console
            .line_after(mark, "the image's own is started", deadline)?;
        machine.wait_ssh(Deadline::secs(120))?;
        let list = ros_ok(machine, "console list")?;
        ensure!(
            list.contains("current  default") && list.contains(&format!("enabled  {file}")),
            "{list}"
        );
        let kept = machine
            .ssh
            .ok("sudo system-docker ps -a --format '{{.Names}}'")?;
        ensure!(kept.lines().any(|name| name == "console.failed"), "{kept}");
        // It is not tried again.
        reboot(machine)?;
        let status = ros(machine, "status")?;
        ensure!(
            status.status == 1 && status.stdout.contains("it did not answer"),
            "{status:?}"
        );
        // A switch is what it takes to be rid of it.
        ros_ok(machine, "console switch --force default")?;
        let status = ros(machine, "status")?;
        ensure!(status.stdout.contains("healthy    yes"), "{status:?}");
        Ok(())
    })
}

/// Ctrl-C while the image is being pulled: nothing has changed, and the next switch does it all.
fn an_interrupted_pull(machine: &Machine) -> Result<()> {
    let before = ros_ok(machine, "engine list")?;
    machine
        .ssh
        .ok("sudo setsid --fork ros engine switch docker-28 >/tmp/switch 2>&1 </dev/null")?;
    machine.until_ok("grep -q pulling /tmp/switch", Deadline::secs(60))?;
    machine.ssh.ok("sudo pkill -INT -f '^ros engine switch'")?;
    machine.until_ok("! pgrep -f '^ros engine switch'", Deadline::secs(10))?;
    assert_eq!(ros_ok(machine, "engine list")?, before);
    let images = machine.ssh.ok("sudo system-docker images")?;
    ensure!(!images.contains("docker-28"), "it was over: {images}");
    Ok(())
}

/// A console switch that is cut off keeps the console with what was installed in it.
fn a_console_without_power(machine: &Machine) -> Result<()> {
    machine.ssh.ok(&format!("echo moo | sudo tee {MARK}"))?;
    ros_ok(machine, "console enable debian")?;
    ros_ok(machine, "console enable default")?;
    machine
        .ssh
        .ok("sudo setsid --fork ros console switch --force debian >/tmp/switch 2>&1 </dev/null")?;
    machine.until("the old console's end", Deadline::secs(60), || {
        ensure!(machine.ssh.banner().is_err(), "it still answers");
        Ok(())
    })?;
    let mark = machine.console.mark();
    machine.qmp.command("system_reset", serde_json::json!({}))?;
    machine.wait_up_after(mark)?;
    assert_eq!(machine.ssh.ok(&format!("cat {MARK}"))?, "moo");
    let list = machine.ssh.ok("sudo ros console list")?;
    ensure!(list.contains("current  default"), "{list}");
    Ok(())
}

/// With images, containers and a way out of its own, and nothing of User Docker's.
fn made_and_used(machine: &Machine, registry: &str) -> Result<()> {
    let output = ros(machine, "engine create a/b")?;
    ensure!(
        output.status == 1 && output.stderr.contains("cannot be an engine's name"),
        "{output:?}"
    );
    let said = ros_ok(machine, "engine create blue")?;
    ensure!(said.contains("`docker-blue` talks to it"), "{said}");
    let output = ros(machine, "engine create blue")?;
    ensure!(
        output.status == 1 && output.stderr.contains("there is an engine blue already"),
        "{output:?}"
    );
    machine.ssh.ok_for(
        180,
        &format!(
            "docker-blue run -d --name inner --restart always {registry}/busybox sleep 100000"
        ),
    )?;
    let others = machine.ssh.ok("docker ps -a --format '{{.Names}}'")?;
    ensure!(!others.contains("inner"), "User Docker has it: {others}");
    machine
        .ssh
        .ok("docker-blue rm -f $(docker-blue ps -q) && docker ps -q | wc -l | grep -q 1")?;
    machine.ssh.ok(&format!(
        "docker-blue run -d --name inner --restart always {registry}/busybox sleep 100000"
    ))?;
    let list = ros_ok(machine, "engine list")?;
    ensure!(list.ends_with("enabled  blue"), "{list}");
    Ok(())
}

fn there_and_removed(machine: &Machine) -> Result<()> {
    machine.until(
        "the container of the further engine",
        Deadline::secs(90),
        || {
            let names = machine.ssh.ok("docker-blue ps --format '{{.Names}}'")?;
            ensure!(names == "inner", "{names}");
            Ok(())
        },
    )?;
    ros_ok(machine, "engine rm --force blue")?;
    let left = machine.ssh.run(
        "command -v docker-blue; sudo ls /var/lib/m-user-docker/blue; sudo system-docker inspect docker-blue; \
         sudo ros config get rancher.engines.blue",
    )?;
    assert_eq!(
        left.stdout.replace("[]", "").trim(),
        "",
        "it left something"
    );
    containers_run(machine, &["mine"])
}

/// Begins a switch that is let alone, and waits until it has come to the point where there is no engine.
fn begin_switch(machine: &Machine) -> Result<()> {
    // Not in the background of a shell, which would have it ignore Ctrl-C.
    machine
        .ssh
        .ok("sudo setsid --fork ros engine switch docker-28 >/tmp/switch 2>&1 </dev/null")?;
    machine
        .until_ok(
            "sudo system-docker ps -a --format '{{.Names}}' | grep -x docker.old",
            Deadline::secs(120),
        )
        .map(drop)
}

/// In the middle of a switch: the machine comes up with what it had.
fn a_power_cut(machine: &Machine) -> Result<()> {
    begin_switch(machine)?;
    let mark = machine.console.mark();
    machine.qmp.command("system_reset", serde_json::json!({}))?;
    machine.wait_up_after(mark)?;
    let list = ros_ok(machine, "engine list")?;
    ensure!(list.contains("current  docker-26"), "{list}");
    containers_run(machine, &["mine"])?;
    nothing_left_of_a_switch(machine)
}

/// Ctrl-C ends the command, and the switch goes on to its end.
fn interrupted(machine: &Machine) -> Result<()> {
    begin_switch(machine)?;
    machine.ssh.ok("sudo pkill -INT -f '^ros engine switch'")?;
    machine.until_ok("! pgrep -f '^ros engine switch'", Deadline::secs(10))?;
    let said = machine.ssh.ok("cat /tmp/switch")?;
    ensure!(!said.contains("docker-28 runs"), "it was over: {said}");
    machine.until("the other engine", Deadline::secs(120), || {
        let list = ros_ok(machine, "engine list")?;
        ensure!(list.contains("current  docker-28"), "{list}");
        Ok(())
    })
}
