//! `ros dev`: the device of a label or an id.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use host::block::{self, DeviceName};

use crate::privilege;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: sudo ros dev LABEL=RANCHER_STATE")]
pub(crate) struct Args {
    /// LABEL=…, UUID=… or a device.
    device: String,
}

/// Prints the device that a label or an id means.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    // Only root reads disks.
    privilege::require_root("ros dev …")?;
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
