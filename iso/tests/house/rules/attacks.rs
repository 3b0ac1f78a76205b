//! The attacks of `docs/security.md`: each row names a test that exists.

use std::fs;

use crate::sources::workspace::{get_root, read_below};

const PAGE: &str = "docs/security.md";
const TITLE: &str = "## Attacks, and the test of each defence";
/// The folders with tests.
const FOLDERS: [&str; 3] = ["init", "os-config", "qemu-tests"];

#[test]
fn each_attack_has_a_test() {
    let page = fs::read_to_string(get_root().join(PAGE)).unwrap();
    let tests = named_tests(&page);
    assert!(!tests.is_empty(), "{PAGE} has no table `{TITLE}`");
    let mut sources = String::new();
    for folder in FOLDERS {
        read_below(&get_root().join(folder), &["rs"], &mut |_, text| {
            sources.push_str(text);
        });
    }
    crate::assert_none(
        &list_missing(&tests, &sources),
        "docs/security.md promises a defence: write its test, or take the row out",
    );
}

/// The last cells of the table's rows, without the backticks.
fn named_tests(page: &str) -> Vec<String> {
    let table = page.split_once(TITLE).map_or("", |(_, rest)| rest);
    let rows = table
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .filter_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next())
        .map(|cell| cell.trim().trim_matches('`').to_owned())
        .collect()
}

fn list_missing(tests: &[String], sources: &str) -> Vec<String> {
    let missing = tests
        .iter()
        .filter(|test| !sources.contains(&format!("fn {test}(")));
    missing
        .map(|test| format!("{test}: no such test"))
        .collect()
}

#[test]
fn a_row_without_its_test_is_a_fault() {
    let page = format!(
        "{TITLE}\n\n| from | attack | defence | test |\n|---|---|---|---|\n| a | b | c | `held` |\n| | d | e | `lost` |\n\n| x |\n"
    );
    let tests = named_tests(&page);
    assert_eq!(tests, ["held", "lost"]);
    assert_eq!(list_missing(&tests, "fn held() {}"), ["lost: no such test"]);
}
