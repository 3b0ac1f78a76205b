//! Replacing the console or the engine that runs: the old container is set aside, the new one started, and the old
//! one put back unless the new one answers.
//!
//! It runs in a container of its own, beside both: stopping the console ends whoever asked for it, and an
//! interrupted command must not leave the machine half-way. The configuration is changed last, so that a
//! machine whose power is cut in between comes up with what it had.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use init::announce;
use os_config::load::Variant;
use os_config::services::Service;
use os_config::{Config, Loaded};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::config_cmd::Store;
use crate::docker::{self, Engine};
use crate::{container, load, start};

/// How long the new one may take until it answers.
const ANSWER: Duration = Duration::from_secs(90);
/// A console without an ssh server has nothing that answers: it has to keep running for so long.
const STEADY: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Longer than any swap.
const HELPER: Duration = Duration::from_secs(300);
const BASE_IMAGE: &str = "paddock/base";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    what: What,
    name: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    Console,
    Engine,
}

/// The container in which programs of a new image are tried.
pub(super) fn trial_name(variant: Variant) -> String {
    format!("{}.trial", variant.service())
}

/// The container of before, while the new one has not answered.
fn old_name(variant: Variant) -> String {
    format!("{}.old", variant.service())
}

fn helper_name(variant: Variant) -> String {
    format!("switch-{}", variant.word())
}

