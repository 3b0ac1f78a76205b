//! Small programs that RancherOS's scripts call: `ros env`, `ros dev`, `wait-for-docker`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use host::block::{self, DeviceName};

use crate::docker::progress;
use crate::docker::{self, Client};

/// RancherOS's patience.
const DOCKER_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: sudo ros env printenv HTTP_PROXY")]
pub(crate) struct EnvArgs {
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: sudo ros dev LABEL=RANCHER_STATE")]
pub(crate) struct DevArgs {
    /// LABEL=…, UUID=… or a device.
    device: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WaitArgs {}

/// Runs a program with `rancher.environment`; what is set already stays.
pub(crate) fn env(args: &EnvArgs) -> Result<ExitCode> {
    // Only root sees all of the configuration.
    crate::root::require_root("ros env …")?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Ok(ExitCode::SUCCESS);
    };
    let environment = os_config::load::load(Path::new("/"))
        .config
        .rancher
        .environment;
    let missing = environment
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let error = Command::new(program).args(arguments).envs(missing).exec();
    Err(error).with_context(|| format!("starting {program}"))
}

/// Prints the device that a label or an id means.
pub(crate) fn dev(args: &DevArgs) -> Result<ExitCode> {
    // Only root reads what is on a disk.
    crate::root::require_root("ros dev …")?;
    let wanted = DeviceName::parse(&args.device);
    let found = match &wanted {
        DeviceName::Path(path) => Some(path.clone()).filter(|path| path.exists()),
        _ => block::find(Path::new("/"), &wanted)
            .first()
            .map(|found| found.node.clone()),
    };
    let device = found.with_context(|| format!("there is no device {}", args.device))?;
    println!("{}", device.display());
    Ok(ExitCode::SUCCESS)
}

/// Waits until User Docker answers.
pub(crate) fn wait_for_docker(_: &WaitArgs) -> Result<ExitCode> {
    let runtime = docker::runtime()?;
    runtime
        .block_on(progress::with_progress(
            "waiting for User Docker",
            Client::wait_for(docker::USER, DOCKER_TIMEOUT),
        ))
        .context("User Docker does not answer (see /var/log/docker.log)")?;
    Ok(ExitCode::SUCCESS)
}
