//! The modules of a library or program, found from its root file by the `mod` lines.

use std::collections::BTreeMap;
use std::slice;

use crate::facts::{Facts, Scope};

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

/// All modules that can be reached from the file `root`.
pub(crate) fn tree<'a>(root: &str, files: &'a Files) -> Tree<'a> {
    let mut tree = Tree::new();
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    add(&mut tree, files, root, (folder, &[]));
    tree
}

fn add<'a>(tree: &mut Tree<'a>, files: &'a Files, file: &str, place: (&str, &[String])) {
    let (folder, module) = place;
    let Some((file, facts)) = files.get_key_value(file) else {
        panic!("{file} is no file of the crate");
    };
    for scope in &facts.scopes {
        let path = [module, &scope.inline].concat();
        for name in &scope.files {
            let base = [&[folder.to_owned()], &*scope.inline, slice::from_ref(name)]
                .concat()
                .join("/");
            let flat = format!("{base}.rs");
            let nested = format!("{base}/mod.rs");
            let child = if files.contains_key(&flat) {
                flat
            } else {
                nested
            };
            let path = [&*path, slice::from_ref(name)].concat();
            add(tree, files, &child, (&base, &path));
        }
        tree.insert(path, Module { file, scope });
    }
}
