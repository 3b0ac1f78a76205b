//! The tests that the manual names: each row of a table with a column `test` names tests that exist, and so do the remarks
//! of the table of compatibility that name a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sources::workspace::{get_root, read_below};

const PAGES: [&str; 2] = ["docs/security.md", "docs/reliability.md"];
const COLUMN: &str = "test";
const COMPATIBILITY: &str = "docs/compatibility.md";
/// The column of [`COMPATIBILITY`] with tests among other words.
const REMARKS: &str = "remark";
/// The page with all keys of a cloud-config, which have the form of a test's name.
const KEYS: &str = "docs/cloud-config.md";
/// The folders with tests.
const FOLDERS: [&str; 4] = ["init", "iso/src", "os-config", "qemu-tests"];
/// The suite that runs scenarios, and their folder.
const SCENARIO_SUITE: &str = "vm_scenarios";
const SCENARIOS: &str = "qemu-tests/scenarios";
const SUITES: &str = "qemu-tests/tests";

#[test]
fn each_promise_has_a_test() {
    let sources = read_sources().text;
    let mut faults = Vec::new();
    for page in PAGES {
        let rows = cells_of(&fs::read_to_string(get_root().join(page)).unwrap(), COLUMN);
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

#[test]
fn tests_in_remarks_exist() {
    let read = |page: &str| fs::read_to_string(get_root().join(page)).unwrap();
    let remarks = cells_of(&read(COMPATIBILITY), REMARKS);
    assert!(
        !remarks.is_empty(),
        "{COMPATIBILITY} has no table with a column `{REMARKS}`"
    );
    let keys = read(KEYS);
    let sources = read_sources();
    let exists = |path: &str| get_root().join(path).exists();
    crate::assert_none(
        &list_unknown_names(&remarks, &sources, &keys, &exists),
        "docs/compatibility.md names suites, scenarios and tests by their names in the sources",
    );
}

/// The sources below [`FOLDERS`].
#[derive(Debug, Default)]
struct Sources {
    text: String,
    /// The names of files and folders with tests, without endings.
    modules: BTreeSet<String>,
}

fn read_sources() -> Sources {
    let mut sources = Sources::default();
    for folder in FOLDERS {
        read_below(&get_root().join(folder), &["rs"], &mut |path, text| {
            sources.text.push_str(text);
            sources.modules.extend(modules_of(path));
        });
    }
    sources
}

/// The names in a path behind its folder `tests`, without endings.
fn modules_of(path: &Path) -> impl Iterator<Item = String> {
    let parts = path.iter().skip_while(|part| *part != "tests").skip(1);
    parts.filter_map(|part| Some(Path::new(part).file_stem()?.to_str()?.to_owned()))
}

/// The cells of the rows below `name`, in all tables that have such a column.
fn cells_of(page: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut column = None;
    let mut is_in_table = false;
    for line in page.lines() {
        let row: Vec<&str> = line.split('|').map(str::trim).collect();
        let is_row = line.starts_with('|');
        if !is_in_table {
            column = row.iter().position(|cell| *cell == name);
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

/// The words of a cell in backticks.
fn quoted_words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn is_test(name: &str, sources: &str) -> bool {
    sources.contains(&format!("fn {name}("))
}

/// A cell has names in backticks.
fn list_faults(cells: &[String], sources: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for cell in cells {
        let mut names = quoted_words(cell).peekable();
        if names.peek().is_none() {
            faults.push(format!("`{cell}` names no test"));
        }
        let missing = names.filter(|test| !is_test(test, sources));
        faults.extend(missing.map(|test| format!("{test}: no such test")));
    }
    faults
}

/// The words in backticks with the form of a test's name or path that name none. `keys` is the text of [`KEYS`].
fn list_unknown_names(
    cells: &[String],
    sources: &Sources,
    keys: &str,
    exists: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let is_known = |word: &str| {
        let (name, part) = word.split_once(' ').unwrap_or((word, ""));
        match part {
            _ if word.contains("/tests/") => exists(word),
            _ if !has_form_of_test(name) => true,
            "" => {
                sources.modules.contains(name)
                    || is_test(name, &sources.text)
                    || keys.contains(&format!("| `{name}` |"))
            }
            _ if name == SCENARIO_SUITE => exists(&format!("{SCENARIOS}/{part}.yml")),
            _ => exists(&format!("{SUITES}/{name}/{part}.rs")),
        }
    };
    let words = cells.iter().flat_map(|cell| quoted_words(cell));
    let unknown = words.filter(|word| !is_known(word));
    unknown
        .map(|word| format!("{word}: neither a test nor a key"))
        .collect()
}

/// Several words in small letters, joined by underscores.
fn has_form_of_test(name: &str) -> bool {
    let is_joined = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.contains('_') && name.chars().all(is_joined)
}

#[test]
fn a_row_without_its_test_is_a_fault() {
    let page = "| from | attack | test | seen |\n|---|---|---|---|\n| a | b | `held`, `lost` | 1 |\n| a | c | | 2 |\n\n\
        | test | x |\ntext\n| test2 | x |\n|---|---|\n| `other` | y |\n";
    let cells = cells_of(page, COLUMN);
    assert_eq!(cells, ["`held`, `lost`", ""]);
    assert_eq!(
        list_faults(&cells, "fn held() {}"),
        ["lost: no such test", "`` names no test"]
    );
}

#[test]
fn a_remark_with_an_unknown_test_is_a_fault() {
    let sources = Sources {
        text: "fn it_holds() {}".into(),
        modules: modules_of(Path::new("/a/tests/vm_cow/calf.rs")).collect(),
    };
    assert_eq!(
        Vec::from_iter(sources.modules.iter().map(String::as_str)),
        ["calf", "vm_cow"]
    );
    let keys = "| `write_files` | list |";
    let files = [
        "qemu-tests/scenarios/barn.yml",
        "qemu-tests/tests/vm_cow/calf.rs",
        "os-config/tests/golden",
    ];
    let exists = |path: &str| files.contains(&path);
    for (remark, expected) in [
        (
            "no name: `debian`, `rancher.write_filse`, `make test`, `/run/ros`",
            &[][..],
        ),
        (
            "`vm_cow`, `it_holds`, `write_files`, `os-config/tests/golden`",
            &[],
        ),
        ("`vm_scenarios barn`, `vm_cow calf`", &[]),
        (
            "`vm_sheep`, `it_fails` and `write_filse`",
            &["vm_sheep", "it_fails", "write_filse"],
        ),
        (
            "`vm_scenarios meadow`, `vm_cow bull`",
            &["vm_scenarios meadow", "vm_cow bull"],
        ),
        ("`os-config/tests/lost`", &["os-config/tests/lost"]),
    ] {
        let found = list_unknown_names(&[remark.to_owned()], &sources, keys, &exists);
        let expected: Vec<String> = expected
            .iter()
            .map(|word| format!("{word}: neither a test nor a key"))
            .collect();
        assert_eq!(found, expected, "{remark}");
    }
}
