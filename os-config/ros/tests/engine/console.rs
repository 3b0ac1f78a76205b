//! The doors of the console: who may log in, and with what.

use crate::sandbox::Sandbox;

/// Settings that a machine of an earlier version has, or that a write has cut off.
const OPEN: &str = "PasswordAuthentication yes\nAllowGroups users\n";
const SETTINGS: &str = "/etc/ssh/sshd_config.d/10-ros.conf";

/// A command in the console.
fn in_console<'a>(argv: &[&'a str]) -> Vec<&'a str> {
    let console = ["system-docker", "exec", "console"];
    console.iter().chain(argv).copied().collect()
}

fn wait_for_sshd(sandbox: &Sandbox) {
    sandbox.wait_until("sshd listens", |sandbox| {
        let greeting = "exec 3<>/dev/tcp/127.0.0.1/22 && head -c 4 <&3";
        sandbox.run(&["bash", "-c", greeting]).status.success()
    });
}

/// Whether the holder of a key can log in.
fn logs_in(sandbox: &Sandbox, key: &str, user: &str) -> bool {
    let (file, place) = (format!("/run/{key}"), format!("{user}@127.0.0.1"));
    let ssh = [
        "ssh",
        "-oStrictHostKeyChecking=no",
        "-oBatchMode=yes",
        "-i",
        &file,
        &place,
        "true",
    ];
    sandbox.run(&in_console(&ssh)).status.success()
}

