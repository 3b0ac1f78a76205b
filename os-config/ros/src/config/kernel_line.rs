//! `ros config boot`: the machine's own words of the kernel line, which are on the disk that the machine starts from.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use host::slot::environment::Environment;
use host::slot::start;
use os_config::{atomic_file, bounded_file};

/// RancherOS's editor.
const EDITOR: &str = "vi";
/// The lines of the edited file that are no words begin with it.
const COMMENT: &str = "#";
const HELP: &str = "\
# The machine's own words of the kernel line, on one line or several. The next boot has them.
# `e` in the boot menu changes the line for one boot, should a word be wrong.
";

/// Replaces the words by `words`; otherwise lets a person at a terminal edit them, or prints them.
pub(super) fn run(root: &Path, words: Option<&str>) -> Result<ExitCode> {
    let Some(start) = start::read(&host::kernel_line::read(root)) else {
        bail!(
            "the kernel line of this machine is on the medium that it was booted from\n\
             hint: in the boot menu, `e` edits it for one boot; `ros config set` keeps most of what it can say"
        );
    };
    let mut environment = Environment::open(root, &start)?;
    let found = environment.kernel_line()?;
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let words = match words {
        Some(words) => words.trim().to_owned(),
        None if is_terminal => edit(&found)?,
        None => {
            println!("{found}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    if words == found {
        println!("nothing was changed");
        return Ok(ExitCode::SUCCESS);
    }
    for problem in os_config::kernel_line::parse(&words).1 {
        eprintln!("ros: {problem}");
    }
    environment
        .store_kernel_line(&words)
        .context("nothing was changed")?;
    println!("the next boot has: {words}");
    Ok(ExitCode::SUCCESS)
}

/// Has a person edit a copy of the words.
fn edit(words: &str) -> Result<String> {
    let folder = tempfile::tempdir().context("making a folder for the editor")?;
    let file = folder.path().join("kernel-line");
    let text = format!("{HELP}{words}\n");
    atomic_file::replace(&file, text.as_bytes(), 0o600).context("writing the copy to edit")?;
    let editor = std::env::var("EDITOR").unwrap_or_default();
    let mut argv = shell_words::split(&editor)
        .context("reading $EDITOR")?
        .into_iter();
    let program = argv.next().unwrap_or_else(|| EDITOR.to_owned());
    let status = Command::new(&program)
        .args(argv)
        .arg(&file)
        .status()
        .with_context(|| format!("starting {program}"))?;
    ensure!(
        status.success(),
        "{program} ended with {status}; nothing was changed"
    );
    let text = bounded_file::text(&file).context("reading the edited copy")?;
    Ok(join_words(&text))
}

/// The words of an edited file, on one line.
fn join_words(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(COMMENT));
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{HELP, join_words, run};

    #[test]
    fn lines_of_an_edited_file_are_joined() {
        for (text, expected) in [
            ("quiet\n", "quiet"),
            (
                "  console=ttyS0  \n\n# a remark\nrancher.modules=[a, b]\n",
                "console=ttyS0 rancher.modules=[a, b]",
            ),
            ("", ""),
        ] {
            assert_eq!(join_words(&format!("{HELP}{text}")), expected);
        }
    }

    #[test]
    fn a_machine_that_was_not_installed_has_no_words_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let error = run(root.path(), Some("quiet")).unwrap_err().to_string();
        assert!(error.contains("the medium that it was booted from"));
    }
}
