//! The golden plans: everything that PID 1 plans from the first mount to the power-off, as text in `init/tests/plans`.
//! A file for each scenario of the virtual machines, and a file for each machine of a list.
//!
//! A scenario's cloud-config lies on the machine's state disk here, as after its first boot. `UPDATE_GOLDEN=1 cargo test
//! -p init` writes the files anew; a change of a plan shows as a difference of these files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use disk::superblock::Superblock;
use os_config::Config;

use crate::plan::oem;
use crate::plan::shutdown::{Elapsed, Stage, Survivors, next_stage, time_limit};
use crate::plan::state::{self, StateMount};
use crate::plan::state_disk::{self, Candidate, Owner};
use crate::plan::supervision::Daemon;
use crate::plan::{first_checks, kernel_protection, mounts};
use crate::supervise::daemons;
use host::block::BusActivity;
use host::block::{Device, DeviceName};
use host::facts::HostFacts;
use host::paths::SHUTDOWN_TIMEOUT;
use host::settings;
use host::step::{Planned, Step};
use host::zram;

const PLANS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plans");
const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../qemu-tests/scenarios");
const MOUNT_ERROR: &str = "mounting a broken filesystem: Invalid argument (os error 22)";

/// A machine as PID 1 sees it.
struct Specimen {
    name: &'static str,
    kernel_line: &'static str,
    cloud_config: &'static str,
    memory_mib: u64,
    devices: Vec<Device>,
    /// The kernel mounts the filesystems of the devices.
    can_mount: bool,
}

impl Specimen {
    /// A machine with an ordinary state disk that has booted before.
    fn new(name: &'static str) -> Self {
        Self {
            name,
            kernel_line: "console=ttyS0",
            cloud_config: "#cloud-config\n",
            memory_mib: 1024,
            devices: vec![device("/dev/vda", "RANCHER_STATE", "ext4")],
            can_mount: true,
        }
    }
}

fn device(node: &str, label: &str, fstype: &'static str) -> Device {
    Device {
        node: node.into(),
        superblock: Superblock {
            fstype,
            label: label.to_owned(),
            uuid: "0f1e2d3c-0000-4000-8000-000000000001".to_owned(),
        },
    }
}

fn specimens() -> Vec<Specimen> {
    let two_labels = vec![
        device("/dev/sda1", "B2D_STATE", "ext4"),
        device("/dev/sdb1", "RANCHER_STATE", "xfs"),
        device("/dev/sdc1", "OEM", "vfat"),
    ];
    let named = "console=ttyS0 rancher.state.dev=LABEL=BARN";
    let required = "console=ttyS0 rancher.state.dev=LABEL=BARN rancher.state.required";
    let barn = || vec![device("/dev/vdb", "BARN", "btrfs")];
    vec![
        Specimen {
            devices: vec![],
            ..Specimen::new("machine-no-disk")
        },
        Specimen::new("machine-state-disk"),
        Specimen {
            kernel_line: "console=ttyS0 rancher.state.oem_dev=LABEL=OEM",
            devices: two_labels,
            ..Specimen::new("machine-several-labels")
        },
        Specimen {
            can_mount: false,
            ..Specimen::new("machine-broken-disk")
        },
        Specimen {
            kernel_line: required,
            devices: barn(),
            can_mount: false,
            ..Specimen::new("machine-broken-required-disk")
        },
        Specimen {
            kernel_line: named,
            ..Specimen::new("machine-missing-disk")
        },
        Specimen {
            kernel_line: "rancher.state.dev=LABEL=BARN rancher.state.wait",
            ..Specimen::new("machine-late-disk")
        },
        Specimen {
            kernel_line: required,
            ..Specimen::new("machine-missing-required-disk")
        },
        Specimen {
            kernel_line: "rancher.state.dev=LABEL=BARN rancher.state.directory=hens",
            devices: barn(),
            ..Specimen::new("machine-state-folder")
        },
        Specimen {
            memory_mib: 200,
            ..Specimen::new("machine-little-memory")
        },
        Specimen {
            kernel_line: "rancher.recovery",
            memory_mib: 8192,
            ..Specimen::new("machine-rescue")
        },
        Specimen {
            cloud_config: "#cloud-config\nhostname: hen\nfqdn: hen.barn\ntimezone: Europe/Berlin\n\
                           rancher:\n  shutdown_timeout: 20\n  modules: [zram num_devices=2, dummy]\n\
                           \x20 sysctl: {vm.swappiness: 1}\n  system_docker: {debug: true}\n",
            ..Specimen::new("machine-many-settings")
        },
    ]
}

/// The text of a plan.
#[derive(Default)]
struct PlanText(String);

