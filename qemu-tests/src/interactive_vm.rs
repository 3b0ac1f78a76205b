//! `make run`: the ISO in QEMU, its serial console on this terminal.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::harness::media::seed::{self, UserData};
use crate::harness::qemu::accel::{self, Accel, QEMU};
use crate::harness::spec::SeedKind;

const SSH_PORT: u16 = 2222;
const MEMORY_MIB: u32 = 1024;
const CPUS: u32 = 2;

/// Boots the ISO of the source tree at `repository`. Without a cloud-config, the machine gets a cloud-config with a
/// generated ssh key. This process becomes QEMU, so the function returns only with an error.
pub fn boot(repository: &Path, cloud_config: Option<&Path>) -> Result<()> {
    let repository = repository
        .canonicalize()
        .with_context(|| format!("finding the repository at {}", repository.display()))?;
    let build = repository.join("build");
    let iso = repository.join("dist/paddock.iso");
    ensure!(
        iso.exists(),
        "finding {}\nhint: `make iso` makes it",
        iso.display()
    );
    let key = ssh_key(&build)?;
    let seed = seed(&build, cloud_config, &key)?;
    // No other machine runs, so emulated CPUs that run at the same time are faster.
    let accel = accel::accel()?;
    let shown = key.strip_prefix(&repository).unwrap_or(&key).display();
    eprintln!(
        "\
accelerator  {}
ssh          ssh -p {SSH_PORT} -i {shown} rancher@127.0.0.1
docker       DOCKER_HOST=ssh://rancher@127.0.0.1:{SSH_PORT} docker ps   (after ssh-add {shown})
leave        `sudo poweroff` in the machine, or Ctrl-A X here
",
        accel.value(true)
    );
    let error = Command::new(QEMU)
        .args(arguments(accel, &iso, &seed))
        .env("LC_ALL", "C.UTF-8")
        .exec();
    Err(error).with_context(|| format!("starting {QEMU}"))
}

fn arguments(accel: Accel, iso: &Path, seed: &Path) -> Vec<OsString> {
    let drive = |path: &Path| format!("media=cdrom,readonly=on,file={}", path.display());
    let (cpus, memory) = (CPUS.to_string(), MEMORY_MIB.to_string());
    let netdev = format!("user,id=net0,hostfwd=tcp:127.0.0.1:{SSH_PORT}-:22");
    [
        "-name",
        "paddock",
        "-machine",
        "q35",
        "-accel",
        accel.value(true),
        "-cpu",
        accel.cpu(),
        "-smp",
        &cpus,
        "-m",
        &memory,
        "-display",
        "none",
        "-serial",
        "mon:stdio",
        "-drive",
        &drive(iso),
        "-drive",
        &drive(seed),
        "-netdev",
        &netdev,
        "-device",
        "virtio-net-pci,netdev=net0",
        "-device",
        "virtio-rng-pci",
    ]
    .map(OsString::from)
    .into()
}

/// A key for this checkout's machines, made once.
fn ssh_key(build: &Path) -> Result<PathBuf> {
    let key = build.join("ssh/id_ed25519");
    if !key.exists() {
        fs::create_dir_all(build.join("ssh")).context("making the key's folder")?;
        let output = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "make run", "-f"])
            .arg(&key)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        ensure!(
            output.is_ok_and(|output| output.status.success()),
            "making an ssh key with ssh-keygen"
        );
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
    seed::make(
        SeedKind::NocloudIso,
        &user_data,
        None,
        public.trim(),
        &folder,
    )?
    .context("making the machine's configuration medium")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Accel, arguments};

    #[test]
    fn only_the_host_itself_reaches_the_machine() {
        let argv = arguments(Accel::Kvm, Path::new("a.iso"), Path::new("seed.iso"));
        let netdev = argv
            .iter()
            .find(|word| word.to_string_lossy().starts_with("user,"))
            .unwrap();
        assert_eq!(netdev, "user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22");
    }
}
