//! `ros console` and `ros engine`: the machine's console and engine, and the switch to another.

pub(crate) mod boot;
pub(crate) mod candidate;
mod commands;
pub(crate) mod containers;
pub(crate) mod definition_backup;
pub(crate) mod failure;
mod health;
mod list;
pub(crate) mod transaction;
pub(crate) mod trial;
pub(crate) mod worker;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use os_config::{Config, Switchable};

use crate::output::Format;
use crate::service;
use crate::switch::candidate::Candidate;

#[derive(Debug, clap::Args)]
pub(crate) struct ConsoleArgs {
    #[command(subcommand)]
    action: ConsoleAction,
}

#[derive(Debug, clap::Subcommand)]
enum ConsoleAction {
    /// List the consoles of the catalogue, and which one runs.
    #[command(after_help = "Example: sudo ros console list --format json")]
    List(ListArgs),
    /// Replace the console that runs by another.
    #[command(after_help = "Example: sudo ros console switch debian\n\
        Who is logged in is logged out. The old console comes back if the new one does not answer.\n\
        Exit code: 0 if the new one runs, 1 if not, and the one of before runs.")]
    Switch {
        #[command(flatten)]
        switch: SwitchArgs,
        /// Do not ask.
        #[arg(short, long)]
        force: bool,
    },
    /// Pull another console; the next boot starts it.
    #[command(after_help = "Example: sudo ros console enable debian")]
    Enable(EnableArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct EngineArgs {
    #[command(subcommand)]
    action: EngineAction,
}

#[derive(Debug, clap::Subcommand)]
enum EngineAction {
    /// List the engines of the catalogue, and which one runs.
    #[command(after_help = "Example: sudo ros engine list --format json")]
    List(ListArgs),
    /// Replace the engine that User Docker runs on by another.
    #[command(after_help = "Example: sudo ros engine switch docker-28\n\
        Containers are stopped, and started again by the new engine. The old engine comes back if the new one does not \
        answer.\nExit code: 0 if the new one runs, 1 if not, and the one of before runs.")]
    Switch {
        #[command(flatten)]
        switch: SwitchArgs,
        /// Without effect: nothing is asked.
        #[arg(short, long, hide = true)]
        force: bool,
    },
    /// Pull another engine; the next boot starts it.
    #[command(after_help = "Example: sudo ros engine enable docker-28")]
    Enable(EnableArgs),
    /// Make a further User Docker, with images, containers and a network of its own.
    #[command(after_help = "Example: sudo ros engine create blue && docker-blue ps")]
    Create(crate::extra_engines::commands::CreateArgs),
    /// Remove a further User Docker with all that is on it.
    #[command(after_help = "Example: sudo ros engine rm blue")]
    Rm(crate::extra_engines::commands::RmArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Ask the repositories of the configuration for their catalogues again.
    #[arg(short, long)]
    update: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl ListArgs {
    fn run(&self, config: &Config, switchable: Switchable) -> Result<ExitCode> {
        if self.update {
            service::update(Path::new("/"), config)?;
        }
        list::print(config, switchable, self.format)
    }
}

#[derive(Debug, clap::Args)]
struct SwitchArgs {
    /// Use the image that is there.
    #[arg(long)]
    no_pull: bool,
    /// A name of the catalogue, a file's whole path or an address.
    name: String,
}

#[derive(Debug, clap::Args)]
struct EnableArgs {
    /// A name of the catalogue, a file's whole path or an address.
    name: String,
}

pub(crate) fn run_console(args: &ConsoleArgs) -> Result<ExitCode> {
    crate::privilege::require_root("ros console …")?;
    let config = os_config::load::load(Path::new("/")).config;
    match &args.action {
        ConsoleAction::List(list) => list.run(&config, Switchable::Console),
        ConsoleAction::Enable(enable) => commands::enable(&Candidate::find(
            &config,
            Switchable::Console,
            &enable.name,
        )?),
        ConsoleAction::Switch { switch, force } => {
            let candidate = Candidate::find(&config, Switchable::Console, &switch.name)?;
            commands::switch(&candidate, !switch.no_pull, !force)
        }
    }
}

pub(crate) fn run_engine(args: &EngineArgs) -> Result<ExitCode> {
    crate::privilege::require_root("ros engine …")?;
    let config = os_config::load::load(Path::new("/")).config;
    match &args.action {
        EngineAction::List(list) => list.run(&config, Switchable::Engine),
        EngineAction::Enable(enable) => {
            commands::enable(&Candidate::find(&config, Switchable::Engine, &enable.name)?)
        }
        EngineAction::Create(create) => crate::extra_engines::commands::create(&config, create),
        EngineAction::Rm(rm) => crate::extra_engines::commands::remove(&config, rm),
        EngineAction::Switch { switch, .. } => {
            let candidate = Candidate::find(&config, Switchable::Engine, &switch.name)?;
            commands::switch(&candidate, !switch.no_pull, false)
        }
    }
}
