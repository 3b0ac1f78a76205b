//! RancherOS's cases of layers, leniency and validation, by their ids (docs/compatibility-cases.md).

mod tree;

use os_config::load::{export, load};
use os_config::validate::validate;
use os_config::{Command, Config, Severity};
use tree::Tree;

const CONF: &str = "var/lib/rancher/conf/cloud-config.yml";

/// The configuration that a cloud-config gives, and its problems.
fn read(text: &str) -> (Config, Vec<String>) {
    let tree = Tree::new(&[(CONF, text.as_bytes())]);
    let loaded = load(tree.path());
    let problems = loaded.problems.iter().map(|problem| {
        problem
            .to_string()
            .trim_start_matches("/var/lib/rancher/conf/")
            .to_owned()
    });
    (loaded.config, problems.collect())
}

/// The configuration of a document that has no problem.
fn good(id: &str, text: &str) -> Config {
    let (config, problems) = read(text);
    assert_eq!(problems, [""; 0], "{id}");
    config
}

#[test]
fn forms_that_were_accepted_are_accepted() {
    for text in ["yes", "\"true\"", "on", "TRUE"] {
        assert!(
            good("LE-01", &format!("rancher: {{debug: {text}}}"))
                .rancher
                .debug,
            "LE-01 {text}"
        );
    }
    assert_eq!(good("LE-03", "hostname: 5").hostname.as_deref(), Some("5"));
    assert_eq!(
        good("LE-03", "hostname: true").hostname.as_deref(),
        Some("true")
    );
    assert_eq!(
        read("ssh_authorized_keys: [1]").0.ssh_authorized_keys,
        ["1"],
        "LE-04"
    );
    let config = good(
        "LE-06",
        "rancher: {shutdown_timeout: \"60\", network: {interfaces: {eth0: {mtu: \"1500\", dhcp: \"true\"}}}}",
    );
    let eth0 = &config.rancher.network.interfaces["eth0"];
    assert_eq!(
        (config.rancher.shutdown_timeout, eth0.mtu, eth0.dhcp),
        (60, Some(1500), Some(true)),
        "LE-06"
    );
    let config = good("LE-08", "rancher: {sysctl: {a.b: 5, c: true}}");
    assert_eq!(
        (
            config.rancher.sysctl["a.b"].as_str(),
            config.rancher.sysctl["c"].as_str()
        ),
        ("5", "true"),
        "LE-08"
    );
    let config = good(
        "LE-09",
        "rancher: {environment: {A: 5, B: true, C: 1.50, D: 0644, E: yes}}",
    );
    let values: Vec<&str> = ["A", "B", "C", "D", "E"]
        .iter()
        .map(|key| config.rancher.environment[*key].as_str())
        .collect();
    assert_eq!(values, ["5", "true", "1.50", "0644", "yes"], "LE-09");
    let (config, problems) = read("rancher: {services_include: {x: yes}}");
    assert!(config.rancher.services_include["x"], "LE-10");
    assert!(
        problems[0].contains("the catalogue has no service of this name"),
        "LE-10 {problems:?}"
    );
    let config = good(
        "LE-11",
        "rancher: {network: {interfaces: {eth1: {vlans: 100, bond_opts: {mode: 1}}}}, docker: {log_opts: {max-file: 2}}}",
    );
    let eth1 = &config.rancher.network.interfaces["eth1"];
    assert_eq!(
        (eth1.vlans.as_deref(), eth1.bond_opts["mode"].as_str()),
        (Some("100"), "1"),
        "LE-11"
    );
    assert_eq!(config.rancher.docker.log_opts["max-file"], "2", "LE-11");
    assert_eq!(
        good("LE-13", "rancher:\n").rancher.docker.host.len(),
        2,
        "an empty section takes no defaults away"
    );
    let words =
        |words: &[&str]| Command::Exec(words.iter().map(|word| (*word).to_owned()).collect());
    let commands = good("LE-14", "runcmd: [[], [touch, /a], \"x\"]").runcmd;
    assert_eq!(
        commands,
        [words(&["touch", "/a"]), Command::Shell("x".into())],
        "LE-14"
    );
    assert_eq!(
        good("LE-15", "runcmd: [[a, 1]]").runcmd,
        [words(&["a", "1"])]
    );
    assert_eq!(
        good("LE-15", "runcmd: [5]").runcmd,
        [Command::Shell("5".into())]
    );
    let file = &good("VA-15", "write_files: [{path: /x, permissions: 0755}]").write_files[0];
    assert_eq!(file.mode(), Ok(0o755), "VA-15");
    let file = &good("WX-03", "write_files: [{path: /x, permissions: 0644}]").write_files[0];
    assert_eq!(file.mode(), Ok(0o644), "WX-03");
}

