//! `ros sysinit`: the service engine. Brings the system's services up, then the user's, says when the
//! machine is up, and stays to apply restart policies.
//!
//! It may be killed at any moment: PID 1 starts it again, and what is up already is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use host::{announce, timeline};
use os_config::Loaded;
use os_config::compose::order::order;
use os_config::compose::services::Scope;
use os_config::load::Variant;
use tokio::sync::watch::{Sender, channel};

use crate::cloud_init::Disks;
use crate::config::Store;
use crate::console::console_init;
use crate::docker::preload;
use crate::docker::{self, Engine, Existing, Images};
use crate::network::addresses;
use crate::services::load::{self, CLOUD_INIT};
use crate::services::start::{Services, USER_DOCKER};
use crate::services::{apply, start, user_containers, watch};
use crate::switch::{self, fetched, swap};

/// RancherOS's patience for either engine.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the user's services wait for the user's own boot commands.
const COMMANDS: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Exists once `ros: up` has been said in this boot.
const UP: &str = "/run/ros/up";
/// Exists once the complete configuration has been applied in this boot.
const CONFIGURED: &str = "/run/ros/configured";
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
    let runtime = docker::runtime()?;
    runtime.block_on(async {
        tokio::spawn(async {
            if let Err(error) = addresses::announce_all().await {
                eprintln!("ros sysinit: {error:#}");
            }
        });
        let mut disks = Disks::default();
        // While System Docker starts there is time for it.
        read_disks(&mut disks);
        loop {
            if let Err(error) = bring_up_and_follow(&mut disks).await {
                announce::line(&format!("ros: {error:#}"));
                tokio::time::sleep(FIRST_RETRY).await;
            }
        }
    })
}

/// One round: ends when System Docker goes away, and is then begun again.
async fn bring_up_and_follow(disks: &mut Disks) -> Result<()> {
    let engine = Engine::wait_for(docker::SYSTEM, PATIENCE)
        .await
        .context("System Docker does not answer")?;
    timeline::mark("System Docker", None);
    let events = watch::subscribe(&engine);
    read_disks(disks);
    if !Path::new(UP).exists() {
        fetched::mend();
    }
    if let Err(error) = swap::mend(&engine, &Variant::ALL).await {
        host::problems::say(&format!("mending a switch that was cut off: {error:#}"));
    }
    preload(preload::Into::System, &[]).await;
    let images = engine.images().await?;
    let existing = engine.containers(true).await?;
    let (loaded, absent) = load::with_images(&images, &existing);
    let engine = engine.with_logins(&loaded.config);
    if !loaded.config.rancher.services.contains_key(CLOUD_INIT) {
        complete(&loaded);
    }
    if let Err(error) = rebuild_console(&engine, &loaded).await {
        host::problems::say(&format!("rancher.force_console_rebuild: {error:#}"));
    }
    let mut machine = Machine {
        loaded,
        absent,
        images,
        existing,
    };
    let loaded = &machine.loaded;
    let (sender, services) = channel(start::of_scope(loaded, Scope::System));
    // A service that dies while others are still being brought up is started again as well.
    let following = watch::follow(&engine, services, events);
    tokio::pin!(following);
    tokio::select! {
        () = &mut following => {}
        result = bring_up(&engine, &mut machine, &sender) => {
            result?;
            following.await;
        }
    }
    eprintln!("ros sysinit: System Docker went away");
    Ok(())
}

/// What is brought up.
struct Machine {
    loaded: Loaded,
    /// Chosen, and still to be pulled.
    absent: BTreeMap<Variant, String>,
    /// In System Docker, when it had just started.
    images: Images,
    existing: Vec<Existing>,
}

