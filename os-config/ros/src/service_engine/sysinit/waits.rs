//! The waits of a boot, each with its limit.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use host::paths::{CONSOLE_DONE, DEVICES_SEEN};

use crate::docker::{self, Client};
use crate::user_docker::start_gate;

/// The limit for the answer of an engine, as in RancherOS.
pub(super) const ENGINE_TIMEOUT: Duration = Duration::from_secs(300);
/// The limit for the user's boot commands; after it, the user's services start.
const COMMANDS_TIMEOUT: Duration = Duration::from_secs(30);
/// The limit for udev to see every device; after it, the devices that are there count.
const DEVICES_TIMEOUT: Duration = Duration::from_secs(120);
/// The first pause between two attempts.
pub(super) const FIRST_RETRY: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Connects to User Docker once it has been started: a connection before that would start it, and the user's boot
/// commands come first.
pub(super) async fn wait_for_user_docker() -> Result<Client> {
    let began = Instant::now();
    while !start_gate::is_open() && began.elapsed() < ENGINE_TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Client::wait_for(docker::USER, ENGINE_TIMEOUT).await
}

/// Waits until the user's boot commands have run, or their time is over.
pub(super) async fn wait_for_commands() {
    let began = Instant::now();
    while !Path::new(CONSOLE_DONE).exists() && began.elapsed() < COMMANDS_TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Waits until udev has seen every device, or its time is over.
pub(super) async fn wait_for_devices() {
    let began = Instant::now();
    while !Path::new(DEVICES_SEEN).exists() && began.elapsed() < DEVICES_TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
