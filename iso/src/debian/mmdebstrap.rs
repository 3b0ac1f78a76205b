//! The mmdebstrap command.

use std::ffi::OsString;
use std::path::Path;

use crate::build::command::argv;
use crate::debian::suite::{self, SUITE};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

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

pub(crate) fn mmdebstrap(
    variant: &str,
    packages: &[&str],
    hooks: &[String],
    root: &Path,
) -> Vec<OsString> {
    let mut argv = argv![
        "mmdebstrap",
        "--mode=root",
        "--architectures=amd64",
        "--components=main",
        format!("--variant={variant}"),
        format!("--include={}", packages.join(",")),
        "--aptopt=APT::Install-Recommends \"false\"",
    ];
    for line in NOT_UNPACKED.lines() {
        argv.push(format!("--dpkgopt={line}").into());
    }
    if Path::new(KEYRING).exists() {
        argv.push(format!("--keyring={KEYRING}").into());
    }
    argv.extend(hooks.iter().map(OsString::from));
    argv.extend(argv![SUITE, root]);
    argv.extend(suite::deb_lines().into_iter().map(OsString::from));
    argv
}
