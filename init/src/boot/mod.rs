//! The boot as two lists of named phases: stage 1 in the initrd, stage 2 in the OS image.

mod autoformat;
mod filesystem_check;
mod initrd;
mod oem;
mod os_image;
mod os_root;
mod phase;
mod program;
mod slot_table;
mod state;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::background::Task;
use crate::supervise::medium;
use host::facts;
use host::modules::Modules;
use host::process::deadline;
use phase::Phase;

/// Stage 1 ends with the start of stage 2 in the OS image, or goes over to stage 2 itself.
pub(crate) fn stage1() -> Result<()> {
    let line = initrd::mount_and_open_log()?;
    Phase::EarlyMounts.report(Instant::now(), "");
    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    Phase::Drivers.run_with_detail(|| Ok(initrd::load_drivers(&mut modules)))?;
    Phase::OsImage.run_with_detail(|| os_image::find_and_mount(&line, &mut modules))?;
    drop(modules);
    let started = Instant::now();
    initrd::switch_root().context("switching to the OS image")?;
    Phase::SwitchRoot.report(started, "");
    // The kernel starts another program in place of this one when its other threads have ended, and a thread that waits
    // for a dead device never ends. This program is stage 2 as well.
    if deadline::has_late_work() {
        return stage2();
    }
    initrd::start_stage2().context("switching to the OS image")
}

/// Stage 2 ends in supervision, which lasts until the machine goes down.
pub(crate) fn stage2() -> Result<()> {
    medium::lock_memory();
    Task::ReadAhead.start_or_warn();
    os_root::mount_system()?;
    let early = os_config::load::load(Path::new("/"));
    Phase::State.run_with_detail(|| os_root::mount_state(&early.config))?;
    let loaded = Phase::Configuration.run(os_root::load_configuration)?;
    Phase::Settings.run_with_detail(|| os_root::apply_configuration(&loaded.config))?;
    Task::LoadDrivers.start_or_warn();
    let mut supervisor =
        Phase::SystemDocker.run(|| os_root::start_system_docker(&loaded.config))?;
    drop((early, loaded));
    medium::give_heap_back();
    supervisor.run()
}
