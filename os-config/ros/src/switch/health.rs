//! The health of a console or an engine that was started: the console takes logins, the engine answers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use os_config::Config;
use os_config::Switchable;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::docker::{Client, USER};
use crate::subprocess;
use crate::user_docker::{daemon_deaths, start_gate};

/// The limit for the first answer.
pub(super) const HEALTH_TIMEOUT: Duration = Duration::from_secs(90);
/// A console without an ssh server cannot answer: it counts as healthy after running for this time.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// The number of deaths of its daemons after which an engine is given up.
const MAX_DEATHS: u64 = 4;
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Waits until the console or engine is healthy; the error says why waiting is of no use. With `may_end` the service
/// engine starts an ended container again, as at a boot; otherwise its first end is an error.
pub(super) async fn wait_healthy(
    system: &Client,
    switchable: Switchable,
    config: &Config,
    may_end: bool,
) -> Result<()> {
    let name = switchable.service();
    let began = Instant::now();
    // Daemons may have died before in this boot, in this engine or in another.
    let before = deaths(switchable)?;
    loop {
        let found = system.container(name).await?;
        let runs = found.is_some_and(|found| found.running);
        let answer = match switchable {
            _ if !runs => {
                let output = system.output(name).await.unwrap_or_default();
                Err(anyhow!(
                    "it ended: {}",
                    subprocess::last_line(output.trim_end())
                ))
            }
            // A connection would start it before the user's boot commands have ended.
            Switchable::Engine if !start_gate::is_open() => {
                Err(anyhow!("it waits for the user's boot commands"))
            }
            Switchable::Engine => Client::connect(USER).await.map(drop),
            Switchable::Console => check_console(config, began.elapsed()).await,
        };
        let Err(error) = answer else { return Ok(()) };
        if !runs && !may_end {
            return Err(error);
        }
        ensure!(
            deaths(switchable)? < before.saturating_add(MAX_DEATHS),
            "its daemons end again and again; /var/log/docker.log says why"
        );
        if began.elapsed() > HEALTH_TIMEOUT {
            return Err(error).context("it does not answer");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The number of daemons of the engine that have died in this boot. A console has no daemons.
fn deaths(switchable: Switchable) -> Result<u64> {
    match switchable {
        Switchable::Console => Ok(0),
        Switchable::Engine => daemon_deaths::count(),
    }
}

/// Reads the ssh server's greeting. A server at a configured address is not asked: the machine may not have the address
/// yet.
async fn check_console(config: &Config, age: Duration) -> Result<()> {
    let ssh = &config.rancher.ssh;
    if !ssh.daemon || ssh.listen_address.is_some() {
        ensure!(age >= HEALTHY_AFTER, "it has not been running long enough");
        return Ok(());
    }
    let mut stream = TcpStream::connect(("127.0.0.1", ssh.port.unwrap_or(22)))
        .await
        .context("connecting to its ssh server")?;
    let mut greeting = [0; 4];
    let read = stream.read_exact(&mut greeting);
    tokio::time::timeout(HEALTHY_AFTER, read)
        .await
        .context("waiting for its ssh server's greeting")?
        .context("reading its ssh server's greeting")?;
    ensure!(&greeting == b"SSH-", "no ssh server answers");
    Ok(())
}
