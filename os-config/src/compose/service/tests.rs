//! Services in every spelling of compose, and the diagnostics of wrong services.

use crate::compose::service::quantities::{parse_bytes, parse_duration};
use crate::compose::service::{Scope, Service};
use std::time::Duration;

fn read(yaml: &str) -> (Service, Vec<String>) {
    let mut findings = crate::reader::findings::Findings::default();
    let value = serde_yaml::from_str(yaml).unwrap();
    let service = Service::read(&value, "rancher.services.s", &mut findings);
    let below = |path: &str| path.trim_start_matches("rancher.services.").to_owned();
    (
        service,
        findings
            .list
            .into_iter()
            .map(|f| format!("{}: {}", below(&f.key_path), f.message))
            .collect(),
    )
}

#[test]
fn a_command_that_is_a_text_is_split_as_in_a_shell() {
    for (text, expected) in [
        ("a  b", &["a", "b"][..]),
        ("sh -c 'a \"b\" \\'", &["sh", "-c", "a \"b\" \\"]),
        ("a\\ b \"c\\\"d\" ''", &["a b", "c\"d", ""]),
        // In double quotes a shell keeps a backslash before most letters.
        ("printf \"a\\nb\\$c\"", &["printf", "a\\nb$c"]),
        ("a b#c #d", &["a", "b#c"]),
        ("", &[]),
    ] {
        let (service, problems) = read(&format!("{{image: x, command: {text:?}}}"));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(service.command, expected, "{text}");
    }
    let (_, problems) = read("{image: x, command: \"'open\"}");
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("s.command: expected quotes that are closed"));
}

#[test]
fn a_service_behind_the_network_alone_waits_for_a_route() {
    for (labels, expected) in [
        ("{io.rancher.os.after: network}", true),
        ("{io.rancher.os.after: 'network,console'}", false),
        ("{io.rancher.os.after: console}", false),
        // The asking of data sources, which itself waits.
        (
            "{io.rancher.os.after: network, io.rancher.os.reloadconfig: 'true'}",
            false,
        ),
        ("{}", false),
    ] {
        let (service, _) = read(&format!("{{image: x, labels: {labels}}}"));
        assert_eq!(service.waits_for_route(), expected, "{labels}");
    }
}

#[test]
fn spellings() {
    let (service, problems) = read(
        "{image: x, command: 'sh -c \"a b\"', environment: {A: 1, B: yes}, network_mode: host, restart: no,\
         labels: [io.rancher.os.scope=system, 'io.rancher.os.after=a, b'], depends_on: {db: {condition: service_started}},\
         volumes: [/a:/b, {type: bind, source: /c, target: /d, read_only: true}], ports: [80, {target: 1, published: 2}],\
         ulimits: {nofile: 5, core: {soft: 1, hard: 2}}, mem_limit: 64m, stop_grace_period: 1m30s, logging: {driver: none}}",
    );
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(service.command, ["sh", "-c", "a b"]);
    assert_eq!(service.environment, ["A=1", "B=yes"]);
    assert_eq!(
        (service.net.as_deref(), service.restart.as_deref()),
        (Some("host"), Some("no"))
    );
    assert_eq!(
        (service.scope(), service.after()),
        (Scope::System, vec!["a", "b"])
    );
    assert_eq!(service.depends_on, ["db"]);
    assert_eq!(service.volumes, ["/a:/b", "/c:/d:ro"]);
    assert_eq!(service.ports, ["80", "2:1"]);
    assert_eq!(service.ulimits["core"], (1, 2));
    assert_eq!(service.mem_limit, Some(64 << 20));
}

#[test]
fn wrong_values_cost_themselves_only() {
    let (service, problems) =
        read("{image: x, privileged: maybe, restart: often, comand: y, ports: {a: b}}");
    assert_eq!(service.image, "x");
    assert_eq!(
        problems,
        [
            "s.ports: expected a list of texts, found keys with values",
            "s.privileged: expected true or false, found \"maybe\"",
            "s.restart: expected no, always, unless-stopped or on-failure[:times], found \"often\"",
            "s.comand: unknown key, it has no effect; did you mean `command`?",
        ]
    );
}

#[test]
fn unsupported_keys_are_named() {
    for (yaml, expected) in [
        (
            "depends_on: {db: {condition: service_healthy}}",
            "s.depends_on.db.condition: it is only waited for until it was started, not for its health or its end",
        ),
        (
            "volumes: [{type: tmpfs, target: /t}]",
            "s.volumes[0]: expected a folder's whole path or a volume's name before the colon, of type bind or volume (a tmpfs belongs below `tmpfs`), found keys with values",
        ),
        (
            "volumes: [/a:/a, ./data:/data]",
            "s.volumes[1]: expected a folder's whole path or a volume's name before the colon, of type bind or volume (a tmpfs belongs below `tmpfs`), found \"./data:/data\"",
        ),
        (
            "ports: ['80:80', '8000-8001:80-90']",
            "s.ports[1]: expected [[address:]published:]port[/protocol], with ranges of the same length, found \"8000-8001:80-90\"",
        ),
    ] {
        assert_eq!(read(&format!("{{image: x, {yaml}}}")).1, [expected]);
    }
}

#[test]
fn times_and_sizes() {
    for (text, expected) in [
        ("10", Some(10_000)),
        ("1m30s", Some(90_000)),
        ("500ms", Some(500)),
        ("s", None),
        ("5x", None),
    ] {
        assert_eq!(
            parse_duration(text),
            expected.map(Duration::from_millis),
            "{text}"
        );
    }
    for (text, expected) in [
        ("1k", Some(1024)),
        ("2MB", Some(2 << 20)),
        ("3GiB", Some(3 << 30)),
        ("7", Some(7)),
        ("x", None),
        ("", None),
    ] {
        assert_eq!(parse_bytes(text), expected, "{text}");
    }
}

#[test]
fn a_limit_is_a_number_or_both_numbers() {
    for (limit, expected) in [
        ("5", Some((5, 5))),
        ("{soft: 1, hard: 2}", Some((1, 2))),
        ("{soft: 1}", None),
        ("{}", None),
        ("{soft: 1, hard: x}", None),
        ("most", None),
    ] {
        let text =
            format!("rancher: {{services: {{a: {{image: x, ulimits: {{nofile: {limit}}}}}}}}}");
        let (config, problems) = crate::config::read(&text);
        let found = config.rancher.services["a"].ulimits.get("nofile").copied();
        assert_eq!(found, expected, "{limit}");
        assert_eq!(
            problems.len(),
            usize::from(expected.is_none()),
            "{limit}: {problems:?}"
        );
    }
}
