//! The ids of RancherOS's cases: the sources name exactly the ids that `docs/compatibility-cases.md` explains as held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::sources::workspace::{get_root, read_below};

const TABLE: &str = "docs/compatibility-cases.md";
/// The title above the cases that no test holds.
const LEFT_OUT: &str = "## Left out";
/// The folders with tests and scenarios.
const FOLDERS: [&str; 3] = ["init", "os-config", "qemu-tests"];
const ENDINGS: [&str; 2] = ["rs", "yml"];
/// Words with the form of an id.
const OTHER_WORDS: [&str; 2] = ["UTF-16", "UTF-32"];

/// The cases of the table.
#[derive(Debug, Default)]
struct Cases {
    held: BTreeSet<String>,
    left_out: BTreeSet<String>,
    /// Ids with two rows.
    doubled: BTreeSet<String>,
}

#[test]
fn cases_are_explained() {
    let table = parse_table(&fs::read_to_string(get_root().join(TABLE)).unwrap());
    let mut named = BTreeMap::new();
    for folder in FOLDERS {
        collect_ids(&get_root().join(folder), &mut named);
    }
    crate::assert_none(
        &list_faults(&table, &named),
        "a case has one row in docs/compatibility-cases.md: held by the tests that name its id, or left out",
    );
}

fn list_faults(table: &Cases, named: &BTreeMap<String, String>) -> Vec<String> {
    let doubled = table.doubled.iter();
    let mut faults: Vec<String> = doubled.map(|id| format!("{id}: it has two rows")).collect();
    for (id, file) in named {
        if table.left_out.contains(id) {
            faults.push(format!("{id}: left out, but {file} names it"));
        } else if !table.held.contains(id) {
            faults.push(format!("{id}: no row, but {file} names it"));
        }
    }
    let untested = table.held.iter().filter(|id| !named.contains_key(*id));
    faults.extend(untested.map(|id| format!("{id}: it has a row, but no test names it")));
    faults
}

/// Reads the first cells of the rows: an id, a list of ids, or ranges such as `VER-01 to VER-12`.
fn parse_table(text: &str) -> Cases {
    let mut cases = Cases::default();
    let (held, left_out) = text.split_once(LEFT_OUT).unwrap_or((text, ""));
    for (part, is_held) in [(held, true), (left_out, false)] {
        for id in part.lines().flat_map(ids_of_row) {
            if cases.held.contains(&id) || cases.left_out.contains(&id) {
                cases.doubled.insert(id.clone());
            }
            match is_held {
                true => cases.held.insert(id),
                false => cases.left_out.insert(id),
            };
        }
    }
    cases
}

fn ids_of_row(line: &str) -> Vec<String> {
    let cell = line
        .strip_prefix("| ")
        .and_then(|row| row.split(" |").next());
    let parts = cell.unwrap_or_default().split(", ");
    parts
        .flat_map(|part| match part.split_once(" to ") {
            None => Vec::from_iter(is_id(part).then(|| part.to_owned())),
            Some((first, last)) => {
                let (Some((prefix, first)), Some((_, last))) =
                    (first.split_once('-'), last.split_once('-'))
                else {
                    return Vec::new();
                };
                let numbers = first.parse::<u8>().unwrap()..=last.parse().unwrap();
                numbers.map(|n| format!("{prefix}-{n:02}")).collect()
            }
        })
        .collect()
}

/// Notes each id below `folder` with a file that names it.
fn collect_ids(folder: &Path, found: &mut BTreeMap<String, String>) {
    read_below(folder, &ENDINGS, &mut |path, text| {
        let name = path.strip_prefix(get_root()).unwrap().display().to_string();
        for id in ids_in(text) {
            found.entry(id).or_insert_with(|| name.clone());
        }
    });
}

fn ids_in(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    words
        .filter(|word| is_id(word) && !OTHER_WORDS.contains(word))
        .map(str::to_owned)
}

/// Two or three capital letters, a hyphen, two digits.
fn is_id(word: &str) -> bool {
    let Some((prefix, number)) = word.split_once('-') else {
        return false;
    };
    (2..=3).contains(&prefix.len())
        && prefix.bytes().all(|byte| byte.is_ascii_uppercase())
        && number.len() == 2
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{ids_in, list_faults, parse_table};

    const TABLE: &str = "| id | behaviour |\n|---|---|\n| LE-01 | a flag, as in LE-09 |\n| LE-02 | x |\n\
        ## Left out\n| VER-01 to VER-03 | x | y |\n| NC-04, NC-06 | x | see LE-01 |\n";

    #[test]
    fn rows_have_ids_lists_and_ranges() {
        let cases = parse_table(TABLE);
        assert_eq!(Vec::from_iter(cases.held), ["LE-01", "LE-02"]);
        let left_out = ["NC-04", "NC-06", "VER-01", "VER-02", "VER-03"];
        assert_eq!(Vec::from_iter(cases.left_out), left_out);
        assert_eq!(Vec::from_iter(cases.doubled), [""; 0]);
    }

    #[test]
    fn ids_are_whole_words() {
        let text =
            "(\"LE-01 VER-12\", x) # WX-08, WX-12: UTF-16 A-01 LE-1 LE-011 XLE_LE-01 LE-01-a";
        let ids = ["LE-01", "VER-12", "WX-08", "WX-12"];
        assert_eq!(Vec::from_iter(ids_in(text)), ids);
    }

    #[test]
    fn sources_and_rows_agree() {
        let table = parse_table(&format!("| LE-01 | twice |\n{TABLE}"));
        let named = ["LE-01", "LE-03", "NC-04"];
        let named = named.map(|id| (id.to_owned(), "a.rs".to_owned())).into();
        assert_eq!(
            list_faults(&table, &named),
            [
                "LE-01: it has two rows",
                "LE-03: no row, but a.rs names it",
                "NC-04: left out, but a.rs names it",
                "LE-02: it has a row, but no test names it",
            ]
        );
    }
}
