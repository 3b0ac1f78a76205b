//! Mounts the state filesystem and the vendor's partition as `plan::state` decides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use os_config::{State, bounded_file};

use crate::boot::filesystem_check;
use crate::plan::state::{self, Candidate, Owner, StateMount};
use host::block::BusActivity;
use host::block::{self, Device, DeviceName};
use host::facts::{self, HostFacts};
use host::modules::Modules;
use host::paths::{MEDIUM, OS_IMAGE};
use host::perform::{self, unmount};
use host::problems::{self, ProblemRecord};
use host::proc::mount_table;
use host::state_problems;

const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Mounts the state filesystem on `/state` and returns its device's node, or `memory`.
pub(crate) fn mount_state(settings: &State) -> Result<String> {
    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    let disk = find_disk(settings, &mut modules);
    let planned = state::plan(settings, disk.as_ref(), &HostFacts::read(Path::new("/")))?;
    let mounted = mount_with_fallback(planned, &mut modules)?;
    if mounted.driver.is_some() {
        let uuid = facts::firmware_uuid(Path::new("/"));
        perform::run_plan(&state::reserve(), report_room)?;
        perform::run_plan(&state::machine_file(uuid.as_deref()), report)?;
    }
    if let Some(directory) = settings.directory.as_deref() {
        perform::run_plan(&state::directory(directory), report)?;
    }
    Ok(mounted.detail)
}

/// Looks for the state disk, and waits for it as `plan::state` decides.
fn find_disk(settings: &State, modules: &mut Modules) -> Option<Device> {
    let started = Instant::now();
    let mut owners = BTreeMap::new();
    loop {
        let devices = block::devices(root());
        let found = state::candidates(settings, &devices);
        let found = compare(found, &mut owners, modules);
        if !state::looks_again(settings, &found, BusActivity::read(), started.elapsed()) {
            let (disk, problem) = state::choose(found)?;
            if let Some(problem) = problem {
                report(&problem);
            }
            return Some(disk);
        }
        modules.load_for_hardware(root(), |_| true);
        sleep(POLL_INTERVAL);
    }
}

/// Reads what tells the devices apart; `owners` keeps the owner of each node.
fn compare(
    found: Vec<Device>,
    owners: &mut BTreeMap<PathBuf, Owner>,
    modules: &mut Modules,
) -> Vec<Candidate> {
    let image_disk = disk_of_image();
    let facts = found.into_iter().map(|device| Candidate {
        is_beside_image: image_disk.is_some() && block::disk_of(root(), &device.node) == image_disk,
        owner: *owners
            .entry(device.node.clone())
            .or_insert_with(|| owner(&device, modules)),
        device,
    });
    facts.collect()
}

/// The disk that holds the OS image; `None` if the image is in memory.
fn disk_of_image() -> Option<String> {
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).ok()?;
    [MEDIUM, OS_IMAGE].into_iter().find_map(|target| {
        let source = &mount_table::find(&mounts, Path::new(target))?.source;
        block::disk_of(root(), source).filter(|disk| !disk.starts_with("loop"))
    })
}

/// The machine that used the disk first.
fn owner(device: &Device, modules: &mut Modules) -> Owner {
    let Some(uuid) = facts::firmware_uuid(root()) else {
        return Owner::Unknown;
    };
    let _ = modules.load(device.superblock.fstype, "");
    let (mount, file) = state::candidate_files();
    if perform::run_step(&state::candidate(device)).is_err() {
        return Owner::Unknown;
    }
    let text = bounded_file::text(&file).unwrap_or_default();
    unmount::try_unmount(&mount);
    Owner::from_text(&text, &uuid)
}

fn root() -> &'static Path {
    Path::new("/")
}

fn mount_with_fallback(mut planned: StateMount, modules: &mut Modules) -> Result<StateMount> {
    loop {
        if let Some(problem) = &planned.problem {
            report(problem);
        }
        if let Some(driver) = &planned.driver {
            let _ = modules.load(driver, "");
        }
        if let Some(problem) = filesystem_check::check(&planned) {
            report(&problem);
        }
        let Err(error) = perform::run_step(&planned.mount) else {
            return Ok(planned);
        };
        match planned.fallback(&format!("{error:#}")) {
            Some(memory) => planned = memory,
            None => return Err(error),
        }
    }
}

/// Mounts the vendor's partition, and returns whether it is mounted. A machine without it is the usual case.
pub(crate) fn mount_oem(settings: &State) -> bool {
    let Some(dev) = settings.oem_dev.as_deref() else {
        return false;
    };
    let found = block::find(Path::new("/"), &DeviceName::parse(dev));
    let Some(device) = found.first() else {
        return false;
    };
    match perform::run_step(&state::oem(device)) {
        Ok(()) => true,
        Err(error) => {
            problems::report(&ProblemRecord::error("oem", dev, format!("{error:#}")));
            false
        }
    }
}

/// `ros sysinit` clears the problem when there is room again.
fn report_room(text: &str) {
    problems::report(&ProblemRecord::error(
        state_problems::FULL,
        "the state disk",
        text,
    ));
}

fn report(text: &str) {
    problems::report(&ProblemRecord::error("state", "rancher.state", text));
}
