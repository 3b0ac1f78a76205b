//! The base of the catalogue's images: a small Debian.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::build::key::Key;
use crate::build::step::Steps;
use crate::debian::bootstrap::{bootstrap, trim};
use crate::debian::dpkg;
use crate::debian::suite::SUITE;

/// The packages beside Debian's essential packages.
const PACKAGES: &[&str] = &["ca-certificates"];

/// A small Debian of its own: what an image stands on that any machine can pull, whatever its OS image.
pub(crate) fn make(steps: &Steps, build: &Path) -> Result<(PathBuf, String)> {
    let folder = build.join("debian-small");
    let key = Key::of_code(&[
        include_str!("catalogue_base.rs"),
        include_str!("bootstrap.rs"),
        include_str!("mmdebstrap.rs"),
        include_str!("dpkg.rs"),
    ])
    .text(SUITE);
    let key = steps.run("debian small", (&folder, &key), |to, log| {
        bootstrap(to, PACKAGES, &[], log)?;
        trim(to)?;
        dpkg::move_database(to)
    })?;
    Ok((folder, key))
}
