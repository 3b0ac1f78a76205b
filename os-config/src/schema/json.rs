//! The JSON schema of cloud-configs, for editors.

use serde_yaml::{Mapping, Value};

use crate::reader::key_kind::KeyKind;
use crate::schema::documentation::Documentation;
use crate::schema::sections::{Section, sections};
use crate::yaml::path::key_path;

/// A JSON schema (draft 2020-12), as lenient as the system: a text may stand for a list, `"true"` for `true`.
pub fn json_schema() -> Value {
    let documentation = Documentation::from_defaults();
    let sections = sections();
    let mut schema = object("", &sections, &documentation);
    if let Value::Mapping(top) = &mut schema {
        let mut whole = Mapping::new();
        whole.insert(
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        whole.insert("title".into(), "PaddockOS cloud-config".into());
        whole.extend(std::mem::take(top));
        return Value::Mapping(whole);
    }
    schema
}

fn object(path: &str, sections: &[Section], documentation: &Documentation) -> Value {
    let mut properties = Mapping::new();
    if let Some(section) = sections.iter().find(|section| section.path == path) {
        for (key, kind) in &section.keys {
            let below = key_path(path, key);
            let mut property = property(&below, *kind, sections, documentation);
            if section.without_effect.contains(key)
                && let Value::Mapping(property) = &mut property
            {
                property.insert("deprecated".into(), true.into());
            }
            properties.insert((*key).into(), property);
        }
    }
    mapping([
        ("type", types(&["object", "null"])),
        ("properties", Value::Mapping(properties)),
        ("additionalProperties", false.into()),
    ])
}

fn property(
    path: &str,
    kind: KeyKind,
    sections: &[Section],
    documentation: &Documentation,
) -> Value {
    let has = |path: &str| sections.iter().any(|section| section.path == path);
    let scalars = || types(&["string", "number", "boolean", "null"]);
    let scalar = || mapping([("type", scalars())]);
    let any_of = |all: Vec<Value>| mapping([("anyOf", Value::Sequence(all))]);
    let array = |items: Value| mapping([("type", types(&["array", "null"])), ("items", items)]);
    let by_name = |items: Value| {
        mapping([
            ("type", types(&["object", "null"])),
            ("additionalProperties", items),
        ])
    };
    let (item, name) = (format!("{path}[]"), format!("{path}.NAME"));
    let mut schema = match kind {
        KeyKind::Text => scalar(),
        KeyKind::Boolean => mapping([("type", types(&["boolean", "string", "null"]))]),
        KeyKind::Number => mapping([("type", types(&["integer", "string", "null"]))]),
        KeyKind::List | KeyKind::Command => any_of(vec![array(scalar()), scalar()]),
        KeyKind::Map => any_of(vec![by_name(scalar()), array(scalar())]),
        KeyKind::Section => object(path, sections, documentation),
        KeyKind::Entries if has(&name) => by_name(object(&name, sections, documentation)),
        KeyKind::Entries => by_name(mapping([])),
        KeyKind::Forms => {
            let mut items = vec![scalar(), array(scalar())];
            items.insert(
                0,
                match has(&item) {
                    true => object(&item, sections, documentation),
                    false => by_name(mapping([])),
                },
            );
            any_of(vec![array(any_of(items)), scalar(), by_name(mapping([]))])
        }
        KeyKind::Items | KeyKind::Any if has(&item) => array(any_of(vec![
            object(&item, sections, documentation),
            scalar(),
        ])),
        KeyKind::Items => array(mapping([])),
        KeyKind::Any if has(path) => object(path, sections, documentation),
        KeyKind::Any | KeyKind::Ignored | KeyKind::Met => mapping([]),
    };
    if let Value::Mapping(schema) = &mut schema {
        if let Some(text) = documentation.text(path) {
            schema.insert("description".into(), text.into());
        }
        if let Some(default) = documentation.default(path, kind) {
            schema.insert("default".into(), default);
        }
        if kind == KeyKind::Ignored {
            schema.insert("deprecated".into(), true.into());
        }
    }
    schema
}

fn mapping<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Mapping(
        entries
            .into_iter()
            .map(|(key, value)| (Value::from(key), value))
            .collect(),
    )
}

fn types(names: &[&str]) -> Value {
    Value::Sequence(names.iter().map(|&name| name.into()).collect())
}
