//! The doors of the console: who may log in, and with what.

use crate::sandbox::Sandbox;

/// Settings that a machine of an earlier version has, or that a write has cut off.
const OPEN: &str = "PasswordAuthentication yes\nAllowGroups users\n";
const SETTINGS: &str = "/etc/ssh/sshd_config.d/10-ros.conf";

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn passwords_are_refused_whatever_the_configuration_holds() {
    let mut sandbox = Sandbox::start(
        "rancher:\n  password: moo\n  ssh:\n    keys: {rsa_private: x, ed25519: y}\n",
    );
    sandbox.write(SETTINGS, OPEN);
    sandbox.bring_up();
    sandbox.wait_until("sshd listens", |sandbox| {
        let greeting = "exec 3<>/dev/tcp/127.0.0.1/22 && head -c 4 <&3";
        sandbox.run(&["bash", "-c", greeting]).status.success()
    });
    // sshd names the ways to log in that are left.
    let tried = sandbox.run(&[
        "system-docker",
        "exec",
        "console",
        "ssh",
        "-oStrictHostKeyChecking=no",
        "-oBatchMode=yes",
        "rancher@127.0.0.1",
    ]);
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
