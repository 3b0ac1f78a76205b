//! `reboot`, `poweroff`, `halt`, `shutdown`: requests to PID 1, which does the work.

use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::sys::reboot::{RebootMode, reboot};

use crate::privilege;

/// `reboot`, `poweroff` and `halt`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go down at once: nothing is stopped, only written out.
    #[arg(short, long)]
    force: bool,
    /// Accepted for old scripts; nothing depends on it.
    #[arg(short = 'd', hide = true)]
    no_wtmp: bool,
}

/// `shutdown`, as far as System V's and RancherOS's have it in common.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: shutdown -r +5", disable_help_flag = true)]
pub(crate) struct ShutdownArgs {
    /// Print this help; `-h` is taken.
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Reboot instead of powering off.
    #[arg(short = 'r', long)]
    reboot: bool,
    /// Power off (the default).
    #[arg(short = 'P', long)]
    poweroff: bool,
    /// Power off, as `-P`.
    #[arg(short = 'h')]
    off: bool,
    /// Halt without powering off.
    #[arg(short = 'H', long)]
    halt: bool,
    /// Cancel a scheduled shutdown.
    #[arg(short = 'c')]
    cancel: bool,
    /// Go down at once: nothing is stopped, only written out.
    #[arg(short, long)]
    force: bool,
    /// `now` or `+MINUTES`.
    #[arg(default_value = "now", allow_hyphen_values = false)]
    time: String,
    /// What to say on the consoles.
    message: Vec<String>,
}

/// Runs `reboot` without `--kexec`, `poweroff` or `halt`.
pub(crate) fn run(action: Action, args: &Args) -> Result<ExitCode> {
    privilege::require_root(action.word())?;
    if args.force {
        stop_at_once(action)
    } else {
        ask_init(&format!("{} now", action.word()))
    }
}

/// Runs `shutdown`.
pub(crate) fn run_shutdown(args: &ShutdownArgs) -> Result<ExitCode> {
    privilege::require_root("shutdown …")?;
    if args.cancel {
        return ask_init("cancel");
    }
    let action = match (args.reboot, args.halt) {
        (true, true) => anyhow::bail!("-r and -H exclude each other"),
        (true, false) => Action::Reboot,
        (false, true) => Action::Halt,
        (false, false) => Action::PowerOff,
    };
    if args.force {
        return stop_at_once(action);
    }
    host::control::parse_delay(&args.time).context("reading the time")?;
    if !args.message.is_empty() {
        host::console::print_line(&format!("ros: {}", args.message.join(" ")));
    }
    ask_init(&format!("{} {}", action.word(), args.time))
}

/// Reboots the machine after another command, as `reboot` does.
pub(crate) fn reboot_in_order() -> Result<ExitCode> {
    ask_init(&format!("{} now", Action::Reboot.word()))
}

/// Ends the machine as `reboot` does, and starts the kernel that was loaded for it.
pub(crate) fn reboot_by_kexec() -> Result<ExitCode> {
    ask_init(&format!("{} now", host::control::KEXEC))
}

/// The state that a shutdown ends in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Reboot,
    PowerOff,
    Halt,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::PowerOff => "poweroff",
            Self::Halt => "halt",
        }
    }

    /// The kernel's word for it.
    fn kernel_mode(self) -> RebootMode {
        match self {
            Self::Reboot => RebootMode::RB_AUTOBOOT,
            Self::PowerOff => RebootMode::RB_POWER_OFF,
            Self::Halt => RebootMode::RB_HALT_SYSTEM,
        }
    }
}

fn ask_init(line: &str) -> Result<ExitCode> {
    let answer = host::control::ask(line).context("asking for it")?;
    println!("{answer}");
    Ok(ExitCode::SUCCESS)
}

fn stop_at_once(action: Action) -> Result<ExitCode> {
    nix::unistd::sync();
    reboot(action.kernel_mode()).context("asking the kernel to go down")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use nix::sys::reboot::RebootMode;

    use super::{Action, Args, ShutdownArgs};

    #[derive(Debug, clap::Parser)]
    struct RebootLine {
        #[command(flatten)]
        args: Args,
    }

    #[derive(Debug, clap::Parser)]
    struct ShutdownLine {
        #[command(flatten)]
        args: ShutdownArgs,
    }

    #[test]
    fn force_asks_the_kernel_and_not_pid_1() {
        for (words, is_forced) in [
            (&["reboot"][..], false),
            (&["reboot", "-f"], true),
            (&["reboot", "-d", "--force"], true),
        ] {
            let line = RebootLine::try_parse_from(words).unwrap();
            assert_eq!(line.args.force, is_forced, "{words:?}");
        }
        let line = ShutdownLine::try_parse_from(["shutdown", "-r", "-f", "now"]).unwrap();
        assert!(line.args.force && line.args.reboot);
        for (action, mode) in [
            (Action::Reboot, RebootMode::RB_AUTOBOOT),
            (Action::PowerOff, RebootMode::RB_POWER_OFF),
            (Action::Halt, RebootMode::RB_HALT_SYSTEM),
        ] {
            assert_eq!(action.kernel_mode(), mode);
        }
    }
}
