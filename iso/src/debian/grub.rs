//! GRUB's programs: an image for BIOS with its modules inside, and the check of a script's syntax.

use std::path::Path;

use anyhow::Result;

use crate::build::command::{Log, argv};
use crate::debian::tools;

/// The folder of GRUB's parts for BIOS in the unpacked tools.
pub(crate) const BIOS_FOLDER: &str = "usr/lib/grub/i386-pc";

/// A GRUB image for BIOS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BiosImage<'a> {
    /// The format as grub-mkimage names it.
    pub(crate) format: &'a str,
    /// The folder with `grub.cfg`, as GRUB writes paths.
    pub(crate) prefix: &'a str,
    /// The image contains its modules, so the folder needs no module files.
    pub(crate) modules: &'a [&'a str],
}

/// Writes `image` to the file `to`.
pub(crate) fn make_bios_image(
    tools: &Path,
    image: &BiosImage<'_>,
    to: &Path,
    log: &Log,
) -> Result<()> {
    let mut argv = tools::program(tools, "usr/bin/grub-mkimage");
    argv.extend(argv![
        "--directory",
        tools.join(BIOS_FOLDER),
        "--format",
        image.format,
        "--prefix",
        image.prefix,
        "--output",
        to,
    ]);
    argv.extend(image.modules.iter().map(Into::into));
    log.run(&argv)
}

/// Fails if GRUB cannot read `script`.
pub(crate) fn check_script(tools: &Path, script: &Path, log: &Log) -> Result<()> {
    let mut argv = tools::program(tools, "usr/bin/grub-script-check");
    argv.push(script.into());
    log.run(&argv)
}
