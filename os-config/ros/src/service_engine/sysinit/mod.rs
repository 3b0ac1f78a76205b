//! `ros sysinit`: the service engine. Brings the system's services up, then the user's, says when the
//! machine is up, and stays to apply restart policies.
//!
//! It may be killed at any moment: PID 1 starts it again, and running services are left alone.

mod boot_logs;
mod dhcp_settings;
mod guest_tools;
mod retries;
mod state_faults;
mod state_room;
mod user_part;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use host::paths::{CONF, CONFIGURED, SYSINIT_BEAT, SYSTEM_LOGS, UP};
use host::perform::clock;
use host::problems::{self, ProblemRecord};
use host::process;
use host::{console, timeline};
use os_config::compose::order::order;
use os_config::compose::service::Scope;
use os_config::{Config, LoadedConfig, Switchable};
use tokio::sync::watch::{Sender, channel};
use tokio::task::JoinSet;

use crate::cloud_init::LocalSources;
use crate::config::Store;
use crate::docker::hollow_images;
use crate::docker::image_sync;
use crate::docker::images::Images;
use crate::docker::preload::{self, TargetEngine};
use crate::docker::{self, Client, Container};
use crate::network::{address_announcer, netconsole};
use crate::service_engine::effective_config::{self, CLOUD_INIT};
use crate::service_engine::scope::{Services, services_of};
use crate::service_engine::{bring_up, late_config, watch};
use crate::switch::transaction::recovery;
use crate::switch::{self, definition_backup};
use crate::user_docker::user_containers::limits;

use retries::{retry_failed, start_when_fetched, switch_when_pulled};
use waits::{ENGINE_TIMEOUT, FIRST_RETRY};

const CLOCK_INTERVAL: Duration = Duration::from_secs(3600);
/// Far below the time after which PID 1 replaces this process.
const LIFE_INTERVAL: Duration = Duration::from_secs(10);
const NETWORK: &str = "network";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print in which order services would start, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.dry_run {
        return dry_run();
    }
    // PID 1 itself must not wait for a disk.
    process::keep_limited(&SYSTEM_LOGS);
    // Containers without limits are better than none.
    if let Err(error) = limits::set_for_machine(Path::new("/")) {
        eprintln!("ros sysinit: limiting the engines together: {error:#}");
    }
    let runtime = docker::runtime()?;
    runtime.block_on(async {
        let (changes, addresses) = channel(());
        tokio::spawn(async {
            if let Err(error) = address_announcer::announce_all(changes).await {
                eprintln!("ros sysinit: {error:#}");
            }
        });
        tokio::spawn(dhcp_settings::follow(addresses));
        tokio::spawn(netconsole::load_when_connected());
        tokio::spawn(record_time());
        tokio::spawn(show_life());
        tokio::spawn(state_room::watch());
        tokio::spawn(state_faults::watch());
        tokio::spawn(image_sync::keep_synced(docker::SYSTEM, Path::new(CONF)));
        if !Path::new(UP).exists() && hollow_images::begin_boot() {
            tokio::task::spawn_blocking(hollow_images::report_all);
        }
        let mut disks = LocalSources::new();
        // The data sources to look for. The first answer ends the search, so nothing of the search changes this.
        let before_data_source = os_config::load::load(Path::new("/")).config;
        // No engine with a network runs yet, and a data source's answer counts later.
        if !Path::new(CONFIGURED).exists()
            && let Some(problem) = late_config::set_forwarding(&before_data_source)
        {
            problems::report(&problem);
        }
        // System Docker is still starting, so reading disks costs no time now.
        read_disks(&mut disks, &before_data_source);
        loop {
            if let Err(error) = bring_up_and_follow(&mut disks, &before_data_source).await {
                console::print_line(&format!("ros: {error:#}"));
                tokio::time::sleep(FIRST_RETRY).await;
            }
        }
    })
}

/// Shows PID 1 that this process does not hang.
async fn show_life() {
    loop {
        // The file is in memory. Without it PID 1 replaces this process, and the next one may write it.
        if let Err(error) = std::fs::write(SYSINIT_BEAT, timeline::uptime_secs().to_string()) {
            eprintln!("ros sysinit: writing {SYSINIT_BEAT}: {error}");
        }
        tokio::time::sleep(LIFE_INTERVAL).await;
    }
}

/// Writes down the time each hour: a power cut loses the clock of a machine without a battery.
async fn record_time() {
    loop {
        tokio::time::sleep(CLOCK_INTERVAL).await;
        if let Err(error) = clock::record() {
            eprintln!("ros sysinit: {error:#}");
        }
    }
}

