//! Applies a configuration that arrives after the boot's own, from a data source, to the running machine, before the
//! services that depend on it start.

use std::path::Path;

use host::facts::HostFacts;
use host::kernel_line;
use host::problems::{self, ProblemRecord};
use host::slot::start;
use os_config::{Config, LoadedConfig};

use crate::console::{runcmd, write_files};
use crate::disk::grow;
use crate::network::forwarding;
use crate::service_engine::time_servers;

/// Applies host name, modules and sysctl again, then runs `bootcmd` on the OS root.
///
/// Called once a boot, when the configuration is complete.
pub(crate) fn complete_configuration(loaded: &LoadedConfig) {
    let mut problems: Vec<ProblemRecord> =
        loaded.problems.iter().map(ProblemRecord::from).collect();
    problems.extend(set_forwarding(&loaded.config));
    // Later than forwarding, which sysctl may set otherwise.
    problems.extend(apply_host_settings(&loaded.config));
    if let Err(error) = time_servers::write(&loaded.config.ntp) {
        problems.push(ProblemRecord::error(
            "ntp",
            "ntp",
            format!("ntp: {error:#}"),
        ));
    }
    if let Err(error) = write_files::write_for_containers(&loaded.config) {
        let text = format!("{error:#}");
        problems.push(ProblemRecord::error("write_files", "write_files", text));
    }
    grow_filesystems(&loaded.config);
    if let Err(error) = runcmd::run_list("bootcmd", &loaded.config.bootcmd) {
        problems.push(ProblemRecord::error(
            "bootcmd",
            "bootcmd",
            format!("{error:#}"),
        ));
    }
    for problem in &problems {
        problems::report(problem);
    }
}

/// Closes or opens the way between the machine's links, before any engine with a network starts.
pub(crate) fn set_forwarding(config: &Config) -> Option<ProblemRecord> {
    const KEY: &str = "rancher.network.forward";
    let error = forwarding::set_policy(config.rancher.network.forward).err()?;
    let text = format!("{KEY}: {error:#}");
    Some(ProblemRecord::error("network.forward", KEY, text))
}

/// Grows filesystems in a thread: a large disk takes seconds, and no service waits for the space.
fn grow_filesystems(config: &Config) {
    let disk = config.rancher.resize_device.clone();
    // The disk of an installed machine is the machine's own, and its state the last partition.
    let is_installed = || start::read(&kernel_line::read(Path::new("/"))).is_some();
    let state = config.grow_state.unwrap_or_else(is_installed);
    if disk.is_none() && !state {
        return;
    }
    std::thread::spawn(move || {
        let (what, result) = match disk {
            Some(disk) => ("rancher.resize_device", grow::grow(&disk)),
            None => ("growpart", grow::grow_state()),
        };
        if let Err(error) = result {
            let text = format!("{what}: {error:#}");
            problems::report(&ProblemRecord::error("growpart", what, text));
        }
    });
}

/// Applies host name, modules and sysctl.
fn apply_host_settings(config: &Config) -> Vec<ProblemRecord> {
    let mut problems = Vec::new();
    let mut add = |text: &str| problems.push(ProblemRecord::error("settings", "ros sysinit", text));
    let facts = HostFacts::read(Path::new("/"));
    let plan = host::settings::plan(config, &facts, &host::facts::new_machine_id());
    if let Err(error) = host::perform::run_plan(&plan, &mut add) {
        add(&format!("{error:#}"));
    }
    problems
}
