//! Follows a path in the code to the file that defines the named item, through re-exports.

use crate::sources::modules::{Module, Trees};

/// The end of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Module(Place),
    /// An item of this crate, with its file and module.
    Item {
        file: String,
        module: Place,
        name: String,
    },
    /// An item or a glob of another crate, by its full path.
    Foreign(Vec<String>),
}

/// A module of a library or program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index into `Trees::all`.
    pub(crate) tree: usize,
    pub(crate) path: Vec<String>,
}

impl Place {
    pub(crate) fn root(tree: usize) -> Self {
        let path = Vec::new();
        Self { tree, path }
    }

    pub(crate) fn child(&self, name: &str) -> Self {
        let mut child = self.clone();
        child.path.push(name.to_owned());
        child
    }
}

/// Lists the modules of every library and program.
pub(crate) fn list_places<'a>(
    trees: &'a Trees<'a>,
) -> impl Iterator<Item = (Place, &'a Module<'a>)> {
    let indexed = trees.all.iter().enumerate();
    indexed.flat_map(|(tree, modules)| {
        modules.iter().map(move |(path, module)| {
            let path = path.clone();
            (Place { tree, path }, module)
        })
    })
}

/// Follows paths through the modules of a crate.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    trees: &'a Trees<'a>,
    /// The imports on the way to the current path: an import that leads to itself ends there.
    following: Vec<(Place, String)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(trees: &'a Trees<'a>) -> Self {
        Self {
            trees,
            following: Vec::new(),
        }
    }

    /// The ends of `path`, written in the module `from`: an item and a module can have the same name.
    pub(crate) fn resolve(&mut self, from: &Place, path: &[String]) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else {
            return vec![Target::Module(from.clone())];
        };
        match first.as_str() {
            "crate" => self.resolve_in(&Place::root(from.tree), rest),
            "self" => self.resolve_in(from, rest),
            "super" => {
                let mut parent = from.clone();
                let above = path.iter().take_while(|name| *name == "super").count();
                parent.path.truncate(from.path.len().saturating_sub(above));
                self.resolve_in(&parent, &path[above..])
            }
            "Self" => Vec::new(),
            "" => self.resolve_foreign(from, rest),
            _ => {
                let found = self.resolve_name(from, path);
                if found.is_empty() {
                    self.resolve_foreign(from, path)
                } else {
                    found
                }
            }
        }
    }

    /// The programs of a crate see its library as another crate.
    fn resolve_foreign(&mut self, from: &Place, path: &[String]) -> Vec<Target> {
        let is_own = self.trees.library.is_some() && from.tree != 0;
        match path.split_first() {
            Some((first, rest)) if is_own && self.trees.library == Some(first) => {
                self.resolve_in(&Place::root(0), rest)
            }
            _ => vec![Target::Foreign(path.to_vec())],
        }
    }

    /// A name that the module does not declare, as a macro's, counts as an item of that module.
    fn resolve_in(&mut self, place: &Place, path: &[String]) -> Vec<Target> {
        if path.is_empty() {
            return vec![Target::Module(place.clone())];
        }
        let found = self.resolve_name(place, path);
        if found.is_empty() {
            return self.find_item(place, path).into_iter().collect();
        }
        found
    }

    /// Follows `path` from a name that the module declares or imports.
    fn resolve_name(&mut self, place: &Place, path: &[String]) -> Vec<Target> {
        let (Some(module), Some((name, rest))) = (self.find_module(place), path.split_first())
        else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let child = place.child(name);
        if self.find_module(&child).is_some() {
            if !rest.is_empty() {
                return self.resolve_in(&child, rest);
            }
            found.push(Target::Module(child));
        }
        if module.scope.items.contains(name) {
            found.extend(self.find_item(place, path));
        }
        let imports = module.scope.imports.iter();
        for import in imports.filter(|i| !i.is_glob && i.alias == *name) {
            let full = [&import.path, rest].concat();
            let targets = self.follow_once(place, name, |own| own.resolve(place, &full));
            if !targets.is_empty() && targets.iter().all(|t| matches!(t, Target::Foreign(_))) {
                found.extend(self.find_item(place, path));
            }
            found.extend(targets);
        }
        if found.is_empty() {
            for import in module.scope.imports.iter().filter(|i| i.is_glob) {
                let key = format!("*{name}");
                found.extend(self.follow_once(place, &key, |own| {
                    let modules = own.resolve(place, &import.path);
                    let names = modules.into_iter().map(|target| match target {
                        Target::Module(module) => own.resolve_name(&module, path),
                        _ => Vec::new(),
                    });
                    names.flatten().collect()
                }));
            }
        }
        found
    }

    fn follow_once(
        &mut self,
        place: &Place,
        key: &str,
        follow: impl FnOnce(&mut Self) -> Vec<Target>,
    ) -> Vec<Target> {
        let step = (place.clone(), key.to_owned());
        if self.following.contains(&step) {
            return Vec::new();
        }
        self.following.push(step);
        let found = follow(self);
        self.following.pop();
        found
    }

    fn find_item(&self, place: &Place, path: &[String]) -> Option<Target> {
        let module = self.find_module(place)?;
        path.first().map(|name| Target::Item {
            file: module.file.to_owned(),
            module: place.clone(),
            name: name.clone(),
        })
    }

    fn find_module(&self, place: &Place) -> Option<&'a Module<'a>> {
        self.trees.all.get(place.tree)?.get(&place.path)
    }
}