#[test]
fn one_value_for_a_list_is_used_and_said() {
    let (config, problems) = read(
        "ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5\nrancher: {modules: btrfs, network: {dns: {nameservers: 8.8.8.8}}}\n",
    );
    assert_eq!(
        config.ssh_authorized_keys,
        ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5"],
        "LE-05"
    );
    assert_eq!(config.rancher.modules, ["btrfs"], "LE-07");
    assert_eq!(config.rancher.network.dns.nameservers, ["8.8.8.8"], "LE-07");
    assert_eq!(problems.len(), 3);
    assert!(
        problems[0].contains("expected a list, found \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBh…\"; taken as a list of one"),
        "{problems:?}"
    );
}

#[test]
fn old_names_replace_the_default_of_the_present_one() {
    let config = good("graph", "rancher: {docker: {graph: /mnt/docker}}");
    let args = os_config::keys::docker_daemon::dockerd_args(&config.rancher.docker);
    let roots: Vec<&String> = args
        .iter()
        .filter(|arg| arg.contains("root=/mnt") || arg.contains("data-root"))
        .collect();
    assert_eq!(roots, ["--data-root=/mnt/docker"]);
    let line = Tree::new(&[(
        "proc/cmdline",
        b"rancher.docker.registry_mirror=http://m rancher.docker.tls",
    )]);
    let args =
        os_config::keys::docker_daemon::dockerd_args(&load(line.path()).config.rancher.docker)
            .join(" ");
    assert!(
        args.contains("--registry-mirror=http://m") && args.ends_with("--host=tcp://0.0.0.0:2376"),
        "{args}"
    );
}

#[test]
fn a_wrong_value_costs_its_key_only() {
    for (id, text, problem) in [
        (
            "LE-02",
            "hostname: h\nrancher: {debug: maybe}",
            "rancher.debug: expected true or false, found \"maybe\"",
        ),
        (
            "LE-02",
            "hostname: h\nrancher: {debug: 1}",
            "rancher.debug: expected true or false, found \"1\"",
        ),
        (
            "LE-07",
            "hostname: h\nrancher: {network: {dns: 8.8.8.8}}",
            "rancher.network.dns: expected keys with values, found \"8.8.8.8\"",
        ),
        (
            "LE-13",
            "hostname: h\nrancher: []",
            "rancher: expected keys with values, found a list of 0",
        ),
        (
            "NC-13",
            "hostname: h\nssh_authorized_keys: [{foo: bar}]",
            "ssh_authorized_keys[0]: expected a text, found keys with values",
        ),
    ] {
        let (config, problems) = read(text);
        assert_eq!(config.hostname.as_deref(), Some("h"), "{id}");
        assert_eq!(problems.len(), 1, "{id}: {problems:?}");
        assert!(problems[0].ends_with(problem), "{id}: {problems:?}");
        assert_eq!(config.rancher.docker.host.len(), 2, "{id}");
    }
    assert_eq!(good("LE-12", "rancher: {network: {}}").hostname, None);
    assert!(
        read("a_key_of_mine: {b: c}").1[0].contains("warning: a_key_of_mine: unknown key"),
        "LE-12"
    );
}

#[test]
fn a_wrong_value_does_not_hide_the_default() {
    let (config, _) =
        read("rancher: {docker: {host: {a: b}}, shutdown_timeout: [x], defaults: {hostname: [a]}}");
    assert_eq!(config.rancher.docker.host.len(), 2);
    assert_eq!(config.rancher.default_hostname, "paddock");
}

