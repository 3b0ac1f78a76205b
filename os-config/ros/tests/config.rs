//! `ros config` as a program, without a machine: on files below a folder (`--root`) and on standard input. The ids name
//! RancherOS's cases (docs/compatibility-cases.md).

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const STORED: &str = "var/lib/rancher/conf/cloud-config.yml";

/// The folder with the files of a machine.
struct TestRoot(tempfile::TempDir);

/// The result of a command.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl TestRoot {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn ros(&self, arguments: &[&str], input: &str) -> Outcome {
        let root = ["config", "--root", self.0.path().to_str().unwrap()];
        run(&[&root[..], arguments].concat(), input)
    }

    /// The output of a command that succeeds.
    fn ok(&self, arguments: &[&str]) -> String {
        let outcome = self.ros(arguments, "");
        assert_eq!(outcome.code, 0, "{arguments:?}: {outcome:?}");
        outcome.stdout
    }

    fn stored(&self) -> String {
        fs::read_to_string(self.0.path().join(STORED)).unwrap_or_default()
    }
}

fn run(arguments: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ros"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn set_and_get() {
    let machine = TestRoot::new();
    machine.ok(&["set", "hostname", "rancher-test"]);
    assert_eq!(machine.ok(&["get", "hostname"]), "rancher-test\n", "GC-01");
    assert_eq!(machine.stored(), "hostname: rancher-test\n", "GC-01");
    assert_eq!(machine.ok(&["get", "rancher.nonesuch"]), "\n", "GC-02");
    machine.ok(&["set", "rancher.network.dns.search", "[a,b]"]);
    assert_eq!(
        machine.ok(&["get", "rancher.network.dns.search"]),
        "- a\n- b\n",
        "GC-04 GC-08"
    );
    assert_eq!(machine.ok(&["get", "rancher.modules"]), "[]\n", "GC-05");
    machine.ok(&["set", "ssh_authorized_keys", "[\"ssh-rsa AAA c\", two]"]);
    assert_eq!(
        machine.ok(&["get", "ssh_authorized_keys"]),
        "- ssh-rsa AAA c\n- two\n",
        "GC-09"
    );
    assert_eq!(
        machine.ok(&["get", "rancher.state.wait"]),
        "false\n",
        "GC-07"
    );
    machine.ok(&["set", "rancher.environment.FOO", "a=b:c?d"]);
    assert_eq!(
        machine.ok(&["get", "rancher.environment.FOO"]),
        "a=b:c?d\n",
        "GC-14"
    );
    let dns = machine.ok(&["get", "rancher.network.dns"]);
    assert_eq!(
        dns, "search:\n- a\n- b\n",
        "GC-06: what is set, without the empty rest"
    );
}

#[test]
fn values_that_cannot_be_understood_are_not_stored() {
    let machine = TestRoot::new();
    machine.ok(&["set", "hostname", "box"]);
    let before = machine.stored();
    let outcome = machine.ros(&["set", "rancher.debug", "maybe"], "");
    assert_eq!(outcome.code, 1, "GC-12");
    assert!(
        outcome
            .stderr
            .contains("rancher.debug: expected true or false, found \"maybe\""),
        "GC-12 {outcome:?}"
    );
    assert!(
        outcome
            .stderr
            .contains("nothing was changed\nhint: --force"),
        "GC-12 {outcome:?}"
    );
    assert_eq!(machine.stored(), before, "GC-12");
    // An unknown key is stored, with a warning that it has no effect.
    let outcome = machine.ros(&["set", "rancher.nonesuch.key", "5"], "");
    assert_eq!(outcome.code, 0, "GC-13");
    assert!(
        outcome
            .stderr
            .contains("rancher.nonesuch: unknown key, it has no effect"),
        "GC-13 {outcome:?}"
    );
    // A name that the machine does not know is stored with a warning.
    let services = "rancher: {services: {console: {image: c}, docker: {image: d}}}\n";
    let image = machine.0.path().join("usr/share/ros/os-config.yml");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::write(image, services).unwrap();
    for (key, name) in [
        ("rancher.console", "ubuntu"),
        ("rancher.docker.engine", "docker-1.12.6"),
    ] {
        let outcome = machine.ros(&["set", key, name], "");
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let expected = format!("warning: {key}: there is no ");
        assert!(outcome.stderr.contains(&expected), "{outcome:?}");
    }
    machine.ok(&["set", "--force", "rancher.debug", "maybe"]);
    assert!(machine.stored().contains("debug: maybe"));
}

