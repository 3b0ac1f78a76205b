//! Which crate may import which, what a plan may import, and where PID 1's crates start processes.

use std::collections::BTreeSet;

use crate::graph::foreign_paths;
use crate::workspace::{Member, Workspace};

/// What one crate may and may not import.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    /// The crates of the workspace that it may depend on.
    may: &'static [&'static str],
    /// Crates and paths of others that its code names nowhere, tests apart.
    never: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        name: "init",
        may: &["disk", "host", "os-config"],
        never: &["bollard", "tokio"],
    },
    Rule {
        name: "host",
        may: &["disk", "os-config"],
        never: &["bollard", "tokio"],
    },
    Rule {
        name: "os-config",
        may: &[],
        never: &[
            "nix",
            "bollard",
            "tokio",
            "std::process",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os::unix::net",
        ],
    },
    Rule {
        name: "disk",
        may: &["os-config"],
        never: &[
            "nix",
            "bollard",
            "tokio",
            "std::process",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os::unix::net",
        ],
    },
    Rule {
        name: "network",
        may: &["os-config"],
        never: &[
            "nix",
            "bollard",
            "tokio",
            "std::fs",
            "std::process",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os::unix::net",
        ],
    },
    Rule {
        name: "cloud-init-rs",
        may: &[],
        never: &["bollard", "tokio"],
    },
    Rule {
        name: "ros",
        may: &["cloud-init-rs", "disk", "host", "network", "os-config"],
        never: &[],
    },
    Rule {
        name: "iso",
        may: &["disk"],
        never: &[],
    },
    Rule {
        name: "qemu-tests",
        may: &["cloud-init-rs", "disk", "host", "network", "os-config"],
        never: &[],
    },
];

/// What a plan, being a value, has no use for.
const IMPURE: &[&str] = &[
    "nix",
    "bollard",
    "tokio",
    "std::process",
    "std::fs",
    "std::net",
];

/// The files of init and host that start processes.
const STARTERS: &[&str] = &[
    "init/host/src/process/lifecycle.rs",
    "init/src/background.rs",
    "init/src/rescue.rs",
];

#[test]
fn every_crate_has_a_rule() {
    let ruled: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    let crates = &Workspace::get().crates;
    let members: BTreeSet<&str> = crates.iter().map(|member| member.name.as_str()).collect();
    let without = members.difference(&ruled);
    let gone = ruled.difference(&members);
    let mut faults: Vec<String> = without.map(|name| format!("{name}: no rule")).collect();
    faults.extend(gone.map(|name| format!("{name}: a rule, but no crate")));
    crate::assert_none(&faults, "keep RULES in step with the workspace's members");
}

#[test]
fn crates_import_what_their_rule_allows() {
    let mut faults = Vec::new();
    for member in &Workspace::get().crates {
        let Some(rule) = RULES.iter().find(|rule| rule.name == member.name) else {
            continue;
        };
        let barred = barred(rule);
        for name in member
            .dependencies
            .iter()
            .filter(|name| barred.contains(name))
        {
            faults.push(format!("{}/Cargo.toml: `{name}`", member.folder));
        }
        let barred: Vec<String> = barred.iter().map(|name| name.replace('-', "_")).collect();
        faults.extend(named(member, |_| true, &barred));
    }
    crate::assert_none(
        &faults,
        "move the code to a crate that may import this, or see RULES in this test",
    );
}

#[test]
fn plans_are_pure() {
    let barred: Vec<String> = IMPURE.iter().map(|name| (*name).to_owned()).collect();
    let crates = Workspace::get().crates.iter();
    let faults: Vec<String> = crates
        .flat_map(|member| named(member, is_plan, &barred))
        .collect();
    crate::assert_none(
        &faults,
        "hand the plan what it decides on, and perform its steps elsewhere",
    );
}

#[test]
fn processes_start_in_few_files() {
    let barred = ["std::process::Command", "nix::spawn"].map(String::from);
    let crates = Workspace::get().crates.iter();
    let starting: BTreeSet<String> = crates
        .filter(|member| ["init", "host"].contains(&member.name.as_str()))
        .flat_map(|member| named(member, |_| true, &barred))
        .collect();
    let is_listed = |fault: &String| STARTERS.iter().any(|file| fault.starts_with(file));
    let mut faults: Vec<String> = starting.iter().filter(|f| !is_listed(f)).cloned().collect();
    let unused = STARTERS
        .iter()
        .filter(|file| !starting.iter().any(|fault| fault.starts_with(**file)));
    faults.extend(unused.map(|file| format!("{file}: listed, but it starts no process")));
    crate::assert_none(
        &faults,
        "start the process in one of the listed files, or see STARTERS in this test",
    );
}

/// Every crate of the table that the rule does not allow, then what it forbids.
fn barred(rule: &Rule) -> Vec<String> {
    let others = RULES.iter().map(|other| other.name);
    others
        .filter(|other| *other != rule.name && !rule.may.contains(other))
        .chain(rule.never.iter().copied())
        .map(str::to_owned)
        .collect()
}

/// The files of `member` that name something of `barred`, with what they name.
fn named(member: &Member, is_meant: fn(&str) -> bool, barred: &[String]) -> Vec<String> {
    let mut found = foreign_paths(&member.trees());
    found.retain(|(file, path)| is_meant(file) && barred.iter().any(|name| is_in(path, name)));
    // What is imported is named again by the paths that start with it.
    let is_whole = |(file, path): &&(String, String)| {
        let mut others = found.iter();
        !others.any(|(of, longer)| of == file && longer != path && is_in(longer, path))
    };
    let paths = found.iter().filter(is_whole);
    paths
        .map(|(file, path)| format!("{file}: `{path}`"))
        .collect()
}

fn is_in(path: &str, name: &str) -> bool {
    let rest = path.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `plan.rs` and the files of a folder `plan/`.
fn is_plan(file: &str) -> bool {
    file.split('/')
        .any(|part| part == "plan" || part == "plan.rs")
}

#[cfg(test)]
mod tests {
    use super::{is_in, is_plan};
    use crate::graph::foreign_paths;
    use crate::modules::{Files, Trees, tree};
    use crate::reader;

    #[test]
    fn paths_are_seen_through_imports_and_in_macros() {
        let text = "use std::{fs as files, process}; mod nix { pub fn f() {} }
            fn f() { files::read(); nix::f(); println!(\"{}\", process::id()) }
            #[cfg(test)] mod tests { use bollard::Docker; }";
        let files = Files::from([(String::from("src/lib.rs"), reader::read(text).unwrap())]);
        let paths: Vec<String> = foreign_paths(&Trees {
            library: Some("made_up"),
            all: vec![tree("src/lib.rs", &files)],
        })
        .into_iter()
        .map(|(_, path)| path)
        .collect();
        assert_eq!(
            paths,
            [
                "std::fs",
                "std::fs::read",
                "std::process",
                "std::process::id"
            ]
        );
    }

    #[test]
    fn names_are_compared_whole() {
        assert!(is_in("std::net::IpAddr", "std::net"));
        assert!(!is_in("nixos::f", "nix"));
        assert!(is_plan("init/src/plan/state.rs") && is_plan("a/src/b/plan.rs"));
        assert!(!is_plan("a/src/planned.rs"));
    }
}
