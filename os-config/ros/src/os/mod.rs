//! `ros os`: the version of the system, and the two slots of an installed machine.

mod machine_slots;
mod rollback;
mod status;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use host::slot::table_lock::TableLock;

use crate::os::machine_slots::MachineSlots;
use crate::output::Format;
use crate::privilege;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the slots of an installed machine: their versions, and how often each is started still.
    #[command(after_help = "Example: sudo ros os status\n\
        A slot is good, on trial or bad. Each start takes one of its starts away, and the machine gives it back when it\n\
        is up. A slot without starts is left for the other.")]
    Status {
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the version of the system that runs.
    #[command(after_help = "Example: ros os version")]
    Version,
    /// Start the other slot from the next boot on.
    #[command(after_help = "Example: sudo ros os rollback && sudo reboot")]
    Rollback {
        /// The slot to start, where it is not the other of the running slot.
        #[arg(long, value_parser = ["a", "b"])]
        slot: Option<String>,
    },
}

/// Runs `ros os`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = Path::new("/");
    match &args.action {
        Action::Status { format } => {
            privilege::require_root("ros os status")?;
            status::print(MachineSlots::read(root)?.as_ref(), *format)
        }
        Action::Version => {
            println!("{}", machine_slots::running_version(root));
            Ok(ExitCode::SUCCESS)
        }
        Action::Rollback { slot } => {
            privilege::require_root("ros os rollback")?;
            let _lock = TableLock::wait()?;
            rollback::run(MachineSlots::read(root)?, slot.as_deref())
        }
    }
}
