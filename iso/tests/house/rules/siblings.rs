//! Children take a thing from the file that defines it, never through an import or re-export of a folder around them.

use std::collections::BTreeSet;

use crate::sources::modules::{Module, Trees};
use crate::sources::resolve::{Place, Resolver, Target, list_places};
use crate::sources::workspace::Workspace;

#[test]
fn children_import_nothing_through_their_parents() {
    let crates = Workspace::get().crates.iter();
    let faults: Vec<String> = crates
        .flat_map(|member| list_detours(&member.trees()))
        .collect();
    crate::assert_none(&faults, "import from the file that defines the item");
}

/// Lists the paths that lead through an import of a module around the path's own module.
fn list_detours(trees: &Trees<'_>) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    for (place, module) in list_places(trees) {
        let mut search = Search {
            trees,
            resolver: Resolver::new(trees),
            place: &place,
            module,
        };
        for import in &module.scope.imports {
            let is_code = module.scope.plain.contains(&import.alias);
            let mut path = import.path.clone();
            if import.is_glob {
                path.push(String::from("*"));
            }
            faults.extend(search.find_detour(&path, is_code));
        }
        for path in &module.scope.paths {
            faults.extend(search.find_detour(path, true));
        }
    }
    faults
}

/// A search in the paths of a module.
struct Search<'a> {
    trees: &'a Trees<'a>,
    resolver: Resolver<'a>,
    place: &'a Place,
    module: &'a Module<'a>,
}

impl Search<'_> {
    /// `is_code` tells that the path's last name is an item, where a module has the same name.
    fn find_detour(&mut self, path: &[String], is_code: bool) -> Option<String> {
        for end in 1..path.len() {
            let (prefix, name) = (&path[..end], &path[end]);
            for target in self.resolver.resolve(self.place, prefix) {
                let Target::Module(parent) = target else {
                    continue;
                };
                let is_last = end + 1 == path.len();
                if let Some(file) = self.find_defining_file(&parent, name, is_last && is_code) {
                    let parent = self.trees.all[parent.tree][&parent.path].file;
                    let (file_of_path, path) = (self.module.file, path.join("::"));
                    return Some(format!(
                        "{file_of_path}: `{path}` leads through {parent}, it is in {file}"
                    ));
                }
            }
        }
        None
    }

    /// The file of `name`, if `parent` is around this module and imports the name from that file.
    fn find_defining_file(&mut self, parent: &Place, name: &str, is_item: bool) -> Option<String> {
        let trees = self.trees;
        let around = &trees.all[parent.tree][&parent.path];
        let is_around = parent.tree == self.place.tree && self.place.path.starts_with(&parent.path);
        let is_child = trees.all[parent.tree].contains_key(&parent.child(name).path);
        if !is_around || around.file == self.module.file || is_child && !is_item {
            return None;
        }
        let imports = around.scope.imports.iter();
        let mut targets = imports
            .filter(|i| i.alias == name || name == "*" && !i.is_glob)
            .flat_map(|import| self.resolver.resolve(parent, &import.path));
        targets.find_map(|target| match target {
            Target::Item { file, .. } => Some(file),
            Target::Module(place) if place != parent.child(name) => {
                Some(trees.all[place.tree][&place.path].file.to_owned())
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::list_detours;
    use crate::sources::workspace::Member;

    fn find(path: &str, text: &str) -> Vec<String> {
        let facade = "mod inner; mod thing; mod user; mod order; use std::fmt;
            pub use thing::Thing; use order::order; pub use inner::deep;";
        let member = Member::new(
            "made-up",
            &[
                (
                    "made-up/src/lib.rs",
                    "mod facade; mod other; pub use facade::Thing;",
                ),
                ("made-up/src/facade/mod.rs", facade),
                ("made-up/src/facade/thing.rs", "pub struct Thing;"),
                ("made-up/src/facade/order.rs", "pub fn order() {}"),
                ("made-up/src/facade/inner/mod.rs", "pub mod deep;"),
                (
                    "made-up/src/facade/inner/deep.rs",
                    if path == "deep" { text } else { "" },
                ),
                (
                    "made-up/src/facade/user.rs",
                    if path == "user" { text } else { "" },
                ),
                (
                    "made-up/src/other.rs",
                    if path == "other" { text } else { "" },
                ),
            ],
        );
        let faults = list_detours(&member.trees());
        let paths = faults
            .iter()
            .map(|fault| fault.split('`').nth(1).unwrap().to_owned());
        paths.collect()
    }

    #[test]
    fn paths_through_a_parent_are_faults() {
        for (file, code, path) in [
            ("user", "use super::Thing;", "super::Thing"),
            ("user", "use super::{Thing as T};", "super::Thing"),
            ("user", "use crate::facade::Thing;", "crate::facade::Thing"),
            ("user", "use crate::Thing;", "crate::Thing"),
            ("user", "fn f() -> super::Thing {}", "super::Thing"),
            (
                "user",
                "use crate::facade; fn f() { facade::Thing::new() }",
                "facade::Thing::new",
            ),
            (
                "user",
                "use super::order; fn f() { order() }",
                "super::order",
            ),
            ("user", "fn f() { super::order() }", "super::order"),
            ("user", "use super::deep;", "super::deep"),
            ("user", "use super::*;", "super::*"),
            ("deep", "use super::super::Thing;", "super::super::Thing"),
            (
                "deep",
                "mod m { use crate::facade::Thing; }",
                "crate::facade::Thing",
            ),
            ("other", "use crate::Thing;", "crate::Thing"),
        ] {
            assert_eq!(find(file, code), [path], "{file}: {code}");
        }
    }

    #[test]
    fn paths_to_the_defining_file_and_from_outside_are_right() {
        for (file, code) in [
            (
                "user",
                "use super::thing::Thing; use super::inner::deep; use super::fmt;",
            ),
            ("user", "use super::order; fn f() { order::order() }"),
            (
                "user",
                "use crate::facade::order::order; fn f() { order() }",
            ),
            (
                "user",
                "#[cfg(test)] mod tests { use super::super::Thing; }",
            ),
            ("other", "use crate::facade::Thing;"),
        ] {
            assert_eq!(find(file, code), [""; 0], "{file}: {code}");
        }
    }
}
