//! `make run`: the ISO in QEMU, its serial console on this terminal.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use qemu_tests::accel::{self, QEMU};
use qemu_tests::seed::{self, UserData};
use qemu_tests::spec::SeedKind;

use crate::build::command::{argv, become_program, try_output};
use crate::build::folders::Folders;

const SSH_PORT: u16 = 2222;
const MEMORY_MIB: u32 = 1024;
const CPUS: u32 = 2;

/// Boots; this process becomes QEMU and ends when the machine is powered off.
pub(crate) fn boot(folders: &Folders, cloud_config: Option<&Path>) -> Result<()> {
    let iso = folders.dist.join("paddock.iso");
    ensure!(
        iso.exists(),
        "finding {}\nhint: `make iso` makes it",
        iso.display()
    );
    let key = ssh_key(&folders.build)?;
    let seed = seed(&folders.build, cloud_config, &key)?;
    // One machine, alone.
    let accel = accel::accel()?.value(true);
    let shown = key
        .strip_prefix(&folders.repository)
        .unwrap_or(&key)
        .display();
    eprintln!(
        "\
accelerator  {accel}
ssh          ssh -p {SSH_PORT} -i {shown} rancher@127.0.0.1
docker       DOCKER_HOST=ssh://rancher@127.0.0.1:{SSH_PORT} docker ps   (after ssh-add {shown})
leave        `sudo poweroff` in the machine, or Ctrl-A X here
"
    );
    become_program(&arguments(accel, &iso, &seed))
}

fn arguments(accel: &str, iso: &Path, seed: &Path) -> Vec<OsString> {
    let drive = |path: &Path| format!("media=cdrom,readonly=on,file={}", path.display());
    argv![
        QEMU,
        "-name",
        "paddock",
        "-machine",
        "q35",
        "-accel",
        accel,
        "-cpu",
        "max",
        "-smp",
        CPUS.to_string(),
        "-m",
        MEMORY_MIB.to_string(),
        "-display",
        "none",
        "-serial",
        "mon:stdio",
        "-drive",
        drive(iso),
        "-drive",
        drive(seed),
        "-netdev",
        format!("user,id=net0,hostfwd=tcp:127.0.0.1:{SSH_PORT}-:22"),
        "-device",
        "virtio-net-pci,netdev=net0",
        "-device",
        "virtio-rng-pci",
    ]
}

/// A key for this checkout's machines, made once.
fn ssh_key(build: &Path) -> Result<PathBuf> {
    let key = build.join("ssh/id_ed25519");
    if !key.exists() {
        fs::create_dir_all(build.join("ssh")).context("making the key's folder")?;
        try_output(&argv![
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "make run",
            "-f",
            &key
        ])
        .context("making an ssh key with ssh-keygen")?;
    }
    Ok(key)
}

fn seed(build: &Path, cloud_config: Option<&Path>, key: &Path) -> Result<PathBuf> {
    let public = fs::read_to_string(key.with_extension("pub")).context("reading the ssh key")?;
    let user_data = match cloud_config {
        None => UserData::key_only(),
        Some(file) => {
            UserData::Raw(fs::read(file).with_context(|| format!("reading {}", file.display()))?)
        }
    };
    let folder = build.join("run");
    fs::create_dir_all(&folder).context("making the machine's folder")?;
    seed::make(SeedKind::NocloudIso, &user_data, public.trim(), &folder)?
        .context("making the machine's configuration medium")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_itself_reaches_the_machine() {
        let argv = arguments("kvm", Path::new("a.iso"), Path::new("seed.iso"));
        let netdev = argv
            .iter()
            .find(|word| word.to_string_lossy().starts_with("user,"))
            .unwrap();
        assert_eq!(netdev, "user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22");
    }
}
