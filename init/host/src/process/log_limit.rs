//! Keeps logs below a limit of size while processes append to them.
//!
//! A process keeps its log open, so a log that has grown is copied to `<log>.1` and emptied in place. The kernel tells of
//! every write (inotify): a process that prints without end is noticed at once, and quiet logs cost nothing. No pipe is
//! between a process and its log, so the death of this process harms neither.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::statfs::fstatfs;

/// The limit in bytes on a filesystem of ordinary size.
const LARGEST: u64 = 25 << 20;
const SMALLEST: u64 = 1 << 20;
/// A log takes at most this part of its filesystem, and its backup as much: without a state disk, logs are in memory.
const PART_OF_FILESYSTEM: u64 = 100;
/// A process that prints without end does not keep this one busy too.
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps each of `logs` below its limit until this process ends. The folder of a log must exist. Errors are logged: a
/// machine is better with unlimited logs than without its programs.
///
/// Call it after the signals of this process are blocked: its thread must receive none.
pub fn keep_limited(logs: &[&str]) {
    let logs: Vec<PathBuf> = logs.iter().map(PathBuf::from).collect();
    let started = thread::Builder::new()
        .name("logs".to_owned())
        .spawn(move || {
            if let Err(error) = watch(&logs, None) {
                eprintln!("ros: limiting the logs: {error:#}");
            }
        });
    if let Err(error) = started {
        eprintln!("ros: limiting the logs: {error}");
    }
}

/// Brings each of `logs` below its limit now. Errors are logged.
pub fn limit_once(logs: &[&str]) {
    limit_now(logs, None);
}

fn limit_now(logs: &[&str], limit: Option<u64>) {
    for path in logs.iter().map(Path::new).filter(|path| path.exists()) {
        let limited = Log::open(path).map(|mut log| log.limit(limit));
        if let Some(Err(error)) = limited {
            log::warn!("limiting {}: {error}", path.display());
        }
    }
}

fn watch(logs: &[PathBuf], limit: Option<u64>) -> Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).context("opening inotify")?;
    let mut watched: Vec<Option<Log>> = Vec::new();
    for path in logs {
        if let Some(folder) = path.parent() {
            // A log that somebody has removed appears again.
            inotify
                .add_watch(folder, AddWatchFlags::IN_CREATE)
                .with_context(|| format!("watching {}", folder.display()))?;
        }
        watched.push(Log::watch(path, &inotify));
    }
    loop {
        for log in watched.iter_mut().flatten() {
            if let Err(error) = log.limit(limit) {
                eprintln!("ros: limiting {}: {error}", log.path.display());
            }
        }
        thread::sleep(PAUSE);
        let events = inotify.read_events().context("reading inotify")?;
        let names: Vec<_> = events.into_iter().filter_map(|event| event.name).collect();
        for (path, log) in logs.iter().zip(&mut watched) {
            if path
                .file_name()
                .is_some_and(|name| names.iter().any(|new| new == name))
            {
                *log = Log::watch(path, &inotify);
            }
        }
    }
}

/// A log that is watched. It is open, so that a removed file that a process still writes to is limited too.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens a log and watches it. `None` on a full or read-only disk.
    fn watch(path: &Path, inotify: &Inotify) -> Option<Self> {
        let log = Self::open(path)?;
        inotify.add_watch(path, AddWatchFlags::IN_MODIFY).ok()?;
        Some(log)
    }

    /// Opens a log, and makes it if it is missing.
    fn open(path: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true).mode(0o600);
        let file = options.open(path).ok()?;
        // An earlier version let everybody read it. What programs print may be secret.
        let _ = file.set_permissions(Permissions::from_mode(0o600));
        Some(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Copies a log above its limit to `<log>.1` and empties it.
    fn limit(&mut self, limit: Option<u64>) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let limit = limit.unwrap_or_else(|| limit_on(self.file.as_fd()));
        if size <= limit {
            return Ok(());
        }
        let mut backup = self.path.as_os_str().to_owned();
        backup.push(".1");
        // A full disk has no room for a copy. The old backup goes first, and without a copy the text is lost.
        if copy_end(&mut self.file, size, limit, Path::new(&backup)).is_err() {
            let _ = fs::remove_file(&backup);
        }
        self.file.set_len(0)
    }
}

fn copy_end(file: &mut File, size: u64, limit: u64, backup: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let mut copy = options.open(backup)?;
    file.seek(SeekFrom::Start(size.saturating_sub(limit)))?;
    io::copy(&mut file.take(limit), &mut copy).map(drop)
}

/// The limit for a log on the filesystem of this file.
fn limit_on(file: impl AsFd) -> u64 {
    let Ok(found) = fstatfs(file) else {
        return LARGEST;
    };
    let block = u64::try_from(found.block_size()).unwrap_or_default();
    limit_for(found.blocks().saturating_mul(block))
}

fn limit_for(filesystem: u64) -> u64 {
    (filesystem / PART_OF_FILESYSTEM).clamp(SMALLEST, LARGEST)
}

#[cfg(test)]
mod tests {
    use super::{LARGEST, SMALLEST, limit_for, limit_now, watch};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::{Duration, Instant};

    const LIMIT: u64 = 1 << 20;

    fn size(path: &Path) -> u64 {
        fs::metadata(path).map_or(0, |found| found.len())
    }

    fn print(log: &Path, bytes: u32) {
        let script = format!("yes something was refused | head -c {bytes}");
        let argv = ["sh".to_owned(), "-c".to_owned(), script];
        let pid = crate::process::spawn(&argv, log).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
    }

    fn wait_until(condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < Duration::from_secs(30), "never true");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_program_that_prints_without_end_leaves_a_log_and_a_backup_of_limited_size() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let backup = folder.path().join("x.log.1");
        let logs = vec![log.clone()];
        std::thread::spawn(move || watch(&logs, Some(LIMIT)));
        wait_until(|| log.exists());
        // A log that an administrator has removed is watched again.
        for _ in 0..2 {
            print(&log, 30_000_000);
            wait_until(|| size(&log) <= LIMIT && size(&backup) > 0);
            assert!(size(&backup) <= LIMIT);
            fs::remove_file(&log).unwrap();
            fs::remove_file(&backup).unwrap();
        }
    }

    #[test]
    fn a_log_that_nobody_watches_is_limited_at_a_look() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let backup = folder.path().join("x.log.1");
        let missing = folder.path().join("missing.log");
        let logs = [log.to_str().unwrap(), missing.to_str().unwrap()];
        print(&log, 10_000_000);
        // An earlier version let everybody read it.
        fs::set_permissions(&log, fs::Permissions::from_mode(0o644)).unwrap();
        limit_now(&logs, Some(LIMIT));
        assert_eq!((size(&log), size(&backup)), (0, LIMIT));
        for file in [&log, &backup] {
            let mode = fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
        assert!(!missing.exists());
        print(&log, 1000);
        limit_now(&logs, Some(LIMIT));
        assert_eq!((size(&log), size(&backup)), (1000, LIMIT));
    }

    #[test]
    fn a_small_filesystem_has_small_logs() {
        for (filesystem, expected) in [
            (0, SMALLEST),
            (400 << 20, 4 << 20),
            (2 << 30, 21_474_836),
            (1 << 40, LARGEST),
        ] {
            assert_eq!(limit_for(filesystem), expected, "{filesystem}");
        }
    }
}