impl PlanText {
    fn heading(&mut self, text: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        writeln!(self.0, "{gap}{text}").unwrap();
    }

    fn line(&mut self, text: impl std::fmt::Display) {
        writeln!(self.0, "  {text}").unwrap();
    }

    fn steps(&mut self, plan: &[Planned]) {
        plan.iter().for_each(|planned| {
            self.line(planned);
            if let Step::Write { content, .. } | Step::WriteIfMissing { content, .. } =
                &planned.step
            {
                self.line(format_args!("          {content:?}"));
            }
        });
    }
}

/// Everything that PID 1 plans for a machine whose state disk holds `cloud_config`.
fn plan(machine: &Specimen, cloud_config: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &str| {
        let file = root.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    };
    write("proc/cmdline", machine.kernel_line);
    let early = os_config::load::load(root.path());
    assert!(early.problems.is_empty(), "{:?}", early.problems);
    write("var/lib/rancher/conf/cloud-config.yml", cloud_config);
    let config = os_config::load::load(root.path()).config;
    let mut text = PlanText::default();
    plan_initrd(&mut text);
    let facts = HostFacts {
        memory_mib: machine.memory_mib,
        available_mib: machine.memory_mib - 100,
        machine_id: None,
    };
    text.heading("OS image");
    if let Some(line) = first_checks::memory_warning(&facts) {
        text.line(format_args!("console: {line}"));
    }
    if let Some(why) = first_checks::rescue_request(machine.kernel_line) {
        text.line(format_args!("rescue console: {why}"));
    }
    text.steps(&mounts::system_mounts(&facts));
    text.steps(&mounts::huge_pages(&facts));
    text.heading("Mount state");
    if let Err(why) = plan_state(&mut text, machine, &early.config, &facts) {
        text.line(format_args!("rescue console: {why}"));
        return text.0;
    }
    text.steps(&mounts::writable_folders());
    text.heading("Apply configuration");
    text.steps(&kernel_protection::settings(machine.kernel_line));
    text.steps(&zram::plan(&config, &facts));
    let settings = settings::plan(&config, &facts, "00000000000000000000000000000000");
    text.steps(&settings);
    text.heading("Start System Docker");
    text.steps(&mounts::image_store());
    text.line(format_args!("if that fails:"));
    text.steps(&mounts::image_store_in_memory());
    for daemon in Daemon::ALL {
        let argv = daemons::command_line(daemon, &config);
        text.line(format_args!("{}: {}", daemon.name(), argv.join(" ")));
    }
    plan_shutdown(&mut text, &settings);
    text.0
}

fn plan_initrd(text: &mut PlanText) {
    text.heading("Mount early filesystems");
    text.steps(&mounts::early_mounts());
    text.heading("Find OS image");
    text.steps(&mounts::os_image(Path::new("/dev/loop0"), "squashfs"));
    text.heading("Switch root");
    text.steps(&mounts::switch_root());
}

/// Mounts the state as `boot::state` does; an error opens the rescue console.
fn plan_state(
    text: &mut PlanText,
    machine: &Specimen,
    config: &Config,
    facts: &HostFacts,
) -> Result<(), String> {
    let settings = &config.rancher.state;
    let found = state_disk::candidates(settings, &machine.devices);
    let quiet = BusActivity {
        quiet_for: Duration::from_secs(60),
        has_pending_storage: false,
    };
    let candidates = found.into_iter().map(|device| Candidate {
        device,
        is_beside_image: false,
        is_removable: false,
        owner: Owner::Unknown,
    });
    let candidates: Vec<Candidate> = candidates.collect();
    if state_disk::looks_again(settings, &candidates, quiet, Duration::ZERO) {
        text.line("waits for the state disk");
    }
    let disk = state_disk::choose(settings, candidates).map(|(disk, _)| disk);
    let mut planned =
        state::plan(settings, disk.as_ref(), facts).map_err(|error| error.to_string())?;
    loop {
        describe_state(text, &planned);
        let is_broken = planned.driver.is_some() && !machine.can_mount;
        if !is_broken {
            break;
        }
        text.line(format_args!("fails: {MOUNT_ERROR}"));
        planned = planned.fallback(MOUNT_ERROR).ok_or(MOUNT_ERROR)?;
    }
    if planned.driver.is_some() {
        text.steps(&state::reserve());
        text.steps(&state::machine_file(Some(
            "0f1e2d3c-0000-4000-8000-00000000000a",
        )));
    }
    if let Some(directory) = settings.directory.as_deref() {
        text.steps(&state::directory(directory));
    }
    if let Some(name) = settings.oem_dev.as_deref().map(DeviceName::parse) {
        let found = machine.devices.iter().filter(|device| name.matches(device));
        let found = found.map(|device| oem::Candidate {
            device: device.clone(),
            is_own: false,
            is_removable: false,
        });
        let (chosen, problems) = oem::choose(found.collect(), config, false);
        for problem in problems {
            text.line(format_args!("problem: {}", problem.text));
        }
        if let Some(device) = chosen {
            text.line(format_args!("may  {}", oem::mount(&device)));
        }
    }
    Ok(())
}

