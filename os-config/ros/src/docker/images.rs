//! The images of an engine: listing and pulling.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result, anyhow, ensure};
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, TagImageOptionsBuilder,
};
use futures_util::StreamExt;
use os_config::keys::logins::registry_of;

use crate::docker::client::{self, Client};
use crate::docker::hollow_images;
use crate::docker::progress::Progress;

impl Client {
    /// The id of a local image; `None` if the image is absent. An image of the catalogue that was loaded under its name
    /// of an earlier version gets the new name as well.
    pub(crate) async fn image_id(&self, name: &str) -> Result<Option<String>> {
        let found = self.find_image(name).await?;
        let Some(old) = old_name(name).filter(|_| found.is_none()) else {
            return Ok(found);
        };
        let Some(id) = self.find_image(&old).await? else {
            return Ok(None);
        };
        let (image, tag) = split_tag(name);
        let options = TagImageOptionsBuilder::default()
            .repo(image)
            .tag(tag)
            .build();
        let tagged = self.docker.tag_image(&old, Some(options)).await;
        tagged.with_context(|| format!("calling {old} {name}"))?;
        Ok(Some(id))
    }

    async fn find_image(&self, name: &str) -> Result<Option<String>> {
        match self.docker.inspect_image(name).await {
            Ok(image) => Ok(image.id),
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking for image {name}")),
        }
    }

    /// The names of all local images.
    pub(crate) async fn images(&self) -> Result<Images> {
        let options = ListImagesOptionsBuilder::default().build();
        let found = self.docker.list_images(Some(options)).await;
        let found = found.context("listing images")?;
        let names = found.into_iter().flat_map(|image| {
            let digests = image.repo_digests.into_iter();
            image.repo_tags.into_iter().chain(digests)
        });
        Ok(Images(names.map(|name| whole_name(&name)).collect()))
    }

    /// Pulls an image, and shows the progress on standard error. An image without a registry must be here.
    pub(crate) async fn pull(&self, name: &str) -> Result<()> {
        if has_no_registry(name, self.socket() == client::SYSTEM) {
            let is_here = self.image_id(name).await?.is_some();
            ensure!(
                is_here,
                "{name} is in no registry\nhint: {MISSING_IMAGE_HINT}"
            );
            return Ok(());
        }
        let (image, tag) = split_tag(name);
        let options = CreateImageOptionsBuilder::default()
            .from_image(image)
            .tag(tag)
            .build();
        let registry = registry_of(name);
        let login = self.logins.get(registry).map(|login| DockerCredentials {
            username: Some(login.username.clone()),
            password: Some(login.password.clone()),
            serveraddress: Some(registry.to_owned()),
            ..DockerCredentials::default()
        });
        let mut progress = self.docker.create_image(Some(options), None, login);
        let mut shown = Progress::new(name);
        while let Some(step) = progress.next().await {
            let step = step.map_err(|error| anyhow!("pulling {name}: {error:#}"));
            shown.note(&step?);
        }
        // The engine registers an image whose files are not on the disk yet.
        if let Err(error) = hollow_images::sync() {
            eprintln!("ros: {error:#}");
        }
        Ok(())
    }
}

/// The hint for an image that is in no registry.
pub(crate) const MISSING_IMAGE_HINT: &str = "load it with `docker load`, or `system-docker load` for consoles, engines and system services; \
     or set rancher.environment.PADDOCK_REGISTRY to a registry that has it";

/// The registry of the catalogue's images while the configuration names none. No name server knows it.
const NO_REGISTRY: &str = "paddock.invalid";
/// Its name in earlier versions.
const OLD_NO_REGISTRY: &str = "localhost";

/// Whether an image is not to be pulled, because its registry is nowhere, or, for System Docker, the machine itself:
/// there any container with a published port could answer, and hand the machine privileged programs.
pub(crate) fn has_no_registry(name: &str, is_system: bool) -> bool {
    let registry = registry_of(name).to_ascii_lowercase();
    let (host, _) = split_port(&registry);
    let host = host.trim_end_matches('.');
    host.ends_with(".invalid") || is_system && is_loopback(host)
}

