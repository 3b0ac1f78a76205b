//! The system images: one layer each on `paddock/base`, which is the Debian tree.
//!
//! Only that layer is kept: the base below it is the OS root itself and is not stored a second time.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use crate::build::artifact::Artifact;
use crate::build::files::read_json;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::root::Debian;
use crate::images::base;
use crate::images::buildah::Buildah;
use crate::images::layer;
use crate::images::source::Source;

/// One built system image.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) artifact: Artifact,
}

impl Image {
    /// The image's own layer, as a tree (with Docker's `.wh.` names for removed files).
    pub(crate) fn tree(&self) -> PathBuf {
        self.artifact.path.join("tree")
    }

    /// The image's own layer, as an archive; none if it only runs what the base has.
    pub(crate) fn layer(&self) -> Option<PathBuf> {
        Some(self.artifact.path.join("layer.tar")).filter(|file| file.exists())
    }

    /// What the Dockerfile says about running it: `Cmd`, `Env`, ….
    pub(crate) fn config(&self) -> Result<Value> {
        read_json(&self.artifact.path.join("config.json"))
    }
}

/// Builds the images of `images/system` whose sources have changed, on top of `debian`.
pub(crate) fn make(steps: &Steps, folders: &Folders, debian: &Debian) -> Result<Vec<Image>> {
    let base = base::import(steps, folders, "base", &debian.root())?;
    Source::list(&folders.repository.join("images/system"))?
        .iter()
        .map(|source| make_image(steps, folders, &base, source))
        .collect()
}

fn make_image(steps: &Steps, folders: &Folders, base: &Artifact, source: &Source) -> Result<Image> {
    let name = source.name();
    let key = Key::of_code(&[
        include_str!("system.rs"),
        include_str!("layer.rs"),
        include_str!("buildah.rs"),
    ])
    .text(&base.key);
    let step = Step {
        name: &format!("image/{name}"),
        output: folders.build.join("images").join(&name),
        key: source.add_to(key)?,
    };
    let artifact = steps.run(step, |to, log| {
        let buildah = Buildah::new(&folders.build, log);
        buildah.build(&source.tag(), &source.folder)?;
        layer::extract(&buildah, &source.tag(), to, log)
    })?;
    Ok(Image { name, artifact })
}
