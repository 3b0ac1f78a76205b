//! Definitions of services: whether a file can be used, and whether the next boot finds it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use os_config::load::include;
use os_config::load::legacy_names::{Legacy, legacy};
use os_config::{Diagnostic, bounded_file, validate};

use crate::config::{LocatedDiagnostic, report};

/// Folders of the state disk that every console sees, and that the OS root sees at every boot.
const PERSISTENT_FOLDERS: [&str; 3] = ["/var/lib/", "/home/", "/opt/"];

/// Checks a compose file.
pub(super) fn validate(file: &Path) -> Result<ExitCode> {
    let reading = || format!("reading {}", file.display());
    let file = file.canonicalize().with_context(reading)?;
    let bytes = bounded_file::bytes(&file).with_context(reading)?;
    let failed = report(&problems_of_definition(&bytes, &file.display().to_string()));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Refuses files that vanish when the machine stops: the next boot reads them on the OS root.
pub(crate) fn ensure_persistent(name: &str) -> Result<()> {
    let is_persistent = PERSISTENT_FOLDERS
        .iter()
        .any(|folder| name.starts_with(folder))
        && !name.contains("/../");
    ensure!(
        !name.starts_with('/') || is_persistent,
        "{name} may be missing when the machine starts; nothing was changed\nhint: put it below /var/lib/rancher"
    );
    Ok(())
}

/// Prints the problems of a definition, and refuses it if it cannot be used.
pub(super) fn ensure_usable(problems: &[LocatedDiagnostic], name: &str) -> Result<()> {
    ensure!(
        !report(problems),
        "{name} cannot be used; nothing was changed"
    );
    Ok(())
}

pub(super) fn problems_of_file(file: &Path, name: &str) -> Result<Vec<LocatedDiagnostic>> {
    let hint = match legacy(name) {
        Some(Legacy::Replaced(how)) => how,
        _ => "`ros service list` shows the catalogue; a file is named by its whole path",
    };
    ensure!(file.is_file(), "there is no service {name}\nhint: {hint}");
    let bytes = bounded_file::bytes(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(problems_of_definition(&bytes, &file.display().to_string()))
}

/// The problems of a definition.
pub(super) fn problems_of_definition(bytes: &[u8], name: &str) -> Vec<LocatedDiagnostic> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let problems = match include::parse(bytes, include::folder(name)) {
        Ok(document) => {
            let mut problems = validate::validate_document(&document, name);
            if usable_services(&document).is_empty() {
                let message = "expected services with `image` or `build`, found none";
                problems.push(Diagnostic::error("", message).in_file(name));
            }
            problems
        }
        Err(unusable) => vec![unusable.in_file(name)],
    };
    problems
        .into_iter()
        .map(|diagnostic| LocatedDiagnostic {
            diagnostic,
            text: text.clone(),
        })
        .collect()
}

fn usable_services(document: &os_config::document::Document) -> Vec<String> {
    let services = document.services().into_iter();
    services
        .filter(|(_, service)| !service.image.is_empty() || service.build.is_some())
        .map(|(name, _)| name)
        .collect()
}
