//! What a new machine takes along for the services of its cloud-config (`-s`): their images, as archives that its first boot
//! loads, and the definitions of services that this machine has fetched. The image store of the system has the images of
//! the system's own services already.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::paths::{CACHE, below_root};
use os_config::compose::service::Scope;
use os_config::load::load;
use os_config::{Config, LoadedConfig};
use tempfile::TempDir;

use crate::disk::install::state::filesystem::{fill, make_folders};
use crate::docker::preload::TargetEngine;
use crate::docker::{Client, runtime};
use crate::subprocess::run;

/// The files of the system that a configuration is loaded from.
const SYSTEM_FILES: &str = "usr/share/ros";
const ARCHIVE: &str = "installation.tar";

/// The files of a new state with images among them.
#[derive(Debug)]
pub(in crate::disk::install) struct SavedImages {
    folder: TempDir,
    pub(in crate::disk::install) archive_bytes: u64,
}

impl SavedImages {
    /// Collects them on the machine with its files below `root`. Images that are not here are pulled.
    ///
    /// # Errors
    /// An image cannot be pulled or saved.
    pub(in crate::disk::install) fn collect(
        root: &Path,
        cloud_config: Option<&[u8]>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder for the images")?;
        let mut saved = Self {
            folder,
            archive_bytes: 0,
        };
        let tree = saved.tree();
        fill(&tree, cloud_config).context("writing the files of the state")?;
        copy_definitions(root, &tree)?;
        let own = saved.load(root, Some(&tree))?;
        for name in &own.absent_definitions {
            eprintln!(
                "ros: -s: the definition of the service {name} is not here, so its image is not taken along"
            );
        }
        // The configuration without a cloud-config has the images that the system ships.
        let shipped = saved.load(root, None)?.config;
        for (engine, scope) in [
            (TargetEngine::System, Scope::System),
            (TargetEngine::User, Scope::User),
        ] {
            let names = missing_images(&own.config, &shipped, scope);
            if !names.is_empty() {
                saved.save(engine, &own.config, &names)?;
            }
        }
        Ok(saved)
    }

    /// The folder that becomes the state filesystem.
    pub(in crate::disk::install) fn tree(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Loads the configuration of a machine with this system and this state.
    fn load(&self, root: &Path, state: Option<&Path>) -> Result<LoadedConfig> {
        let name = if state.is_some() { "machine" } else { "bare" };
        let view = self.folder.path().join(name);
        let system = view.join(SYSTEM_FILES);
        let linking = || format!("making a view of {SYSTEM_FILES}");
        let parent = system.parent().with_context(linking)?;
        fs::create_dir_all(parent).with_context(linking)?;
        symlink(root.join(SYSTEM_FILES), &system).with_context(linking)?;
        if let Some(state) = state {
            symlink(state.join("var"), view.join("var")).with_context(linking)?;
        }
        // This is the configuration of the new machine, and not that of this machine.
        Ok(load(&view))
    }

    fn save(
        &mut self,
        engine: TargetEngine,
        config: &Config,
        names: &BTreeSet<String>,
    ) -> Result<()> {
        runtime()?
            .block_on(pull_missing(engine, config, names))
            .context("-s (hint: without it, the new machine pulls its images itself)")?;
        let tree = self.tree();
        let folder = engine.folder();
        let folder = folder.strip_prefix("/").unwrap_or(&folder);
        make_folders(&tree, folder).context("making the folder of the archives")?;
        let archive = tree.join(folder).join(ARCHIVE);
        let host = format!("unix://{}", engine.socket());
        let file = archive.display().to_string();
        let mut arguments = vec!["-H", host.as_str(), "save", "--output", file.as_str()];
        arguments.extend(names.iter().map(String::as_str));
        println!("saving {} images", names.len());
        run("docker", &arguments, None).context("-s: saving images")?;
        let found = fs::metadata(&archive).context("-s: looking at the archive")?;
        self.archive_bytes += found.len();
        Ok(())
    }
}

/// Copies the definitions that this machine has fetched: the new machine may have no network at its first boot.
fn copy_definitions(root: &Path, tree: &Path) -> Result<()> {
    let from = root.join(below_root(CACHE));
    if !from.is_dir() {
        return Ok(());
    }
    let to = Path::new(below_root(CACHE));
    make_folders(tree, to.parent().unwrap_or(to)).context("copying definitions of services")?;
    let (from, to) = (from.display().to_string(), tree.join(to));
    run("cp", &["-a", "--", &from, &to.display().to_string()], None)
        .context("copying definitions of services")
}

/// The images of a scope that a configuration has and the system does not ship. An archive keeps no digest, so an image that
/// is named by its digest would be pulled all the same.
fn missing_images(own: &Config, shipped: &Config, scope: Scope) -> BTreeSet<String> {
    let images = |config: &Config| -> BTreeSet<String> {
        let services = config.rancher.services.values();
        services
            .filter(|service| service.scope() == scope && service.build.is_none())
            .map(|service| service.image.clone())
            .filter(|image| !image.is_empty() && !image.contains('@'))
            .collect()
    };
    &images(own) - &images(shipped)
}

async fn pull_missing(
    engine: TargetEngine,
    config: &Config,
    names: &BTreeSet<String>,
) -> Result<()> {
    let client = Client::connect(engine.socket()).await?.with_logins(config);
    for name in names {
        if client.image_id(name).await?.is_none() {
            client.pull(name).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use os_config::compose::service::Scope;
    use os_config::load::document;

    use super::{SavedImages, missing_images};

    #[test]
    fn images_of_the_system_and_images_without_a_name_stay() {
        let config = |text: &str| document(text.as_bytes()).unwrap();
        let shipped = config("rancher: {services: {network: {image: os/network}}}\n");
        let own = config(
            "rancher:\n  services:\n    network: {image: os/network}\n    web: {image: nginx}\n    \
             two: {image: nginx}\n    pinned: {image: 'nginx@sha256:00'}\n    \
             agent: {image: agent, labels: {io.rancher.os.scope: system}}\n",
        );
        for (scope, expected) in [(Scope::System, ["agent"]), (Scope::User, ["nginx"])] {
            let found = missing_images(&own, &shipped, scope);
            assert_eq!(Vec::from_iter(found), expected);
        }
    }

    #[test]
    fn definitions_and_the_cloud_config_become_the_state() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("var/lib/rancher/cache");
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("x.yml"), "x").unwrap();
        let saved = SavedImages::collect(root.path(), Some(b"hostname: a\n")).unwrap();
        let file = |path: &str| {
            let file = saved.tree().join("var/lib/rancher").join(path);
            fs::read_to_string(file).unwrap()
        };
        assert_eq!(file("cache/x.yml"), "x");
        assert_eq!(file("conf/cloud-config.d/user_config.yml"), "hostname: a\n");
        assert_eq!(saved.archive_bytes, 0);
    }
}