#[test]
fn services_keep_their_texts() {
    let service = |id: &str, text: &str| {
        good(
            id,
            &format!("rancher: {{services: {{t: {{image: i, {text}}}}}}}"),
        )
        .rancher
        .services["t"]
            .clone()
    };
    assert_eq!(
        service("LE-16", "command: 'echo \"a b\" c'").command,
        ["echo", "a b", "c"],
        "LE-16"
    );
    assert_eq!(
        service("LE-17", "command: [echo, 1, false, nothing]").command,
        ["echo", "1", "false", "nothing"]
    );
    assert_eq!(service("LE-17", "command: 5").command, ["5"]);
    assert_eq!(
        service("LE-17", "entrypoint: [a, true]").entrypoint,
        ["a", "true"]
    );
    assert_eq!(service("LE-17", "dns: 5, environment: [1]").dns, ["5"]);
    assert_eq!(
        service("LE-18", "environment: {A: 1, F: 010, B: true, G: 1.5, H: }").environment,
        ["A=1", "B=true", "F=010", "G=1.5", "H"]
    );
    let labels = service("LE-19", "labels: {num: 42, some: true, f: 1.5}").labels;
    assert_eq!(
        (
            labels["num"].as_str(),
            labels["some"].as_str(),
            labels["f"].as_str()
        ),
        ("42", "true", "1.5"),
        "LE-19"
    );
    let named = service("LE-20", "labels: {n: x}, environment: {N: x}");
    assert_eq!(
        (named.labels["n"].as_str(), named.environment[0].as_str()),
        ("x", "N=x"),
        "LE-20"
    );
    let odd = service("LE-21", "volumes: [5], restart: no, privileged: \"true\"");
    assert_eq!(
        (
            odd.volumes[0].as_str(),
            odd.restart.as_deref(),
            odd.privileged
        ),
        ("5", Some("no"), true),
        "LE-21"
    );
    let forms = service(
        "LE-22",
        "labels: [a=b, c], environment: [A=1, B, \"C*\", D=], dns: 8.8.8.8, ports: [80], mem_limit: 1000",
    );
    assert_eq!(
        (forms.labels["a"].as_str(), forms.labels["c"].as_str()),
        ("b", ""),
        "LE-22"
    );
    assert_eq!(forms.environment, ["A=1", "B", "C*", "D="], "LE-22");
    assert_eq!(
        (forms.ports[0].as_str(), forms.mem_limit),
        ("80", Some(1000)),
        "LE-22"
    );
    assert_eq!(
        service("LE-23", "mem_limit: 512m").mem_limit,
        Some(512 << 20)
    );
    let config = good("LE-24", "rancher: {services: {t: {image: y}}}");
    assert_eq!(config.rancher.services["t"].image, "y", "LE-24");
    assert!(
        read("rancher: {services: {t: {image: i, blkio_config: 1}}}").1[0]
            .contains("warning: rancher.services.t.blkio_config"),
        "LE-25"
    );
}

#[test]
fn services_take_variables_and_need_an_image() {
    let config = good(
        "environment",
        "rancher: {environment: {REGISTRY_DOMAIN: r.example}, services: {t: {image: '${REGISTRY_DOMAIN}/x:$REGISTRY_DOMAIN', command: 'echo $$HOME'}}}",
    );
    let service = &config.rancher.services["t"];
    assert_eq!(
        (service.image.as_str(), service.command.join(" ").as_str()),
        ("r.example/x:r.example", "echo $HOME")
    );
    let (config, problems) =
        read("rancher: {services: {a: {command: x}, b: {image: '$NONE'}, c: {image: i}}}");
    assert_eq!(config.rancher.services.keys().collect::<Vec<_>>(), ["c"]);
    assert!(
        problems
            .iter()
            .any(|text| text.contains("rancher.services.a.image: expected the name of an image")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|text| text.contains("$NONE is not in rancher.environment")),
        "{problems:?}"
    );
    // A layer may hold a part of a service that another layer defines.
    let tree = Tree::new(&[
        (
            "usr/share/ros/os-config.yml",
            b"rancher: {services: {ntp: {image: n, restart: always}}}",
        ),
        (CONF, b"rancher: {services: {ntp: {environment: {A: b}}}}"),
    ]);
    let loaded = load(tree.path());
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.config.rancher.services["ntp"].environment, ["A=b"]);
}

