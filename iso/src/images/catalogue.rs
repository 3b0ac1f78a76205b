//! The images of the catalogue, on `paddock/debian`: kept whole, as archives that `docker load` takes.

use std::path::PathBuf;

use anyhow::Result;

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::files::remove;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::lists::PackageLists;
use crate::images::base;
use crate::images::buildah::Buildah;
use crate::images::source::Source;

/// The registries in the names of an image: `PADDOCK_REGISTRY` of the defaults, and its value in earlier versions.
const REGISTRIES: [&str; 2] = ["paddock.invalid", "localhost"];

/// The base of the images: its tree, and the lists of the packages that Dockerfiles add.
#[derive(Debug)]
pub(crate) struct Base<'a> {
    pub(crate) root: &'a Artifact,
    pub(crate) lists: &'a PackageLists,
}

/// Folders with Dockerfiles, and where the archives of their images go.
#[derive(Debug)]
pub(crate) struct ImageFolders {
    pub(crate) sources: PathBuf,
    pub(crate) archives: PathBuf,
}

/// Builds the images of `images` whose sources have changed, on top of `base`; all images for no `names`.
pub(crate) fn make(
    steps: &Steps,
    folders: &Folders,
    base: &Base<'_>,
    images: &ImageFolders,
    names: &[String],
) -> Result<Vec<Artifact>> {
    let lists = base.lists;
    let base = base::import(steps, folders, "debian", base.root)?;
    Source::list(&images.sources)?
        .iter()
        .filter(|source| names.is_empty() || names.contains(&source.name()))
        .map(|source| {
            let name = source.name();
            let key = Key::of_code(&[
                include_str!("catalogue.rs"),
                include_str!("buildah.rs"),
                include_str!("source.rs"),
                include_str!("../debian/privileges.rs"),
            ])
            .texts(&[&base.key, lists.key()]);
            let step = Step {
                name: &format!("catalogue/{name}"),
                output: images.archives.join(format!("{name}.tar")),
                key: source.add_to_key(key)?,
            };
            steps.run(step, |to, log| {
                let buildah = Buildah::new(&folders.build, log);
                let tag = source.tag();
                buildah.build(&tag, &source.folder, lists)?;
                buildah.restrict(&tag)?;
                let single = to.with_extension("single");
                buildah.push(&tag, format!("docker-archive:{}", single.display()))?;
                // The archive has every name that definitions use if the configuration names no registry.
                let [name, more @ ..] = REGISTRIES.map(|place| format!("{place}/{tag}:latest"));
                let mut copy = argv!["skopeo", "copy", "--quiet"];
                copy.extend(more.iter().flat_map(|name| argv!["--additional-tag", name]));
                copy.push(format!("docker-archive:{}", single.display()).into());
                copy.push(format!("docker-archive:{}:{name}", to.display()).into());
                log.run(&copy)?;
                remove(&single)
            })
        })
        .collect()
}
