//! Folders that can be overlooked, and files that say why they exist.

use std::collections::BTreeMap;
use std::fs;

use crate::workspace::{Workspace, root};

/// The most files of a folder in or below src/.
const MOST_FILES: usize = 14;

/// The most files beside the folders of ros.
const MOST_FILES_OF_ROS: usize = 8;

const ROS: &str = "os-config/ros/src";

/// A file for every source of data that cloud-init knows.
const UNBOUNDED: &str = "os-config/cloud-init-rs/src/sources";

#[test]
fn folders_are_small() {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for member in &Workspace::get().crates {
        let src = format!("{}/src", member.folder);
        for file in member.files.keys().filter(|file| file.starts_with(&src)) {
            let (folder, _) = file.rsplit_once('/').unwrap();
            *folders.entry(folder).or_default() += 1;
        }
    }
    let faults: Vec<String> = folders
        .iter()
        .filter(|(folder, files)| **files > most(folder))
        .map(|(folder, files)| format!("{folder}: {files} files, at most {}", most(folder)))
        .collect();
    crate::assert_none(&faults, "give the files of a subject a folder of their own");
}

fn most(folder: &str) -> usize {
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
        .filter(|file| !has_header(&fs::read_to_string(root().join(file)).unwrap()))
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

#[cfg(test)]
mod tests {
    use super::has_header;

    #[test]
    fn a_header_has_words() {
        assert!(has_header("//! Why.\n\nuse a;\n"));
        assert!(!has_header("//!\nuse a;\n"));
        assert!(!has_header("use a;\n//! Why.\n"));
        assert!(!has_header(""));
    }
}
