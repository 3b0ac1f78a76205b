//! Runs every file of `scenarios/`, each on a machine of its own. `PADDOCK_SCENARIO` selects one file by its name
//! without `.yml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use qemu_tests::fixtures::scenario::Scenario;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn every_scenario_holds() -> Result<()> {
    let files = files()?;
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = files
            .iter()
            .map(|file| {
                let name = scenario_name(file);
                // The results of a run name the thread.
                let thread = thread::Builder::new()
                    .name(name.clone())
                    .spawn_scoped(scope, || run_file(file));
                (name, thread)
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|(name, thread)| {
                let result = match thread {
                    Ok(thread) => thread
                        .join()
                        .unwrap_or_else(|_| Err(anyhow!("it panicked"))),
                    Err(error) => Err(error.into()),
                };
                let word = if result.is_ok() { "ok" } else { "FAILED" };
                println!("scenario {name} ... {word}");
                result.err().map(|error| format!("{name}: {error:#}"))
            })
            .collect()
    });
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

fn run_file(file: &Path) -> Result<()> {
    Scenario::load(file)?.run(&scenario_name(file))
}

fn files() -> Result<Vec<PathBuf>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("listing {}", dir.display()))? {
        files.push(entry.context("listing the scenarios")?.path());
    }
    if let Ok(only) = std::env::var("PADDOCK_SCENARIO") {
        files.retain(|file| scenario_name(file) == only);
        ensure!(
            !files.is_empty(),
            "there is no scenario `{only}` in {}",
            dir.display()
        );
    }
    files.sort();
    Ok(files)
}

fn scenario_name(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
