//! Small folders, and files that a `mod` line reaches and that begin with a header.

use std::collections::BTreeMap;
use std::fs;

use crate::sources::workspace::{Member, Workspace, get_root};

/// The most files of a folder in or below src/.
const MOST_FILES: usize = 14;

/// The most files beside the folders of ros.
const MOST_FILES_OF_ROS: usize = 8;

const ROS: &str = "os-config/ros/src";

/// A file for every source of data that cloud-init knows.
const UNBOUNDED: &str = "os-config/cloud-init-rs/src/sources";

#[test]
fn folders_are_small() {
    let crates = Workspace::get().crates.iter();
    let sources = crates.flat_map(|member| {
        let src = format!("{}/src/", member.folder);
        let files = member.files.keys().map(String::as_str);
        files.filter(move |file| file.starts_with(&src))
    });
    let faults = list_large_folders(sources);
    crate::assert_none(&faults, "give the files of a subject a folder of their own");
}

/// Lists the folders of `files` with too many files, and the folders with a limit of their own that are not there.
fn list_large_folders<'a>(files: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let (folder, _) = file.rsplit_once('/').unwrap();
        *folders.entry(folder).or_default() += 1;
    }
    let large = folders.iter().filter_map(|(folder, files)| {
        let limit = get_limit(folder);
        (*files > limit).then(|| format!("{folder}: {files} files, at most {limit}"))
    });
    let mut faults: Vec<String> = large.collect();
    let limited = [ROS, UNBOUNDED].into_iter();
    let gone = limited.filter(|folder| !folders.contains_key(folder));
    faults.extend(gone.map(|folder| format!("{folder}: a limit, but no folder")));
    faults
}

fn get_limit(folder: &str) -> usize {
    match folder {
        ROS => MOST_FILES_OF_ROS,
        UNBOUNDED => usize::MAX,
        _ => MOST_FILES,
    }
}

#[test]
fn files_begin_with_a_header() {
    let crates = Workspace::get().crates.iter();
    let faults: Vec<String> = crates
        .flat_map(|member| member.files.keys())
        .filter(|file| !has_header(&fs::read_to_string(get_root().join(file)).unwrap()))
        .map(|file| format!("{file}: no `//!` in its first line"))
        .collect();
    crate::assert_none(&faults, "say on top why the file exists");
}

fn has_header(text: &str) -> bool {
    let first = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("//!"));
    first.is_some_and(|words| !words.trim().is_empty())
}

#[test]
fn every_file_is_a_module() {
    let crates = Workspace::get().crates.iter();
    let faults: Vec<String> = crates
        .flat_map(Member::list_unreached_files)
        .cloned()
        .collect();
    crate::assert_none(&faults, "add a `mod` line, or remove the file");
}

#[cfg(test)]
mod tests {
    use super::{has_header, list_large_folders};
    use crate::sources::workspace::Member;

    #[test]
    fn folders_have_limits() {
        let name = |folder: &str, files: usize| -> Vec<String> {
            (0..files).map(|n| format!("{folder}/{n}.rs")).collect()
        };
        let list =
            |files: &[Vec<String>]| list_large_folders(files.iter().flatten().map(String::as_str));
        let unbounded = name("os-config/cloud-init-rs/src/sources", 20);
        let ros = name("os-config/ros/src", 9);
        assert_eq!(
            list(&[name("a/src", 15), name("a/src/b", 14), ros, unbounded]),
            [
                "a/src: 15 files, at most 14",
                "os-config/ros/src: 9 files, at most 8"
            ]
        );
        assert_eq!(list(&[]).len(), 2);
    }

    #[test]
    fn a_header_has_words() {
        assert!(has_header("//! Why.\n\nuse a;\n"));
        assert!(!has_header("//!\nuse a;\n"));
        assert!(!has_header("use a;\n//! Why.\n"));
        assert!(!has_header(""));
    }

    #[test]
    fn a_file_without_a_mod_line_is_a_fault() {
        let member = Member::new(
            "made-up",
            &[
                ("made-up/src/lib.rs", "mod a;"),
                ("made-up/src/main.rs", "mod b; #[cfg(test)] mod c;"),
                ("made-up/src/a.rs", ""),
                ("made-up/src/b.rs", ""),
                ("made-up/src/c.rs", ""),
                ("made-up/src/d.rs", ""),
                ("made-up/tests/e.rs", ""),
            ],
        );
        assert_eq!(member.list_unreached_files(), ["made-up/src/d.rs"]);
    }
}
