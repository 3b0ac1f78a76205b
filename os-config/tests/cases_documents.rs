//! RancherOS's cases of whole documents, by their ids: the structure that its two validators and the reader inherited
//! from CoreOS accepted, without the keys of CoreOS (docs/compatibility-cases.md).

use os_config::load::document;
use os_config::validate::validate;

/// The problems of a document, each with its line and key.
fn problems(text: &str) -> Vec<String> {
    validate(text.as_bytes(), "f")
        .iter()
        .map(|problem| {
            let line = problem.position.map_or(0, |(line, _)| line);
            format!("{line} {} {}", problem.key_path, problem.message)
        })
        .collect()
}

#[test]
fn documents_without_a_problem() {
    for (id, text) in [
        ("VC-01 VC-05 VC-17 VC-25 NC-01 NC-11", ""),
        // White space is an empty document.
        ("VC-02", "\t"),
        ("VC-34", "hostname: true"),
        ("VC-34", "hostname: 4"),
        ("VC-34 VC-45", "hostname: host"),
        (
            "VC-39",
            "ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRvY2tvczogZG9jdW1lbnRzIGhhdmUgbm8ga2V5]",
        ),
        ("VC-42", "users: [{name: good}]"),
        // A name alone is a user, as in cloud-init.
        ("VC-43", "users: [good]"),
        (
            "VC-53 VC-54 VC-55 VC-58",
            "write_files: [{path: /valid}, {path: /tmp/usr/valid}]",
        ),
        ("NC-02", "write_files: [{path: /underscore}]"),
        (
            "LE-26",
            "rancher: {services: {my-service: {image: x, command: [echo, 1, false, nothing]}}}",
        ),
        ("VA-13", "rancher: {modules: [1]}"),
    ] {
        assert_eq!(problems(text), [""; 0], "{id} {text}");
    }
}

#[test]
fn documents_with_a_problem() {
    for (id, text, expected) in [
        ("VC-03", "a:\na", "2  this is not YAML"),
        ("VC-04", "#hello\na:\na", "3  this is not YAML"),
        ("VC-26", "test:", "1 test unknown key"),
        (
            "VC-27",
            "rancher:\n  docker:\n    bad:",
            "3 rancher.docker.bad unknown key",
        ),
        (
            "VC-35",
            "hostname: {a: b}",
            "1 hostname expected a text, found keys with values",
        ),
        (
            "VC-35",
            "hostname: [a]",
            "1 hostname expected a text, found a list of 1",
        ),
        (
            "VC-36",
            "rancher: true",
            "1 rancher expected keys with values, found \"true\"",
        ),
        (
            "VC-36",
            "rancher: hello",
            "1 rancher expected keys with values",
        ),
        (
            "VC-36",
            "rancher: [hello]",
            "1 rancher expected keys with values",
        ),
        (
            "VC-38",
            "ssh_authorized_keys: {a: b}",
            "1 ssh_authorized_keys expected a list",
        ),
        (
            "VC-38",
            "ssh_authorized_keys: key",
            "1 ssh_authorized_keys expected a list, found \"key\"; taken as a list of one",
        ),
        (
            "VC-40 NC-13",
            "ssh_authorized_keys:\n- key: value",
            "2 ssh_authorized_keys[0] expected a text, found keys with values",
        ),
        ("VC-41", "users: true", "1 users expected a list"),
        (
            "VC-41",
            "users: {bad: }",
            "1 users.bad expected keys with values, or true",
        ),
        (
            "VC-43",
            "users:\n- [[bad]]",
            "2 users[0] expected the name of a user, or keys with values",
        ),
        (
            "VC-44",
            "users:\n- {name: hi}\n- [[x]]",
            "3 users[1] expected the name of a user, or keys with values",
        ),
        (
            "VC-57 VC-61 NC-03",
            "write-files: [{path: /x}]",
            "1 write-files unknown key, it has no effect; did you mean `write_files`?",
        ),
        (
            "VC-60",
            "rancher:\n  write_files: []",
            "2 rancher.write_files it has no effect here; it belongs at the top",
        ),
    ] {
        let found = problems(text);
        assert!(
            found.iter().any(|problem| problem.starts_with(expected)),
            "{id} {text}: {found:?}"
        );
    }
}

#[test]
fn unknown_keys_take_nothing_away() {
    let text = "hostname:\n  foo\nunknown: x\nrancher: {bare_unknown: , debug: true}\nwrite_files:\n- {content: fun, path: /home, video: y}\n\
        users:\n- {name: fry, passwd: somehash, vogon: z}\n";
    let config = document(text.as_bytes()).unwrap();
    assert_eq!(config.hostname.as_deref(), Some("foo"), "NC-10");
    assert!(config.rancher.debug, "NC-10");
    assert_eq!(config.write_files[0].content, "fun", "NC-10");
    assert_eq!(
        config.users[0].hashed_password.as_deref(),
        Some("somehash"),
        "NC-10"
    );
    let found = problems(text);
    assert_eq!(found.len(), 5, "NC-10 {found:?}");
}

#[test]
fn a_full_document() {
    let text = "#cloud-config\nssh_authorized_keys:\n  - foobar\n  - foobaz\nwrite_files:\n  - content: |\n      penny\n      elroy\n    \
        path: /etc/dogepack.conf\n    permissions: '0644'\n    owner: root:dogepack\nhostname: trontastic\n";
    let config = document(text.as_bytes()).unwrap();
    assert_eq!(config.ssh_authorized_keys, ["foobar", "foobaz"], "NC-12");
    let file = &config.write_files[0];
    assert_eq!(
        (
            file.content.as_str(),
            file.permissions.as_deref(),
            file.owner.as_deref()
        ),
        ("penny\nelroy\n", Some("0644"), Some("root:dogepack")),
        "NC-12"
    );
    assert_eq!(config.hostname.as_deref(), Some("trontastic"), "NC-12");
}

#[test]
fn a_full_user() {
    let text = "users:\n- {name: elroy, passwd: somehash, ssh_authorized_keys: [somekey], gecos: n/a, homedir: /home/place, \
        no_create_home: yes, primary_group: things, groups: [ping, pong], no_user_group: true, system: y, no_log_init: True, shell: /bin/sh}\n";
    let config = document(text.as_bytes()).unwrap();
    let user = &config.users[0];
    assert_eq!(
        (
            user.name.as_str(),
            user.home.as_deref(),
            user.primary_group.as_deref(),
            user.shell.as_deref()
        ),
        (
            "elroy",
            Some("/home/place"),
            Some("things"),
            Some("/bin/sh")
        ),
        "NC-15"
    );
    assert!(user.no_create_home && user.system, "NC-15");
    assert_eq!(user.groups, ["ping", "pong"], "NC-15");
    // Keys without effect give warnings, and texts that are no hash and no key.
    assert_eq!(problems(text).len(), 4, "NC-15");
}

#[test]
fn services_keep_scalars_as_texts() {
    let text = "hostname: x\nrancher: {services: {my-service: {image: i, command: [echo, 1, false, nothing], labels: {some-bool: true, some-num: 42}}}}";
    let config = document(text.as_bytes()).unwrap();
    let service = &config.rancher.services["my-service"];
    assert_eq!(service.command, ["echo", "1", "false", "nothing"], "LE-26");
    assert_eq!(service.labels["some-bool"], "true", "LE-26");
    assert_eq!(service.labels["some-num"], "42", "LE-26");
}