#[test]
fn layers_on_disk() {
    let folder = "var/lib/rancher/conf/cloud-config.d";
    let tree = Tree::new(&[
        (
            &format!("{folder}/a.yml"),
            b"hostname: h1\nrancher: {environment: {A: '1', B: '1'}}\nssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5 k1]\n",
        ),
        (
            &format!("{folder}/b.yml"),
            b"hostname: h2\nrancher: {environment: {B: '2'}}\nssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5 k2]\n",
        ),
        (&format!("{folder}/c.yml"), b"a: b: c\n"),
        (
            &format!("{folder}/d.yml"),
            b"rancher: {debug: notabool, state: {dev: LABEL=FILE}}\nhostname: h3\n",
        ),
        (&format!("{folder}/.hidden.yml"), b"hostname: x\n"),
        (&format!("{folder}/dir.yml/file"), b"hostname: x\n"),
        (&format!("{folder}/z.new"), b"hostname: x\n"),
        (
            "proc/cmdline",
            b"rancher.state.dev=LABEL=RANCHER_STATE cc.something=yes\n",
        ),
    ]);
    let loaded = load(tree.path());
    let config = &loaded.config;
    assert_eq!(
        config.ssh_authorized_keys,
        ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5 k2"],
        "LY-01: lists replace"
    );
    assert_eq!(
        (
            config.rancher.environment["A"].as_str(),
            config.rancher.environment["B"].as_str()
        ),
        ("1", "2"),
        "LY-01"
    );
    let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(
        said[0].contains("cloud-config.d/c.yml:1:5:") && said[0].ends_with("it is left out"),
        "LY-02: {said:?}"
    );
    assert!(
        said[1].contains("d.yml:1:11: rancher.debug"),
        "LY-03: {said:?}"
    );
    assert_eq!(config.hostname.as_deref(), Some("h3"), "LY-03, LY-04");
    assert_eq!(
        config.rancher.state.dev.as_deref(),
        Some("LABEL=RANCHER_STATE"),
        "LY-06"
    );
    let text = serde_yaml::to_string(&export(tree.path(), false, false).value).unwrap();
    assert!(
        text.contains("something:") && text.starts_with("hostname: h3\n"),
        "EX-06: {text}"
    );
    assert!(
        !text.contains("sysctl")
            && serde_yaml::to_string(&export(tree.path(), true, false).value)
                .unwrap()
                .contains("sysctl"),
        "EX-01, EX-03"
    );
}

