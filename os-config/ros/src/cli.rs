//! The command line: its tree, and the module that runs each command.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::compat::{dev, env, wait_for_docker};
use crate::console::{entrypoint, respawn, runcmd};
use crate::disk::{install, kexec, reset};
use crate::docker::preload;
use crate::inspect::{boot_time, report, status};
#[cfg(feature = "manual")]
use crate::manual;
use crate::service_engine::{shutdown, sysinit};
use crate::switch::{self, worker};
use crate::{cloud_init, config, network, os, power, service, tls, user_docker};

/// Links to `ros` with these names run the subcommand of the same name.
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
    version = concat!(env!("CARGO_PKG_VERSION"), " of PaddockOS"),
    disable_version_flag = true,
    about = "Configures and runs a PaddockOS machine",
    after_help = "Example: sudo ros status\n\
        Exit code: 0 if it is done, 1 if it failed or was refused, 2 if the command line was not understood."
)]
pub(crate) struct Cli {
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
    /// Show the system's versions and slots, and start the other slot.
    #[command(after_help = "Example: sudo ros os status")]
    Os(os::Args),
    /// Install the system to a disk.
    Install(install::Args),
    /// Empty the state disk at the next boot.
    Reset(reset::Args),
    /// Say whether the machine is well.
    Status(status::Args),
    /// Collect what somebody who helps needs to see, without secrets.
    Report(report::Args),
    /// Certificates for User Docker on the network.
    #[command(after_help = "Example: sudo ros tls generate")]
    Tls(tls::Args),
    /// Print what the boot spent its time on.
    BootTime(boot_time::Args),
    /// Restart the machine.
    #[command(after_help = "Example: sudo reboot")]
    Reboot(kexec::Args),
    /// Power the machine off.
    #[command(after_help = "Example: sudo poweroff")]
    Poweroff(power::Args),
    /// Stop the machine without powering it off.
    #[command(after_help = "Example: sudo halt")]
    Halt(power::Args),
    /// Power off, reboot or halt, now or later.
    Shutdown(power::ShutdownArgs),
    /// Run a program with the variables of rancher.environment.
    Env(env::Args),
    /// Print the device that a label or an id means.
    Dev(dev::Args),
    /// Wait until User Docker answers, for five minutes at most.
    #[command(after_help = "Example: wait-for-docker && docker ps")]
    WaitForDocker(wait_for_docker::Args),
    /// Load the images that wait in /var/lib/rancher/preload.
    #[command(after_help = "Example: sudo ros preload-images")]
    PreloadImages(preload::Args),
    /// Keep the programs of a list running.
    #[command(hide = true)]
    Respawn(respawn::Args),
    /// Write man pages and completions below a folder.
    #[cfg(feature = "manual")]
    #[command(hide = true)]
    Manual { folder: std::path::PathBuf },
    #[command(hide = true)]
    Sysinit(sysinit::Args),
    #[command(hide = true)]
    UserDocker(user_docker::entrypoint::Args),
    #[command(hide = true)]
    SwitchWorker(worker::Args),
    #[command(hide = true)]
    StopContainers(shutdown::Args),
    #[command(hide = true)]
    ConsoleInit(entrypoint::Args),
    #[command(hide = true)]
    Runcmd(runcmd::Args),
    #[command(hide = true)]
    Netconf(network::netconf::Args),
    #[command(hide = true)]
    CloudInitSave(cloud_init::Args),
}

/// Runs the command that the arguments name; the first argument is the program's own name.
///
/// # Errors
///
/// The command's own. A command line that cannot be understood ends the process with exit code 2.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    dispatch(&Cli::parse_from(with_applet(arguments)).command)
}

fn dispatch(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Config(args) => config::run(args),
        Command::Service(args) => service::run(args),
        Command::Console(args) => switch::run_console(args),
        Command::Engine(args) => switch::run_engine(args),
        Command::SwitchWorker(args) => worker::run(args),
        Command::Os(args) => os::run(args),
        Command::Install(args) => install::run(args),
        Command::Reset(args) => reset::run(args),
        Command::Status(args) => status::run(args),
        Command::Report(args) => report::run(args),
        Command::Tls(args) => tls::run(args),
        Command::BootTime(args) => boot_time::run(args),
        Command::Reboot(args) => kexec::run(args),
        Command::Poweroff(args) => power::run(power::Action::PowerOff, args),
        Command::Halt(args) => power::run(power::Action::Halt, args),
        Command::Shutdown(args) => power::run_shutdown(args),
        Command::Env(args) => env::run(args),
        Command::Dev(args) => dev::run(args),
        Command::WaitForDocker(args) => wait_for_docker::run(args),
        Command::PreloadImages(args) => preload::run(args),
        #[cfg(feature = "manual")]
        Command::Manual { folder } => {
            use clap::CommandFactory;
            manual::write(&Cli::command(), folder).map(|()| ExitCode::SUCCESS)
        }
        Command::Respawn(args) => respawn::run(args),
        Command::Sysinit(args) => sysinit::run(args),
        Command::UserDocker(args) => user_docker::entrypoint::run(args),
        Command::StopContainers(args) => shutdown::run(args),
        Command::ConsoleInit(args) => entrypoint::run(args),
        Command::Runcmd(args) => runcmd::run(args),
        Command::Netconf(args) => network::netconf::run(args),
        Command::CloudInitSave(args) => cloud_init::run(args),
    }
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
            // The command line of QEMU's guest agent.
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
