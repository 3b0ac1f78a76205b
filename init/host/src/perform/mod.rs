//! Performs steps: the one file of PID 1 that changes the machine (power aside).

pub mod hosts;
pub mod image_store;
pub mod loop_device;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount as kernel_mount};
use os_config::atomic_file;
use sys_mount::{FilesystemType, Mount, MountFlags};

use crate::modules::Modules;
use crate::step::{Planned, Severity, Step};

/// Performs a plan in order. A fatal step's error ends it; other errors are handed to `complain`.
pub fn run_plan(plan: &[Planned], mut complain: impl FnMut(&str)) -> Result<()> {
    for planned in plan {
        log::debug!("{planned}");
        let Err(error) = run_step(&planned.step) else {
            continue;
        };
        match planned.severity {
            Severity::Fatal => return Err(error),
            Severity::Warn => complain(&format!("{error:#}")),
        }
    }
    Ok(())
}

/// Performs one step.
pub fn run_step(step: &Step) -> Result<()> {
    match step {
        Step::Folder { path, mode } => folder(path, *mode),
        Step::Mount {
            source,
            target,
            fstype,
            options,
        } => mount(source, target, fstype, options),
        Step::Bind { source, target } => bind(source, target),
        Step::Share { target } => share(target),
        Step::Link { path, to } => link(path, to),
        Step::Write {
            path,
            content,
            mode,
        } => write(path, content.as_bytes(), *mode),
        Step::WriteIfMissing { path, content } => {
            if path.exists() {
                Ok(())
            } else {
                write(path, content.as_bytes(), 0o644)
            }
        }
        Step::Tell { path, content } => fs::write(path, content)
            .with_context(|| format!("writing {:?} to {}", content.trim_end(), path.display())),
        Step::Hostname(name) => nix::unistd::sethostname(name)
            .with_context(|| format!("setting the host name {name:?}")),
        Step::HostsEntry(names) => hosts::set_entry(names),
        Step::TimeZone(zone) => hosts::set_time_zone(zone),
        Step::Module { name, parameters } => load_module(name, parameters),
        Step::LoopbackUp => loopback::bring_up(),
        Step::ImageStore { from, to } => image_store::install(from, to),
    }
}

fn folder(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .create(path)
        .with_context(|| format!("making folder {}", path.display()))?;
    // Set apart from the creation, which the umask would cut.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", path.display()))
}

fn mount(source: &str, target: &Path, fstype: &str, options: &str) -> Result<()> {
    if mounted_type(target).as_deref() == Some(fstype) {
        return Ok(());
    }
    if !target.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(target)
            .with_context(|| format!("making mount point {}", target.display()))?;
    }
    let (flags, data) = mount_options(options);
    Mount::builder()
        .fstype(FilesystemType::Manual(fstype))
        .flags(flags)
        .data(&data)
        .mount(source, target)
        .map(drop)
        .with_context(|| format!("mounting {source} on {} as {fstype}", target.display()))
}

/// Splits mount(8)'s options into the kernel's flags and what the filesystem itself reads.
fn mount_options(options: &str) -> (MountFlags, String) {
    let mut flags = MountFlags::empty();
    let mut data = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => flags |= MountFlags::RDONLY,
            "nosuid" => flags |= MountFlags::NOSUID,
            "nodev" => flags |= MountFlags::NODEV,
            "noexec" => flags |= MountFlags::NOEXEC,
            "noatime" => flags |= MountFlags::NOATIME,
            "relatime" => flags |= MountFlags::RELATIME,
            other => data.push(other),
        }
    }
    (flags, data.join(","))
}

fn mounted_type(target: &Path) -> Option<String> {
    let table = fs::read_to_string("/proc/self/mounts").ok()?;
    let wanted = target.to_str()?;
    table.lines().rev().find_map(|line| {
        let mut words = line.split(' ');
        (words.nth(1)? == wanted).then(|| words.next().unwrap_or_default().to_owned())
    })
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    folder(target, 0o755)?;
    Mount::builder()
        .flags(MountFlags::BIND)
        .mount(source, target)
        .map(drop)
        .with_context(|| format!("binding {} on {}", source.display(), target.display()))
}

