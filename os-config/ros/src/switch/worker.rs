//! The worker: the container in which a console or an engine is replaced. It stands beside the console and the engine,
//! because stopping the console ends the command that asked for the switch, and an interrupted command must not leave
//! the machine half-way.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use os_config::Switchable;
use os_config::compose::service::Service;

use crate::docker::container_lock::ContainerLock;
use crate::docker::{self, Client};
use crate::service_engine::container_body;
use crate::switch::containers::worker_name;
use crate::switch::transaction::{recovery, replace};

const BASE_IMAGE: &str = "paddock/base";
/// The worker loads the configuration, talks to the engines and reports on the consoles.
const VOLUMES: [&str; 8] = [
    "/dev:/dev",
    "/run:/run",
    "/etc:/etc",
    "/var/log:/var/log",
    "/state/var/lib:/var/lib",
    "/usr/share/ros:/usr/share/ros:ro",
    // Definitions of consoles and engines may lie in these.
    "/home:/home:ro",
    "/opt:/opt:ro",
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    what: SwitchableArgument,
    name: String,
    /// Leave the configuration as it is.
    #[arg(long)]
    for_now: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SwitchableArgument {
    Console,
    Engine,
}

/// Replaces the console or engine that runs by `wanted`, and shows the worker's output. With `for_now` the
/// configuration stays as it is. Returns the exit code.
pub(super) async fn run_in_container(
    system: &Client,
    switchable: Switchable,
    wanted: &str,
    for_now: bool,
) -> Result<ExitCode> {
    let worker = worker_name(switchable);
    // Two commands at once: the second waits here, and then sees the worker of the first.
    let lock = ContainerLock::wait(system, &worker).await?;
    if let Some(found) = system.container(&worker).await? {
        ensure!(
            !found.running,
            "a switch is going on already\nhint: `system-docker logs --follow {worker}` shows it"
        );
    }
    // An earlier switch may have been cut off.
    recovery::recover(system, &[switchable]).await?;
    let mut command = [
        "/usr/bin/ros",
        "switch-worker",
        switchable.display_name(),
        wanted,
    ]
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
    let mut body = container_body::body(&worker, &service, "", &BTreeMap::new());
    // The worker belongs to no service.
    body.labels = None;
    system.create(&worker, body).await?;
    system.start(&worker).await?;
    drop(lock);
    println!("switching to {wanted}; interrupting this command does not stop it any more");
    show_output(system, &worker).await;
    let code = system.wait_for_end(&worker).await?;
    let _lock = ContainerLock::wait(system, &worker).await?;
    // The worker that runs now belongs to another command, which has cleared up.
    let is_taken = system
        .container(&worker)
        .await?
        .is_some_and(|found| found.running);
    match code {
        _ if is_taken => {}
        0 => system.remove(&worker).await?,
        _ => recovery::recover(system, &[switchable]).await?,
    }
    Ok(if code == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn show_output(system: &Client, worker: &str) {
    let options = LogsOptionsBuilder::default()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .build();
    let mut output = system.api().logs(worker, Some(options));
    while let Some(Ok(part)) = output.next().await {
        let mut to = std::io::stdout().lock();
        // A closed standard output is no reason to stop.
        let _ = to.write_all(&part.into_bytes()).and_then(|()| to.flush());
    }
}

/// Runs `ros switch-worker`, in the worker's container.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let switchable = match args.what {
        SwitchableArgument::Console => Switchable::Console,
        SwitchableArgument::Engine => Switchable::Engine,
    };
    docker::runtime()?.block_on(async {
        let system = Client::connect(docker::SYSTEM).await?;
        replace::replace(&system, switchable, &args.name, args.for_now).await
    })?;
    Ok(ExitCode::SUCCESS)
}
