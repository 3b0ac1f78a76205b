//! Mounts the state filesystem as `plan::state` and `plan::state_disk` decide.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use os_config::{State, bounded_file};

use crate::boot::{autoformat, filesystem_check, program};
use crate::plan::state::{self, StateMount};
use crate::plan::state_content::{self, reset};
use crate::plan::state_disk::{self, Candidate, Owner};
use host::block::BusActivity;
use host::block::{self, Device};
use host::console;
use host::facts::{self, HostFacts};
use host::modules::Modules;
use host::perform::mount::mount_and_move;
use host::perform::{self, unmount};
use host::problems::{self, ProblemRecord};
use host::process::deadline;
use host::state_problems;
use host::step::Step;

const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The drivers of SCSI disks and CD drives; USB and SATA have such disks too.
const SCSI_DRIVERS: [&str; 2] = ["sd_mod", "sr_mod"];
/// The limit for a look at a disk: whose it is.
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// The limit for the mount of the state disk. A large filesystem that was cut off replays its log.
const MOUNT_TIMEOUT: Duration = Duration::from_secs(300);

/// The limit for `rancher.state.script`.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(120);
const SCRIPT_LOG: &str = "/run/ros/state-script.log";
const SHELL: &str = "/bin/sh";

/// Mounts the state filesystem on `/state` and returns its device's node, or `memory`.
pub(crate) fn mount_state(settings: &State) -> Result<String> {
    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    if let Some(script) = &settings.script {
        run_script(script);
    }
    let mut disk = find_disk(settings, &mut modules);
    report_silent_disks(disk.as_ref());
    let mut formatting = None;
    if disk.is_none() {
        (disk, formatting) = autoformat::format(settings).unzip();
    }
    let planned = state::plan(settings, disk.as_ref(), &HostFacts::read(Path::new("/")))?;
    let mounted = mount_with_fallback(planned, &mut modules)?;
    if mounted.driver.is_some() {
        let uuid = facts::firmware_uuid(Path::new("/"));
        perform::run_plan(&state::reserve(), |text| {
            report(state_problems::FULL, text);
        })?;
        perform::run_plan(&state::machine_file(uuid.as_deref()), report_missing)?;
        let logins = formatting.iter().flat_map(state_content::autoformat::login);
        perform::run_plan(&logins.collect::<Vec<_>>(), report_missing)?;
    }
    if let Some(directory) = settings.directory.as_deref() {
        perform::run_plan(&state::directory(directory), report_missing)?;
    }
    if mounted.driver.is_some() {
        empty_if_asked();
    }
    Ok(mounted.detail)
}

/// Empties the state filesystem if `ros reset` has asked for it. The boot goes on with what could not be removed.
fn empty_if_asked() {
    let plan = reset::plan(&bounded_file::text(&reset::request()).unwrap_or_default());
    if plan.is_empty() {
        return;
    }
    console::print_line("ros: emptying the state disk, as `ros reset` has asked");
    let mut left = None;
    let complain = |text: &str| left = Some(text.to_owned());
    if let Err(error) = perform::run_plan(&plan, complain) {
        left = Some(format!("{error:#}"));
    }
    if let Some(text) = left {
        let text = format!("{text}; it is left, and all else was removed");
        problems::report(&ProblemRecord::warning(
            "state.reset",
            state_disk::SOURCE,
            text,
        ));
    }
}

/// Runs `rancher.state.script`, which may prepare the disk. The boot goes on without it.
fn run_script(script: &str) {
    let (file, step) = state_disk::script(script);
    let ran = perform::run_step(&step).and_then(|()| {
        let argv = [SHELL.to_owned(), file.display().to_string()];
        program::run_to_end(&argv, Path::new(SCRIPT_LOG), SCRIPT_TIMEOUT)
    });
    let text = match ran {
        Ok(Some(0)) => return,
        Ok(Some(code)) => format!("it ended with code {code} (see {SCRIPT_LOG})"),
        Ok(None) => format!("it did not come to its end (see {SCRIPT_LOG})"),
        Err(error) => format!("{error:#}"),
    };
    problems::report(&ProblemRecord::error(
        "state.script",
        "rancher.state.script",
        text,
    ));
}

