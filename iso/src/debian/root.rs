//! What is taken from Debian as it is: the tree that becomes the OS root and the base of every
//! image, and the tools that make a bootable medium of it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::command::{Log, argv};
use crate::build::step::{Key, Steps, remove, sorted_entries, write};
use crate::debian::dpkg;
use crate::debian::kernel;
use crate::host;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What the OS root holds beside Debian's essential packages. What only one service needs is in
/// that service's image.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    // System Docker's runtime: C, with a fraction of runc's start-up work.
    "crun",
    "docker.io",
    "docker-cli",
    "e2fsprogs",
    "fdisk",
    "iproute2",
    "iptables",
    "kmod",
    // curl in the console and chrony both use it: here it is stored once.
    "libgnutls30t64",
    "mount",
    "netbase",
    // `docker top` runs the `ps` that the engine sees.
    "procps",
    // dockerd unpacks archives of images with it.
    "xz-utils",
];

/// What every image of the catalogue has beside Debian's essential packages.
const CATALOGUE_PACKAGES: &[&str] = &["ca-certificates"];

/// From the same release, so that the result does not depend on the host's versions.
const TOOLS: &[&str] = &[
    "busybox-static",
    "erofs-utils",
    "grub-common",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "shim-signed",
    "squashfs-tools",
];

/// Never unpacked, here or in the images. Licence texts stay.
const NOT_UNPACKED: &str = "\
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/bug/*
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
";

/// Kept for every image build and for `apt` in the console: small, and nothing but what is asked for.
const APT: &str = "\
APT::Install-Recommends \"false\";
Acquire::Languages \"none\";
Dir::Cache::pkgcache \"\";
Dir::Cache::srcpkgcache \"\";
DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb\"; };
";

/// No package may start its service while it is installed, in an image build or in the console.
const NO_SERVICES_HOOK: &str = "\
printf '#!/bin/sh\\nexit 101\\n' > \"$1\"/usr/sbin/policy-rc.d; chmod 755 \"$1\"/usr/sbin/policy-rc.d";

