//! The OS image: one compressed read-only filesystem with two folders, `os` (the root) and
//! `system-docker` (the image store).
//!
//! The store lies beside the root and not inside it: the root is the base layer of every system
//! container, and the kernel refuses an overlay with a lower layer inside another lower layer.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::dates;
use crate::build::effort::Effort;
use crate::build::files::{remove, write};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::tools;
use crate::os::boot_order;

/// The filesystems that `iso compare-formats` compares; the figures are in docs/boot.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The smallest; it unpacks a whole block for one page.
    SquashfsZstd,
    /// The largest; it unpacks fastest.
    ErofsLz4hc,
    /// Between the other two in size and speed.
    ErofsZstd,
}

/// The format of the OS image that is shipped.
pub(crate) const FORMAT: Format = Format::SquashfsZstd;

impl Format {
    pub(crate) const ALL: [Self; 3] = [Self::SquashfsZstd, Self::ErofsLz4hc, Self::ErofsZstd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SquashfsZstd => "squashfs-zstd",
            Self::ErofsLz4hc => "erofs-lz4hc",
            Self::ErofsZstd => "erofs-zstd",
        }
    }
}

/// The file with the build id, in the image beside its folders and in the initrd. PID 1 compares the two.
pub(crate) const BUILD_ID: &str = "build-id";

/// The two folders of the image, and the tools that pack it.
#[derive(Debug)]
pub(crate) struct ImageParts {
    pub(crate) tools: Artifact,
    pub(crate) tree: Artifact,
    pub(crate) store: Artifact,
    pub(crate) effort: Effort,
    /// No file in the image is newer, in seconds since 1970.
    pub(crate) date: u64,
}

impl ImageParts {
    /// What the image and its initrd have in common, and other builds have not.
    pub(crate) fn build_id(&self) -> String {
        let parts = [self.tree.key.as_str(), self.store.key.as_str()];
        Key::default().texts(&parts).hex()
    }
}

/// Packs `build/image-root`, the folder of `parts`, in `format`.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    parts: &ImageParts,
    format: Format,
) -> Result<Artifact> {
    let file = match format {
        FORMAT => "os.img".to_owned(),
        other => format!("os-{}.img", other.name()),
    };
    let step = Step {
        name: &format!("os image/{}", format.name()),
        output: folders.build.join(file),
        key: Key::of_code(&[
            include_str!("image.rs"),
            include_str!("boot_order.rs"),
            include_str!("boot-order.txt"),
            include_str!("../build/dates.rs"),
        ])
        .texts(&[
            format.name(),
            parts.effort.squashfs_level(),
            &parts.tree.key,
            &parts.store.key,
            &parts.tools.key,
            &parts.date.to_string(),
        ]),
    };
    let root = folders.build.join("image-root");
    let build_id = parts.build_id();
    steps.run(step, |to, log| {
        remove(to)?;
        write(&root.join(BUILD_ID), build_id.as_bytes())?;
        dates::limit(&root, parts.date, log)?;
        let order = folders.build.join("boot-order");
        write(&order, boot_order::sort_file(&root)?)?;
        log.run(&pack(
            format,
            parts,
            &PackedFiles {
                root: &root,
                order: &order,
                to,
            },
        ))
    })
}

/// What is packed, the file with the order of its files, and the image.
struct PackedFiles<'a> {
    root: &'a Path,
    order: &'a Path,
    to: &'a Path,
}

/// The command that packs `files`.
fn pack(format: Format, parts: &ImageParts, files: &PackedFiles<'_>) -> Vec<OsString> {
    let PackedFiles { root, order, to } = files;
    let level = parts.effort.squashfs_level();
    let (packer, compressor): (&str, &[&str]) = match format {
        Format::SquashfsZstd => (
            "usr/bin/mksquashfs",
            &["-comp", "zstd", "-Xcompression-level", level, "-b", "1M"],
        ),
        Format::ErofsLz4hc => ("usr/bin/mkfs.erofs", &["-zlz4hc,12", "-C65536"]),
        Format::ErofsZstd => ("usr/bin/mkfs.erofs", &["-zzstd,19", "-C65536"]),
    };
    let mut argv = tools::program(&parts.tools.path, packer);
    if format == Format::SquashfsZstd {
        argv.extend(squashfs(root, to));
        argv.extend(argv!["-sort", order]);
        argv.extend(compressor.iter().map(Into::into));
    } else {
        argv.extend(compressor.iter().map(Into::into));
        argv.extend(argv![
            "-T0",
            "--preserve-mtime",
            "-Efragments,dedupe,ztailpacking",
            "-x0",
            "--quiet"
        ]);
        argv.extend(argv![to, root]);
    }
    argv
}

/// The arguments of mksquashfs, without the compressor's. Nothing in the image depends on the time or on the threads.
fn squashfs(root: &Path, to: &Path) -> Vec<OsString> {
    argv![
        root,
        to,
        "-noappend",
        "-no-progress",
        "-reproducible",
        "-mkfs-time",
        "0"
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::squashfs;
    use crate::build::command::{Log, argv};
    use crate::build::dates;
    use crate::build::files::write;

    #[test]
    fn two_builds_of_a_tree_give_the_same_bytes() {
        let temporary = tempfile::tempdir().unwrap();
        let log = Log::create(temporary.path().join("log")).unwrap();
        let pack = |name: &str, files: [&str; 3], day: &str| {
            let root = temporary.path().join(name);
            for file in files {
                write(&root.join(file), file.repeat(5000)).unwrap();
                log.run(&argv!["touch", "--date", day, root.join(file)])
                    .unwrap();
            }
            let image = root.with_extension("img");
            dates::limit(&root, 1000, &log).unwrap();
            pack_fast(&root, &image, &log);
            fs::read(image).unwrap()
        };
        let first = pack("first", ["a/one", "b/two", "three"], "2026-01-01");
        let second = pack("second", ["three", "b/two", "a/one"], "2027-02-02");
        assert!(first == second);
    }

    fn pack_fast(root: &Path, to: &Path, log: &Log) {
        let mut argv = argv!["mksquashfs"];
        argv.extend(squashfs(root, to));
        log.run(&argv).unwrap();
    }
}
