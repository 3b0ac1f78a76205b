//! Brings User Docker's new images to the disk, in a thread beside its daemons.

use std::path::Path;
use std::thread;

use anyhow::Result;
use host::paths::DOCKER_SOCKET;
use tokio::sync::oneshot;

use crate::docker::{self, image_sync};

/// Syncs the images as long as it lives. Its connection to dockerd ends with it.
pub(super) struct ImageSync {
    _connection: oneshot::Sender<()>,
}

impl ImageSync {
    /// Begins. dockerd's sockets must be open for it: a connection starts a dockerd that is still to start.
    pub(super) fn start(data_root: String) -> Result<Self> {
        let runtime = docker::runtime()?;
        let (connection, ended) = oneshot::channel();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = image_sync::keep_synced(DOCKER_SOCKET, Path::new(&data_root)) => {}
                    _ = ended => {}
                }
            });
        };
        let started = thread::Builder::new().name("images".to_owned()).spawn(work);
        // Unsynced images are better than no engine.
        if let Err(error) = started {
            eprintln!("ros user-docker: syncing images: {error}");
        }
        Ok(Self {
            _connection: connection,
        })
    }
}
