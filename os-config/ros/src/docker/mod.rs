//! The two engines as seen by `ros`: connecting, waiting until they answer, and the few calls that the
//! service engine and the shutdown make.

pub(crate) mod build;
mod images;
pub(crate) mod preload;
pub(crate) mod progress;
pub(crate) mod retire;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bollard::models::{
    ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum, ContainerUpdateBody, Ipam,
    IpamConfig, NetworkCreateRequest, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, InspectNetworkOptions,
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, RestartContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptions,
};
use bollard::{ClientVersion, Docker};
use futures_util::StreamExt;
use os_config::{Config, Login};
use tokio::runtime::{Builder, Runtime};

pub(crate) use crate::docker::retire::{is_retired, retire};
pub(crate) use images::{HOW_TO_GET, Images, is_nowhere};

/// System Docker's socket.
pub(crate) const SYSTEM: &str = "/run/system-docker.sock";
/// User Docker's socket, as the host and the console see it.
pub(crate) const USER: &str = "/run/user-docker/docker.sock";
/// What calls to an engine are waited for with, in a program of one thread.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting")
}

/// Seconds; stopping a container can take as long as its grace period.
const CALL_TIMEOUT: u64 = 600;
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// An engine that takes a connection and then says nothing for so long does not answer.
const PING: Duration = Duration::from_secs(10);
/// For engines that call the other one too new (Docker 20.10 to 24).
const OLD_API: ClientVersion = ClientVersion {
    major_version: 1,
    minor_version: 41,
};
/// The newest version that the engine of the image speaks (Docker 25 and later).
const API: ClientVersion = ClientVersion {
    major_version: 1,
    minor_version: 44,
};

/// One engine.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    docker: Docker,
    socket: Arc<str>,
    /// By registry.
    logins: Arc<BTreeMap<String, Login>>,
}

/// A container that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) id: String,
    /// `created`, `running`, `exited` …
    pub(crate) state: String,
    pub(crate) running: bool,
    /// `Up 5 minutes` and the like.
    pub(crate) status: String,
    /// None if it is only kept for what was in it.
    pub(crate) labels: BTreeMap<String, String>,
}

