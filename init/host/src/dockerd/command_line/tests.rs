//! Tests of the command lines of both engines, by tables.

use super::{CommandLine, Engine, Files};
use os_config::Config;

/// The command line of a cloud-config's engine, with the text of its file.
fn line(engine: Engine, document: &str, file: Option<&str>) -> CommandLine {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("var/lib/rancher/conf");
    std::fs::create_dir_all(&conf).unwrap();
    std::fs::write(conf.join("cloud-config.yml"), document).unwrap();
    let config: Config = os_config::load::load(folder.path()).config;
    let files = Files {
        settings: file.map(|text| Ok(text.to_owned())),
        groups: "root:x:0:\ndocker:x:1101:rancher\n".to_owned(),
        ..Files::default()
    };
    CommandLine::new(engine, &config, &files)
}

fn left_out(line: &CommandLine) -> Vec<String> {
    let left_out = line.left_out().iter();
    left_out
        .map(|left| format!("{}: {}", left.origin, left.why))
        .collect()
}

/// The words of `line` that the image's own command line lacks, and the words of the image that `line` lacks.
fn difference(line: &CommandLine) -> (String, String) {
    let own = CommandLine::of_image(line.engine).arguments();
    let words = line.arguments();
    let missing = |from: &[String], all: &[String]| {
        let words = from.iter().filter(|word| !all.contains(word));
        words.cloned().collect::<Vec<_>>().join(" ")
    };
    (missing(&words, &own), missing(&own, &words))
}

#[test]
fn the_images_own_command_lines() {
    let user = "--data-root=/var/lib/docker --exec-root=/var/run/docker --group=docker --log-driver=json-file \
        --pidfile=/var/run/docker.pid --log-opt=max-file=2 --log-opt=max-size=25m \
        --containerd=/run/containerd/containerd.sock --host=fd://";
    assert_eq!(
        CommandLine::of_image(Engine::User).arguments().join(" "),
        user
    );
    let system = CommandLine::of_image(Engine::System);
    for word in [
        "--host=unix:///run/system-docker.sock",
        "--bridge=none",
        "--data-root=/var/lib/system-docker",
        "--iptables=false",
        "--default-runtime=crun",
        "--config-file=/run/system-docker/daemon.json",
    ] {
        let words = system.arguments();
        let found = words.iter().filter(|found| *found == word).count();
        assert_eq!(found, 1, "{word} in {words:?}");
    }
    for engine in [Engine::System, Engine::User] {
        assert!(!CommandLine::of_image(engine).is_changed());
        assert_eq!(left_out(&line(engine, "", None)), [""; 0]);
    }
}

#[test]
fn what_the_user_sets_never_takes_away_what_the_machine_needs() {
    for (document, added, removed) in [
        (
            "rancher: {docker: {host: ['unix:///var/run/docker.sock', 'tcp://0.0.0.0:2375']}}",
            "--host=tcp://0.0.0.0:2375 --tls=false",
            "",
        ),
        ("rancher: {docker: {host: ['']}}", "", ""),
        (
            "rancher: {docker: {tls: true, tls_args: [--tlsverify, '--host=tcp://0.0.0.0:2376']}}",
            "--tlsverify --host=tcp://0.0.0.0:2376",
            "",
        ),
        (
            "rancher: {docker: {extra_args: [-H, 'tcp://0.0.0.0:2375', --icc=false]}}",
            "--host=tcp://0.0.0.0:2375 --icc=false --tls=false",
            "",
        ),
        (
            "rancher: {docker: {data_root: /mnt/data, bip: 10.1.0.1/16}}",
            "--bip=10.1.0.1/16 --data-root=/mnt/data",
            "--data-root=/var/lib/docker",
        ),
        (
            "rancher: {docker: {log_driver: syslog}}",
            "--log-driver=syslog",
            "--log-driver=json-file --log-opt=max-file=2 --log-opt=max-size=25m",
        ),
        (
            "rancher: {docker: {log_driver: local}}",
            "--log-driver=local",
            "--log-driver=json-file",
        ),
    ] {
        let line = line(Engine::User, document, None);
        assert_eq!(
            difference(&line),
            (added.to_owned(), removed.to_owned()),
            "{document}"
        );
        assert_eq!(left_out(&line), [""; 0], "{document}");
        assert_eq!(line.file(), None);
    }
    for (document, added) in [
        ("{extra_args: [--debug]}", "--debug"),
        (
            "{graph: /var/lib/system-docker, exec_root: /var/run/system-docker/exec, pid_file: /var/run/system-docker.pid}",
            "",
        ),
        (
            "{host: ['unix:///var/run/system-docker.sock'], bridge: none}",
            "",
        ),
        ("{live_restore: false}", "--live-restore=false"),
    ] {
        let line = line(
            Engine::System,
            &format!("rancher: {{system_docker: {document}}}"),
            None,
        );
        assert_eq!(difference(&line).0, added, "{document}");
        assert_eq!(left_out(&line), [""; 0], "{document}");
    }
}

#[test]
fn a_setting_that_would_keep_system_docker_from_starting_is_left_out() {
    for (options, what) in [
        ("{bip: 172.19.0.0/16}", "bip"),
        ("{storage_driver: overlay}", "storage_driver"),
        ("{graph: /mnt/system}", "data_root"),
        ("{bridge: docker-sys}", "bridge"),
        (
            "{extra_args: [--iptables=true]}",
            "extra_args: --iptables=true",
        ),
        ("{userns_enabled: true}", "userns_remap"),
    ] {
        let line = line(
            Engine::System,
            &format!("rancher: {{system_docker: {options}}}"),
            None,
        );
        let left_out = left_out(&line);
        assert_eq!(left_out.len(), 1, "{options}: {left_out:?}");
        assert!(
            left_out[0].starts_with(&format!("rancher.system_docker.{what}: System Docker ")),
            "{left_out:?}"
        );
        assert_eq!(difference(&line).0, "", "{options}");
    }
}

