//! The small initrd: it finds the OS image beside it on the medium.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::effort::Effort;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::root::Debian;
use crate::media::cpio::{DeviceNumber, Writer};
use crate::media::initrd_modules::initrd_modules;
use crate::os::image::BUILD_ID;

const CONSOLE: DeviceNumber = DeviceNumber { major: 5, minor: 1 };

const FOLDERS: &[&str] = &[
    "bin",
    "dev",
    "lib",
    "lib/modules",
    "media",
    "proc",
    "run",
    "sys",
    "sysroot",
];

/// The indexes that init reads to find a driver. Only kmod needs their binary twins.
const INDEXES: &[&str] = &[
    "modules.dep",
    "modules.alias",
    "modules.softdep",
    "modules.builtin",
];

/// The sources of the initrd.
#[derive(Debug)]
pub(crate) struct InitrdParts<'a> {
    pub(crate) debian: &'a Debian,
    pub(crate) tools: &'a Artifact,
    pub(crate) init: &'a Path,
    /// The build of the OS image that the initrd looks for.
    pub(crate) build_id: &'a str,
    pub(crate) effort: Effort,
}

impl InitrdParts<'_> {
    fn busybox(&self) -> PathBuf {
        self.tools.path.join("usr/bin/busybox")
    }
}

/// Makes `build/initrd`: PID 1, the drivers that find the OS image, and a shell for the rescue console.
pub(crate) fn make(steps: &Steps, folders: &Folders, parts: &InitrdParts<'_>) -> Result<Artifact> {
    let key = Key::of_code(&[
        include_str!("initrd.rs"),
        include_str!("cpio.rs"),
        include_str!("initrd_modules.rs"),
    ])
    .text(parts.debian.key())
    .text(parts.build_id)
    .text(parts.effort.zstd_level())
    .file(parts.init)?
    .file(&parts.busybox())?;
    let step = Step {
        name: "initrd",
        output: folders.build.join("initrd"),
        key,
    };
    let level = format!("-{}", parts.effort.zstd_level());
    steps.run(step, |to, log| {
        let archive = to.with_extension("cpio");
        let file = File::create(&archive).context("making the initrd's archive")?;
        let mut writer = Writer::new(BufWriter::new(file));
        fill(&mut writer, parts)?;
        writer
            .finish()
            .and_then(|mut file| file.flush())
            .context("writing the initrd's archive")?;
        log.run(&argv![
            "zstd", "-q", level, "-T0", "--rm", "-f", &archive, "-o", to
        ])
    })
}

fn fill<W: Write>(writer: &mut Writer<W>, parts: &InitrdParts<'_>) -> Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    for folder in FOLDERS {
        writer.folder(folder)?;
    }
    writer.device("dev/console", CONSOLE)?;
    writer.file("init", 0o755, &read(parts.init)?)?;
    writer.file(BUILD_ID, 0o644, parts.build_id.as_bytes())?;
    writer.file("bin/busybox", 0o755, &read(&parts.busybox())?)?;
    let modules = parts.debian.modules()?;
    let release = modules
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let target = format!("lib/modules/{release}");
    writer.folder(&target)?;
    let text = fs::read_to_string(modules.join("modules.dep")).context("reading modules.dep")?;
    let chosen = initrd_modules(&text);
    for index in INDEXES {
        let text =
            fs::read_to_string(modules.join(index)).with_context(|| format!("reading {index}"))?;
        writer.file(
            &format!("{target}/{index}"),
            0o644,
            filter_index(index, &text, &chosen).as_bytes(),
        )?;
    }
    let mut folders = BTreeSet::new();
    for module in &chosen {
        for (end, _) in module.match_indices('/') {
            if folders.insert(&module[..end]) {
                writer.folder(&format!("{target}/{}", &module[..end]))?;
            }
        }
        writer.file(
            &format!("{target}/{module}"),
            0o644,
            &read(&modules.join(module))?,
        )?;
    }
    Ok(())
}

/// The lines of an index that name a module of `chosen`.
fn filter_index(index: &str, text: &str, chosen: &BTreeSet<String>) -> String {
    let names: BTreeSet<String> = chosen.iter().map(|path| module_name(path)).collect();
    let wanted = |line: &&str| match index {
        "modules.dep" => line
            .split_once(':')
            .is_some_and(|(path, _)| chosen.contains(path)),
        "modules.alias" => line
            .rsplit_once(' ')
            .is_some_and(|(_, name)| names.contains(&module_name(name))),
        "modules.softdep" => line
            .split(' ')
            .nth(1)
            .is_some_and(|name| names.contains(&module_name(name))),
        _ => true,
    };
    text.lines()
        .filter(wanted)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The name of a module, from the path of its file: with underscores, as the kernel writes it.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.trim_end_matches(".ko").replace('-', "_")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::filter_index;

    #[test]
    fn indexes_speak_of_what_is_there() {
        let chosen = BTreeSet::from(["kernel/a/usb-storage.ko".to_owned()]);
        for (index, text, expected) in [
            (
                "modules.dep",
                "kernel/a/usb-storage.ko: x\nkernel/b.ko:\n",
                "kernel/a/usb-storage.ko: x\n",
            ),
            (
                "modules.alias",
                "# Aliases\nalias usb:v1* usb_storage\nalias pci:v* b\n",
                "alias usb:v1* usb_storage\n",
            ),
            (
                "modules.softdep",
                "softdep usb-storage pre: uas\nsoftdep b pre: c\n",
                "softdep usb-storage pre: uas\n",
            ),
            ("modules.builtin", "kernel/z.ko\n", "kernel/z.ko\n"),
        ] {
            assert_eq!(filter_index(index, text, &chosen), expected, "{index}");
        }
    }
}