#[test]
fn metadata_is_weaker_than_the_user() {
    let keys = "SSHPublicKeys: {key: ghi}";
    for (id, user, metadata, hostname, expected) in [
        ("MD-01", "", "", None, &[][..]),
        (
            "MD-03",
            "{hostname: cc-host, ssh_authorized_keys: [abc, def]}",
            "",
            Some("cc-host"),
            &["abc", "def"],
        ),
        (
            "MD-04",
            "",
            "{Hostname: md-host, SSHPublicKeys: {key: ghi}}",
            Some("md-host"),
            &["ghi"],
        ),
        (
            "MD-06",
            "{hostname: cc-host, ssh_authorized_keys: [abc, def]}",
            "Hostname: md-host",
            Some("cc-host"),
            &["abc", "def"],
        ),
        (
            "MD-07",
            "{hostname: cc-host, ssh_authorized_keys: [abc, def]}",
            keys,
            Some("cc-host"),
            &["abc", "def", "ghi"],
        ),
        (
            "MD-08",
            "hostname: cc-host",
            "SSHPublicKeys: {a: beeblebrox}",
            Some("cc-host"),
            &["beeblebrox"],
        ),
        (
            "MD-10",
            "ssh_authorized_keys: [existing]",
            "SSHPublicKeys: {\"0\": zero, \"1\": one, \"2\": two, \"10\": ten}",
            None,
            &["existing", "zero", "one", "ten", "two"],
        ),
        ("MD-13", "", "sshpublickeys: [a]", None, &["a"]),
    ] {
        let tree = Tree::new(&[
            (CONF, user.as_bytes()),
            ("var/lib/rancher/conf/metadata", metadata.as_bytes()),
        ]);
        let config = load(tree.path()).config;
        assert_eq!(
            (config.hostname.as_deref(), config.ssh_authorized_keys),
            (
                hostname,
                expected.iter().map(|key| (*key).to_owned()).collect()
            ),
            "{id}"
        );
    }
    for (user, disk, expected) in [
        ("", "dev/xvda", Some("/dev/xvda")),
        (
            "rancher: {resize_device: /dev/x}",
            "dev/xvda",
            Some("/dev/x"),
        ),
        // A disk that the machine lacks does not count.
        ("", "dev/vda", None),
    ] {
        let tree = Tree::new(&[
            (CONF, user.as_bytes()),
            ("var/lib/rancher/conf/metadata", b"RootDisk: /dev/xvda"),
            (disk, b""),
        ]);
        assert_eq!(
            load(tree.path()).config.rancher.resize_device.as_deref(),
            expected,
            "MD-12"
        );
    }
}

#[test]
fn addresses_are_substituted_when_a_file_is_read() {
    let tree = Tree::new(&[
        (CONF, b"hostname: h-$private_ipv4\nrunc: x\nwrite_files: [{path: /a, content: 'A=$public_ipv4 $x \\$public_ipv4'}]\n"),
        ("var/lib/rancher/conf/metadata", b"{PublicIPv4: 192.0.2.3, PrivateIPv4: <nil>}"),
    ]);
    let config = load(tree.path()).config;
    assert_eq!(
        config.write_files[0].content, "A=192.0.2.3 $x $public_ipv4",
        "SV-02"
    );
    assert_eq!(config.hostname.as_deref(), Some("h-"), "SV-03");
}

#[test]
fn passwords_are_in_the_typed_configuration_only() {
    let tree = Tree::new(&[(
        "proc/cmdline",
        b"rancher.password=0123 rancher.autologin=tty1 rancher.autologin=ttyS0",
    )]);
    let loaded = load(tree.path());
    assert_eq!(loaded.config.rancher.password.as_deref(), Some("0123"));
    assert_eq!(loaded.config.rancher.autologin, ["tty1", "ttyS0"], "CL-30");
    for key in ["rancher.password", "rancher.autologin"] {
        assert_eq!(
            os_config::yaml::dotted::get(&loaded.value, key),
            None,
            "GC-17"
        );
    }
}

#[test]
fn debug_forces_the_others() {
    let tree = Tree::new(&[("proc/cmdline", b"rancher.debug")]);
    let loaded = load(tree.path());
    assert_eq!(
        loaded.config.rancher.system_docker.switches.get("debug"),
        Some(&true),
        "GC-11"
    );
    assert_eq!(
        os_config::yaml::dotted::get(&loaded.value, "rancher.log"),
        Some(&true.into()),
        "GC-11"
    );
}

