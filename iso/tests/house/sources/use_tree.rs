//! The leaves of a `use` tree.

use syn::{ItemUse, UseTree, Visibility};

use crate::sources::facts::Import;

pub(crate) fn list_imports(item: &ItemUse) -> Vec<Import> {
    let is_public = !matches!(item.vis, Visibility::Inherited);
    let start = item.leading_colon.as_ref().map(|_| String::new());
    let mut imports = Vec::new();
    let path: Vec<String> = start.into_iter().collect();
    collect_leaves(&item.tree, &path, is_public, &mut imports);
    imports
}

fn collect_leaves(tree: &UseTree, path: &[String], is_public: bool, into: &mut Vec<Import>) {
    let append = |name: &syn::Ident| {
        let mut path = path.to_vec();
        // `a::{self}` imports `a`.
        if path.is_empty() || name != "self" {
            path.push(name.to_string());
        }
        path
    };
    let import = |path: Vec<String>, alias: String, is_glob| Import {
        path,
        alias,
        is_glob,
        is_public,
    };
    match tree {
        UseTree::Path(p) => collect_leaves(&p.tree, &append(&p.ident), is_public, into),
        UseTree::Name(n) => {
            let path = append(&n.ident);
            let alias = path.last().cloned().unwrap_or_default();
            into.push(import(path, alias, false));
        }
        UseTree::Rename(r) => into.push(import(append(&r.ident), r.rename.to_string(), false)),
        UseTree::Glob(_) => into.push(import(path.to_vec(), String::from("*"), true)),
        UseTree::Group(group) => {
            for tree in &group.items {
                collect_leaves(tree, path, is_public, into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn imports_are_listed_by_their_names() {
        let list = |text: &str| super::list_imports(&syn::parse_str(text).unwrap());
        let mut imports = list("use a::{self, b as c, d::*};");
        imports.extend(list("pub(crate) use ::e::f;"));
        let leaves: Vec<_> = imports
            .iter()
            .map(|i| (i.path.join("::"), i.alias.as_str(), i.is_glob, i.is_public))
            .collect();
        assert_eq!(
            leaves,
            [
                (String::from("a"), "a", false, false),
                (String::from("a::b"), "c", false, false),
                (String::from("a::d"), "*", true, false),
                (String::from("::e::f"), "f", false, true),
            ]
        );
    }
}
