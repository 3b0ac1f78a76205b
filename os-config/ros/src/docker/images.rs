//! The images of an engine: listing and pulling.

use std::collections::BTreeSet;

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
use crate::docker::registry::{self, CertificateChecks, MISSING_IMAGE_HINT, has_no_registry};

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
        if self.socket() == client::SYSTEM {
            let checks = CertificateChecks::read(&self.docker).await?;
            registry::ensure_not_own(registry_of(name), &checks).await?;
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
        if let Err(error) = hollow_images::sync_state() {
            eprintln!("ros: {error:#}");
        }
        Ok(())
    }
}

/// The registry of the catalogue's images while the configuration names none. No name server knows it.
const NO_REGISTRY: &str = "paddock.invalid";
/// Its name in earlier versions.
const OLD_NO_REGISTRY: &str = "localhost";

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
    use super::{Images, split_tag, whole_name};

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
