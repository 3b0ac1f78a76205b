//! The choice of an accelerator: KVM only where the system's own kernel has really run under it. `/dev/kvm` alone proves
//! nothing: on nested hosts a guest may hang in its first instructions. A few instructions of a boot sector prove no
//! more: there are hosts whose KVM runs them, and stops in the kernel's decompressor.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};

use crate::harness::paths;
use crate::harness::spawn::run_tool;

/// The emulator.
pub const QEMU: &str = "qemu-system-x86_64";

/// The oldest version that works: older versions corrupt the memory of 6.12 kernels under emulation.
const OLDEST_QEMU: (u32, u32) = (8, 2);
/// The probed kernel needs a second or two where KVM works.
const PROBE_TIMEOUT_SECS: &str = "20";
/// The probed kernel has no root filesystem: this line is the end of all that it can do, and it reboots.
const PROBE_END: &str = "Kernel panic - not syncing: VFS";
/// Later test programs use a probe's result for this long.
const PROBE_MAX_AGE: Duration = Duration::from_secs(3600);

/// The accelerator, which runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// The processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl Accel {
    /// Its name, as `PADDOCK_ACCEL` takes it.
    fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The value for `-cpu`: the most that the accelerator has. An emulated CPU is without ERMS and FSRM: a kernel that
    /// sees them clears and copies memory by `rep stosb` and `rep movsb`, which QEMU does byte by byte. A boot took 66 s
    /// of the host's CPU with them, and 50 s without.
    pub fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "max,erms=off,fsrm=off",
        }
    }

    /// The value for `-accel`. `at_once` gives each emulated CPU a thread of the host; otherwise they take turns in
    /// one thread.
    pub fn value(self, at_once: bool) -> &'static str {
        match (self, at_once) {
            (Self::Kvm, _) => "kvm",
            (Self::Tcg, true) => "tcg,thread=multi",
            (Self::Tcg, false) => "tcg,thread=single",
        }
    }
}

/// The host's accelerator. `PADDOCK_ACCEL` (`kvm` or `tcg`) decides without a probe.
pub fn accel() -> Result<Accel> {
    static FOUND: OnceLock<std::result::Result<Accel, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| detect_uncached().map_err(|error| format!("{error:#}")));
    match found {
        Ok(accel) => Ok(*accel),
        Err(error) => bail!("{error}"),
    }
}

fn detect_uncached() -> Result<Accel> {
    let version = qemu_version()?;
    ensure!(
        parse_version(&version).is_some_and(|found| found >= OLDEST_QEMU),
        "QEMU {}.{} or later is needed, found `{version}` (hint: on Debian 12 install it from bookworm-backports)",
        OLDEST_QEMU.0,
        OLDEST_QEMU.1
    );
    if let Ok(asked) = std::env::var("PADDOCK_ACCEL") {
        return parse_name(&asked)
            .with_context(|| format!("PADDOCK_ACCEL is `{asked}`, expected kvm or tcg"));
    }
    let note = paths::artifacts().join("accel");
    if let Some(accel) = read_cached(&note) {
        return Ok(accel);
    }
    let accel = if probe(&paths::dist().join("vmlinuz"))? {
        Accel::Kvm
    } else {
        Accel::Tcg
    };
    fs::write(&note, accel.name()).with_context(|| format!("writing {}", note.display()))?;
    Ok(accel)
}

/// The first line of `qemu --version`.
pub fn qemu_version() -> Result<String> {
    let said = run_tool(QEMU, &["--version"]).context("asking QEMU for its version")?;
    Ok(String::from_utf8_lossy(&said)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.split("version ").nth(1)?.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn parse_name(name: &str) -> Option<Accel> {
    [Accel::Kvm, Accel::Tcg]
        .into_iter()
        .find(|accel| accel.name() == name)
}

fn read_cached(note: &Path) -> Option<Accel> {
    let changed = fs::metadata(note).ok()?.modified().ok()?;
    let is_fresh = SystemTime::now().duration_since(changed).ok()? < PROBE_MAX_AGE;
    let text = fs::read_to_string(note).ok().filter(|_| is_fresh)?;
    parse_name(&text)
}

/// Runs a kernel to the point at which it misses its root filesystem.
fn probe(kernel: &Path) -> Result<bool> {
    if fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(false);
    }
    ensure!(
        kernel.is_file(),
        "{} is not there (hint: make iso)",
        kernel.display()
    );
    let output = std::process::Command::new("timeout")
        .args(["--signal=KILL", PROBE_TIMEOUT_SECS, QEMU])
        .args(["-nodefaults", "-display", "none", "-machine", "pc"])
        .args(["-accel", Accel::Kvm.value(false), "-cpu", "host"])
        .args(["-m", "256", "-no-reboot", "-serial", "stdio"])
        .args(["-append", "console=ttyS0 panic=-1", "-kernel"])
        .arg(kernel)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context("running the KVM probe")?;
    Ok(String::from_utf8_lossy(&output.stdout).contains(PROBE_END))
}

#[cfg(test)]
mod tests {
    use super::{OLDEST_QEMU, parse_version};

    #[test]
    fn versions() {
        let table = [
            (
                "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)",
                Some((10, 0)),
            ),
            (
                "QEMU emulator version 7.2.15 (Debian 1:7.2+dfsg-7)",
                Some((7, 2)),
            ),
            ("QEMU emulator version 8.2 (x)", Some((8, 2))),
            ("something else", None),
        ];
        for (line, expected) in table {
            assert_eq!(parse_version(line), expected, "{line}");
        }
        assert!((7, 2) < OLDEST_QEMU && (10, 0) > OLDEST_QEMU);
    }
}
