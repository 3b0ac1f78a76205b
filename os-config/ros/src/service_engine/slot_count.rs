//! Gives the count of this start back, once the machine is up or goes down in order: the boot loader counts the starts of
//! a slot down, and starts the other slot after the last.

use std::path::Path;

use anyhow::Result;
use host::kernel_line;
use host::problems::{self, ProblemRecord};
use host::slot::environment::Environment;
use host::slot::start;
use host::slot::table_lock::TableLock;

/// Gives the count back; a failure is a problem of this boot. A machine that did not start from a slot has no count.
pub(super) fn give_back() {
    if let Err(error) = try_give_back() {
        let text = format!("{error:#}; after some starts the boot loader takes the other slot");
        problems::report(&ProblemRecord::error("slot.count", "ros sysinit", text));
    }
}

fn try_give_back() -> Result<()> {
    let root = Path::new("/");
    let Some(start) = start::read(&kernel_line::read(root)) else {
        return Ok(());
    };
    // Nothing was counted: a recovery boot, or a disk that takes no writes.
    if start.sequence.is_none() {
        return Ok(());
    }
    let _lock = TableLock::wait()?;
    let mut environment = Environment::open(root, &start)?;
    let counted = *environment.table();
    let given_back = counted.count_back(start.slot);
    if given_back == counted {
        return Ok(());
    }
    environment.store(given_back)
}
