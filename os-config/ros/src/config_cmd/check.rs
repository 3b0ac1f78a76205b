//! Checking cloud-configs: what is wrong, where, and what belongs there.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::{Problem, Severity};

use super::{Format, read_input};
use crate::cloud_init;

const CONFIGURATION: &str = "/var/lib/rancher/conf/cloud-config";

/// A problem with the text of the file that it is in, if it is in one.
pub(super) type Found = (Problem, String);

pub(super) fn validate(root: &Path, input: Option<&Path>, format: Format) -> Result<ExitCode> {
    let found = match input {
        Some(input) => problems_of_input(input)?,
        None => problems_in_force(root)?,
    };
    let failed = match format {
        Format::Text => report(&found),
        Format::Json => {
            let list: Vec<_> = found.iter().map(|(problem, _)| as_json(problem)).collect();
            println!(
                "{}",
                serde_json::to_string_pretty(&list).context("printing the problems")?
            );
            found.iter().any(|(problem, _)| is_error(problem))
        }
    };
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn as_json(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "file": problem.file,
        "line": problem.position.map(|(line, _)| line),
        "column": problem.position.map(|(_, column)| column),
        "key": problem.key_path,
        "severity": if is_error(problem) { "error" } else { "warning" },
        "message": problem.message,
    })
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}

fn problems_of_input(input: &Path) -> Result<Vec<Found>> {
    let (name, bytes) = read_input(Some(input))?;
    Ok(problems_of(&bytes, &name))
}

pub(super) fn problems_of(bytes: &[u8], name: &str) -> Vec<Found> {
    let text = String::from_utf8_lossy(bytes);
    let problems = os_config::validate::validate(bytes, name).into_iter();
    problems
        .map(|problem| (problem, text.to_string()))
        .collect()
}

fn problems_in_force(root: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for file in os_config::load::files(root) {
        let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        found.extend(problems_of(&bytes, &file.display().to_string()));
    }
    // Those of files are there already, with their lines.
    let others = os_config::load::load(root).problems.into_iter();
    found.extend(
        others
            .filter(|problem| !problem.file.starts_with(CONFIGURATION))
            .chain(cloud_init::refused())
            .map(|problem| (problem, String::new())),
    );
    Ok(found)
}

/// Prints problems with the lines they are in; whether any is an error.
pub(super) fn report(found: &[Found]) -> bool {
    for (problem, text) in found {
        eprintln!("{}", problem.render(text));
    }
    found.iter().any(|(problem, _)| is_error(problem))
}
