//! Lists of a service whose entries have a short form and a long form: `volumes`, `ports`, `depends_on`.

use crate::compose::ports;
use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// Volumes in the short form; the long form is converted. A relative path is an error here: a cloud-config has no
/// folder, and the paths of compose files are absolute already.
pub(crate) fn volumes(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let rule = EntryRule {
        expected: "a folder's whole path or a volume's name before the colon, of type bind or volume (a tmpfs belongs below `tmpfs`)",
        is_usable: |text| !text.starts_with(['.', '~']),
    };
    long_or_short(reader, "volumes", &rule, findings, |entry, findings| {
        let source = entry.text("source", findings);
        let target = entry.text("target", findings)?;
        let read_only = entry.boolean("read_only", findings).unwrap_or(false);
        let kind = entry.text("type", findings);
        if !matches!(kind.as_deref(), None | Some("bind" | "volume")) {
            return None;
        }
        let source = source
            .map(|source| format!("{source}:"))
            .unwrap_or_default();
        Some(format!(
            "{source}{target}{}",
            if read_only { ":ro" } else { "" }
        ))
    })
}

pub(crate) fn ports(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let rule = EntryRule {
        expected: "[[address:]published:]port[/protocol], with ranges of the same length",
        // Variables are substituted later, when all layers are merged.
        is_usable: |text| text.contains('$') || ports::parse(text).is_some(),
    };
    long_or_short(reader, "ports", &rule, findings, |entry, findings| {
        let target = entry.text("target", findings)?;
        let address = entry.text("host_ip", findings);
        let published = entry
            .text("published", findings)
            .or_else(|| address.as_ref().map(|_| String::new()))
            .map(|port| format!("{port}:"))
            .unwrap_or_default();
        let address = address
            .map(|ip| match ip.contains(':') {
                true => format!("[{ip}]:"),
                false => format!("{ip}:"),
            })
            .unwrap_or_default();
        let protocol = entry
            .text("protocol", findings)
            .map(|name| format!("/{name}"))
            .unwrap_or_default();
        // Both of its values are the same outside of a swarm.
        entry.met("mode");
        Some(format!("{address}{published}{target}{protocol}"))
    })
}

/// Names, or compose's long form with a condition for each name. The only condition here is `service_started`.
pub(crate) fn depends_on(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let path = reader.path_of("depends_on");
    let Some(Value::Mapping(entries)) = reader.forms("depends_on") else {
        return reader.list("depends_on", findings);
    };
    let names = entries.iter().filter_map(|(name, how)| {
        let name = scalar::text(name)?;
        let condition = how.get("condition").and_then(scalar::text);
        if condition.is_some_and(|condition| condition != "service_started") {
            findings.warning(
                format!("{path}.{name}.condition"),
                "it is only waited for until it was started, not for its health or its end",
            );
        }
        Some(name)
    });
    names.collect()
}

/// The form that entries of a list must have.
struct EntryRule {
    expected: &'static str,
    is_usable: fn(&str) -> bool,
}

fn long_or_short(
    reader: &mut Reader<'_>,
    key: &'static str,
    rule: &EntryRule,
    findings: &mut Findings,
    long: impl Fn(&mut Reader<'_>, &mut Findings) -> Option<String>,
) -> Vec<String> {
    let path = reader.path_of(key);
    let Some(Value::Sequence(items)) = reader.forms(key) else {
        let mut list = reader.list(key, findings);
        list.retain(|text| {
            let is_usable = (rule.is_usable)(text);
            if !is_usable {
                let found = Value::String(text.clone());
                findings.mismatch::<()>(&path, rule.expected, &found);
            }
            is_usable
        });
        return list;
    };
    let mut out = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let text = if item.is_mapping() {
            let mut entry = Reader::new(item, &path, findings);
            let text = long(&mut entry, findings);
            entry.finish(findings);
            text
        } else {
            scalar::text(item)
        };
        match text.filter(|text| (rule.is_usable)(text)) {
            Some(text) => out.push(text),
            None => drop(findings.mismatch::<()>(&path, rule.expected, item)),
        }
    }
    out
}