impl Client {
    /// Connects to the engine at `socket` if it answers now.
    pub(crate) async fn connect(socket: &str) -> Result<Self> {
        // The client looks for the socket itself and would call its absence an error of another kind.
        anyhow::ensure!(Path::new(socket).exists(), "{socket} is not there yet");
        let client = |version| {
            Docker::connect_with_unix(socket, CALL_TIMEOUT, version)
                .with_context(|| format!("connecting to {socket}"))
        };
        let ping = async |docker: &Docker| {
            let answer = tokio::time::timeout(PING, docker.ping()).await;
            answer.with_context(|| format!("{socket} does not answer"))
        };
        let mut docker = client(&API)?;
        let mut answer = ping(&docker).await?;
        if let Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 400, ..
        }) = answer
        {
            docker = client(&OLD_API)?;
            answer = ping(&docker).await?;
        }
        answer.with_context(|| format!("asking {socket}"))?;
        Ok(Self {
            docker,
            socket: socket.into(),
            logins: Arc::default(),
        })
    }

    /// The same with the configuration's logins for pulling.
    pub(crate) fn with_logins(self, config: &Config) -> Self {
        Self {
            logins: Arc::new(config.rancher.registry_auths.clone()),
            ..self
        }
    }

    /// Connects as soon as the engine answers, for as long as `patience`.
    pub(crate) async fn wait_for(socket: &str, patience: Duration) -> Result<Self> {
        let started = Instant::now();
        loop {
            match Self::connect(socket).await {
                Ok(engine) => return Ok(engine),
                Err(error) if started.elapsed() > patience => {
                    return Err(error).with_context(|| format!("waiting {} s", patience.as_secs()));
                }
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> &str {
        &self.socket
    }

    /// The client itself, for streams.
    pub(crate) fn client(&self) -> &Docker {
        &self.docker
    }

    /// Every container, or every running one.
    pub(crate) async fn containers(&self, all: bool) -> Result<Vec<Container>> {
        let options = ListContainersOptionsBuilder::default().all(all).build();
        let found = self
            .docker
            .list_containers(Some(options))
            .await
            .context("listing containers")?;
        Ok(found.into_iter().filter_map(existing).collect())
    }

    /// The container of this name, running or not.
    pub(crate) async fn container(&self, name: &str) -> Result<Option<Container>> {
        let all = self.containers(true).await?;
        Ok(all.into_iter().find(|found| found.name == name))
    }

    /// A network of this name, made where it is missing. Its bridge and its subnets are returned.
    pub(crate) async fn network(
        &self,
        name: &str,
        subnet: Option<&str>,
    ) -> Result<(String, Vec<String>)> {
        let inspect = || {
            self.docker
                .inspect_network(name, None::<InspectNetworkOptions>)
        };
        let found = match inspect().await {
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => {
                let pool = subnet.map(|subnet| IpamConfig {
                    subnet: Some(subnet.to_owned()),
                    ..IpamConfig::default()
                });
                let request = NetworkCreateRequest {
                    name: name.to_owned(),
                    ipam: Some(Ipam {
                        config: pool.map(|pool| vec![pool]),
                        ..Ipam::default()
                    }),
                    ..NetworkCreateRequest::default()
                };
                let made = self.docker.create_network(request).await;
                made.with_context(|| format!("making network {name}"))?;
                inspect().await
            }
            found => found,
        };
        let found = found.with_context(|| format!("looking for network {name}"))?;
        let id: String = found.id.unwrap_or_default().chars().take(12).collect();
        let bridge = found
            .options
            .and_then(|options| options.get("com.docker.network.bridge.name").cloned());
        let pools = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let subnets = pools.into_iter().filter_map(|pool| pool.subnet).collect();
        Ok((bridge.unwrap_or_else(|| format!("br-{id}")), subnets))
    }

    /// Makes a container.
    pub(crate) async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<()> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        self.docker
            .create_container(Some(options), body)
            .await
            .with_context(|| format!("making container {name}"))?;
        Ok(())
    }

    /// Starts a container; one that runs already is fine.
    pub(crate) async fn start(&self, name: &str) -> Result<()> {
        match self
            .docker
            .start_container(name, None::<StartContainerOptions>)
            .await
        {
            Ok(())
            | Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 304, ..
            }) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("starting container {name}")),
        }
    }

    /// Has the engine never start a container by itself.
    pub(crate) async fn forget_restarts(&self, name: &str) -> Result<()> {
        let policy = RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            ..RestartPolicy::default()
        };
        let body = ContainerUpdateBody {
            restart_policy: Some(policy),
            ..ContainerUpdateBody::default()
        };
        let updated = self.docker.update_container(name, body).await;
        updated.with_context(|| format!("changing container {name}"))?;
        Ok(())
    }

    /// Gives a container another name.
    pub(crate) async fn rename(&self, name: &str, new: &str) -> Result<()> {
        let options = RenameContainerOptionsBuilder::default().name(new).build();
        let renamed = self.docker.rename_container(name, options).await;
        renamed.with_context(|| format!("renaming container {name} to {new}"))
    }

    /// What a container has printed so far.
    pub(crate) async fn printed(&self, name: &str) -> Result<String> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .build();
        let mut parts = self.docker.logs(name, Some(options));
        let mut said = String::new();
        while let Some(part) = parts.next().await {
            let part = part.with_context(|| format!("reading what container {name} printed"))?;
            said.push_str(&part.to_string());
        }
        Ok(said)
    }

    /// Stops a container within `seconds`, or within its own grace period.
    pub(crate) async fn stop(&self, name: &str, seconds: Option<i32>) -> Result<()> {
        let options =
            seconds.map(|seconds| StopContainerOptionsBuilder::default().t(seconds).build());
        match self.docker.stop_container(name, options).await {
            Ok(())
            | Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 304 | 404,
                ..
            }) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("stopping container {name}")),
        }
    }

    /// Removes a container, running or not.
    pub(crate) async fn remove(&self, name: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        match self.docker.remove_container(name, Some(options)).await {
            Ok(())
            | Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("removing container {name}")),
        }
    }

    /// The same, with its anonymous volumes if `volumes`.
    pub(crate) async fn remove_with(&self, name: &str, volumes: bool) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(volumes)
            .build();
        let removed = self.docker.remove_container(name, Some(options)).await;
        removed.with_context(|| format!("removing container {name}"))
    }

    /// Stops a container within `seconds` and starts it again.
    pub(crate) async fn restart(&self, name: &str, seconds: i32) -> Result<()> {
        let options = RestartContainerOptionsBuilder::default().t(seconds).build();
        let restarted = self.docker.restart_container(name, Some(options)).await;
        restarted.with_context(|| format!("restarting container {name}"))
    }

    /// Sends a container a signal.
    pub(crate) async fn kill(&self, name: &str, signal: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::default()
            .signal(signal)
            .build();
        let killed = self.docker.kill_container(name, Some(options)).await;
        killed.with_context(|| format!("sending container {name} {signal}"))
    }

    /// Whether a container's policy is to be started again unless somebody has stopped it.
    pub(crate) async fn is_unless_stopped(&self, name: &str) -> Result<bool> {
        let found = self
            .docker
            .inspect_container(name, None::<InspectContainerOptions>)
            .await
            .with_context(|| format!("looking at container {name}"))?;
        let policy = found.host_config.and_then(|config| config.restart_policy);
        let name = policy.and_then(|policy| policy.name);
        Ok(name == Some(RestartPolicyNameEnum::UNLESS_STOPPED))
    }

    /// The volumes of a container that nobody has given a name, as binds: `volume:target`.
    pub(crate) async fn unnamed_volumes(&self, name: &str) -> Result<Vec<String>> {
        const LENGTH_OF_ID: usize = 64;
        let found = self
            .docker
            .inspect_container(name, None::<InspectContainerOptions>)
            .await
            .with_context(|| format!("looking at container {name}"))?;
        let mounts = found.mounts.unwrap_or_default().into_iter();
        Ok(mounts
            .filter_map(|mount| Some((mount.name?, mount.destination?)))
            .filter(|(volume, _)| {
                volume.len() == LENGTH_OF_ID && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
            .map(|(volume, target)| format!("{volume}:{target}"))
            .collect())
    }

    /// Waits for a container's end and returns its exit code.
    pub(crate) async fn wait_for_end(&self, name: &str) -> Result<i64> {
        let mut ends = self
            .docker
            .wait_container(name, None::<WaitContainerOptions>);
        match ends.next().await {
            Some(Ok(end)) => Ok(end.status_code),
            // The client calls every exit code but 0 an error.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(error).with_context(|| format!("waiting for container {name}")),
            None => anyhow::bail!("waiting for container {name}: the engine went away"),
        }
    }
}

fn existing(summary: ContainerSummary) -> Option<Container> {
    let name = summary.names?.first()?.trim_start_matches('/').to_owned();
    let labels = match is_retired(&name) {
        true => BTreeMap::new(),
        false => summary.labels.unwrap_or_default().into_iter().collect(),
    };
    Some(Container {
        name,
        id: summary.id.unwrap_or_default(),
        running: summary.state == Some(ContainerSummaryStateEnum::RUNNING),
        state: summary
            .state
            .map(|state| state.to_string())
            .unwrap_or_default(),
        status: summary.status.unwrap_or_default(),
        labels,
    })
}
