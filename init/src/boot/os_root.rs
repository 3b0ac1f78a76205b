//! The work of stage 2, in the OS image: from its first mount to the daemons of System Docker.

use std::path::Path;

use anyhow::Result;
use os_config::{Config, LoadedConfig};

use crate::boot::{oem, state};
use crate::plan::{first_checks, kernel_protection, mounts};
use crate::rescue::{self, Occasion};
use crate::supervise::Supervisor;
use crate::supervise::daemons::Daemons;
use host::console;
use host::facts::{self, HostFacts};
use host::kernel_line;
use host::perform;
use host::problems::{self, ProblemRecord};
use host::settings;
use host::step::Planned;
use host::zram;

/// Opens the kernel log, warns of too little memory, opens the rescue console for `rancher.recovery`, and mounts the
/// filesystems of the OS root.
pub(crate) fn mount_system() -> Result<()> {
    let line = kernel_line::read(Path::new("/"));
    console::log_to_kernel(kernel_line::is_on(&line, "rancher.debug"));
    let machine = HostFacts::read(Path::new("/"));
    if let Some(warning) = first_checks::memory_warning(&machine) {
        console::print_line(&warning);
    }
    if let Some(why) = first_checks::rescue_request(&line) {
        rescue::open_console(why, "boot goes on", Occasion::Asked);
    }
    run_plan(&mounts::system_mounts(&machine), "mounts")?;
    run_plan(&mounts::huge_pages(&machine), "mounts")
}

/// Mounts `/state` and the writable folders; returns where the state is.
pub(crate) fn mount_state(config: &Config) -> Result<String> {
    let detail = state::mount_state(&config.rancher.state)?;
    run_plan(&mounts::writable_folders(), "mounts")?;
    Ok(detail)
}

/// Loads the configuration from the mounted state and reports its problems. A vendor's partition counts unless the
/// configuration without it locks the machine.
pub(crate) fn load_configuration() -> Result<LoadedConfig> {
    let root = Path::new("/");
    let mut loaded = os_config::load::load(root);
    if oem::mount(&loaded.config) {
        loaded = os_config::load::load(root);
    }
    for problem in &loaded.problems {
        problems::report(&ProblemRecord::from(problem));
    }
    os_config::load::save_last_good(root);
    Ok(loaded)
}

/// Applies the kernel's protections, swap space in memory, host name, modules and sysctl; returns the host name.
pub(crate) fn apply_configuration(config: &Config) -> Result<String> {
    let machine = HostFacts::read(Path::new("/"));
    let plan = settings::plan(config, &machine, &facts::new_machine_id());
    let line = kernel_line::read(Path::new("/"));
    run_plan(&kernel_protection::settings(&line), "settings")?;
    run_plan(&zram::plan(config, &machine), "swap-space")?;
    // The user's own sysctl wins.
    run_plan(&plan, "settings")?;
    Ok(settings::hostname(config))
}

/// Installs the image store and hands System Docker's daemons to a supervisor.
pub(crate) fn start_system_docker(config: &Config) -> Result<Supervisor> {
    install_image_store()?;
    Supervisor::new(Daemons::prepare(config)?)
}

/// Installs the image store on the state, or in memory if the state cannot take it.
fn install_image_store() -> Result<()> {
    let Err(error) = run_plan(&mounts::image_store(), "image-store") else {
        return Ok(());
    };
    let text = format!(
        "{error:#}; System Docker works in memory until the next boot, without the images and containers that were \
         added to it"
    );
    problems::report(&ProblemRecord::error("image-store", "init", text));
    run_plan(&mounts::image_store_in_memory(), "image-store")
}

/// Performs a plan and reports the steps that the boot goes on without, as problems with this id.
fn run_plan(plan: &[Planned], id: &str) -> Result<()> {
    perform::run_plan(plan, |text| {
        problems::report(&ProblemRecord::error(id, "init", text));
    })
}
