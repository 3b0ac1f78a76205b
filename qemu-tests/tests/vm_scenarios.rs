//! Runs every file of `scenarios/`, two at a time. `PADDOCK_SCENARIO` selects one file by its name without `.yml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use qemu_tests::fixtures::scenario::Scenario;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn every_scenario_holds() -> Result<()> {
    let files = Mutex::new(files()?);
    let wrong = Mutex::new(Vec::new());
    let worker = || -> Result<()> {
        loop {
            let next = files
                .lock()
                .map_err(|_| anyhow!("a worker panicked"))?
                .pop();
            let Some(file) = next else { return Ok(()) };
            let name = scenario_name(&file);
            match Scenario::load(&file)?.run(&name) {
                Ok(()) => println!("scenario {name} ... ok"),
                Err(error) => {
                    println!("scenario {name} ... FAILED");
                    wrong
                        .lock()
                        .map_err(|_| anyhow!("a worker panicked"))?
                        .push(format!("{name}: {error:#}"));
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
    })?;
    let wrong = wrong.into_inner().context("collecting failures")?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
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
