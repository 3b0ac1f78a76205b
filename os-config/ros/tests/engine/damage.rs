//! Damage of User Docker: databases that a power failure has cut, and daemons that hang.

use std::fs;

use crate::sandbox::{Sandbox, text};

const CONFIG: &str = "rancher: {console: none}\n";
const DATABASES: [&str; 3] = [
    "network/files/local-kv.db",
    "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db",
    "volumes/metadata.db",
];

/// Starts a machine whose User Docker has an image, a volume with a file and a container.
fn start_sandbox() -> Sandbox {
    let mut sandbox = Sandbox::start(CONFIG);
    sandbox.bring_up();
    sandbox.make_image("mine");
    let script = "system-docker save mine | docker load && docker volume create data && \
        docker run --net=none --volume=data:/data --name=writer mine sh -c 'echo kept >/data/file'";
    sandbox.succeed(&["sh", "-c", script]);
    sandbox
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn damaged_databases_of_user_docker_are_set_aside() {
    let mut sandbox = start_sandbox();
    sandbox.kill_sysinit();
    sandbox.docker(&["stop", "docker"]);
    let path = |sandbox: &Sandbox, name: &str| sandbox.path(&format!("/var/lib/docker/{name}"));
    for name in DATABASES {
        let kept = path(&sandbox, &format!("{name}.damaged"));
        assert!(!kept.exists(), "{name} was whole");
        let file = fs::OpenOptions::new()
            .write(true)
            .open(path(&sandbox, name));
        file.unwrap().set_len(12_000).unwrap();
    }
    fs::write(path(&sandbox, "buildkit/cache.db"), "no database").unwrap();
    fs::remove_file(sandbox.path("/run/ros/up")).unwrap();
    sandbox.bring_up();
    let images = sandbox.succeed(&["docker", "images", "--format", "{{.Repository}}"]);
    assert_eq!(images, "mine\n");
    let read = "docker start writer && docker wait writer && \
        docker run --rm --net=none --volume=data:/data mine sh -c 'read line </data/file; echo $line'";
    assert!(sandbox.succeed(&["sh", "-c", read]).ends_with("kept\n"));
    let told = sandbox.read("/run/ros/problems.jsonl");
    for name in DATABASES.into_iter().chain(["buildkit"]) {
        let kept = format!("{name}.damaged");
        assert!(path(&sandbox, &kept).exists(), "{name}");
        assert!(told.contains(&kept), "{name}: {told}");
    }
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn images_that_a_user_loads_are_brought_to_the_disk() {
    let sandbox = start_sandbox();
    const SAID: &str = "new images are on the disk";
    // System Docker has imported an image, and User Docker has loaded it.
    sandbox.wait_until("System Docker's image is synced", |sandbox| {
        sandbox.read("/var/log/sysinit.log").contains(SAID)
    });
    sandbox.wait_until("User Docker's image is synced", |sandbox| {
        let logs = sandbox.run(&["system-docker", "logs", "docker"]);
        text(&logs.stderr).contains(SAID)
    });
}

/// Kubernetes and drivers of volumes ask for shared mounts.
#[test]
#[ignore = "starts dockerd: make test-engine"]
fn containers_share_mounts_below_folders_of_the_machine() {
    let sandbox = start_sandbox();
    for folder in ["/var/lib/kubelet", "/opt/plugins", "/home/data", "/run"] {
        let volume = format!("--volume={folder}:/shared:rshared");
        sandbox.succeed(&[
            "docker",
            "run",
            "--rm",
            "--net=none",
            &volume,
            "mine",
            "sh",
            "-c",
            ":",
        ]);
    }
}

/// Docker counts as a user's wish that a new dockerd stops the containers of a dead dockerd.
#[test]
#[ignore = "starts dockerd: make test-engine"]
fn containers_run_again_after_the_death_of_their_dockerd() {
    let sandbox = start_sandbox();
    let script = "run() { docker run --detach --net=none --volume=data:/data --name=$1 --restart=$2 mine sh -c \"$3\"; }; \
        run deaf unless-stopped 'sleep 600' && \
        run polite unless-stopped 'trap \"echo bye >/data/polite; exit\" TERM; while :; do sleep 0.1; done' && \
        run failing on-failure 'sleep 600' && \
        run plain no 'sleep 600' && \
        run stopped unless-stopped 'sleep 600' && docker stop --time 0 stopped && \
        system-docker exec docker sh -c 'kill -9 $(pidof dockerd)'";
    sandbox.succeed(&["sh", "-c", script]);
    let running = |sandbox: &Sandbox| {
        let output = sandbox.run(&["docker", "ps", "--format", "{{.Names}}"]);
        let mut names: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    sandbox.wait_until("the containers run again", |sandbox| {
        running(sandbox) == ["deaf", "failing", "polite"]
    });
    let said = sandbox.succeed(&[
        "sh",
        "-c",
        "docker run --rm --net=none --volume=data:/data mine sh -c 'read line </data/polite; echo $line'",
    ]);
    assert_eq!(said, "bye\n");
}
