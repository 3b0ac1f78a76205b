//! The images of an engine: listing and pulling.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow};
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{CreateImageOptionsBuilder, ListImagesOptionsBuilder};
use futures_util::StreamExt;
use os_config::keys::logins::registry_of;

use crate::docker::client::Client;
use crate::docker::progress::Progress;

impl Client {
    /// The id of a local image; `None` if the image is absent.
    pub(crate) async fn image_id(&self, name: &str) -> Result<Option<String>> {
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

    /// Pulls an image, and shows the progress on standard error.
    pub(crate) async fn pull(&self, name: &str) -> Result<()> {
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
            let hint = match has_no_registry(name) {
                true => format!("\nhint: {MISSING_IMAGE_HINT}"),
                false => String::new(),
            };
            let step = step.map_err(|error| anyhow!("pulling {name}: {error:#}{hint}"));
            shown.note(&step?);
        }
        Ok(())
    }
}

/// The hint for an image that is in no registry.
pub(crate) const MISSING_IMAGE_HINT: &str = "load it with `docker load`, or `system-docker load` for consoles, engines and system services; \
     or set rancher.environment.PADDOCK_REGISTRY to a registry that has it";

/// Whether an image of the catalogue has no registry: without a configured registry its name begins with `localhost/`.
pub(crate) fn has_no_registry(name: &str) -> bool {
    name.starts_with("localhost/")
}

/// The images of an engine, by name.
#[derive(Debug)]
pub(crate) struct Images(BTreeSet<String>);

impl Images {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(&whole_name(name))
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
    use super::{split_tag, whole_name};

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
