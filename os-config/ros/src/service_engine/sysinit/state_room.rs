//! The state disk while the machine runs: a full disk gets its reserve, and what could not start for want of room is
//! started when there is room again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use host::paths::{STATE, STATE_RESERVE};
use host::perform::reserve::{self, ENOUGH_WHILE_RUNNING, Room};
use host::problems::{self, ProblemRecord};
use host::state_problems::FULL;

use crate::docker::{self, Client};
use crate::user_docker::{start_gate, user_containers};

const INTERVAL: Duration = Duration::from_secs(10);
/// The limit for User Docker's answer.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(60);

/// Looks at the state disk until the process ends.
pub(super) async fn watch() {
    // PID 1 or an earlier process may have reported it.
    let mut was_full = problems::list().iter().any(|problem| problem.id == FULL);
    let mut last_free = 0;
    loop {
        tokio::time::sleep(INTERVAL).await;
        // A disk that does not answer holds up this task alone.
        let looked = tokio::task::spawn_blocking(move || look(last_free)).await;
        let room = match looked.context("looking at the state disk").flatten() {
            Ok((room, free)) => {
                last_free = free;
                room
            }
            Err(error) => {
                eprintln!("ros sysinit: {error:#}");
                continue;
            }
        };
        if let Some(text) = room.problem() {
            was_full = true;
            problems::report(&ProblemRecord::error(FULL, "the state disk", text));
        } else if room == Room::Reserved && std::mem::take(&mut was_full) {
            problems::clear(FULL);
            if let Err(error) = start_failed().await {
                eprintln!("ros sysinit: {error:#}");
            }
        }
    }
}

/// A look at the disk. The reserve stays while a program fills the disk, which would take it at once.
fn look(last_free: u64) -> Result<(Room, u64)> {
    let free = reserve::free_bytes(Path::new(STATE))?;
    let enough = if free < last_free {
        0
    } else {
        ENOUGH_WHILE_RUNNING
    };
    Ok((reserve::keep(Path::new(STATE_RESERVE), enough)?, free))
}

/// Starts the user's containers that could not be started. System Docker's are tried again all the time.
async fn start_failed() -> Result<()> {
    if !start_gate::is_open() {
        return Ok(());
    }
    let engine = Client::wait_for(docker::USER, ENGINE_TIMEOUT).await?;
    user_containers::start_failed(&engine).await
}
