//! `mounts` and `swap` of the cloud-config, made in the console at every start. User Docker sees the mounts below the
//! folders that it shares with the console, so containers can have them as volumes.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use host::problems::{self, ProblemRecord};
use host::proc::memory::Memory;
use host::proc::mount_table;
use host::restart::BackOff;
use nix::fcntl::posix_fallocate;
use os_config::{Config, Mount, Swap};

use crate::console::user_path::{Folder, Missing};
use crate::subprocess;

const SWAPS: &str = "/proc/swaps";
/// Bytes that stay free on the disk where the swap file has no configured size.
const FREE_RESERVE: u64 = 256 << 20;

/// The limit for the first mounts of servers. Commands of the user start after it, and User Docker soon after them.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(20);
/// The pauses between attempts to mount what a server has.
const RETRIES: BackOff = BackOff::new(Duration::from_secs(1), Duration::from_secs(60));
const NETWORK_PROBLEM: &str = "mounts.network";

/// Makes the mounts that need no network, and the swap space. A failure does not end the loop; the error names every
/// mount that failed.
pub(crate) fn mount_local(config: &Config) -> Result<()> {
    let mut failed = Vec::new();
    for mount in config.mounts.iter().filter(|mount| !mount.needs_network()) {
        let result = if mount.is_swap() {
            enable_swap(&mount.device)
        } else {
            mount_device(mount)
        };
        if let Err(error) = result {
            failed.push(format!("mounts: {}: {error:#}", mount.device));
        }
    }
    if let Some(swap) = &config.swap
        && let Err(error) = use_swap_file(swap)
    {
        failed.push(format!("swap: {}: {error:#}", swap.file));
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// Mounts of servers. They are tried until they succeed: the network or a server may come later.
#[derive(Debug)]
pub(crate) struct NetworkMounts {
    attempts: Option<JoinHandle<()>>,
    first: Receiver<()>,
}

impl NetworkMounts {
    /// Begins with the mounts that need the network.
    pub(crate) fn begin(config: &Config) -> Self {
        let mounts: Vec<Mount> = config
            .mounts
            .iter()
            .filter(|mount| mount.needs_network())
            .cloned()
            .collect();
        let (sender, first) = channel();
        let attempts = (!mounts.is_empty())
            .then(|| std::thread::spawn(move || mount_until_done(mounts, &sender)));
        Self { attempts, first }
    }

    /// Waits until all are mounted, for a limited time.
    pub(crate) fn wait_a_while(&self) {
        if self.attempts.is_some() {
            // The sender is dropped when everything is mounted.
            let _ = self.first.recv_timeout(NETWORK_TIMEOUT);
        }
    }

    /// Waits until all are mounted.
    pub(crate) fn wait(self) {
        if let Some(attempts) = self.attempts {
            let _ = attempts.join();
        }
    }
}

fn mount_until_done(mut mounts: Vec<Mount>, done: &Sender<()>) {
    let began = Instant::now();
    let mut retries = RETRIES;
    loop {
        let mut failed = Vec::new();
        mounts.retain(|mount| match mount_device(mount) {
            Ok(()) => false,
            Err(error) => {
                failed.push(format!("mounts: {}: {error:#}", mount.device));
                true
            }
        });
        if mounts.is_empty() {
            problems::clear(NETWORK_PROBLEM);
            let _ = done.send(());
            return;
        }
        if began.elapsed() >= NETWORK_TIMEOUT {
            let text = format!("{}; it is tried again", failed.join("; "));
            problems::report(&ProblemRecord::error(NETWORK_PROBLEM, "mounts", text));
        }
        std::thread::sleep(retries.next_pause());
    }
}

fn mount_device(mount: &Mount) -> Result<()> {
    let target = Path::new(&mount.target);
    if is_mounted(target) {
        return Ok(());
    }
    // A file can be mounted only on a file.
    let is_bind = mount
        .options
        .split(',')
        .any(|word| matches!(word, "bind" | "rbind"));
    if is_bind && Path::new(&mount.device).is_file() {
        make_file(target).with_context(|| format!("making {}", target.display()))?;
    } else {
        Folder::open(target, Missing::Make)?;
    }
    run("mount", &arguments(mount))
}

/// Makes an empty file, unless there is a file.
fn make_file(path: &Path) -> Result<()> {
    let (folder, name) = (path.parent(), path.file_name().map(Path::new));
    let (folder, name) = folder.zip(name).context("it names no file")?;
    let folder = Folder::open(folder, Missing::Make)?.context("the folder is missing")?;
    if folder.open_file(name)?.is_none() {
        fs::File::create_new(folder.path(name))?;
    }
    Ok(())
}

/// The arguments of mount(8).
fn arguments(mount: &Mount) -> Vec<&str> {
    let mut arguments = Vec::new();
    if !matches!(mount.fstype.as_str(), "auto" | "none") {
        arguments.extend(["-t", &mount.fstype]);
    }
    if !mount.options.is_empty() {
        arguments.extend(["-o", &mount.options]);
    }
    arguments.extend(["--", &mount.device, &mount.target]);
    arguments
}

fn is_mounted(target: &Path) -> bool {
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).unwrap_or_default();
    mount_table::find(&mounts, target).is_some()
}

fn enable_swap(device: &str) -> Result<()> {
    if is_swap(device) {
        return Ok(());
    }
    match device.split_once('=') {
        Some(("LABEL", label)) => run("swapon", &["-L", label]),
        Some(("UUID", uuid)) => run("swapon", &["-U", uuid]),
        _ => run("swapon", &["--", device]),
    }
}

fn is_swap(device: &str) -> bool {
    let path = fs::canonicalize(device).unwrap_or_else(|_| device.into());
    lists_swap(&fs::read(SWAPS).unwrap_or_default(), &path)
}

/// Whether `/proc/swaps` lists `path`. The kernel escapes paths in it as in the table of mounts.
fn lists_swap(table: &[u8], path: &Path) -> bool {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| byte.is_ascii_whitespace()).next())
        .any(|used| mount_table::unescape(used) == path)
}

