//! `ros reset`: asks the next boot to empty the state filesystem. PID 1 does it, before anything uses the filesystem.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use host::paths::{RESET, STATE};
use host::proc::mount_table;
use os_config::atomic_file;

use crate::{output, privilege};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: sudo ros reset --keep-data")]
pub(crate) struct Args {
    /// Keep /home, /opt and the images, containers and volumes of User Docker.
    #[arg(long)]
    keep_data: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Leave the reboot to a later time.
    #[arg(long)]
    no_reboot: bool,
    /// Take back a reset that has not begun.
    #[arg(long, exclusive = true)]
    cancel: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    privilege::require_root("ros reset")?;
    if args.cancel {
        return cancel();
    }
    ensure!(
        has_state_disk(),
        "this machine has no state disk, so nothing survives a reboot\nhint: sudo reboot"
    );
    eprintln!("{}", consequence(args.keep_data));
    if !args.yes {
        ensure!(
            std::io::stdin().is_terminal(),
            "nobody can be asked, because the input is no terminal\nhint: sudo ros reset --yes"
        );
        if !output::confirm()? {
            println!("nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
    }
    let request = if args.keep_data {
        "settings\n"
    } else {
        "everything\n"
    };
    atomic_file::replace(Path::new(RESET), request.as_bytes(), 0o600)
        .with_context(|| format!("writing {RESET}"))?;
    if args.no_reboot {
        println!("the next boot empties the state disk; `sudo ros reset --cancel` takes it back");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{}",
        host::control::ask("reboot now").context("asking for a reboot")?
    );
    Ok(ExitCode::SUCCESS)
}

fn cancel() -> Result<ExitCode> {
    let request = Path::new(RESET);
    ensure!(request.exists(), "no reset was asked for");
    std::fs::remove_file(request).with_context(|| format!("removing {RESET}"))?;
    println!("the reset is cancelled");
    Ok(ExitCode::SUCCESS)
}

fn consequence(keeps_data: bool) -> &'static str {
    if keeps_data {
        "The machine reboots and loses its configuration with its ssh keys and passwords, and its logs. /home, /opt and \
         the images, containers and volumes of User Docker stay."
    } else {
        "The machine reboots and loses everything on its state disk: its configuration with its ssh keys and passwords, \
         /home, /opt, and all images, containers and volumes."
    }
}

/// Whether `/state` is on a disk. PID 1's table counts: the console does not see the mount.
fn has_state_disk() -> bool {
    let mounts = mount_table::read(Path::new(mount_table::OF_INIT)).unwrap_or_default();
    mount_table::find(&mounts, Path::new(STATE))
        .is_some_and(|mount| mount.source.starts_with("/dev"))
}

#[cfg(test)]
mod tests {
    use super::consequence;

    #[test]
    fn the_consequence_names_what_goes_and_what_stays() {
        assert!(consequence(true).contains("User Docker stay"));
        assert!(consequence(false).contains("loses everything"));
    }
}
