//! The OS root as Debian makes it: the base of every system image, and the kernel that belongs to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::{Log, argv};
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::bootstrap::{bootstrap, trim};
use crate::debian::dpkg;
use crate::debian::kernel;
use crate::debian::lists::PackageLists;
use crate::debian::mmdebstrap::Selection;
use crate::debian::suite::SUITE;

/// The packages of the OS root beside Debian's essential packages. A package that only one service
/// needs is in the image of that service.
const PACKAGES: &[&str] = &[
    // The engines load the profile of containers with its parser.
    "apparmor",
    "ca-certificates",
    // System Docker's runtime: it is written in C and starts with a fraction of runc's work.
    "crun",
    "docker.io",
    "docker-cli",
    "e2fsprogs",
    "fdisk",
    "iproute2",
    "iptables",
    "kmod",
    // curl in the console and chrony both use it: the root stores it once.
    "libgnutls30t64",
    "mount",
    "netbase",
    // `docker top` runs the `ps` that the engine sees.
    "procps",
    // dockerd unpacks archives of images with it.
    "xz-utils",
];

/// The Debian part of the OS and the kernel that belongs to it.
#[derive(Debug)]
pub(crate) struct Debian {
    artifact: Artifact,
}

impl Debian {
    /// Bootstraps the tree and unpacks the kernel.
    pub(crate) fn make(steps: &Steps, folders: &Folders, lists: &PackageLists) -> Result<Self> {
        let key = Key::of_code(&[
            include_str!("root.rs"),
            include_str!("bootstrap.rs"),
            include_str!("mmdebstrap.rs"),
            include_str!("dpkg.rs"),
            include_str!("kernel.rs"),
            include_str!("modules.rs"),
            include_str!("passwords.rs"),
            include_str!("privileges.rs"),
            include_str!("suite.rs"),
        ])
        .text(SUITE)
        .text(lists.key());
        let step = Step {
            name: "debian",
            output: folders.build.join("debian"),
            key,
        };
        let artifact = steps.run(step, |to, log| {
            let root = to.join("root");
            fs::create_dir_all(to).context("making the tree's folder")?;
            let kernel_hook = format!("--customize-hook={}", kernel::DOWNLOAD_HOOK);
            let selection = Selection {
                packages: PACKAGES,
                hooks: vec![kernel_hook],
                lists,
            };
            bootstrap(&root, selection, log)?;
            kernel::unpack(&root, &to.join("kernel"), log)?;
            add_users(&root, log)?;
            trim(&root, lists)?;
            dpkg::move_database(&root)
        })?;
        Ok(Self { artifact })
    }

    pub(crate) fn key(&self) -> &str {
        &self.artifact.key
    }

    /// The Debian tree.
    pub(crate) fn root(&self) -> Artifact {
        self.artifact.part("root")
    }

    /// The name of the engine in the tree: `docker-` and its major version.
    pub(crate) fn engine(&self) -> Result<String> {
        let status = self.root().path.join(dpkg::STATUS);
        let text =
            fs::read_to_string(&status).with_context(|| format!("reading {}", status.display()))?;
        let packages = dpkg::installed_packages(&text).into_iter();
        let version = packages
            .filter(|package| package.name == "docker.io")
            .find_map(|package| Some(package.version.split_once('.')?.0.to_owned()))
            .context("finding docker.io among the packages of the tree")?;
        Ok(format!("docker-{version}"))
    }

    /// The folder with `vmlinuz` and the kernel package's `package` and `copyright`.
    pub(crate) fn kernel(&self) -> Artifact {
        self.artifact.part("kernel")
    }

    /// The folder of the kernel's modules.
    pub(crate) fn modules(&self) -> Result<PathBuf> {
        kernel::modules_folder(&self.root().path)
    }
}

/// Adds the users that RancherOS has. The password `*` forbids logins by password; keys and `sudo` work.
fn add_users(root: &Path, log: &Log) -> Result<()> {
    let script = "
        groupmod --gid 1101 docker
        useradd --create-home --uid 1100 --user-group --groups docker,sudo --shell /bin/bash --password '*' rancher
        useradd --create-home --uid 1101 --gid docker --groups sudo --shell /bin/bash --password '*' docker
        usermod --lock root
    ";
    log.run(&argv!["chroot", root, "sh", "-euc", script])
}
