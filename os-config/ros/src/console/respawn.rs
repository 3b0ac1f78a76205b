//! `respawn`: keeps the programs of a list running, a command line each. The console container keeps its gettys and
//! sshd running with it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use host::process::{self, Child, Signals};
use os_config::bounded_file;

use crate::console::runcmd;

const LOG: &str = "/var/log/console.log";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The list: one command line each, `#` begins a comment.
    #[arg(short = 'f', long, default_value = "/etc/respawn.conf")]
    file: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut lines = read_list(&args.file)?;
    lines.extend(read_folder(&args.file.with_extension("conf.d")));
    keep_running(lines)
}

/// The lists of a folder, in the order of their names. A list that cannot be read is left out.
pub(crate) fn read_folder(folder: &Path) -> Vec<Vec<String>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let lists = files.iter().map(|file| {
        read_list(file).unwrap_or_else(|error| {
            eprintln!("ros: {error:#}");
            Vec::new()
        })
    });
    lists.flatten().collect()
}

/// Keeps `commands` running. Never returns, unless there is no command.
pub(crate) fn keep_running(commands: Vec<Vec<String>>) -> Result<ExitCode> {
    let mut children: Vec<Child> = commands
        .into_iter()
        .map(|argv| Child::new(&argv.join(" "), argv, Path::new(LOG)))
        .collect();
    anyhow::ensure!(!children.is_empty(), "there is nothing to keep running");
    let mut signals = Signals::watch(&[])?;
    process::keep_limited(&[LOG, runcmd::LOG]);
    loop {
        let now = Instant::now();
        for child in &mut children {
            child.start_if_due(now);
        }
        for (pid, _) in process::reap() {
            for child in &mut children {
                child.note_end(pid, now);
            }
        }
        signals.wait(children.iter().filter_map(Child::due).min());
    }
}

fn read_list(file: &Path) -> Result<Vec<Vec<String>>> {
    let text = bounded_file::text(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(parse_list(&text))
}

fn parse_list(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_ascii_whitespace().map(str::to_owned).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parse_list;

    #[test]
    fn comments_and_blank_lines_are_no_commands() {
        let list = parse_list("# gettys\n\n/sbin/agetty  tty1 linux\n  /usr/sbin/sshd -D\n");
        assert_eq!(
            list,
            [
                vec!["/sbin/agetty", "tty1", "linux"],
                vec!["/usr/sbin/sshd", "-D"]
            ]
        );
    }
}