#[test]
fn validation() {
    for (id, text, expected) in [
        ("VA-01", "{}", &[][..]),
        (
            "VA-02",
            "rancher: {log: true}",
            &[
                "1:11: warning: rancher.log: the consoles show the machine's own lines alone, and `system-docker logs NAME` \
                 what a container prints; it has no effect",
            ],
        ),
        (
            "VA-03",
            "write_files: [{container: console, path: /etc/rc.local, permissions: \"0755\", owner: root, content: x}]",
            &[],
        ),
        (
            "VA-04",
            "rancher: {docker: {extra_args: ['--insecure-registry', 'my.registry.com']}}",
            &[],
        ),
        (
            "VA-05",
            "bad_key: {}",
            &["1:1: warning: bad_key: unknown key, it has no effect"],
        ),
        (
            "VA-06",
            "rancher: []",
            &["1:1: rancher: expected keys with values, found a list of 0"],
        ),
        (
            "VA-08",
            "rancher: {bad: 1}",
            &["1:11: warning: rancher.bad: unknown key, it has no effect"],
        ),
        (
            "VA-09",
            "rancher: {debug: \"yes please\"}",
            &["1:11: rancher.debug: expected true or false, found \"yes please\""],
        ),
        ("VA-10", "rancher: {debug: yes}", &[]),
        (
            "VA-11",
            "ssh_authorized_keys: foo",
            &[
                "1:1: warning: ssh_authorized_keys: expected a list, found \"foo\"; taken as a list of one",
                "1:1: warning: ssh_authorized_keys[0]: sshd does not take this key: expected a type such as ssh-ed25519 or ssh-rsa first, found \"foo\"",
            ],
        ),
        (
            "VA-14",
            "hostname: [a]",
            &["1:1: hostname: expected a text, found a list of 1"],
        ),
        (
            "VA-16",
            "write_files: [{path: /x, mode: \"0755\"}]",
            &["1:26: warning: write_files[0].mode: unknown key, it has no effect"],
        ),
        (
            "VA-17",
            "write_files: {}",
            &["1:1: write_files: expected a list, found keys with values"],
        ),
        (
            "VA-18",
            "rancher: {network: {dns: 8.8.8.8}}",
            &["1:21: rancher.network.dns: expected keys with values, found \"8.8.8.8\""],
        ),
        (
            "VA-19",
            "rancher: {docker: {tls: \"maybe\", bogus: 1}}",
            &[
                "1:20: rancher.docker.tls: expected true or false, found \"maybe\"",
                "1:34: warning: rancher.docker.bogus: unknown key, it has no effect; `extra_args` takes every option of dockerd",
            ],
        ),
        (
            "VA-20",
            "rancher: {state: {autoformat: /dev/sda}}",
            &[
                "1:19: warning: rancher.state.autoformat: expected a list, found \"/dev/sda\"; taken as a list of one",
                "1:19: warning: rancher.state.autoformat: it is needed before any file can be read: put it on the kernel line; it has no effect",
            ],
        ),
        ("VA-21", "rancher: {ssh: {port: \"22\"}}", &[]),
        // RancherOS knew no users; this system makes them.
        ("VA-22", "users: [{name: x}]", &[]),
        (
            "VA-23",
            "rancher: {network: {interfaces: {eth0: {dhcp: maybe}}}}",
            &[
                "1:41: rancher.network.interfaces.eth0.dhcp: expected true or false, found \"maybe\"",
            ],
        ),
        (
            "VA-24",
            "rancher: {docker: {graph: /a, data_root: /b, selinux_enabled: true, userns_enabled: false}}",
            &[],
        ),
        ("VA-27", "", &[]),
        (
            "VA-27",
            "text",
            &["1:1: expected keys with values, found a single text"],
        ),
        ("LY-08", "hostname: a\r\nrancher:\r\n  debug: true\r\n", &[]),
    ] {
        let found: Vec<String> = validate(text.as_bytes(), "f")
            .iter()
            .map(|problem| problem.to_string()["f:".len()..].to_owned())
            .collect();
        assert_eq!(found, expected, "{id}");
    }
    for (id, text) in [("VA-25", "a: [b"), ("VA-26", "\ta: b")] {
        let found = validate(text.as_bytes(), "f");
        assert_eq!(found.len(), 1, "{id}");
        assert!(
            found[0].severity == Severity::Error && found[0].position.is_some(),
            "{id}: {found:?}"
        );
    }
}

#[test]
fn the_defaults_have_no_problem() {
    assert_eq!(
        validate(os_config::DEFAULTS.as_bytes(), "defaults"),
        [],
        "VA-07"
    );
    let tree = Tree::new(&[]);
    let loaded = load(tree.path());
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.config.rancher.datasources, ["*"]);
    // A default here would stand beside every interface that a user configures: maps merge key by key.
    assert!(loaded.config.rancher.network.interfaces.is_empty());
}
