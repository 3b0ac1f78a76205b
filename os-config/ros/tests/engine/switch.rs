//! Switches of console and engine that are cut off after each step in turn. A file ends the worker between two steps,
//! as a killed worker ends (`cut_point.rs`; the binary under test has the feature `cut-points`).
//!
//! Everything is real but for the names: the other console and the other engine are the OS image's own under another
//! name, and the console `broken` ends at once.

use std::fs;

use crate::sandbox::{Sandbox, text};

const CUT_POINTS: &str = "/run/ros/cut-points";
/// Runs in User Docker before each switch and has to run after it. The engine itself does not start it after the stop by
/// a switch.
const USER_CONTAINER: &str = "mine";

/// A part of the system that a machine can switch.
struct Part {
    word: &'static str,
    container: &'static str,
    label: &'static str,
    key: &'static str,
    names: [&'static str; 2],
}

const CONSOLE: Part = Part {
    word: "console",
    container: "console",
    label: "io.rancher.os.console",
    key: "rancher.console",
    names: ["default", "other"],
};

const ENGINE: Part = Part {
    word: "engine",
    container: "docker",
    label: "io.rancher.os.engine",
    key: "rancher.docker.engine",
    names: ["docker-26", "other"],
};

/// How a machine recovers from a switch that was cut off.
#[derive(Clone, Copy, Debug)]
enum Recovery {
    /// The command that began the switch is still there.
    ByCommand,
    /// The next boot, after the power was cut.
    ByBoot,
}

impl Part {
    /// Starts a machine with both consoles or engines.
    fn start_sandbox(&self) -> Sandbox {
        let can_be_cut = cfg!(feature = "cut-points");
        assert!(
            can_be_cut,
            "this test needs the feature `cut-points`; run `make test-engine`"
        );
        let mut sandbox = Sandbox::start("hostname: test\n");
        let file = format!("/usr/share/ros/{}s/other.yml", self.word);
        let definition = format!(
            "{}:\n  image: paddock/{}\n  labels: {{{}: other}}\n  environment: {{OTHER: '1'}}\n",
            self.container, self.container, self.label
        );
        sandbox.write(&file, &definition);
        sandbox.write(
            "/usr/share/ros/consoles/broken.yml",
            "console:\n  image: paddock/base\n  command: sh -c 'exit 3'\n",
        );
        sandbox.bring_up();
        sandbox.make_image(USER_CONTAINER);
        let script = "system-docker save mine | docker load && \
            docker run --detach --net=none --stop-signal=KILL --restart=unless-stopped --name=mine mine sleep 600";
        sandbox.succeed(&["sh", "-c", script]);
        sandbox
    }

    fn label_of(&self, sandbox: &Sandbox) -> String {
        let template = format!("{{{{index .Config.Labels {:?}}}}}", self.label);
        sandbox.inspect(self.container, &template)
    }

    fn chosen(&self, sandbox: &Sandbox) -> String {
        let chosen = sandbox.succeed(&["ros", "config", "get", self.key]);
        match chosen.trim() {
            // The image's own.
            "" => self.names[0].to_owned(),
            chosen => chosen.to_owned(),
        }
    }

    /// Checks that exactly one console and one engine run, as the configuration says, and that nothing else is left.
    fn check(&self, sandbox: &Sandbox, case: &str) {
        sandbox.wait_until(&format!("console and engine answer, {case}"), |sandbox| {
            let greeting = "exec 3<>/dev/tcp/127.0.0.1/22 && head -c 4 <&3";
            let user_containers = ["docker", "ps", "--format", "{{.Names}}"];
            sandbox.run(&["bash", "-c", greeting]).stdout == b"SSH-"
                && sandbox.run(&user_containers).stdout == format!("{USER_CONTAINER}\n").as_bytes()
        });
        let names = sandbox.docker(&["ps", "--all", "--format", "{{.Names}}"]);
        let mut names: Vec<&str> = names.lines().collect();
        names.sort_unstable();
        assert_eq!(names, ["console", "docker"], "{case}");
        assert_eq!(self.label_of(sandbox), self.chosen(sandbox), "{case}");
        assert!(
            !sandbox.exists("/var/lib/rancher/stopped-containers"),
            "{case}"
        );
        assert!(
            !sandbox.exists(&format!("/run/ros/stopped/{}", self.container)),
            "{case}"
        );
    }

    /// Switches to the name that does not run, cut off at `cut_points`. Returns whether the switch came to its end.
    fn switch(&self, sandbox: &mut Sandbox, cut_points: &str, recovery: Recovery) -> bool {
        let target = match self.label_of(sandbox) == self.names[0] {
            true => self.names[1],
            false => self.names[0],
        };
        sandbox.write(CUT_POINTS, cut_points);
        let command = ["ros", self.word, "switch", "--force", "--no-pull", target];
        let output = sandbox.run(&command);
        fs::remove_file(sandbox.path(CUT_POINTS)).unwrap();
        if matches!(recovery, Recovery::ByBoot) && !output.status.success() {
            sandbox.reboot();
            sandbox.bring_up();
        }
        output.status.success()
    }

