//! The stand-in for the base layer: a layer of one file that dockerd gets instead of the OS root.

use crate::debian::root::Debian;

/// The path of the file. The OS root has the file too, so that `docker save` finds it.
pub(crate) const FILE: &str = "usr/share/ros/base";

/// The text of the file: it names the Debian tree, so that the identity of every image changes with
/// the base below it.
pub(crate) fn text(debian: &Debian) -> String {
    format!(
        "The base of the system images is the OS root.\nDebian tree {}\n",
        debian.key()
    )
}