#[test]
fn only_the_owner_reads_the_stored_file() {
    let machine = TestRoot::new();
    machine.ok(&["set", "hostname", "box"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&machine.0.path().join(STORED)), 0o600, "GC-16");
    let file = machine.0.path().join("export.yml");
    let outcome = machine.ros(&["export", "-o", file.to_str().unwrap()], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "EX-04");
    assert_eq!(mode(&file), 0o400, "EX-04");
    let folder: Vec<_> = fs::read_dir(machine.0.path().join("var/lib/rancher/conf"))
        .unwrap()
        .collect();
    assert_eq!(folder.len(), 1, "nothing is left beside it: {folder:?}");
}

#[test]
fn merging() {
    let machine = TestRoot::new();
    machine.ok(&["set", "hostname", "box"]);
    let outcome = machine.ros(&["merge"], "rancher: {debug: true}\nother: 1\n");
    assert_eq!(outcome.code, 0, "LY-07 {outcome:?}");
    assert_eq!(machine.ok(&["get", "rancher.debug"]), "true\n", "LY-07");
    assert!(machine.stored().contains("other: 1"), "LY-07");
    let before = machine.stored();
    let outcome = machine.ros(&["merge"], "rancher: {debug: nope}\n");
    assert_eq!(outcome.code, 1, "LY-07");
    assert!(
        outcome
            .stderr
            .contains("standard input:1:11: rancher.debug: expected true or false"),
        "LY-07 {outcome:?}"
    );
    assert_eq!(machine.stored(), before, "LY-07");
    assert_eq!(machine.ros(&["merge"], "").code, 0, "LY-07");
    // Line ends of another system are no reason to refuse a document.
    assert_eq!(
        machine.ros(&["merge"], "hostname: crlf\r\n").code,
        0,
        "LY-08"
    );
    assert_eq!(machine.ok(&["get", "hostname"]), "crlf\n", "LY-08");
}

#[test]
fn many_at_once_lose_nothing() {
    let machine = TestRoot::new();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let machine = &machine;
            scope.spawn(move || {
                machine.ok(&["set", &format!("rancher.environment.V{number}"), "x"]);
            });
        }
    });
    let text = machine.stored();
    for number in 0..16 {
        assert!(
            text.contains(&format!("V{number}: x")),
            "V{number} is lost:\n{text}"
        );
    }
}

#[test]
fn metadata_is_not_stored() {
    let machine = TestRoot::new();
    let conf = machine.0.path().join("var/lib/rancher/conf");
    fs::create_dir_all(&conf).unwrap();
    fs::write(conf.join("metadata"), "{Hostname: md, SSHPublicKeys: [k]}").unwrap();
    machine.ok(&["set", "rancher.debug", "true"]);
    machine.ok(&["set", "rancher.debug", "false"]);
    assert_eq!(machine.stored(), "rancher:\n  debug: false\n", "MD-11");
    assert_eq!(
        machine.ok(&["get", "ssh_authorized_keys"]),
        "- k\n",
        "MD-11"
    );
}

