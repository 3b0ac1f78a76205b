//! The system that the benchmark compares with: Debian's stable release, minimal, with systemd, Debian's Docker and ssh
//! on ext4, as the packages configure them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::harness::spawn::run_tool;
use crate::harness::spec::{BootMedium, VmSpec};

const SUITE: &str = "trixie";
const PACKAGES: &str = "linux-image-amd64,initramfs-tools,systemd-sysv,udev,dbus,docker.io,docker-cli,openssh-server,sudo,iproute2,procps";
const LABEL: &str = "comparator";
const DISK_MIB: u64 = 3072;

/// The baseline prints this on the console once Docker has told systemd that it answers.
pub const DOCKER_ANSWERS: &str = "bench: docker answers after ";

/// The files that are added to the bare system: name and text.
const FILES: &[(&str, &str)] = &[
    (
        "etc/fstab",
        "LABEL=comparator / ext4 defaults 0 1\nLABEL=CIDATA /seed vfat ro,nofail 0 0\n",
    ),
    ("etc/hostname", "comparator\n"),
    (
        "etc/systemd/network/eth0.network",
        "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n",
    ),
    ("etc/sudoers.d/rancher", "rancher ALL=(ALL) NOPASSWD: ALL\n"),
    (
        "etc/ssh/sshd_config.d/seed.conf",
        "AuthorizedKeysCommand /usr/local/sbin/seed-keys\nAuthorizedKeysCommandUser root\n",
    ),
    (
        "usr/local/sbin/seed-keys",
        "#!/bin/sh\nsed -n 's/^ *- \\(ssh-.*\\)/\\1/p' /seed/meta-data\n",
    ),
    (
        "etc/systemd/system/bench.service",
        "[Unit]\nAfter=docker.service\nRequires=docker.service\n[Service]\nType=oneshot\n\
         ExecStart=/bin/sh -c 'read up rest </proc/uptime; echo \"bench: docker answers after $up s\" >/dev/ttyS0'\n\
         [Install]\nWantedBy=multi-user.target\n",
    ),
];

/// The baseline's kernel, initrd and disk.
#[derive(Debug)]
pub struct DebianBaseline {
    dir: PathBuf,
}

impl DebianBaseline {
    /// Builds the baseline in `dir`, unless it is there; needs root and the Debian mirror.
    pub fn build(dir: &Path) -> Result<Self> {
        let debian_baseline = Self {
            dir: dir.to_path_buf(),
        };
        let stamp = dir.join("stamp");
        let content = format!("{SUITE} {PACKAGES}\n");
        if fs::read_to_string(&stamp).is_ok_and(|found| found == content) {
            return Ok(debian_baseline);
        }
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        let root = dir.join("root");
        bootstrap(&root)?;
        for (name, text) in FILES {
            let file = root.join(name);
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent)
                    .with_context(|| format!("creating {}", parent.display()))?;
            }
            fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        configure(&root)?;
        copy_kernel(&root, dir)?;
        make_disk(&root, &dir.join("disk.img"))?;
        fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
        fs::write(&stamp, content).context("writing the comparator's stamp")?;
        Ok(debian_baseline)
    }

    /// A machine that boots the baseline.
    pub fn spec(&self) -> VmSpec {
        VmSpec {
            boot_medium: BootMedium::Netboot,
            kernel: Some(self.dir.join("vmlinuz")),
            initrd: Some(self.dir.join("initrd")),
            disks: vec![self.dir.join("disk.img")],
            append: format!("root=LABEL={LABEL} ro quiet"),
            ..VmSpec::default()
        }
    }
}

fn bootstrap(root: &Path) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("removing {}", root.display()))?;
    }
    let include = format!("--include={PACKAGES}");
    let root = root.to_string_lossy();
    run_tool(
        "mmdebstrap",
        &["--mode=root", "--variant=minbase", &include, SUITE, &root],
    )
    .context("building the comparator (hint: needs root)")
    .map(drop)
}

fn configure(root: &Path) -> Result<()> {
    let root = root.to_string_lossy();
    run_tool(
        "chmod",
        &["755", &format!("{root}/usr/local/sbin/seed-keys")],
    )?;
    fs::create_dir_all(format!("{root}/seed")).context("creating the seed's mount point")?;
    for command in [
        "useradd -m -s /bin/bash -G docker,sudo rancher",
        "systemctl enable systemd-networkd bench.service ssh docker",
        "passwd -d root",
    ] {
        run_tool("chroot", &[&*root, "sh", "-c", command])?;
    }
    Ok(())
}

fn copy_kernel(root: &Path, dir: &Path) -> Result<()> {
    for (prefix, name) in [("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")] {
        let boot = root.join("boot");
        let entries = fs::read_dir(&boot).with_context(|| format!("listing {}", boot.display()))?;
        let found = entries
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        let found =
            found.with_context(|| format!("looking for {prefix}* in {}", boot.display()))?;
        fs::copy(found.path(), dir.join(name)).with_context(|| format!("copying {name}"))?;
    }
    Ok(())
}

fn make_disk(root: &Path, disk: &Path) -> Result<()> {
    let file = fs::File::create(disk).with_context(|| format!("creating {}", disk.display()))?;
    file.set_len(DISK_MIB * 1024 * 1024)
        .with_context(|| format!("sizing {}", disk.display()))?;
    let (root, disk) = (root.to_string_lossy(), disk.to_string_lossy());
    ensure!(root != "/", "the comparator's root is the host's");
    run_tool("mkfs.ext4", &["-q", "-F", "-L", LABEL, "-d", &root, &disk]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{DOCKER_ANSWERS, DebianBaseline, FILES};

    #[test]
    fn the_service_prints_what_is_waited_for() {
        let (_, unit) = FILES
            .iter()
            .find(|(name, _)| name.ends_with("bench.service"))
            .unwrap();
        assert!(unit.contains(DOCKER_ANSWERS), "{unit}");
    }

    #[test]
    fn the_disk_is_found_by_the_label_on_the_kernel_line() {
        let spec = DebianBaseline { dir: "/c".into() }.spec();
        assert!(spec.append.contains("root=LABEL=comparator"));
        assert!(
            FILES
                .iter()
                .any(|(name, text)| *name == "etc/fstab" && text.contains("LABEL=comparator / "))
        );
    }
}