/// Lets a container of its own do it, and shows what that one says. Returns its exit code.
pub(super) async fn in_a_helper(system: &Engine, variant: Variant, name: &str) -> Result<ExitCode> {
    let helper = helper_name(variant);
    let existing = system.containers(true).await?;
    if let Some(found) = existing.iter().find(|found| found.name == helper) {
        ensure!(
            !found.running,
            "a switch is going on already\nhint: `system-docker logs --follow {helper}` shows it"
        );
        system.remove(&helper).await?;
    }
    let words = ["/usr/bin/ros", "swap", variant.word(), name];
    let service = Service {
        image: BASE_IMAGE.to_owned(),
        command: words.map(str::to_owned).into(),
        privileged: true,
        net: Some("host".to_owned()),
        volumes: [
            "/dev:/dev",
            "/run:/run",
            "/etc:/etc",
            "/state/var/lib:/var/lib",
        ]
        .map(str::to_owned)
        .into(),
        ..Service::default()
    };
    let mut body = container::body(&helper, &service, "", &BTreeMap::new());
    body.labels = None;
    system.create(&helper, body).await?;
    system.start(&helper).await?;
    println!("switching to {name}; interrupting this command does not stop it any more");
    let options = LogsOptionsBuilder::default()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .build();
    let mut said = system.client().logs(&helper, Some(options));
    while let Some(Ok(part)) = said.next().await {
        let mut to = std::io::stdout().lock();
        // Whoever closed standard output does not want to see it.
        let _ = to.write_all(&part.into_bytes()).and_then(|()| to.flush());
    }
    let code = system.wait_for_end(&helper).await?;
    system.remove(&helper).await?;
    Ok(if code == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `ros swap`, in the helper.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let variant = match args.what {
        What::Console => Variant::Console,
        What::Engine => Variant::Engine,
    };
    docker::runtime()?.block_on(async {
        let system = Engine::connect(docker::SYSTEM).await?;
        swap(&system, variant, &args.name).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Replaces the one that runs by `name`, whose image is here. An error says what runs instead.
pub(crate) async fn swap(system: &Engine, variant: Variant, name: &str) -> Result<()> {
    let loaded = load::choosing(&BTreeMap::from([(variant, name.to_owned())]));
    let users = match variant {
        Variant::Engine => running_users().await,
        Variant::Console => Vec::new(),
    };
    let has_old = set_aside(system, variant).await?;
    let result = bring_up(system, variant, &loaded)
        .await
        .and_then(|()| Store::of(Path::new("/")).set_texts(&[(variant.key(), name)]));
    let word = variant.word();
    let Err(error) = result else {
        start_again(&users).await;
        system.remove(&old_name(variant)).await?;
        let text = format!("ros: {word} {name} runs");
        println!("{text}");
        announce::line(&text);
        return Ok(());
    };
    system.remove(variant.service()).await?;
    let instead = if has_old {
        put_back(system, variant).await?;
        start_again(&users).await;
        "the one of before runs again"
    } else {
        "there was none before"
    };
    let text = format!("{word} {name} could not be started: {error:#}; {instead}");
    init::problems::say(&text);
    bail!("{text}");
}

/// Stops the container that runs, and keeps it under another name; whether there was one.
async fn set_aside(system: &Engine, variant: Variant) -> Result<bool> {
    let (name, old) = (variant.service(), old_name(variant));
    let existing = system.containers(true).await?;
    if !existing.iter().any(|found| found.name == name) {
        return Ok(false);
    }
    println!("stopping the {} that runs", variant.word());
    system.remove(&old).await?;
    system.stop(name, None).await?;
    if let Err(error) = system.rename(name, &old).await {
        system.start(name).await?;
        return Err(error);
    }
    Ok(true)
}

async fn put_back(system: &Engine, variant: Variant) -> Result<()> {
    let name = variant.service();
    system.rename(&old_name(variant), name).await?;
    start::forget(name);
    system.start(name).await?;
    if variant == Variant::Engine {
        Engine::wait_for(docker::USER, ANSWER).await?;
    }
    Ok(())
}

async fn bring_up(system: &Engine, variant: Variant, loaded: &Loaded) -> Result<()> {
    let name = variant.service();
    let Some(service) = loaded.config.rancher.services.get(name) else {
        return Ok(());
    };
    println!("starting {}", service.image);
    start::forget(name);
    let environment = &loaded.config.rancher.environment;
    start::one(system, name, service, environment).await?;
    let began = Instant::now();
    loop {
        let state = system.describe(name).await?.map(|found| found.state);
        ensure!(
            state.as_deref() == Some("running"),
            "it ended: {}",
            last_words(system, name).await
        );
        let answer = match variant {
            Variant::Engine => Engine::connect(docker::USER).await.map(drop),
            Variant::Console => console_answers(&loaded.config, began.elapsed()).await,
        };
        match answer {
            Ok(()) => return Ok(()),
            Err(error) if began.elapsed() > ANSWER => {
                return Err(error).context("it does not answer");
            }
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

async fn last_words(system: &Engine, name: &str) -> String {
    let said = system.printed(name).await.unwrap_or_default();
    crate::tool::last_line(said.trim_end()).to_owned()
}

/// The ssh server's greeting; without a server, that it has been running for a while.
async fn console_answers(config: &Config, age: Duration) -> Result<()> {
    let ssh = &config.rancher.ssh;
    if !ssh.daemon {
        ensure!(age >= STEADY, "it has not been running long enough");
        return Ok(());
    }
    let address = ssh.listen_address.as_deref().unwrap_or("127.0.0.1");
    let mut stream = TcpStream::connect((address, ssh.port.unwrap_or(22)))
        .await
        .context("connecting to its ssh server")?;
    let mut greeting = [0; 4];
    let read = stream.read_exact(&mut greeting);
    tokio::time::timeout(STEADY, read)
        .await
        .context("waiting for its ssh server's greeting")?
        .context("reading its ssh server's greeting")?;
    ensure!(&greeting == b"SSH-", "no ssh server answers");
    Ok(())
}

/// The user's containers that run now.
async fn running_users() -> Vec<String> {
    let running = async {
        let user = Engine::connect(docker::USER).await?;
        user.containers(false).await
    };
    let containers = running.await.unwrap_or_default();
    containers.into_iter().map(|found| found.name).collect()
}

/// A restart policy brings most of them back; the others were stopped by the switch, and not by their user.
async fn start_again(names: &[String]) {
    let Ok(user) = Engine::wait_for(docker::USER, ANSWER).await else {
        return;
    };
    for name in names {
        if let Err(error) = user.start(name).await {
            println!("{error:#}");
        }
    }
}

/// Puts right what a switch that was cut off has left: a machine without its console or its engine.
pub(crate) async fn mend(system: &Engine) -> Result<()> {
    for variant in Variant::ALL {
        let (name, old, helper) = (variant.service(), old_name(variant), helper_name(variant));
        let existing = system.containers(true).await?;
        let found = |name: &str| existing.iter().find(|found| found.name == name);
        if found(&helper).is_some_and(|helper| helper.running) {
            // It is being done; only whoever waits for this was started again.
            let _ = tokio::time::timeout(HELPER, system.wait_for_end(&helper)).await;
            continue;
        }
        if found(&old).is_some() {
            if found(name).is_some() {
                system.remove(&old).await?;
            } else {
                system.rename(&old, name).await?;
            }
        }
        for left in [helper, trial_name(variant)] {
            if found(&left).is_some() {
                system.remove(&left).await?;
            }
        }
    }
    Ok(())
}