/// Looks for the state disk, and waits for it as `plan::state_disk` decides.
fn find_disk(settings: &State, modules: &mut Modules) -> Option<Device> {
    let started = Instant::now();
    let mut owners = BTreeMap::new();
    // Their devices may have appeared after the look for drivers in the initrd; a CD may be a data source.
    if BusActivity::read().has_pending_storage {
        for driver in SCSI_DRIVERS {
            let _ = modules.load(driver, "");
        }
    }
    loop {
        let devices = block::devices(root());
        let found = state_disk::candidates(&with_node(settings), &devices);
        let found = compare(found, &mut owners, modules);
        if !state_disk::looks_again(settings, &found, BusActivity::read(), started.elapsed()) {
            let (disk, problem) = state_disk::choose(settings, found)?;
            if let Some(problem) = problem {
                problems::report(&problem);
            }
            return Some(disk);
        }
        modules.load_for_hardware(root(), |_| true);
        sleep(POLL_INTERVAL);
    }
}

/// The settings with the node of a partition in place of its GUID.
fn with_node(settings: &State) -> State {
    let guid = settings
        .dev
        .as_deref()
        .and_then(|dev| dev.strip_prefix("PARTUUID="));
    let node = guid.and_then(|guid| block::partition_by_guid(root(), guid));
    let mut settings = settings.clone();
    if let Some(node) = node {
        settings.dev = Some(node.display().to_string());
    }
    settings
}

/// Reads what tells the devices apart. `owners` keeps the owner of each node; a device without an owner does not answer
/// and is left out.
fn compare(
    found: Vec<Device>,
    owners: &mut BTreeMap<PathBuf, Option<Owner>>,
    modules: &mut Modules,
) -> Vec<Candidate> {
    let image_disk = block::image_disk(root());
    let facts = found.into_iter().filter_map(|device| {
        let owner = *owners
            .entry(device.node.clone())
            .or_insert_with(|| owner(&device, modules));
        Some(Candidate {
            is_beside_image: image_disk.is_some()
                && block::disk_of(root(), &device.node) == image_disk,
            is_removable: block::is_removable(root(), &device.node),
            owner: owner?,
            device,
        })
    });
    facts.collect()
}

/// The machine that used the disk first; `None` if the disk does not answer.
fn owner(device: &Device, modules: &mut Modules) -> Option<Owner> {
    let Some(uuid) = facts::firmware_uuid(root()) else {
        return Some(Owner::Unknown);
    };
    let _ = modules.load(device.superblock.fstype, "");
    let (step, file) = state_disk::candidate(device);
    let name = format!("look at {}", device.node.display());
    let look = move || {
        let text = read_mounted(&step, &file)?;
        Ok(Owner::from_text(&text, &uuid))
    };
    match deadline::run(LOOK_TIMEOUT, &name, look, drop) {
        Err(error) if error.is::<deadline::NoAnswer>() => {
            problems::report(&state_disk::silent(device));
            None
        }
        // The mount of the state disk says what is wrong.
        looked => Some(looked.unwrap_or(Owner::Unknown)),
    }
}

/// Reads a file of a filesystem that is mounted for it.
fn read_mounted(step: &Step, file: &Path) -> Result<String> {
    perform::run_step(step)?;
    let text = bounded_file::text(file).unwrap_or_default();
    if let Step::Mount { target, .. } = step {
        unmount::try_unmount(target);
    }
    Ok(text)
}

/// Reports the disks that have not answered. Without a state disk, one of them may be it. A CD drive may still be
/// spinning up, and holds no state.
fn report_silent_disks(state_disk: Option<&Device>) {
    let silent = block::silent_nodes().into_iter();
    for node in silent.filter(|node| !block::is_cd(node)) {
        problems::report(&state_disk::silent_node(&node, state_disk.is_some()));
    }
}

fn root() -> &'static Path {
    Path::new("/")
}

fn mount_with_fallback(mut planned: StateMount, modules: &mut Modules) -> Result<StateMount> {
    loop {
        if let Some(problem) = &planned.problem {
            report_missing(problem);
        }
        if let Some(driver) = &planned.driver {
            let _ = modules.load(driver, "");
        }
        if let Some(problem) = filesystem_check::check(&planned) {
            report(state_problems::DAMAGED, &problem);
        }
        let Err(error) = mount_and_move(MOUNT_TIMEOUT, &planned.mount) else {
            return Ok(planned);
        };
        match planned.fallback(&format!("{error:#}")) {
            Some(memory) => planned = memory,
            None => return Err(error),
        }
    }
}

fn report_missing(text: &str) {
    report(state_problems::MISSING, text);
}

fn report(id: &str, text: &str) {
    problems::report(&ProblemRecord::error(id, state_disk::SOURCE, text));
}
