//! From a path in the code to the file that defines what it names, re-exports followed.

use crate::modules::{Module, Trees};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Module(Place),
    /// An item of this crate.
    Item {
        file: String,
        name: String,
    },
    /// An item of another crate, by its full path.
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
    fn child(&self, name: &str) -> Self {
        let mut child = self.clone();
        child.path.push(name.to_owned());
        child
    }
}

/// Follows paths through the modules of one crate.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    trees: &'a Trees<'a>,
    /// Imports that are followed now: one that leads to itself ends there.
    following: Vec<(Place, String)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(trees: &'a Trees<'a>) -> Self {
        Self {
            trees,
            following: Vec::new(),
        }
    }

    /// What `path`, written in the module `from`, may name: an item and a module can have the same name.
    pub(crate) fn path(&mut self, from: &Place, path: &[String]) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else {
            return vec![Target::Module(from.clone())];
        };
        let root = |tree| Place {
            tree,
            path: Vec::new(),
        };
        match first.as_str() {
            "crate" => self.below(&root(from.tree), rest),
            "self" => self.below(from, rest),
            "super" => {
                let mut parent = from.clone();
                let above = path.iter().take_while(|name| *name == "super").count();
                parent.path.truncate(from.path.len().saturating_sub(above));
                self.below(&parent, &path[above..])
            }
            "Self" => Vec::new(),
            "" => self.foreign(from, rest),
            _ => {
                let found = self.named(from, path);
                if found.is_empty() {
                    self.foreign(from, path)
                } else {
                    found
                }
            }
        }
    }

    /// The programs of a crate see its library as another crate.
    fn foreign(&mut self, from: &Place, path: &[String]) -> Vec<Target> {
        let is_own = self.trees.library.is_some() && from.tree != 0;
        match path.split_first() {
            Some((first, rest)) if is_own && self.trees.library == Some(first) => {
                let library = Place {
                    tree: 0,
                    path: Vec::new(),
                };
                self.below(&library, rest)
            }
            _ => vec![Target::Foreign(path.to_vec())],
        }
    }

    /// A name that the module does not show, as a macro's, counts as its own.
    fn below(&mut self, place: &Place, path: &[String]) -> Vec<Target> {
        if path.is_empty() {
            return vec![Target::Module(place.clone())];
        }
        let found = self.named(place, path);
        if found.is_empty() {
            return self.item(place, path).into_iter().collect();
        }
        found
    }

    /// `path` from a name that the module declares or imports.
    fn named(&mut self, place: &Place, path: &[String]) -> Vec<Target> {
        let (Some(module), Some((name, rest))) = (self.module(place), path.split_first()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let child = place.child(name);
        if self.module(&child).is_some() {
            if !rest.is_empty() {
                return self.below(&child, rest);
            }
            found.push(Target::Module(child));
        }
        if module.scope.items.contains(name) {
            found.extend(self.item(place, path));
        }
        let imports = module.scope.imports.iter();
        for import in imports.filter(|i| !i.is_glob && i.alias == *name) {
            let full = [&import.path, rest].concat();
            let targets = self.guarded(place, name, |own| own.path(place, &full));
            if !targets.is_empty() && targets.iter().all(|t| matches!(t, Target::Foreign(_))) {
                found.extend(self.item(place, path));
            }
            found.extend(targets);
        }
        if found.is_empty() {
            for import in module.scope.imports.iter().filter(|i| i.is_glob) {
                let key = format!("*{name}");
                found.extend(self.guarded(place, &key, |own| {
                    let modules = own.path(place, &import.path);
                    let names = modules.into_iter().map(|target| match target {
                        Target::Module(module) => own.named(&module, path),
                        _ => Vec::new(),
                    });
                    names.flatten().collect()
                }));
            }
        }
        found
    }

    fn guarded(
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

    fn item(&self, place: &Place, path: &[String]) -> Option<Target> {
        let module = self.module(place)?;
        path.first().map(|name| Target::Item {
            file: module.file.to_owned(),
            name: name.clone(),
        })
    }

    fn module(&self, place: &Place) -> Option<&'a Module<'a>> {
        self.trees.all.get(place.tree)?.get(&place.path)
    }
}
