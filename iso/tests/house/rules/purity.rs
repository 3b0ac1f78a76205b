//! Plans are values: their files import nothing that changes or reads the machine.

use crate::sources::imports::find_barred_paths;
use crate::sources::workspace::{Member, Workspace};

/// Paths with effects, and paths that read the machine.
pub(crate) const IMPURE: &[&str] = &[
    "nix",
    "libc",
    "bollard",
    "tokio",
    "std::env",
    "std::fs",
    "std::net",
    "std::os::unix::fs",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "std::time::Instant::now",
    "std::time::SystemTime",
    "host::perform",
    "host::process",
    "os_config::atomic_file",
    "os_config::load",
];

/// Pure files beside `plan.rs` and `plan/`. The crates disk and network are pure by their rules.
const PURE_FILES: &[&str] = &[
    "init/host/src/restart.rs",
    "init/host/src/settings.rs",
    "init/host/src/step.rs",
    "init/host/src/zram.rs",
    "os-config/ros/src/service_engine/reconcile.rs",
    "os-config/ros/src/service_engine/restart_policy.rs",
];

#[test]
fn plans_are_pure() {
    let faults = list_impure_paths(&Workspace::get().crates, PURE_FILES);
    crate::assert_none(
        &faults,
        "give the plan its facts as values, and perform its steps elsewhere",
    );
}

fn list_impure_paths(crates: &[Member], pure_files: &[&str]) -> Vec<String> {
    let is_pure = |file: &str| is_plan(file) || pure_files.contains(&file);
    let paths = crates
        .iter()
        .flat_map(|member| find_barred_paths(member, is_pure, IMPURE));
    let mut faults: Vec<String> = paths.map(|path| path.to_string()).collect();
    let files = || crates.iter().flat_map(|member| member.files.keys());
    let gone = pure_files
        .iter()
        .filter(|pure| !files().any(|file| file == *pure));
    faults.extend(gone.map(|file| format!("{file}: listed, but no file")));
    if !files().any(|file| is_plan(file)) {
        faults.push(String::from("no plan.rs and no folder plan/"));
    }
    faults
}

/// `plan.rs` and the files of a folder `plan/`.
fn is_plan(file: &str) -> bool {
    file.split('/')
        .any(|part| part == "plan" || part == "plan.rs")
}

#[cfg(test)]
mod tests {
    use super::{is_plan, list_impure_paths};
    use crate::sources::workspace::Member;

    fn check(plan: &str, pure_files: &[&str]) -> Vec<String> {
        let host = Member::new(
            "host",
            &[
                ("host/src/lib.rs", "mod perform; mod plan; mod step;"),
                ("host/src/perform.rs", "pub fn f() {}"),
                ("host/src/plan.rs", plan),
                ("host/src/step.rs", "use std::{path::Path, thread};"),
            ],
        );
        list_impure_paths(&[host], pure_files)
    }

    #[test]
    fn effects_in_a_plan_are_faults() {
        for (code, path) in [
            ("use std::fs::read;", "std::fs::read"),
            ("use std::time::SystemTime;", "std::time::SystemTime"),
            ("fn f() { std::env::var() }", "std::env::var"),
            ("use std::os::unix::*;", "std::os::unix::*"),
            (
                "use std::os::unix::fs::PermissionsExt;",
                "std::os::unix::fs::PermissionsExt",
            ),
            ("use crate::perform;", "host::perform"),
            ("use super::perform::f;", "host::perform::f"),
            ("use os_config::load::load;", "os_config::load::load"),
            ("use os_config::*;", "os_config::*"),
        ] {
            assert_eq!(check(code, &[]), [format!("host/src/plan.rs: `{path}`")]);
        }
        let pure = "use std::{fmt, path::Path, time::Duration}; use os_config::Config;";
        assert_eq!(check(pure, &[]), [""; 0]);
    }

    #[test]
    fn listed_files_are_checked_and_exist() {
        let listed = ["host/src/step.rs", "host/src/gone.rs"];
        assert_eq!(
            check("", &listed),
            [
                "host/src/step.rs: `std::thread`",
                "host/src/gone.rs: listed, but no file"
            ]
        );
    }

    #[test]
    fn a_workspace_without_plans_is_a_fault() {
        let member = Member::new("made-up", &[("made-up/src/lib.rs", "")]);
        assert_eq!(list_impure_paths(&[member], &[]).len(), 1);
    }

    #[test]
    fn plans_are_told_by_their_place() {
        assert!(is_plan("init/src/plan/state.rs") && is_plan("a/src/b/plan.rs"));
        assert!(!is_plan("a/src/planned.rs"));
    }
}
