//! Trees of files below a root, and the configurations that loading makes of them.

use crate::config::Config;
use crate::load::disclosure::public_part::PublicPart;
use crate::load::{export, hidden_texts, load, save_last_good};
use crate::reader::public_keys::is_public_path;
use crate::schema::sections::sections;
use crate::yaml::path::key_path;
use std::fs;
use std::path::Path;

use serde_yaml::Value;
use tempfile::TempDir;

struct Tree(TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (file, text) in files {
            tree.write(file, text);
        }
        tree
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

#[test]
fn later_layers_win() {
    let tree = Tree::new(&[
        (
            "usr/share/ros/os-config.yml",
            "hostname: a\nrancher: {debug: false, modules: [m]}",
        ),
        ("usr/share/ros/oem/oem-config.yml", "hostname: b"),
        (
            "var/lib/rancher/conf/cloud-config.d/boot.yml",
            "hostname: c\nssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5]",
        ),
        (
            "var/lib/rancher/conf/cloud-config.d/user_config.yml",
            "hostname: d",
        ),
        ("var/lib/rancher/conf/cloud-config.d/.hidden", "hostname: x"),
        ("var/lib/rancher/conf/cloud-config.yml", "hostname: e"),
        ("proc/cmdline", "quiet rancher.debug cc.hostname=f"),
        (
            "var/lib/rancher/conf/metadata",
            "{Hostname: g, SSHPublicKeys: {k: two}}",
        ),
    ]);
    let loaded = load(tree.path());
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.config.hostname.as_deref(), Some("f"));
    assert_eq!(
        loaded.config.ssh_authorized_keys,
        [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5",
            "two"
        ]
    );
    assert!(loaded.config.rancher.debug);
    assert_eq!(loaded.config.rancher.modules, ["m"]);
}

#[test]
fn a_broken_file_is_replaced_by_its_last_good_copy() {
    let tree = Tree::new(&[("var/lib/rancher/conf/cloud-config.yml", "hostname: good")]);
    save_last_good(tree.path());
    tree.write("var/lib/rancher/conf/cloud-config.yml", "hostname: [bad");
    tree.write("var/lib/rancher/conf/cloud-config.d/boot.yml", "\tx");
    save_last_good(tree.path());
    let loaded = load(tree.path());
    assert_eq!(loaded.config.hostname.as_deref(), Some("good"));
    let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(
        said[0].starts_with("/var/lib/rancher/conf/cloud-config.d/boot.yml:1:")
            && said[0].ends_with("it is left out"),
        "{said:?}"
    );
    assert!(said[1].ends_with("its last good copy is used"), "{said:?}");
}

#[test]
fn a_wrong_value_costs_itself_only() {
    let tree = Tree::new(&[
        (
            "var/lib/rancher/conf/cloud-config.yml",
            "hostname: [x]\nrancher: {debug: true}",
        ),
        ("proc/cmdline", "rancher.shutdown_timeout=soon"),
    ]);
    let loaded = load(tree.path());
    assert_eq!(loaded.config.hostname, None);
    assert!(loaded.config.rancher.debug);
    assert_eq!(loaded.config.rancher.shutdown_timeout, 60);
    assert_eq!(
        loaded
            .problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [
            "/var/lib/rancher/conf/cloud-config.yml:1:1: hostname: expected a text, found a list of 1",
            "kernel command line: rancher.shutdown_timeout: expected a number from 0, found \"soon\"",
        ]
    );
}

#[test]
fn secrets_are_not_exported() {
    let tree = Tree::new(&[(
        "var/lib/rancher/conf/cloud-config.yml",
        "rancher: {password: x, docker: {ca_key: z, tls: true}}",
    )]);
    let text = |private| serde_yaml::to_string(&export(tree.path(), false, private).value).unwrap();
    assert_eq!(
        text(false),
        "rancher:\n  docker:\n    tls: true\nssh_authorized_keys: []\n"
    );
    assert!(text(true).contains("ca_key: z") && !text(true).contains("password"));
}

