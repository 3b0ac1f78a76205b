//! The client of an engine: connecting, waiting until the engine answers, and the calls that the service engine and
//! the shutdown make.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerUpdateBody, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RenameContainerOptionsBuilder, RestartContainerOptionsBuilder, StartContainerOptions,
    StopContainerOptionsBuilder, WaitContainerOptions,
};
use bollard::{ClientVersion, Docker};
use futures_util::StreamExt;
use host::paths;
use nix::unistd::Pid;
use os_config::{Config, Login};
use tokio::runtime::{Builder, Runtime};

use crate::docker::container::Container;

/// System Docker's socket.
pub(crate) const SYSTEM: &str = paths::SYSTEM_DOCKER_SOCKET;
/// User Docker's socket, as the host and the console see it.
pub(crate) const USER: &str = paths::USER_DOCKER_SOCKET;
/// The limit for a call, in seconds; stopping a container can take as long as its grace period.
const CALL_TIMEOUT: u64 = 600;
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The limit for the answer to a ping: an engine that accepts the connection and stays silent counts as absent.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The API version for engines that refuse the newer version (Docker 20.10 to 24).
const OLD_API: ClientVersion = ClientVersion {
    major_version: 1,
    minor_version: 41,
};
/// The newest API version of the engine in the image (Docker 25 and later).
const API: ClientVersion = ClientVersion {
    major_version: 1,
    minor_version: 44,
};

/// The client of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(super) docker: Docker,
    socket: Arc<str>,
    /// By registry.
    pub(super) logins: Arc<BTreeMap<String, Login>>,
}

/// The runtime of a program that calls engines: one thread.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting")
}

impl Client {
    /// Connects to the engine at `socket` if it answers now.
    pub(crate) async fn connect(socket: &str) -> Result<Self> {
        // Bollard reports an absent socket as an error of another kind.
        anyhow::ensure!(Path::new(socket).exists(), "{socket} is not there yet");
        let client = |version| {
            Docker::connect_with_unix(socket, CALL_TIMEOUT, version)
                .with_context(|| format!("connecting to {socket}"))
        };
        let ping = async |docker: &Docker| {
            let answer = tokio::time::timeout(PING_TIMEOUT, docker.ping()).await;
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

    /// Adds the configuration's registry logins, for pulling.
    pub(crate) fn with_logins(self, config: &Config) -> Self {
        Self {
            logins: Arc::new(config.rancher.registry_auths.clone()),
            ..self
        }
    }

    /// Connects as soon as the engine answers, within `timeout`.
    pub(crate) async fn wait_for(socket: &str, timeout: Duration) -> Result<Self> {
        let started = Instant::now();
        loop {
            match Self::connect(socket).await {
                Ok(client) => return Ok(client),
                Err(error) if started.elapsed() > timeout => {
                    return Err(error).with_context(|| format!("waiting {} s", timeout.as_secs()));
                }
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> &str {
        &self.socket
    }

    /// Bollard's client, for streams.
    pub(crate) fn api(&self) -> &Docker {
        &self.docker
    }

    /// All containers, or the running containers only.
    pub(crate) async fn containers(&self, all: bool) -> Result<Vec<Container>> {
        let options = ListContainersOptionsBuilder::default().all(all).build();
        let found = self
            .docker
            .list_containers(Some(options))
            .await
            .context("listing containers")?;
        Ok(found
            .into_iter()
            .filter_map(Container::from_summary)
            .collect())
    }

    /// The container of this name, running or not.
    pub(crate) async fn container(&self, name: &str) -> Result<Option<Container>> {
        let all = self.containers(true).await?;
        Ok(all.into_iter().find(|found| found.name == name))
    }

    /// Creates a container.
    pub(crate) async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<()> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        self.docker
            .create_container(Some(options), body)
            .await
            .with_context(|| format!("making container {name}"))?;
        Ok(())
    }

    /// Starts a container; a running container is no error.
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

    /// Sets the restart policy to `no`: the engine never starts this container by itself.
    pub(crate) async fn disable_restart(&self, name: &str) -> Result<()> {
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

    /// The output of a container so far.
    pub(crate) async fn output(&self, name: &str) -> Result<String> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .build();
        let mut parts = self.docker.logs(name, Some(options));
        let mut output = String::new();
        while let Some(part) = parts.next().await {
            let part = part.with_context(|| format!("reading what container {name} printed"))?;
            output.push_str(&part.to_string());
        }
        Ok(output)
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

    /// Removes a container, and its anonymous volumes if `volumes`.
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

    async fn inspect(&self, name: &str) -> Result<ContainerInspectResponse> {
        self.docker
            .inspect_container(name, None::<InspectContainerOptions>)
            .await
            .with_context(|| format!("looking at container {name}"))
    }

    /// The first process of a container that runs.
    pub(crate) async fn first_process(&self, name: &str) -> Result<Option<Pid>> {
        let found = self.inspect(name).await?;
        let pid = found.state.and_then(|state| state.pid);
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        // 0 stands for a container that does not run.
        Ok(pid.filter(|pid| *pid > 1).map(Pid::from_raw))
    }

    /// Whether a container's restart policy is `unless-stopped`.
    pub(crate) async fn is_unless_stopped(&self, name: &str) -> Result<bool> {
        let found = self.inspect(name).await?;
        let policy = found.host_config.and_then(|config| config.restart_policy);
        let name = policy.and_then(|policy| policy.name);
        Ok(name == Some(RestartPolicyNameEnum::UNLESS_STOPPED))
    }

    /// The containers that the engine could not start, though their restart policy says that they run. The engine does
    /// not try again: its policies count ends of containers.
    pub(crate) async fn failed_starts(&self) -> Result<Vec<String>> {
        let mut failed = Vec::new();
        for container in self.containers(true).await? {
            if container.running {
                continue;
            }
            let found = self.inspect(&container.name).await?;
            let policy = found.host_config.and_then(|config| config.restart_policy);
            let runs_always = policy.and_then(|policy| policy.name).is_some_and(|name| {
                use RestartPolicyNameEnum::{ALWAYS, ON_FAILURE, UNLESS_STOPPED};
                [ALWAYS, ON_FAILURE, UNLESS_STOPPED].contains(&name)
            });
            // A stop by a user leaves no error.
            let error = found.state.and_then(|state| state.error);
            if runs_always && error.is_some_and(|text| !text.is_empty()) {
                failed.push(container.name);
            }
        }
        Ok(failed)
    }

    /// The anonymous volumes of a container, as binds: `volume:target`.
    pub(crate) async fn anonymous_volumes(&self, name: &str) -> Result<Vec<String>> {
        const LENGTH_OF_ID: usize = 64;
        let found = self.inspect(name).await?;
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
            // Bollard reports every exit code but 0 as an error.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(error).with_context(|| format!("waiting for container {name}")),
            None => anyhow::bail!("waiting for container {name}: the engine went away"),
        }
    }
}
