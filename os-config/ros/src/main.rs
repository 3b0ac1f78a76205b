//! `ros`: the service engine of PaddockOS and the command of its users.

mod cloud_init;
mod compat;
mod config;
mod console;
mod disk;
pub(crate) mod docker;
mod extra_engines;
mod inspect;
#[cfg(any(test, feature = "manual"))]
mod manual;
mod network;
mod output;
mod power;
mod service;
mod services;
mod subprocess;
mod switch;
mod tls;
pub(crate) mod user_docker;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Programs that `ros` is when it is called by their names.
const APPLETS: [&str; 6] = [
    "reboot",
    "poweroff",
    "halt",
    "shutdown",
    "respawn",
    "wait-for-docker",
];

#[derive(Debug, Parser)]
#[command(
    name = "ros",
    version,
    disable_version_flag = true,
    about = "Configures and runs a PaddockOS machine",
    after_help = "Example: sudo ros status\n\
        Exit code: 0 if it is done, 1 if it failed or was refused, 2 if the command line was not understood."
)]
struct Cli {
    /// Print the version.
    #[arg(short = 'v', long, visible_short_alias = 'V', action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read, change and check the configuration.
    #[command(
        visible_alias = "c",
        after_help = "Example: sudo ros config set hostname barn"
    )]
    Config(config::Args),
    /// Add, start, stop and watch the machine's services.
    #[command(visible_alias = "s", after_help = "Example: sudo ros service list")]
    Service(service::Args),
    /// Say which console the machine has, and give it another.
    #[command(after_help = "Example: sudo ros console list")]
    Console(switch::ConsoleArgs),
    /// Say which engine User Docker runs on, and give it another.
    #[command(after_help = "Example: sudo ros engine list")]
    Engine(switch::EngineArgs),
    /// Say whether the machine is well.
    Status(crate::inspect::status::Args),
    /// Collect what somebody who helps needs to see, without secrets.
    Report(crate::inspect::report::Args),
    /// Certificates for User Docker on the network.
    #[command(after_help = "Example: sudo ros tls generate")]
    Tls(tls::Args),
    /// Print what the boot spent its time on.
    BootTime(crate::inspect::boot_time::Args),
    /// Restart the machine.
    #[command(after_help = "Example: sudo reboot")]
    Reboot(power::Args),
    /// Power the machine off.
    #[command(after_help = "Example: sudo poweroff")]
    Poweroff(power::Args),
    /// Stop the machine without powering it off.
    #[command(after_help = "Example: sudo halt")]
    Halt(power::Args),
    /// Power off, reboot or halt, now or later.
    Shutdown(power::ShutdownArgs),
    /// Run a program with the variables of rancher.environment.
    Env(crate::compat::entry::EnvArgs),
    /// Print the device that a label or an id means.
    Dev(crate::compat::entry::DevArgs),
    /// Wait until User Docker answers, for five minutes at most.
    #[command(after_help = "Example: wait-for-docker && docker ps")]
    WaitForDocker(crate::compat::entry::WaitArgs),
    /// Load the images that wait in /var/lib/rancher/preload.
    #[command(after_help = "Example: sudo ros preload-images")]
    PreloadImages(crate::docker::preload::Args),
    /// Keep the programs of a list running.
    #[command(hide = true)]
    Respawn(crate::console::respawn::Args),
    /// Write man pages and completions below a folder.
    #[cfg(feature = "manual")]
    #[command(hide = true)]
    Manual { folder: std::path::PathBuf },
    #[command(hide = true)]
    Sysinit(crate::services::sysinit::Args),
    #[command(hide = true)]
    UserDocker(crate::user_docker::entrypoint::Args),
    #[command(hide = true)]
    SwitchWorker(switch::worker::Args),
    #[command(hide = true)]
    StopContainers(crate::services::shutdown::Args),
    #[command(hide = true)]
    ConsoleInit(crate::console::entrypoint::Args),
    #[command(hide = true)]
    Runcmd(crate::console::runcmd::Args),
    #[command(hide = true)]
    Netconf(crate::network::commands::Args),
    #[command(hide = true)]
    CloudInitSave(cloud_init::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse_from(with_applet(std::env::args_os().collect()));
    match run(&cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ros: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Config(args) => config::run(args),
        Command::Service(args) => service::run(args),
        Command::Console(args) => switch::run_console(args),
        Command::Engine(args) => switch::run_engine(args),
        Command::SwitchWorker(args) => switch::worker::run(args),
        Command::Status(args) => crate::inspect::status::run(args),
        Command::Report(args) => crate::inspect::report::run(args),
        Command::Tls(args) => tls::run(args),
        Command::BootTime(args) => crate::inspect::boot_time::run(args),
        Command::Reboot(args) => power::run(power::Action::Reboot, args),
        Command::Poweroff(args) => power::run(power::Action::PowerOff, args),
        Command::Halt(args) => power::run(power::Action::Halt, args),
        Command::Shutdown(args) => power::run_shutdown(args),
        Command::Env(args) => crate::compat::entry::env(args),
        Command::Dev(args) => crate::compat::entry::dev(args),
        Command::WaitForDocker(args) => crate::compat::entry::wait_for_docker(args),
        Command::PreloadImages(args) => crate::docker::preload::run(args),
        #[cfg(feature = "manual")]
        Command::Manual { folder } => {
            use clap::CommandFactory;
            manual::write(&Cli::command(), folder).map(|()| ExitCode::SUCCESS)
        }
        Command::Respawn(args) => crate::console::respawn::run(args),
        Command::Sysinit(args) => crate::services::sysinit::run(args),
        Command::UserDocker(args) => crate::user_docker::entrypoint::run(args),
        Command::StopContainers(args) => crate::services::shutdown::run(args),
        Command::ConsoleInit(args) => crate::console::entrypoint::run(args),
        Command::Runcmd(args) => crate::console::runcmd::run(args),
        Command::Netconf(args) => crate::network::commands::run(args),
        Command::CloudInitSave(args) => cloud_init::run(args),
    }
}

/// Sockets, configuration and keys are root's; `command` is what to type instead.
fn require_root(command: &str) -> Result<()> {
    anyhow::ensure!(
        nix::unistd::geteuid().is_root(),
        "this needs root\nhint: sudo {command}"
    );
    Ok(())
}

/// `reboot -f` is `ros reboot -f`.
fn with_applet(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments
        .first()
        .and_then(|first| Path::new(first).file_name()?.to_str().map(str::to_owned));
    if let Some(name) = name.filter(|name| APPLETS.contains(&name.as_str())) {
        arguments.insert(1, name.into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::{Cli, with_applet};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command, name: &str) {
            let shown = command.get_after_help().map(ToString::to_string);
            let shown = shown.unwrap_or_default();
            assert!(shown.starts_with("Example: "), "{name}: {shown:?}");
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                check(sub, &format!("{name} {}", sub.get_name()));
            }
        }
        check(&Cli::command(), "ros");
    }

    #[test]
    fn applets_are_subcommands() {
        for line in [
            "/usr/sbin/reboot -f",
            "shutdown -r +5",
            "shutdown -h now",
            // As QEMU's guest agent says it.
            "shutdown -h -P +0 hypervisor initiated shutdown",
            "shutdown -c",
            "ros poweroff",
            "respawn -f /x",
        ] {
            let words = line.split(' ').map(Into::into).collect();
            assert!(Cli::try_parse_from(with_applet(words)).is_ok(), "{line}");
        }
    }
}
