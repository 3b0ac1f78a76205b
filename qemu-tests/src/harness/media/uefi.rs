//! UEFI firmware: the host's code, and a copy of its variables for each machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::harness::media::secure_boot;
use crate::harness::spec::{Firmware, VmSpec};

/// Where Debian's `ovmf` puts the firmware, newer packages first.
const OVMF: &[(&str, &str)] = &[
    (
        "/usr/share/OVMF/OVMF_CODE_4M.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.fd",
    ),
    (
        "/usr/share/OVMF/OVMF_CODE.fd",
        "/usr/share/OVMF/OVMF_VARS.fd",
    ),
];

/// The firmware with Secure Boot, and its variables with the keys of Microsoft.
const SECURE_BOOT: &[(&str, &str)] = &[(
    "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
    "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
)];

/// The firmware of one machine.
#[derive(Debug, Clone)]
pub struct UefiFirmware {
    /// The code, which all machines share.
    pub code: PathBuf,
    /// The variables, which the machine may change.
    pub variables: PathBuf,
}

impl UefiFirmware {
    /// Finds the host's firmware for `spec` and copies its variables into `dir`; `None` if the firmware is no UEFI.
    pub fn copy_to(dir: &Path, spec: &VmSpec) -> Result<Option<Self>> {
        let known = match spec.firmware {
            Firmware::Seabios => return Ok(None),
            Firmware::Ovmf => OVMF,
            Firmware::OvmfSecureBoot => SECURE_BOOT,
        };
        let (code, vars) = known
            .iter()
            .find(|(code, vars)| Path::new(code).is_file() && Path::new(vars).is_file())
            .context("looking for UEFI firmware (hint: install ovmf)")?;
        let copy = dir.join("ovmf-vars.fd");
        fs::copy(vars, &copy).with_context(|| format!("copying {vars}"))?;
        if !spec.authorities.is_empty() {
            secure_boot::accept_only(&spec.authorities, &copy, dir)?;
        }
        Ok(Some(Self {
            code: PathBuf::from(code),
            variables: copy,
        }))
    }
}
