//! Whether a console or an engine that was started does what it is there for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use os_config::Config;
use os_config::load::Variant;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::docker::{self, Engine};
use crate::tool;
use crate::user_docker::AGAIN;

/// How long it may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// A console without an ssh server has nothing that answers: it has to keep running for so long.
const STEADY: Duration = Duration::from_secs(5);
/// So many deaths of its daemons, and an engine is given up.
const DEATHS: usize = 4;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Waits until it answers; the error says why it is not to be waited for any longer. One that `may_end` is started
/// again by the service engine, as at a boot; otherwise its first end is enough.
pub(crate) async fn wait_for(
    system: &Engine,
    variant: Variant,
    config: &Config,
    may_end: bool,
) -> Result<()> {
    let name = variant.service();
    let began = Instant::now();
    // What it printed at earlier boots is still there.
    let before = deaths(system, variant).await;
    loop {
        let found = system.container(name).await?;
        let runs = found.is_some_and(|found| found.running);
        let answer = match variant {
            _ if !runs => {
                let said = system.printed(name).await.unwrap_or_default();
                Err(anyhow!("it ended: {}", tool::last_line(said.trim_end())))
            }
            Variant::Engine => Engine::connect(docker::USER).await.map(drop),
            Variant::Console => console(config, began.elapsed()).await,
        };
        let Err(error) = answer else { return Ok(()) };
        if !runs && !may_end {
            return Err(error);
        }
        ensure!(
            deaths(system, variant).await < before + DEATHS,
            "its daemons end again and again; /var/log/docker.log says why"
        );
        if began.elapsed() > PATIENCE {
            return Err(error).context("it does not answer");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// How often a daemon of the engine has died; a console has none, and a long log that need not be read.
async fn deaths(system: &Engine, variant: Variant) -> usize {
    match variant {
        Variant::Console => 0,
        Variant::Engine => {
            let said = system.printed(variant.service()).await.unwrap_or_default();
            said.matches(AGAIN).count()
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
