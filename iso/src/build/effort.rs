//! The effort of a build: a development build is to be quick, a release small. Both boot the same way.

/// The effort of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Seconds after a change; programs are about a third larger, images a fifth.
    Fast,
    /// Minutes.
    Small,
}

impl Effort {
    /// The effort of a release, or of a development build.
    pub(crate) fn new(is_release: bool) -> Self {
        if is_release { Self::Small } else { Self::Fast }
    }

    /// Cargo's profile of the programs in the image, which names their folder too; the Makefile calls cargo.
    pub(crate) fn cargo_profile(self) -> &'static str {
        match self {
            Self::Fast => "image-dev",
            Self::Small => "image",
        }
    }

    /// The level of zstd.
    pub(crate) fn zstd_level(self) -> &'static str {
        match self {
            Self::Fast => "3",
            Self::Small => "19",
        }
    }

    /// The level of zstd in a squashfs, which each machine unpacks but only a release packs.
    pub(crate) fn squashfs_level(self) -> &'static str {
        match self {
            Self::Fast => "3",
            Self::Small => "22",
        }
    }
}
