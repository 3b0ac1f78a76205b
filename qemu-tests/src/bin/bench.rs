//! `bench [boots]`: boots the ISO and the comparator in turn on the same
//! emulator, measures both and writes docs/figures.md.

use std::fs;

use anyhow::{Context, Result};
use qemu_tests::MachineSpec;
use qemu_tests::bench::comparator::{Comparator, DOCKER_ANSWERS};
use qemu_tests::bench::figures::{Measured, page};
use qemu_tests::bench::measure::{DockerAnswers, one_boot};
use qemu_tests::harness::accel;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::machine::UP;

const BOOTS: usize = 5;

fn main() -> Result<()> {
    let boots = match std::env::args().nth(1) {
        Some(word) => word
            .parse()
            .with_context(|| format!("reading the number of boots from `{word}`"))?,
        None => BOOTS,
    };
    println!("building the comparator (once)");
    let comparator = Comparator::build(&artifacts::root().join("comparator"))?;
    println!("settling it");
    one_boot(
        "bench-settle",
        &comparator.spec(),
        DockerAnswers::OnConsole(DOCKER_ANSWERS),
    )?;
    let small = MachineSpec {
        memory_mb: 512,
        ..MachineSpec::default()
    };
    let ours = DockerAnswers::InTimeline(UP);
    let iso = artifacts::dist().join("paddock.iso");
    let size = fs::metadata(&iso)
        .with_context(|| format!("reading {}", iso.display()))?
        .len();
    let mut measured = Measured {
        emulator: format!(
            "{}, -accel {}",
            accel::qemu_version()?,
            accel::accel()?.value(true)
        ),
        processor: processor()?,
        ours: Vec::new(),
        theirs: Vec::new(),
        ours_512: Vec::new(),
        iso_mb: size as f64 / 1e6,
    };
    for boot in 1..=boots {
        println!("boot {boot} of {boots}");
        measured.theirs.push(one_boot(
            "bench-comparator",
            &comparator.spec(),
            DockerAnswers::OnConsole(DOCKER_ANSWERS),
        )?);
        measured
            .ours
            .push(one_boot("bench-iso", &MachineSpec::default(), ours)?);
        measured
            .ours_512
            .push(one_boot("bench-iso-512", &small, ours)?);
    }
    let file = artifacts::repository().join("docs/figures.md");
    let page = page(&measured);
    fs::write(&file, &page).with_context(|| format!("writing {}", file.display()))?;
    println!("{page}");
    Ok(())
}

/// The host's processor, named and counted.
fn processor() -> Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let models: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("model name"))
        .filter_map(|rest| rest.split_once(':'))
        .map(|(_, name)| name.trim())
        .collect();
    Ok(format!(
        "{} × {}",
        models.len(),
        models.first().unwrap_or(&"unknown processor")
    ))
}
