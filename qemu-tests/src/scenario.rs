//! Scenarios: tests that need no code. A file in `scenarios/` declares a
//! machine, a cloud-config and what must then hold.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::machine::{Machine, run};
use crate::seed::UserData;
use crate::spec::MachineSpec;
use crate::wait::Deadline;

/// How long an expected console line may take once the system is up.
const CONSOLE_SECS: u64 = 60;

/// One file of `scenarios/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in one sentence.
    pub description: String,
    /// What differs from the default machine.
    #[serde(default)]
    pub machine: MachineSpec,
    /// Keys of the cloud-config besides the ssh key.
    #[serde(default)]
    pub cloud_config: String,
    /// What must hold.
    pub expect: Expect,
}

/// What must hold once the system is up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Text that must be on the console.
    #[serde(default)]
    pub console: Vec<String>,
    /// Commands run as `rancher`, in order.
    #[serde(default)]
    pub commands: Vec<Check>,
}

/// A command and what it must leave.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The command.
    pub run: String,
    /// Its exit status.
    #[serde(default)]
    pub exit: i32,
    /// Its whole output.
    pub stdout: Option<String>,
    /// Pieces of its output.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Pieces that its output must not have.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Repeat for up to so many seconds until it holds.
    pub within: Option<u64>,
}

impl Scenario {
    /// Reads one file.
    pub fn load(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        serde_yaml::from_str(&text).with_context(|| format!("reading {}", file.display()))
    }

    /// Boots the machine and checks every expectation.
    pub fn run(&self, name: &str) -> Result<()> {
        run(
            &format!("scenario-{name}"),
            &self.machine,
            &UserData::config(&self.cloud_config),
            |machine| {
                for line in &self.expect.console {
                    machine
                        .console
                        .wait_for(line, Deadline::secs(CONSOLE_SECS))?;
                }
                let mut wrong = Vec::new();
                for check in &self.expect.commands {
                    if let Err(error) = check.hold(machine) {
                        wrong.push(format!("{error:#}"));
                    }
                }
                ensure!(
                    wrong.is_empty(),
                    "{}:\n{}",
                    self.description,
                    wrong.join("\n")
                );
                Ok(())
            },
        )
    }
}

impl Check {
    fn hold(&self, machine: &Machine) -> Result<()> {
        let once = || {
            let output = machine.ssh.run(&self.run)?;
            self.judge(output.status, &output.stdout, &output.stderr)
        };
        match self.within {
            None => once(),
            Some(secs) => machine.until(&format!("`{}`", self.run), Deadline::secs(secs), once),
        }
    }

    fn judge(&self, status: i32, stdout: &str, stderr: &str) -> Result<()> {
        let said = format!("`{}` said\n  {}\n  {}", self.run, stdout, stderr);
        ensure!(
            status == self.exit,
            "expected exit {}, found {status}: {said}",
            self.exit
        );
        if let Some(expected) = &self.stdout {
            ensure!(
                stdout == expected.trim_end(),
                "expected `{}`: {said}",
                expected.trim_end()
            );
        }
        for piece in &self.contains {
            ensure!(
                stdout.contains(piece) || stderr.contains(piece),
                "expected `{piece}`: {said}"
            );
        }
        for piece in &self.lacks {
            if stdout.contains(piece) {
                bail!("`{piece}` must not be there: {said}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_file_is_readable_and_checks_something() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        for entry in fs::read_dir(dir).unwrap() {
            let file = entry.unwrap().path();
            let scenario = Scenario::load(&file).unwrap();
            let checks = scenario.expect.console.len() + scenario.expect.commands.len();
            assert!(checks > 0, "{}", file.display());
            let keys: serde_yaml::Value = serde_yaml::from_str(&scenario.cloud_config).unwrap();
            assert!(keys.is_mapping() || keys.is_null(), "{}", file.display());
        }
    }

    #[test]
    fn judgements() {
        let check: Check =
            serde_yaml::from_str("{run: x, stdout: \"a\\n\", contains: [a], lacks: [b]}").unwrap();
        assert!(check.judge(0, "a", "").is_ok());
        assert!(check.judge(1, "a", "").is_err());
        assert!(check.judge(0, "ab", "").is_err());
        let check: Check = serde_yaml::from_str("{run: x, exit: 3, contains: [warning]}").unwrap();
        assert!(check.judge(3, "", "a warning").is_ok());
        assert!(check.judge(3, "", "").is_err());
    }
}
