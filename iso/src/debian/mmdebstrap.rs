//! The mmdebstrap command. It takes the package lists of the build and fetches none.

use std::ffi::OsString;
use std::path::Path;

use crate::build::command::{argv, quote};
use crate::debian::lists::PackageLists;
use crate::debian::suite::{self, KEYRING, SUITE};

/// dpkg does not unpack these files, neither into the trees nor into the images. Licence texts stay.
pub(crate) const NOT_UNPACKED: &str = "\
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/bug/*
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
";

/// The packages of a tree, and the hooks that run in its making.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) packages: &'a [&'a str],
    pub(crate) hooks: Vec<String>,
    pub(crate) lists: &'a PackageLists,
}

pub(crate) fn mmdebstrap(variant: &str, selection: &Selection<'_>, root: &Path) -> Vec<OsString> {
    let lists = quote(selection.lists.folder().join(".").as_os_str());
    let mut argv = argv![
        "mmdebstrap",
        "--mode=root",
        "--architectures=amd64",
        "--components=main",
        format!("--variant={variant}"),
        format!("--include={}", selection.packages.join(",")),
        "--aptopt=APT::Install-Recommends \"false\"",
        format!("--keyring={KEYRING}"),
        "--skip=update",
        format!("--setup-hook=cp -a {lists} \"$1\"/var/lib/apt/lists"),
    ];
    for line in NOT_UNPACKED.lines() {
        argv.push(format!("--dpkgopt={line}").into());
    }
    argv.extend(selection.hooks.iter().map(OsString::from));
    argv.extend(argv![SUITE, root]);
    argv.extend(suite::deb_lines().into_iter().map(OsString::from));
    argv
}