fn share(target: &Path) -> Result<()> {
    // Propagation is not among sys-mount's builder's kinds of mount.
    kernel_mount(
        None::<&str>,
        target,
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SHARED,
        None::<&str>,
    )
    .with_context(|| format!("sharing mounts below {}", target.display()))
}

pub(crate) fn link(path: &Path, to: &Path) -> Result<()> {
    if fs::read_link(path).is_ok_and(|found| found == to) {
        return Ok(());
    }
    if path.is_symlink() || path.is_file() {
        fs::remove_file(path).with_context(|| format!("replacing {}", path.display()))?;
    }
    if let Some(parent) = path.parent() {
        folder(parent, 0o755)?;
    }
    symlink(to, path).with_context(|| format!("linking {} to {}", path.display(), to.display()))
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    atomic_file::replace(path, content, mode).with_context(|| format!("writing {}", path.display()))
}

fn load_module(name: &str, parameters: &str) -> Result<()> {
    Modules::read(Path::new("/"), &crate::facts::kernel_release()).load(name, parameters)
}

mod loopback {
    //! `lo` by ioctl: iproute2 is not needed for one flag.
    #![allow(unsafe_code)]

    use anyhow::{Context, Result};
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    use std::os::fd::AsRawFd;

    const SIOCGIFFLAGS: u16 = 0x8913;
    const SIOCSIFFLAGS: u16 = 0x8914;
    const IFF_UP: i16 = 1;

    /// `struct ifreq` of linux/if.h with its `ifr_flags` member; 40 bytes on every 64-bit kernel.
    #[repr(C)]
    struct InterfaceRequest {
        name: [u8; 16],
        flags: i16,
        rest: [u8; 22],
    }

    nix::ioctl_read_bad!(get_flags, SIOCGIFFLAGS, InterfaceRequest);
    nix::ioctl_write_ptr_bad!(set_flags, SIOCSIFFLAGS, InterfaceRequest);

    pub(super) fn bring_up() -> Result<()> {
        let socket = socket(
            AddressFamily::Inet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .context("opening a socket for lo")?;
        let mut request = InterfaceRequest {
            name: [0; 16],
            flags: 0,
            rest: [0; 22],
        };
        for (to, from) in request.name.iter_mut().zip(b"lo") {
            *to = *from;
        }
        // SAFETY: the request is a whole `struct ifreq` that lives through both calls.
        unsafe { get_flags(socket.as_raw_fd(), &raw mut request) }
            .context("reading the flags of lo")?;
        request.flags |= IFF_UP;
        // SAFETY: as above; the kernel only reads it.
        unsafe { set_flags(socket.as_raw_fd(), &raw const request) }.context("bringing lo up")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{link, mount_options, write};
    use std::fs;
    use sys_mount::MountFlags;

    #[test]
    fn options_are_split() {
        let (flags, data) = mount_options("nosuid,mode=0755,ro,size=10%");
        assert_eq!(flags, MountFlags::NOSUID | MountFlags::RDONLY);
        assert_eq!(data, "mode=0755,size=10%");
    }

    #[test]
    fn files_and_links_are_replaced() {
        let dir = std::env::temp_dir().join(format!("perform-{}", std::process::id()));
        fs::create_dir_all(dir.join("sub")).unwrap();
        write(&dir.join("sub/a"), b"new", 0o600).unwrap();
        write(&dir.join("sub/a"), b"newer", 0o600).unwrap();
        link(&dir.join("l"), "sub".as_ref()).unwrap();
        link(&dir.join("l"), "sub/a".as_ref()).unwrap();
        assert_eq!(fs::read_to_string(dir.join("sub/a")).unwrap(), "newer");
        assert_eq!(
            fs::read_link(dir.join("l")).unwrap(),
            std::path::Path::new("sub/a")
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}
