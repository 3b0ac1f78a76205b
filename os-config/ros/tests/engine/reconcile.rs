//! Reconciling containers with the configuration: kept, recreated, removed and retired containers, restart policies.

use crate::sandbox::{Sandbox, text};

/// A cloud-config with services, each `NAME: KEYS` in YAML's short form.
fn services(services: &[(&str, &str)]) -> String {
    let mut config = "rancher:\n  console: none\n  services:\n".to_owned();
    for (name, keys) in services {
        config.push_str(&format!(
            "    {name}: {{image: paddock/base, net: none, {keys}}}\n"
        ));
    }
    config
}

const SYSTEM: &str = "labels: {io.rancher.os.scope: system}";

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn containers_follow_their_definitions() {
    let sleep = format!("command: sleep 600, {SYSTEM}");
    let mut sandbox = Sandbox::start(&services(&[
        ("same", &sleep),
        ("changed", &sleep),
        ("gone", &sleep),
    ]));
    sandbox.docker(&[
        "run",
        "--detach",
        "--net=none",
        "--name=foreign",
        "paddock/base",
        "sleep",
        "600",
    ]);
    sandbox.bring_up();
    let before = ["same", "changed", "foreign"].map(|name| sandbox.id(name));
    assert!(sandbox.is_running("gone"));
    let gone = sandbox.id("gone");

    sandbox.configure(&services(&[
        ("same", &sleep),
        ("changed", &format!("{sleep}, environment: {{A: b}}")),
        ("new", &sleep),
    ]));
    sandbox.kill_sysinit();
    sandbox.start_sysinit();
    sandbox.wait_until(
        "the new service runs and the old service is stopped",
        |sandbox| sandbox.is_running("new") && !sandbox.is_running("gone"),
    );
    assert_eq!(sandbox.id("gone"), gone, "what is in it is kept");
    let after = ["same", "changed", "foreign"].map(|name| sandbox.id(name));
    assert_eq!(before[0], after[0], "an unchanged service is left alone");
    assert_ne!(before[1], after[1], "a changed service is recreated");
    assert_eq!(
        before[2], after[2],
        "a container of no service is left alone"
    );
    assert!(
        sandbox
            .inspect("changed", "{{.Config.Env}}")
            .contains("A=b")
    );

    // A container from an earlier boot is started again, not recreated.
    sandbox.reboot();
    assert!(!sandbox.is_running("same"));
    sandbox.bring_up();
    assert!(sandbox.is_running("same"));
    assert_eq!(after[0], sandbox.id("same"));
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn restart_policies_apply_and_an_operator_has_the_last_word() {
    let service = |restart: &str, code: u8| {
        format!(
            "restart: {restart}, {SYSTEM}, volumes: ['/run:/run'], \
            command: [sh, -c, 'echo $0 >>/run/starts; read _ </run/end-$0; exit {code}']"
        )
    };
    let named = |name: &str, restart, code| service(restart, code).replace("$0", name);
    let mut sandbox = Sandbox::start(&services(&[
        ("always", &named("always", "always", 0)),
        ("failing", &named("failing", "on-failure", 3)),
        ("ending", &named("ending", "on-failure", 0)),
        ("once", &named("once", "'no'", 3)),
    ]));
    let names = ["always", "failing", "ending", "once"];
    for name in names {
        sandbox.succeed(&["mkfifo", &format!("/run/end-{name}")]);
    }
    sandbox.bring_up();
    let starts = |sandbox: &Sandbox, name: &str| {
        let all = sandbox.read("/run/starts");
        all.lines().filter(|line| *line == name).count()
    };
    sandbox.wait_until("all services have started", |sandbox| {
        names.iter().all(|name| starts(sandbox, name) == 1)
    });
    // Each container ends by itself, as soon as it reads a line.
    for name in names {
        sandbox.succeed(&["sh", "-c", &format!("echo >/run/end-{name}")]);
    }
    sandbox.wait_until("two services have started again", |sandbox| {
        starts(sandbox, "always") == 2 && starts(sandbox, "failing") == 2
    });
    for name in ["ending", "once"] {
        assert!(!sandbox.is_running(name), "{name}");
        assert_eq!(starts(&sandbox, name), 1, "{name}");
    }

    // An operator's stop holds against the policy, for the rest of the boot.
    sandbox.docker(&["stop", "--time=1", "always"]);
    sandbox.wait_until("the stop is marked", |sandbox| {
        sandbox.exists("/run/ros/stopped/always")
    });
    sandbox.kill_sysinit();
    sandbox.bring_up();
    sandbox.succeed(&["sh", "-c", "echo >/run/end-failing"]);
    sandbox.wait_until("the service engine is at work", |sandbox| {
        starts(sandbox, "failing") == 3
    });
    assert!(!sandbox.is_running("always"));
    sandbox.reboot();
    sandbox.bring_up();
    sandbox.wait_until("the next boot starts it", |sandbox| {
        sandbox.is_running("always")
    });
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn a_kept_container_that_cannot_start_is_retired() {
    let kept = |more: &str| {
        let labels = "labels: {io.rancher.os.scope: system, io.docker.compose.rebuild: 'false'}";
        services(&[("kept", &format!("command: sleep 600, {labels}{more}"))])
    };
    let mut sandbox = Sandbox::start(&kept(", devices: ['/dev/extra:/dev/extra']"));
    sandbox.succeed(&["mknod", "/dev/extra", "c", "1", "3"]);
    sandbox.bring_up();
    sandbox.docker(&["exec", "kept", "sh", "-c", "echo mine >/data"]);
    let first = sandbox.id("kept");

    // Another definition is no reason to recreate a container with this label.
    sandbox.configure(&kept(""));
    sandbox.reboot();
    sandbox.bring_up();
    assert_eq!(sandbox.id("kept"), first);

    sandbox.reboot();
    sandbox.succeed(&["rm", "/dev/extra"]);
    sandbox.bring_up();
    assert!(sandbox.is_running("kept"));
    assert_ne!(sandbox.id("kept"), first);
    assert_eq!(sandbox.id("kept.failed"), first);
    assert_eq!(
        sandbox.inspect("kept.failed", "{{.HostConfig.RestartPolicy.Name}}"),
        "no"
    );
    sandbox.docker(&["cp", "kept.failed:/data", "/run/data"]);
    assert_eq!(sandbox.read("/run/data"), "mine\n");
    let told = sandbox.read("/run/ros/problems.jsonl");
    assert!(told.contains("kept in the container kept.failed"), "{told}");

    // A second retired container gets a name of its own, and no retired container is taken for an orphan.
    sandbox.reboot();
    sandbox.bring_up();
    assert_eq!(sandbox.id("kept.failed"), first);
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn a_failed_start_is_tried_again_whatever_the_service() {
    // Each device is missing at first, as it is while its driver loads.
    let needs = |device: &str, restart: &str| {
        format!(
            "command: sleep 600, restart: {restart}, {SYSTEM}, devices: ['{device}:/dev/extra']"
        )
    };
    let config = services(&[
        ("always", &needs("/dev/always", "always")),
        ("never", &needs("/dev/never", "'no'")),
        ("fine", &needs("/dev/null", "always")),
    ]);
    // The image's own console and engine are services as any other.
    let own = "    console: {devices: ['/dev/of-console:/dev/extra']}\n    \
        docker: {devices: ['/dev/of-docker:/dev/extra']}\n";
    let mut sandbox = Sandbox::start(&(config.replace("  console: none\n", "") + own));
    sandbox.start_sysinit();
    sandbox.wait_until("the other service runs", |sandbox| {
        sandbox.is_running("fine")
    });
    let names = ["always", "never", "console", "docker"];
    let devices = [
        "/dev/always",
        "/dev/never",
        "/dev/of-console",
        "/dev/of-docker",
    ];
    sandbox.wait_until("each failed start is told", |sandbox| {
        let told = sandbox.read("/run/ros/problems.jsonl");
        names
            .iter()
            .all(|name| told.contains(&format!("service.{name}")))
    });
    for device in devices {
        sandbox.succeed(&["mknod", device, "c", "1", "3"]);
    }
    sandbox.wait_until("each service runs, and the machine is up", |sandbox| {
        names.iter().all(|name| sandbox.is_running(name)) && sandbox.exists("/run/ros/up")
    });
    let status = text(&sandbox.run(&["ros", "status", "--format", "json"]).stdout);
    assert!(
        status.contains("problems") && !status.contains("service always"),
        "{status}"
    );

    // A restart that fails is tried again too, and holds up no other service.
    sandbox.succeed(&["rm", "/dev/always"]);
    let pid = sandbox.inspect("always", "{{.State.Pid}}");
    sandbox.succeed(&["kill", "-KILL", &pid]);
    sandbox.wait_until("it has died, and its restart has failed", |sandbox| {
        let log = sandbox.read("/var/log/sysinit.log");
        !sandbox.is_running("always") && log.matches("starting container always").count() > 1
    });
    sandbox.succeed(&["mknod", "/dev/always", "c", "1", "3"]);
    sandbox.wait_until("it runs again", |sandbox| sandbox.is_running("always"));
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn restart_policies_apply_while_a_switch_is_waited_for() {
    let service = format!("command: sleep 600, restart: always, {SYSTEM}");
    let mut sandbox = Sandbox::start(&services(&[("always", &service)]));
    sandbox.bring_up();
    sandbox.kill_sysinit();
    sandbox.docker(&[
        "run",
        "--detach",
        "--net=none",
        "--name=switch-console",
        "paddock/base",
        "sleep",
        "600",
    ]);
    sandbox.start_sysinit();
    // A death before the service engine listens is not seen, so the service dies until one is.
    sandbox.wait_until("it is started again", |sandbox| {
        let pid = sandbox.inspect("always", "{{.State.Pid}}");
        if pid == "0" {
            sandbox.docker(&["start", "always"]);
            return false;
        }
        sandbox.succeed(&["kill", "-KILL", &pid]);
        let is_restarted = || {
            let now = sandbox.inspect("always", "{{.State.Pid}}");
            now != "0" && now != pid
        };
        (0..20).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            is_restarted()
        })
    });
    assert!(
        sandbox.is_running("switch-console"),
        "the switch is left alone"
    );
}
