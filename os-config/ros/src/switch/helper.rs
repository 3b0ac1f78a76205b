//! The container in which a console or an engine is replaced: beside both, since stopping the console ends whoever
//! asked for it, and an interrupted command must not leave the machine half-way.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use os_config::compose::services::Service;
use os_config::load::Variant;

use crate::docker::{self, Engine};
use crate::services::container;
use crate::switch::swap;

const BASE_IMAGE: &str = "paddock/base";
/// Longer than any change.
const PATIENCE: Duration = Duration::from_secs(300);
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

pub(crate) fn name(variant: Variant) -> String {
    format!("switch-{}", variant.word())
}

/// Replaces the one that runs by `wanted`, and shows what is said meanwhile. With `for_now` the configuration
/// stays as it is. Returns the exit code.
pub(crate) async fn run_in_one(
    system: &Engine,
    variant: Variant,
    wanted: &str,
    for_now: bool,
) -> Result<ExitCode> {
    let helper = name(variant);
    if let Some(found) = system.container(&helper).await? {
        ensure!(
            !found.running,
            "a switch is going on already\nhint: `system-docker logs --follow {helper}` shows it"
        );
    }
    // Whatever happened to one before this.
    swap::mend(system, &[variant]).await?;
    let mut command = ["/usr/bin/ros", "swap", variant.word(), wanted]
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
    let mut body = container::body(&helper, &service, "", &BTreeMap::new());
    // It is nobody's service.
    body.labels = None;
    system.create(&helper, body).await?;
    system.start(&helper).await?;
    println!("switching to {wanted}; interrupting this command does not stop it any more");
    show(system, &helper).await;
    let code = system.wait_for_end(&helper).await?;
    system.remove(&helper).await?;
    if code != 0 {
        swap::mend(system, &[variant]).await?;
    }
    Ok(if code == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn show(system: &Engine, helper: &str) {
    let options = LogsOptionsBuilder::default()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .build();
    let mut said = system.client().logs(helper, Some(options));
    while let Some(Ok(part)) = said.next().await {
        let mut to = std::io::stdout().lock();
        // Whoever closed standard output does not want to see it.
        let _ = to.write_all(&part.into_bytes()).and_then(|()| to.flush());
    }
}

/// Waits for the end of one that runs, and removes it.
pub(crate) async fn clear_up(system: &Engine, variant: Variant) -> Result<()> {
    let helper = name(variant);
    if let Some(found) = system.container(&helper).await? {
        if found.running {
            let _ = tokio::time::timeout(PATIENCE, system.wait_for_end(&helper)).await;
        }
        system.remove(&helper).await?;
    }
    Ok(())
}

/// `ros swap`, in the helper.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let variant = match args.what {
        What::Console => Variant::Console,
        What::Engine => Variant::Engine,
    };
    docker::runtime()?.block_on(async {
        let system = Engine::connect(docker::SYSTEM).await?;
        swap::swap(&system, variant, &args.name, args.for_now).await
    })?;
    Ok(ExitCode::SUCCESS)
}
