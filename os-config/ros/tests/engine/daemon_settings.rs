//! User Docker with settings of the user's: sockets, daemon.json, settings that dockerd refuses or dies of, user
//! namespaces, and what comes before its start.

use crate::sandbox::Sandbox;

const FILE: &str = "/etc/docker/daemon.json";

fn problems(sandbox: &Sandbox) -> String {
    let told = sandbox.read("/run/ros/problems.jsonl");
    // The kernel's settings are the host's here.
    let lines = told.lines().filter(|line| !line.contains("/proc/sys/"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A field of `docker info`.
fn info(sandbox: &Sandbox, field: &str) -> String {
    let format = format!("{{{{.{field}}}}}");
    sandbox
        .succeed(&["docker", "info", "--format", &format])
        .trim()
        .to_owned()
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn sockets_and_files_of_the_user_cost_no_socket_of_the_machine() {
    let mut sandbox = Sandbox::start(
        "rancher:\n  console: none\n  docker: {host: ['unix:///var/run/docker.sock', 'tcp://127.0.0.1:2375']}\n",
    );
    sandbox.write(
        FILE,
        "{\"data-root\": \"/var/lib/other\", \"log-driver\": \"local\"}\n",
    );
    sandbox.bring_up();
    assert_eq!(info(&sandbox, "DockerRootDir"), "/var/lib/other");
    assert_eq!(info(&sandbox, "LoggingDriver"), "local");
    let over_tcp = sandbox.succeed(&["docker", "-H", "tcp://127.0.0.1:2375", "version"]);
    assert!(over_tcp.contains("Server"), "{over_tcp}");
    let inside = sandbox.docker(&[
        "exec",
        "docker",
        "docker",
        "-H",
        "unix:///var/run/docker.sock",
        "version",
    ]);
    assert!(inside.contains("Server"), "{inside}");
    assert_eq!(problems(&sandbox), "");
    // System Docker does not read User Docker's file.
    let system = sandbox.docker(&["info", "--format", "{{.DockerRootDir}}"]);
    assert_eq!(system, "/var/lib/system-docker\n");
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn settings_that_dockerd_refuses_or_dies_of_do_not_cost_user_docker() {
    // The first is refused by the table, the second by dockerd's check, and the third is the end of dockerd.
    let mut sandbox = Sandbox::start(
        "rancher:\n  console: none\n  docker:\n    log_driver: nonsense\n    \
         extra_args: [--cluster-store=x, --storage-opt=overlay2.nonsense=1]\n",
    );
    sandbox.bring_up();
    assert_eq!(info(&sandbox, "LoggingDriver"), "json-file");
    let told = || problems(&sandbox);
    sandbox.wait_until("the end of dockerd is told", |_| {
        told().contains("did not start with the settings")
    });
    let told = told();
    for text in [
        "rancher.docker.extra_args: --cluster-store=x is left out: unknown flag: --cluster-store",
        "rancher.docker.log_driver is left out: there is no log driver nonsense",
        "it runs with the image's own settings until",
    ] {
        assert!(told.contains(text), "{text}: {told}");
    }
    // Settings that worked are the ones to return to.
    sandbox.reboot();
    sandbox.configure("rancher:\n  console: none\n  docker: {log_driver: local}\n");
    sandbox.bring_up();
    assert_eq!(info(&sandbox, "LoggingDriver"), "local");
    sandbox.wait_until("the settings are kept", |sandbox| {
        sandbox.exists("/var/lib/rancher/docker-settings.json")
    });
    sandbox.reboot();
    sandbox.configure(
        "rancher:\n  console: none\n  docker: {log_driver: json-file, extra_args: [--storage-opt=overlay2.nonsense=1]}\n",
    );
    sandbox.bring_up();
    assert_eq!(info(&sandbox, "LoggingDriver"), "local");
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn users_of_containers_are_mapped_to_others() {
    let mut sandbox =
        Sandbox::start("rancher:\n  console: none\n  docker: {userns_enabled: true}\n");
    sandbox.bring_up();
    let root = info(&sandbox, "DockerRootDir");
    let (_, numbers) = root.rsplit_once('/').unwrap();
    let range = sandbox.read("/etc/subuid");
    let first = range
        .lines()
        .find_map(|line| line.strip_prefix("user-docker:"));
    let first = first
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default();
    assert_eq!(numbers, format!("{first}.{first}"), "{range}");
    assert_eq!(problems(&sandbox), "");
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn files_mounts_and_commands_come_before_user_docker() {
    let mut sandbox = Sandbox::start(
        "write_files:\n\
         - {path: /etc/docker/daemon.json, content: '{\"data-root\": \"/mnt/data/docker\"}'}\n\
         - {path: /test, content: x}\n\
         - {path: /opt/rancher/bin/start.sh, permissions: '0755', content: \"#!/bin/sh\\nsystem-docker top docker >/run/daemons-before\"}\n\
         mounts:\n\
         - [tmpfs, /mnt/data, tmpfs, '']\n\
         - [tmpfs, /home/rancher/volumes, tmpfs, '']\n\
         - [tmpfs, /var/lib/more, tmpfs, '']\n\
         - [/test, /opt/test, '', bind]\n\
         runcmd:\n\
         - echo seen >/home/rancher/volumes/file && echo seen >/var/lib/more/file\n",
    );
    sandbox.write("/run/udev/coldplugged", "");
    sandbox.bring_up();
    let before = sandbox.read("/run/daemons-before");
    assert!(
        before.contains("user-docker") && !before.contains("dockerd"),
        "{before}"
    );
    assert_eq!(info(&sandbox, "DockerRootDir"), "/mnt/data/docker");
    let mounted = sandbox.docker(&["exec", "console", "cat", "/proc/mounts"]);
    assert!(mounted.contains(" /mnt/data "), "{mounted}");
    // User Docker's container sees every mount of the console, and it has its data on one of them.
    let read = [
        "exec",
        "docker",
        "cat",
        "/home/rancher/volumes/file",
        "/var/lib/more/file",
        "/opt/test",
    ];
    assert_eq!(sandbox.docker(&read), "seen\nseen\nx");
    let of_docker = sandbox.docker(&["exec", "docker", "ls", "/mnt/data/docker"]);
    assert!(of_docker.contains("overlay2"), "{of_docker}");
    assert_eq!(problems(&sandbox), "");
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn a_boot_command_that_uses_docker_starts_it() {
    let mut sandbox = Sandbox::start("runcmd:\n- docker version >/run/version\n- sleep 600\n");
    sandbox.write("/run/udev/coldplugged", "");
    sandbox.start_sysinit();
    sandbox.wait_until("docker has answered the command", |sandbox| {
        sandbox.read("/run/version").contains("Server")
    });
}
