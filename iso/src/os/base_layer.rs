//! The stand-in for the base layer: the one file that dockerd is given in place of the OS root.

use crate::debian::root::Debian;

/// Where in the OS root the stand-in's one file is, too, so that `docker save` finds it.
pub(crate) const FILE: &str = "usr/share/ros/base";

/// The text of the stand-in: it names the tree that it stands for, so that the identity of every
/// image changes with the base below it.
pub(crate) fn text(debian: &Debian) -> String {
    format!(
        "The base of the system images is the OS root.\nDebian tree {}\n",
        debian.key()
    )
}
