//! `ros service`: a service from its definition to its removal, by every verb. Reboots are in vm_state_disk.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::fixtures::guest::{ros, ros_ok, trust_registry, write_definition, write_file};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::cloud::Cloud;

use crate::{VM, registry};

const FILE: &str = "/var/lib/rancher/conf/cow.yml";

/// Runs a command that must fail with `why` and change nothing.
fn expect_refusal(vm: &Vm, arguments: &str, why: &str) -> Result<()> {
    let config = "sudo cat /var/lib/rancher/conf/cloud-config.yml 2>/dev/null || true";
    let before = vm.ssh.ok(config)?;
    let output = ros(vm, &format!("service {arguments}"))?;
    ensure!(
        output.status == 1,
        "`{arguments}` ended with {}",
        output.status
    );
    ensure!(
        output.stderr.contains(why),
        "`{arguments}` said {}",
        output.stderr
    );
    assert_eq!(
        vm.ssh.ok(config)?,
        before,
        "`{arguments}` changed something"
    );
    Ok(())
}

fn is_running(vm: &Vm) -> Result<bool> {
    let names = vm.ssh.ok("docker ps --format '{{.Names}}'")?;
    Ok(names.lines().any(|name| name == "cow"))
}

/// The definition of the service `cow`, which says `word`.
fn definition(vm: &Vm, word: &str) -> Result<String> {
    let image = busybox(vm)?;
    Ok(format!(
        "cow:\n  image: {image}\n  command: [sh, -c, \"echo {word}; exec sleep 100000\"]\n  stop_signal: SIGKILL\n  \
         volumes: [/milk]\n"
    ))
}

/// The name of the image busybox in the registry, which User Docker trusts.
fn busybox(vm: &Vm) -> Result<String> {
    Ok(format!("{}/busybox", trust_registry(vm, registry()?)?))
}

