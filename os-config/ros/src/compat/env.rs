//! `ros env`: a program with the variables of `rancher.environment`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::privilege;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: sudo ros env printenv HTTP_PROXY")]
pub(crate) struct Args {
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs a program with `rancher.environment`. Variables that are set already keep their values.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    // Only root sees all of the configuration.
    privilege::require_root("ros env …")?;
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