#[test]
fn a_chosen_console_and_engine_lie_over_the_images_own() {
    let own = "rancher:\n  defaults: {docker: {engine: docker-26}}\n  services:\n    \
               console: {image: own, command: ros console-init, volumes: [/a:/a]}\n    docker: {image: own-engine}";
    let files = [
        ("usr/share/ros/os-config.yml", own),
        (
            "usr/share/ros/consoles/debian.yml",
            "console: {image: '${REGISTRY_DOMAIN}/debian', labels: {x: y}}\nother: {image: z}",
        ),
        (
            "usr/share/ros/engines/docker-28.yml",
            "services: {docker: {image: e28}}",
        ),
        ("usr/share/ros/engines/wrong.yml", "engine: {image: e28}"),
        ("opt/mine.yml", "console: {image: mine}"),
    ];
    for (said, console, engine, problem) in [
        ("{}", "own default", "own-engine docker-26", None),
        (
            "{console: debian, docker: {engine: docker-28}}",
            "docker.io/debian debian",
            "e28 docker-28",
            None,
        ),
        (
            "{console: /opt/mine.yml, docker: {engine: latest}}",
            "mine /opt/mine.yml",
            "own-engine docker-26",
            None,
        ),
        // The user's own keys override every definition.
        (
            "{console: debian, services: {console: {image: users}}}",
            "users debian",
            "own-engine docker-26",
            None,
        ),
        ("{console: none}", "-", "own-engine docker-26", None),
        (
            "{console: ../../etc/x, docker: {engine: docker-1}}",
            "own default",
            "own-engine docker-26",
            Some("rancher.docker.engine: there is no engine \"docker-1\" here"),
        ),
        (
            "{docker: {engine: wrong}}",
            "own default",
            "own-engine docker-26",
            Some("/usr/share/ros/engines/wrong.yml: it has no service \"docker\""),
        ),
    ] {
        let tree = Tree::new(&files);
        tree.write(
            "var/lib/rancher/conf/cloud-config.yml",
            &format!("rancher: {said}"),
        );
        let loaded = load(tree.path());
        let services = &loaded.config.rancher.services;
        let shown = |name: &str, label: &str| {
            services.get(name).map_or("-".to_owned(), |service| {
                format!("{} {}", service.image, service.labels[label])
            })
        };
        assert_eq!(shown("console", "io.rancher.os.console"), console, "{said}");
        assert_eq!(shown("docker", "io.rancher.os.engine"), engine, "{said}");
        assert!(!services.contains_key("other"), "{said}");
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        match problem {
            Some(expected) => assert!(
                problems.iter().any(|found| found.contains(expected)),
                "{said}: {problems:?}"
            ),
            None => assert!(problems.is_empty(), "{said}: {problems:?}"),
        }
    }
}

#[test]
fn names_of_older_catalogues() {
    let tree = Tree::new(&[
        ("usr/share/ros/services/crontab.yml", "crontab: {image: x}"),
        (
            "var/lib/rancher/conf/cloud-config.yml",
            "rancher: {services_include: {container-cron: true, docker-compose: true, rancher-agent: true,\
                 waagent: true, zfs: true}}",
        ),
    ]);
    let loaded = load(tree.path());
    let names: Vec<&String> = loaded.config.rancher.services.keys().collect();
    assert_eq!(names, ["crontab"]);
    let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "configuration: warning: rancher.services_include.rancher-agent: the key `rancher.agent` starts a Rancher agent",
            "configuration: warning: rancher.services_include.zfs: the catalogue has no service of this name; `ros service list --all` shows those it has",
        ]
    );
}

#[test]
fn definitions_of_the_network_are_absent_and_no_problem() {
    for (config, absent, problems) in [
        (
            "{services_include: {'http://server/t.yml': true, 'https://server/u.yml': false, /opt/no.yml: true, zfs: true}}",
            &["http://server/t.yml"][..],
            2,
        ),
        (
            "{repositories: {mine: {url: 'http://server'}}, services_include: {crontab: true, zfs: true, volume-efs: true}}",
            &["zfs"],
            1,
        ),
    ] {
        let text = format!("rancher: {config}");
        let tree = Tree::new(&[
            ("usr/share/ros/services/crontab.yml", "crontab: {image: x}"),
            ("var/lib/rancher/conf/cloud-config.yml", &text),
        ]);
        let loaded = load(tree.path());
        assert_eq!(loaded.absent_definitions, absent, "{config}");
        assert_eq!(loaded.problems.len(), problems, "{:?}", loaded.problems);
    }
}

#[test]
fn names_that_the_machine_does_not_know() {
    let tree = Tree::new(&[
        (
            "usr/share/ros/os-config.yml",
            "rancher: {services: {network: {image: n}, console: {image: c}, docker: {image: d}}}",
        ),
        ("usr/share/ros/services/crontab.yml", "crontab: {image: x}"),
    ]);
    let text = b"rancher:\n  console: ubuntu\n  docker: {engine: docker-1.12.6}\n  services_include:\n    crontab: true\n    crontap: true\n\
        \x20 services:\n    a: {image: x, labels: {io.rancher.os.after: netwrk}}\n    b: {environment: [A=b]}\n";
    let found = super::unknown_names(tree.path(), text);
    let lines: Vec<(usize, &str)> = found
        .iter()
        .map(|it| (it.position.unwrap().0, it.key_path.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (2, "rancher.console"),
            (3, "rancher.docker.engine"),
            (6, "rancher.services_include.crontap"),
            (8, "rancher.services.a.labels"),
        ],
        "{found:?}"
    );
    let empty = Tree::new(&[]);
    assert_eq!(super::unknown_names(empty.path(), text), []);
}

