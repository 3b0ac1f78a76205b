//! The paths that a crate's files name, imports written out, and the search for barred paths among them.

use std::collections::BTreeSet;

use crate::sources::resolve::{Resolver, Target, list_places};
use crate::sources::workspace::Member;

/// A path in the code of a file. It starts with the name of a crate, be it the file's own, and ends with `*` for a glob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamedPath {
    pub(crate) file: String,
    pub(crate) path: String,
}

impl std::fmt::Display for NamedPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: `{}`", self.file, self.path)
    }
}

/// Finds the paths of `member` that are or may be below a path of `barred`, in the files that `is_checked` selects.
pub(crate) fn find_barred_paths(
    member: &Member,
    is_checked: impl Fn(&str) -> bool,
    barred: &[&str],
) -> BTreeSet<NamedPath> {
    let mut found = list_paths(member, is_checked);
    found.retain(|named| barred.iter().any(|name| may_be_in(&named.path, name)));
    // The import of a longer path repeats its beginning.
    let is_longest = |named: &&NamedPath| {
        let mut others = found.iter();
        !others.any(|longer| {
            longer.file == named.file && longer != *named && is_in(&longer.path, &named.path)
        })
    };
    found.iter().filter(is_longest).cloned().collect()
}

/// Lists the files outside the `exempt` crates that name a barred path and are not `listed`, and the listed files that
/// name none, with `unused` as the reason. An entry of the list is a file and its reason.
pub(crate) fn list_unlisted(
    crates: &[Member],
    exempt: &[&str],
    barred: &[&str],
    listed: &[(&str, &str)],
    unused: &str,
) -> Vec<String> {
    let naming: BTreeSet<NamedPath> = crates
        .iter()
        .filter(|member| !exempt.contains(&member.name.as_str()))
        .flat_map(|member| {
            let src = format!("{}/src/", member.folder);
            find_barred_paths(member, |file| file.starts_with(&src), barred)
        })
        .collect();
    let is_listed = |file: &str| listed.iter().any(|(other, _)| *other == file);
    let others = naming.iter().filter(|named| !is_listed(&named.file));
    let mut faults: Vec<String> = others.map(NamedPath::to_string).collect();
    let without = listed
        .iter()
        .filter(|(file, _)| !naming.iter().any(|named| named.file == *file));
    faults.extend(without.map(|(file, _)| format!("{file}: listed, but {unused}")));
    faults
}

fn list_paths(member: &Member, is_checked: impl Fn(&str) -> bool) -> BTreeSet<NamedPath> {
    let trees = member.trees();
    let own = member.name.replace('-', "_");
    let mut found = BTreeSet::new();
    let mut resolver = Resolver::new(&trees);
    for (place, module) in list_places(&trees).filter(|(_, m)| is_checked(m.file)) {
        let imports = module.scope.imports.iter().map(|i| (&i.path, i.is_glob));
        let paths = module.scope.paths.iter().map(|path| (path, false));
        for (path, is_glob) in imports.chain(paths) {
            for target in resolver.resolve(&place, path) {
                let mut path = match target {
                    Target::Foreign(path) => path,
                    Target::Module(place) => [vec![own.clone()], place.path].concat(),
                    Target::Item { module, name, .. } => {
                        [vec![own.clone()], module.path, vec![name]].concat()
                    }
                };
                if is_glob {
                    path.push(String::from("*"));
                }
                found.insert(NamedPath {
                    file: module.file.to_owned(),
                    path: path.join("::"),
                });
            }
        }
    }
    found
}

/// A glob may bring every name below its path.
fn may_be_in(path: &str, name: &str) -> bool {
    let glob = path.strip_suffix("::*");
    is_in(path, name) || glob.is_some_and(|glob| is_in(name, glob))
}

fn is_in(path: &str, name: &str) -> bool {
    let rest = path.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::{find_barred_paths, is_in};
    use crate::sources::workspace::Member;

    fn find(text: &str, barred: &[&str]) -> Vec<String> {
        let member = Member::new(
            "host",
            &[
                ("host/src/lib.rs", "mod perform; mod user;"),
                ("host/src/perform.rs", "pub struct Performer;"),
                ("host/src/user.rs", text),
            ],
        );
        find_barred_paths(&member, |file| file == "host/src/user.rs", barred)
            .into_iter()
            .map(|named| named.path)
            .collect()
    }

    #[test]
    fn paths_are_seen_through_imports_and_in_macros() {
        let text = "use std::{fs as files, process}; mod nix { pub fn f() {} }
            fn f() { files::read(); nix::f(); println!(\"{}\", process::id()) }
            #[cfg(test)] mod tests { use bollard::Docker; }";
        let barred = ["std::fs", "std::process", "nix", "bollard"];
        assert_eq!(find(text, &barred), ["std::fs::read", "std::process::id"]);
    }

    #[test]
    fn globs_of_other_crates_are_seen() {
        let stream = ["std::net::TcpStream"];
        let glob = "use std::net::*; fn f() { TcpStream::connect() }";
        assert_eq!(find(glob, &stream), ["std::net::*"]);
        assert_eq!(find("use std::*; fn f() { net::f() }", &stream), ["std::*"]);
        assert_eq!(find("use nix::*;", &["nix"]), ["nix::*"]);
        assert_eq!(find("use nix::*;", &["nix::spawn"]), ["nix::*"]);
        assert_eq!(
            find("fn f() { use nix::spawn::*; }", &["nix"]),
            ["nix::spawn::*"]
        );
        let harmless = "use std::prelude::v1::*; use std::netting::*; use std::net;";
        assert_eq!(find(harmless, &stream), [""; 0]);
    }

    #[test]
    fn paths_into_the_own_crate_are_seen() {
        let barred = ["host::perform"];
        let path = ["host::perform::Performer"];
        assert_eq!(find("use crate::perform::Performer;", &barred), path);
        assert_eq!(find("fn f() { super::perform::Performer }", &barred), path);
        assert_eq!(find("use crate::perform;", &barred), ["host::perform"]);
        assert_eq!(
            find("use crate::perform::*;", &barred),
            ["host::perform::*"]
        );
        assert_eq!(find("use crate::user;", &barred), [""; 0]);
    }

    #[test]
    fn names_are_compared_whole() {
        assert!(is_in("std::net::IpAddr", "std::net"));
        assert!(!is_in("nixos::f", "nix"));
    }
}
