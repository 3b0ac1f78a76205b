//! The arrows from each file of a crate to the files that it uses, and the circles of arrows.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::methods::MethodFiles;
use crate::sources::modules::Trees;
use crate::sources::resolve::{Resolver, Target, list_places};

/// Arrows from a file to the files that define the names in its code, with the names.
pub(crate) type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Draws the arrows between the files of a crate. A module line and a re-export are no use. The import of a module is no
/// use either, but every path through it is. A call of a method gives an arrow to the file of its impl.
pub(crate) fn draw_arrows(trees: &Trees<'_>) -> Arrows {
    let mut arrows = Arrows::new();
    let mut resolver = Resolver::new(trees);
    let methods = MethodFiles::new(trees);
    for (place, module) in list_places(trees) {
        let from = arrows.entry(module.file.to_owned()).or_default();
        let mut add = |targets: Vec<Target>| {
            for target in targets {
                if let Target::Item { file, name, .. } = target
                    && file != module.file
                {
                    from.entry(file).or_default().insert(name);
                }
            }
        };
        for import in &module.scope.imports {
            // A module uses its re-export if its code names the item too.
            if import.is_public && !module.scope.plain.contains(&import.alias) {
                continue;
            }
            let targets = resolver.resolve(&place, &import.path);
            add(match targets.first() {
                Some(Target::Module(of)) if import.is_glob => vec![Target::Item {
                    file: trees.all[of.tree][&of.path].file.to_owned(),
                    module: of.clone(),
                    name: String::from("*"),
                }],
                _ => targets,
            });
        }
        for path in &module.scope.paths {
            add(resolver.resolve(&place, path));
        }
        for (file, method) in methods.find_uses(module.scope) {
            if file != module.file {
                from.entry(file.to_owned()).or_default().insert(method);
            }
        }
    }
    arrows
}

/// Finds the strongly connected sets of two files and more, the largest first.
pub(crate) fn find_circles(arrows: &Arrows) -> Vec<BTreeSet<&str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|file| (file.as_str(), list_reachable(arrows, file)))
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

fn list_reachable<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a str> {
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
