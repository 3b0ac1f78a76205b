//! Performs steps: this folder holds every change that the steps of a boot make to the machine; [`crate::modules`]
//! loads kernel modules.

pub mod clock;
mod etc;
mod files;
mod image_store;
pub mod loop_device;
mod loopback;
pub mod mount;
pub mod reserve;
mod swap_space;
mod switch_root;
pub mod unmount;
pub mod watchdog;

use std::path::Path;

use anyhow::{Context, Result};

use crate::facts;
use crate::modules::Modules;
use crate::step::{Planned, Severity, Step};

/// Performs a plan in order. A fatal step's error ends it; other errors are handed to `complain`.
pub fn run_plan(plan: &[Planned], mut complain: impl FnMut(&str)) -> Result<()> {
    let mut modules = ModuleIndex::default();
    for planned in plan {
        log::debug!("{planned}");
        let Err(error) = run_with(&planned.step, &mut modules) else {
            continue;
        };
        match planned.severity {
            Severity::Fatal => return Err(error),
            Severity::Warn => complain(&format!("{error:#}")),
        }
    }
    Ok(())
}

/// Performs one step.
pub fn run_step(step: &Step) -> Result<()> {
    run_with(step, &mut ModuleIndex::default())
}

/// Kills every process of a cgroup and of the cgroups below it.
pub fn kill_cgroup(cgroup: &Path) -> Result<()> {
    files::tell_kernel(&cgroup.join("cgroup.kill"), "1")
}

/// The index of the kernel's modules, 750 KB of text: read at the first module of a plan, and kept for the others.
#[derive(Debug, Default)]
struct ModuleIndex(Option<Modules>);

impl ModuleIndex {
    fn load(&mut self, name: &str, parameters: &str) -> Result<()> {
        self.0
            .get_or_insert_with(|| Modules::read(Path::new("/"), &facts::kernel_release()))
            .load(name, parameters)
    }
}

fn run_with(step: &Step, modules: &mut ModuleIndex) -> Result<()> {
    match step {
        Step::Folder { path, mode } => files::make_folder(path, *mode),
        Step::Mount {
            source,
            target,
            fstype,
            options,
        } => mount::mount(source, target, fstype, options),
        Step::Bind { source, target } => mount::bind(source, target),
        Step::Restrict { target } => mount::restrict(target),
        Step::Share { target } => mount::share(target),
        Step::MoveMount { source, target } => mount::move_mount(source, target),
        Step::Link { path, to } => files::link(path, to),
        Step::Write {
            path,
            content,
            mode,
        } => files::write(path, content.as_bytes(), *mode),
        Step::WriteIfMissing { path, content } => files::write_if_missing(path, content.as_bytes()),
        Step::Empty { folder, kept } => files::empty(folder, kept),
        Step::Tell { path, content } => files::tell_kernel(path, content),
        Step::TellIfPresent { path, content } => files::tell_kernel_if_present(path, content),
        Step::Hostname(name) => nix::unistd::sethostname(name)
            .with_context(|| format!("setting the host name {name:?}")),
        Step::HostsEntry(names) => etc::hosts::set_entry(names),
        Step::ClockNotBefore { image, recorded } => clock::set_not_before(image, recorded),
        Step::SystemAccounts { from, to } => etc::system_accounts::add_missing(from, to),
        Step::Reserve(file) => match reserve::keep(file, reserve::ENOUGH_FOR_BOOT)?.problem() {
            Some(problem) => Err(anyhow::Error::msg(problem)),
            None => Ok(()),
        },
        Step::SwapSpace(device) => swap_space::enable(device),
        Step::TimeZone(zone) => etc::time_zone::set_time_zone(zone),
        Step::Module { name, parameters } => modules.load(name, parameters),
        Step::LoopbackUp => loopback::bring_up(),
        Step::ImageStore { from, to } => image_store::install(from, to),
        Step::FreeInitrd { root } => {
            switch_root::free_initrd(root);
            Ok(())
        }
        Step::SwitchRoot { new_root } => switch_root::switch_root(new_root),
    }
}
