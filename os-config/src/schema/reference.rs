//! The page of the manual with every key, in Markdown.

use std::fmt::Write;

use serde_yaml::Value;

use crate::reader::key_kind::KeyKind;
use crate::schema::documentation::Documentation;
use crate::schema::sections::{Section, sections};
use crate::yaml::path::key_path;

const HEAD: &str = "# Cloud-config reference

<!-- Generated from the types and from os-config/defaults/os-config.yml: UPDATE_GOLDEN=1 cargo test -p os-config -->

Every key that a cloud-config may have. A key without effect is accepted and gives a warning. `NAME` is a name of your
own, `[]` an item of a list. Where a list is expected, a single text counts as a list of one; `yes`, `on` and
`\"true\"` count as `true`; numbers may be texts. A key without a value leaves the value of an earlier file as it is.
`ros config validate -i my.yml` says what is wrong with a document, `ros config schema` prints this as a JSON schema
for your editor.
";

/// The whole page.
pub fn reference() -> String {
    let documentation = Documentation::from_defaults();
    let mut page = HEAD.to_owned();
    for section in sections() {
        if section.path == "rancher.system_docker" {
            page.push_str("\n## rancher.system_docker\n\nThe same keys as `rancher.docker`.\n");
            continue;
        }
        // A write to a `String` cannot fail.
        let _ = write_section(&mut page, &section, &documentation);
    }
    page
}

fn write_section(
    page: &mut String,
    section: &Section,
    documentation: &Documentation,
) -> std::fmt::Result {
    let title = if section.path.is_empty() {
        "The top"
    } else {
        &section.path
    };
    writeln!(page, "\n## {title}\n")?;
    if let Some(text) = documentation.text(&section.path) {
        writeln!(page, "{text}\n")?;
    }
    writeln!(page, "| key | kind | default | |\n|---|---|---|---|")?;
    for (key, kind) in &section.keys {
        let path = key_path(&section.path, key);
        let default = documentation
            .default(&path, *kind)
            .map(|value| inline(&value));
        let text = match kind {
            KeyKind::Ignored => "known, and without effect",
            KeyKind::Met => "known; what it asks for holds in any case",
            _ => documentation.text(&path).unwrap_or_default(),
        };
        let mark = if section.without_effect.contains(key) && *kind != KeyKind::Ignored {
            "*No effect yet.*"
        } else {
            ""
        };
        let (default, text) = (
            escaped(&default.unwrap_or_default()),
            format!("{} {mark}", escaped(text)).trim().to_owned(),
        );
        let default = if default.is_empty() {
            default
        } else {
            format!("`{default}`")
        };
        writeln!(page, "| `{key}` | {} | {default} | {text} |", word(*kind))?;
    }
    Ok(())
}

fn word(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Any | KeyKind::Forms => "several forms",
        KeyKind::Ignored | KeyKind::Met => "",
        KeyKind::Text => "text",
        KeyKind::Boolean => "true or false",
        KeyKind::Number => "number",
        KeyKind::List => "list of texts",
        KeyKind::Command => "command, as a text or a list of words",
        KeyKind::Map => "texts by name",
        KeyKind::Entries => "by name",
        KeyKind::Items => "list",
        KeyKind::Section => "keys",
    }
}

/// A value in one line of YAML.
fn inline(value: &Value) -> String {
    match value {
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", inline(key), inline(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
