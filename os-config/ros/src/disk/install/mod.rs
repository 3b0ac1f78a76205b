//! `ros install`: makes a disk that starts by BIOS and by UEFI, with two slots of the system and the state. `plan` says
//! the steps, `perform` carries them out; everything that can be refused is refused before the first step.

mod arguments;
mod boot_files;
mod cloud_config;
mod contents;
mod perform;
mod plan;
mod restart;
mod slot_digests;
mod source;
mod state;
mod table_image;
mod target;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use disk::machine_line;

pub(crate) use arguments::Args;

use crate::disk::install::arguments::Consent;
use crate::disk::install::perform::{Payload, Performer};
use crate::disk::install::plan::{InstallFacts, PreservedFacts};
use crate::disk::install::source::Source;
use crate::disk::install::state::filesystem;
use crate::disk::install::state::images::SavedImages;
use crate::disk::install::state::medium_images;
use crate::disk::install::state::preserve::PreservedState;
use crate::disk::install::target::{Target, gigabytes};
use crate::{output, privilege};

/// Runs `ros install`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    privilege::require_root("ros install …")?;
    args.ensure_possible()?;
    let root = Path::new("/");
    let device = args.device(|| target::list(root))?;
    let consent = args.consent(std::io::stdin().is_terminal())?;
    let words = args.kernel_words();
    let mut payload = Payload {
        kernel_line: kernel_line(&words)?,
        cloud_config: match &args.cloud_config {
            Some(place) => Some(cloud_config::read(root, place)?),
            None => None,
        },
        source: Source::find(root)?,
        preserved: None,
        images: None,
        medium_images: Vec::new(),
        state_folder: args.statedir.clone(),
    };
    target::wait_for(device);
    let target = Target::find(root, device)?;
    restart::ensure_possible(args, &target)?;
    match args.keeps_state() {
        true => payload.preserved = Some(preserved_state(&target, &payload)?),
        false => filesystem::ensure_programs()?,
    }
    let contents = contents::describe(root, &target)?;
    let may_write = contents.is_empty() || args.force || args.keeps_state();
    if !args.keeps_state() {
        payload.medium_images = medium_images::find(root);
    }
    if args.save && may_write && !args.dry_run {
        let cloud_config = payload.cloud_config.as_deref();
        payload.images = Some(SavedImages::collect(root, cloud_config)?);
    }
    let plan =
        plan::plan(facts(&target, &payload)).with_context(|| target.path.display().to_string())?;
    print!("{}", summary(&target, &payload, &contents));
    let has_login = cloud_config::has_login(payload.cloud_config.as_deref(), &words);
    if !has_login && !args.keeps_state() {
        eprintln!(
            "ros: nobody can log in to the new machine, unless a data source lets somebody in\n\
             hint: -c FILE, with ssh_authorized_keys"
        );
    }
    let mut performer = Performer::new(&target, &plan, &payload)?;
    if args.dry_run {
        print!("{plan}");
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(
        may_write,
        "{} is not empty; nothing was changed\nhint: -f overwrites it",
        target.path.display()
    );
    if consent == Consent::Asked && !output::confirm()? {
        println!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    performer.perform_all()?;
    restart::end(args, &target, &payload)
}

fn facts(target: &Target, payload: &Payload) -> InstallFacts {
    let saved = payload.images.as_ref();
    let saved_bytes = saved.map_or(0, |images| images.archive_bytes);
    InstallFacts {
        disk_bytes: target.bytes,
        sector_bytes: target.sector_bytes,
        image_bytes: payload.source.slot_bytes,
        preserved: payload.preserved.as_ref().map(|state| PreservedFacts {
            bytes: state.partition.bytes,
            gets_cloud_config: payload.cloud_config.is_some(),
        }),
        archive_bytes: saved_bytes + medium_images::count_bytes(&payload.medium_images),
    }
}

/// The state of the disk, if an installation can keep it.
fn preserved_state(target: &Target, payload: &Payload) -> Result<PreservedState> {
    let state = PreservedState::find(target)?;
    if payload.cloud_config.is_some() {
        state.ensure_writable()?;
    }
    Ok(state)
}

/// The file with the machine's own words of the kernel line.
fn kernel_line(words: &str) -> Result<Vec<u8>> {
    let (_, problems) = os_config::kernel_line::parse(words);
    for problem in problems {
        eprintln!("ros: --append: {problem}");
    }
    machine_line::render(words).context("--append")
}

fn summary(target: &Target, payload: &Payload, contents: &[String]) -> String {
    let (disk, size) = (target.path.display(), gigabytes(target.bytes));
    let version = &payload.source.version;
    let mut text = format!("PaddockOS {version} on {disk} ({size} {}", target.model);
    text.truncate(text.trim_end().len());
    text += ")\non the disk now:\n";
    if contents.is_empty() {
        text += "  nothing\n";
    }
    for line in contents {
        text += &format!("  {line}\n");
    }
    if let Some(state) = &payload.preserved {
        let (name, size) = (&state.partition.name, gigabytes(state.partition.bytes));
        text += &format!("{name} ({size}) stays as it is\n");
    }
    text
}