fn describe_state(text: &mut PlanText, planned: &StateMount) {
    if let Some(problem) = &planned.problem {
        text.line(format_args!("problem: {problem}"));
    }
    if let Some(driver) = &planned.driver {
        text.line(format_args!("may  module {driver}"));
    }
    for argv in state::checks(planned) {
        text.line(format_args!("check: {}", argv.join(" ")));
    }
    text.line(format_args!("must {}", planned.mount));
}

/// The stages of a shutdown in which no process ends by itself.
fn plan_shutdown(text: &mut PlanText, settings: &[Planned]) {
    let limit = settings.iter().find_map(|planned| match &planned.step {
        Step::Write { path, content, .. } if path == Path::new(SHUTDOWN_TIMEOUT) => Some(content),
        _ => None,
    });
    let limit = time_limit(limit.unwrap());
    text.heading("Shutdown, if no process ends by itself");
    let alive = Survivors {
        sysinit: true,
        stopper: true,
        daemons: true,
        strays: true,
    };
    let (mut stage, mut total, mut began) = (Stage::Sysinit, Duration::ZERO, Duration::ZERO);
    let mut line = |stage: Stage, at: Duration| {
        text.line(format_args!("{:4.1} s {stage}", at.as_secs_f64()));
    };
    line(stage, total);
    while stage != Stage::PowerDown {
        total += Duration::from_millis(100);
        let elapsed = Elapsed {
            in_stage: total - began,
            total,
        };
        let next = next_stage(stage, alive, elapsed, limit);
        if next != stage {
            line(next, total);
            (stage, began) = (next, total);
        }
    }
}

/// The cloud-configs of the scenarios, by the names of their files.
fn scenarios() -> BTreeMap<String, String> {
    #[derive(serde::Deserialize)]
    struct Scenario {
        cloud_config: String,
    }
    let files = fs::read_dir(SCENARIOS)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "yml"))
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let scenario: Scenario =
                serde_yaml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            (name, scenario.cloud_config)
        })
        .collect()
}

/// Every plan by the name of its file.
fn plans() -> BTreeMap<String, String> {
    let ordinary = Specimen::new("scenario");
    let of_scenarios = scenarios()
        .into_iter()
        .map(|(name, cloud_config)| (name, plan(&ordinary, &cloud_config)));
    let of_machines = specimens().into_iter().map(|machine| {
        let text = plan(&machine, machine.cloud_config);
        (machine.name.to_owned(), text)
    });
    of_scenarios
        .chain(of_machines)
        .map(|(name, text)| (format!("{name}.txt"), text))
        .collect()
}

fn golden_files() -> BTreeMap<String, String> {
    let entries = fs::read_dir(PLANS).into_iter().flatten();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// The first line that differs, with its number.
fn difference(golden: &str, planned: &str) -> String {
    let (mut golden, mut planned) = (golden.lines(), planned.lines());
    for number in 1.. {
        let lines = (golden.next(), planned.next());
        if lines.0 != lines.1 || lines.0.is_none() {
            return format!("line {number}: {:?} became {:?}", lines.0, lines.1);
        }
    }
    unreachable!("a text has an end")
}

#[test]
fn plans_are_as_in_the_golden_files() {
    let plans = plans();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(PLANS).unwrap();
        for name in golden_files().keys() {
            fs::remove_file(Path::new(PLANS).join(name)).unwrap();
        }
        for (name, text) in &plans {
            fs::write(Path::new(PLANS).join(name), text).unwrap();
        }
    }
    let golden = golden_files();
    let mut faults: Vec<String> = plans
        .iter()
        .filter_map(|(name, text)| match golden.get(name) {
            None => Some(format!("{name}: there is no such file")),
            Some(expected) if expected != text => {
                Some(format!("{name}: {}", difference(expected, text)))
            }
            Some(_) => None,
        })
        .collect();
    let orphans = golden.keys().filter(|name| !plans.contains_key(*name));
    faults.extend(orphans.map(|name| format!("{name}: neither a scenario nor a machine")));
    assert!(
        faults.is_empty(),
        "{}\nUPDATE_GOLDEN=1 writes init/tests/plans anew; read the difference",
        faults.join("\n")
    );
}
