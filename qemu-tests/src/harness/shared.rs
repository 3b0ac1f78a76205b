//! One boot for all tests of a file that only read.

use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Result, bail};

use crate::harness::machine::Machine;
use crate::harness::media::seed::UserData;
use crate::harness::spec::MachineSpec;

/// A machine that the tests of one program share. It is started by the first
/// of them and ends with the program; each test judges the console anew.
#[derive(Debug)]
pub struct Shared {
    name: &'static str,
    prepare: fn() -> Result<(MachineSpec, UserData)>,
    machine: OnceLock<std::result::Result<Machine, String>>,
    /// Tests that share a machine do not disturb each other's timing.
    turn: Mutex<()>,
}

impl Shared {
    /// Declares a shared machine; nothing is started yet.
    pub const fn new(name: &'static str, prepare: fn() -> Result<(MachineSpec, UserData)>) -> Self {
        Self {
            name,
            prepare,
            machine: OnceLock::new(),
            turn: Mutex::new(()),
        }
    }

    /// Runs a test on it.
    pub fn with(&self, body: impl FnOnce(&Machine) -> Result<()>) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = match self.machine.get_or_init(|| self.start()) {
            Ok(machine) => machine,
            Err(error) => bail!("the shared machine `{}`: {error}", self.name),
        };
        let result = body(machine).and_then(|()| machine.check_console());
        if result.is_err() {
            machine.report_failure();
        }
        result
    }

    fn start(&self) -> std::result::Result<Machine, String> {
        let mut machine = (self.prepare)()
            .and_then(|(spec, user_data)| Machine::start(self.name, &spec, &user_data))
            .map_err(|error| format!("{error:#}"))?;
        match machine.wait_up() {
            Ok(_) => {
                machine.stand_aside();
                Ok(machine)
            }
            Err(error) => {
                machine.report_failure();
                Err(format!("{error:#}"))
            }
        }
    }
}
