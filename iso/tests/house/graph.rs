//! Which file of a crate uses which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Module, Trees};
use crate::resolve::{Place, Resolver, Target};

/// Arrows from a file to the files that define what it names, with the names.
pub(crate) type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The arrows between the files of one crate. A module line and a re-export are no use; to import a module is none
/// either, but every path through it is.
pub(crate) fn arrows(trees: &Trees<'_>) -> Arrows {
    let mut arrows = Arrows::new();
    let mut resolver = Resolver::new(trees);
    for (place, module) in places(trees) {
        let from = arrows.entry(module.file.to_owned()).or_default();
        let mut add = |targets: Vec<Target>| {
            for target in targets {
                if let Target::Item { file, name } = target
                    && file != module.file
                {
                    from.entry(file).or_default().insert(name);
                }
            }
        };
        for import in &module.scope.imports {
            // A module uses what it re-exports if its code also names it.
            if import.is_public && !module.scope.plain.contains(&import.alias) {
                continue;
            }
            let targets = resolver.path(&place, &import.path);
            add(match targets.first() {
                Some(Target::Module(of)) if import.is_glob => vec![Target::Item {
                    file: trees.all[of.tree][&of.path].file.to_owned(),
                    name: String::from("*"),
                }],
                _ => targets,
            });
        }
        for path in &module.scope.paths {
            add(resolver.path(&place, path));
        }
    }
    arrows
}

/// Each file with the paths into other crates that it names, imports written out.
pub(crate) fn foreign_paths(trees: &Trees<'_>) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut resolver = Resolver::new(trees);
    for (place, module) in places(trees) {
        let imports = module.scope.imports.iter().map(|import| &import.path);
        for path in imports.chain(&module.scope.paths) {
            for target in resolver.path(&place, path) {
                if let Target::Foreign(path) = target {
                    found.insert((module.file.to_owned(), path.join("::")));
                }
            }
        }
    }
    found
}

fn places<'a>(trees: &'a Trees<'a>) -> impl Iterator<Item = (Place, &'a Module<'a>)> {
    let indexed = trees.all.iter().enumerate();
    indexed.flat_map(|(tree, modules)| {
        modules.iter().map(move |(path, module)| {
            let path = path.clone();
            (Place { tree, path }, module)
        })
    })
}

/// The strongly connected sets of two files and more, the largest first.
pub(crate) fn circles(arrows: &Arrows) -> Vec<BTreeSet<&str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|file| (file.as_str(), reachable(arrows, file)))
        .collect();
    let mut circles: Vec<BTreeSet<&str>> = Vec::new();
    for (file, reached) in &reach {
        if reached.contains(file) && !circles.iter().any(|circle| circle.contains(file)) {
            let back = |other: &&str| reach.get(other).is_some_and(|r| r.contains(file));
            circles.push(reached.iter().copied().filter(back).collect());
        }
    }
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

fn reachable<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = arrows
        .get(from)
        .map_or_else(Vec::new, |to| to.keys().map(String::as_str).collect());
    while let Some(file) = open.pop() {
        if reached.insert(file)
            && let Some(next) = arrows.get(file)
        {
            open.extend(next.keys().map(String::as_str));
        }
    }
    reached
}
