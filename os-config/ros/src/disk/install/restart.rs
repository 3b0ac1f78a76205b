//! The end of an installation: what a person does next, and the start of the new machine.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use disk::layout::Role;
use disk::slots::SlotTable;
use disk::{machine_line, partition_table};

use crate::disk::install::arguments::Args;
use crate::disk::install::perform::Payload;
use crate::disk::install::target::{Target, TargetKind};
use crate::disk::kexec::load;
use crate::disk::kexec::plan::{self, StartFacts};
use crate::{output, power};

/// Refuses a start that is not possible, before anything is written.
pub(super) fn ensure_possible(args: &Args, target: &Target) -> Result<()> {
    if !args.kexec {
        return Ok(());
    }
    ensure!(
        target.kind != TargetKind::ImageFile,
        "--kexec: the image of a disk is started by a virtual machine (hint: leave --kexec out)"
    );
    load::ensure_possible(Path::new("/"))
}

/// Says what is next, and reboots unless a person wants otherwise.
pub(super) fn end(args: &Args, target: &Target, payload: &Payload) -> Result<ExitCode> {
    let disk = target.path.display();
    if target.kind == TargetKind::ImageFile {
        println!("{disk} is the image of a disk that starts PaddockOS");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "PaddockOS is installed on {disk}. Take the installation medium out: the machine may start from it again."
    );
    if args.no_reboot {
        return Ok(ExitCode::SUCCESS);
    }
    let is_asked = !args.force && !args.yes;
    if is_asked {
        eprintln!("The machine reboots now.");
    }
    if is_asked && !output::confirm()? {
        return Ok(ExitCode::SUCCESS);
    }
    match args.kexec {
        true => start_without_firmware(target, payload)
            .context("the machine was installed, but could not be started (hint: sudo reboot)"),
        false => power::reboot_in_order(),
    }
}

/// Starts the first slot of the new disk. Its files are those of the running system, which were compared with their digests.
fn start_without_firmware(target: &Target, payload: &Payload) -> Result<ExitCode> {
    let slot = &payload.source.files;
    let table = SlotTable::new();
    let words = machine_line::parse(&payload.kernel_line).unwrap_or_default();
    let line = plan::kernel_line(StartFacts {
        entry: &load::boot_entry(slot)?,
        words: &words,
        slot: table.first,
        sequence: table.sequence,
        esp: &esp_guid(target)?,
    })?;
    load::load(slot, &line)?;
    power::reboot_by_kexec()
}

/// The GUID of the EFI system partition of a new disk.
fn esp_guid(target: &Target) -> Result<String> {
    let reading = || format!("reading {}", target.path.display());
    let mut device = File::open(&target.path).with_context(reading)?;
    let table = partition_table::read(&mut device, target.sector_bytes).unwrap_or_default();
    let mut partitions = table.into_iter();
    let esp = partitions.find(|partition| partition.number == Role::Esp.number());
    Ok(esp.with_context(reading)?.guid)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;

    use super::ensure_possible;
    use crate::disk::install::arguments::Args;
    use crate::disk::install::target::{Target, TargetKind};

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_image_of_a_disk_is_not_started_here() {
        let target = Target {
            path: PathBuf::from("disk.img"),
            kind: TargetKind::ImageFile,
            bytes: 3 << 30,
            sector_bytes: 512,
            model: String::new(),
        };
        let possible = |words: &[&str]| {
            let line = Line::try_parse_from(words).unwrap();
            ensure_possible(&line.args, &target)
        };
        possible(&["install"]).unwrap();
        let error = possible(&["install", "-k"]).unwrap_err().to_string();
        assert!(error.contains("virtual machine"), "{error}");
    }
}