/// Runs a check with the service `cow` enabled, and deletes it again.
fn with_cow(check: impl FnOnce(&Vm) -> Result<()>) -> Result<()> {
    VM.with(|vm| {
        write_file(vm, FILE, &definition(vm, "moo")?)?;
        ros_ok(vm, &format!("service enable {FILE}"))?;
        let result = check(vm);
        ros(vm, "service down cow").ok();
        ros(vm, &format!("service delete {FILE}")).ok();
        result
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn bad_commands_are_refused_and_change_nothing() -> Result<()> {
    VM.with(|vm| {
        write_file(vm, FILE, &definition(vm, "moo")?)?;
        refuse_bad_commands(vm)?;
        ros_ok(vm, &format!("service validate {FILE}")).map(drop)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn enabling_pulls_and_does_not_start() -> Result<()> {
    with_cow(|vm| {
        vm.ssh
            .ok(&format!("docker image inspect {}", busybox(vm)?))?;
        let list = ros_ok(vm, "service list")?;
        ensure!(list.contains(&format!("enabled  {FILE}")), "{list}");
        ensure!(list.contains("disabled node-exporter"), "{list}");
        ensure!(!is_running(vm)?, "enabling started it");
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn every_verb_works() -> Result<()> {
    with_cow(run_every_verb)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn only_a_changed_definition_makes_a_new_container() -> Result<()> {
    with_cow(recreate)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_service_is_built_and_scaled() -> Result<()> {
    with_cow(|vm| {
        ros_ok(vm, "service up cow")?;
        build_and_scale(vm, &busybox(vm)?)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_container_without_its_program_is_kept_and_replaced() -> Result<()> {
    VM.with(|vm| keep_broken_container(vm, &busybox(vm)?))
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_killed_system_service_comes_back() -> Result<()> {
    VM.with(|vm| kill_system_service(vm, &busybox(vm)?))
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_service_is_disabled_and_deleted() -> Result<()> {
    with_cow(|vm| {
        ros_ok(vm, "service up cow")?;
        remove_service(vm)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn definitions_come_by_address_and_from_a_catalogue() -> Result<()> {
    VM.with(|vm| enable_by_address(vm, &definition(vm, "from the network")?))
}

fn recreate(vm: &Vm) -> Result<()> {
    let id = || vm.ssh.ok("docker inspect -f '{{.Id}}' cow");
    ros_ok(vm, "service up cow")?;
    let first = id()?;
    ros_ok(vm, "service up cow")?;
    assert_eq!(id()?, first);
    vm.ssh.ok("docker exec cow touch /milk/fresh")?;
    write_file(vm, FILE, &definition(vm, "changed")?)?;
    ros_ok(vm, "service up --no-recreate cow")?;
    assert_eq!(id()?, first);
    ros_ok(vm, "service up cow")?;
    ensure!(id()? != first, "it is still the old one");
    vm.ssh.ok("docker exec cow ls /milk/fresh")?;
    ros_ok(vm, "service up --force-recreate cow")?;
    vm.ssh.ok("docker exec cow ls /milk/fresh").map(drop)
}

/// Enables a service with a definition file of its own, and returns the file's path.
fn add_service(vm: &Vm, name: &str, definition: &str) -> Result<String> {
    let file = write_definition(vm, name, definition)?;
    ros_ok(vm, &format!("service enable {file}"))?;
    Ok(file)
}

fn refuse_bad_commands(vm: &Vm) -> Result<()> {
    expect_refusal(
        vm,
        "up nonesuch",
        "there is no service nonesuch\nhint: there are ",
    )?;
    expect_refusal(vm, "enable nonesuch", "there is no service nonesuch")?;
    expect_refusal(
        vm,
        "enable /nonexistent.yml",
        "there is no service /nonexistent.yml",
    )?;
    write_file(vm, "/tmp/bad.yml", "cow: {image: x, restart: sometimes}\n")?;
    expect_refusal(vm, "enable /tmp/bad.yml", "nothing was changed")?;
    expect_refusal(vm, "validate /tmp/bad.yml", "cow.restart")?;
    write_file(vm, "/tmp/gone.yml", "cow: {image: x}\n")?;
    expect_refusal(
        vm,
        "enable /tmp/gone.yml",
        "may be missing when the machine starts",
    )?;
    expect_refusal(
        vm,
        "disable ntp",
        "ntp is none of the services that can be added",
    )?;
    expect_refusal(
        vm,
        "enable http://10.0.2.2:9/none.yml",
        "http://10.0.2.2:9/none.yml",
    )?;
    let output = vm.ssh.run("ros service list")?;
    ensure!(
        output.status == 1 && output.stderr.contains("this needs root\nhint: sudo"),
        "{output:?}"
    );
    Ok(())
}

fn run_every_verb(vm: &Vm) -> Result<()> {
    ros_ok(vm, "service pull cow")?;
    ros_ok(vm, "service create cow")?;
    let state = vm.ssh.ok("docker inspect -f '{{.State.Status}}' cow")?;
    assert_eq!(state, "created");
    ros_ok(vm, "service start cow")?;
    ensure!(is_running(vm)?, "it does not run after start");
    vm.wait_until("its first line", Deadline::secs(60), || {
        let said = ros_ok(vm, "service logs cow")?;
        ensure!(said.contains("cow | moo"), "{said}");
        Ok(())
    })?;
    let ps = ros_ok(vm, "service ps cow")?;
    ensure!(ps.contains("cow") && ps.contains("Up "), "{ps}");
    let json = ros_ok(vm, "service ps --format json cow")?;
    let list: serde_json::Value = serde_json::from_str(&json)?;
    assert_eq!(
        (&list[0]["name"], &list[0]["state"]),
        (&"cow".into(), &"running".into())
    );
    let id = ros_ok(vm, "service ps -q cow")?;
    assert_eq!(list[0]["id"], id);
    expect_refusal(vm, "rm cow", "cow runs\nhint: stop it first")?;
    let before = vm.ssh.ok("docker inspect -f '{{.State.StartedAt}}' cow")?;
    ros_ok(vm, "service restart --timeout 1 cow")?;
    ensure!(
        vm.ssh.ok("docker inspect -f '{{.State.StartedAt}}' cow")? != before,
        "it was not restarted"
    );
    ros_ok(vm, "service kill --signal SIGKILL cow")?;
    vm.wait_until("its end", Deadline::secs(60), || {
        ensure!(!is_running(vm)?, "it still runs");
        Ok(())
    })?;
    ros_ok(vm, "service start cow")?;
    let last = ros_ok(vm, "service logs --tail 1 cow")?;
    assert_eq!(last, "cow | moo");
    // `logs --follow` ends with the container.
    let shown = vm.ssh.ok(
        "sudo ros service logs --follow cow >/tmp/followed & until grep -q moo /tmp/followed; do sleep 0.2; done; \
         sudo ros service stop --timeout 1 cow; wait; cat /tmp/followed",
    )?;
    ensure!(shown.contains("cow | moo"), "{shown}");
    ensure!(!is_running(vm)?, "it runs after stop");
    let shown = vm.ssh.ok_for(
        120,
        "sudo timeout 90 ros service up --foreground cow & until docker ps -q -f name=cow | grep -q .; do sleep 1; done; \
         docker kill cow >/dev/null; wait",
    )?;
    assert_eq!(shown, "cow | moo");
    ros_ok(vm, "service start cow")?;
    ros_ok(vm, "service rm --force cow")?;
    let gone = vm.ssh.run("docker inspect cow")?;
    ensure!(gone.status != 0, "it is still there after rm --force");
    ros_ok(vm, "service create cow")?;
    ros_ok(vm, "service rm -v cow")?;
    let gone = vm.ssh.run("docker inspect cow")?;
    ensure!(gone.status != 0, "it is still there after rm");
    // The same verbs work on the system's services.
    ros_ok(vm, "service restart syslog")?;
    let ps = ros_ok(vm, "service ps syslog docker")?;
    ensure!(
        ps.contains("paddock/syslog") && ps.contains("paddock/docker"),
        "{ps}"
    );
    let all = ros_ok(vm, "service list --all --format json")?;
    let list: serde_json::Value = serde_json::from_str(&all)?;
    let syslog = list
        .as_array()
        .into_iter()
        .flatten()
        .find(|line| line["name"] == "syslog");
    ensure!(
        syslog.is_some_and(|line| line["scope"] == "system"),
        "{all}"
    );
    Ok(())
}

/// A compose file with a `build`, and Rancher's compose file, which sets the number of containers.
fn build_and_scale(vm: &Vm, image: &str) -> Result<()> {
    let file = "/opt/herd/docker-compose.yml";
    vm.ssh.ok("sudo mkdir -p /opt/herd/context /opt/herd/data && echo GRASS=green | sudo tee /opt/herd/herd.env")?;
    write_file(
        vm,
        "/opt/herd/context/Dockerfile",
        &format!(
            "FROM {image}\nRUN echo built > /how\nCMD [\"sh\", \"-c\", \"cat /how; echo $GRASS > /data/seen; exec sleep 100000\"]\n"
        ),
    )?;
    write_file(
        vm,
        file,
        "services:\n  herd: {build: ./context, volumes: ['./data:/data'], env_file: herd.env, depends_on: [cow], \
         ports: ['7000-7001'], stop_signal: SIGKILL}\n",
    )?;
    write_file(
        vm,
        "/opt/herd/rancher-compose.yml",
        "herd: {scale: 2, health_check: {port: 80}}\n",
    )?;
    ros_ok(vm, &format!("service enable {file}"))?;
    expect_refusal(vm, "up --no-build herd", "image os_herd has not been built")?;
    expect_refusal(vm, "build cow", "its definition has no `build`")?;
    let said = ros_ok(vm, "service build --no-cache herd")?;
    ensure!(said.contains("RUN echo built"), "{said}");
    ros_ok(vm, "service up herd")?;
    vm.wait_until_ok("grep green /opt/herd/data/seen", Deadline::secs(60))?;
    let ports = vm.ssh.ok("docker port herd")?;
    ensure!(
        ports.contains("7000/tcp -> ") && ports.contains("7001/tcp -> "),
        "{ports}"
    );
    vm.wait_until("both containers", Deadline::secs(60), || {
        let said = ros_ok(vm, "service logs herd")?;
        for line in ["herd   | built", "herd-2 | built"] {
            ensure!(said.contains(line), "{line:?} is missing: {said}");
        }
        Ok(())
    })?;
    // `down` removes both containers, but not the service that they depend on.
    ros_ok(vm, "service down herd")?;
    ensure!(is_running(vm)?, "another service was stopped");
    let names = vm.ssh.ok("docker ps -a --format '{{.Names}}'")?;
    ensure!(!names.contains("herd"), "they are still there: {names}");
    ros_ok(vm, &format!("service delete {file}")).map(drop)
}

/// A container that is never recreated loses its program: it is replaced, and the old container is kept.
fn keep_broken_container(vm: &Vm, image: &str) -> Result<()> {
    let file = add_service(
        vm,
        "calf",
        &format!(
            "calf:\n  image: {image}\n  command: [/bin/sleep, '100000']\n  stop_signal: SIGKILL\n  \
             labels: {{io.docker.compose.rebuild: 'false'}}\n"
        ),
    )?;
    ros_ok(vm, "service up calf")?;
    vm.ssh
        .ok("docker exec calf sh -c 'echo moo > /mark; rm /bin/sleep' && docker stop calf")?;
    let up = ros(vm, "service up calf")?;
    ensure!(
        up.status == 0 && up.stderr.contains("kept in the container calf.failed"),
        "{up:?}"
    );
    let found = vm.ssh.ok(
        "docker inspect -f '{{.State.Running}}' calf; docker cp calf.failed:/mark - | tar -xO",
    )?;
    assert_eq!(found, "true\nmoo");
    vm.ssh.ok("docker rm calf.failed")?;
    ros_ok(vm, "service down calf")?;
    ros_ok(vm, &format!("service delete {file}")).map(drop)
}

/// A system service's restart policy holds at once, not only from the next boot on.
fn kill_system_service(vm: &Vm, image: &str) -> Result<()> {
    let file = add_service(
        vm,
        "hound",
        &format!(
            "hound:\n  image: {image}\n  command: [sleep, '100000']\n  restart: always\n  stop_signal: SIGKILL\n  \
             labels: {{io.rancher.os.scope: system}}\n"
        ),
    )?;
    ros_ok(vm, "service up hound")?;
    let pid = "sudo system-docker inspect -f '{{.State.Pid}}' hound";
    let before = vm.ssh.ok(pid)?;
    vm.ssh.ok(&format!("sudo kill -9 {before}"))?;
    vm.wait_until("the service to run again", Deadline::secs(60), || {
        let now = vm.ssh.ok(pid)?;
        ensure!(now != before && now != "0", "its process is {now}");
        Ok(())
    })?;
    ros_ok(vm, "service down hound")?;
    ros_ok(vm, &format!("service delete {file}")).map(drop)
}

fn remove_service(vm: &Vm) -> Result<()> {
    ros_ok(vm, "service down cow")?;
    let gone = vm.ssh.run("docker inspect cow")?;
    ensure!(gone.status != 0, "it is still there after down");
    ros_ok(vm, &format!("service disable {FILE}"))?;
    ensure!(
        ros_ok(vm, "service list")?.contains(&format!("disabled {FILE}")),
        "it is not disabled"
    );
    expect_refusal(vm, "up cow", "there is no service cow")?;
    ros_ok(vm, &format!("service delete {FILE}"))?;
    ensure!(
        !ros_ok(vm, "service list")?.contains(FILE),
        "it is not deleted"
    );
    Ok(())
}

fn enable_by_address(vm: &Vm, definition: &str) -> Result<()> {
    let cloud = Cloud::listen(0)?;
    let base = format!("http://10.0.2.2:{}", cloud.port());
    let file = format!("services:\n  {}", definition.replace('\n', "\n  "));
    let hen = definition.replacen("cow:", "hen:", 1);
    cloud.respond_with(move |request| match request.path.as_str() {
        "/cow.yml" => Some(file.clone()),
        "/farm/index.yml" => Some("services: [hen]\nconsoles: [coop]\n".to_owned()),
        "/farm/h/hen.yml" => Some(hen.clone()),
        _ => None,
    });
    ros_ok(vm, &format!("service enable {base}/cow.yml"))?;
    // A catalogue in RancherOS's format.
    vm.ssh.ok(&format!(
        "sudo ros config set rancher.repositories.farm.url {base}/farm"
    ))?;
    let list = ros_ok(vm, "service list --update")?;
    ensure!(list.contains("disabled hen"), "{list}");
    let list = vm.ssh.ok("sudo ros console list")?;
    ensure!(list.contains("disabled coop"), "{list}");
    ros_ok(vm, "service enable hen")?;
    // `ros` keeps fetched definitions.
    cloud.fall_silent();
    ros_ok(vm, &format!("service disable {base}/cow.yml"))?;
    let again = ros(vm, &format!("service enable {base}/cow.yml"))?;
    ensure!(
        again.status == 0 && again.stderr.contains("was fetched before is used"),
        "{again:?}"
    );
    for name in ["cow", "hen"] {
        ros_ok(vm, &format!("service up {name}"))?;
        vm.wait_until("its first line", Deadline::secs(60), || {
            let said = ros_ok(vm, &format!("service logs {name}"))?;
            ensure!(said.contains("from the network"), "{said}");
            Ok(())
        })?;
    }
    let output = ros(vm, "service list --update")?;
    ensure!(
        output.status == 1 && output.stderr.contains("rancher.repositories.farm"),
        "{output:?}"
    );
    ros_ok(vm, "service down cow hen")?;
    ros_ok(vm, &format!("service disable {base}/cow.yml hen")).map(drop)
}
