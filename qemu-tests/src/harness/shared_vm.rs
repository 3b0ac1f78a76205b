//! One boot for several tests of a program: tests that only read, and tests that leave the machine as they found it.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::harness::media::seed::UserData;
use crate::harness::results;
use crate::harness::spec::VmSpec;
use crate::harness::vm::Vm;

/// A machine that the tests of one program share. The first test starts it, and it ends with the program; each test
/// judges the whole console. It keeps its permit: an idle machine under emulation costs a third of a CPU.
#[derive(Debug)]
pub struct SharedVm {
    name: &'static str,
    prepare: fn() -> Result<(VmSpec, UserData)>,
    vm: OnceLock<std::result::Result<Vm, String>>,
    /// One test at a time: tests would disturb each other's timing.
    turn: Mutex<()>,
}

impl SharedVm {
    /// Declares a shared machine; nothing is started yet.
    pub const fn new(name: &'static str, prepare: fn() -> Result<(VmSpec, UserData)>) -> Self {
        Self {
            name,
            prepare,
            vm: OnceLock::new(),
            turn: Mutex::new(()),
        }
    }

    /// Runs a test on it.
    pub fn with(&self, body: impl FnOnce(&Vm) -> Result<()>) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let vm = match self.vm.get_or_init(|| self.start()) {
            Ok(vm) => vm,
            Err(error) => {
                let result = Err(anyhow!("the shared machine `{}`: {error}", self.name));
                results::record_test(Duration::ZERO, &result);
                return result;
            }
        };
        let began = Instant::now();
        let result = results::catch(|| body(vm)).and_then(|()| vm.check_console());
        results::record_test(began.elapsed(), &result);
        if result.is_err() {
            vm.report_failure();
        }
        result
    }

    fn start(&self) -> std::result::Result<Vm, String> {
        let vm = (self.prepare)()
            .and_then(|(spec, user_data)| Vm::start(self.name, &spec, &user_data))
            .map_err(|error| format!("{error:#}"))?;
        match vm.wait_up() {
            Ok(_) => Ok(vm),
            Err(error) => {
                vm.report_failure();
                Err(format!("{error:#}"))
            }
        }
    }
}
