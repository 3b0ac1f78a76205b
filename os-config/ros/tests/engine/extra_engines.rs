//! Extra engines: made, used beside the first, limited together with it, there again after a boot, and removed with what
//! they hold.

use crate::sandbox::{Sandbox, text};

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn an_extra_engine_is_made_kept_and_removed() {
    let mut sandbox = Sandbox::start("rancher: {console: none}\n");
    sandbox.bring_up();
    sandbox.make_image("mine");
    sandbox.succeed(&["ros", "engine", "create", "blue"]);
    let script = "system-docker save mine | docker-blue load && \
        docker-blue run --rm --net=none mine sh -c 'echo moo'";
    let said = sandbox.succeed(&["sh", "-c", script]);
    assert!(said.ends_with("moo\n"), "{said}");
    let listed = sandbox.succeed(&["ros", "engine", "list"]);
    assert!(listed.contains("blue"), "{listed}");
    // The first engine has images of its own.
    assert_eq!(sandbox.succeed(&["docker", "images", "--quiet"]), "");
    let again = sandbox.run(&["ros", "engine", "create", "blue"]);
    assert!(!again.status.success());
    let said = text(&again.stderr);
    assert!(said.contains("there is an engine blue already"), "{said}");

    sandbox.reboot();
    sandbox.bring_up();
    sandbox.wait_until("the extra engine answers", |sandbox| {
        let images = sandbox.run(&["docker-blue", "images", "--format", "{{.Repository}}"]);
        text(&images.stdout) == "mine\n"
    });

    sandbox.succeed(&["ros", "engine", "rm", "--force", "blue"]);
    assert_eq!(sandbox.id("docker-blue"), "");
    assert!(!sandbox.exists("/usr/local/bin/docker-blue"));
    assert!(!sandbox.succeed(&["ros", "engine", "list"]).contains("blue"));
}

/// The kernel's limits are shown in a unit test and in machines: this host may have no controllers for a sandbox.
#[test]
#[ignore = "starts dockerd: make test-engine"]
fn no_container_of_any_engine_leaves_the_limited_cgroup() {
    let mut sandbox = Sandbox::start("rancher: {console: none}\n");
    sandbox.bring_up();
    sandbox.make_image("mine");
    sandbox.succeed(&["ros", "engine", "create", "blue"]);
    for docker in ["docker", "docker-blue"] {
        let load = format!("system-docker save mine | {docker} load");
        sandbox.succeed(&["sh", "-c", &load]);
        for place in [
            "--cgroup-parent=",
            "--cgroup-parent=/elsewhere",
            "--cgroupns=host",
        ] {
            let run = [docker, "run", "--detach", "--net=none", place, "mine"];
            let argv: Vec<&str> = run.into_iter().chain(["sleep", "600"]).collect();
            let id = sandbox.succeed(&argv);
            let find = ["find", "/sys/fs/cgroup", "-type", "d", "-name", id.trim()];
            let found = sandbox.succeed(&find);
            assert!(
                found.starts_with("/sys/fs/cgroup/user-docker/") && found.lines().count() == 1,
                "{docker} {place}: {found}"
            );
            sandbox.succeed(&[docker, "rm", "--force", id.trim()]);
        }
    }
}
