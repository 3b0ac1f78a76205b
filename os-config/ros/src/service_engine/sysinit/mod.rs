//! `ros sysinit`: the service engine. Brings the system's services up, then the user's, says when the
//! machine is up, and stays to apply restart policies.
//!
//! It may be killed at any moment: PID 1 starts it again, and running services are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use host::paths::{
    CONFIGURED, CONSOLE_DONE, FIRST_BOOT_DONE, RESCUE_REBOOTS, SHUTDOWN_LOG, SYSINIT_LOG,
    SYSTEM_DOCKER_LOG, UP,
};
use host::perform::clock;
use host::problems::{self, ProblemRecord};
use host::process;
use host::restart::BackOff;
use host::{console, timeline};
use os_config::compose::order::order;
use os_config::compose::service::{Scope, Service};
use os_config::{Config, LoadedConfig, Switchable, atomic_file};
use tokio::sync::watch::{Sender, channel};
use tokio::task::JoinSet;

use crate::cloud_init::LocalSources;
use crate::config::Store;
use crate::docker::images::Images;
use crate::docker::{self, Client, Container};
use crate::docker::{hollow_images, preload};
use crate::network::address_announcer;
use crate::service;
use crate::service_engine::bring_up::USER_DOCKER;
use crate::service_engine::effective_config::{self, CLOUD_INIT};
use crate::service_engine::marks::Marks;
use crate::service_engine::scope::{Services, services_of};
use crate::service_engine::service_container::ServiceContainer;
use crate::service_engine::{bring_up, late_config, watch};
use crate::switch::transaction::recovery;
use crate::switch::{self, definition_backup};
use crate::user_docker::{notices, start_gate, user_containers};

