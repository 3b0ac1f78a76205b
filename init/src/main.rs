//! PID 1: the same program is `/init` of the initrd and `/usr/sbin/init` of the OS image.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod background;
mod boot;
#[cfg(test)]
mod golden_plans;
mod plan;
mod rescue;
mod rescue_reboots;
mod supervise;

use std::process::ExitCode;

use crate::background::Task;
use crate::rescue::Occasion;

fn main() -> ExitCode {
    let stage = std::env::args().nth(1).unwrap_or_default();
    if let Some(task) = Task::parse(&stage) {
        return task.run();
    }
    if std::process::id() != 1 {
        // A user started the program in a running system, where PID 1's work must not be done again.
        announce_version();
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|info| {
        rescue::open_console(
            &format!("ros: internal error: {info}"),
            "the machine reboots",
            Occasion::Failure,
        );
        let _ = crate::supervise::shutdown::power_down(host::control::Power::Reboot);
    }));
    let result = if stage == "stage2" {
        boot::stage2()
    } else {
        boot::stage1()
    };
    let why = match result {
        Ok(()) => "ros: PID 1 has nothing left to do".to_owned(),
        Err(error) => format!("ros: {error:#}"),
    };
    rescue::open_console(&why, "the machine reboots", Occasion::Failure);
    let _ = crate::supervise::shutdown::power_down(host::control::Power::Reboot);
    // The kernel refused to reboot. It panics when PID 1 ends, so PID 1 waits.
    loop {
        std::thread::park();
    }
}

#[allow(clippy::print_stdout)]
fn announce_version() {
    println!(
        "init {} of PaddockOS: runs as PID 1 only",
        env!("CARGO_PKG_VERSION")
    );
}
