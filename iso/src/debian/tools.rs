//! Programs of Debian that make the OS image, the slot image, the ISO and the initrd, and Debian's boot loaders.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::lists::PackageLists;
use crate::debian::mmdebstrap::{Selection, mmdebstrap};
use crate::debian::suite::SUITE;

/// The tools come from the release of the OS, so that the result does not depend on the host's versions.
const TOOLS: &[&str] = &[
    "busybox-static",
    // veritysetup.
    "cryptsetup-bin",
    // Its mke2fs gives a filesystem the date of the build and nothing of the host.
    "e2fsprogs",
    "erofs-utils",
    "grub-common",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "shim-signed",
    "squashfs-tools",
];

/// Unpacks the tools. They are not installed: steps run them or copy from them.
pub(crate) fn make(steps: &Steps, folders: &Folders, lists: &PackageLists) -> Result<Artifact> {
    let key = Key::of_code(&[
        include_str!("tools.rs"),
        include_str!("mmdebstrap.rs"),
        include_str!("suite.rs"),
    ])
    .text(SUITE)
    .text(lists.key());
    let step = Step {
        name: "tools",
        output: folders.build.join("tools"),
        key,
    };
    steps.run(step, |to, log| {
        let selection = Selection {
            packages: TOOLS,
            hooks: Vec::new(),
            lists,
        };
        log.run(&mmdebstrap("extract", &selection, to))
            .with_context(|| lists.hint())
    })
}

/// The command that runs the unpacked program `path` with its own loader and libraries.
pub(crate) fn program(tools: &Path, path: &str) -> Vec<OsString> {
    argv![
        tools.join("usr/lib64/ld-linux-x86-64.so.2"),
        "--library-path",
        tools.join("usr/lib/x86_64-linux-gnu"),
        tools.join(path),
    ]
}
