//! What a configuration that arrives after boot's own (from a data source) changes on the running
//! machine, before the services that depend on it start.

use std::path::Path;

use init::machine::Machine;
use os_config::{Config, Loaded};

use crate::runcmd;

const PROBLEMS: &str = "/run/ros/problems";

/// Applies host name, modules and sysctl again, then runs `bootcmd` on the OS root.
///
/// Called once a boot, when the configuration is complete.
pub(crate) fn complete_configuration(loaded: &Loaded) {
    let mut problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    problems.extend(host(&loaded.config));
    if let Err(error) = runcmd::run_list("bootcmd", &loaded.config.bootcmd) {
        problems.push(format!("{error:#}"));
    }
    announce_new(&problems);
}

fn host(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    let machine = Machine::read(Path::new("/"));
    let plan = init::plan::configuration(config, &machine, &init::machine::new_machine_id());
    if let Err(error) = init::perform::all(&plan, |text| problems.push(text.to_owned())) {
        problems.push(format!("{error:#}"));
    }
    problems
}

/// Says problems that boot has not said yet, and keeps them for the ssh banner.
pub(crate) fn announce_new(problems: &[String]) {
    use std::io::Write;
    let known = std::fs::read_to_string(PROBLEMS).unwrap_or_default();
    for text in problems {
        let first = text.lines().next().unwrap_or_default();
        if known.lines().any(|line| line == first) {
            continue;
        }
        init::announce::line(&format!("ros: {first}"));
        if let Ok(mut file) = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(PROBLEMS)
        {
            let _ = writeln!(file, "{first}");
        }
    }
}
