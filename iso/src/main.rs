//! The build tool: it makes `dist/` from Debian packages, Dockerfiles and our own programs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod build;
mod build_host;
mod debian;
mod deps;
mod images;
mod media;
mod os;
mod pipeline;
mod report;

use build::folders::Folders;

/// Builds PaddockOS. `make` calls this; see `make help`.
#[derive(Debug, Parser)]
struct Arguments {
    /// The root of the source tree.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the host tools that are missing.
    Deps,
    /// Make everything in dist/.
    Build,
    /// Make the images of the catalogue in dist/images/, and those of tests.
    Catalogue {
        /// Only these images.
        names: Vec<String>,
    },
    /// Pack the OS image in every format that was considered and show the sizes.
    CompareFormats,
}

fn main() -> ExitCode {
    match run_command(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iso: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_command(arguments: &Arguments) -> Result<()> {
    let folders = Folders::new(&arguments.repository)?;
    match &arguments.command {
        Command::Deps => deps::install(&folders),
        Command::Build => pipeline::build(&folders),
        Command::Catalogue { names } => pipeline::build_catalogue(&folders, names),
        Command::CompareFormats => pipeline::compare_formats(&folders),
    }
}
