//! The system images: one layer each on `paddock/base`, which is the Debian tree.
//!
//! The build keeps that layer alone: the base below it is the OS root and is not stored a second time.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use crate::build::artifact::Artifact;
use crate::build::files::read_json;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::lists::PackageLists;
use crate::debian::root::Debian;
use crate::images::base;
use crate::images::buildah::Buildah;
use crate::images::layer;
use crate::images::source::Source;

/// A system image that is built.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) artifact: Artifact,
}

impl Image {
    /// The image's layer as a tree, with Docker's `.wh.` names for removed files.
    pub(crate) fn tree(&self) -> PathBuf {
        self.artifact.path.join("tree")
    }

    /// The image's layer as an archive; `None` for an image that adds no file to the base.
    pub(crate) fn layer(&self) -> Option<PathBuf> {
        Some(self.artifact.path.join("layer.tar")).filter(|file| file.exists())
    }

    /// The configuration that the Dockerfile sets for containers: `Cmd`, `Env`, ….
    pub(crate) fn config(&self) -> Result<Value> {
        read_json(&self.artifact.path.join("config.json"))
    }
}

/// Builds the images of `images/system` whose sources have changed, on top of `debian`.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    debian: &Debian,
    lists: &PackageLists,
) -> Result<Vec<Image>> {
    let base = base::import(steps, folders, "base", &debian.root())?;
    Source::list(&folders.repository.join("images/system"))?
        .iter()
        .map(|source| {
            let name = source.name();
            let key = Key::of_code(&[
                include_str!("system.rs"),
                include_str!("layer.rs"),
                include_str!("buildah.rs"),
                include_str!("source.rs"),
                include_str!("../debian/passwords.rs"),
                include_str!("../debian/privileges.rs"),
            ])
            .texts(&[&base.key, lists.key()]);
            let step = Step {
                name: &format!("image/{name}"),
                output: folders.build.join("images").join(&name),
                key: source.add_to_key(key)?,
            };
            let artifact = steps.run(step, |to, log| {
                let buildah = Buildah::new(&folders.build, log);
                buildah.build(&source.tag(), &source.folder, lists)?;
                layer::extract(&buildah, &source.tag(), to, log)
            })?;
            Ok(Image { name, artifact })
        })
        .collect()
}
