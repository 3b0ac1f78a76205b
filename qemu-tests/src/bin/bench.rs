//! `bench [boots]`: boots the ISO and the Debian baseline in turn on the same emulator, measures both and writes
//! docs/figures.md. `bench --count` boots once, counts instructions and prints where they go.

use std::fs;

use anyhow::{Context, Result};
use clap::Parser;
use qemu_tests::bench::boot_cost::{self, RecordedCost};
use qemu_tests::bench::debian_baseline::{DOCKER_ANSWERS, DebianBaseline};
use qemu_tests::bench::figures::{BenchResults, page};
use qemu_tests::bench::measure::{DockerReady, measure_boot, measure_power_on};
use qemu_tests::harness::paths;
use qemu_tests::harness::qemu::accel;
use qemu_tests::harness::vm::UP;
use qemu_tests::{BootMedium, VmSpec};

/// Measures boots. `make bench` and `make count` call this.
#[derive(Debug, Parser)]
struct Arguments {
    /// Boots of each system.
    #[arg(default_value_t = 5)]
    boots: usize,
    /// Boot once and count instructions instead, which no other work of the host changes.
    #[arg(long)]
    count: bool,
    /// Record the count, for tests to compare with.
    #[arg(long, requires = "count")]
    record: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.count {
        count(arguments.record)
    } else {
        measure(arguments.boots)
    }
}

fn count(record: bool) -> Result<()> {
    if record {
        let plain = boot_cost::count_boot("bench-count-plain", false)?;
        let recorded = RecordedCost::of_build(&plain)?;
        recorded.save()?;
        println!(
            "recorded in {}: {recorded:?}",
            RecordedCost::path().display()
        );
    }
    let cost = boot_cost::count_boot("bench-count", true)?;
    println!("{}", boot_cost::tables(&cost));
    Ok(())
}

fn measure(boots: usize) -> Result<()> {
    println!("building the comparator (once)");
    let debian_baseline = DebianBaseline::build(&paths::artifacts().join("comparator"))?;
    println!("settling it");
    measure_boot(
        "bench-settle",
        &debian_baseline.spec(),
        DockerReady::OnConsole(DOCKER_ANSWERS),
    )?;
    let small = VmSpec {
        memory_mb: 512,
        ..VmSpec::default()
    };
    let from_cd = VmSpec {
        boot_medium: BootMedium::IdeCd,
        ..VmSpec::default()
    };
    let paddock = DockerReady::InTimeline(UP);
    let iso = paths::dist().join("paddock.iso");
    let size = fs::metadata(&iso)
        .with_context(|| format!("reading {}", iso.display()))?
        .len();
    let mut results = BenchResults {
        emulator: format!(
            "{}, -accel {}",
            accel::qemu_version()?,
            accel::accel()?.value(true)
        ),
        processor: processor()?,
        paddock: Vec::new(),
        debian: Vec::new(),
        paddock_512: Vec::new(),
        power_on: Vec::new(),
        iso_mb: size as f64 / 1e6,
        parts_mb: parts_mb()?,
    };
    for boot in 1..=boots {
        println!("boot {boot} of {boots}");
        results.debian.push(measure_boot(
            "bench-comparator",
            &debian_baseline.spec(),
            DockerReady::OnConsole(DOCKER_ANSWERS),
        )?);
        results
            .paddock
            .push(measure_boot("bench-iso", &VmSpec::default(), paddock)?);
        results
            .paddock_512
            .push(measure_boot("bench-iso-512", &small, paddock)?);
        results
            .power_on
            .push(measure_power_on("bench-power-on", &from_cd)?);
    }
    let file = paths::repository().join("docs/figures.md");
    let page = page(&results);
    fs::write(&file, &page).with_context(|| format!("writing {}", file.display()))?;
    println!("{page}");
    Ok(())
}

/// The sizes in MB of the ISO's parts as they are packed, and of the largest programs as they are unpacked.
fn parts_mb() -> Result<Vec<(String, f64)>> {
    const PARTS: [(&str, &str); 9] = [
        ("kernel", "dist/vmlinuz"),
        ("initrd", "build/initrd"),
        ("OS image", "build/os.img"),
        ("dockerd, unpacked", "build/image-root/os/usr/sbin/dockerd"),
        (
            "containerd, unpacked",
            "build/image-root/os/usr/bin/containerd",
        ),
        ("docker, unpacked", "build/image-root/os/usr/bin/docker"),
        (
            "containerd-shim, unpacked",
            "build/image-root/os/usr/bin/containerd-shim-runc-v2",
        ),
        ("runc, unpacked", "build/image-root/os/usr/sbin/runc"),
        ("ros, unpacked", "build/image-root/os/usr/bin/ros"),
    ];
    PARTS
        .iter()
        .map(|(name, path)| {
            let file = paths::repository().join(path);
            let size = fs::metadata(&file)
                .with_context(|| format!("reading {}", file.display()))?
                .len();
            Ok(((*name).to_owned(), size as f64 / 1e6))
        })
        .collect()
}

/// The host's processors: number and model.
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
