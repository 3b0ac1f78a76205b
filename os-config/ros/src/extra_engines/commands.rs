//! `ros engine create` and `rm`: further User Dockers, and what each of them needs on the machine: a network that
//! leads out, and a command of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use os_config::Config;
use os_config::Switchable;
use os_config::keys::extra_engines::{ExtraEngine, LABEL_NAME, NETWORK, is_name};

use crate::config::Store;
use crate::docker::progress;
use crate::docker::{self, Client};
use crate::services::{bring_up, effective_config};
use crate::subprocess;
use crate::switch::candidate::{self, Candidate};

/// Of the network that is made where none is named: private, and seldom somebody's own.
const SUBNET: &str = "10.171.71.0/24";
const COMMANDS: &str = "/usr/local/bin";
/// How long a new engine may take until it answers.
const ANSWER: Duration = Duration::from_secs(60);

/// How a further engine is to be.
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

/// Which further engine is to go.
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

pub(crate) fn create(args: &CreateArgs) -> Result<ExitCode> {
    let name = &args.name;
    ensure!(
        is_name(name),
        "{name:?} cannot be an engine's name: expected letters, digits, hyphens and underscores"
    );
    let config = os_config::load::load(Path::new("/")).config;
    let runtime = docker::runtime()?;
    // One that was interrupted has been noted, and not made.
    ensure!(
        !config.rancher.engines.contains_key(name) || !runtime.block_on(is_made(name))?,
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
        .map(|engine| runtime.block_on(prepared_image(engine)))
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
    let store = Store::new(Path::new("/"));
    store.set_texts(&texts)?;
    if let Err(error) = runtime.block_on(bring_up(name)) {
        // What was written is what would be tried at every boot.
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

async fn is_made(name: &str) -> Result<bool> {
    let system = Client::connect(docker::SYSTEM).await?;
    let found = system.container(&ExtraEngine::service_name(name)).await?;
    Ok(found.is_some())
}

/// The image of an engine of the catalogue, pulled and tried.
async fn prepared_image(engine: &str) -> Result<Option<String>> {
    let candidate = Candidate::of(Switchable::Engine, engine)?;
    let system = Client::connect(docker::SYSTEM).await?;
    candidate
        .prepare(&system.with_logins(candidate.config()), true)
        .await?;
    Ok(candidate.image().map(str::to_owned))
}

async fn bring_up(name: &str) -> Result<()> {
    let config = effective_config::choosing(&Default::default()).config;
    let service_name = ExtraEngine::service_name(name);
    let service = config.rancher.services.get(&service_name);
    let service = service.context("its service is not in the configuration")?;
    let system = Client::connect(docker::SYSTEM).await?.with_logins(&config);
    bring_up::clear_marks(&service_name);
    bring_up::ensure_running(&system, &service_name, service, &config.rancher.environment).await?;
    let socket = ExtraEngine::socket(name);
    progress::with_progress(
        "waiting for it to answer",
        Client::wait_for(&socket, ANSWER),
    )
    .await
    .context("it does not answer")?;
    write_commands(&config)
}

async fn take_down(name: &str, seconds: i32) -> Result<()> {
    let system = Client::connect(docker::SYSTEM).await?;
    let container = ExtraEngine::service_name(name);
    system.stop(&container, Some(seconds)).await?;
    system.remove(&container).await
}

pub(crate) fn remove(args: &RmArgs) -> Result<ExitCode> {
    let name = &args.name;
    let engines = os_config::load::load(Path::new("/")).config.rancher.engines;
    let store = Store::new(Path::new("/"));
    let key = ["rancher", "engines", name];
    let is_stored = store.has(&key)?;
    if engines.contains_key(name) && !is_stored {
        bail!(
            "engine {name} is not in the stored configuration: take it out of the cloud-config that names it"
        );
    }
    // Where a removal was cut off, only its data is left.
    if !is_stored && !Path::new(&ExtraEngine::data(name)).exists() {
        let known: Vec<&str> = engines.keys().map(String::as_str).collect();
        bail!(
            "there is no further engine {name}; there are: {}",
            known.join(", ")
        );
    }
    let data = ExtraEngine::data(name);
    eprintln!("Removing {name} deletes its containers, images and volumes below {data}.");
    if !args.force && !candidate::goes_on()? {
        println!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    // First of all, so that the next boot does not bring half of it back.
    store.remove(&key)?;
    let runtime = docker::runtime()?;
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
    let command = command(name);
    if Path::new(&command).exists() {
        fs::remove_file(&command).with_context(|| format!("removing {command}"))?;
    }
    println!("engine {name} is gone");
    Ok(ExitCode::SUCCESS)
}

/// Makes the network of a further engine, and lets what is in it reach the outside: System Docker itself leaves
/// the machine's packet filter alone.
pub(crate) async fn prepare_network(system: &Client, network: &str) -> Result<()> {
    let subnet = (network == NETWORK).then_some(SUBNET);
    let (bridge, subnets) = system.network(network, subnet).await?;
    for subnet in &subnets {
        let words = ["-s", subnet, "!", "-o", &bridge, "-j", "MASQUERADE"];
        rule("nat", "POSTROUTING", &words)?;
    }
    rule("filter", "FORWARD", &["-i", &bridge, "-j", "ACCEPT"])?;
    let state = "RELATED,ESTABLISHED";
    let answers = [
        "-o",
        &bridge,
        "-m",
        "conntrack",
        "--ctstate",
        state,
        "-j",
        "ACCEPT",
    ];
    rule("filter", "FORWARD", &answers)
}

/// Adds a rule unless it is there.
fn rule(table: &str, chain: &str, words: &[&str]) -> Result<()> {
    let run = |verb| {
        let mut arguments = vec!["-w", "-t", table, verb, chain];
        arguments.extend(words);
        subprocess::failure("iptables", &arguments, None)
    };
    if run("-C")?.is_none() {
        return Ok(());
    }
    match run("-A")? {
        None => Ok(()),
        Some(said) => bail!("iptables {table} {chain}: {}", subprocess::last_line(&said)),
    }
}

/// `docker-NAME` for each further engine.
pub(crate) fn write_commands(config: &Config) -> Result<()> {
    for name in config.rancher.engines.keys() {
        let file = command(name);
        let text = format!(
            "#!/bin/sh\n# docker, talking to the further engine {name}\nexec docker -H unix://{} \"$@\"\n",
            ExtraEngine::socket(name)
        );
        fs::write(&file, text)
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("writing {file}"))?;
    }
    Ok(())
}

fn command(name: &str) -> String {
    format!("{COMMANDS}/docker-{name}")
}

/// The further engines, each with whether it runs.
pub(crate) fn states(
    containers: &[docker::Container],
    config: &Config,
) -> Vec<(&'static str, String)> {
    let runs = |name: &str| {
        containers.iter().any(|container| {
            container.running
                && container
                    .labels
                    .get(LABEL_NAME)
                    .is_some_and(|found| found == name)
        })
    };
    let names = config.rancher.engines.keys();
    names
        .map(|name| {
            (
                if runs(name) { "enabled" } else { "disabled" },
                name.clone(),
            )
        })
        .collect()
}
