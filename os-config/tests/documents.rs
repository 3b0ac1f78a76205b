//! Cloud-configs as people publish them. Each ends with its expectations: `#= key: value` for a value of the merged
//! configuration, `#! text` for a problem. Other problems fail the test.

mod tree;

use os_config::load::load;
use os_config::validate;
use os_config::yaml::dotted;
use serde_yaml::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tree::Tree;

const BOOT: &str = "var/lib/rancher/conf/cloud-config.d/boot.yml";
const METADATA: &str = "var/lib/rancher/conf/metadata";

#[test]
fn documents_have_their_expected_effect() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        let found = differences(&text);
        wrong.extend(found.into_iter().map(|text| format!("{name}: {text}")));
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 70, "{count} documents");
}

/// The messages of all documents, as `ros config validate` prints them. Read them in the golden file as a person who
/// made the mistakes.
#[test]
fn messages_are_as_they_were_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files: Vec<PathBuf> = fs::read_dir(root.join("documents"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut messages = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        for problem in validate::validate(text.as_bytes(), &name) {
            messages.push_str(&problem.in_file(&name).render(&text));
            messages.push_str("\n\n");
        }
    }
    let golden = root.join("golden/messages.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &messages).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&golden).unwrap_or_default(),
        messages,
        "UPDATE_GOLDEN=1 cargo test -p os-config writes it anew"
    );
}

fn differences(text: &str) -> Vec<String> {
    let tree = Tree::new(&[
        (BOOT, text.as_bytes()),
        (METADATA, b"PrivateIPv4: 10.0.0.5\n"),
    ]);
    let loaded = load(tree.path());
    let mut wrong = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("#= ")) {
        let expected: Value = serde_yaml::from_str(line).unwrap();
        for (key, expected) in expected.as_mapping().unwrap() {
            let key = key.as_str().unwrap();
            let found = dotted::get(&loaded.value, key).unwrap_or(&Value::Null);
            if found != expected {
                wrong.push(format!("{key} is {found:?}"));
            }
        }
    }
    let expected: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#! "))
        .collect();
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    let is_expected = |problem: &String| expected.iter().any(|text| problem.contains(text));
    wrong.extend(
        problems
            .iter()
            .filter(|problem| !is_expected(problem))
            .map(|problem| format!("unexpected: {problem}")),
    );
    let is_found = |text: &&&str| !problems.iter().any(|problem| problem.contains(**text));
    let missing = expected.iter().filter(is_found);
    wrong.extend(missing.map(|text| format!("missing: {text}")));
    wrong
}
