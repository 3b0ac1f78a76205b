//! AppArmor for containers: dockerd confines them where it sees the kernel's security filesystem and finds
//! `apparmor_parser` (moby, `profiles/apparmor`; containerd, `pkg/apparmor`). PID 1 does
//! not mount it, so that System Docker sees none: the profile forbids what the system's services are for, such as a mount or
//! a write below `/sys`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};

/// The kernel's security filesystem.
const SECURITY: &str = "/sys/kernel/security";
/// The kernel's interface for profiles.
const PROFILES: &str = "/sys/kernel/security/apparmor";
/// `Y` where the kernel has AppArmor and the kernel line does not turn it off.
const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
/// Where Debian has had the parser in turn.
const PARSERS: [&str; 2] = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"];

/// Lets dockerd confine containers, unless the kernel has no AppArmor.
///
/// # Errors
/// If the security filesystem cannot be mounted, or the engine's image has no parser: dockerd would start no container
/// then, or would start each without a profile.
pub(crate) fn offer() -> Result<()> {
    let enabled = std::fs::read_to_string(ENABLED).unwrap_or_default();
    if enabled.trim() != "Y" {
        return Ok(());
    }
    ensure!(
        PARSERS.iter().any(|parser| Path::new(parser).is_file()),
        "the engine's image has no apparmor_parser: containers run without AppArmor's profile (hint: install the \
         package apparmor in the image)"
    );
    if !Path::new(PROFILES).is_dir() {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(
            Some("securityfs"),
            SECURITY,
            Some("securityfs"),
            flags,
            None::<&str>,
        )
        .with_context(|| {
            format!("mounting {SECURITY}: containers run without AppArmor's profile")
        })?;
    }
    Ok(())
}
