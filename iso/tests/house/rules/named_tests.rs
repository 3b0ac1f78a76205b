//! The tests that the manual names: each row of a table with a column `test` names tests that exist.

use std::fs;

use crate::sources::workspace::{get_root, read_below};

const PAGES: [&str; 2] = ["docs/security.md", "docs/reliability.md"];
const COLUMN: &str = "test";
/// The folders with tests.
const FOLDERS: [&str; 4] = ["init", "iso/src", "os-config", "qemu-tests"];

#[test]
fn each_promise_has_a_test() {
    let mut sources = String::new();
    for folder in FOLDERS {
        read_below(&get_root().join(folder), &["rs"], &mut |_, text| {
            sources.push_str(text);
        });
    }
    let mut faults = Vec::new();
    for page in PAGES {
        let rows = test_cells(&fs::read_to_string(get_root().join(page)).unwrap());
        assert!(
            !rows.is_empty(),
            "{page} has no table with a column `{COLUMN}`"
        );
        let found = list_faults(&rows, &sources);
        faults.extend(found.into_iter().map(|fault| format!("{page}: {fault}")));
    }
    crate::assert_none(
        &faults,
        "the manual promises what a test shows: write the test, or take the row out",
    );
}

/// The cells of the rows below [`COLUMN`], in all tables that have it.
fn test_cells(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut column = None;
    let mut is_in_table = false;
    for line in page.lines() {
        let row: Vec<&str> = line.split('|').map(str::trim).collect();
        let is_row = line.starts_with('|');
        if !is_in_table {
            column = row.iter().position(|cell| *cell == COLUMN);
        } else if let Some(cell) = column.and_then(|column| row.get(column))
            && is_row
            && !cell.starts_with("---")
        {
            found.push((*cell).to_owned());
        }
        is_in_table = is_row;
    }
    found
}

/// A cell has names in backticks.
fn list_faults(cells: &[String], sources: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for cell in cells {
        let mut names = cell.split('`').skip(1).step_by(2).peekable();
        if names.peek().is_none() {
            faults.push(format!("`{cell}` names no test"));
        }
        let missing = names.filter(|test| !sources.contains(&format!("fn {test}(")));
        faults.extend(missing.map(|test| format!("{test}: no such test")));
    }
    faults
}

#[test]
fn a_row_without_its_test_is_a_fault() {
    let page = "| from | attack | test | seen |\n|---|---|---|---|\n| a | b | `held`, `lost` | 1 |\n| a | c | | 2 |\n\n\
        | test | x |\ntext\n| test2 | x |\n|---|---|\n| `other` | y |\n";
    let cells = test_cells(page);
    assert_eq!(cells, ["`held`, `lost`", ""]);
    assert_eq!(
        list_faults(&cells, "fn held() {}"),
        ["lost: no such test", "`` names no test"]
    );
}
