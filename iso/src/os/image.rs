//! The OS image: one compressed read-only filesystem with two folders, `os` (the root) and
//! `system-docker` (the image store).
//!
//! They lie beside each other, not one in the other, because the kernel refuses an overlay whose
//! one lower layer is inside another, and the root is the base layer of every system container.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::build::command::{Log, argv};
use crate::build::files::remove;
use crate::build::key::Key;
use crate::build::step::Steps;
use crate::debian::tools;

/// The filesystems that were compared; the figures are in docs/boot.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Smallest; unpacks a whole block for one page.
    SquashfsZstd,
    /// Unpacks fastest, largest.
    ErofsLz4hc,
    /// Between the two.
    ErofsZstd,
}

/// What is shipped.
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

/// Packs `build/image-root` in `format`, and returns the image's path and key.
pub(crate) fn make(
    steps: &Steps,
    (build, tools): (&Path, &Path),
    content: &[&str],
    format: Format,
) -> Result<(PathBuf, String)> {
    let output = build.join(if format == FORMAT {
        "os.img".to_owned()
    } else {
        format!("os-{}.img", format.name())
    });
    let mut key = Key::of_code(&[include_str!("image.rs")]).text(format.name());
    for part in content {
        key = key.text(part);
    }
    let name = format!("os image/{}", format.name());
    let key = steps.run(&name, (&output, &key), |to, log| {
        pack(&build.join("image-root"), tools, (to, format), log)
    })?;
    Ok((output, key))
}

fn pack(root: &Path, tools: &Path, (to, format): (&Path, Format), log: &Log) -> Result<()> {
    let (packer, compressor): (&str, &[&str]) = match format {
        Format::SquashfsZstd => (
            "usr/bin/mksquashfs",
            &["-comp", "zstd", "-Xcompression-level", "22", "-b", "1M"],
        ),
        Format::ErofsLz4hc => ("usr/bin/mkfs.erofs", &["-zlz4hc,12", "-C65536"]),
        Format::ErofsZstd => ("usr/bin/mkfs.erofs", &["-zzstd,19", "-C65536"]),
    };
    let mut argv = tools::program(tools, packer);
    if format == Format::SquashfsZstd {
        argv.extend(argv![
            root,
            to,
            "-noappend",
            "-no-progress",
            "-mkfs-time",
            "0"
        ]);
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
    remove(to)?;
    log.run(&argv)
}
