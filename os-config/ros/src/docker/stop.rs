//! Stopping containers: many at the same time by their engine, or one by its first process.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host::console;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use tokio::task::JoinSet;

use crate::docker::client::Client;

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Ends the first process of a container by SIGTERM, and by SIGKILL after `grace`. The engine's own stop starts the
/// runtime for the signal and once more for what is left: too much for a machine that goes down.
pub(crate) async fn terminate(engine: &Client, name: &str, grace: Duration) -> Result<()> {
    let Some(pid) = engine.first_process(name).await? else {
        return Ok(());
    };
    let began = Instant::now();
    for (signal, limit) in [(Signal::SIGTERM, grace), (Signal::SIGKILL, POLL_INTERVAL)] {
        let asked = Instant::now();
        match kill(pid, signal) {
            Err(Errno::ESRCH) => break,
            result => result.with_context(|| format!("ending container {name}"))?,
        }
        while asked.elapsed() < limit && kill(pid, None).is_ok() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    println!("{name} ended after {:.2} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Stops containers at the same time. `grace` gives the seconds of a container; `None` is its own grace period.
pub(crate) async fn stop_all(
    engine: &Client,
    names: Vec<String>,
    grace: impl Fn(&str) -> Option<i32>,
) {
    let mut stops = JoinSet::new();
    for name in names {
        let (engine, seconds) = (engine.clone(), grace(&name));
        stops.spawn(async move {
            let began = Instant::now();
            let result = engine.stop(&name, seconds).await;
            println!(
                "{name} stopped after {:.2} s",
                began.elapsed().as_secs_f64()
            );
            if let Err(error) = result {
                console::print_line(&format!("ros: {error:#}"));
            }
        });
    }
    while stops.join_next().await.is_some() {}
}
