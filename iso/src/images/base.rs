//! The bases that Dockerfiles name in `FROM`: trees of Debian, given to buildah.

use anyhow::Result;

use crate::build::artifact::Artifact;
use crate::build::command::argv;
use crate::build::files::write;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::images::buildah::Buildah;

/// Gives buildah the tree `root` as `paddock/NAME`.
pub(crate) fn import(
    steps: &Steps,
    folders: &Folders,
    name: &str,
    root: &Artifact,
) -> Result<Artifact> {
    let step = Step {
        name: &format!("image/{name}"),
        output: folders.build.join(format!("images/{name}.imported")),
        key: Key::of_code(&[include_str!("base.rs"), include_str!("buildah.rs")]).text(&root.key),
    };
    steps.run(step, |to, log| {
        let buildah = Buildah::new(&folders.build, log);
        let tag = format!("paddock/{name}");
        // Removes the remains of an interrupted build, and the former base.
        let _ = buildah.run(argv!["rm", "--all"]);
        let _ = buildah.run(argv!["rmi", "--force", &tag]);
        let _ = buildah.run(argv!["rmi", "--prune", "--force"]);
        let container = buildah.output(argv!["from", "scratch"])?;
        let mounted = buildah.output(argv!["mount", &container])?;
        log.run(&argv!["cp", "-a", root.path.join("."), &mounted])?;
        buildah.run(argv!["commit", "--quiet", "--rm", &container, &tag])?;
        write(to, &root.key)
    })
}
