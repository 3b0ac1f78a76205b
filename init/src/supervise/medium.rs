//! The medium with the OS image. A machine whose medium is pulled loses every program that is not in memory, so it goes
//! down while it still can.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::block;
use host::process::End;
use nix::libc;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use nix::unistd::Pid;

use crate::background::{Task, medium_probe};

/// Of linux/mman.h; nix does not have it.
const MCL_ONFAULT: i32 = 4;

/// The medium: its node goes away with it, or a probe asks the drive that stays.
#[derive(Debug)]
pub(crate) struct Medium {
    node: PathBuf,
    inotify: Inotify,
    /// The process that asks the drive.
    probe: Option<Pid>,
}

impl Medium {
    /// Watches the medium; `None` if the OS image is in memory.
    pub(crate) fn watch() -> Option<Self> {
        Self::watch_node(medium_probe::node()?)
            .inspect_err(|error| log::warn!("{error:#}"))
            .ok()
    }

    fn watch_node(node: PathBuf) -> Result<Self> {
        let folder = node.parent().unwrap_or(Path::new("/dev"));
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let inotify = Inotify::init(flags).context("opening inotify")?;
        inotify
            .add_watch(folder, AddWatchFlags::IN_DELETE)
            .with_context(|| format!("watching {}", folder.display()))?;
        Ok(Self {
            node,
            inotify,
            probe: None,
        })
    }

    /// Starts a probe of a drive that can lose its medium, unless an earlier probe still waits for the drive.
    pub(crate) fn start_probe(&mut self) {
        if self.probe.is_none() && block::can_lose_medium(Path::new("/"), &self.node) {
            self.probe = Task::ProbeMedium.start_or_warn();
        }
    }

    /// Notes the end of a process. Returns the node if the process has found that the medium is gone.
    pub(crate) fn note_end(&mut self, pid: Pid, end: End) -> Option<&Path> {
        if self.probe != Some(pid) {
            return None;
        }
        self.probe = None;
        (end == End::Code(medium_probe::GONE.into())).then_some(&self.node)
    }

    /// Returns the node if the medium has gone since the last call.
    pub(crate) fn take_gone(&self) -> Option<&Path> {
        let events = self.inotify.read_events().ok()?;
        let name = self.node.file_name()?;
        let is_deleted = events
            .iter()
            .any(|event| event.name.as_deref() == Some(name));
        is_deleted.then_some(&self.node)
    }
}

impl AsFd for Medium {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// Keeps PID 1 in memory: the kernel panics when a page of PID 1 is to be read from a medium that is gone. Memory that
/// comes later is locked as it is used, because stacks of threads are large and mostly empty.
pub(crate) fn lock_memory() {
    let locked = mlockall(MlockAllFlags::MCL_CURRENT).and_then(|()| mlockall(later_on_use()));
    if let Err(error) = locked {
        log::warn!("keeping PID 1 in memory: {error}");
    }
}

fn later_on_use() -> MlockAllFlags {
    MlockAllFlags::MCL_FUTURE | MlockAllFlags::from_bits_retain(MCL_ONFAULT)
}

/// Gives the kernel the pages that the boot has freed, such as the text of the configuration. Locked pages cannot be
/// given back; what is in memory now is locked again.
#[allow(unsafe_code)]
pub(crate) fn give_heap_back() {
    // SAFETY: malloc_trim(3) has no conditions; it changes no memory that is in use.
    let trim = || unsafe { libc::malloc_trim(0) };
    let present = MlockAllFlags::MCL_CURRENT | later_on_use();
    let locked = munlockall()
        .map(|()| trim())
        .and_then(|_| mlockall(present));
    if let Err(error) = locked {
        log::warn!("keeping PID 1 in memory: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::Medium;
    use crate::background::medium_probe;
    use host::process::End;
    use nix::unistd::Pid;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_probe_that_finds_no_medium_is_told_from_other_processes() {
        let folder = tempfile::tempdir().unwrap();
        let mut medium = Medium::watch_node(folder.path().join("sr0")).unwrap();
        let node = medium.node.clone();
        let [probe, other] = [7, 8].map(Pid::from_raw);
        let gone = End::Code(medium_probe::GONE.into());
        medium.probe = Some(probe);
        assert_eq!(medium.note_end(other, gone), None);
        assert_eq!(medium.note_end(probe, gone), Some(node.as_path()));
        assert_eq!(medium.note_end(probe, gone), None);
        medium.probe = Some(probe);
        assert_eq!(medium.note_end(probe, End::Code(0)), None);
    }

    #[test]
    fn the_end_of_its_node_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["sdb", "sdb1"] {
            fs::write(file(name), "").unwrap();
        }
        let medium = Medium::watch_node(file("sdb1")).unwrap();
        fs::remove_file(file("sdb")).unwrap();
        assert_eq!(medium.take_gone(), None);
        fs::remove_file(file("sdb1")).unwrap();
        assert_eq!(medium.take_gone(), Some(Path::new(&file("sdb1"))));
        assert_eq!(medium.take_gone(), None);
    }
}
