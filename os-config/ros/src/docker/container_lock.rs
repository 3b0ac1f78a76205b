//! A lock for the container of a service: `ros sysinit` and the commands of an operator create, replace and remove
//! containers, and never the same container at the same time.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host::paths::CONTAINER_LOCKS;
use nix::fcntl::{Flock, FlockArg};

use crate::docker::client::Client;

const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// A wait that takes longer is named.
const SAID_AFTER: Duration = Duration::from_secs(3);

/// The lock of a container; the death of its holder releases it too.
#[derive(Debug)]
pub(crate) struct ContainerLock {
    file: Flock<File>,
    is_changed: bool,
}

/// How often a container has been changed under its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changes(u64);

impl ContainerLock {
    /// Waits until no other process works on the container.
    pub(crate) async fn wait(engine: &Client, container: &str) -> Result<Self> {
        Self::wait_in(Path::new(CONTAINER_LOCKS), &key(engine, container)).await
    }

    /// The changes until now. Whoever has the lock compares them with the changes before what it knows of the container.
    pub(crate) fn changes_of(engine: &Client, container: &str) -> Changes {
        changes_in(&Path::new(CONTAINER_LOCKS).join(key(engine, container)))
    }

    /// Notes that the container is about to change. The release of the lock notes it once more: what a process learns
    /// of the container in between is out of date.
    pub(crate) fn note_change(&mut self) -> Result<()> {
        self.is_changed = true;
        self.count_change()
    }

    fn count_change(&mut self) -> Result<()> {
        let Changes(before) = self.changes()?;
        self.file.rewind()?;
        let text = before.wrapping_add(1).to_string();
        self.file.write_all(text.as_bytes())?;
        Ok(self.file.set_len(text.len() as u64)?)
    }

    /// The changes under this lock.
    pub(crate) fn changes(&mut self) -> Result<Changes> {
        let mut text = String::new();
        self.file.rewind()?;
        self.file.read_to_string(&mut text)?;
        Ok(parse(&text))
    }

    async fn wait_in(folder: &Path, key: &str) -> Result<Self> {
        let locking = || format!("locking {key}");
        fs::create_dir_all(folder).with_context(locking)?;
        // The file is in memory.
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(folder.join(key)).with_context(locking)?;
        let began = Instant::now();
        let mut is_said = false;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        is_changed: false,
                    });
                }
                Err((unlocked, nix::errno::Errno::EWOULDBLOCK)) => file = unlocked,
                Err((_, error)) => return Err(error).with_context(locking),
            }
            if !is_said && began.elapsed() > SAID_AFTER {
                is_said = true;
                eprintln!("ros: waiting for another `ros` that works on {key}");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl Drop for ContainerLock {
    fn drop(&mut self) {
        if self.is_changed
            && let Err(error) = self.count_change()
        {
            eprintln!("ros: releasing the lock of a container: {error:#}");
        }
    }
}

fn changes_in(file: &Path) -> Changes {
    parse(&fs::read_to_string(file).unwrap_or_default())
}

fn parse(text: &str) -> Changes {
    Changes(text.trim().parse().unwrap_or_default())
}

/// The name of the lock's file: the engine's socket and the container.
fn key(engine: &Client, container: &str) -> String {
    let socket = engine.socket().trim_matches('/').replace('/', "_");
    format!("{socket}-{container}")
}

#[cfg(test)]
mod tests {
    use super::{ContainerLock, changes_in};
    use std::time::Duration;

    #[tokio::test]
    async fn a_second_process_waits_and_sees_the_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let before = changes_in(&path.join("web"));
        let mut first = ContainerLock::wait_in(&path, "web").await.unwrap();
        let other = ContainerLock::wait_in(&path, "db");
        tokio::time::timeout(Duration::from_secs(5), other)
            .await
            .unwrap()
            .unwrap();
        let mut second = Box::pin(ContainerLock::wait_in(&path, "web"));
        let waited = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
        assert!(waited.is_err(), "the lock is taken");
        first.note_change().unwrap();
        let during = changes_in(&path.join("web"));
        drop(first);
        let mut second = second.await.unwrap();
        assert_ne!(second.changes().unwrap(), before);
        assert_ne!(second.changes().unwrap(), during);
        assert_eq!(second.changes().unwrap(), changes_in(&path.join("web")));
    }
}
