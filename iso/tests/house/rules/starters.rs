//! The few files in which PID 1's crates start programs.

use std::collections::BTreeSet;

use crate::sources::imports::{NamedPath, find_barred_paths};
use crate::sources::workspace::{Member, Workspace};

/// Paths that start a program or replace the running program.
const STARTING: &[&str] = &[
    "libc",
    "nix::libc",
    "nix::spawn",
    "nix::unistd::execv",
    "nix::unistd::execve",
    "nix::unistd::execveat",
    "nix::unistd::execvp",
    "nix::unistd::execvpe",
    "nix::unistd::fexecve",
    "nix::unistd::fork",
    "std::process::Command",
];

/// Functions of libc that nix does not have, and that start nothing.
const HARMLESS: &[&str] = &["nix::libc::malloc_trim", "nix::libc::swapon"];

/// The files of init and host that start programs.
const STARTERS: &[&str] = &[
    "init/host/src/process/lifecycle.rs",
    "init/src/background/mod.rs",
    "init/src/boot/initrd.rs",
    "init/src/rescue.rs",
];

#[test]
fn programs_start_in_few_files() {
    crate::assert_none(
        &list_faults(&Workspace::get().crates, STARTERS),
        "start the program in one of the listed files, or see STARTERS in iso/tests/house/rules/starters.rs",
    );
}

fn list_faults(crates: &[Member], starters: &[&str]) -> Vec<String> {
    let starting: BTreeSet<NamedPath> = crates
        .iter()
        .filter(|member| ["init", "host"].contains(&member.name.as_str()))
        .flat_map(|member| find_barred_paths(member, |_| true, STARTING))
        .filter(|named| !HARMLESS.contains(&named.path.as_str()))
        .collect();
    let others = starting
        .iter()
        .filter(|named| !starters.contains(&named.file.as_str()));
    let mut faults: Vec<String> = others.map(NamedPath::to_string).collect();
    let unused = starters
        .iter()
        .filter(|file| !starting.iter().any(|named| named.file == **file));
    faults.extend(unused.map(|file| format!("{file}: listed, but it starts no program")));
    faults
}

#[cfg(test)]
mod tests {
    use super::list_faults;
    use crate::sources::workspace::Member;

    #[test]
    fn every_way_to_start_a_program_is_seen() {
        for (code, path) in [
            ("use std::process::Command;", "std::process::Command"),
            ("use std::process::*;", "std::process::*"),
            (
                "use nix::unistd::{self, Pid}; fn f() { unistd::fork() }",
                "nix::unistd::fork",
            ),
            ("fn f() { nix::unistd::execvp() }", "nix::unistd::execvp"),
            ("fn f() { libc::fork() }", "libc::fork"),
        ] {
            let init = Member::new("init", &[("init/src/main.rs", code)]);
            let fault = format!("init/src/main.rs: `{path}`");
            assert_eq!(list_faults(&[init], &[]), [fault]);
        }
    }

    #[test]
    fn a_listed_file_starts_a_program() {
        let listed = ["init/src/main.rs", "init/src/gone.rs"];
        let code = "use std::process::Command; use nix::unistd::Pid;";
        let init = Member::new("init", &[("init/src/main.rs", code)]);
        assert_eq!(
            list_faults(&[init], &listed),
            ["init/src/gone.rs: listed, but it starts no program"]
        );
    }
}
