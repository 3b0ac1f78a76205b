//! The labels of a service that the system reads: their values, and schedules.

use std::collections::BTreeMap;

use crate::diagnostic::quoted;
use crate::reader::findings::Findings;
use crate::reader::suggest::suggestion;

const PREFIX: &str = "io.rancher.os.";
/// Labels of the user, below [`PREFIX`].
const KNOWN: [&str; 9] = [
    "after",
    "before",
    "console",
    "createonly",
    "detach",
    "engine",
    "reloadconfig",
    "remove",
    "scope",
];
const REBUILD: &str = "io.docker.compose.rebuild";
const SCHEDULE: &str = "cron.schedule";

/// Reports labels that the system would read another way than the user may expect.
pub(super) fn check(path: &str, labels: &BTreeMap<String, String>, findings: &mut Findings) {
    let path = format!("{path}.labels");
    for (name, value) in labels {
        if let Some(name) = name.strip_prefix(PREFIX) {
            check_own(&path, name, value, findings);
        } else if name == REBUILD && !matches!(value.as_str(), "always" | "false" | "true") {
            let expected = "always, or false";
            warn_of_value(&path, REBUILD, expected, value, findings);
        }
    }
    let Some(schedule) = labels.get(SCHEDULE) else {
        return;
    };
    if labels.get("io.rancher.os.scope").map(String::as_str) == Some("system") {
        let message = format!(
            "{SCHEDULE} has no effect on a service of System Docker, which runs once at each boot: the catalogue's \
             crontab starts containers of User Docker alone; leave out io.rancher.os.scope"
        );
        findings.warning(path.as_str(), message);
    }
    if !is_schedule(schedule) {
        let expected = "seconds, minutes, hours, days, months and days of the week, such as `0 30 4 * * *`, or `@daily`";
        warn_of_value(&path, SCHEDULE, expected, schedule, findings);
    }
}

fn check_own(path: &str, name: &str, value: &str, findings: &mut Findings) {
    let label = format!("{PREFIX}{name}");
    match name {
        "scope" if !matches!(value, "system" | "console" | "user") => {
            let expected = "system for System Docker, or console for User Docker, which it gets";
            warn_of_value(path, &label, expected, value, findings);
        }
        "createonly" | "detach" | "reloadconfig" | "remove"
            if !matches!(value, "true" | "false") =>
        {
            warn_of_value(path, &label, "true or false", value, findings);
        }
        _ if !KNOWN.contains(&name) => {
            if let Some(known) = suggestion(name, &KNOWN) {
                let message = format!("{label} has no effect; did you mean {PREFIX}{known}?");
                findings.warning(path, message);
            }
        }
        _ => {}
    }
}

fn warn_of_value(path: &str, label: &str, expected: &str, found: &str, findings: &mut Findings) {
    let message = format!("{label}: expected {expected}; found {}", quoted(found));
    findings.warning(path, message);
}

/// Whether a text is a schedule of the catalogue's crontab: five or six fields, or a word with `@`.
fn is_schedule(text: &str) -> bool {
    const INTERVALS: [&str; 7] = [
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ];
    if let Some(pause) = text.strip_prefix("@every ") {
        return !pause.trim().is_empty() && pause.starts_with(|c: char| c.is_ascii_digit());
    }
    let is_field = |field: &str| {
        field.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'/' | b',' | b'-' | b'?')
        })
    };
    let fields: Vec<&str> = text.split_whitespace().collect();
    INTERVALS.contains(&text) || matches!(fields.len(), 5 | 6) && fields.into_iter().all(is_field)
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    #[test]
    fn values_of_labels() {
        for (labels, expected) in [
            (
                "{io.rancher.os.scope: system, io.rancher.os.detach: false, other: x, io.rancher.os.mine: y}",
                &[][..],
            ),
            ("{cron.schedule: '0 0 * * * ?'}", &[]),
            ("{cron.schedule: '@every 1h30m'}", &[]),
            (
                "{io.rancher.os.scope: System}",
                &[
                    "io.rancher.os.scope: expected system for System Docker, or console for User Docker, which it gets; found \"System\"",
                ],
            ),
            (
                "{io.rancher.os.detatch: true}",
                &["io.rancher.os.detatch has no effect; did you mean io.rancher.os.detach?"],
            ),
            (
                "{io.rancher.os.createonly: maybe, io.docker.compose.rebuild: allways}",
                &[
                    "io.docker.compose.rebuild: expected always, or false; found \"allways\"",
                    "io.rancher.os.createonly: expected true or false; found \"maybe\"",
                ],
            ),
            (
                "{io.rancher.os.scope: system, cron.schedule: '0 0 * * * ?'}",
                &["cron.schedule has no effect on a service of System Docker"],
            ),
            (
                "{cron.schedule: every night}",
                &["cron.schedule: expected seconds, minutes"],
            ),
        ] {
            let text = format!("rancher: {{services: {{job: {{image: x, labels: {labels}}}}}}}");
            let (_, problems) = read(&text);
            assert_eq!(problems.len(), expected.len(), "{labels}: {problems:?}");
            for (problem, expected) in problems.iter().zip(expected) {
                let expected = format!("rancher.services.job.labels: {expected}");
                assert!(problem.starts_with(&expected), "{problem}");
            }
        }
    }
}