    /// Cuts switches off after each of their steps.
    fn cut_each_step(&self, recovery: Recovery) {
        let mut sandbox = self.start_sandbox();
        let mut is_finished = false;
        let mut outcomes = Vec::new();
        for done in 0..30 {
            let before = self.label_of(&sandbox);
            // At the boot, the command has ended with the machine: it recovers nothing.
            let cut_points = match recovery {
                Recovery::ByCommand => format!("replace {done}\n"),
                Recovery::ByBoot => format!("replace {done}\nrecover 0\n"),
            };
            is_finished = self.switch(&mut sandbox, &cut_points, recovery);
            self.check(&sandbox, &format!("cut after {done} steps"));
            if is_finished {
                break;
            }
            outcomes.push(self.label_of(&sandbox) != before);
        }
        assert!(is_finished, "a switch has fewer steps");
        // Early cuts leave the old console or engine, later cuts the new.
        assert!(outcomes.is_sorted(), "{outcomes:?}");
        assert!(
            outcomes.contains(&false) && outcomes.contains(&true),
            "{outcomes:?}"
        );
    }
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn a_console_switch_that_is_cut_off_is_recovered_by_the_command() {
    CONSOLE.cut_each_step(Recovery::ByCommand);
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn a_console_switch_that_is_cut_off_is_recovered_by_the_next_boot() {
    CONSOLE.cut_each_step(Recovery::ByBoot);
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn an_engine_switch_that_is_cut_off_is_recovered_by_the_command() {
    ENGINE.cut_each_step(Recovery::ByCommand);
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn an_engine_switch_that_is_cut_off_is_recovered_by_the_next_boot() {
    ENGINE.cut_each_step(Recovery::ByBoot);
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn the_old_console_comes_back_and_its_return_may_be_cut_off() {
    let sandbox = CONSOLE.start_sandbox();
    let first = sandbox.id("console");
    let mut is_undone = false;
    for done in 0..30 {
        sandbox.write(CUT_POINTS, &format!("undo {done}\n"));
        let output = sandbox.run(&["ros", "console", "switch", "--force", "--no-pull", "broken"]);
        assert!(!output.status.success());
        CONSOLE.check(&sandbox, &format!("undoing cut after {done} steps"));
        assert_eq!(sandbox.id("console"), first);
        let told = text(&output.stdout) + &text(&output.stderr);
        is_undone = told.contains("the one of before runs again");
        if is_undone {
            assert!(
                told.contains("console broken could not be started: it ended"),
                "{told}"
            );
            break;
        }
    }
    assert!(is_undone, "the way back has fewer steps");
    assert_eq!(sandbox.read("/var/lib/rancher/failed-console"), "broken");
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn an_engine_whose_daemon_dies_again_and_again_is_given_up() {
    let sandbox = ENGINE.start_sandbox();
    // This dockerd ends at once, and prints its version for the trial.
    sandbox.write("/run/dockerd", "#!/bin/sh\n[ \"$1\" = --version ]\n");
    sandbox.succeed(&["chmod", "755", "/run/dockerd"]);
    let image = sandbox.read("/usr/share/ros/os-config.yml");
    let image: serde_yaml::Value = serde_yaml::from_str(&image).unwrap();
    // A list of a definition replaces the image's own list.
    let volumes = image["rancher"]["services"]["docker"]["volumes"].as_sequence();
    let mut volumes = volumes.unwrap().clone();
    volumes.push("/run/dockerd:/usr/sbin/dockerd:ro".into());
    let volumes = serde_json::to_string(&volumes).unwrap();
    sandbox.write(
        "/usr/share/ros/engines/dying.yml",
        &format!("docker: {{image: paddock/docker, volumes: {volumes}}}\n"),
    );
    let deaths = || -> u64 {
        let text = sandbox.read("/run/user-docker/daemon-deaths.json");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        value["count"].as_u64().unwrap_or_default()
    };
    // A death before the switch does not count against the new engine.
    assert_eq!(deaths(), 0);
    sandbox.succeed(&["pkill", "-KILL", "-f", "^/usr/sbin/dockerd .*--host=fd://"]);
    sandbox.wait_until("the death is recorded", |_| deaths() == 1);
    // A killed dockerd takes the stop of this container, which it orders itself when it comes back, for a user's stop.
    sandbox.wait_until("the user's container starts", |sandbox| {
        sandbox
            .run(&["docker", "start", USER_CONTAINER])
            .status
            .success()
    });
    let output = sandbox.run(&["ros", "engine", "switch", "--no-pull", "dying"]);
    let told = text(&output.stdout) + &text(&output.stderr);
    assert!(
        told.contains("its daemons end again and again")
            && told.contains("the one of before runs again"),
        "{told}"
    );
    assert!(deaths() >= 5, "{}", deaths());
    ENGINE.check(&sandbox, "after the switch");
}
