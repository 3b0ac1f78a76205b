//! Generates man pages and completions from the description of the command line. Built with the feature `manual` only: a
//! machine has no use for the generators.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;

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
    use super::{COMPLETIONS, MAN_PAGES, write};
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

    /// Runs a tool that `make check` installs. Returns its standard output and standard error.
    fn run(program: &str, arguments: &[&str]) -> String {
        let output = std::process::Command::new(program)
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("{program} (hint: make check installs it): {error}"));
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
}