/// A round of the service engine. It ends when System Docker goes away, and the next round begins.
async fn bring_up_and_follow(disks: &mut LocalSources, before_data_source: &Config) -> Result<()> {
    let engine = Client::wait_for(docker::SYSTEM, ENGINE_TIMEOUT)
        .await
        .context("System Docker does not answer")?;
    timeline::record("System Docker", None);
    let events = watch::subscribe(&engine);
    let (sender, services) = channel(Services::new());
    // Restart policies apply while services are still being brought up, and while a switch is waited for.
    let following = watch::follow(&engine, services, events);
    tokio::pin!(following);
    tokio::select! {
        () = &mut following => {}
        round = start_round(engine.clone(), disks, before_data_source, &sender) => {
            // Its retries end with it.
            let _round = round?;
            following.await;
        }
    }
    eprintln!("ros sysinit: System Docker went away");
    Ok(())
}

/// Recovers switches and brings all services up.
async fn start_round(
    engine: Client,
    disks: &mut LocalSources,
    before_data_source: &Config,
    sender: &Sender<Services>,
) -> Result<Round> {
    read_disks(disks, before_data_source);
    if let Err(error) = recovery::recover(&engine, &Switchable::ALL).await {
        let text = format!("mending a switch that was cut off: {error:#}");
        problems::report(&ProblemRecord::error(
            "switch.recovery",
            "ros sysinit",
            text,
        ));
    }
    // Later than the recovery, which keeps the definition of a switch that got as far as the configuration.
    if !Path::new(UP).exists() {
        definition_backup::recover();
    }
    preload::load_and_report(TargetEngine::System, &[]).await;
    let images = engine.images().await?;
    let existing = engine.containers(true).await?;
    // Every round loads anew: a data source may have answered, a switch may have been recovered, and an operator may
    // have changed the configuration before System Docker went away.
    let (loaded, absent) = effective_config::load_startable(&images, &existing);
    let engine = engine.with_logins(&loaded.config);
    if !loaded.config.rancher.services.contains_key(CLOUD_INIT) {
        complete(&loaded);
    }
    if let Err(error) = rebuild_console(&engine, &loaded).await {
        const KEY: &str = "rancher.force_console_rebuild";
        let text = format!("{KEY}: {error:#}");
        problems::report(&ProblemRecord::error("console.rebuild", KEY, text));
    }
    let mut round = Round {
        loaded,
        absent,
        images,
        existing,
        retries: JoinSet::new(),
    };
    sender.send_replace(services_of(&round.loaded, Scope::System));
    bring_up(&engine, &mut round, sender).await?;
    Ok(round)
}

/// The state of one round.
struct Round {
    loaded: LoadedConfig,
    /// The chosen console and engine whose images are still to be pulled.
    absent: BTreeMap<Switchable, String>,
    /// Images and containers of System Docker at the start of the round.
    images: Images,
    existing: Vec<Container>,
    /// What is tried again. It ends with the round, because the next round begins with all services.
    retries: JoinSet<()>,
}

