//! The table of slots of an installed machine, at its boot: the partition of the running slot, and the repair of the
//! blocks that GRUB counts with. GRUB itself cannot repair a block, and without a block a slot that does not come up
//! would be started for ever.

use std::path::{Path, PathBuf};

use disk::slots::Slot;
use host::block;
use host::kernel_line;
use host::problems::{self, ProblemRecord};
use host::slot::environment::Environment;
use host::slot::start::SlotStart;

use crate::plan::slots::{self, SlotFacts};

/// Finds the disk of `start` and the partition of its slot; `None` while the disk is not there.
pub(crate) fn find(start: &SlotStart) -> Option<(Environment, PathBuf)> {
    let root = Path::new("/");
    let environment = Environment::open(root, start).ok()?;
    let partition = partition_of(root, &environment, start.slot)?;
    Some((environment, partition))
}

/// Whether the disk is the one that GRUB has written to, as far as it has written at all.
pub(crate) fn is_certain(environment: &Environment, start: &SlotStart) -> bool {
    environment.is_seen() || start.sequence.is_none()
}

fn partition_of(root: &Path, environment: &Environment, slot: Slot) -> Option<PathBuf> {
    block::partition(root, environment.disk(), slot.role().number())
}

/// Repairs the blocks, and reports what the machine's owner should know about this start.
pub(crate) fn repair(environment: &mut Environment, start: &SlotStart, line: &str) {
    let found = problems_of(environment, start, line);
    // A disk that may be a copy stays as it is.
    let is_copy = !environment.is_seen() && !environment.twins().is_empty();
    let is_stale = (environment.is_damaged() || environment.is_incomplete()) && !is_copy;
    if is_stale && let Err(error) = environment.store(*environment.table()) {
        let text = format!("{error:#}");
        problems::report(&ProblemRecord::error("slot.environment", "slots", text));
    }
    for problem in found {
        problems::report(&problem);
    }
}

fn problems_of(environment: &Environment, start: &SlotStart, line: &str) -> Vec<ProblemRecord> {
    slots::problems(&SlotFacts {
        start,
        table: environment.table(),
        is_seen: environment.is_seen(),
        is_damaged: environment.is_damaged(),
        is_incomplete: environment.is_incomplete(),
        twins: environment.twins(),
        is_recovery: kernel_line::is_on(line, "rancher.recovery"),
    })
}
