//! Faults of the state disk while the machine runs: its filesystem takes no writes any more, or the disk does not answer.
//! A look at it costs the disk nothing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::paths::{RUNNING, STATE};
use host::problems::{self, ProblemRecord};
use host::proc::mount_table::{self, MountPoint};
use host::state_problems::{READ_ONLY, SILENT};
use nix::errno::Errno;
use tokio::task::JoinHandle;

const INTERVAL: Duration = Duration::from_secs(10);
/// A disk is silent if it answers no request in so many looks. The kernel gives a disk up later, if ever.
const SILENT_LOOKS: u32 = 6;
/// The time for opening a file that is in memory.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks at the state disk until the process ends.
pub(super) async fn watch() {
    let mut known = Known::read();
    let mut requests = Requests::default();
    let mut opening: Option<JoinHandle<bool>> = None;
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(mount) = state_mount() else {
            continue;
        };
        let node = mount.source.display().to_string();
        let is_silent =
            read_requests(Path::new("/"), &mount.source).is_some_and(|now| requests.are_stuck(now));
        known.set(SILENT, is_silent, || {
            format!(
                "the state disk {node} does not answer; programs that use it wait (hint: look at the disk, its cable or \
                 the machine's host)"
            )
        });
        let mut task = opening
            .take()
            .unwrap_or_else(|| tokio::task::spawn_blocking(|| is_shut_down(Path::new(RUNNING))));
        let is_shut_down = match tokio::time::timeout(OPEN_TIMEOUT, &mut task).await {
            Ok(opened) => opened.unwrap_or(false),
            // It goes on, and the next look asks it again.
            Err(_) => {
                opening = Some(task);
                continue;
            }
        };
        known.set(READ_ONLY, is_shut_down || is_read_only(&mount.options), || {
            format!(
                "the state disk {node} takes no writes any more, as after an error of its filesystem: `dmesg` says why \
                 (hint: save what you need and reboot; the boot checks the disk)"
            )
        });
    }
}

/// The faults that are in the list of problems.
struct Known(Vec<&'static str>);

impl Known {
    /// An earlier process may have reported them.
    fn read() -> Self {
        let listed = problems::list();
        let is_listed = |id: &&str| listed.iter().any(|problem| problem.id == *id);
        Self([SILENT, READ_ONLY].into_iter().filter(is_listed).collect())
    }

    /// Reports a fault that is new, and clears a fault that is over.
    fn set(&mut self, id: &'static str, is_there: bool, text: impl FnOnce() -> String) {
        let was_there = self.0.contains(&id);
        if is_there && !was_there {
            self.0.push(id);
            problems::report(&ProblemRecord::error(id, "the state disk", text()));
        } else if was_there && !is_there {
            self.0.retain(|known| *known != id);
            problems::clear(id);
        }
    }
}

/// The state filesystem, unless it is in memory.
fn state_mount() -> Option<MountPoint> {
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).ok()?;
    let found = mount_table::find(&mounts, Path::new(STATE))?;
    (found.fstype != "tmpfs").then(|| found.clone())
}

/// Whether the kernel shows in a filesystem's options that nothing can be written. Newer kernels have words of their own
/// for ext4 after an error.
fn is_read_only(options: &str) -> bool {
    let mut options = options.split(',');
    options.any(|option| matches!(option, "ro" | "emergency_ro" | "shutdown"))
}

/// Whether a file that is there cannot be opened, because the filesystem has ended itself: so do ext4 and XFS after an
/// error, and the mount still counts as writable.
fn is_shut_down(file: &Path) -> bool {
    File::open(file).is_err_and(|error| is_of_filesystem(&error))
}

fn is_of_filesystem(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EIO | Errno::EUCLEAN | Errno::ESHUTDOWN))
}

/// The requests to a disk, as the kernel counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RequestCount {
    answered: u64,
    waiting: u64,
}

/// Looks at a disk's requests in a row.
#[derive(Debug, Default)]
struct Requests {
    last: Option<RequestCount>,
    looks: u32,
}

impl Requests {
    /// Whether requests wait, and none has been answered in the last looks.
    fn are_stuck(&mut self, now: RequestCount) -> bool {
        let is_stuck = now.waiting > 0
            && self
                .last
                .is_some_and(|last| last.waiting > 0 && last.answered == now.answered);
        self.looks = if is_stuck { self.looks + 1 } else { 0 };
        self.last = Some(now);
        self.looks >= SILENT_LOOKS
    }
}

/// Reads the counts of the device `node` in `/sys` below `root` (the kernel's Documentation/block/stat).
fn read_requests(root: &Path, node: &Path) -> Option<RequestCount> {
    let name = node.strip_prefix("/dev").ok()?.to_str()?.replace('/', "!");
    let file: PathBuf = root.join("sys/class/block").join(name).join("stat");
    parse_requests(&std::fs::read_to_string(file).ok()?)
}

fn parse_requests(text: &str) -> Option<RequestCount> {
    let fields: Vec<u64> = text
        .split_ascii_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    let [reads, _, _, _, writes, _, _, _, waiting, ..] = fields[..] else {
        return None;
    };
    Some(RequestCount {
        answered: reads.saturating_add(writes),
        waiting,
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{
        RequestCount, Requests, SILENT_LOOKS, is_of_filesystem, is_read_only, parse_requests,
    };

    #[test]
    fn a_filesystem_that_takes_no_writes_is_recognised() {
        for (options, expected) in [
            ("rw,errors=remount-ro", false),
            ("rw,noatime", false),
            ("ro,errors=remount-ro", true),
            ("rw,emergency_ro", true),
            ("rw,shutdown", true),
            ("", false),
        ] {
            assert_eq!(is_read_only(options), expected, "{options}");
        }
        for (errno, expected) in [
            (nix::libc::EIO, true),
            (nix::libc::EUCLEAN, true),
            (nix::libc::ENOENT, false),
            (nix::libc::EMFILE, false),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(is_of_filesystem(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_disk_is_silent_when_it_answers_no_request_for_a_minute() {
        // `answered waiting` in each look.
        let looks = |texts: &[(u64, u64)]| {
            let mut requests = Requests::default();
            let stuck = texts.iter().map(|(answered, waiting)| {
                requests.are_stuck(RequestCount {
                    answered: *answered,
                    waiting: *waiting,
                })
            });
            stuck.last()
        };
        let enough = SILENT_LOOKS as usize + 1;
        assert_eq!(looks(&vec![(7, 2); enough]), Some(true));
        assert_eq!(looks(&vec![(7, 2); enough - 1]), Some(false));
        // An idle disk.
        assert_eq!(looks(&vec![(7, 0); enough]), Some(false));
        // A busy one.
        let busy: Vec<(u64, u64)> = (0..20).map(|answered| (answered, 9)).collect();
        assert_eq!(looks(&busy), Some(false));
        // It answers again.
        let mut late = vec![(7, 2); enough];
        late.push((8, 1));
        assert_eq!(looks(&late), Some(false));
    }

    #[test]
    fn the_kernels_counts_are_read() {
        let text = "    2109       12   93474      510      337      207     8840     1105        3      644     1617        0\n";
        let counts = RequestCount {
            answered: 2109 + 337,
            waiting: 3,
        };
        assert_eq!(parse_requests(text), Some(counts));
        assert_eq!(parse_requests("1 2 3"), None);
        assert_eq!(parse_requests(""), None);
    }
}
