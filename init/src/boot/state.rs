//! Mounts the state filesystem and the vendor's partition as `plan::state` decides.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use os_config::State;

use crate::plan::state::{self, StateMount};
use host::block::{self, Device, DeviceName};
use host::facts;
use host::modules::Modules;
use host::perform;
use host::problems::{self, ProblemRecord};

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Mounts the state filesystem on `/state` and returns its device's node, or `memory`.
pub(crate) fn mount_state(settings: &State) -> Result<String> {
    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    let disk = find_disk(settings, &mut modules);
    let planned = state::plan(settings, disk.as_ref())?;
    let detail = mount_with_fallback(planned, &mut modules)?;
    if let Some(directory) = settings.directory.as_deref() {
        perform::run_plan(&state::directory(directory), report)?;
    }
    Ok(detail)
}

/// Looks for the state disk, and waits for it if `rancher.state.wait` says so.
fn find_disk(settings: &State, modules: &mut Modules) -> Option<Device> {
    let started = Instant::now();
    loop {
        let devices = block::devices(Path::new("/"));
        if let Some(disk) = state::find_disk(settings, &devices) {
            return Some(disk.clone());
        }
        if !state::waits_for_disk(settings, started.elapsed()) {
            return None;
        }
        modules.load_for_hardware(Path::new("/"), |_| true);
        sleep(POLL_INTERVAL);
    }
}

fn mount_with_fallback(mut planned: StateMount, modules: &mut Modules) -> Result<String> {
    loop {
        if let Some(problem) = &planned.problem {
            report(problem);
        }
        if let Some(driver) = &planned.driver {
            let _ = modules.load(driver, "");
        }
        let Err(error) = perform::run_step(&planned.mount) else {
            return Ok(planned.detail);
        };
        match planned.fallback(&format!("{error:#}")) {
            Some(memory) => planned = memory,
            None => return Err(error),
        }
    }
}

/// Mounts the vendor's partition; a machine without it is the usual case.
pub(crate) fn mount_oem(settings: &State) {
    let Some(dev) = settings.oem_dev.as_deref() else {
        return;
    };
    let found = block::find(Path::new("/"), &DeviceName::parse(dev));
    let Some(device) = found.first() else {
        return;
    };
    if let Err(error) = perform::run_step(&state::oem(device)) {
        problems::report(&ProblemRecord::error("oem", dev, format!("{error:#}")));
    }
}

fn report(text: &str) {
    problems::report(&ProblemRecord::error("state", "rancher.state", text));
}
