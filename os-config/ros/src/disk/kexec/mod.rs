//! `reboot --kexec`: starts the running system again without firmware and boot loader. `ros install --kexec` starts a new
//! disk so.

pub(crate) mod load;
pub(crate) mod plan;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use host::kernel_line;
use host::paths::{SLOT, below_root};
use host::slot::environment::Environment;
use host::slot::start;

use crate::disk::kexec::plan::StartFacts;
use crate::power::{self, Action};
use crate::privilege;

// The options of a reboot are a group called `Args` too.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    reboot: power::Args,
    /// Start the system again without firmware and boot loader.
    #[arg(long, conflicts_with = "force")]
    kexec: bool,
}

/// Runs `reboot`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if !args.kexec {
        return power::run(Action::Reboot, &args.reboot);
    }
    privilege::require_root("reboot --kexec")?;
    let root = Path::new("/");
    load::ensure_possible(root)?;
    let slot = root.join(below_root(SLOT));
    ensure!(
        slot.join(load::KERNEL).exists(),
        "the kernel of this system is on no medium any more: it was started over the network, or with paddock.toram (hint: \
         reboot without --kexec)"
    );
    load::load(&slot, &next_line(root, &slot)?)?;
    power::reboot_by_kexec()
}

/// The kernel line of the next start. On an installed machine it has the words that are stored now.
fn next_line(root: &Path, slot: &Path) -> Result<String> {
    let running = kernel_line::read(root);
    let Some(start) = start::read(&running) else {
        return plan::same_line(&running);
    };
    let environment = Environment::open(root, &start)?;
    let table = environment.table();
    ensure!(
        table.first == start.slot,
        "slot {} runs, and slot {} is to start next (hint: reboot without --kexec)",
        start.slot,
        table.first
    );
    plan::kernel_line(StartFacts {
        entry: &load::boot_entry(slot)?,
        words: &environment.kernel_line()?,
        slot: start.slot,
        sequence: table.sequence,
        esp: &start.esp,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Args;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn only_the_word_asks_for_kexec() {
        for (words, expected) in [
            (&["reboot"][..], Some(false)),
            (&["reboot", "-f"], Some(false)),
            (&["reboot", "--kexec"], Some(true)),
            (&["reboot", "--kexec", "-f"], None),
        ] {
            let line = Line::try_parse_from(words).ok();
            assert_eq!(line.map(|line| line.args.kexec), expected, "{words:?}");
        }
    }
}
