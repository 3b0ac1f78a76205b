//! How a step of the build is carried out: when it runs, with which commands, and what it leaves.

pub(crate) mod artifact;
pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod folders;
pub(crate) mod key;
pub(crate) mod step;