async fn bring_up(engine: &Client, round: &mut Round, services: &Sender<Services>) -> Result<()> {
    if !Path::new(UP).exists() {
        tokio::spawn(user_part::mark_user_docker());
    }
    let Round {
        loaded,
        absent,
        images,
        existing,
        retries,
    } = round;
    let outcome = bring_up::start_scope(engine, Scope::System, loaded, |loaded| {
        problems::flush_pending();
        // The data source's answer has just been saved.
        let (now, absent_now) = effective_config::load_startable(images, existing);
        *absent = absent_now;
        let before = std::mem::replace(loaded, now);
        complete(loaded);
        services.send_replace(services_of(loaded, Scope::System));
        outdated(&before.config, &loaded.config)
    })
    .await;
    for problem in &outcome.problems {
        problems::report(problem);
    }
    problems::flush_pending();
    let (of_switches, failed) = outcome
        .failed
        .into_iter()
        .partition(|name| is_replaced(name, loaded));
    retries.spawn(retry_failed(engine.clone(), Scope::System, failed));
    for name in loaded.absent_definitions.clone() {
        retries.spawn(start_when_fetched(engine.clone(), services.clone(), name));
    }
    retries.spawn(guest_tools::start(
        engine.clone(),
        services.clone(),
        loaded.config.clone(),
    ));
    bring_up::stop_orphans(engine, loaded, Scope::System).await?;
    timeline::record("system services", None);
    let is_boot = !Path::new(UP).exists();
    let changed = outcome.changed || is_boot;
    let (loaded, started, absent) = (loaded.clone(), loaded.clone(), absent.clone());
    let system = engine.clone();
    // The restart of a dead system container must not wait for the user's part.
    tokio::spawn(async move {
        if let Err(error) = user_part::run(loaded, changed).await {
            console::print_line(&format!("ros: {error:#}"));
        }
        // A round after the boot has the logs of something else.
        if is_boot {
            tokio::task::spawn_blocking(save_boot_logs);
        }
        for (switchable, name) in absent {
            let system = system.clone();
            tokio::spawn(async move { switch_when_pulled(&system, switchable, &name).await });
        }
    });
    // After the boot, an operator may have stopped the console or the engine.
    if Path::new(UP).exists() {
        return Ok(());
    }
    // If User Docker does not answer, the image's own engine replaces it.
    let system = engine.clone();
    retries.spawn(async move {
        for switchable in Switchable::ALL {
            if let Err(error) = switch::boot::replace_unhealthy(&system, switchable, &started).await
            {
                let text = format!("{}: {error:#}", switchable.display_name());
                problems::report(&switch::failure::problem(switchable, text));
            }
        }
        retry_failed(system, Scope::System, of_switches).await;
    });
    Ok(())
}

/// The system services that a data source's answer outdates. After the boot, an answer that is the same restarts nothing.
fn outdated(before: &Config, now: &Config) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // The network started before the data sources were asked; their answer may change its settings.
    if before.rancher.network != now.rancher.network {
        names.insert(NETWORK.to_owned());
    }
    if !Path::new(UP).exists() {
        names.extend(now.rancher.restart_services.iter().cloned());
    }
    names
}

/// Whether a failed service is a chosen console or engine, which the image's own replaces in this boot. A second try
/// would be in the way of the switch.
fn is_replaced(name: &str, loaded: &LoadedConfig) -> bool {
    let label = |switchable: &Switchable| {
        let service = loaded.config.rancher.services.get(name)?;
        service.labels.get(switchable.label())
    };
    !Path::new(UP).exists()
        && Switchable::ALL.iter().any(|switchable| {
            switchable.service() == name
                && label(switchable)
                    .is_some_and(|name| *name != switchable.default_name(&loaded.config))
        })
}

/// `rancher.force_console_rebuild`: removes the console's container, once.
async fn rebuild_console(engine: &Client, loaded: &LoadedConfig) -> Result<()> {
    if !loaded.config.rancher.force_console_rebuild || Path::new(UP).exists() {
        return Ok(());
    }
    let name = Switchable::Console.service();
    if let Some(service) = loaded.config.rancher.services.get(name)
        && engine.image_id(&service.image).await?.is_none()
    {
        anyhow::bail!(
            "image {} is not here; the console stays as it is",
            service.image
        );
    }
    // The setting is cleared before the removal, so that the next boot does not repeat it.
    Store::new(Path::new("/")).set_switch("rancher.force_console_rebuild", false)?;
    engine.remove(name).await
}

/// Looks for a data source on a disk until the configuration of this boot is complete.
fn read_disks(disks: &mut LocalSources, config: &Config) {
    if Path::new(CONFIGURED).exists() {
        return;
    }
    if let Err(error) = disks.read_new(config) {
        console::print_line(&format!("ros: {error:#}"));
    }
}

fn save_boot_logs() {
    if let Err(error) = boot_logs::save() {
        eprintln!("ros sysinit: {error:#}");
    }
}

/// Applies the complete configuration, once a boot.
fn complete(loaded: &LoadedConfig) {
    if !Path::new(CONFIGURED).exists() {
        late_config::complete_configuration(loaded);
        os_config::load::save_last_good(Path::new("/"));
        // The file is in memory, and so is the other.
        if let Err(error) = std::fs::write(CONFIGURED, "") {
            eprintln!("ros sysinit: writing {CONFIGURED}: {error}");
        }
    }
}

fn dry_run() -> Result<ExitCode> {
    let loaded = effective_config::load_with_choices(&BTreeMap::new());
    let plan = order(&loaded.config.rancher.services);
    for (number, wave) in plan.waves.iter().enumerate() {
        println!("{}: {}", number + 1, wave.join(", "));
    }
    for error in &plan.errors {
        println!("{error}");
    }
    Ok(ExitCode::SUCCESS)
}
