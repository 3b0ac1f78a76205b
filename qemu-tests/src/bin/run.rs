//! `run`: boots the ISO in QEMU on this terminal.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use qemu_tests::interactive_vm;

/// Boots dist/paddock.iso in QEMU on this terminal. `make run` calls this.
#[derive(Debug, Parser)]
struct Arguments {
    /// The root of the source tree.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
    /// A cloud-config for the machine; without it, one with a generated ssh key.
    #[arg(long)]
    cloud_config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match interactive_vm::boot(&arguments.repository, arguments.cloud_config.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
