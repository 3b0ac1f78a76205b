//! `ros service` without a machine: its message to other users than root, and the checks before a change.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn ros(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ros"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn definitions_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.yml");
    let path = file.to_str().unwrap();
    for (text, code, expected) in [
        ("web: {image: nginx, ports: ['80:80']}\n", 0, ""),
        ("services:\n  web: {build: /context}\n", 0, ""),
        (
            "services:\n  web: {image: nginx, restart: sometimes}\n",
            1,
            ":2:23: rancher.services.web.restart: expected no, always, unless-stopped",
        ),
        (
            "services:\n  web: {imag: nginx}\n",
            1,
            "unknown key, it has no effect; did you mean `image`?",
        ),
        (
            "services: {}\n",
            1,
            "expected services with `image` or `build`, found none",
        ),
        ("a: [\n", 1, "this is not YAML"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = ros(&["service", "validate", path]);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{text} {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(expected),
            "{text} {}",
            stderr(&output)
        );
    }
}

#[test]
fn every_verb_shows_an_example() {
    for verb in [
        "list", "enable", "disable", "delete", "up", "create", "start", "stop", "down", "restart",
        "kill", "rm", "build", "pull", "ps", "logs", "validate",
    ] {
        let output = ros(&["service", verb, "--help"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            // Every user may check a file.
            text.contains("Example: sudo ros service ")
                && text.contains(&format!("ros service {verb}"))
                || verb == "validate" && text.contains("Example: ros service validate"),
            "{verb}: {text}"
        );
    }
}

#[test]
fn other_users_than_root_are_refused() {
    // The test runs a copy of the program as the user `nobody`, for whom the test's folder is closed.
    let open = std::fs::Permissions::from_mode(0o755);
    let folder = tempfile::Builder::new().permissions(open).tempdir();
    let folder = folder.unwrap();
    let program = folder.path().join("ros");
    // `cp` makes the copy. If this process wrote the file, a child that another test starts would keep it open for
    // writing for a moment, and the kernel would refuse to run it.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_ros"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let mut command = if nix::unistd::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(&program);
        command
    } else {
        Command::new(&program)
    };
    let output = command.args(["service", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "ros: this needs root\nhint: sudo ros service …\n"
    );
}
