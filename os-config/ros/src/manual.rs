//! Generates the manual's page, man pages and completions from the description of the command line. Built with the
//! feature `manual` only: a machine has no use for the generators.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;

const HEAD: &str = "# Commands of `ros`

<!-- Generated from the command line's description: UPDATE_GOLDEN=1 cargo test -p ros -->

`ros COMMAND --help` says the same. Exit code 0: done; 1: not done, and why, on standard error; 2: the command line
itself is wrong.
";

/// The manual's page, in Markdown.
pub(crate) fn reference_page(command: &Command) -> String {
    let mut page = HEAD.to_owned();
    for sub in visible_commands(command) {
        add_command(&mut page, &format!("ros {}", sub.get_name()), sub, 2);
    }
    page
}

fn visible_commands(command: &Command) -> impl Iterator<Item = &Command> {
    let subs = command.get_subcommands();
    subs.filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn add_command(page: &mut String, name: &str, command: &Command, level: usize) {
    page.push_str(&format!("\n{} {name}\n\n", "#".repeat(level)));
    if let Some(about) = command.get_about() {
        page.push_str(&format!("{about}.\n"));
    }
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        page.push_str(&format!("Also called {}.\n", aliases.join(", ")));
    }
    let arguments: Vec<String> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && argument.get_id() != "help")
        .map(|argument| {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            format!(
                "| `{}` | {} |",
                invocation(argument),
                help.replace('|', "\\|")
            )
        })
        .collect();
    if !arguments.is_empty() {
        page.push_str(&format!("\n| | |\n|---|---|\n{}\n", arguments.join("\n")));
    }
    if let Some(example) = command.get_after_help() {
        page.push_str(&format!("\n```\n{example}\n```\n"));
    }
    for sub in visible_commands(command) {
        add_command(page, &format!("{name} {}", sub.get_name()), sub, level + 1);
    }
}

/// An argument as a user types it.
fn invocation(argument: &clap::Arg) -> String {
    let value = argument
        .get_action()
        .takes_values()
        .then(|| argument.get_id().as_str().to_uppercase());
    let flags: Vec<String> = [
        argument.get_short().map(|short| format!("-{short}")),
        argument.get_long().map(|long| format!("--{long}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    match (flags.is_empty(), value) {
        (true, value) => value.unwrap_or_default(),
        (false, None) => flags.join(", "),
        (false, Some(value)) => format!("{} {value}", flags.join(", ")),
    }
}

/// Where shells look for completions of `ros`.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "usr/share/bash-completion/completions/ros"),
    (Shell::Zsh, "usr/share/zsh/vendor-completions/_ros"),
    (Shell::Fish, "usr/share/fish/vendor_completions.d/ros.fish"),
];
const MAN_PAGES: &str = "usr/share/man/man1";

/// Writes man pages and completions for three shells to their folders below `root`.
pub(crate) fn write(command: &Command, root: &Path) -> Result<()> {
    let pages = root.join(MAN_PAGES);
    fs::create_dir_all(&pages).with_context(|| format!("making {}", pages.display()))?;
    clap_mangen::generate_to(command.clone(), &pages).context("writing man pages")?;
    for (shell, file) in COMPLETIONS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), "ros", &mut text);
        let file = root.join(file);
        let made_folder = match file.parent() {
            Some(folder) => fs::create_dir_all(folder),
            None => Ok(()),
        };
        made_folder
            // The build writes it into a new folder.
            .and_then(|()| fs::write(&file, text))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{COMPLETIONS, MAN_PAGES, reference_page, write};
    use crate::cli::Cli;
    use clap::CommandFactory;
    use clap_complete::Shell;
    use std::path::Path;
    use tempfile::TempDir;

    /// Writes man pages and completions to a folder of the test's own.
    fn write_all() -> TempDir {
        let root = tempfile::tempdir().unwrap();
        write(&Cli::command(), root.path()).unwrap();
        root
    }

    /// Runs a tool that `make deps` installs. Returns its standard output and standard error.
    fn run(program: &str, arguments: &[&str]) -> String {
        let output = std::process::Command::new(program)
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("{program} (hint: make deps): {error}"));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        said
    }

    fn completion(root: &Path, shell: Shell) -> String {
        let (_, file) = COMPLETIONS
            .iter()
            .find(|(known, _)| *known == shell)
            .unwrap();
        root.join(file).display().to_string()
    }

    #[test]
    fn man_pages_render_without_a_warning() {
        let root = write_all();
        let mut count = 0;
        for entry in std::fs::read_dir(root.path().join(MAN_PAGES)).unwrap() {
            let page = entry.unwrap().path().display().to_string();
            let said = run("groff", &["-Kutf8", "-man", "-Tutf8", "-ww", "-z", &page]);
            assert_eq!(said, "", "{page}");
            count += 1;
        }
        assert!(count > 40, "{count} pages");
    }

    #[test]
    fn completions_load_in_bash_and_zsh() {
        let root = write_all();
        let bash = format!(
            "source {}; COMP_WORDS=(ros service en); COMP_CWORD=2; _ros ros en service; echo ${{COMPREPLY[*]}}",
            completion(root.path(), Shell::Bash)
        );
        assert_eq!(run("bash", &["-c", &bash]), "enable\n");
        let zsh = completion(root.path(), Shell::Zsh);
        let folder = Path::new(&zsh).parent().unwrap().display();
        let zsh = format!(
            "fpath=({folder} $fpath); autoload -Uz compinit && compinit -u -D; autoload +X _ros; print ${{_comps[ros]}}"
        );
        assert_eq!(run("zsh", &["-f", "-c", &zsh]), "_ros\n");
    }

    #[test]
    fn the_page_of_the_manual_is_current() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        let page = reference_page(&Cli::command());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(file, &page).unwrap();
        }
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            found == page,
            "docs/cli.md is not what the commands say; UPDATE_GOLDEN=1 writes it anew"
        );
    }
}