/// Makes the swap file if it does not exist, and enables it.
fn use_swap_file(swap: &Swap) -> Result<()> {
    if is_swap(&swap.file) {
        return Ok(());
    }
    let path = Path::new(&swap.file);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().map(Path::new)) else {
        bail!("it is no path of a file");
    };
    let folder = Folder::open(parent, Missing::Make)?.context("its folder is missing")?;
    if let Some(found) = folder.open_file(name)? {
        let owner = found.metadata().context("looking at it")?.uid();
        ensure!(
            owner == 0,
            "it belongs to the user with the number {owner}, who could read the memory of programs in it"
        );
        return enable_swap(&swap.file);
    }
    let stat = nix::sys::statvfs::statvfs(parent)
        .with_context(|| format!("looking at {}", parent.display()))?;
    let free = stat.blocks_available() as u64 * stat.fragment_size() as u64;
    let size = swap_size(swap, total_memory()?, free)?;
    let made = folder.path(name);
    let used = make_swap_file(&made, size).and_then(|()| enable_swap(&swap.file));
    // Without a state disk the file would take memory without being swap.
    used.inspect_err(|_| drop(fs::remove_file(made)))
}

/// Makes the file, which must not exist: a link in its place is not followed.
fn make_swap_file(path: &Path, size: u64) -> Result<()> {
    let file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        // Only root may read the memory of programs.
        .mode(0o600)
        .open(path)
        .context("making it")?;
    posix_fallocate(&file, 0, i64::try_from(size)?).context("taking its room")?;
    // The program opens this file and no other, whatever has its name by then.
    let handle = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    run("mkswap", &["--quiet", &handle])
}

