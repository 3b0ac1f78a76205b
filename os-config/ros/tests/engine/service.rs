//! `ros service`: each verb, on a service of the system and on a service of the user.

use std::process::Stdio;

use crate::sandbox::{Sandbox, text};

const SERVICES: &str = "
rancher:
  console: none
  services:
    system-one:
      image: paddock/base
      command: sh -c 'echo hello from system-one; exec sleep 600'
      net: none
      stop_signal: KILL
      restart: always
      labels: {io.rancher.os.scope: system}
    user-one:
      image: small
      command: sh -c 'echo hello from user-one; exec sleep 600'
      net: none
      stop_signal: KILL
";

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn every_verb_acts_on_services_of_both_scopes() {
    let mut sandbox = Sandbox::start(SERVICES);
    sandbox.make_image("small");
    sandbox.succeed(&["mkdir", "-p", "/var/lib/rancher/preload/docker"]);
    let archive = "/var/lib/rancher/preload/docker/small.tar";
    sandbox.docker(&["save", "--output", archive, "small"]);
    sandbox.bring_up();
    for (client, name) in [("system-docker", "system-one"), ("docker", "user-one")] {
        let inspect = |template: &str| {
            let argv = [client, "container", "inspect", "--format", template, name];
            text(&sandbox.run(&argv).stdout).trim().to_owned()
        };
        let id = || inspect("{{.Id}}");
        let state = || inspect("{{.State.Status}}");
        let service = |verb: &[&str]| {
            let argv: Vec<&str> = ["ros", "service"].iter().chain(verb).copied().collect();
            sandbox.succeed(&[&argv[..], &[name]].concat())
        };
        sandbox.wait_until("the service runs", |_| state() == "running");
        let first = id();
        let logs = service(&["logs"]);
        assert!(logs.contains(&format!("hello from {name}")), "{logs}");
        assert!(service(&["ps"]).contains(name));

        service(&["stop"]);
        assert_eq!(state(), "exited");
        service(&["start"]);
        assert_eq!((id(), state()), (first.clone(), "running".to_owned()));

        let started = inspect("{{.State.StartedAt}}");
        service(&["restart"]);
        assert_eq!((id(), state()), (first.clone(), "running".to_owned()));
        assert_ne!(inspect("{{.State.StartedAt}}"), started);

        // An up-to-date container stays; `--force-recreate` replaces it.
        service(&["up"]);
        assert_eq!(id(), first);
        service(&["up", "--force-recreate"]);
        assert_ne!(id(), first);

        service(&["kill"]);
        sandbox.wait_until("the service is killed", |_| state() == "exited");
        service(&["rm", "--force"]);
        assert_eq!(state(), "");
        service(&["create"]);
        assert_eq!(state(), "created");
        service(&["up"]);
        assert_eq!(state(), "running");
        service(&["down"]);
        assert_eq!(state(), "");
        service(&["up"]);
        assert_eq!(state(), "running");
    }
}

/// A service whose image was loaded under its name of an earlier version, and a service that any container could serve.
const IMAGES_OF_NOWHERE: &str = "
rancher:
  console: none
  environment: {PADDOCK_REGISTRY: paddock.invalid}
  services:
    loaded: &service
      image: ${PADDOCK_REGISTRY}/paddock/loaded
      command: sleep 600
      net: none
      labels: {io.rancher.os.scope: system}
    absent:
      <<: *service
      image: localhost/paddock/absent
";

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn system_docker_pulls_nothing_from_the_machine_itself() {
    let mut sandbox = Sandbox::start(IMAGES_OF_NOWHERE);
    sandbox.make_image("localhost/paddock/loaded");
    sandbox.bring_up();
    sandbox.wait_until("the loaded image runs", |sandbox| {
        sandbox.is_running("loaded")
    });
    let output = sandbox.run(&["ros", "service", "pull", "absent"]);
    let said = text(&output.stderr);
    assert!(!output.status.success());
    // Docker did not ask for it.
    assert!(
        said.contains("localhost/paddock/absent is in no registry"),
        "{said}"
    );
    sandbox.succeed(&["ros", "service", "pull", "loaded"]);
}

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn commands_on_one_service_wait_for_each_other() {
    let mut sandbox = Sandbox::start(SERVICES);
    sandbox.bring_up();
    sandbox.succeed(&["ros", "service", "down", "system-one"]);
    // `ros sysinit` tries a service again while an operator brings it up.
    for verb in [&["up"][..], &["up", "--force-recreate"], &["create"]] {
        let commands: Vec<_> = (0..4)
            .map(|_| {
                let argv = [&["ros", "service"], verb, &["system-one"]].concat();
                let mut command = sandbox.command(&argv);
                command.stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for command in commands {
            let output = command.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{verb:?}: {}",
                text(&output.stderr)
            );
        }
        assert!(sandbox.is_running("system-one"));
    }
}

/// Two definitions of the network: the second is for System Docker, and nobody vouches for it.
const OF_THE_NETWORK: &str = "
rancher:
  console: none
  repositories: {lan: {url: 'http://127.0.0.1/lan', insecure: true}}
  services_include:
    http://127.0.0.1/lan/mine.yml: true
    http://127.0.0.1/other/mine.yml: true
";
const DEFINITION: &str = "
mine:
  image: paddock/base
  command: sleep 600
  net: none
  labels: {io.rancher.os.scope: system}
";

#[test]
#[ignore = "starts dockerd: make test-engine"]
fn an_included_definition_is_fetched_when_the_network_has_it() {
    let mut sandbox = Sandbox::start(OF_THE_NETWORK);
    sandbox.bring_up();
    assert!(!sandbox.is_running("mine"));
    sandbox.serve("/lan/mine.yml", DEFINITION);
    sandbox.wait_until("the service runs", |sandbox| sandbox.is_running("mine"));
    let id = sandbox.id("mine");
    sandbox.wait_until("the other definition is a problem", |sandbox| {
        sandbox
            .read("/run/ros/problems.jsonl")
            .contains("http://127.0.0.1/other/mine.yml")
    });
    // It is kept, and the next boot starts it without the network.
    sandbox.reboot();
    sandbox.bring_up();
    sandbox.wait_until("the service runs again", |sandbox| {
        sandbox.is_running("mine")
    });
    assert_eq!(sandbox.id("mine"), id);
}
