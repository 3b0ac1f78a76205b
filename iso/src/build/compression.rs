//! The effort of compression: a development build is to be quick, a release small. Both boot the same way.

/// The effort of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Some seconds; the results are about a fifth larger.
    Fast,
    /// Minutes.
    Small,
}

impl Compression {
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
