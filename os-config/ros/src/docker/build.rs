//! Builds the image of a service with Docker's own client, which packs the context and reads `.dockerignore` as users
//! know it.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use os_config::compose::build::Build;
use tokio::process::Command;

use crate::docker::client::{self, Client};

/// `docker build`'s options.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) no_cache: bool,
    pub(crate) force_rm: bool,
    pub(crate) pull: bool,
}

/// Builds `image`; the builder's output goes to standard output and standard error.
pub(crate) async fn image(
    engine: &Client,
    image: &str,
    build: &Build,
    options: Options,
) -> Result<()> {
    let mut command = Command::new("docker");
    command
        .args(arguments(engine.socket(), image, build, options))
        // The newer builder is a program of its own, which the image does not have.
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::null());
    let status = command.status().await.context("starting docker")?;
    ensure!(
        status.success(),
        "building image {image} from {} failed",
        build.context
    );
    Ok(())
}

fn arguments(socket: &str, image: &str, build: &Build, options: Options) -> Vec<String> {
    let mut arguments: Vec<String> = vec![format!("--host=unix://{socket}"), "build".into()];
    if socket == client::SYSTEM {
        // System Docker has no bridge for the containers of a build.
        arguments.push("--network=host".into());
    }
    arguments.push(format!("--tag={image}"));
    for (flag, value) in [("file", &build.dockerfile), ("target", &build.target)] {
        arguments.extend(value.as_ref().map(|value| {
            // As in compose, the path is relative to the context.
            let is_remote = build.context.contains("://");
            let folder = if flag == "file" && !value.starts_with('/') && !is_remote {
                format!("{}/", build.context.trim_end_matches('/'))
            } else {
                String::new()
            };
            format!("--{flag}={folder}{value}")
        }));
    }
    let args = build.args.iter();
    arguments.extend(args.map(|(key, value)| format!("--build-arg={key}={value}")));
    for (flag, is_on) in [
        ("--no-cache", options.no_cache),
        ("--force-rm", options.force_rm),
        ("--pull", options.pull),
    ] {
        arguments.extend(is_on.then(|| flag.to_owned()));
    }
    arguments.push(build.context.clone());
    arguments
}

#[cfg(test)]
mod tests {
    use super::{Options, arguments};
    use os_config::compose::build::Build;

    #[test]
    fn arguments_of_docker_build() {
        let build = Build {
            context: "/ctx/".into(),
            dockerfile: Some("D".into()),
            args: [("A".to_owned(), "1 2".to_owned())].into(),
            target: Some("t".into()),
        };
        let options = Options {
            no_cache: true,
            ..Options::default()
        };
        assert_eq!(
            arguments("/x", "cow", &build, options),
            [
                "--host=unix:///x",
                "build",
                "--tag=cow",
                "--file=/ctx/D",
                "--target=t",
                "--build-arg=A=1 2",
                "--no-cache",
                "/ctx/"
            ]
        );
        let system = arguments(
            crate::docker::client::SYSTEM,
            "cow",
            &build,
            Options::default(),
        );
        assert!(system.contains(&"--network=host".to_owned()));
    }
}