/// Parts of packages that nothing here runs.
const UNUSED: &[&str] = &[
    "usr/bin/containerd-shim",
    "usr/bin/containerd-shim-runc-v1",
    "usr/bin/containerd-stress",
    "usr/bin/ctr",
    // For programs that are built with it.
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

/// The character sets that glibc converts from files instead of by itself and that media need.
const CHARACTER_SETS: &[&str] = &["ISO8859-1.so", "UTF-16.so", "UTF-32.so", "UNICODE.so"];

/// The Debian part of the OS and the kernel that belongs to it.
#[derive(Debug)]
pub(crate) struct Debian {
    folder: PathBuf,
    pub(crate) key: String,
}

impl Debian {
    /// Bootstraps the tree and takes the kernel apart.
    pub(crate) fn make(steps: &Steps, build: &Path) -> Result<Self> {
        let folder = build.join("debian");
        let key = Key::of_code(include_str!("root.rs"))
            .text(include_str!("kernel.rs"))
            .text(include_str!("modules.rs"));
        let key = steps.run("debian", (&folder, &key), |to, log| {
            let root = to.join("root");
            fs::create_dir_all(to).context("making the tree's folder")?;
            let kernel_hook = format!("--customize-hook={}", kernel::DOWNLOAD_HOOK);
            bootstrap(&root, PACKAGES, &[kernel_hook], log)?;
            kernel::unpack(&root, &to.join("kernel"), log)?;
            add_users(&root, log)?;
            trim(&root)?;
            move_package_database(&root)
        })?;
        Ok(Self { folder, key })
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The name of the engine in the tree: `docker-` and its major version.
    pub(crate) fn engine(&self) -> Result<String> {
        let status = self.root().join(dpkg::STATUS);
        let text =
            fs::read_to_string(&status).with_context(|| format!("reading {}", status.display()))?;
        let packages = dpkg::installed_packages(&text).into_iter();
        let version = packages
            .filter(|(name, _)| name == "docker.io")
            .find_map(|(_, version)| Some(version.split_once('.')?.0.to_owned()))
            .context("finding docker.io among the packages of the tree")?;
        Ok(format!("docker-{version}"))
    }

    /// The folder with `vmlinuz` and the kernel package's `package` and `copyright`.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }

    /// The folder of the kernel's modules.
    pub(crate) fn modules(&self) -> Result<PathBuf> {
        kernel::modules_folder(&self.root())
    }
}

/// A small Debian of its own: what an image stands on that any machine can pull, whatever its OS image.
pub(crate) fn make_small(steps: &Steps, build: &Path) -> Result<(PathBuf, String)> {
    let folder = build.join("debian-small");
    let key = Key::of_code(include_str!("root.rs"));
    let key = steps.run("debian small", (&folder, &key), |to, log| {
        bootstrap(to, CATALOGUE_PACKAGES, &[], log)?;
        trim(to)?;
        move_package_database(to)
    })?;
    Ok((folder, key))
}

/// Unpacks the medium's tools; they are never installed, only run or copied from.
pub(crate) fn make_tools(steps: &Steps, build: &Path) -> Result<(PathBuf, String)> {
    let folder = build.join("tools");
    let key = Key::default().text(&TOOLS.join(" ")).text(host::SUITE);
    let key = steps.run("tools", (&folder, &key), |to, log| {
        log.run(&mmdebstrap("extract", TOOLS, &[], to))
    })?;
    Ok((folder, key))
}

/// How to run a program out of the unpacked tools: with their own loader and libraries.
pub(crate) fn program(tools: &Path, path: &str) -> Vec<OsString> {
    argv![
        tools.join("usr/lib64/ld-linux-x86-64.so.2"),
        "--library-path",
        tools.join("usr/lib/x86_64-linux-gnu"),
        tools.join(path),
    ]
}

fn bootstrap(root: &Path, packages: &[&str], hooks: &[String], log: &Log) -> Result<()> {
    let mut all_hooks = vec![format!("--essential-hook={NO_SERVICES_HOOK}")];
    all_hooks.extend_from_slice(hooks);
    log.run(&mmdebstrap("minbase", packages, &all_hooks, root))?;
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

fn mmdebstrap(variant: &str, packages: &[&str], hooks: &[String], root: &Path) -> Vec<OsString> {
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
    argv.extend(argv![host::SUITE, root]);
    argv.extend(host::deb_lines().into_iter().map(OsString::from));
    argv
}

/// The users that RancherOS has. `*` as password: no login with one, but keys and `su` work.
fn add_users(root: &Path, log: &Log) -> Result<()> {
    let script = "
        groupmod --gid 1101 docker
        useradd --create-home --uid 1100 --user-group --groups docker,sudo --shell /bin/bash --password '*' rancher
        useradd --create-home --uid 1101 --gid docker --groups sudo --shell /bin/bash --password '*' docker
        usermod --lock root
    ";
    log.run(&argv!["chroot", root, "sh", "-euc", script])
}

fn trim(root: &Path) -> Result<()> {
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
    // For building packages.
    keep_only(&root.join("var/lib/dpkg/info"), |name| {
        !name.ends_with(".symbols")
    })?;
    keep_only(&root.join("usr/lib/x86_64-linux-gnu/gconv"), |name| {
        CHARACTER_SETS.contains(&name) || name.starts_with("gconv-modules")
    })?;
    // Maintainer's backups of what `add_users` changed.
    for name in ["passwd-", "shadow-", "group-", "gshadow-"] {
        remove(&root.join("etc").join(name))?;
    }
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

/// Which packages are installed is a property of the tree under `/usr`, not of the machine: `/var`
/// is the machine's and outlives any image, so the database must not be in it.
fn move_package_database(root: &Path) -> Result<()> {
    let (from, to) = (
        root.join("var/lib/dpkg"),
        root.join("usr/lib/sysimage/dpkg"),
    );
    fs::create_dir_all(root.join("usr/lib/sysimage")).context("making usr/lib/sysimage")?;
    fs::rename(&from, &to).context("moving the package database")?;
    symlink("../../usr/lib/sysimage/dpkg", &from).context("linking the package database")
}
