//! `ros engine create` and `rm`: extra engines, User Dockers beside the first, each with a data root, a network and a
//! command of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use os_config::keys::extra_engines::{ExtraEngine, NETWORK, is_name};
use os_config::{Config, Switchable};

use crate::config::Store;
use crate::docker::container_lock::ContainerLock;
use crate::docker::progress;
use crate::docker::{self, Client};
use crate::extra_engines::client_command;
use crate::service_engine::service_container::ServiceContainer;
use crate::service_engine::{effective_config, marks};
use crate::switch::candidate::Candidate;
use crate::switch::trial;

/// The limit for the first answer of a new engine.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(60);

/// The extra engine to be created.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Letters, digits, hyphens and underscores.
    name: String,
    /// The engine, by a name of the catalogue, a file's whole path or an address; User Docker's without.
    #[arg(short = 'v', long = "version")]
    engine: Option<String>,
    /// A network of System Docker; it is made where it is missing.
    #[arg(long)]
    network: Option<String>,
    /// Its address in that network.
    #[arg(long)]
    fixed_ip: Option<Ipv4Addr>,
    #[arg(long, hide = true)]
    ssh_port: Option<u16>,
    #[arg(long, hide = true)]
    authorized_keys: Option<String>,
}

/// The extra engine to be removed.
#[derive(Debug, clap::Args)]
pub(crate) struct RmArgs {
    name: String,
    /// Seconds until its containers are killed.
    #[arg(short, long, default_value_t = 10)]
    timeout: i32,
    /// Do not ask.
    #[arg(short, long)]
    force: bool,
}

pub(crate) fn create(config: &Config, args: &CreateArgs) -> Result<ExitCode> {
    let name = &args.name;
    ensure!(
        is_name(name),
        "{name:?} cannot be an engine's name: expected letters, digits, hyphens and underscores"
    );
    let runtime = docker::runtime()?;
    let _lock = runtime.block_on(lock(name))?;
    let store = Store::new(Path::new("/"));
    // Another command may have stored it since the configuration was loaded. An interrupted creation is in the
    // configuration, without a container.
    let is_known =
        config.rancher.engines.contains_key(name) || store.has(&["rancher", "engines", name])?;
    ensure!(
        !is_known || !runtime.block_on(exists(name))?,
        "there is an engine {name} already\nhint: `ros engine rm {name}` removes it"
    );
    if args.ssh_port.is_some() || args.authorized_keys.is_some() {
        eprintln!(
            "ros: nobody logs in to a further engine here, so --ssh-port and --authorized-keys have no effect\n\
             hint: `docker-{name}` talks to it, also over the machine's own ssh"
        );
    }
    let image = args
        .engine
        .as_ref()
        .map(|engine| runtime.block_on(prepare_image(config, engine)))
        .transpose()?
        .flatten();
    let key = |part: &str| format!("rancher.engines.{name}.{part}");
    let network = args.network.as_deref().unwrap_or(NETWORK);
    let mut texts = vec![(key("network"), network)];
    let address = args.fixed_ip.map(|address| address.to_string());
    for (part, text) in [("image", &image), ("fixed_ip", &address)] {
        texts.extend(text.as_ref().map(|text| (key(part), text.as_str())));
    }
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(key, text)| (key.as_str(), *text))
        .collect();
    store.set_texts(&texts)?;
    if let Err(error) = runtime.block_on(start(name)) {
        // Left in the configuration, the engine would be tried at every boot.
        store.remove(&["rancher", "engines", name])?;
        runtime.block_on(take_down(name, 0))?;
        return Err(error).with_context(|| format!("engine {name} was not made"));
    }
    println!(
        "engine {name} runs; `docker-{name}` talks to it, at {}",
        ExtraEngine::socket(name)
    );
    Ok(ExitCode::SUCCESS)
}

/// Waits until no other command makes or removes the engine. The lock of its container is another: it is taken and
/// released meanwhile.
async fn lock(name: &str) -> Result<ContainerLock> {
    let system = Client::connect(docker::SYSTEM).await?;
    let command = format!("{}.command", ExtraEngine::service_name(name));
    ContainerLock::wait(&system, &command).await
}

async fn exists(name: &str) -> Result<bool> {
    let system = Client::connect(docker::SYSTEM).await?;
    let found = system.container(&ExtraEngine::service_name(name)).await?;
    Ok(found.is_some())
}

/// Pulls and tries an engine of the catalogue. Returns the name of its image.
async fn prepare_image(config: &Config, engine: &str) -> Result<Option<String>> {
    let candidate = Candidate::find(config, Switchable::Engine, engine)?;
    let system = Client::connect(docker::SYSTEM).await?;
    trial::prepare(&candidate, &system.with_logins(candidate.config()), true).await?;
    Ok(candidate.image().map(str::to_owned))
}

async fn start(name: &str) -> Result<()> {
    // The engine has just been stored: the configuration has its service only now.
    let config = effective_config::load_with_choices(&Default::default()).config;
    let service_name = ExtraEngine::service_name(name);
    let service = config.rancher.services.get(&service_name);
    let service = service.context("its service is not in the configuration")?;
    let system = Client::connect(docker::SYSTEM).await?.with_logins(&config);
    marks::clear_marks(&service_name);
    let container = ServiceContainer {
        engine: &system,
        name: &service_name,
        service,
        environment: &config.rancher.environment,
    };
    container.ensure_running(false).await?;
    let socket = ExtraEngine::socket(name);
    progress::with_progress(
        "waiting for it to answer",
        Client::wait_for(&socket, ENGINE_TIMEOUT),
    )
    .await
    .context("it does not answer")?;
    client_command::write_all(&config)
}

async fn take_down(name: &str, seconds: i32) -> Result<()> {
    let system = Client::connect(docker::SYSTEM).await?;
    let container = ExtraEngine::service_name(name);
    system.stop(&container, Some(seconds)).await?;
    system.remove(&container).await
}

pub(crate) fn remove(config: &Config, args: &RmArgs) -> Result<ExitCode> {
    let name = &args.name;
    let engines = &config.rancher.engines;
    let store = Store::new(Path::new("/"));
    let key = ["rancher", "engines", name];
    let is_stored = store.has(&key)?;
    if engines.contains_key(name) && !is_stored {
        bail!(
            "engine {name} is not in the stored configuration: take it out of the cloud-config that names it"
        );
    }
    // A removal that was cut off leaves the data only.
    if !is_stored && !Path::new(&ExtraEngine::data_root(name)).exists() {
        let known: Vec<&str> = engines.keys().map(String::as_str).collect();
        bail!(
            "there is no further engine {name}; there are: {}",
            known.join(", ")
        );
    }
    let data = ExtraEngine::data_root(name);
    eprintln!("Removing {name} deletes its containers, images and volumes below {data}.");
    if !args.force && !crate::output::confirm()? {
        println!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let runtime = docker::runtime()?;
    let _lock = runtime.block_on(lock(name))?;
    // The engine leaves the configuration first, so that the next boot does not bring half of it back.
    store.remove(&key)?;
    runtime.block_on(progress::with_progress(
        "stopping it",
        take_down(name, args.timeout),
    ))?;
    for file in [format!("/state{data}"), data] {
        if Path::new(&file).exists() {
            let folder = file.clone();
            runtime
                .block_on(progress::with_progress("removing its data", async {
                    tokio::task::spawn_blocking(|| fs::remove_dir_all(folder)).await
                }))
                .context("removing its data")?
                .with_context(|| format!("removing {file}"))?;
        }
    }
    client_command::remove(name)?;
    println!("engine {name} is gone");
    Ok(ExitCode::SUCCESS)
}
