//! The container images that buildah builds from `images/`.

pub(crate) mod system;