#[test]
fn scaled_services_have_several_containers() {
    let tree = Tree::new(&[
        (
            "opt/docker-compose.yml",
            "web: {image: x, scale: 5, container_name: w}\noff: {image: y}\ndb: {image: z, deploy: {replicas: 2}}",
        ),
        (
            "opt/rancher-compose.yml",
            "web: {scale: 3, health_check: {port: 80}}\noff: {scale: 0}",
        ),
        (
            "var/lib/rancher/conf/cloud-config.yml",
            "rancher: {services_include: {/opt/docker-compose.yml: true}}",
        ),
    ]);
    let loaded = load(tree.path());
    assert_eq!(loaded.problems, []);
    let services = &loaded.config.rancher.services;
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["db", "db-2", "web", "web-2", "web-3"]);
    assert_eq!(services["web-3"].container_name.as_deref(), Some("w-3"));
    assert_eq!(
        services["web-3"].labels[crate::compose::service::REPLICA_OF],
        "web"
    );
    assert_eq!(services["web"].labels.len(), 0);
}

#[test]
fn a_built_image_needs_no_name() {
    let tree = Tree::new(&[(
        "var/lib/rancher/conf/cloud-config.yml",
        "rancher: {services: {a: {build: /ctx}, b: {build: {context: /c, dockerfile: D, args: {X: 1}}, image: mine},\
             c: {build: ctx}}}",
    )]);
    let loaded = load(tree.path());
    let services = &loaded.config.rancher.services;
    assert_eq!(services["a"].image, "os_a");
    let build = services["b"].build.as_ref().unwrap();
    assert_eq!(
        (build.context.as_str(), build.dockerfile.as_deref()),
        ("/c", Some("D"))
    );
    assert_eq!(services["b"].image, "mine");
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(
        problems[0].contains("rancher.services.c.build: expected a folder's whole path"),
        "{problems:?}"
    );
    assert!(!services.contains_key("c"));
}

const SECRET: &str = "hunter2-swordfish";

/// Documents with the secret at a path of the schema, in every form that a value has.
fn documents_with_a_secret(path: &str) -> Vec<Value> {
    let values = [
        SECRET.to_owned(),
        format!("[{SECRET}]"),
        format!("[[/x, {SECRET}]]"),
        format!("[[/x, /y, cifs, 'password={SECRET}']]"),
        format!("{{a: {SECRET}}}"),
        format!("[A={SECRET}]"),
        format!("[{{a: {SECRET}}}]"),
        format!("\"two\\n{SECRET}\""),
        format!("http://u:{SECRET}@h/"),
    ];
    let nested = |value: &String| {
        let value: Value = serde_yaml::from_str(value).unwrap();
        path.replace("NAME", "probe")
            .rsplit('.')
            .fold(value, |below, key| {
                let (key, below) = match key.strip_suffix("[]") {
                    Some(key) => (key, Value::Sequence(vec![below])),
                    None => (key, below),
                };
                Value::Mapping([(key.into(), below)].into_iter().collect())
            })
    };
    values.iter().map(nested).collect()
}

#[test]
fn a_secret_under_any_key_leaves_neither_by_an_export_nor_by_a_problem() {
    let paths: Vec<String> = sections()
        .iter()
        .flat_map(|section| {
            let keys = section.keys.keys();
            keys.map(|key| key_path(&section.path, key))
        })
        .chain(
            [
                "unknown",
                "rancher.unknown",
                "rancher.services.NAME.unknown",
            ]
            .map(str::to_owned),
        )
        .collect();
    assert!(paths.len() > 250, "{}", paths.len());
    for path in &paths {
        let bare = path.replace("[]", "");
        let is_public = is_public_path(&bare) || is_public_path(&format!("{bare}.a"));
        for document in documents_with_a_secret(path) {
            let text = serde_yaml::to_string(&document).unwrap();
            let part = PublicPart::split(&document, &Value::Null);
            let shown = serde_yaml::to_string(&part.value).unwrap();
            assert!(is_public || !shown.contains(SECRET), "{text}\n{shown}");
            // A hidden value is told by name, and a report removes it from logs.
            if !shown.contains(SECRET) {
                assert_ne!(part.left_out, [""; 0], "{text}");
                assert!(part.hidden.iter().any(|it| it.contains(SECRET)), "{text}");
            }
            for problem in Config::read(&document).1 {
                let said = problem.to_string();
                assert!(is_public || !said.contains(SECRET), "{text}\n{said}");
            }
        }
    }
}

#[test]
fn an_export_names_what_it_leaves_out() {
    let tree = Tree::new(&[(
        "var/lib/rancher/conf/cloud-config.yml",
        "password: a\nhostname: box\nruncmd: [echo hunter2]\nrancher: {environment: {A: hunter3}}",
    )]);
    let public = export(tree.path(), false, false);
    assert_eq!(
        public.left_out,
        ["password", "rancher.environment", "runcmd"]
    );
    assert_eq!(export(tree.path(), false, true).left_out, ["password"]);
    let mut hidden = hidden_texts(tree.path());
    hidden.sort();
    assert_eq!(hidden, ["a", "echo hunter2", "hunter3"]);
}