/// Makes a key, and returns the line for `authorized_keys`.
fn make_key(sandbox: &Sandbox, name: &str) -> String {
    let file = format!("/run/{name}");
    sandbox.succeed(&in_console(&[
        "ssh-keygen",
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        &file,
    ]));
    sandbox.read(&format!("{file}.pub")).trim().to_owned()
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn a_key_a_user_and_a_password_that_are_taken_out_open_nothing() {
    let mut sandbox = Sandbox::start("hostname: test\n");
    sandbox.bring_up();
    wait_for_sshd(&sandbox);
    let [kept, removed, own] = ["kept", "removed", "own"].map(|name| make_key(&sandbox, name));
    let restart = |config: &str| {
        sandbox.configure(config);
        sandbox.docker(&["restart", "--time=1", "console"]);
        wait_for_sshd(&sandbox);
    };
    // An earlier version wrote keys here, and `ssh-copy-id` does.
    let file = "/home/rancher/.ssh/authorized_keys";
    sandbox.write(file, &format!("{removed}\n{own}\n"));
    sandbox.succeed(&["chown", "-R", "1100:1100", "/home/rancher"]);
    restart(&format!(
        "ssh_authorized_keys: [{kept}, {removed}]\nchpasswd: {{list: 'docker:moo'}}\n\
         users: [{{name: cow, ssh_authorized_keys: [{removed}]}}]\n"
    ));
    for key in ["kept", "removed", "own"] {
        assert!(logs_in(&sandbox, key, "rancher"), "{key}");
    }
    assert!(logs_in(&sandbox, "removed", "cow"));
    assert_eq!(sandbox.read(file), format!("{own}\n"));
    assert!(sandbox.read("/etc/shadow").contains("\ndocker:$"));
    sandbox.succeed(&in_console(&[
        "sh",
        "-c",
        "mkdir -p ~cow/.ssh && cp /run/own.pub ~cow/.ssh/authorized_keys && chown -R cow: ~cow",
    ]));
    assert!(logs_in(&sandbox, "own", "cow"));

    restart(&format!("ssh_authorized_keys: [{kept}]\n"));
    assert!(logs_in(&sandbox, "kept", "rancher") && logs_in(&sandbox, "own", "rancher"));
    assert!(!logs_in(&sandbox, "removed", "rancher"));
    assert!(!logs_in(&sandbox, "removed", "cow") && !logs_in(&sandbox, "own", "cow"));
    assert!(sandbox.read("/etc/shadow").contains("\ndocker:*:"));

    // A user that comes back has what he had.
    restart("users: [cow]\n");
    assert!(logs_in(&sandbox, "own", "cow"));

    // A user's links lead root nowhere.
    sandbox.succeed(&in_console(&[
        "sh",
        "-c",
        "rm -r ~cow/.ssh && ln -s /etc ~cow/.ssh && chown -h cow: ~cow/.ssh",
    ]));
    let before = sandbox.succeed(&["stat", "-c", "%u %a", "/etc"]);
    restart(&format!(
        "users: [{{name: cow, ssh_authorized_keys: [{kept}]}}]\n"
    ));
    assert_eq!(sandbox.succeed(&["stat", "-c", "%u %a", "/etc"]), before);
    assert!(!sandbox.exists("/etc/authorized_keys"));
    assert!(logs_in(&sandbox, "kept", "cow"));
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn passwords_are_refused_whatever_the_configuration_holds() {
    let mut sandbox = Sandbox::start(
        "rancher:\n  password: moo\n  ssh:\n    keys: {rsa_private: x, ed25519: y}\n",
    );
    sandbox.write(SETTINGS, OPEN);
    sandbox.bring_up();
    wait_for_sshd(&sandbox);
    // sshd names the ways to log in that are left.
    let tried = sandbox.run(&in_console(&[
        "ssh",
        "-oStrictHostKeyChecking=no",
        "-oBatchMode=yes",
        "rancher@127.0.0.1",
    ]));
    let said = String::from_utf8_lossy(&tried.stderr).into_owned();
    assert!(
        said.contains("rancher@127.0.0.1: Permission denied (publickey)."),
        "{said}"
    );
    let problems = sandbox.read("/run/ros/problems.jsonl");
    for text in [
        "rancher.ssh.keys.rsa_private: expected",
        "rancher.ssh.keys.ed25519: it is no",
    ] {
        assert!(problems.contains(text), "{problems}");
    }
    assert!(!sandbox.exists(SETTINGS));
}

/// What everybody can read, and who can read the rest, on a machine with a secret in each place that runs something.
#[test]
#[ignore = "starts dockerd: make test-engine"]
fn nothing_that_everybody_reads_has_text_of_the_configuration() {
    const SECRET: &str = "cowsay";
    const CONF: &str = "/var/lib/rancher/conf";
    let mut sandbox = Sandbox::start(&format!(
        "runcmd: ['echo {SECRET}; false', [false, {SECRET}]]\nhostname: {{{SECRET}: x}}\n\
         rancher: {{cloud_init: {{datasources: ['file:/run/user-data']}}}}\n"
    ));
    sandbox.write("/run/udev/coldplugged", "");
    sandbox.write(
        "/run/user-data",
        &format!("#!/bin/sh\necho {SECRET}\nexit 1\n"),
    );
    sandbox.bring_up();
    wait_for_sshd(&sandbox);
    sandbox.wait_until("the failed command is reported", |sandbox| {
        sandbox
            .read("/run/ros/problems.jsonl")
            .contains("runcmd: command")
    });
    // The next start of the console knows of the problems of this one.
    sandbox.docker(&["restart", "--time=1", "console"]);
    wait_for_sshd(&sandbox);
    for file in [
        "/run/motd.dynamic",
        "/run/ros/ssh-banner",
        "/dev/console",
        "/dev/kmsg",
    ] {
        let text = sandbox.read(file);
        assert!(!text.contains(SECRET), "{file}: {text}");
    }
    assert!(sandbox.read("/run/ros/ssh-banner").contains("has problems"));
    let mode = |file: &str| {
        let found = sandbox.succeed(&["stat", "--format=%a %u", file]);
        found.trim().to_owned()
    };
    let script = format!("{CONF}/cloud-config-script");
    assert_eq!(mode(&script), "700 0");
    for file in [
        "/run/ros/problems.jsonl",
        "/var/log/docker.log",
        "/var/log/console.log",
        "/var/log/runcmd.log",
    ] {
        assert_eq!(mode(file), "600 0", "{file}");
    }
    assert!(sandbox.read("/var/log/runcmd.log").contains(SECRET));
    // A user has put a link where the report is to be.
    sandbox.succeed(&["ln", "-s", "/etc/taken", "/tmp/report.tar.gz"]);
    sandbox.succeed(&["ros", "report", "--output", "/tmp/report.tar.gz"]);
    assert_eq!(mode("/tmp/report.tar.gz"), "600 0");
    assert!(!sandbox.exists("/etc/taken"));
    let unpacked = sandbox.succeed(&["tar", "-xzOf", "/tmp/report.tar.gz"]);
    assert!(unpacked.contains("runcmd: command"), "the report is empty");
    assert!(!unpacked.contains(SECRET), "{unpacked}");
}
