//! A machine that goes down: the user's containers run again after the next boot.

use std::fs;

use crate::sandbox::Sandbox;

const LIST: &str = "/var/lib/rancher/stopped-containers";

/// Docker takes a stop by its API for the user's wish and leaves an `unless-stopped` container down, so `ros` stops
/// none whose name it cannot write. Docker's own shutdown then stops the containers.
#[test]
#[ignore = "starts dockerd: make test-engine"]
fn containers_run_again_though_a_full_disk_takes_no_list_of_them() {
    let mut sandbox = Sandbox::start("rancher: {console: none}\n");
    sandbox.bring_up();
    sandbox.make_image("mine");
    let script = "system-docker save mine | docker load && \
        docker run --detach --net=none --restart=unless-stopped --name=keeper mine \
        sh -c 'trap \"sleep 5; exit\" TERM; while :; do sleep 0.1; done'";
    sandbox.succeed(&["sh", "-c", script]);
    sandbox.kill_sysinit();
    let full =
        "mount -t tmpfs -o size=4k tmpfs /var/lib/rancher && echo full >/var/lib/rancher/file";
    sandbox.succeed(&["sh", "-c", full]);
    sandbox.succeed(&["ros", "stop-containers", "60"]);
    // `ros` ends User Docker's container by its first process, and System Docker notices later.
    sandbox.wait_until("User Docker ends", |sandbox| !sandbox.is_running("docker"));
    // User Docker has more than the three seconds of other services, so the container could take its five.
    let ended = sandbox.inspect("docker", "{{.State.ExitCode}}");
    assert_ne!(ended, "137", "User Docker was killed");
    assert!(!sandbox.exists(LIST), "the disk was not full");
    sandbox.succeed(&["umount", "/var/lib/rancher"]);
    fs::remove_file(sandbox.path("/run/ros/up")).unwrap();
    sandbox.bring_up();
    let state = sandbox.succeed(&["docker", "inspect", "--format={{.State.Running}}", "keeper"]);
    assert_eq!(state, "true\n");
}

/// dockerd waits five seconds for a client that follows its events, and `ros` itself is such a client.
#[test]
#[ignore = "starts dockerd: make test-engine"]
fn an_idle_user_docker_ends_at_once() {
    let mut sandbox = Sandbox::start("rancher: {console: none}\n");
    sandbox.bring_up();
    // The client is connected once it has seen an image and brought it to the disk.
    sandbox.make_image("mine");
    sandbox.succeed(&["sh", "-c", "system-docker save mine | docker load"]);
    sandbox.kill_sysinit();
    let said = sandbox.succeed(&["ros", "stop-containers", "60"]);
    let took = said
        .lines()
        .find_map(|line| line.strip_prefix("docker ended after ")?.strip_suffix(" s"))
        .and_then(|seconds| seconds.parse::<f64>().ok());
    let took = took.unwrap_or_else(|| panic!("no time of the end: {said}"));
    assert!(took < 4.0, "User Docker ended after {took} s");
}