#[test]
fn a_default_gives_way_to_the_file() {
    for (file, removed) in [
        (
            r#"{"data-root": "/mnt/data/docker"}"#,
            "--data-root=/var/lib/docker",
        ),
        (r#"{"group": "docker"}"#, "--group=docker"),
        (
            r#"{"log-driver": "local", "log-opts": {"max-size": "1m"}}"#,
            "--log-driver=json-file --log-opt=max-file=2 --log-opt=max-size=25m",
        ),
        (
            "{\n\t\"log-driver\": \"syslog\"\n}\n",
            "--log-driver=json-file --log-opt=max-file=2 --log-opt=max-size=25m",
        ),
        (
            r#"{"pidfile": "/run/x.pid", "exec-root": "/run/x"}"#,
            "--exec-root=/var/run/docker --pidfile=/var/run/docker.pid",
        ),
        ("", ""),
    ] {
        let line = line(Engine::User, "", Some(file));
        assert_eq!(
            difference(&line),
            (String::new(), removed.to_owned()),
            "{file}"
        );
        assert_eq!(line.file(), None, "dockerd reads the user's own file");
        assert_eq!(left_out(&line), [""; 0]);
    }
    let document = "rancher: {docker: {data_root: /mnt/a}}";
    let both = line(Engine::User, document, Some(r#"{"data-root": "/mnt/b"}"#));
    assert_eq!(both.value("data-root").as_deref(), Some("/mnt/b"));
    assert_eq!(
        left_out(&both),
        ["rancher.docker.data_root: /etc/docker/daemon.json sets it too, and the file counts"]
    );
}

#[test]
fn dockerd_gets_the_part_of_the_file_that_it_can_take() {
    for (file, kept, added, told) in [
        (
            r#"{"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"], "debug": true}"#,
            r#"{"debug":true}"#,
            "--host=tcp://0.0.0.0:2375 --tls=false",
            "",
        ),
        (
            r#"{"exec-opts": ["native.cgroupdriver=systemd"], "mtu": 1400}"#,
            r#"{"exec-opts":[],"mtu":1400}"#,
            "",
            "/etc/docker/daemon.json: exec-opts: this machine has no systemd",
        ),
        (
            r#"{"bridge": "br0", "bip": "10.1.0.1/16"}"#,
            r#"{"bridge":"br0"}"#,
            "",
            "/etc/docker/daemon.json: bip: `bridge` is set too",
        ),
        (
            r#"{"debug": true,}"#,
            "{}",
            "",
            "/etc/docker/daemon.json: trailing comma at line 1",
        ),
    ] {
        let line = line(Engine::User, "", Some(file));
        let (path, text) = line.file().unwrap();
        assert_eq!(text, kept);
        let added = [added, "--config-file=/run/docker-daemon.json"].join(" ");
        assert_eq!(difference(&line).0, added.trim_start());
        assert_eq!(path, "/run/docker-daemon.json");
        let left_out = left_out(&line).join("; ");
        assert!(
            left_out.starts_with(told) && left_out.is_empty() == told.is_empty(),
            "{left_out}"
        );
    }
}

#[test]
fn only_what_dockerd_refuses_is_left_out() {
    let document =
        "rancher: {docker: {bip: 10.1.0.1/16, extra_args: [--cluster-store=x, --icc=false]}}";
    let file = r#"{"grahp": "/mnt/data", "mtu": 1400}"#;
    let refuses = |words: &'static [&'static str]| {
        move |line: &CommandLine| {
            let said = format!("{:?} {:?}", line.arguments(), line.file);
            match words.iter().find(|word| said.contains(**word)) {
                Some(word) => Err(format!("unknown: {word}")),
                None => Ok(()),
            }
        }
    };
    let line = line(Engine::User, document, Some(file));
    let checked = line
        .clone()
        .without_refused(refuses(&["cluster-store", "grahp"]));
    assert_eq!(
        left_out(&checked),
        [
            "rancher.docker.extra_args: --cluster-store=x: unknown: cluster-store",
            "/etc/docker/daemon.json: grahp: unknown: grahp"
        ]
    );
    let (added, _) = difference(&checked);
    assert_eq!(
        added,
        "--bip=10.1.0.1/16 --icc=false --config-file=/run/docker-daemon.json"
    );
    assert_eq!(checked.file().unwrap().1, r#"{"mtu":1400}"#);
    // An engine whose dockerd has no such check.
    let unchecked = line
        .clone()
        .without_refused(|_| Err("unknown flag: --validate".into()));
    assert_eq!(unchecked, line);
}

#[test]
fn the_images_own_value_takes_the_place_of_a_value_that_is_left_out() {
    let document = "rancher: {docker: {log_driver: nonsense, group: dokcer}}";
    let line = line(Engine::User, document, None);
    assert_eq!(difference(&line), (String::new(), String::new()));
    assert_eq!(
        left_out(&line),
        [
            "rancher.docker.group: the machine has no group dokcer",
            "rancher.docker.log_driver: there is no log driver nonsense, and no container would start"
        ]
    );
}
