//! The initrd for network boot: it carries the OS image.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::media::cpio::Writer;
use crate::media::slot::KERNEL_LINE;

/// A compressed archive may be followed by another archive at this alignment, in bytes.
const ALIGNMENT: usize = 4;

/// The script for iPXE; its kernel line is the slot's. The server has kernel and initrd beside the script.
const SCRIPT: &str = "paddock.ipxe";

/// Makes `dist/paddock.ipxe`.
pub(crate) fn make_script(steps: &Steps, folders: &Folders) -> Result<Artifact> {
    let text = script();
    let step = Step {
        name: SCRIPT,
        output: folders.dist.join(SCRIPT),
        key: Key::default().text(&text),
    };
    steps.run(step, |to, _| {
        fs::write(to, &text).context("writing the script for iPXE")
    })
}

/// Kernels that UEFI starts take the initrd that the kernel line names.
fn script() -> String {
    format!(
        "#!ipxe\n\
         # Words for the machine go behind the kernel's: cloud-config-url=http://server/cloud-config.yml\n\
         kernel vmlinuz initrd=initrd {KERNEL_LINE} || goto failed\n\
         initrd initrd || goto failed\n\
         boot\n\
         :failed\n\
         echo PaddockOS: vmlinuz and initrd must be beside this script\n\
         shell\n"
    )
}

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
