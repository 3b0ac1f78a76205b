//! The installation of host tools, from the host's own distribution.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::build::command::{Log, argv, try_output};
use crate::build::files::write;
use crate::build::folders::Folders;
use crate::build::progress::announce;
use crate::build_host;
use crate::debian::suite;

/// The packages whose version belongs to QEMU's.
const QEMU_PACKAGES: [&str; 3] = ["ovmf", "qemu-system-x86", "seabios"];

/// Older versions corrupt the memory of 6.12 kernels under emulation.
const OLDEST_QEMU: (u32, u32) = (8, 2);

const BACKPORTS_FILE: &str = "/etc/apt/sources.list.d/paddock-backports.sources";

/// The version of cargo-deny: what it reports differs between versions.
const CARGO_DENY: &str = "0.20.2";

/// The version of Rust in `Cargo.toml`.
const COMPILER: &str = env!("CARGO_PKG_RUST_VERSION");

/// The work that tools are installed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Purpose {
    /// `make iso`, `make catalogue`.
    Build,
    /// `make run`.
    Run,
    /// `make dist`, beside `Build`.
    Release,
    /// `make images`, beside `Build`.
    Images,
    /// `make check`.
    Check,
    /// VM tests and tests with an engine.
    Test,
}

/// Programs or files, with their packages.
type Tools = &'static [(&'static str, &'static str)];

const BUILD_TOOLS: Tools = &[
    ("buildah", "buildah"),
    ("curl", "curl"),
    ("dpkg-deb", "dpkg"),
    ("mcopy", "mtools"),
    ("mkfs.vfat", "dosfstools"),
    ("mmdebstrap", "mmdebstrap"),
    ("sha256sum", "coreutils"),
    ("skopeo", "skopeo"),
    ("unshare", "util-linux"),
    ("xorriso", "xorriso"),
    ("zstd", "zstd"),
    (
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
    ),
];

