//! The base of the catalogue's images: a small Debian.

use anyhow::Result;

use crate::build::artifact::Artifact;
use crate::build::folders::Folders;
use crate::build::key::Key;
use crate::build::step::{Step, Steps};
use crate::debian::bootstrap::{bootstrap, trim};
use crate::debian::dpkg;
use crate::debian::lists::PackageLists;
use crate::debian::mmdebstrap::Selection;
use crate::debian::suite::SUITE;

/// The packages beside Debian's essential packages.
const PACKAGES: &[&str] = &["ca-certificates"];

/// Makes the base. It does not depend on the OS image, so that any machine can pull the images on it.
pub(crate) fn make(steps: &Steps, folders: &Folders, lists: &PackageLists) -> Result<Artifact> {
    let key = Key::of_code(&[
        include_str!("catalogue_base.rs"),
        include_str!("bootstrap.rs"),
        include_str!("mmdebstrap.rs"),
        include_str!("dpkg.rs"),
        include_str!("passwords.rs"),
        include_str!("privileges.rs"),
        include_str!("suite.rs"),
    ])
    .text(SUITE)
    .text(lists.key());
    let step = Step {
        name: "debian small",
        output: folders.build.join("debian-small"),
        key,
    };
    steps.run(step, |to, log| {
        let selection = Selection {
            packages: PACKAGES,
            hooks: Vec::new(),
            lists,
        };
        bootstrap(to, selection, log)?;
        trim(to, lists)?;
        dpkg::move_database(to)
    })
}
