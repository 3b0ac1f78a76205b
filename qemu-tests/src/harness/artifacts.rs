//! The traces of a test: one folder per machine with its console, QEMU's arguments and, after a failure, the state that
//! the machine still reported.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::harness::paths;
use crate::harness::ssh::Ssh;

/// Commands that are run in a machine after a failure, each with the file for its output.
const QUESTIONS: &[(&str, &str)] = &[
    ("dmesg.txt", "sudo dmesg"),
    ("processes.txt", "ps -ef; free -m; df -h; mount"),
    ("boot-time.txt", "ros boot-time"),
    ("config.yml", "sudo ros config export"),
    (
        "system-containers.txt",
        "sudo system-docker ps -a --no-trunc",
    ),
    (
        "system-logs.txt",
        "for c in $(sudo system-docker ps -aq); do \
         sudo system-docker inspect -f '=== {{.Name}} {{json .State}}' $c; \
         sudo system-docker logs --tail 100 $c 2>&1; done",
    ),
    (
        "user-containers.txt",
        "docker ps -a; docker images; docker network ls",
    ),
    (
        "files.txt",
        "ls -la /run /run/ros /var/log /var/lib/rancher; sudo sh -c 'cat /run/ros/problems.jsonl; tail -n 200 /var/log/*.log'",
    ),
];

/// The exit status of `timeout` when time ran out.
const TIMEOUT_STATUS: i32 = 124;

/// An empty folder for the machine called `name`.
pub fn fresh_dir(name: &str) -> Result<PathBuf> {
    let dir = paths::artifacts().join(name);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("emptying {}", dir.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    Ok(dir)
}

/// Writes the command line of a machine, ready to be pasted into a shell.
pub fn write_argv(dir: &Path, program: &str, argv: &[OsString]) -> Result<()> {
    let mut text = program.to_owned();
    for word in argv {
        let word = word.to_string_lossy();
        let is_flag = word.starts_with('-');
        text.push_str(if is_flag { " \\\n  " } else { " " });
        let is_plain = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_=,.:/+".contains(c));
        if is_plain && !word.is_empty() {
            text.push_str(&word);
        } else {
            text.push_str(&format!("'{}'", word.replace('\'', r"'\''")));
        }
    }
    text.push('\n');
    let file = dir.join("argv");
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

/// Asks a machine that still answers for its state, which may explain a failure.
pub fn collect(dir: &Path, ssh: &Ssh) {
    for (name, command) in QUESTIONS {
        let text = match ssh.run_for(30, command) {
            Ok(output) if output.status != TIMEOUT_STATUS => {
                format!("{}\n{}\n", output.stdout, output.stderr)
            }
            // A machine that is down or hangs answers no further command.
            _ => return,
        };
        if let Err(error) = fs::write(dir.join(name), text) {
            eprintln!("writing {name}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::write_argv;

    #[test]
    fn argv_can_be_pasted() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let words = ["-append", "a b 'c'", "-no-reboot"].map(OsString::from);
        write_argv(dir, "qemu", &words).unwrap();
        let text = fs::read_to_string(dir.join("argv")).unwrap();
        assert_eq!(
            text,
            "qemu \\\n  -append 'a b '\\''c'\\''' \\\n  -no-reboot\n"
        );
    }
}
