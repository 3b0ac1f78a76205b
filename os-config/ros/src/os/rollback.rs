//! `ros os rollback`: another slot is first from the next boot on.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use disk::slots::{Slot, SlotTable};

use crate::os::machine_slots::MachineSlots;

/// Makes the slot `name`, or else the slot that does not run, the first.
pub(super) fn run(slots: Option<MachineSlots>, name: Option<&str>) -> Result<ExitCode> {
    let Some(mut slots) = slots else {
        bail!("this machine is not installed: there is no other slot");
    };
    let slot = match name {
        Some(name) => name.parse::<Slot>()?,
        None => slots.start.slot.other(),
    };
    if !slots.environment.is_seen() {
        eprintln!(
            "ros: the boot loader has not counted this start on {}, and may not read what is written there now",
            slots.environment.disk().display()
        );
    }
    let version = slots.version(slot).map(str::to_owned);
    let table = prefer(*slots.environment.table(), slot, version.as_deref())?;
    slots.environment.store(table)?;
    println!(
        "slot {slot} is first, with PaddockOS {}; it starts at the next boot",
        version.unwrap_or_default()
    );
    Ok(ExitCode::SUCCESS)
}

/// The table with another first slot. A slot that cannot start is refused: the boot loader would pass over it.
fn prefer(table: SlotTable, slot: Slot, version: Option<&str>) -> Result<SlotTable> {
    ensure!(
        version.is_some(),
        "slot {slot} has no system in it; nothing was changed"
    );
    let preferred = table.prefer(slot).ok();
    preferred.with_context(|| {
        format!("slot {slot} did not come up when it was started last; nothing was changed")
    })
}

#[cfg(test)]
mod tests {
    use disk::slots::{Health, Slot, SlotRecord, SlotTable};

    use super::prefer;

    #[test]
    fn only_a_slot_that_can_start_becomes_the_first() {
        let mut table = SlotTable::new();
        assert_eq!(prefer(table, Slot::B, Some("1.0")).unwrap().first, Slot::B);
        assert!(prefer(table, Slot::B, None).is_err());
        table.b = SlotRecord {
            health: Health::Bad,
            left: 0,
        };
        let error = prefer(table, Slot::B, Some("1.0")).unwrap_err();
        assert!(error.to_string().contains("did not come up"), "{error:#}");
        assert_eq!(prefer(table, Slot::A, Some("1.0")).unwrap().first, Slot::A);
    }
}