/// The size of the swap file, from the machine's memory and the free space of the disk. All are bytes.
fn swap_size(swap: &Swap, memory: u64, free: u64) -> Result<u64> {
    let wanted = swap.size.unwrap_or_else(|| {
        let most = swap.largest.unwrap_or(u64::MAX);
        memory.min(most).min(free.saturating_sub(FREE_RESERVE))
    });
    ensure!(
        wanted > 0 && wanted < free,
        "there are {} MB free, and {} MB were to be swap space",
        free >> 20,
        wanted >> 20
    );
    Ok(wanted)
}

/// The machine's memory in bytes.
fn total_memory() -> Result<u64> {
    let kib = Memory::read(Path::new("/")).total_kib;
    ensure!(kib > 0, "reading /proc/meminfo: it shows no memory");
    Ok(kib << 10)
}

/// Runs a tool. The error is the first line of its message: mount(8) gives the cause there, and points to manuals in
/// the next line.
fn run(program: &str, arguments: &[&str]) -> Result<()> {
    match subprocess::failure(program, arguments, None)? {
        Some(said) => bail!(
            "{}",
            said.lines()
                .next()
                .unwrap_or("it gives no reason")
                .to_owned()
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{lchown, symlink};

    use super::{arguments, lists_swap, swap_size, use_swap_file};
    use os_config::{Mount, Swap};

    #[test]
    fn arguments_of_mount() {
        let mount = |fstype: &str, options: &str| Mount {
            device: "LABEL=DATA".into(),
            target: "/mnt/data".into(),
            fstype: fstype.into(),
            options: options.into(),
        };
        for (mount, expected) in [
            (
                mount("ext4", "noatime"),
                "-t ext4 -o noatime -- LABEL=DATA /mnt/data",
            ),
            (
                mount("auto", "defaults"),
                "-o defaults -- LABEL=DATA /mnt/data",
            ),
            (mount("none", "bind"), "-o bind -- LABEL=DATA /mnt/data"),
        ] {
            assert_eq!(arguments(&mount).join(" "), expected);
        }
    }

    #[test]
    fn swap_files_are_found_in_the_kernels_list() {
        let table = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                      /opt/my\\040swap.img                 file\t\t1024\t0\t-2\n\
                      /dev/zram0                              partition\t1024\t0\t100\n";
        for (path, expected) in [
            ("/opt/my swap.img", true),
            ("/dev/zram0", true),
            ("/opt/my", false),
            ("/dev/zram1", false),
        ] {
            assert_eq!(lists_swap(table, path.as_ref()), expected, "{path}");
        }
    }

    #[test]
    fn a_swap_file_is_not_made_through_a_users_link() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("swap");
        let target = folder.path().join("target");
        symlink(&target, &link).unwrap();
        // Only root can make a link another user's; for other users every link is a user's.
        let _ = lchown(&link, Some(65534), Some(65534));
        let swap = Swap {
            file: link.display().to_string(),
            size: Some(1 << 20),
            largest: None,
        };
        assert!(use_swap_file(&swap).is_err());
        assert!(!target.exists());
    }

    #[test]
    fn size_of_the_swap_file() {
        const GIB: u64 = 1 << 30;
        let swap = |size, largest| Swap {
            file: "/s".into(),
            size,
            largest,
        };
        assert_eq!(swap_size(&swap(Some(5), None), GIB, GIB).unwrap(), 5);
        assert_eq!(swap_size(&swap(None, None), GIB, 9 * GIB).unwrap(), GIB);
        assert_eq!(swap_size(&swap(None, Some(7)), GIB, 9 * GIB).unwrap(), 7);
        assert_eq!(
            swap_size(&swap(None, None), GIB, GIB).unwrap(),
            GIB - super::FREE_RESERVE
        );
        assert!(swap_size(&swap(Some(GIB), None), GIB, GIB).is_err());
        assert!(swap_size(&swap(None, None), GIB, 1000).is_err());
    }
}