/// `host:port` → host and port; an IPv6 address stands in brackets.
fn split_port(registry: &str) -> (&str, &str) {
    if let Some((address, port)) = registry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (address, port.trim_start_matches(':'));
    }
    registry.split_once(':').unwrap_or((registry, ""))
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || address.is_unspecified();
    }
    // Resolvers read numbers such as 127.1 as addresses, and no name ends with one.
    let last = host.rsplit('.').next().unwrap_or(host);
    let is_number = last.starts_with(|digit: char| digit.is_ascii_digit())
        && (last.starts_with("0x") || last.bytes().all(|digit| digit.is_ascii_digit()));
    let names = [
        "localhost",
        "localhost.localdomain",
        "ip6-localhost",
        "ip6-loopback",
    ];
    is_number || names.contains(&host) || host.ends_with(".localhost")
}

/// The name that an image of the catalogue had in earlier versions.
fn old_name(name: &str) -> Option<String> {
    let rest = name.strip_prefix(NO_REGISTRY)?.strip_prefix('/')?;
    Some(format!("{OLD_NO_REGISTRY}/{rest}"))
}

/// The images of an engine, by name.
#[derive(Debug)]
pub(crate) struct Images(BTreeSet<String>);

impl Images {
    pub(crate) fn has(&self, name: &str) -> bool {
        let is_here = |name: &str| self.0.contains(&whole_name(name));
        is_here(name) || old_name(name).is_some_and(|old| is_here(&old))
    }
}

/// A name as an engine lists it: with a tag, and without Docker's own registry.
fn whole_name(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    match split_tag(name) {
        (name, "") => name.to_owned(),
        (name, tag) => format!("{name}:{tag}"),
    }
}

/// `registry:5000/name:tag` → name and tag. The tag is `latest` where the name has none: without a tag, the engine
/// pulls all tags.
fn split_tag(name: &str) -> (&str, &str) {
    if name.contains('@') {
        return (name, "");
    }
    match name.rsplit_once(':') {
        Some((image, tag)) if !tag.contains('/') => (image, tag),
        _ => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Images, has_no_registry, split_tag, whole_name};

    #[test]
    fn system_docker_pulls_nothing_from_the_machine_itself() {
        for (name, of_system, of_user) in [
            ("paddock.invalid/paddock/zram", true, true),
            ("PADDOCK.INVALID./paddock/zram", true, true),
            ("localhost/paddock/zram", true, false),
            ("LocalHost:5000/a", true, false),
            ("registry.localhost:80/a", true, false),
            ("localhost.localdomain/a", true, false),
            ("127.0.0.1/a", true, false),
            ("127.8.0.1:5000/a", true, false),
            ("127.1:80/a", true, false),
            ("127.0x1/a", true, false),
            ("0.0.0.0:80/a", true, false),
            ("[::1]:5000/a", true, false),
            ("[::ffff:127.0.0.1]:5000/a", true, false),
            ("paddock/zram", false, false),
            ("debian:13", false, false),
            ("10.0.2.2:5000/a", false, false),
            ("ghcr.io/localhost/a", false, false),
            ("registry.lan:5000/a", false, false),
        ] {
            assert_eq!(has_no_registry(name, true), of_system, "{name}");
            assert_eq!(has_no_registry(name, false), of_user, "{name}");
        }
    }

    #[test]
    fn an_image_of_an_earlier_version_counts() {
        let images = Images(["localhost/paddock/zram:latest".to_owned()].into());
        assert!(images.has("paddock.invalid/paddock/zram"));
        assert!(images.has("localhost/paddock/zram"));
        assert!(!images.has("registry.lan/paddock/zram"));
    }

    #[test]
    fn names_of_images() {
        for (name, expected) in [
            ("paddock/base", "paddock/base:latest"),
            ("docker.io/paddock/docker-28", "paddock/docker-28:latest"),
            ("docker.io/library/debian:13", "debian:13"),
            ("10.0.2.2:5000/a", "10.0.2.2:5000/a:latest"),
            ("a@sha256:00", "a@sha256:00"),
        ] {
            assert_eq!(whole_name(name), expected, "{name}");
        }
    }

    #[test]
    fn tags() {
        for (name, expected) in [
            ("busybox", ("busybox", "latest")),
            ("busybox:1.37", ("busybox", "1.37")),
            ("10.0.2.2:5000/busybox", ("10.0.2.2:5000/busybox", "latest")),
            ("10.0.2.2:5000/busybox:x", ("10.0.2.2:5000/busybox", "x")),
            ("a@sha256:00", ("a@sha256:00", "")),
        ] {
            assert_eq!(split_tag(name), expected, "{name}");
        }
    }
}
