//! A minimal Debian tree: made with mmdebstrap, configured for small installations, and trimmed.

use std::path::Path;

use anyhow::{Context, Result};

use crate::build::command::Log;
use crate::build::files::{remove, sorted_entries, write};
use crate::debian::lists::PackageLists;
use crate::debian::mmdebstrap::{NOT_UNPACKED, Selection, mmdebstrap};
use crate::debian::passwords;
use crate::debian::privileges;

/// The configuration of apt, for image builds and the console: it installs only the packages that are asked
/// for, and keeps no caches.
const APT: &str = "\
APT::Install-Recommends \"false\";
Acquire::Languages \"none\";
Dir::Cache::pkgcache \"\";
Dir::Cache::srcpkgcache \"\";
DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb\"; };
";

/// Keeps packages from starting their services during installation, in image builds and in the console.
const NO_SERVICES_HOOK: &str = "\
printf '#!/bin/sh\\nexit 101\\n' > \"$1\"/usr/sbin/policy-rc.d; chmod 755 \"$1\"/usr/sbin/policy-rc.d";

/// Parts of packages that the OS does not use.
const UNUSED: &[&str] = &[
    // Profiles and tools for other programs than containers; parser, abstractions and tunables stay.
    "usr/bin/aa-enabled",
    "usr/bin/aa-exec",
    "usr/bin/aa-features-abi",
    "usr/sbin/aa-load",
    "usr/sbin/aa-remove-unknown",
    "usr/sbin/aa-status",
    "usr/sbin/aa-teardown",
    "usr/sbin/apparmor_status",
    "usr/share/apparmor",
    "usr/lib/apparmor",
    "usr/bin/containerd-shim",
    "usr/bin/containerd-shim-runc-v1",
    "usr/bin/containerd-stress",
    "usr/bin/ctr",
    // Only the build of other programs needs it.
    "usr/lib/x86_64-linux-gnu/libcrun.a",
    "usr/share/bash-completion",
    "usr/share/pixmaps",
    "usr/lib/systemd",
    "usr/lib/udev/hwdb.d",
    "var/cache/debconf/templates.dat",
    "var/cache/debconf/templates.dat-old",
    "var/lib/dpkg/status-old",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/machine-id",
];

/// The character sets that removable media need and that glibc converts with files.
const CHARACTER_SETS: &[&str] = &["ISO8859-1.so", "UTF-16.so", "UTF-32.so", "UNICODE.so"];

/// Makes the tree `root`.
pub(crate) fn bootstrap(root: &Path, mut selection: Selection<'_>, log: &Log) -> Result<()> {
    let no_services = format!("--essential-hook={NO_SERVICES_HOOK}");
    selection.hooks.insert(0, no_services);
    log.run(&mmdebstrap("minbase", &selection, root))
        .with_context(|| selection.lists.hint())?;
    write(&root.join("etc/dpkg/dpkg.cfg.d/paddock"), NOT_UNPACKED)?;
    write(&root.join("etc/apt/apt.conf.d/90paddock"), APT)?;
    for own in [
        "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
        "etc/apt/apt.conf.d/99mmdebstrap",
    ] {
        remove(&root.join(own))?;
    }
    Ok(())
}

/// Removes what the OS does not use and what differs between two builds from the same lists.
pub(crate) fn trim(root: &Path, lists: &PackageLists) -> Result<()> {
    for path in UNUSED {
        remove(&root.join(path))?;
    }
    for folder in [
        "var/log",
        "var/cache/apt",
        "var/lib/apt/lists",
        "var/cache/ldconfig",
        "run",
        "tmp",
    ] {
        for entry in sorted_entries(&root.join(folder))? {
            remove(&entry)?;
        }
    }
    // Only the build of packages needs them.
    keep_only(&root.join("var/lib/dpkg/info"), |name| {
        !name.ends_with(".symbols")
    })?;
    keep_only(&root.join("usr/lib/x86_64-linux-gnu/gconv"), |name| {
        CHARACTER_SETS.contains(&name) || name.starts_with("gconv-modules")
    })?;
    let profiles = root.join("etc/apparmor.d");
    if profiles.is_dir() {
        keep_only(&profiles, |name| {
            ["abi", "abstractions", "tunables"].contains(&name)
        })?;
    }
    // Backups of the files that `useradd` and its like have changed.
    for name in ["passwd-", "shadow-", "group-", "gshadow-"] {
        remove(&root.join("etc").join(name))?;
    }
    passwords::set_date(root, lists.date())?;
    privileges::restrict(root)?;
    Ok(())
}

fn keep_only(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for entry in sorted_entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if !wanted(&name) {
            remove(&entry)?;
        }
    }
    Ok(())
}