const RUN_TOOLS: Tools = &[
    ("/usr/share/seabios/bios-256k.bin", "seabios"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("ssh", "openssh-client"),
    ("xorriso", "xorriso"),
];

const CHECK_TOOLS: Tools = &[
    ("blkid", "util-linux"),
    ("cpio", "cpio"),
    ("gpgv", "gpgv"),
    ("groff", "groff-base"),
    ("mcopy", "mtools"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.vfat", "dosfstools"),
    ("mksquashfs", "squashfs-tools"),
    ("sfdisk", "fdisk"),
    ("ssh-keygen", "openssh-client"),
    ("xorriso", "xorriso"),
    ("zsh", "zsh"),
];

const TEST_TOOLS: Tools = &[
    ("/bin/busybox", "busybox-static"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
    ("/usr/share/seabios/bios-256k.bin", "seabios"),
    ("curl", "curl"),
    ("docker-registry", "docker-registry"),
    ("mcopy", "mtools"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.vfat", "dosfstools"),
    ("openssl", "openssl"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("sfdisk", "fdisk"),
    ("skopeo", "skopeo"),
    ("ssh", "openssh-client"),
    ("xorriso", "xorriso"),
];

impl Purpose {
    fn tools(self) -> Tools {
        match self {
            Self::Build => BUILD_TOOLS,
            Self::Release => &[],
            Self::Run => RUN_TOOLS,
            Self::Images => &[("qemu-img", "qemu-utils")],
            Self::Check => CHECK_TOOLS,
            Self::Test => TEST_TOOLS,
        }
    }
}

/// Installs the missing tools for `purposes`. A stamp makes the next call instant. For a release, fails with another compiler
/// than that of `Cargo.toml`.
pub(crate) fn install(folders: &Folders, purposes: &[Purpose]) -> Result<()> {
    if purposes.contains(&Purpose::Release) {
        let found = try_output(&argv!["rustc", "--version"]).unwrap_or_default();
        check_compiler(&found)?;
    }
    let tools: Vec<_> = purposes
        .iter()
        .flat_map(|purpose| purpose.tools())
        .copied()
        .collect();
    let names: Vec<String> = purposes.iter().map(|it| format!("{it:?}")).collect();
    let stamp = folders
        .build
        .join(format!("stamps/deps-{}", names.join("-").to_lowercase()));
    let wanted = format!("{tools:?}{OLDEST_QEMU:?}{CARGO_DENY}");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let log = Log::create(folders.build.join("logs/deps.log"))?;
    let (of_qemu, others): (Vec<_>, Vec<_>) = tools
        .into_iter()
        .partition(|(_, package)| QEMU_PACKAGES.contains(package));
    let absent = missing(&others);
    if !absent.is_empty() {
        apt_install(&absent, None, &log)?;
    }
    if !of_qemu.is_empty() {
        install_qemu(&of_qemu, &log)?;
    }
    if purposes.contains(&Purpose::Build) {
        renew_keyring(&log)?;
    }
    if purposes.contains(&Purpose::Check) && !has_cargo_deny() {
        install_cargo_deny(&log)?;
    }
    write(&stamp, wanted)
}

/// Fails unless `found`, the compiler's name for itself, is of version [`COMPILER`]. Other versions make other programs of the
/// same sources.
fn check_compiler(found: &str) -> Result<()> {
    let version = found.split(' ').nth(1).unwrap_or_default();
    let rest = version.strip_prefix(COMPILER);
    ensure!(
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        "a release is compiled by Rust {COMPILER}, here is {}\n\
         hint: rustup toolchain install {COMPILER} && rustup override set {COMPILER}; `make iso` takes newer versions too",
        if version.is_empty() { "none" } else { version }
    );
    Ok(())
}

fn has_cargo_deny() -> bool {
    let found = try_output(&argv!["cargo-deny", "--version"]).unwrap_or_default();
    found.trim() == format!("cargo-deny {CARGO_DENY}")
}

/// cargo-deny without optimisation: it is compiled in a third of the time, and checks in seconds all the same.
fn install_cargo_deny(log: &Log) -> Result<()> {
    let step = announce("cargo-deny, from source");
    log.run(&argv![
        "cargo",
        "install",
        "--locked",
        "--debug",
        "--version",
        CARGO_DENY,
        "cargo-deny"
    ])?;
    step.finish();
    Ok(())
}

fn missing(tools: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    tools
        .iter()
        .filter(|(program, _)| !exists(program))
        .map(|(_, package)| *package)
        .collect::<BTreeSet<_>>()
        .into_iter()
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

fn install_qemu(tools: &[(&'static str, &'static str)], log: &Log) -> Result<()> {
    let mut packages = missing(tools);
    let is_old = qemu_version().is_none_or(|found| found < OLDEST_QEMU);
    if is_old && !packages.contains(&"qemu-system-x86") {
        packages.push("qemu-system-x86");
    }
    if packages.is_empty() {
        return Ok(());
    }
    let suite = is_old.then(|| backports(log)).transpose()?.flatten();
    apt_install(&packages, suite.as_deref(), log)?;
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
fn backports(log: &Log) -> Result<Option<String>> {
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
        log.run(&as_root(argv![
            "sh",
            "-c",
            "printf %s \"$1\" >\"$0\"",
            BACKPORTS_FILE,
            text
        ]))?;
    }
    Ok(Some(suite))
}

/// Updates a keyring that is older than Debian 13 and so cannot check Debian 13's archive.
fn renew_keyring(log: &Log) -> Result<()> {
    if suite::knows_suite() {
        return Ok(());
    }
    apt_install(&["debian-archive-keyring"], None, log)?;
    if !suite::knows_suite() {
        eprintln!(
            "this distribution's debian-archive-keyring is older than Debian {}; \
             should mmdebstrap refuse the archive's signature, install a newer one",
            suite::SUITE
        );
    }
    Ok(())
}

fn apt_install(packages: &[&str], suite: Option<&str>, log: &Log) -> Result<()> {
    let step = announce(&format!("packages of this host: {}", packages.join(" ")));
    log.run(&as_root(argv!["apt-get", "update", "-qq"]))?;
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
    log.run(&as_root(argv))?;
    step.finish();
    Ok(())
}

/// `sudo` asks for a password on the terminal, not on standard input.
fn as_root(argv: Vec<OsString>) -> Vec<OsString> {
    if build_host::is_root() {
        return argv;
    }
    let mut with_sudo = argv!["sudo"];
    with_sudo.extend(argv);
    with_sudo
}

#[cfg(test)]
mod tests {
    use super::{COMPILER, check_compiler, parse_qemu_version};

    #[test]
    fn a_release_has_its_compiler() {
        for version in [COMPILER.to_owned(), format!("{COMPILER}.3")] {
            check_compiler(&format!("rustc {version} (59807616e 2026-04-14)")).unwrap();
        }
        for found in ["", "rustc 1.9.5 (x)", &format!("rustc {COMPILER}0.0 (x)")] {
            let error = check_compiler(found).unwrap_err().to_string();
            assert!(error.contains("rustup toolchain install"), "{error}");
        }
    }

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
