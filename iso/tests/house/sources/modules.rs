//! The modules of a library or program, found from its root file by the `mod` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use crate::sources::facts::{Facts, Scope};

/// The files of a crate by their paths, which use `/`.
pub(crate) type Files = BTreeMap<String, Facts>;

/// A crate as the compiler sees it: its library first, where it has one, then its programs.
#[derive(Debug)]
pub(crate) struct Trees<'a> {
    pub(crate) library: Option<&'a str>,
    pub(crate) all: Vec<Tree<'a>>,
}

/// The modules of a library or program by their paths; the root has the empty path.
pub(crate) type Tree<'a> = BTreeMap<Vec<String>, Module<'a>>;

#[derive(Debug)]
pub(crate) struct Module<'a> {
    pub(crate) file: &'a str,
    pub(crate) scope: &'a Scope,
}

/// All modules that `mod` lines reach from the file `root`, modules for tests left out.
pub(crate) fn build_tree<'a>(root: &str, files: &'a Files) -> Tree<'a> {
    let mut builder = Builder {
        files,
        with_tests: false,
        tree: Tree::new(),
    };
    builder.add_file(root, (get_folder(root), &[]));
    builder.tree
}

/// All files that `mod` lines reach from the file `root`, modules for tests included.
pub(crate) fn list_reached_files<'a>(root: &str, files: &'a Files) -> BTreeSet<&'a str> {
    let mut builder = Builder {
        files,
        with_tests: true,
        tree: Tree::new(),
    };
    builder.add_file(root, (get_folder(root), &[]));
    builder.tree.values().map(|module| module.file).collect()
}

fn get_folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

struct Builder<'a> {
    files: &'a Files,
    with_tests: bool,
    tree: Tree<'a>,
}

impl Builder<'_> {
    fn add_file(&mut self, file: &str, place: (&str, &[String])) {
        let (folder, module) = place;
        let Some((file, facts)) = self.files.get_key_value(file) else {
            panic!("{file} is no file of the crate");
        };
        for scope in &facts.scopes {
            let path = [module, &scope.inline].concat();
            let tests = scope.test_files.iter().filter(|_| self.with_tests);
            let children: Vec<&String> = scope.files.iter().chain(tests).collect();
            for name in children {
                let base = [&[folder.to_owned()], &*scope.inline, slice::from_ref(name)]
                    .concat()
                    .join("/");
                let flat = format!("{base}.rs");
                let nested = format!("{base}/mod.rs");
                let child = if self.files.contains_key(&flat) {
                    flat
                } else {
                    nested
                };
                let path = [&*path, slice::from_ref(name)].concat();
                self.add_file(&child, (&base, &path));
            }
            self.tree.insert(path, Module { file, scope });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, build_tree, list_reached_files};
    use crate::sources::reader;

    #[test]
    fn files_are_reached_by_mod_lines() {
        let texts = [
            ("src/lib.rs", "mod a; #[cfg(test)] mod t;"),
            ("src/a/mod.rs", "mod inline { mod b; }"),
            ("src/a/inline/b.rs", ""),
            ("src/c.rs", ""),
            ("src/t.rs", "mod u;"),
            ("src/t/u.rs", ""),
        ];
        let read = |text| reader::read(text).unwrap();
        let files: Files = texts
            .map(|(path, text)| (path.to_owned(), read(text)))
            .into();
        let files_of_tree: Vec<_> = build_tree("src/lib.rs", &files)
            .into_values()
            .map(|module| module.file)
            .collect();
        let code = [
            "src/lib.rs",
            "src/a/mod.rs",
            "src/a/mod.rs",
            "src/a/inline/b.rs",
        ];
        assert_eq!(files_of_tree, code);
        let reached = list_reached_files("src/lib.rs", &files);
        assert!(reached.contains("src/t/u.rs") && !reached.contains("src/c.rs"));
    }
}
