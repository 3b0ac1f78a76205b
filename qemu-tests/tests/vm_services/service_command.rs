//! `ros service`: a service from its definition to its removal, by every verb, in a real engine.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::{
    problems, reboot, ros, ros_ok, trust_registry, write_definition, write_file,
};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::cloud::Cloud;
use qemu_tests::servers::image::busybox;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

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

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_service_by_every_verb() -> Result<()> {
    let scratch = artifacts::fresh_dir("ros-service-registry")?;
    let registry = Registry::with_images(&scratch)?;
    let late = busybox(&scratch, &["sleep"], &[])?;
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    run("ros-service", &spec, &UserData::key_only(), |vm| {
        let prefix = trust_registry(vm, &registry)?;
        let image = format!("{prefix}/busybox");
        let definition = |word: &str| {
            format!(
                "cow:\n  image: {image}\n  command: [sh, -c, \"echo {word}; exec sleep 100000\"]\n  stop_signal: SIGKILL\n  \
                 volumes: [/milk]\n"
            )
        };
        write_file(vm, FILE, &definition("moo"))?;
        refuse_bad_commands(vm)?;
        expect_refusal(vm, "validate /tmp/bad.yml", "")?;
        ros_ok(vm, &format!("service validate {FILE}"))?;
        ros_ok(vm, &format!("service enable {FILE}"))?;
        vm.ssh.ok(&format!("docker image inspect {image}"))?;
        let list = ros_ok(vm, "service list")?;
        ensure!(list.contains(&format!("enabled  {FILE}")), "{list}");
        ensure!(list.contains("disabled node-exporter"), "{list}");
        ensure!(!is_running(vm)?, "enabling started it");
        run_every_verb(vm)?;
        // Only a changed definition makes a new container.
        ros_ok(vm, "service up cow")?;
        let first = vm.ssh.ok("docker inspect -f '{{.Id}}' cow")?;
        ros_ok(vm, "service up cow")?;
        assert_eq!(vm.ssh.ok("docker inspect -f '{{.Id}}' cow")?, first);
        vm.ssh.ok("docker exec cow touch /milk/fresh")?;
        write_file(vm, FILE, &definition("changed"))?;
        ros_ok(vm, "service up --no-recreate cow")?;
        assert_eq!(vm.ssh.ok("docker inspect -f '{{.Id}}' cow")?, first);
        ros_ok(vm, "service up cow")?;
        ensure!(
            vm.ssh.ok("docker inspect -f '{{.Id}}' cow")? != first,
            "it is still the old one"
        );
        vm.ssh.ok("docker exec cow ls /milk/fresh")?;
        ros_ok(vm, "service up --force-recreate cow")?;
        vm.ssh.ok("docker exec cow ls /milk/fresh")?;
        build_and_scale(vm, &image)?;
        keep_broken_container(vm, &image)?;
        kill_system_service(vm, &image)?;
        enable_without_image(vm, &prefix)?;
        reboot_without_image(vm)?;
        registry.push("late", &late)?;
        wait_late_services(vm)?;
        remove_service(vm)?;
        enable_by_address(vm, &definition("from the network"))
    })
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
    vm.wait_until("its first line", Deadline::secs(30), || {
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
    vm.wait_until("its end", Deadline::secs(30), || {
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
    vm.wait_until_ok("grep green /opt/herd/data/seen", Deadline::secs(30))?;
    let ports = vm.ssh.ok("docker port herd")?;
    ensure!(
        ports.contains("7000/tcp -> ") && ports.contains("7001/tcp -> "),
        "{ports}"
    );
    vm.wait_until("both containers", Deadline::secs(30), || {
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
    vm.wait_until("the service to run again", Deadline::secs(30), || {
        let now = vm.ssh.ok(pid)?;
        ensure!(now != before && now != "0", "its process is {now}");
        Ok(())
    })?;
    ros_ok(vm, "service down hound")?;
    ros_ok(vm, &format!("service delete {file}")).map(drop)
}

/// Enables a service of each scope whose image is not in the registry yet.
fn enable_without_image(vm: &Vm, prefix: &str) -> Result<()> {
    for (name, scope) in [("late", "user"), ("late-system", "system")] {
        add_service(
            vm,
            name,
            &format!(
                "{name}:\n  image: {prefix}/late\n  command: [sleep, '100000']\n  stop_signal: SIGKILL\n  \
                 labels: {{io.rancher.os.scope: {scope}, io.rancher.os.after: docker}}\n"
            ),
        )?;
    }
    Ok(())
}

fn reboot_without_image(vm: &Vm) -> Result<()> {
    reboot(vm)?;
    vm.wait_until("the service after a reboot", Deadline::secs(60), || {
        ensure!(is_running(vm)?, "it does not run");
        Ok(())
    })?;
    let said = problems(vm)?.join("\n");
    for name in ["late", "late-system"] {
        ensure!(said.contains(&format!("service {name}: image ")), "{said}");
    }
    Ok(())
}

/// The image is in the registry now: both services start, and the service that an operator stopped stays stopped.
fn wait_late_services(vm: &Vm) -> Result<()> {
    ros_ok(vm, "service stop cow")?;
    vm.wait_until("both services", Deadline::secs(120), || {
        let names = vm
            .ssh
            .ok("docker ps --format '{{.Names}}'; sudo system-docker ps --format '{{.Names}}'")?;
        for name in ["late", "late-system"] {
            ensure!(names.lines().any(|line| line == name), "{names}");
        }
        Ok(())
    })?;
    ensure!(!is_running(vm)?, "what was stopped runs again");
    Ok(())
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
        vm.wait_until("its first line", Deadline::secs(30), || {
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
    Ok(())
}
