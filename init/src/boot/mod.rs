//! Boot as a list of named phases, each announced with its time, in the order that design and console show.

mod os_image;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use os_config::{Config, Loaded};

use crate::background::Task;
use crate::plan::mounts;
use crate::plan::state::{self as state_disk, Found};
use crate::rescue;
use crate::supervise::Supervisor;
use crate::supervise::daemons::Daemons;
use host::console;
use host::facts::{self, HostFacts};
use host::kernel_line;
use host::modules::Modules;
use host::paths;
use host::perform;
use host::problems;
use host::settings;
use host::step::{Planned, Step};
use host::timeline;

const PHASES: usize = 8;
/// Below this the machine boots, if at all, slowly and has nothing left for containers.
const ENOUGH_MEMORY_MIB: u64 = 224;

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
    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    let state = &config.rancher.state;
    let said = match state_disk::find(state, &mut modules) {
        Found::Disk(device) => {
            let fstype = state_disk::fstype(state, &device);
            let _ = modules.load(&fstype, "");
            let step = Step::Mount {
                source: device.node.display().to_string(),
                target: paths::STATE.into(),
                fstype,
                options: "noatime".to_owned(),
            };
            match perform::run_step(&step) {
                Ok(()) => device.node.display().to_string(),
                Err(error) if state.required => return Err(error),
                Err(error) => {
                    problems::report(&format!("{error:#}; nothing of this session will be kept"));
                    in_memory()?
                }
            }
        }
        Found::Memory {
            asked_for: Some(dev),
        } if state.required => {
            anyhow::bail!(
                "looking for the state disk {dev}: there is no such device\n\
                 hint: rancher.state.required=false boots without it, rancher.state.wait waits for it"
            )
        }
        Found::Memory {
            asked_for: Some(dev),
        } => {
            problems::report(&format!(
                "the state disk {dev} was not found; nothing of this session will be kept"
            ));
            in_memory()?
        }
        Found::Memory { asked_for: None } => in_memory()?,
    };
    if let Some(directory) = state.directory.as_deref() {
        run_or_report(&mounts::state_directory(directory))?;
    }
    mount_oem(config);
    run_or_report(&mounts::writable_folders())?;
    Ok(said)
}

fn in_memory() -> Result<String> {
    perform::run_step(&mounts::state_in_memory())?;
    Ok("memory".to_owned())
}

/// The vendor's partition with `oem-config.yml`; a machine without one is the usual case.
fn mount_oem(config: &Config) {
    let Some(dev) = config.rancher.state.oem_dev.as_deref() else {
        return;
    };
    let wanted = host::block::DeviceName::parse(dev);
    let Some(device) = host::block::find(Path::new("/"), &wanted)
        .into_iter()
        .next()
    else {
        return;
    };
    let step = Step::Mount {
        source: device.node.display().to_string(),
        target: "/usr/share/ros/oem".into(),
        fstype: device.superblock.fstype.to_owned(),
        options: "ro".to_owned(),
    };
    if let Err(error) = perform::run_step(&step) {
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
