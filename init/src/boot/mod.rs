//! Boot as a list of named phases, each announced with its time, in the order that design and console show.

mod os_image;

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use os_config::{Config, Loaded, State};

use crate::background::Task;
use crate::plan::state::StateMount;
use crate::plan::{self, mounts};
use crate::rescue;
use crate::supervise::Supervisor;
use crate::supervise::daemons::Daemons;
use host::block::{self, Device, DeviceName};
use host::console;
use host::facts::{self, HostFacts};
use host::kernel_line;
use host::modules::Modules;
use host::perform;
use host::problems;
use host::settings;
use host::step::Planned;
use host::timeline;

const PHASES: usize = 8;
/// Below this the machine boots, if at all, slowly and has nothing left for containers.
const ENOUGH_MEMORY_MIB: u64 = 224;
/// `rancher.state.wait`: as long as RancherOS waited for the device to resolve.
const STATE_DISK_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Stage 1, in the initrd: up to the switch into the OS image. Returns only on an error.
pub(crate) fn stage1() -> Result<()> {
    // Nothing can be said before /dev and /proc are there.
    perform::run_plan(&mounts::early_mounts(), |text| log::warn!("{text}"))?;
    let line = kernel_line::read(Path::new("/"));
    console::log_to_kernel(kernel_line::is_on(&line, "rancher.debug"));
    // Without it the kernel drops records of a program that writes as many as a debug boot does.
    let _ = std::fs::write("/proc/sys/kernel/printk_devkmsg", "on");
    Task::GatherEntropy.start_or_warn();
    report(1, "mount early filesystems", Instant::now(), "");

    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    phase(2, "load drivers", || {
        let found = modules.load_for_hardware(Path::new("/"), |_| true);
        Ok(format!("{found} devices"))
    })?;
    phase(3, "find OS image", || {
        os_image::find_and_mount(&line, &mut modules)
    })?;
    drop(modules);
    switch_root().context("switching to the OS image")
}

/// Moves the mounts over, frees the initrd and becomes the OS image's init.
fn switch_root() -> Result<()> {
    let started = Instant::now();
    for step in mounts::switch_root(Path::new(os_image::NEW_ROOT)) {
        perform::run_step(&step)?;
    }
    report(4, "switch root", started, "");
    let arguments = [c"init", c"stage2"];
    nix::unistd::execv(c"/usr/sbin/init", &arguments).context("starting /usr/sbin/init")?;
    Ok(())
}

/// Stage 2, in the OS image: up to supervision, which ends with the machine.
pub(crate) fn stage2() -> Result<()> {
    Task::ReadAhead.start_or_warn();
    let line = kernel_line::read(Path::new("/"));
    console::log_to_kernel(kernel_line::is_on(&line, "rancher.debug"));
    let machine = HostFacts::read(Path::new("/"));
    if machine.memory_mib < ENOUGH_MEMORY_MIB {
        console::line(&format!(
            "ros: this machine has {} MB of memory; PaddockOS needs {ENOUGH_MEMORY_MIB} MB, 512 MB are advised",
            machine.memory_mib
        ));
    }
    if kernel_line::is_on(&line, "rancher.recovery") {
        rescue::open_console("ros: rancher.recovery is set", "boot goes on");
    }
    run_or_report(&mounts::system_mounts())?;
    run_or_report(&mounts::huge_pages(&machine))?;
    let early = os_config::load::load(Path::new("/"));
    phase(5, "mount state", || mount_state(&early.config))?;
    let loaded = phase_of(6, "load configuration", load_configuration)?;
    phase(7, "apply configuration", || {
        let machine = HostFacts::read(Path::new("/"));
        run_or_report(&settings::plan(
            &loaded.config,
            &machine,
            &facts::new_machine_id(),
        ))?;
        Ok(settings::hostname(&loaded.config))
    })?;
    Task::LoadDrivers.start_or_warn();
    let mut supervisor = phase_of(8, "start System Docker", || {
        start_system_docker(&loaded.config)
    })?;
    drop(loaded);
    supervisor.run()
}

fn mount_state(config: &Config) -> Result<String> {
    let state = &config.rancher.state;
    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    let disk = find_state_disk(state, &mut modules);
    let planned = plan::state::plan(state, disk.as_ref())?;
    let detail = mount_with_fallback(planned, &mut modules)?;
    if let Some(directory) = state.directory.as_deref() {
        run_or_report(&plan::state::directory(directory))?;
    }
    mount_oem(state);
    run_or_report(&mounts::writable_folders())?;
    Ok(detail)
}

/// Looks for the state disk, and waits for it if `rancher.state.wait` says so.
fn find_state_disk(state: &State, modules: &mut Modules) -> Option<Device> {
    let started = Instant::now();
    loop {
        let devices = block::devices(Path::new("/"));
        if let Some(disk) = plan::state::find_disk(state, &devices) {
            return Some(disk.clone());
        }
        if !state.wait || started.elapsed() > STATE_DISK_TIMEOUT {
            return None;
        }
        modules.load_for_hardware(Path::new("/"), |_| true);
        sleep(POLL_INTERVAL);
    }
}

fn mount_with_fallback(mut planned: StateMount, modules: &mut Modules) -> Result<String> {
    loop {
        if let Some(problem) = &planned.problem {
            problems::report(problem);
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
fn mount_oem(state: &State) {
    let Some(dev) = state.oem_dev.as_deref() else {
        return;
    };
    let found = block::find(Path::new("/"), &DeviceName::parse(dev));
    let Some(device) = found.first() else {
        return;
    };
    if let Err(error) = perform::run_step(&plan::state::oem(device)) {
        problems::report(&format!("{error:#}"));
    }
}

fn load_configuration() -> Result<Loaded> {
    let root = Path::new("/");
    let loaded = os_config::load::load(root);
    for found in &loaded.problems {
        problems::report(&found.to_string());
    }
    os_config::load::remember_good(root);
    Ok(loaded)
}

fn start_system_docker(config: &Config) -> Result<Supervisor> {
    run_or_report(&mounts::image_store())?;
    Supervisor::new(Daemons::prepare(config)?)
}

fn run_or_report(steps: &[Planned]) -> Result<()> {
    perform::run_plan(steps, problems::report)
}

fn phase(number: usize, name: &str, run: impl FnOnce() -> Result<String>) -> Result<()> {
    let started = Instant::now();
    let detail = run().with_context(|| format!("boot phase {number}/{PHASES} ({name})"))?;
    report(number, name, started, &detail);
    Ok(())
}

fn phase_of<T>(number: usize, name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let value = run().with_context(|| format!("boot phase {number}/{PHASES} ({name})"))?;
    report(number, name, started, "");
    Ok(value)
}

fn report(number: usize, name: &str, started: Instant, detail: &str) {
    let took = started.elapsed().as_secs_f64();
    let detail = if detail.is_empty() {
        String::new()
    } else {
        format!(" ({detail})")
    };
    console::line(&format!(
        "ros[{number}/{PHASES}] {name}{detail} … {took:.2} s"
    ));
    timeline::mark(name, Some(took));
}
