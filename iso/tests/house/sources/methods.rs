//! The files of inherent methods that are defined apart from their type: a call such as `client.pull()` names no path.

use std::collections::BTreeMap;

use crate::sources::facts::Scope;
use crate::sources::modules::Trees;
use crate::sources::resolve::{Resolver, Target, list_places};

/// The files of such methods, by the method's name.
#[derive(Debug)]
pub(crate) struct MethodFiles<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> MethodFiles<'a> {
    pub(crate) fn new(trees: &'a Trees<'a>) -> Self {
        let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut resolver = Resolver::new(trees);
        for (place, module) in list_places(trees) {
            for method in &module.scope.methods {
                let types = resolver.resolve(&place, &method.of);
                let is_apart = |target: &Target| matches!(target, Target::Item { file, .. } if file != module.file);
                if types.iter().any(is_apart) {
                    files.entry(&method.name).or_default().push(module.file);
                }
            }
        }
        Self(files)
    }

    /// Finds the files with a method that `scope` calls, each with the method's name. The type before the dot is unknown:
    /// a method of the same name on another type gives a use too.
    pub(crate) fn find_uses(&self, scope: &Scope) -> Vec<(&'a str, String)> {
        let paths = scope.paths.iter().filter_map(|path| match &path[..] {
            [.., of, name] if of.starts_with(char::is_uppercase) => Some(name),
            _ => None,
        });
        let names = scope.calls.iter().chain(paths);
        let files = names.filter_map(|name| Some((self.0.get(name.as_str())?, name)));
        files
            .flat_map(|(files, name)| files.iter().map(|file| (*file, name.clone())))
            .collect()
    }
}
