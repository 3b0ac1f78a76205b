//! `ros config validate`: the problems of a cloud-config, or of the configuration of the machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cloud_init_rs::user_data::{self, UserData, UserDataError};
use os_config::{Diagnostic, LoadedConfig, bounded_file};

use crate::cloud_init;
use crate::config::conflicts;
use crate::config::files::read_input;
use crate::config::report::{LocatedDiagnostic, report};
use crate::output::Format;

/// The document to check: `input`, or else standard input if it is a file. `None` stands for the configuration of the
/// machine.
pub(super) fn input_to_check(input: Option<&Path>) -> Option<&Path> {
    input.or_else(|| is_stdin_file().then_some(Path::new("-")))
}

/// Prints problems. Returns the exit code.
pub(super) fn print(found: &[LocatedDiagnostic], format: Format) -> Result<ExitCode> {
    let failed = match format {
        Format::Text => report(found),
        Format::Json => {
            let list: Vec<_> = found
                .iter()
                .map(|found| as_json(&found.diagnostic))
                .collect();
            println!(
                "{}",
                serde_json::to_string_pretty(&list).context("printing the problems")?
            );
            found.iter().any(|found| found.diagnostic.is_error())
        }
    };
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Whether standard input is a file (`validate <cloud-config.yml`), as RancherOS expected. A pipe, a terminal and
/// /dev/null do not count: commands over ssh and in services have them without a cloud-config.
fn is_stdin_file() -> bool {
    let meta = fs::metadata("/proc/self/fd/0");
    meta.is_ok_and(|meta| meta.is_file())
}

fn as_json(problem: &Diagnostic) -> serde_json::Value {
    serde_json::json!({
        "file": problem.file,
        "line": problem.position.map(|(line, _)| line),
        "column": problem.position.map(|(_, column)| column),
        "key": problem.key_path,
        "severity": if problem.is_error() { "error" } else { "warning" },
        "message": problem.message,
    })
}

/// The problems of user-data in a file, with the names that the machine below `root` does not know.
pub(super) fn problems_of_input(root: &Path, input: &Path) -> Result<Vec<LocatedDiagnostic>> {
    let (name, bytes) = read_input(Some(input))?;
    Ok(problems_of_user_data(root, &bytes, &name))
}

/// The problems of a cloud-config that is to be a part of the machine below `root`.
pub(crate) fn problems_of_part(root: &Path, bytes: &[u8], name: &str) -> Vec<LocatedDiagnostic> {
    let mut problems = problems_of_config(bytes, name);
    problems.extend(located(bytes, warnings_of_part(root, bytes), name));
    problems.sort_by_key(|problem| problem.diagnostic.position);
    problems
}

/// Warnings about what a document alone does not show: names that the machine does not know, data sources without
/// protection, and settings that exclude each other.
fn warnings_of_part(root: &Path, bytes: &[u8]) -> Vec<Diagnostic> {
    let mut found = os_config::load::unknown_names(root, bytes);
    let document = os_config::document::parse(bytes);
    let (Ok(document), Ok(config)) = (document, os_config::load::document(bytes)) else {
        return found;
    };
    let of_sources = cloud_init::unknown_sources(&config).into_iter();
    let of_sources = of_sources.chain(cloud_init::includes::warnings(&config));
    let sources = "rancher.cloud_init.datasources";
    found.extend(of_sources.map(|message| Diagnostic::warning(sources, message)));
    found.extend(conflicts::of_document(&config, root));
    let located = found.into_iter();
    located
        .map(|warning| os_config::validate::located(warning, &document))
        .collect()
}

/// The problems of a cloud-config.
pub(super) fn problems_of_config(bytes: &[u8], name: &str) -> Vec<LocatedDiagnostic> {
    located(bytes, os_config::validate::validate(bytes, name), name)
}

fn located(bytes: &[u8], problems: Vec<Diagnostic>, name: &str) -> Vec<LocatedDiagnostic> {
    let text = String::from_utf8_lossy(bytes);
    problems
        .into_iter()
        .map(|diagnostic| diagnostic.in_file(name))
        .map(|diagnostic| LocatedDiagnostic {
            diagnostic,
            text: text.to_string(),
        })
        .collect()
}

/// The problems of user-data: every cloud-config in it is checked, scripts are not.
fn problems_of_user_data(root: &Path, bytes: &[u8], name: &str) -> Vec<LocatedDiagnostic> {
    let parts = user_data::parts(bytes);
    // A cloud-config without the line `#cloud-config` is no user-data, and is checked too.
    let is_plain = matches!(
        parts.refused.as_slice(),
        [UserDataError::Unknown(_) | UserDataError::Binary]
    );
    if is_plain && parts.usable.is_empty() {
        let refusals = parts.refused.iter().map(|error| {
            let message = format!("as user-data this is refused: {error}");
            Diagnostic::warning("", message).with_position((1, 1))
        });
        let mut found = located(bytes, refusals.collect(), name);
        found.extend(problems_of_part(root, bytes, name));
        return found;
    }
    let count = parts.usable.len() + parts.refused.len();
    let mut found = Vec::new();
    for (index, part) in parts.usable.iter().enumerate() {
        let name = match count {
            1 => name.to_owned(),
            _ => format!("{name}, part {}", index + 1),
        };
        match part {
            // The whole text, so that lines keep their numbers.
            UserData::CloudConfig(part) if bytes.ends_with(part) && count == 1 => {
                found.extend(problems_of_part(root, bytes, &name));
            }
            UserData::CloudConfig(bytes) => found.extend(problems_of_part(root, bytes, &name)),
            UserData::Compose(text) => {
                found.extend(problems_of_part(root, text.as_bytes(), &name));
            }
            UserData::Include(addresses) => {
                let warnings = addresses.iter();
                let warnings = warnings.filter_map(|url| cloud_init::includes::warning(url));
                found.extend(warnings.map(|text| {
                    let warning = Diagnostic::warning("", text).in_file(&name);
                    LocatedDiagnostic::without_text(warning)
                }));
            }
            UserData::Script(_) | UserData::Empty => {}
        }
    }
    let refused = parts
        .refused
        .iter()
        .map(|error| Diagnostic::error("", error.to_string()).in_file(name));
    found.extend(refused.map(LocatedDiagnostic::without_text));
    found
}

/// The problems of the configuration of the machine, which is `loaded` from files below `root`.
pub(super) fn problems_of_machine(
    root: &Path,
    loaded: &LoadedConfig,
) -> Result<Vec<LocatedDiagnostic>> {
    let mut found = Vec::new();
    let mut files = BTreeSet::new();
    for file in os_config::load::files(root) {
        let bytes =
            bounded_file::bytes(&file).with_context(|| format!("reading {}", file.display()))?;
        found.extend(problems_of_config(&bytes, &file.display().to_string()));
        files.insert(Path::new("/").join(file.strip_prefix(root).unwrap_or(&file)));
    }
    found.extend(loaded.absent_definitions.iter().map(|name| {
        let key = format!("rancher.services_include.{name}");
        let message = "its definition is not here yet; it is fetched as soon as the network has it";
        LocatedDiagnostic::without_text(Diagnostic::warning(key, message).in_file("configuration"))
    }));
    let conflicts = conflicts::of_machine(&loaded.config, root).into_iter();
    found.extend(
        conflicts.map(|warning| LocatedDiagnostic::without_text(warning.in_file("configuration"))),
    );
    // The problems of files are in the list already, with their lines.
    let others = loaded.problems.iter();
    found.extend(
        others
            .filter(|problem| !files.contains(Path::new(&problem.file)))
            .cloned()
            .chain(cloud_init::user_data_problems())
            .map(LocatedDiagnostic::without_text),
    );
    Ok(found)
}