/// The limit for the answer of an engine, as in RancherOS.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(300);
/// The limit for the user's boot commands; after it, the user's services start.
const COMMANDS_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
const CLOCK_INTERVAL: Duration = Duration::from_secs(3600);
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The pauses between attempts that need the network or a registry.
const RETRIES: BackOff = BackOff::new(FIRST_RETRY, Duration::from_secs(60));
/// The attempts to fetch a definition before a failure is a problem.
const FETCH_ATTEMPTS: u32 = 4;
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
    process::keep_limited(&[SYSTEM_DOCKER_LOG, SYSINIT_LOG, SHUTDOWN_LOG]);
    let runtime = docker::runtime()?;
    runtime.block_on(async {
        tokio::spawn(async {
            if let Err(error) = address_announcer::announce_all().await {
                eprintln!("ros sysinit: {error:#}");
            }
        });
        tokio::spawn(record_time());
        if !Path::new(UP).exists() && hollow_images::begin_boot() {
            tokio::task::spawn_blocking(hollow_images::report_all);
        }
        let mut disks = LocalSources::default();
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
    preload(preload::TargetEngine::System, &[]).await;
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
        tokio::spawn(mark_user_docker());
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
    bring_up::stop_orphans(engine, loaded, Scope::System).await?;
    timeline::record("system services", None);
    let changed = outcome.changed || !Path::new(UP).exists();
    let (loaded, started, absent) = (loaded.clone(), loaded.clone(), absent.clone());
    let system = engine.clone();
    // The restart of a dead system container must not wait for the user's part.
    tokio::spawn(async move {
        if let Err(error) = user_part(loaded, changed).await {
            console::print_line(&format!("ros: {error:#}"));
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

/// Replaces the image's own console or engine by the chosen console or engine as soon as the chosen image can be
/// pulled. Ends when the configuration chooses another.
async fn switch_when_pulled(system: &Client, switchable: Switchable, name: &str) {
    if switchable == Switchable::Console {
        // The user's boot commands run in the console that runs now.
        wait_for_commands().await;
    }
    let mut retries = RETRIES;
    loop {
        // The user's boot commands or an operator may have chosen another meanwhile.
        let config = os_config::load::load(Path::new("/")).config;
        if switchable.chosen_name(&config) != name {
            return;
        }
        let switched = switch::boot::switch_when_pulled(system, switchable, name, config).await;
        let Err(error) = switched else { return };
        eprintln!(
            "ros sysinit: {} {name}: {error:#}",
            switchable.display_name()
        );
        tokio::time::sleep(retries.next_pause()).await;
    }
}

/// Starts the services of an included definition as soon as the definition can be fetched. Ends when the configuration
/// does not include it any more.
async fn start_when_fetched(system: Client, services: Sender<Services>, name: String) {
    let id = format!("service.definition.{name}");
    let mut retries = RETRIES;
    for attempt in 1_u32.. {
        let before = effective_config::load_with_choices(&BTreeMap::new());
        if !before.absent_definitions.contains(&name) {
            return;
        }
        match fetch_included(before.config.clone(), name.clone()).await {
            Ok(()) => {
                problems::clear(&id);
                return start_new(&system, &services, &before.config).await;
            }
            // The network may need its time.
            Err(error) if attempt < FETCH_ATTEMPTS => eprintln!("ros sysinit: {name}: {error:#}"),
            Err(error) => {
                let text =
                    format!("rancher.services_include: {name}: {error:#}; it is tried again");
                let key = "rancher.services_include";
                problems::report(&ProblemRecord::error(&id, key, text));
            }
        }
        tokio::time::sleep(retries.next_pause()).await;
    }
}

/// Fetches an included definition in a thread, because the client of HTTP waits.
async fn fetch_included(config: Config, name: String) -> Result<()> {
    let fetch = move || service::fetch_definition(Path::new("/"), &config, &name);
    tokio::task::spawn_blocking(fetch)
        .await
        .context("fetching its definition")?
}

/// Starts the services that the configuration has and `before` had not.
async fn start_new(system: &Client, services: &Sender<Services>, before: &Config) {
    let found = (system.images().await, system.containers(true).await);
    let (Ok(images), Ok(existing)) = found else {
        // System Docker went away; the next round starts all services.
        return;
    };
    let (loaded, _) = effective_config::load_startable(&images, &existing);
    services.send_replace(services_of(&loaded, Scope::System));
    let all = &loaded.config.rancher.services;
    let names = order(all).waves.into_iter().flatten();
    for name in names.filter(|name| !before.rancher.services.contains_key(name)) {
        let Some(scope) = all.get(&name).map(Service::scope) else {
            continue;
        };
        let engine = match scope {
            Scope::System => Ok(system.clone()),
            Scope::User => Client::wait_for(docker::USER, ENGINE_TIMEOUT).await,
        };
        let started = match engine {
            Ok(engine) => {
                let engine = engine.with_logins(&loaded.config);
                let started = start_service(&engine, scope, &name).await;
                if started.is_err() {
                    tokio::spawn(retry_failed(engine, scope, BTreeSet::from([name.clone()])));
                }
                started
            }
            Err(error) => Err(error.context("User Docker does not answer")),
        };
        match started {
            Ok(_) => console::print_line(&format!("ros: service {name} is started now")),
            Err(error) => {
                let text = format!("service {name}: {error:#}");
                let source = format!("service {name}");
                problems::report(&ProblemRecord::error(
                    bring_up::problem_id(&name),
                    source,
                    text,
                ));
            }
        }
    }
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

/// Loads images that wait as archives, and reports the archives that cannot be loaded.
async fn preload(into: preload::TargetEngine, named: &[String]) {
    for problem in preload::load_all(into, named).await {
        problems::report(&problem);
    }
}

/// Connects to User Docker once it has been started: a connection before that would start it, and the user's boot
/// commands come first.
async fn wait_for_user_docker() -> Result<Client> {
    let began = std::time::Instant::now();
    while !start_gate::is_open() && began.elapsed() < ENGINE_TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Client::wait_for(docker::USER, ENGINE_TIMEOUT).await
}

async fn mark_user_docker() {
    if wait_for_user_docker().await.is_ok() {
        timeline::record("User Docker", None);
    }
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

/// Waits for User Docker, brings the user's services up and prints that the machine is up.
async fn user_part(mut loaded: LoadedConfig, changed: bool) -> Result<()> {
    if loaded.config.rancher.services.contains_key(USER_DOCKER) {
        let engine = wait_for_user_docker()
            .await
            .context("User Docker does not answer (see /var/log/docker.log)")?
            .with_logins(&loaded.config);
        notices::report();
        user_containers::start_again(&engine).await;
        preload(
            preload::TargetEngine::User,
            &loaded.config.rancher.preload_images,
        )
        .await;
        if let Err(error) = bring_up::remove_surplus(&engine, &loaded).await {
            let text = format!("{error:#}");
            problems::report(&ProblemRecord::error(
                "service.surplus",
                "ros sysinit",
                text,
            ));
        }
        let services = services_of(&loaded, Scope::User);
        if !services.is_empty() {
            let console = Switchable::Console.service();
            if loaded.config.rancher.services.contains_key(console) {
                wait_for_commands().await;
            }
            let outcome =
                bring_up::start_scope(&engine, Scope::User, &mut loaded, |_| BTreeSet::new()).await;
            for problem in &outcome.problems {
                problems::report(problem);
            }
            tokio::spawn(retry_failed(engine.clone(), Scope::User, outcome.failed));
        }
    }
    if changed {
        timeline::record("up", None);
        problems::flush_pending();
        console::print_line(&format!("ros: up in {:.1} s", timeline::uptime_secs()));
        if let Some(text) = &loaded.config.final_message {
            console::print_line(&final_message(text));
        }
        let _ = std::fs::remove_file(RESCUE_REBOOTS);
        mark_first_boot();
        std::fs::write(UP, "").with_context(|| format!("writing {UP}"))?;
    }
    Ok(())
}

fn mark_first_boot() {
    let mark = Path::new(FIRST_BOOT_DONE);
    if !mark.exists()
        && let Err(error) = atomic_file::replace(mark, b"", 0o644)
    {
        eprintln!("ros sysinit: writing {FIRST_BOOT_DONE}: {error}");
    }
}

/// cloud-init's variables in `final_message`.
fn final_message(text: &str) -> String {
    text.replace("$UPTIME", &format!("{:.2}", timeline::uptime_secs()))
        .replace("$uptime", &format!("{:.2}", timeline::uptime_secs()))
        .replace("$VERSION", env!("CARGO_PKG_VERSION"))
        .replace("$version", env!("CARGO_PKG_VERSION"))
        .trim_end()
        .replace('\n', "\r\n")
}

/// Starts the failed services again until all run, each in a task of its own: an image can be pulled once the network
/// is there, a device appears later, memory and processes get free.
async fn retry_failed(engine: Client, scope: Scope, failed: BTreeSet<String>) {
    let mut retries = JoinSet::new();
    for name in failed {
        retries.spawn(retry_service(engine.clone(), scope, name));
    }
    let mut is_any_started = false;
    while let Some(result) = retries.join_next().await {
        is_any_started |= matches!(result, Ok(true));
    }
    if is_any_started {
        console::print_line("ros: all configured services are started now");
    }
}

/// Starts a service again until it runs. Returns whether it does; it does not if the configuration or an operator gave
/// it up meanwhile.
async fn retry_service(engine: Client, scope: Scope, name: String) -> bool {
    let mut retries = RETRIES;
    loop {
        tokio::time::sleep(retries.next_pause()).await;
        match start_service(&engine, scope, &name).await {
            Ok(runs) => return runs,
            Err(error) => eprintln!("ros sysinit: service {name}: {error:#}"),
        }
    }
}

/// Starts a service as the configuration describes it now. Returns whether it was still to be started.
async fn start_service(engine: &Client, scope: Scope, name: &str) -> Result<bool> {
    let loaded = match scope {
        // The image's own console or engine may be standing in.
        Scope::System => {
            effective_config::load_startable(
                &engine.images().await?,
                &engine.containers(true).await?,
            )
            .0
        }
        Scope::User => effective_config::load_with_choices(&BTreeMap::new()),
    };
    let services = services_of(&loaded, scope);
    // A service that has run to its end is not started again, even if it failed.
    let Some(service) = services.get(name).filter(|_| !Marks::read(name).done) else {
        return Ok(false);
    };
    let container = ServiceContainer {
        engine,
        name,
        service,
        environment: &loaded.config.rancher.environment,
    };
    container.ensure_running(false).await?;
    problems::clear(&bring_up::problem_id(name));
    Ok(true)
}

async fn wait_for_commands() {
    let began = std::time::Instant::now();
    while !Path::new(CONSOLE_DONE).exists() && began.elapsed() < COMMANDS_TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
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
