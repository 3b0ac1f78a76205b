//! All broken documents and all broken kernel lines.

use anyhow::{Result, ensure};
use qemu_tests::VmSpec;
use qemu_tests::fixtures::broken_input::{self, BrokenInput};

fn boot_every_case(cases: &[BrokenInput], boot: impl Fn(&str) -> Result<()>) -> Result<()> {
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(error) = boot(case.name) {
            wrong.push(format!("{}: {error:#}", case.name));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
fn every_config() -> Result<()> {
    boot_every_case(&broken_input::configs(), |name| {
        broken_input::boot_with_config(name, &VmSpec::default())
    })
}

#[test]
#[ignore = "long: make test-long"]
fn every_kernel_line() -> Result<()> {
    boot_every_case(
        &broken_input::kernel_lines(),
        broken_input::boot_with_kernel_line,
    )
}
