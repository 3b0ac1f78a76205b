//! The container in which a console or an engine is replaced: beside both, since stopping the console ends whoever
//! asked for it, and an interrupted command must not leave the machine half-way.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use os_config::Switchable;
use os_config::compose::service::Service;

use crate::docker::{self, Client};
use crate::services::container;
use crate::switch::transaction;

const BASE_IMAGE: &str = "paddock/base";
/// Longer than any change.
const WORKER_TIMEOUT: Duration = Duration::from_secs(300);
/// All that is needed to load the configuration, to talk to the engines and to say what happens.
const VOLUMES: [&str; 8] = [
    "/dev:/dev",
    "/run:/run",
    "/etc:/etc",
    "/var/log:/var/log",
    "/state/var/lib:/var/lib",
    "/usr/share/ros:/usr/share/ros:ro",
    // Where definitions may be.
    "/home:/home:ro",
    "/opt:/opt:ro",
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    what: What,
    name: String,
    /// Leave the configuration as it is.
    #[arg(long)]
    for_now: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    Console,
    Engine,
}

pub(crate) fn name(switchable: Switchable) -> String {
    format!("switch-{}", switchable.word())
}

/// Replaces the one that runs by `wanted`, and shows what is said meanwhile. With `for_now` the configuration
/// stays as it is. Returns the exit code.
pub(crate) async fn run_in_one(
    system: &Client,
    switchable: Switchable,
    wanted: &str,
    for_now: bool,
) -> Result<ExitCode> {
    let worker = name(switchable);
    if let Some(found) = system.container(&worker).await? {
        ensure!(
            !found.running,
            "a switch is going on already\nhint: `system-docker logs --follow {worker}` shows it"
        );
    }
    // Whatever happened to one before this.
    transaction::recover(system, &[switchable]).await?;
    let mut command = ["/usr/bin/ros", "switch-worker", switchable.word(), wanted]
        .map(str::to_owned)
        .to_vec();
    command.extend(for_now.then(|| "--for-now".to_owned()));
    let service = Service {
        image: BASE_IMAGE.to_owned(),
        command,
        privileged: true,
        net: Some("host".to_owned()),
        volumes: VOLUMES.map(str::to_owned).into(),
        ..Service::default()
    };
    let mut body = container::body(&worker, &service, "", &BTreeMap::new());
    // It is nobody's service.
    body.labels = None;
    system.create(&worker, body).await?;
    system.start(&worker).await?;
    println!("switching to {wanted}; interrupting this command does not stop it any more");
    show(system, &worker).await;
    let code = system.wait_for_end(&worker).await?;
    system.remove(&worker).await?;
    if code != 0 {
        transaction::recover(system, &[switchable]).await?;
    }
    Ok(if code == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn show(system: &Client, worker: &str) {
    let options = LogsOptionsBuilder::default()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .build();
    let mut said = system.client().logs(worker, Some(options));
    while let Some(Ok(part)) = said.next().await {
        let mut to = std::io::stdout().lock();
        // Whoever closed standard output does not want to see it.
        let _ = to.write_all(&part.into_bytes()).and_then(|()| to.flush());
    }
}

/// Waits for the end of one that runs, and removes it.
pub(crate) async fn clear_up(system: &Client, switchable: Switchable) -> Result<()> {
    let worker = name(switchable);
    if let Some(found) = system.container(&worker).await? {
        if found.running {
            let _ = tokio::time::timeout(WORKER_TIMEOUT, system.wait_for_end(&worker)).await;
        }
        system.remove(&worker).await?;
    }
    Ok(())
}

/// `ros switch-worker`, in that container.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let switchable = match args.what {
        What::Console => Switchable::Console,
        What::Engine => Switchable::Engine,
    };
    docker::runtime()?.block_on(async {
        let system = Client::connect(docker::SYSTEM).await?;
        transaction::replace(&system, switchable, &args.name, args.for_now).await
    })?;
    Ok(ExitCode::SUCCESS)
}