#[test]
fn validation() {
    let check = |text: &str| run(&["config", "validate", "-i", "-"], text);
    assert_eq!(
        check("#cloud-config\nhostname: a\n"),
        Outcome {
            code: 0,
            stdout: String::new(),
            stderr: String::new()
        }
    );
    assert_eq!(check("#!/bin/bash\necho hey\n").code, 0, "VC-06");
    let outcome = check("#cloud-config\nrancher:\n  dockr: {}\n  debug: maybe\n");
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.stderr,
        "standard input:3:3: warning: rancher.dockr: unknown key, it has no effect; did you mean `docker`?\n  |\n3 |   dockr: {}\n  |   ^\n\
         standard input:4:3: rancher.debug: expected true or false, found \"maybe\"\n  |\n4 |   debug: maybe\n  |   ^\n"
    );
    // The first line decides whether a machine takes a document as user-data.
    for first in [
        "#cloud-init",
        "# cloud-config",
        "#Cloud-Config",
        "---",
        "hostname: a",
    ] {
        let outcome = check(&format!("{first}\n"));
        let expected = format!(
            "standard input:1:1: warning: as user-data this is refused: expected a first line `#cloud-config`, `#compose`, \
             `#include` or `#!…`, found \"{first}\"\n"
        );
        assert_eq!(outcome.code, 0, "{first}");
        assert!(
            outcome.stderr.starts_with(&expected),
            "{first}: {outcome:?}"
        );
    }
    let outcome = check("#cloud-config\nrancher: {cloud_init: {datasources: [ec2, nocluod]}}\n");
    assert!(
        outcome.stderr.contains(
            "2:24: warning: rancher.cloud_init.datasources: nocluod is not known; known are "
        ),
        "{outcome:?}"
    );
    // A warning is no failure.
    assert_eq!(check("hostnam: a\n").code, 0);
    assert_eq!(check("a: [b").code, 1, "VA-25");
    let missing = run(&["config", "validate", "-i", "/nonexistent.yml"], "");
    assert_eq!(missing.code, 1);
    assert!(
        missing.stderr.contains("reading /nonexistent.yml"),
        "{missing:?}"
    );
}

/// The boot leaves these settings out, so that validation and `config set` tell of them before.
#[test]
fn settings_that_exclude_each_other_are_told_before_the_boot() {
    for (text, expected) in [
        (
            "rancher: {system_docker: {bip: 172.19.0.1/16}}",
            "1:27: warning: rancher.system_docker.bip: it is left out: System Docker has no network",
        ),
        (
            "rancher:\n  docker:\n    bridge: none\n    bip: 172.19.0.1/16",
            "4:5: warning: rancher.docker.bip: it is left out: `bridge` is set too",
        ),
        (
            "rancher: {docker: {log_driver: nonsense}}",
            "1:20: warning: rancher.docker.log_driver: it is left out: there is no log driver nonsense",
        ),
        (
            "rancher: {docker: {extra_args: ['--storage-driver=overlay']}}",
            "1:20: warning: rancher.docker.extra_args: --storage-driver=overlay is left out: there is no storage driver",
        ),
        (
            "rancher: {docker: {data_root: /storage/docker}}",
            "1:20: warning: rancher.docker.data_root: it is left out: User Docker's container has no folder /storage/docker",
        ),
        (
            "write_files: [{path: /etc/docker/daemon.json, content: '{\"bip\": \"x\"}'}]",
            "1:1: warning: write_files: /etc/docker/daemon.json: bip is left out: x is no address",
        ),
        (
            "rancher: {network: {interfaces: {eth0: {bond: b, bridge: br}}}}",
            "1:50: warning: rancher.network.interfaces.eth0.bridge: the link is in the bond b",
        ),
        (
            "rancher: {network: {interfaces: {eth1: {vlans: 5}, eth1.5: {bridge: eth1.5}}}}",
            "1:61: warning: rancher.network.interfaces.eth1.5.bridge: a link cannot be in itself",
        ),
    ] {
        let outcome = run(&["config", "validate", "-i", "-"], &format!("{text}\n"));
        let expected = format!("standard input:{expected}");
        assert!(
            outcome.stderr.contains(&expected),
            "{text}: {}",
            outcome.stderr
        );
    }
    let machine = TestRoot::new();
    let outcome = machine.ros(&["set", "rancher.docker.bip", "172.19.0.1/16"], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let outcome = machine.ros(&["set", "rancher.docker.bridge", "none"], "");
    let told = "rancher.docker.bip: it is left out: `bridge` is set too";
    assert_eq!(outcome.code, 0);
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    let outcome = machine.ros(&["validate"], "");
    let of_machine = format!("configuration: warning: {told}");
    assert!(outcome.stderr.contains(&of_machine), "{}", outcome.stderr);
}

/// The warnings beside those of the readers, by document and key.
#[test]
fn published_documents_have_no_false_warnings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/documents");
    let mut told: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let bytes = fs::read(&file).unwrap();
        let path = file.to_str().unwrap();
        let outcome = run(&["config", "validate", "--format", "json", "-i", path], "");
        let found: Vec<serde_json::Value> = serde_json::from_str(&outcome.stdout).unwrap();
        let of_readers = os_config::validate::validate(&bytes, path);
        let others = found.iter().filter(|found| {
            let is_same = |known: &os_config::Diagnostic| {
                found["key"] == known.key_path && found["message"] == known.message
            };
            !of_readers.iter().any(is_same)
        });
        let name = file.file_stem().unwrap().to_str().unwrap();
        told.extend(others.map(|found| format!("{name} {}", found["key"].as_str().unwrap())));
    }
    told.sort();
    assert_eq!(
        told,
        [
            "rancheros-daemon-json write_files",
            "rancheros-data-sources rancher.cloud_init.datasources",
            "rancheros-docker-bridge rancher.system_docker.bip",
            "rancheros-system-docker-options rancher.system_docker.bip",
            "rancheros-system-docker-options rancher.system_docker.storage_driver",
        ]
    );
}

