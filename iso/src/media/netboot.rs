//! The initrd for network boot: it carries the OS image.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::media::cpio::Writer;

/// A compressed archive may be followed by another archive at this alignment, in bytes.
const ALIGNMENT: usize = 4;

/// Makes `dist/initrd`: the small initrd, followed by an archive with the OS image as its one file.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    initrd: &Artifact,
    os_image: &Artifact,
) -> Result<Artifact> {
    let step = Step {
        name: "netboot initrd",
        output: folders.dist.join("initrd"),
        key: Key::of_code(&[include_str!("netboot.rs"), include_str!("cpio.rs")])
            .texts(&[&initrd.key, &os_image.key]),
    };
    steps.run(step, |to, _| {
        let mut content = fs::read(&initrd.path).context("reading the small initrd")?;
        content.resize(content.len().next_multiple_of(ALIGNMENT), 0);
        let mut file = BufWriter::new(File::create(to).context("making the netboot initrd")?);
        file.write_all(&content)?;
        let image = fs::read(&os_image.path).context("reading the OS image")?;
        let mut writer = Writer::new(file);
        writer.file("os.img", 0o400, &image)?;
        let done: io::Result<()> = writer.finish().and_then(|mut file| file.flush());
        done.context("writing the netboot initrd")
    })
}
