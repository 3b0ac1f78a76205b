//! The build tool: it makes `dist/` from Debian packages, Dockerfiles and our own programs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod build;
mod build_host;
mod cves;
mod debian;
mod deps;
mod images;
mod media;
mod os;
mod pipeline;
mod report;

use build::effort::Effort;
use build::folders::Folders;
use deps::Purpose;

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
    Deps {
        /// The work that the tools are for.
        #[arg(required = true)]
        purposes: Vec<Purpose>,
    },
    /// Make the parts of the OS that do not need the programs.
    Packages,
    /// Make everything in dist/.
    Build {
        /// Compress hard, as for a release.
        #[arg(long)]
        release: bool,
        /// An archive of images for User Docker, which loads it at the first boot.
        #[arg(long = "user-image")]
        user_images: Vec<PathBuf>,
    },
    /// Make the images of disks with the system in dist/.
    DiskImages {
        /// Of a release, compressed hard.
        #[arg(long)]
        release: bool,
        /// Only these files of dist/.
        files: Vec<String>,
        /// An archive of images for User Docker, which loads it at the first boot.
        #[arg(long = "user-image")]
        user_images: Vec<PathBuf>,
    },
    /// Make the images of the catalogue in dist/images/, and those of tests.
    Catalogue {
        /// Only these images.
        names: Vec<String>,
    },
    /// Name the vulnerabilities that Debian knows in the packages of dist/packages.txt.
    Cves {
        /// The data of Debian's security tracker, if not from Debian itself.
        #[arg(long)]
        tracker: Option<PathBuf>,
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
        Command::Deps { purposes } => deps::install(&folders, purposes),
        Command::Packages => pipeline::build_packages(&folders),
        Command::Build {
            release,
            user_images,
        } => pipeline::build(&folders, Effort::new(*release), user_images),
        Command::DiskImages {
            release,
            files,
            user_images,
        } => pipeline::build_disk_images(&folders, Effort::new(*release), files, user_images),
        Command::Catalogue { names } => pipeline::build_catalogue(&folders, names),
        Command::Cves { tracker } => cves::print(&folders, tracker.as_deref()),
        Command::CompareFormats => pipeline::compare_formats(&folders),
    }
}
