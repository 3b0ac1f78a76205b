//! The guard of what a boot costs: its instructions, and the sizes of the ISO, of `init` and of `ros`, against
//! cost.json.

use anyhow::{Result, ensure};
use qemu_tests::bench::boot_cost::{RecordedCost, count_boot, growth};

/// Two boots of the same ISO differ by 2 % at most.
const LIMIT_PERCENT: f64 = 5.0;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_boot_costs_no_more_than_recorded() -> Result<()> {
    let boot = count_boot("cost", false)?;
    let found = RecordedCost::of_build(&boot)?;
    let recorded = RecordedCost::load()?;
    eprintln!("found {found:?}\nrecorded {recorded:?}");
    for (name, at) in &boot.reached {
        eprintln!("{at:7.2} s {name}");
    }
    let grown = growth(&recorded, &found, LIMIT_PERCENT);
    ensure!(
        grown.is_empty(),
        "more than {LIMIT_PERCENT} % dearer than cost.json says:\n  {}\nhint: `make count` prints where a boot's instructions go; where the cost is meant, \
         `make count RECORD=1` records it, and the commit says why",
        grown.join("\n  ")
    );
    Ok(())
}