async fn bring_up(
    engine: &Engine,
    machine: &mut Machine,
    services: &Sender<Services>,
) -> Result<()> {
    if !Path::new(UP).exists() {
        tokio::spawn(mark_user_docker());
    }
    let Machine {
        loaded,
        absent,
        images,
        existing,
    } = machine;
    let outcome = start::all(engine, Scope::System, loaded, |loaded| {
        host::problems::say_for_others();
        let (now, absent_now) = load::with_images(images, existing);
        *absent = absent_now;
        let before = std::mem::replace(loaded, now);
        complete(loaded);
        services.send_replace(start::of_scope(loaded, Scope::System));
        let is_same = before.config.rancher.network == loaded.config.rancher.network;
        // The network came first, so that data sources could be asked; they may have said how it is to be.
        if is_same { None } else { Some(NETWORK) }
    })
    .await;
    for text in &outcome.problems {
        host::problems::say(text);
    }
    host::problems::say_for_others();
    let of_system = start::of_scope(loaded, Scope::System);
    let mut failed = without_image(engine, &of_system, outcome.failed).await;
    // These are replaced by the image's own.
    failed.retain(|name| Variant::ALL.iter().all(|variant| variant.service() != name));
    tokio::spawn(try_again(engine.clone(), Scope::System, failed));
    start::remove_orphans(engine, loaded, Scope::System).await?;
    timeline::mark("system services", None);
    let changed = outcome.changed || !Path::new(UP).exists();
    let (loaded, started, absent) = (loaded.clone(), loaded.clone(), absent.clone());
    let system = engine.clone();
    // The user's part must not keep a dead system container waiting for its restart.
    tokio::spawn(async move {
        if let Err(error) = user_part(loaded, changed).await {
            announce::line(&format!("ros: {error:#}"));
        }
        for (variant, name) in absent {
            let system = system.clone();
            tokio::spawn(async move { swap_when_pulled(&system, variant, &name).await });
        }
    });
    // Later an operator may have stopped one.
    if Path::new(UP).exists() {
        return Ok(());
    }
    // Who waits for User Docker in vain waits for this.
    let system = engine.clone();
    tokio::spawn(async move {
        for variant in Variant::ALL {
            if let Err(error) = swap::watch_over_boot(&system, variant, &started).await {
                host::problems::say(&format!("{}: {error:#}", variant.word()));
            }
        }
    });
    Ok(())
}

/// Replaces the image's own console or engine by the chosen one as soon as that can be pulled, if it still is.
async fn swap_when_pulled(system: &Engine, variant: Variant, name: &str) {
    if variant == Variant::Console {
        // The user's boot commands run in the console that there is.
        wait_for_commands().await;
    }
    let mut pause = FIRST_RETRY;
    while let Err(error) = switch::switch_when_pulled(system, variant, name).await {
        eprintln!("ros sysinit: {} {name}: {error:#}", variant.word());
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_RETRY);
        let chosen = os_config::load::load(Path::new("/")).config;
        if variant.chosen(&chosen) != name {
            return;
        }
    }
}

/// `rancher.force_console_rebuild`: once.
async fn rebuild_console(engine: &Engine, loaded: &Loaded) -> Result<()> {
    if !loaded.config.rancher.force_console_rebuild || Path::new(UP).exists() {
        return Ok(());
    }
    let name = Variant::Console.service();
    if let Some(service) = loaded.config.rancher.services.get(name)
        && engine.image_id(&service.image).await?.is_none()
    {
        anyhow::bail!(
            "image {} is not here; the console stays as it is",
            service.image
        );
    }
    // First of all, so that it is once and not at every boot.
    Store::of(Path::new("/")).set_switch("rancher.force_console_rebuild", false)?;
    engine.remove(name).await
}

/// Loads images that wait as archives; those that cannot be are spoken of.
async fn preload(into: preload::Into, named: &[String]) {
    for problem in preload::load_all(into, named).await {
        host::problems::say(&problem);
    }
}

async fn mark_user_docker() {
    if Engine::wait_for(docker::USER, PATIENCE).await.is_ok() {
        timeline::mark("User Docker", None);
    }
}

/// Looks for a data source on a disk until the configuration of this boot is complete.
fn read_disks(disks: &mut Disks) {
    if Path::new(CONFIGURED).exists() {
        return;
    }
    let config = os_config::load::load(Path::new("/")).config;
    if let Err(error) = disks.read_new(&config) {
        announce::line(&format!("ros: {error:#}"));
    }
}

/// Applies the complete configuration, once a boot.
fn complete(loaded: &Loaded) {
    if !Path::new(CONFIGURED).exists() {
        apply::complete_configuration(loaded);
        os_config::load::remember_good(Path::new("/"));
        if let Err(error) = std::fs::write(CONFIGURED, "") {
            eprintln!("ros sysinit: writing {CONFIGURED}: {error}");
        }
    }
}

