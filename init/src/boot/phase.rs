//! The phases of the boot: their order, their names on the console, and their times.

use std::time::Instant;

use anyhow::{Context, Result};

use host::console;
use host::timeline;

const PHASES: usize = 8;

/// A phase; its number is its place in the boot.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    EarlyMounts = 1,
    Drivers,
    OsImage,
    SwitchRoot,
    State,
    Configuration,
    Settings,
    SystemDocker,
}

impl Phase {
    /// Does the work of the phase and reports the phase with its time.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.run_and_describe(work, |_| String::new())
    }

    /// Like [`Phase::run`], for work whose result is shown beside the name of the phase.
    pub(crate) fn run_with_detail(self, work: impl FnOnce() -> Result<String>) -> Result<()> {
        self.run_and_describe(work, String::clone).map(drop)
    }

    /// Reports on the consoles and in the timeline that the phase, `started` earlier, is over.
    pub(crate) fn report(self, started: Instant, detail: &str) {
        let (number, name) = (self as usize, self.name());
        let took = started.elapsed().as_secs_f64();
        let detail = if detail.is_empty() {
            String::new()
        } else {
            format!(" ({detail})")
        };
        console::print_line(&format!(
            "ros[{number}/{PHASES}] {name}{detail} … {took:.2} s"
        ));
        timeline::record(name, Some(took));
    }

    fn run_and_describe<T>(
        self,
        work: impl FnOnce() -> Result<T>,
        detail: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        let started = Instant::now();
        let result = work()
            .with_context(|| format!("boot phase {}/{PHASES} ({})", self as usize, self.name()))?;
        self.report(started, &detail(&result));
        Ok(result)
    }

    fn name(self) -> &'static str {
        match self {
            Self::EarlyMounts => "mount early filesystems",
            Self::Drivers => "load drivers",
            Self::OsImage => "find OS image",
            Self::SwitchRoot => "switch root",
            Self::State => "mount state",
            Self::Configuration => "load configuration",
            Self::Settings => "apply configuration",
            Self::SystemDocker => "start System Docker",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PHASES, Phase};

    #[test]
    fn phases_are_numbered_from_first_to_last() {
        assert_eq!(Phase::EarlyMounts as usize, 1);
        assert_eq!(Phase::SystemDocker as usize, PHASES);
        let failed: anyhow::Result<()> = Phase::State.run(|| anyhow::bail!("no disk"));
        assert_eq!(
            format!("{:#}", failed.unwrap_err()),
            "boot phase 5/8 (mount state): no disk"
        );
    }
}
