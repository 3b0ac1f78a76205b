//! Container images: buildah builds them from Dockerfiles, without a daemon.

pub(crate) mod base;
pub(crate) mod buildah;
pub(crate) mod catalogue;
pub(crate) mod layer;
pub(crate) mod source;
pub(crate) mod system;
