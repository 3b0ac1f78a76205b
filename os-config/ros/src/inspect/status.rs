//! `ros status`: whether the machine is well, on one screen.

use std::cmp::Ordering;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use host::paths::{MEDIUM, SLOT};
use host::problems::{self, ProblemRecord};
use host::proc::memory::Memory;
use host::proc::mount_table;
use host::slot::start;
use host::{kernel_line, timeline};
use os_config::compose::service::Scope;
use os_config::{LoadedConfig, Severity, Switchable};
use serde_json::{Value, json};

use crate::docker::{self, Client};
use crate::guest_tools::GuestTools;
use crate::network::address_announcer;
use crate::output::Format;
use crate::privilege;
use crate::switch;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: sudo ros status --format json\nExit code: 0 if the machine is well, 1 if not."
)]
pub(crate) struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The state of the machine, and its problems.
#[derive(Debug, Default)]
struct Status {
    lines: Vec<(&'static str, String)>,
    facts: serde_json::Map<String, Value>,
    problems: Vec<String>,
    /// Settings without effect that do no harm.
    warnings: Vec<String>,
}

impl Status {
    fn add(&mut self, name: &'static str, text: String, fact: Value) {
        self.lines.push((name, text));
        self.facts.insert(name.to_owned(), fact);
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    privilege::require_root("ros status")?;
    let runtime = docker::runtime()?;
    let loaded = os_config::load::load(Path::new("/"));
    let status = runtime.block_on(gather(&loaded));
    let is_well = status.problems.is_empty();
    match args.format {
        Format::Json => {
            let mut facts = status.facts;
            facts.insert("healthy".to_owned(), is_well.into());
            facts.insert("problems".to_owned(), json!(status.problems));
            facts.insert("warnings".to_owned(), json!(status.warnings));
            let text = serde_json::to_string_pretty(&facts).context("printing the status")?;
            println!("{text}");
        }
        Format::Text => {
            for (name, text) in &status.lines {
                println!("{name:<10} {text}");
            }
            for (title, list) in [
                ("problems", &status.problems),
                ("warnings", &status.warnings),
            ] {
                for (index, text) in list.iter().enumerate() {
                    let name = if index == 0 { title } else { "" };
                    println!("{name:<10} {text}");
                }
            }
            println!("{:<10} {}", "healthy", if is_well { "yes" } else { "no" });
        }
    }
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn gather(loaded: &LoadedConfig) -> Status {
    let mut status = Status::default();
    let version = env!("CARGO_PKG_VERSION");
    status.add("version", format!("PaddockOS {version}"), version.into());
    add_image(&mut status);
    let (text, fact) = GuestTools::read(Path::new("/")).describe(&loaded.config);
    status.add("hypervisor", text, fact);
    add_uptime(&mut status);
    add_engines(&mut status, &loaded.config).await;
    add_network(&mut status).await;
    add_memory(&mut status);
    add_disk(&mut status);
    add_boot(&mut status);
    let of_configuration = loaded.problems.iter().map(ProblemRecord::from);
    for problem in problems::distinct(of_configuration.chain(problems::list())) {
        match problem.severity {
            Severity::Error => status.problems.push(problem.text),
            Severity::Warning => status.warnings.push(problem.text),
        }
    }
    status
}

/// Adds the device with the OS image, and the slot that the machine has started from.
fn add_image(status: &mut Status) {
    let mounts = mount_table::read(Path::new(mount_table::OF_INIT)).unwrap_or_default();
    let start = start::read(&kernel_line::read(Path::new("/")));
    let folder = if start.is_some() { SLOT } else { MEDIUM };
    let device = mount_table::find(&mounts, Path::new(folder));
    let device = device.map(|mount| mount.source.display().to_string());
    let slot = start.map(|start| start.slot.to_string());
    let text = match (&device, &slot) {
        (Some(device), Some(slot)) => format!("on {device}, slot {slot}"),
        (Some(device), None) => format!("on {device}, in no slot"),
        (None, _) => "in memory, in no slot".to_owned(),
    };
    status.add("image", text, json!({"device": device, "slot": slot}));
}

fn add_uptime(status: &mut Status) {
    let seconds = timeline::uptime_secs();
    let minutes = (seconds / 60.0) as u64;
    let text = format!(
        "{} d {} h {} min",
        minutes / 1440,
        minutes / 60 % 24,
        minutes % 60
    );
    status.add("up", text, json!(seconds));
}

async fn add_engines(status: &mut Status, config: &os_config::Config) {
    for (name, title, socket, scope) in [
        ("system", "System Docker", docker::SYSTEM, Scope::System),
        ("user", "User Docker", docker::USER, Scope::User),
    ] {
        let containers = match Client::connect(socket).await {
            Ok(engine) => engine.containers(true).await,
            Err(error) => Err(error),
        };
        let containers = match containers {
            Ok(containers) => containers,
            Err(error) => {
                status.add(name, format!("does not answer: {error:#}"), Value::Null);
                status.problems.push(format!("{title} does not answer"));
                continue;
            }
        };
        let running = containers.iter().filter(|found| found.running).count();
        let text = format!("{title}: {running} of {} containers run", containers.len());
        let fact = json!({"containers": containers.len(), "running": running});
        status.add(name, text, fact);
        for switchable in Switchable::ALL
            .into_iter()
            .filter(|_| scope == Scope::System)
        {
            let found = switch::containers::running_name(switchable, &containers).unwrap_or("none");
            status.add(switchable.display_name(), found.to_owned(), found.into());
        }
        for (service, definition) in &config.rancher.services {
            let runs = containers
                .iter()
                .any(|found| found.running && found.name == definition.container(service));
            let is_meant_to = definition.scope() == scope
                && matches!(
                    definition.restart.as_deref(),
                    Some("always" | "unless-stopped")
                )
                && !definition.createonly();
            if is_meant_to && !runs {
                status
                    .problems
                    .push(format!("service {service} does not run"));
            }
        }
    }
}

async fn add_network(status: &mut Status) {
    let found = address_announcer::current_addresses()
        .await
        .unwrap_or_default();
    let shown: Vec<String> = found
        .iter()
        .map(|(link, address)| format!("{link} {address}"))
        .collect();
    let fact: Vec<Value> = found
        .iter()
        .map(|(link, address)| json!({"link": link, "address": address}))
        .collect();
    let text = if shown.is_empty() {
        "no address".to_owned()
    } else {
        shown.join(", ")
    };
    status.add("network", text, fact.into());
}

/// Adds the longest phases and services of this boot.
fn add_boot(status: &mut Status) {
    const SHOWN: usize = 3;
    let marks = timeline::read(Path::new(host::paths::TIMELINE));
    let Some(last) = marks.last() else { return };
    let mut steps: Vec<&timeline::TimelineEntry> =
        marks.iter().filter(|mark| mark.took.is_some()).collect();
    steps.sort_by(|a, b| b.took.partial_cmp(&a.took).unwrap_or(Ordering::Equal));
    let longest: Vec<String> = steps
        .iter()
        .take(SHOWN)
        .map(|mark| format!("{} {:.1} s", mark.name, mark.took.unwrap_or_default()))
        .collect();
    let text = format!(
        "{} after {:.1} s ({})",
        last.name,
        last.at,
        longest.join(", ")
    );
    status.add("boot", text, json!(marks));
}

fn add_memory(status: &mut Status) {
    let memory = Memory::read(Path::new("/"));
    let (total, free) = (memory.total_kib / 1024, memory.available_kib / 1024);
    let text = format!("{} of {total} MB used", total.saturating_sub(free));
    status.add(
        "memory",
        text,
        json!({"total_mb": total, "available_mb": free}),
    );
}

/// Adds the state filesystem. Less than a twentieth of free space is too little for images.
fn add_disk(status: &mut Status) {
    let Ok(stat) = nix::sys::statvfs::statvfs("/home") else {
        return;
    };
    let block = stat.fragment_size();
    let (total, free) = (
        (stat.blocks() * block) >> 20,
        (stat.blocks_available() * block) >> 20,
    );
    let text = format!("{} of {total} MB used", total.saturating_sub(free));
    status.add(
        "disk",
        text,
        json!({"total_mb": total, "available_mb": free}),
    );
    if free * 20 < total {
        status
            .problems
            .push(format!("the state filesystem has only {free} MB left"));
    }
}
