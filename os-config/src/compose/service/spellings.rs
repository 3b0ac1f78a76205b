//! Keys of a service that compose spells in several ways, one way for each version or shape.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::diagnostic::{Diagnostic, quoted};
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::reader::suggest::suggestion;
use crate::yaml::path::key_path;
use crate::yaml::scalar;

/// Compose's `deploy.replicas`, and its older `scale`.
pub(crate) fn scale(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<u32> {
    let mut deploy = reader.section("deploy", findings);
    let replicas = deploy.number("replicas", findings);
    deploy.finish(findings);
    reader.number("scale", findings).or(replicas)
}

pub(crate) fn environment(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    match reader.forms("environment") {
        Some(Value::Mapping(entries)) => {
            // A key without a value is a bare name: its value comes from `rancher.environment`.
            let bare = entries
                .iter()
                .filter(|(_, value)| value.is_null())
                .filter_map(|(key, _)| scalar::text(key));
            let bare: Vec<String> = bare.collect();
            let pair = |(key, value): (String, String)| {
                if bare.contains(&key) {
                    key
                } else {
                    format!("{key}={value}")
                }
            };
            reader
                .map("environment", findings)
                .into_iter()
                .map(pair)
                .collect()
        }
        _ => reader.list("environment", findings),
    }
}

pub(crate) fn restart(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<String> {
    let value = reader.value("restart")?;
    // YAML 1.1 reads an unquoted `no` as false.
    let text = match scalar::text(value).unwrap_or_default().as_str() {
        "false" => "no".to_owned(),
        text => text.to_owned(),
    };
    let (name, count) = text.split_once(':').unwrap_or((&text, "0"));
    let known = matches!(name, "no" | "always" | "unless-stopped" | "on-failure")
        && count.parse::<u32>().is_ok();
    if known {
        return Some(text);
    }
    findings.mismatch(
        &reader.path_of("restart"),
        "no, always, unless-stopped or on-failure[:times]",
        value,
    )
}

pub(crate) fn ulimits(
    reader: &mut Reader<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, (i64, i64)> {
    let path = reader.path_of("ulimits");
    // A limit is a number, or keys with values.
    reader.forms("ulimits");
    reader
        .entries("ulimits", findings)
        .into_iter()
        .filter_map(|(name, value)| {
            let path = format!("{path}.{name}");
            if let Some(both) = scalar::text(value).and_then(|text| text.parse().ok()) {
                return Some((name, (both, both)));
            }
            let known = findings.list.len();
            let mut section = Reader::new(value, &path, findings);
            let soft = section.number("soft", findings);
            let hard = section.number("hard", findings);
            section.finish(findings);
            match soft.zip(hard) {
                Some(both) => Some((name, both)),
                // A wrong number has its error already.
                None if findings.list.iter().skip(known).any(Diagnostic::is_error) => None,
                None => findings.mismatch(&path, "a number, or both soft and hard", value),
            }
        })
        .collect()
}

/// Driver and options: version 1 has `log_driver` and `log_opt`, later versions have `logging`.
pub(crate) fn logging(
    reader: &mut Reader<'_>,
    findings: &mut Findings,
) -> (Option<String>, BTreeMap<String, String>) {
    let mut driver = reader.text("log_driver", findings);
    let mut options = reader.map("log_opt", findings);
    let mut section = reader.section("logging", findings);
    driver = section.text("driver", findings).or(driver);
    options.extend(section.map("options", findings));
    section.finish(findings);
    (driver, options)
}

/// Warns of a namespace whose name is likely a typing error. The network may be any network of the engine.
pub(crate) fn check_namespace(key: &str, mode: Option<&str>, path: &str, findings: &mut Findings) {
    const NETWORKS: [&str; 4] = ["bridge", "default", "host", "none"];
    const OTHERS: [&str; 4] = ["host", "none", "private", "shareable"];
    let Some(mode) = mode else { return };
    let is_network = key == "net";
    let known = if is_network { NETWORKS } else { OTHERS };
    let is_shared = mode.starts_with("container:") || mode.starts_with("service:");
    if mode.is_empty() || is_shared || known.contains(&mode) {
        return;
    }
    let found = quoted(mode);
    match suggestion(mode, &known) {
        Some(known) => {
            let message = format!("found {found}; did you mean `{known}`?");
            findings.warning(key_path(path, key), message);
        }
        None if is_network => {}
        None => {
            let message = format!("expected host, container:NAME or service:NAME, found {found}");
            findings.warning(key_path(path, key), message);
        }
    }
}
