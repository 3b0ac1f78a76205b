//! Crates import downwards: a crate has a list of the crates that it may import, and of paths that it may not.

use std::collections::BTreeSet;

use crate::rules::purity::IMPURE;
use crate::sources::imports::find_barred_paths;
use crate::sources::workspace::{Member, Workspace};

/// The rule of a crate.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    /// The crates of the workspace that it may depend on.
    may: &'static [&'static str],
    /// Paths of other crates that its code never names, tests apart.
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
        never: IMPURE,
    },
    Rule {
        name: "network",
        may: &["os-config"],
        never: IMPURE,
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
        may: &[],
        never: &[],
    },
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
fn crates_import_allowed_crates() {
    crate::assert_none(
        &list_faults(&Workspace::get().crates),
        "move the code to a crate that may import this, or see RULES in iso/tests/house/rules/dependencies.rs",
    );
}

fn list_faults(crates: &[Member]) -> Vec<String> {
    let mut faults = Vec::new();
    for member in crates {
        let Some(rule) = RULES.iter().find(|rule| rule.name == member.name) else {
            continue;
        };
        let barred = list_barred_paths(rule);
        let dependencies = member.dependencies.iter();
        for name in dependencies.filter(|name| barred.contains(&name.replace('-', "_"))) {
            faults.push(format!("{}/Cargo.toml: `{name}`", member.folder));
        }
        let barred: Vec<&str> = barred.iter().map(String::as_str).collect();
        let paths = find_barred_paths(member, |_| true, &barred);
        faults.extend(paths.iter().map(ToString::to_string));
    }
    faults
}

/// Lists every crate of RULES that `rule` does not allow, then the paths that it forbids.
fn list_barred_paths(rule: &Rule) -> Vec<String> {
    let others = RULES.iter().map(|other| other.name);
    others
        .filter(|other| *other != rule.name && !rule.may.contains(other))
        .chain(rule.never.iter().copied())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::list_faults;
    use crate::sources::workspace::Member;

    fn check(name: &str, code: &str) -> Vec<String> {
        let file = format!("{name}/src/lib.rs");
        list_faults(&[Member::new(name, &[(&file, code)])])
    }

    #[test]
    fn imports_against_the_rule_are_faults() {
        let fs = "use std::fs;";
        assert_eq!(check("disk", fs), ["disk/src/lib.rs: `std::fs`"]);
        assert_eq!(check("network", fs), ["network/src/lib.rs: `std::fs`"]);
        assert_eq!(check("os-config", fs), [""; 0]);
        let glob = "use std::net::*; fn f() { TcpStream::connect() }";
        assert_eq!(
            check("os-config", glob),
            ["os-config/src/lib.rs: `std::net::*`"]
        );
        let upwards = "use cloud_init_rs::f; use os_config::Config;";
        assert_eq!(
            check("host", upwards),
            ["host/src/lib.rs: `cloud_init_rs::f`"]
        );
    }

    #[test]
    fn dependencies_against_the_rule_are_faults() {
        let mut member = Member::new("disk", &[]);
        member.dependencies = vec![String::from("os-config"), String::from("cloud-init-rs")];
        assert_eq!(list_faults(&[member]), ["disk/Cargo.toml: `cloud-init-rs`"]);
    }
}
