//! The report at the end of a build: the sizes of its results and of the parts of the ISO.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::build::command::{argv, try_output};
use crate::build::effort::Effort;
use crate::build::files::megabytes;
use crate::build::folders::Folders;
use crate::media::slot::SlotParts;

/// A larger ISO fails the build, in bytes. Images that the builder adds do not count.
const ISO_LIMIT: u64 = 170_000_000;
const BIGGEST: usize = 12;

/// Prints the sizes of the results; of a release, the parts of the ISO too, and fails if the ISO is over its limit.
pub(crate) fn print(
    folders: &Folders,
    parts: &SlotParts<'_>,
    effort: Effort,
    user_bytes: u64,
) -> Result<()> {
    for name in ["paddock.iso", "initrd", "vmlinuz"] {
        eprintln!(
            "{}",
            size_line(&format!("dist/{name}"), &folders.dist.join(name))?
        );
    }
    if effort == Effort::Fast {
        return Ok(());
    }
    for (name, artifact) in [
        ("OS image", parts.os_image),
        ("initrd", parts.initrd),
        ("kernel", parts.kernel),
    ] {
        eprintln!("{}", size_line(name, &artifact.path)?);
    }
    let slot_image = folders.build.join("slot.img");
    eprintln!("{}", size_line("slot image", &slot_image)?);
    eprintln!("biggest in the OS image, unpacked:");
    eprint!("{}", list_biggest(&folders.build.join("image-root")));
    let iso = size_of(&folders.dist.join("paddock.iso"))?.saturating_sub(user_bytes);
    ensure!(
        iso <= ISO_LIMIT,
        "the ISO may have {} and has {}",
        megabytes(ISO_LIMIT),
        megabytes(iso)
    );
    Ok(())
}

pub(crate) fn size_line(name: &str, path: &Path) -> Result<String> {
    Ok(format!("  {name:<20} {:>9}", megabytes(size_of(path)?)))
}

fn size_of(path: &Path) -> Result<u64> {
    let about = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(about.len())
}

fn list_biggest(root: &Path) -> String {
    let find = argv![
        "find", root, "-type", "f", "-size", "+500k", "-printf", "%s %P\n"
    ];
    let listed = try_output(&find).unwrap_or_default();
    let mut files: Vec<(u64, &str)> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(size, name)| Some((size.parse().ok()?, name)))
        .collect();
    files.sort_unstable_by(|a, b| b.cmp(a));
    files
        .iter()
        .take(BIGGEST)
        .map(|(size, name)| format!("  {:>9}  {name}\n", megabytes(*size)))
        .collect()
}
