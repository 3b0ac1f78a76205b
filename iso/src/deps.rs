//! The installation of host tools, from the host's own distribution.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::build::command::{argv, run_on_terminal, try_output};
use crate::build::files::write;
use crate::build::folders::Folders;
use crate::build_host;
use crate::debian::suite;

/// Older versions corrupt the memory of 6.12 kernels under emulation.
const OLDEST_QEMU: (u32, u32) = (8, 2);

const BACKPORTS_FILE: &str = "/etc/apt/sources.list.d/paddock-backports.sources";

/// Programs or files that the build needs, with their packages.
const TOOLS: &[(&str, &str)] = &[
    ("buildah", "buildah"),
    ("curl", "curl"),
    ("docker-registry", "docker-registry"),
    ("dpkg-deb", "dpkg"),
    ("groff", "groff-base"),
    ("mcopy", "mtools"),
    ("mkfs.vfat", "dosfstools"),
    ("mmdebstrap", "mmdebstrap"),
    ("sha256sum", "coreutils"),
    ("skopeo", "skopeo"),
    ("ssh", "openssh-client"),
    ("unshare", "util-linux"),
    ("xorriso", "xorriso"),
    ("xz", "xz-utils"),
    ("zsh", "zsh"),
    ("zstd", "zstd"),
    (
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
    ),
];

/// Programs and files that virtual machines of tests need, with their packages.
const VM_TOOLS: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("/bin/busybox", "busybox-static"),
    ("mkfs.ext4", "e2fsprogs"),
    ("openssl", "openssl"),
    ("sfdisk", "fdisk"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
    ("/usr/share/seabios/bios-256k.bin", "seabios"),
];

/// Programs that cargo installs, with their packages.
const CARGO_TOOLS: &[(&str, &str)] = &[("cargo-deny", "cargo-deny")];

/// Installs the missing tools. A stamp makes the next call instant.
pub(crate) fn install(folders: &Folders) -> Result<()> {
    let stamp = folders.build.join("stamps/deps");
    let wanted = format!("{TOOLS:?}{VM_TOOLS:?}{CARGO_TOOLS:?}{OLDEST_QEMU:?}");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let missing = missing(TOOLS);
    if !missing.is_empty() {
        apt_install(&missing, None)?;
    }
    install_qemu()?;
    renew_keyring()?;
    for (program, package) in CARGO_TOOLS {
        if !exists(program) {
            run_on_terminal(&argv!["cargo", "install", "--locked", *package])?;
        }
    }
    write(&stamp, wanted)
}

fn missing(tools: &[(&str, &'static str)]) -> Vec<&'static str> {
    tools
        .iter()
        .filter(|(program, _)| !exists(program))
        .map(|(_, package)| *package)
        .collect()
}

/// Whether `program` is an existing file, or is in `PATH` or in the folders that only root's `PATH` has.
fn exists(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administration = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path)
        .chain(administration)
        .any(|folder| folder.join(program).exists())
}

fn install_qemu() -> Result<()> {
    let mut packages = missing(VM_TOOLS);
    let is_old = qemu_version().is_none_or(|found| found < OLDEST_QEMU);
    if is_old {
        packages.insert(0, "qemu-system-x86");
    }
    let packages: Vec<&str> = packages
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    apt_install(
        &packages,
        is_old.then(backports).transpose()?.flatten().as_deref(),
    )?;
    let found = qemu_version().context("asking QEMU for its version")?;
    ensure!(
        found >= OLDEST_QEMU,
        "QEMU {}.{} or later is needed, this distribution has {}.{}\n\
         hint: older ones corrupt the memory of the guest's kernel; build on Debian 12, Ubuntu 24.04 or later",
        OLDEST_QEMU.0,
        OLDEST_QEMU.1,
        found.0,
        found.1
    );
    Ok(())
}

fn qemu_version() -> Option<(u32, u32)> {
    parse_qemu_version(&try_output(&argv!["qemu-system-x86_64", "--version"])?)
}

fn parse_qemu_version(text: &str) -> Option<(u32, u32)> {
    let version = text.split("version ").nth(1)?;
    let mut numbers = version.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The name of the backports suite on Debian 12, whose own QEMU is too old. Adds the suite to apt, with the
/// mirror that the host uses.
fn backports() -> Result<Option<String>> {
    let codename = build_host::os_release("VERSION_CODENAME");
    if build_host::os_release("ID") != "debian" || codename != "bookworm" {
        return Ok(None);
    }
    let suite = format!("{codename}-backports");
    let sources = build_host::sources();
    if !sources.iter().any(|source| source.suite == suite) {
        let own = sources.iter().find(|source| source.suite == codename);
        let uri = &own
            .context("finding this host's Debian mirror with `apt-get indextargets`")?
            .uri;
        let text = format!(
            "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        );
        eprintln!("adding {suite} for QEMU: {BACKPORTS_FILE}");
        run_as_root(argv![
            "sh",
            "-c",
            "printf %s \"$1\" >\"$0\"",
            BACKPORTS_FILE,
            text
        ])?;
    }
    Ok(Some(suite))
}

/// Updates a keyring that is older than Debian 13 and so cannot check Debian 13's archive.
fn renew_keyring() -> Result<()> {
    if suite::knows_suite() {
        return Ok(());
    }
    apt_install(&["debian-archive-keyring"], None)?;
    if !suite::knows_suite() {
        eprintln!(
            "this distribution's debian-archive-keyring is older than Debian {}; \
             should mmdebstrap refuse the archive's signature, install a newer one",
            suite::SUITE
        );
    }
    Ok(())
}

fn apt_install(packages: &[&str], suite: Option<&str>) -> Result<()> {
    eprintln!("installing {}", packages.join(" "));
    run_as_root(argv!["apt-get", "update", "-qq"])?;
    let mut argv = argv![
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "-y",
        "-qq",
        "--no-install-recommends"
    ];
    if let Some(suite) = suite {
        argv.extend(argv!["-t", suite]);
    }
    argv.extend(packages.iter().map(OsString::from));
    run_as_root(argv)
}

fn run_as_root(argv: Vec<OsString>) -> Result<()> {
    if build_host::is_root() {
        return run_on_terminal(&argv);
    }
    let mut with_sudo = argv!["sudo"];
    with_sudo.extend(argv);
    run_on_terminal(&with_sudo)
}

#[cfg(test)]
mod tests {
    use super::parse_qemu_version;

    #[test]
    fn qemu_versions() {
        for (text, expected) in [
            (
                "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright",
                Some((10, 0)),
            ),
            ("QEMU emulator version 7.2.11", Some((7, 2))),
            ("qemu: not found", None),
        ] {
            assert_eq!(parse_qemu_version(text), expected);
        }
    }
}
