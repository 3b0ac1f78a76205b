//! The sockets of User Docker. They are open before dockerd runs and while it is started again: a client that connects
//! waits for the next dockerd, and its connection tells that somebody needs it.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context, Result};
use host::paths::{DOCKER_SOCKET, USER_DOCKER_SOCKET};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Group;

/// The socket inside the container, and the socket for the rest of the machine.
const SOCKETS: [&str; 2] = [DOCKER_SOCKET, USER_DOCKER_SOCKET];

/// The open sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    listeners: [UnixListener; 2],
}

impl Sockets {
    /// Opens the sockets for the members of `group`. Sockets of an earlier process are replaced.
    pub(super) fn open(group: &str) -> Result<Self> {
        let [inside, outside] = SOCKETS;
        Ok(Self {
            listeners: [open(inside, group)?, open(outside, group)?],
        })
    }

    /// Whether a client waits for an answer.
    pub(super) fn has_client(&self) -> bool {
        let mut watched = self
            .listeners
            .each_ref()
            .map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN));
        poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// The sockets as a program inherits them.
    pub(super) fn descriptors(&self) -> Result<Vec<OwnedFd>> {
        let copies = self.listeners.iter().map(UnixListener::try_clone);
        copies
            .map(|copy| copy.map(OwnedFd::from).context("copying a socket"))
            .collect()
    }
}

fn open(path: &str, group: &str) -> Result<UnixListener> {
    let _ = fs::remove_file(path);
    let failed = || format!("opening {path}");
    let listener = UnixListener::bind(path).with_context(failed)?;
    let number = match group.parse() {
        Ok(number) => Some(number),
        Err(_) => Group::from_name(group)
            .ok()
            .flatten()
            .map(|group| group.gid.as_raw()),
    };
    chown(path, Some(0), number).with_context(failed)?;
    fs::set_permissions(Path::new(path), fs::Permissions::from_mode(0o660)).with_context(failed)?;
    Ok(listener)
}