/// Waits for User Docker, brings the user's services up and says that the machine is up.
async fn user_part(mut loaded: Loaded, changed: bool) -> Result<()> {
    if loaded.config.rancher.services.contains_key(USER_DOCKER) {
        let engine = Engine::wait_for(docker::USER, PATIENCE)
            .await
            .context("User Docker does not answer (see /var/log/docker.log)")?
            .with_logins(&loaded.config);
        user_containers::start_again(&engine).await;
        preload(preload::Into::User, &loaded.config.rancher.preload_images).await;
        if let Err(error) = start::remove_surplus(&engine, &loaded).await {
            host::problems::say(&format!("{error:#}"));
        }
        let services = start::of_scope(&loaded, Scope::User);
        if !services.is_empty() {
            let console = Variant::Console.service();
            if loaded.config.rancher.services.contains_key(console) {
                wait_for_commands().await;
            }
            let outcome = start::all(&engine, Scope::User, &mut loaded, |_| None).await;
            for text in &outcome.problems {
                host::problems::say(text);
            }
            tokio::spawn(try_again(engine.clone(), Scope::User, outcome.failed));
        }
    }
    if changed {
        timeline::mark("up", None);
        host::problems::say_for_others();
        announce::line(&format!("ros: up in {:.1} s", timeline::since_kernel()));
        if let Some(text) = &loaded.config.final_message {
            announce::line(&final_message(text));
        }
        std::fs::write(UP, "").with_context(|| format!("writing {UP}"))?;
    }
    Ok(())
}

/// cloud-init's variables in `final_message`.
fn final_message(text: &str) -> String {
    text.replace("$UPTIME", &format!("{:.2}", timeline::since_kernel()))
        .replace("$uptime", &format!("{:.2}", timeline::since_kernel()))
        .replace("$VERSION", env!("CARGO_PKG_VERSION"))
        .replace("$version", env!("CARGO_PKG_VERSION"))
        .trim_end()
        .replace('\n', "\r\n")
}

/// An image that cannot be pulled now, because the network or the registry is not there yet, can be later.
async fn try_again(engine: Engine, scope: Scope, mut failed: BTreeSet<String>) {
    let mut pause = FIRST_RETRY;
    while !failed.is_empty() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_RETRY);
        // Somebody may have changed the configuration meanwhile.
        let loaded = load::choosing(&BTreeMap::new());
        let services = start::of_scope(&loaded, scope);
        let environment = &loaded.config.rancher.environment;
        // What has run to its end has had its turn, however it ended.
        failed.retain(|name| services.contains_key(name) && !start::has_ended(name));
        if failed.is_empty() {
            return;
        }
        let mut still = BTreeSet::new();
        for (name, service) in services.iter().filter(|(name, _)| failed.contains(*name)) {
            if let Err(error) = start::one(&engine, name, service, environment).await {
                eprintln!("ros sysinit: service {name}: {error:#}");
                still.insert(name.clone());
            }
        }
        if still.is_empty() {
            return announce::line("ros: all configured services are started now");
        }
        failed = match scope {
            Scope::System => without_image(&engine, &services, still).await,
            Scope::User => still,
        };
    }
}

/// Those whose image is not here. What else a system service fails at is nothing that time mends.
async fn without_image(
    engine: &Engine,
    services: &Services,
    names: BTreeSet<String>,
) -> BTreeSet<String> {
    let mut absent = BTreeSet::new();
    for name in names {
        if let Some(service) = services.get(&name)
            && let Ok(None) = engine.image_id(&service.image).await
        {
            absent.insert(name);
        }
    }
    absent
}

async fn wait_for_commands() {
    let began = std::time::Instant::now();
    while !Path::new(console_init::DONE).exists() && began.elapsed() < COMMANDS {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn dry_run() -> Result<ExitCode> {
    let loaded = load::choosing(&BTreeMap::new());
    let plan = order(&loaded.config.rancher.services);
    for (number, wave) in plan.waves.iter().enumerate() {
        println!("{}: {}", number + 1, wave.join(", "));
    }
    for error in &plan.errors {
        println!("{error}");
    }
    Ok(ExitCode::SUCCESS)
}
