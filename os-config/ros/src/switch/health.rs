//! Whether a console or an engine that was started does what it is there for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use os_config::Config;
use os_config::Switchable;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::docker::{self, Client};
use crate::subprocess;
use crate::user_docker::RESTART_NOTICE;

/// How long it may take.
pub(crate) const HEALTH_TIMEOUT: Duration = Duration::from_secs(90);
/// A console without an ssh server has nothing that answers: it has to keep running for so long.
const STEADY: Duration = Duration::from_secs(5);
/// So many deaths of its daemons, and an engine is given up.
const DEATHS: usize = 4;
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Waits until it answers; the error says why it is not to be waited for any longer. One that `may_end` is started
/// again by the service engine, as at a boot; otherwise its first end is enough.
pub(crate) async fn wait_healthy(
    system: &Client,
    switchable: Switchable,
    config: &Config,
    may_end: bool,
) -> Result<()> {
    let name = switchable.service();
    let began = Instant::now();
    // What it printed at earlier boots is still there.
    let before = deaths(system, switchable).await;
    loop {
        let found = system.container(name).await?;
        let runs = found.is_some_and(|found| found.running);
        let answer = match switchable {
            _ if !runs => {
                let said = system.printed(name).await.unwrap_or_default();
                Err(anyhow!(
                    "it ended: {}",
                    subprocess::last_line(said.trim_end())
                ))
            }
            Switchable::Engine => Client::connect(docker::USER).await.map(drop),
            Switchable::Console => console(config, began.elapsed()).await,
        };
        let Err(error) = answer else { return Ok(()) };
        if !runs && !may_end {
            return Err(error);
        }
        ensure!(
            deaths(system, switchable).await < before + DEATHS,
            "its daemons end again and again; /var/log/docker.log says why"
        );
        if began.elapsed() > HEALTH_TIMEOUT {
            return Err(error).context("it does not answer");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// How often a daemon of the engine has died; a console has none, and a long log that need not be read.
async fn deaths(system: &Client, switchable: Switchable) -> usize {
    match switchable {
        Switchable::Console => 0,
        Switchable::Engine => {
            let said = system
                .printed(switchable.service())
                .await
                .unwrap_or_default();
            said.matches(RESTART_NOTICE).count()
        }
    }
}

/// The ssh server's greeting. One that listens at an address which the machine may not have yet is not waited for.
async fn console(config: &Config, age: Duration) -> Result<()> {
    let ssh = &config.rancher.ssh;
    if !ssh.daemon || ssh.listen_address.is_some() {
        ensure!(age >= STEADY, "it has not been running long enough");
        return Ok(());
    }
    let mut stream = TcpStream::connect(("127.0.0.1", ssh.port.unwrap_or(22)))
        .await
        .context("connecting to its ssh server")?;
    let mut greeting = [0; 4];
    let read = stream.read_exact(&mut greeting);
    tokio::time::timeout(STEADY, read)
        .await
        .context("waiting for its ssh server's greeting")?
        .context("reading its ssh server's greeting")?;
    ensure!(&greeting == b"SSH-", "no ssh server answers");
    Ok(())
}
