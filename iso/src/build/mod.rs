//! Steps of the build: the keys that tell whether they run, the commands that they run, and their artifacts.

pub(crate) mod artifact;
pub(crate) mod command;
pub(crate) mod dates;
pub(crate) mod effort;
pub(crate) mod files;
pub(crate) mod folders;
pub(crate) mod key;
pub(crate) mod progress;
pub(crate) mod step;