#[test]
fn an_address_without_tls_is_warned_of() {
    let check = |text: &str| run(&["config", "validate", "-i", "-"], text);
    let warning = "warning: rancher.cloud_init.datasources: what h answers is not protected";
    let sources = |more: &str| {
        format!(
            "#cloud-config\nrancher: {{cloud_init: {{datasources: ['url:http://h/a']{more}}}}}\n"
        )
    };
    let outcome = check(&sources(""));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stderr.contains(warning), "{outcome:?}");
    let outcome = check(&sources(", insecure: true"));
    assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
    let outcome = check("#include\nhttps://safe/a\nhttp://open/b\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let warnings: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(warnings.len(), 1, "{outcome:?}");
    assert!(warnings[0].contains("what open answers"), "{outcome:?}");
}

#[test]
fn user_data_of_several_parts_is_checked_part_by_part() {
    let text = "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n\n--x\nContent-Type: text/cloud-config\n\nhostname: a\n--x\n\
        Content-Type: text/cloud-config\n\nhostnam: a\nrancher: {debug: maybe}\n--x--\n";
    let outcome = run(&["config", "validate", "-i", "-"], text);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("standard input, part 2:2:11: rancher.debug"),
        "{outcome:?}"
    );
    let outcome = run(
        &["config", "validate", "-i", "-"],
        "## template: jinja\n#cloud-config\n",
    );
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("a template"), "{outcome:?}");
}

#[test]
fn the_schema_is_json() {
    let outcome = run(&["config", "schema"], "");
    let schema: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(schema["properties"]["rancher"]["properties"]["docker"].is_object());
}

#[test]
fn templates() {
    let outcome = run(&["config", "generate"], "path: {{.PATH}}\n");
    assert!(outcome.stdout.starts_with("path: /"), "TP-01 {outcome:?}");
    let outcome = run(&["config", "generate"], "{{.NO_SUCH_NAME}}");
    assert_eq!(outcome.code, 1, "TP-03");
    assert!(
        outcome
            .stderr
            .contains("NO_SUCH_NAME is not in the environment"),
        "TP-03 {outcome:?}"
    );
}

#[test]
fn the_kernel_line_of_a_machine_that_was_not_installed() {
    let machine = TestRoot::new();
    for name in ["syslinux", "boot"] {
        let outcome = machine.ros(&[name], "");
        assert_eq!(outcome.code, 1);
        assert!(
            outcome
                .stderr
                .contains("on the medium that it was booted from"),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_misspelt_command() {
    for arguments in [&["nonesuch"][..], &["config", "nonesuch"]] {
        let outcome = run(arguments, "");
        assert_eq!(outcome.code, 2, "OC-06");
        assert!(
            outcome
                .stderr
                .contains("unrecognized subcommand 'nonesuch'"),
            "OC-06 {outcome:?}"
        );
    }
}
